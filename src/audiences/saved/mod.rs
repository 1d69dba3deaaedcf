//! Filters that are saved under a name: audiences, to which other filters may refer, and presets, to which
//! none does. Both are kept, named and changed alike; a [`List`] says what differs.

mod body;
mod changes;
mod list;
mod name;
mod references;
pub mod routes;
mod table;
mod work;

pub use self::{
    body::{New, read_filter},
    changes::create as make,
    list::List,
    work::{Filters, Saved, names, sentence},
};
