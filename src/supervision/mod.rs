//! Notices what goes wrong in the background: a task that has ended, a thread
//! that no longer turns.

mod supervisor;
mod vitals;

pub use self::{
    supervisor::{Ended, Ends, Supervisor, Watch},
    vitals::{STUCK, Unwell, Vitals},
};
