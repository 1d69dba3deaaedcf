//! More than the service can do: refused at once, in bounded memory, and over when it is over.

mod floods;
mod queue;
