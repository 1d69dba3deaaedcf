//! Filters as a JSON Schema.

use std::sync::LazyLock;

use serde_json::{Value, json};

/// The JSON Schema (2020-12) of a filter.
pub static SCHEMA: LazyLock<Value> = LazyLock::new(|| json!({"type": "object"}));
