//! API tokens of users, for machines: made, listed, ended. Who shows one is found out in
//! [`auth::api_token`](crate::auth::api_token).

pub mod routes;
mod table;
