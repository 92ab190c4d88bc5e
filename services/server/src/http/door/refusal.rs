//! Refusals as problem+json (RFC 9457).

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use wire::Problem;

use crate::app::Failure;
use crate::auth::password;

/// A request that was not done, and why.
#[derive(Debug)]
pub struct Refusal {
    problem: Problem,
    /// Seconds after which trying again makes sense.
    retry_after: Option<u64>,
}

impl Refusal {
    /// A refusal with its stable word, status and line for people.
    pub fn new(kind: &str, status: u16, title: impl Into<String>) -> Self {
        Problem::new(kind, status, title).into()
    }

    /// Adds which field it was and what to do.
    #[must_use]
    pub fn with(mut self, detail: impl Into<String>) -> Self {
        self.problem = self.problem.with(detail);
        self
    }

    /// The query string is not what the path takes: what is wrong with it.
    pub fn bad_query(what: impl Into<String>) -> Self {
        Self::new("bad-query", 400, "The query string cannot be read").with(what)
    }

    /// The problem that it tells.
    pub fn into_problem(self) -> Problem {
        self.problem
    }

    /// Too many tries: when the next is looked at.
    pub fn wait(time: std::time::Duration) -> Self {
        // Rounded up: a second early is one more refusal.
        let seconds = time.as_secs() + 1;
        let problem =
            Problem::new("too-many-tries", 429, "Too many wrong tries").with(format!("try again in {seconds} s"));
        Self {
            problem,
            retry_after: Some(seconds),
        }
    }

    /// A sender that sends more than its share: when the next is taken.
    pub fn too_often(time: std::time::Duration, rule: &str) -> Self {
        let seconds = time.as_secs() + 1;
        let problem =
            Problem::new("too-often", 429, "This comes too often").with(format!("{rule}; try again in {seconds} s"));
        Self {
            problem,
            retry_after: Some(seconds),
        }
    }

    /// There is no room at this moment: when there may be.
    pub fn busy(seconds: u64) -> Self {
        Self {
            problem: Problem::new("busy", 503, "The box has too much in hand at this moment"),
            retry_after: Some(seconds),
        }
    }

    /// Nobody is logged in.
    pub fn logged_out() -> Self {
        Self::new("not-logged-in", 401, "Nobody is logged in").with("POST /api/v1/session with user name and password")
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.problem.fmt(f)
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self {
            problem,
            retry_after: None,
        }
    }
}

impl From<store::Error> for Refusal {
    fn from(error: store::Error) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "the store failed a request");
        Self::new("store", 503, "The box could not keep this").with(error.to_string())
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(problem) => problem.into(),
            Failure::Store(error) => error.into(),
        }
    }
}

impl From<password::Error> for Refusal {
    fn from(error: password::Error) -> Self {
        match error {
            password::Error::Length => {
                Self::new("bad-password", 422, "This cannot be a password").with(error.to_string())
            }
            password::Error::Hash(_) => {
                Self::new("internal", 500, "The password could not be hashed").with(error.to_string())
            }
            password::Error::Stopping => Self::new("stopping", 503, "The server is stopping"),
        }
    }
}

/// A problem as it is sent: Vigil's clients show what stands under `error`.
#[derive(Serialize)]
struct Told {
    #[serde(flatten)]
    problem: Problem,
    error: String,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let told = Told {
            // A manifest's flaws are one a line.
            error: self.problem.to_string().replace('\n', "; "),
            problem: self.problem,
        };
        let mut response = (status, Json(told)).into_response();
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
