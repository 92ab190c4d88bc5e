//! `GET /docs`: the guides, without a login.

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};

use super::Refusal;
use crate::docs;

fn page(html: String) -> Response {
    (
        [(CONTENT_TYPE, "text/html; charset=utf-8"), (CACHE_CONTROL, "no-cache")],
        html,
    )
        .into_response()
}

fn guide(name: &str, headers: &HeaderMap) -> Result<Response, Refusal> {
    let bare = name.strip_suffix(".md").unwrap_or(name);
    if let Some(html) = docs::page(bare) {
        return Ok(page(html));
    }
    let shown: String = name.chars().take(100).collect();
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    if accept.is_some_and(|accept| accept.contains("text/html")) {
        return Ok((StatusCode::NOT_FOUND, page(docs::unknown(&shown))).into_response());
    }
    Err(Refusal::new("guide-unknown", 404, "There is no such guide").with(format!("{shown:?}; GET /docs lists them")))
}

/// The list of the guides.
#[utoipa::path(get, path = "/docs", operation_id = "guides", tag = "box", security(()), responses((status = 200, body = String, content_type = "text/html")))]
pub(super) async fn index() -> Response {
    page(docs::index())
}

/// A guide as a page; `style.css` is how they look.
#[utoipa::path(get, path = "/docs/{name}", operation_id = "guide", tag = "box", security(()), params(("name" = String, Path, description = "Its name, with .md or without")),
    responses((status = 200, body = String, content_type = "text/html"), (status = 404, description = "`guide-unknown`; a page to whoever accepts text/html")))]
pub(super) async fn show(Path(name): Path<String>, headers: HeaderMap) -> Result<Response, Refusal> {
    if name == "style.css" {
        return Ok(([(CONTENT_TYPE, "text/css"), (CACHE_CONTROL, "no-cache")], docs::STYLE).into_response());
    }
    guide(&name, &headers)
}

/// A guide about a plug-in.
#[utoipa::path(get, path = "/docs/plugins/{name}", operation_id = "plugin_guide", tag = "box", security(()), params(("name" = String, Path, description = "Its name, with .md or without")),
    responses((status = 200, body = String, content_type = "text/html"), (status = 404, description = "`guide-unknown`; a page to whoever accepts text/html")))]
pub(super) async fn of_plugin(Path(name): Path<String>, headers: HeaderMap) -> Result<Response, Refusal> {
    guide(&format!("plugins/{name}"), &headers)
}
