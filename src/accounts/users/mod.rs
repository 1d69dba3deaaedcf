//! The users of a company: invited, changed, removed by its admins.

mod admins;
mod create;
mod invite;
pub mod inviting;
mod members;
mod remove;
mod reset;
pub mod routes;
mod update;
mod view;

pub use self::{
    create::{NewUser, create},
    invite::{Invitation, Invited, invite},
    members::{is_last_admin, username_is_taken},
    remove::remove,
    reset::reset,
    update::{Changes, Wanted, update},
    view::UserView,
};
