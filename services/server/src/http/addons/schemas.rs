//! JSON Schemas for those who write add-ons; public, as they say nothing of this box.

use axum::response::IntoResponse;
use http::header;

fn schema(text: &'static str) -> impl IntoResponse {
    (
        [
            (header::CONTENT_TYPE, "application/schema+json"),
            (header::CACHE_CONTROL, "max-age=3600"),
        ],
        text,
    )
}

/// The JSON Schema (draft 2020-12) of an add-on's manifest.
#[utoipa::path(get, path = "/schemas/manifest.json", operation_id = "manifest_schema", tag = "addons", security(()),
    responses((status = 200, body = serde_json::Value, content_type = "application/schema+json")))]
pub(super) async fn manifest() -> impl IntoResponse {
    schema(wire::manifest::SCHEMA)
}

/// The JSON Schema (draft 2020-12) of the frames of an add-on's socket.
#[utoipa::path(get, path = "/schemas/frames.json", operation_id = "frames_schema", tag = "addons", security(()),
    responses((status = 200, body = serde_json::Value, content_type = "application/schema+json")))]
pub(super) async fn frames() -> impl IntoResponse {
    schema(wire::frame::SCHEMA)
}
