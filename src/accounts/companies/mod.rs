//! Companies: founded, named, suspended.

mod found;
pub mod routes;
mod table;
mod update;

pub use self::{
    found::{Founding, found},
    table::{CompanyState, Row, find, find_by_name, insert, lock, page},
    update::{Changes, update},
};
