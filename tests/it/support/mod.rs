//! Starts real processes, or the application in the process of the test, and talks to them.

pub mod app;
pub mod assembly;
pub mod axe;
pub mod browser;
pub mod certificates;
pub mod client;
pub mod clock;
pub mod cluster;
pub mod console;
pub mod databases;
pub mod directories;
pub mod fault_proxy;
pub mod footfall;
pub mod hand;
pub mod live;
pub mod load;
pub mod model_proxy;
pub mod nginx;
pub mod people;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod reader;
pub mod receiver;
pub mod redis;
pub mod sentinels;
pub mod slots;
pub mod slow_proxy;
pub mod smtp;
pub mod stage;
pub mod steady;
pub mod walk;

pub use self::{
    app::TestApp,
    client::{Client, Reply},
    footfall::Footfall,
    process::{eventually, until},
    redis::Redis,
};
