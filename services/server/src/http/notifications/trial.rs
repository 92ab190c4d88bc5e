//! Trying a channel out, whether it is kept or not.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json as Answered;
use axum::extract::State;
use notify::provider::Fields;
use notify::{BadSetting, Service};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::form::ServiceRequest;
use super::{bad, find};
use crate::app::App;
use crate::http::Refusal;
use crate::http::doc::{Body, LoggedIn, OfChannel, Stored};
use crate::http::door::body::Json;
use crate::http::people::person::Person;

/// A channel that is to be tried.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(super) struct TestRequest {
    /// Number of a channel that is kept; with a form, the one whose secrets the form shows masked.
    service_id: Option<u64>,
    /// Words of one's own.
    message: Option<String>,
    /// An Apprise or shoutrrr URL.
    url: Option<String>,
    /// Which service the form is for.
    service_type: Option<String>,
    /// The form.
    config_fields: Option<BTreeMap<String, Value>>,
}

/// How the try went.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TestAnswer {
    /// Whether the service took the message.
    success: bool,
    /// The service's words when it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// The service's words when it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

async fn try_out(app: &App, service: &Service, words: &str) -> Result<Answered<TestAnswer>, Refusal> {
    let now = app.clock.now().wall;
    let facts = app.hub(|hub| app.alerts.facts(hub));
    let tried = app.alerts.engine.test(service, &facts, words, now).await?;
    Ok(Answered(match tried {
        Ok(answer) => TestAnswer {
            success: true,
            message: Some(if answer.is_empty() {
                "Test notification sent".to_owned()
            } else {
                answer
            }),
            error: None,
        },
        Err(failed) => TestAnswer {
            success: false,
            message: None,
            error: Some(failed.words),
        },
    }))
}

/// Sends a test message by a channel that is kept, also by one that is switched off.
#[utoipa::path(post, path = "/api/notifications/test", tag = "alerts", request_body = TestRequest,
    responses((status = 200, body = TestAnswer), LoggedIn, Body, OfChannel, Stored))]
pub(super) async fn test(
    State(app): State<Arc<App>>,
    _: Person,
    Json(request): Json<TestRequest>,
) -> Result<Answered<TestAnswer>, Refusal> {
    let id = request.service_id.ok_or_else(|| {
        bad(BadSetting {
            field: "service_id".into(),
            what: "is needed".into(),
        })
    })?;
    let service = find(&app, &id.to_string())?;
    try_out(&app, &service, request.message.as_deref().unwrap_or("")).await
}

/// Sends a test message by a channel that is not kept yet.
#[utoipa::path(post, path = "/api/notifications/test-url", tag = "alerts", request_body = TestRequest,
    responses((status = 200, body = TestAnswer), LoggedIn, Body, OfChannel, Stored))]
pub(super) async fn test_url(
    State(app): State<Arc<App>>,
    _: Person,
    Json(request): Json<TestRequest>,
) -> Result<Answered<TestAnswer>, Refusal> {
    let old = request.service_id.map(|id| find(&app, &id.to_string())).transpose()?;
    let asked = ServiceRequest {
        url: request.url,
        service_type: request.service_type,
        config_fields: request.config_fields,
        ..ServiceRequest::default()
    };
    let form = asked.form(old.as_ref())?.ok_or_else(|| {
        bad(BadSetting {
            field: "url".into(),
            what: "is needed, or service_type and config_fields".into(),
        })
    })?;
    let mut service = Service::new(0, "not added yet", &form.0, Fields::new(), app.clock.now().wall);
    asked.apply(&mut service, Some(form))?;
    try_out(&app, &service, request.message.as_deref().unwrap_or("")).await
}
