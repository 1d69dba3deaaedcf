//! JSON read as it was written: what a map of values would no longer tell.

mod members;
mod number;

pub use self::{
    members::{Members, NoMembers, Text},
    number::{digits, exact, whole},
};
