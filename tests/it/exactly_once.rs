//! Each acknowledged visit is recorded exactly once, under its number and with what was sent, whatever
//! is killed meanwhile.

mod check;
mod clients;
mod failover;
mod outages;
mod rules;
mod schedules;
mod storm;
