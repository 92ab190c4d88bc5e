//! The dashboard's files, embedded into the binary, and how they are answered.
//!
//! Every place of the page is the same `index.html`; a path that names no place gets it with status 404, so that people
//! see the page's own "nothing is here" and programs see the truth. Files under `/assets/` carry a hash in their name and
//! may be kept for ever; the rest is asked for again with its ETag. Compressed bytes are made at build time (`vite.config.ts`).
//! A debug build reads `web/dist` at run time instead. Tested here, and in a browser by `web/e2e`.

use std::borrow::Cow;

use axum::body::Body;
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Response, StatusCode, Uri};
use rust_embed::{EmbeddedFile, RustEmbed};

#[derive(RustEmbed)]
#[folder = "web/dist"]
struct Dist;

/// What the page may load, and that nobody may frame it.
///
/// Styles set by script are allowed by themselves; nothing inline is.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Answers every path that is not the API's; meant as the router's fallback.
pub async fn page(method: Method, uri: Uri, headers: HeaderMap) -> Response<Body> {
    if method != Method::GET && method != Method::HEAD {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "this path is only read");
    }
    let gzip = header_has(&headers, header::ACCEPT_ENCODING, "gzip");
    let found = resolve(uri.path());
    let Some((file, compressed)) = fetch(found.file, gzip) else {
        return plain(StatusCode::NOT_FOUND, "not found");
    };
    let etag = format!(
        "\"{}{}\"",
        hex::encode(&file.metadata.sha256_hash()[..12]),
        if compressed { "-gz" } else { "" }
    );
    let fresh = headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|known| known.as_bytes() == etag.as_bytes());
    let status = if fresh && found.status == StatusCode::OK {
        StatusCode::NOT_MODIFIED
    } else {
        found.status
    };
    let body = if status == StatusCode::NOT_MODIFIED || method == Method::HEAD {
        Body::empty()
    } else {
        Body::from(bytes(file.data))
    };
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    let out = answer.headers_mut();
    out.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(found.file)));
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static(found.cache));
    out.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if compressed {
        out.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    if let Ok(value) = HeaderValue::from_str(&etag) {
        out.insert(header::ETAG, value);
    }
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        out.insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// A path's file and how it is answered.
#[derive(Debug, PartialEq, Eq)]
struct Found<'a> {
    file: &'a str,
    status: StatusCode,
    cache: &'static str,
}

/// Which file answers a path. Pure, but for looking whether the file was embedded.
fn resolve(path: &str) -> Found<'_> {
    let name = match path.trim_start_matches('/') {
        // Browsers ask for it by themselves where an answer names no picture, as JSON does.
        "favicon.ico" => "kiln.svg",
        name => name,
    };
    if !name.is_empty() && name != "index.html" && !name.ends_with(".gz") && Dist::get(name).is_some() {
        let cache = if name.starts_with("assets/") {
            "public, max-age=31536000, immutable"
        } else {
            "no-cache"
        };
        return Found {
            file: name,
            status: StatusCode::OK,
            cache,
        };
    }
    let status = if is_place(path) {
        StatusCode::OK
    } else {
        StatusCode::NOT_FOUND
    };
    Found {
        file: "index.html",
        status,
        cache: "no-cache",
    }
}

/// Whether the dashboard has a place of this path; `src/route.ts` has the same list.
fn is_place(path: &str) -> bool {
    match path.split('/').skip(1).collect::<Vec<_>>().as_slice() {
        [
            "" | "burn" | "events" | "playbooks" | "certificates" | "verify" | "addons" | "settings" | "wall"
            | "index.html",
        ] => true,
        ["drives" | "jobs" | "playbooks" | "settings", id] => !id.is_empty(),
        ["addons", id] | ["addons", id, _] => !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()),
        _ => false,
    }
}

fn fetch(name: &str, gzip: bool) -> Option<(EmbeddedFile, bool)> {
    let compressed = gzip.then(|| Dist::get(&format!("{name}.gz"))).flatten();
    compressed
        .map(|file| (file, true))
        .or_else(|| Dist::get(name).map(|file| (file, false)))
}

/// A file's bytes; those that are embedded stay where they are, however many read them slowly.
fn bytes(data: Cow<'static, [u8]>) -> Bytes {
    match data {
        Cow::Borrowed(embedded) => Bytes::from_static(embedded),
        Cow::Owned(read) => read.into(),
    }
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("json") => "application/json",
        _ => "application/octet-stream",
    }
}

/// Whether a comma-separated header names a word, and not with `q=0`.
fn header_has(headers: &HeaderMap, name: header::HeaderName, word: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|part| {
            let mut pieces = part.split(';').map(str::trim);
            let named = pieces.next().is_some_and(|first| first.eq_ignore_ascii_case(word));
            named && !pieces.any(|q| matches!(q, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
        })
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut answer = Response::new(Body::from(text));
    *answer.status_mut() = status;
    answer.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    answer
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::io::Read;

    use super::*;

    async fn get(path: &str, headers: &[(header::HeaderName, &str)]) -> (Response<()>, Vec<u8>) {
        let map = headers
            .iter()
            .map(|(name, value)| (name.clone(), value.parse().unwrap()))
            .collect();
        let (parts, body) = page(Method::GET, path.parse().unwrap(), map).await.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        (Response::from_parts(parts, ()), bytes.to_vec())
    }

    #[tokio::test]
    async fn every_place_is_the_page_and_nowhere_is_told() {
        for (path, status) in [
            ("/", 200),
            ("/events", 200),
            ("/burn", 200),
            ("/playbooks", 200),
            ("/playbooks/+", 200),
            ("/certificates", 200),
            ("/verify", 200),
            ("/jobs/0199", 200),
            ("/drives/sn-A-B-1", 200),
            ("/addons", 200),
            ("/addons/12", 200),
            ("/addons/12/main", 200),
            ("/settings", 200),
            ("/settings/alerts", 200),
            ("/wall", 200),
            ("/addons/x", 404),
            ("/addons/12/main/more", 404),
            ("/jobs/", 404),
            ("/jobs/1/2", 404),
            ("/wp-login.php", 404),
            ("/index.html.gz", 404),
            ("/../Cargo.toml", 404),
        ] {
            let (answer, body) = get(path, &[]).await;
            assert_eq!(answer.status(), status, "{path}");
            assert!(String::from_utf8(body).unwrap().contains("<div id=\"app\">"), "{path}");
            assert!(
                answer.headers()[header::CONTENT_SECURITY_POLICY]
                    .to_str()
                    .unwrap()
                    .contains("frame-ancestors 'none'")
            );
        }
    }

    #[tokio::test]
    async fn the_picture_that_browsers_ask_for_by_themselves_is_the_pages() {
        let (answer, body) = get("/favicon.ico", &[]).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "image/svg+xml");
        assert_eq!(body, get("/kiln.svg", &[]).await.1);
    }

    #[tokio::test]
    async fn compressed_bytes_are_the_same_file_and_an_etag_saves_them() {
        let (plain, body) = get("/", &[]).await;
        assert!(!plain.headers().contains_key(header::CONTENT_ENCODING));
        let (packed, bytes) = get("/", &[(header::ACCEPT_ENCODING, "br, gzip;q=0.8")]).await;
        assert_eq!(packed.headers()[header::CONTENT_ENCODING], "gzip");
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(bytes.as_slice())
            .read_to_end(&mut unpacked)
            .unwrap();
        assert_eq!(unpacked, body);
        let etag = packed.headers()[header::ETAG].to_str().unwrap().to_owned();
        assert_ne!(plain.headers()[header::ETAG], etag.as_str());
        let (again, nothing) = get(
            "/",
            &[(header::ACCEPT_ENCODING, "gzip"), (header::IF_NONE_MATCH, &etag)],
        )
        .await;
        assert_eq!((again.status(), nothing.len()), (StatusCode::NOT_MODIFIED, 0));
        let (refused, _) = get("/", &[(header::ACCEPT_ENCODING, "gzip;q=0")]).await;
        assert!(!refused.headers().contains_key(header::CONTENT_ENCODING));
    }

    #[tokio::test]
    async fn scripts_are_kept_for_ever_and_the_page_is_not() {
        let script = Dist::iter()
            .find(|name| name.starts_with("assets/") && name.ends_with(".js"))
            .unwrap();
        let (answer, _) = get(&format!("/{script}"), &[]).await;
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/javascript; charset=utf-8");
        assert!(
            answer.headers()[header::CACHE_CONTROL]
                .to_str()
                .unwrap()
                .contains("immutable")
        );
        let (answer, _) = get("/", &[]).await;
        assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-cache");
    }

    #[test]
    fn what_is_embedded_is_not_copied() {
        static EMBEDDED: &[u8] = b"page";
        assert_eq!(bytes(Cow::Borrowed(EMBEDDED)).as_ptr(), EMBEDDED.as_ptr());
        assert_eq!(bytes(Cow::Owned(b"page".to_vec())), EMBEDDED);
    }

    #[tokio::test]
    async fn only_reading_is_done_here() {
        let answer = page(Method::POST, "/".parse().unwrap(), HeaderMap::new()).await;
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
}
