//! The users of a company: invited, changed, removed by its admins.

mod admins;
mod anonymise;
mod create;
mod invite;
pub mod invite_routes;
mod members;
mod remove;
mod reset;
pub mod routes;
mod update;
mod view;

pub use self::{
    anonymise::anonymise,
    create::{NewUser, create},
    invite::{Invitation, Invited, invite},
    members::{Newcomer, insert, is_last_admin, username_is_taken},
    remove::remove,
    reset::reset,
    update::{Changes, Wanted, update},
    view::UserView,
};
