//! Pages for people: the home page, the OpenAPI document and Swagger UI.

pub mod home;
pub mod openapi;
pub mod swagger;
