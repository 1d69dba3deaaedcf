//! The OpenAPI description while it is put together.

use std::{collections::BTreeMap, mem};

use axum::body::Bytes;
use indexmap::IndexMap;
use serde::Serialize;
use serde_json::{
    Value,
    value::{RawValue, to_raw_value},
};
use utoipa::openapi::OpenApi;

use super::security;

/// The members of an object, in the order in which readers find them.
type Members = IndexMap<String, Box<RawValue>>;

/// What is said of the routes, each operation as JSON: `utoipa` needs some 17 MB for the tree of all of them,
/// and a part's can be freed before the next is made.
pub struct Description {
    frame: OpenApi,
    paths: BTreeMap<String, Members>,
}

impl Description {
    /// One with everything but operations.
    pub fn new(frame: OpenApi) -> Self {
        Self {
            frame,
            paths: BTreeMap::new(),
        }
    }

    /// Adds a part, with what holds for the operations of all.
    pub fn add(&mut self, mut part: OpenApi) {
        for (path, mut item) in mem::take(&mut part.paths.paths) {
            security::admit_cookies(&path, &mut item);
            let operations = self.paths.entry(path).or_default();
            operations.extend(members(&item));
        }
        self.frame.merge(part);
    }

    /// The document, as it is served.
    pub fn to_json(&self) -> Bytes {
        let mut all = members(&self.frame);
        all.insert("paths".to_owned(), to_raw_value(&self.paths).expect(TEXT));
        serde_json::to_vec(&all).expect(TEXT).into()
    }

    /// The document, for people.
    pub fn to_pretty_json(&self) -> String {
        let document: Value = serde_json::from_slice(&self.to_json()).expect(TEXT);
        serde_json::to_string_pretty(&document).expect(TEXT)
    }
}

const TEXT: &str = "a description is made of text and numbers";

fn members(object: &impl Serialize) -> Members {
    let json = serde_json::to_string(object).expect(TEXT);
    serde_json::from_str(&json).expect(TEXT)
}
