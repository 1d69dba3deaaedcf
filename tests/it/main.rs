//! The promises of Footfall, shown on real processes: the built binary, a real
//! Redis, a real nginx, a real browser.
#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test fails"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "tests are not supervised: they wait for what they start"
)]
#![allow(
    clippy::duplicate_mod,
    reason = "fuzz/, a crate of its own, assembles the application as the tests do"
)]

mod support;

mod admin_command;
mod api_tokens;
mod audiences;
mod audit;
mod audit_trail;
mod backups;
mod browser;
mod carried;
mod cli;
mod clock;
mod cluster;
mod collect;
mod companies;
mod conformance;
mod connections;
mod console;
mod contract;
mod cors;
mod counting;
mod database;
mod database_killed;
mod demo;
mod distance;
mod doctor;
mod dotenv;
mod drain;
mod draining;
mod embedded;
mod erasure;
mod error_tracking;
mod evaluation;
mod exactly_once;
mod failures;
mod faults;
mod files;
mod filters;
mod guide;
mod hangups;
mod hardening;
mod health;
mod hostile;
mod house;
mod hung;
mod identities;
mod ids;
mod isolation;
mod layouts;
mod lingering;
mod logins;
mod mail;
mod matrix;
mod metrics;
mod model;
mod monitoring;
mod openapi;
mod outages;
mod overload;
mod parsing;
mod permissions;
mod previous;
mod proofs;
mod proxies;
mod proxy;
mod readme;
mod record_audit;
mod record_page;
mod record_reading;
mod record_tables;
mod refusals;
mod registration;
mod replication;
mod restoring;
mod revocation;
mod roles;
mod room;
mod secrets_at_rest;
mod sentinel;
mod sessions;
mod settings;
mod sharing;
mod slots;
mod soak;
mod sockets;
mod start;
mod strangers;
mod stream;
mod supervision;
mod text;
mod throttle;
mod tls;
mod tokens;
mod turns;
mod unix_redis;
mod unready;
mod users;
mod visits_ndjson;
mod visits_page;
mod websites_page;
mod wire;
