//! What a request that could not be done says: RFC 9457 problem details.

use std::fmt;

use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;

/// An error that names what was wrong, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct Problem {
    /// A stable word for programs, e.g. `plan-expired`; see the module that makes it.
    #[serde(rename = "type")]
    pub kind: String,
    /// HTTP status.
    pub status: u16,
    /// What went wrong, in one short line.
    pub title: String,
    /// Which drive, field or file, and what to do about it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

impl Problem {
    /// A problem with its stable word, HTTP status, and the line a person reads.
    pub fn new(kind: &str, status: u16, title: impl Into<String>) -> Self {
        Self {
            kind: kind.to_owned(),
            status,
            title: title.into(),
            detail: String::new(),
        }
    }

    /// Adds which drive, field or file it was, and what to do.
    #[must_use]
    pub fn with(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.title)?;
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}
