//! Notices what goes wrong in the background: a task that has ended, a thread
//! that no longer turns.

mod faults;
mod part;
mod supervisor;
mod vitals;

pub use self::{
    faults::is_broken,
    part::{Panicked, Part, Piece},
    supervisor::{Ended, Ends, Supervisor, main_thread},
    vitals::{STUCK, Unwell, Vitals},
};
