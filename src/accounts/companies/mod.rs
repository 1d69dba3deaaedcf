//! Companies: founded, named, suspended.

pub mod create;
pub mod routes;
mod table;
mod update;

pub use self::{
    table::{CompanyState, Row, find, find_by_name, insert, lock, page, taken},
    update::{Changes, update},
};
