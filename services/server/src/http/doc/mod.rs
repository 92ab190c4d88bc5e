//! The OpenAPI document, made from the handlers that the router is made of.
//!
//! Each handler says its path, body and answers in its `#[utoipa::path]`; what is true of all of them (who may ask,
//! which headers a browser has to send, what the front turns away) is added here, so that it stands in one place.
//! `services/wire/bindings/openapi.json` is this document, checked in; `tests/server/openapi.rs` keeps it fresh and
//! asks every route in it.

pub(super) mod routes;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use bytes::Bytes;
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    Components, ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Required, Response, ResponseBuilder,
};
use utoipa::{IntoResponses, PartialSchema};
use wire::Problem;

use crate::http::people::person::COOKIE_NAME;

/// Where the document is checked in, from this crate's folder.
pub const CHECKED_IN: &str = "../wire/bindings/openapi.json";

type Responses = BTreeMap<String, RefOr<Response>>;

/// An answer that is a problem, with its stable words and what they mean; [`finish`] says of what form.
fn problem(words: &str) -> RefOr<Response> {
    RefOr::T(ResponseBuilder::new().description(words).build())
}

/// The form of a problem.
fn is_problem(response: &mut Response) {
    let content = ContentBuilder::new()
        .schema(Some(RefOr::Ref(Ref::from_schema_name("Problem"))))
        .build();
    response
        .content
        .insert("application/problem+json".to_owned(), RefOr::T(content));
}

macro_rules! problems {
    ($($(#[$doc:meta])* $name:ident { $($status:literal: $words:literal),* $(,)? })*) => { $(
        $(#[$doc])*
        pub(in crate::http) struct $name;
        impl IntoResponses for $name {
            fn responses() -> Responses {
                Responses::from([$(($status.to_owned(), problem($words))),*])
            }
        }
    )* };
}

problems! {
    /// For those who are logged in.
    LoggedIn { "401": "`not-logged-in`: there is no session, or it has ended" }
    /// A JSON body is read.
    Body {
        "400": "`bad-json`, `bad-body`: the body is not what is expected; the detail names the field",
        "408": "`slow`: the body did not arrive within 30 s",
        "413": "`too-long`: the body has more than 1 MiB",
        "415": "`not-json`: Content-Type is not JSON",
    }
    /// The burn-in agent is asked; it refuses in its own words too.
    Agent {
        "409": "Refused by the agent as things are: `drive-refused`, `drive-busy`, `drive-changed`, `plan-changed`, `job-over`, `playbook-built-in` and the like; or `not-claimed`: nobody owns the box yet",
        "422": "Refused by the agent for what was asked: `playbook-unknown`, `playbook-bad`, `options-bad` and the like; the detail names what is wrong and what is expected",
        "502": "`agent-odd`: server and agent are of different versions",
        "503": "`agent-away`, `busy`, `store`: the agent or the medium cannot be used now",
        "504": "`agent-late`, `agent-unsure`: the agent did not answer in time, or was gone before it answered; it may have done it, so look before trying again",
    }
    /// The medium is read or written.
    Stored { "503": "`store`: the medium failed; `busy`: too many bytes of requests are in hand" }
    /// A backup is made or put back, and the agent's part with it.
    Both {
        "502": "`agent-odd`: server and agent are of different versions",
        "503": "`agent-away`, `agent-busy`: the agent cannot be asked for its part, or given it, now; `store`: the medium failed; `busy`: another backup is being made, brought or put back, or too many bytes of requests are in hand",
        "504": "`agent-late`, `agent-unsure`: the agent did not answer in time, or was gone before it answered; it may have done it, so look before trying again",
    }
    /// The supervisor does it.
    Supervised { "503": "`no-supervisor`: this server does not run in a box, or its supervisor is away; `busy`: the supervisor does not listen just now; `store`: the medium failed" }
    /// The path names a job.
    OfJob { "404": "`job-unknown`: there is no such job" }
    /// The path names a plan.
    OfPlan {
        "404": "`plan-unknown`: there is no such plan, or it is somebody else's",
        "410": "`plan-expired`: its two minutes are over; nothing was written",
    }
    /// The path names an alert channel.
    OfChannel {
        "404": "`service-unknown`, `group-unknown`: there is no such alert channel or group",
        "409": "`locked`: the channel is set in kiln.toml, and can only be switched on again where it switched itself off; `changed-since`: it has been changed since `updated_at`; `too-many`: there are as many as there may be",
        "422": "`bad-setting`, `bad-url`: the detail names the field or the part of the URL, and what is expected",
    }
    /// The path names an add-on.
    OfAddon { "404": "`addon-unknown`: there is no such add-on" }
    /// A password or a secret is checked.
    Tries { "429": "`too-many-tries`, `too-often`: wait for the seconds in Retry-After" }
}

/// The document before any route is in it.
pub(in crate::http) fn begin() -> OpenApi {
    let mut components = Components::new();
    components.schemas.insert("Problem".to_owned(), Problem::schema());
    components.add_security_scheme(
        "session",
        SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description(
            COOKIE_NAME,
            "Set by POST /api/v1/session or /api/v1/claim; good for 24 h. By TLS it is `__Host-kiln_session`. POST /api/auth/login sets it as `session`, too",
        ))),
    );
    components.add_security_scheme(
        "bearer",
        SecurityScheme::Http(
            HttpBuilder::new()
                .scheme(HttpAuthScheme::Bearer)
                .description(Some("The value of the session's cookie, or an add-on's token"))
                .build(),
        ),
    );
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Kiln")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(
                    "One box that burns drives in. Times are RFC 3339 in UTC, sizes are bytes, LBAs count the drive's \
                     logical sectors. Every refusal is application/problem+json with a stable word in `type`, \
                     and with what is for people in one line in `error`.",
                ))
                .build(),
        )
        .components(Some(components))
        .security(Some([
            SecurityRequirement::new("session", Vec::<String>::new()),
            SecurityRequirement::new("bearer", Vec::<String>::new()),
        ]))
        .build()
}

fn operations(item: &mut PathItem) -> [(&'static str, &mut Option<Operation>); 4] {
    [
        ("get", &mut item.get),
        ("post", &mut item.post),
        ("put", &mut item.put),
        ("delete", &mut item.delete),
    ]
}

/// What the front does to every request.
const FRONT: &str = "`host-refused`: Host names another box; `origin-refused`: asked by another site's page; `csrf`: by cookie and \
    without X-Requested-With";

/// Adds what is true of every operation.
pub(in crate::http) fn finish(mut doc: OpenApi) -> OpenApi {
    for item in doc.paths.paths.values_mut() {
        for (method, operation) in operations(item) {
            let Some(operation) = operation else { continue };
            let refused = match operation.responses.responses.get("403") {
                Some(RefOr::T(own)) => format!("{}; {FRONT}", own.description),
                _ => FRONT.to_owned(),
            };
            operation
                .responses
                .responses
                .insert("403".to_owned(), problem(&refused));
            for (status, response) in &mut operation.responses.responses {
                match response {
                    RefOr::T(response) if status.starts_with(['4', '5']) && response.content.is_empty() => {
                        is_problem(response);
                    }
                    // OpenAPI wants one, and what was asked for needs no words.
                    RefOr::T(response) if response.description.is_empty() => {
                        "As asked".clone_into(&mut response.description);
                    }
                    RefOr::T(_) | RefOr::Ref(_) => {}
                }
            }
            if let Some(RefOr::T(limited)) = operation.responses.responses.get_mut("429") {
                let seconds = ObjectBuilder::new()
                    .schema_type(SchemaType::Type(Type::Integer))
                    .build();
                limited.headers.insert(
                    "Retry-After".to_owned(),
                    RefOr::T(
                        HeaderBuilder::new()
                            .schema(Some(seconds))
                            .description(Some("Seconds"))
                            .build(),
                    ),
                );
            }
            if method != "get" {
                let header = ParameterBuilder::new()
                    .name("X-Requested-With")
                    .parameter_in(ParameterIn::Header)
                    .required(Required::False)
                    .description(Some("`XMLHttpRequest`; needed where the session goes by cookie"))
                    .schema(Some(String::schema()))
                    .build();
                operation.parameters.get_or_insert_default().push(RefOr::T(header));
            }
        }
    }
    doc
}

/// The document as it is sent: made once, for anybody may ask for it as often as they like.
static TEXT: LazyLock<Bytes> = LazyLock::new(|| {
    let text = serde_json::to_vec(&crate::http::openapi());
    text.expect("a document of texts, numbers and lists is JSON").into()
});

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "box", security(()), responses((status = 200, body = serde_json::Value)))]
pub async fn openapi_json() -> ([(http::HeaderName, HeaderValue); 1], Bytes) {
    let kind = HeaderValue::from_static("application/json");
    ([(CONTENT_TYPE, kind)], TEXT.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_asks_again_and_again_is_given_the_same_bytes() {
        let (_, first) = openapi_json().await;
        let (kind, again) = openapi_json().await;
        assert_eq!(first.as_ptr(), again.as_ptr());
        assert!(
            first.len() > 100_000 && first.starts_with(b"{"),
            "{} bytes",
            first.len()
        );
        assert_eq!(kind[0].1, "application/json");
    }
}
