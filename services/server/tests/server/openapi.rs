//! The OpenAPI document: fresh, complete, a valid one, and true: every route in it is asked, and what comes back is
//! one of the answers that it documents, in the documented shape.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use http::Method;
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::box_::Box_;
use crate::client::{Answer, Client, PATIENCE};

fn document() -> Value {
    serde_json::to_value(server::http::openapi()).unwrap()
}

#[test]
fn the_checked_in_document_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(server::http::doc::CHECKED_IN);
    let fresh = format!("{}\n", serde_json::to_string_pretty(&document()).unwrap());
    if std::env::var_os("KILN_BLESS").is_some() {
        std::fs::write(&path, &fresh).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == fresh,
        "{} is stale: KILN_BLESS=1 cargo test -p server --test server openapi",
        path.display()
    );
}

#[test]
fn an_independent_validator_takes_the_document() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("openapi.json");
    std::fs::write(&path, document().to_string()).unwrap();
    let run = |args: &[&str]| Command::new("python3").args(args).arg(&path).output();
    let there = run(&["-c", "import openapi_spec_validator"]).is_ok_and(|output| output.status.success());
    if !there {
        writeln!(
            std::io::stderr(),
            "\nNOT RUN: the OpenAPI document by an independent validator: openapi_spec_validator (PyPI) is not here"
        )
        .unwrap();
        return;
    }
    let output = run(&["-m", "openapi_spec_validator"]).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// Router and document come from one list; a route made by hand beside it would be in neither this test nor the document.
#[test]
fn no_route_is_made_beside_the_documented_ones() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![sources];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            seen += text.matches(".routes(routes!(").count();
            // The list itself makes a route of each of its lines.
            let by_list = usize::from(path.ends_with("http/doc/routes.rs"));
            assert_eq!(text.matches(".route(").count(), by_list, "{}", path.display());
            for by_hand in [".route_service(", ".nest_service(", ".fallback_service("] {
                assert!(!text.contains(by_hand), "{} has {by_hand}", path.display());
            }
        }
    }
    assert!(seen > 30, "{seen} routes found");
}

struct Route {
    method: Method,
    path: String,
    operation: Value,
}

fn all_routes(document: &Value) -> Vec<Route> {
    let paths = document["paths"].as_object().unwrap();
    let routes = paths.iter().flat_map(|(path, item)| {
        item.as_object().unwrap().iter().map(|(method, operation)| Route {
            method: method.to_uppercase().parse().unwrap(),
            path: path.clone(),
            operation: operation.clone(),
        })
    });
    routes.collect()
}

/// A path with something in place of each parameter that names nothing here.
fn filled(path: &str) -> String {
    path.replace("{id}", "01990000-0000-7000-8000-000000000000")
        .replace("{name}", "nothing-of-that-name")
}

/// Sends a request; of a stream only the head is read.
async fn ask(client: &mut Client, route: &Route, body: Option<&str>) -> Answer {
    let path = filled(&route.path);
    let body = body.map(|text| ("application/json", bytes::Bytes::from(text.to_owned())));
    let answer = client.send(route.method.clone(), &path, body).await;
    let (parts, body) = answer.into_parts();
    let is_stream = parts
        .headers
        .get("content-type")
        .is_some_and(|kind| kind == "text/event-stream");
    let text = if is_stream {
        String::new()
    } else {
        let bytes = tokio::time::timeout(PATIENCE, body.collect())
            .await
            .unwrap()
            .unwrap()
            .to_bytes();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        text,
    }
}

/// That an answer is one of the documented, problems by their stable word too.
fn is_documented(route: &Route, answer: &Answer) {
    let at = format!("{} {} answered {}", route.method, route.path, answer.status);
    let documented = &route.operation["responses"][answer.status.to_string()];
    assert!(documented.is_object(), "{at}, which is not documented: {}", answer.text);
    if answer.status >= 400 && route.operation["operationId"] != "health" {
        let word = answer.problem();
        let words = documented["description"].as_str().unwrap();
        assert!(
            words.contains(&format!("`{word}`")),
            "{at} with {word}; documented: {words}"
        );
    }
}

#[tokio::test]
async fn every_route_answers_as_documented() {
    let document = document();
    let mut cases = Vec::new();
    let mut asked = 0;
    let read = Box_::claimed().await;
    for route in all_routes(&document) {
        // A box for each that may log out or take away.
        let own = match route.method {
            Method::GET => None,
            _ => Some(Box_::claimed().await),
        };
        let made = own.as_ref().unwrap_or(&read);
        let mut admin = made.admin().await;
        let mut nobody = made.client();
        let is_open = route.operation["security"] == json!([{}]);
        let by_token = route.operation["security"] == json!([{ "bearer": [] }]);
        let has_body = route.operation["requestBody"].is_object();

        let outside = ask(&mut nobody, &route, has_body.then_some("{}")).await;
        is_documented(&route, &outside);
        if !is_open && !by_token {
            assert_eq!(outside.status, 401, "{} {} needs a login", route.method, route.path);
        }
        for body in if has_body {
            vec![Some("{}"), Some("[1,"), Some("{\"x\":1}")]
        } else {
            vec![None]
        } {
            let answer = ask(&mut admin, &route, body).await;
            is_documented(&route, &answer);
            assert!(
                !answer.text.contains("\"not-found\""),
                "{} {} is no route",
                route.method,
                route.path
            );
            asked += 1;
            let content = &route.operation["responses"][answer.status.to_string()]["content"];
            for kind in ["application/json", "application/problem+json"] {
                let schema = &content[kind]["schema"];
                if schema.is_object() {
                    cases.push(
                        json!({ "name": format!("{} {}", route.method, route.path), "schema": schema, "value": answer.json(), "good": true }),
                    );
                }
            }
        }
    }
    assert!(asked > 40, "{asked} requests");
    validate(&document, &cases);
}

#[tokio::test]
async fn a_query_that_cannot_be_read_is_answered_as_documented() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let mut refused = 0;
    for route in all_routes(&document()) {
        if route.method != Method::GET {
            continue;
        }
        let parameters = route.operation["parameters"].as_array().cloned().unwrap_or_default();
        for parameter in parameters.iter().filter(|parameter| parameter["in"] == "query") {
            let name = parameter["name"].as_str().unwrap();
            let asked = Route {
                path: format!("{}?{name}=x%00", route.path),
                method: route.method.clone(),
                operation: route.operation.clone(),
            };
            let answer = ask(&mut admin, &asked, None).await;
            is_documented(&asked, &answer);
            refused += usize::from(answer.status == 400);
        }
    }
    assert!(refused > 10, "{refused} were refused");
}

/// What is small is typed, too: real answers of a login and of what is told to everybody, held to their schemas.
#[tokio::test]
async fn small_answers_have_a_schema_and_hold_to_it() {
    let document = document();
    let made = Box_::claimed().await;
    let mut client = made.client();
    let login = json!({ "username": "admin", "password": crate::box_::PASSWORD });
    let mut cases = Vec::new();
    let mut of = |method: &str, path: &str, answer: &Answer| {
        assert_eq!(answer.status, 200, "{method} {path}: {answer:?}");
        let schema = &document["paths"][path][method]["responses"]["200"]["content"]["application/json"]["schema"];
        assert!(schema["$ref"].is_string(), "{method} {path} has no type: {schema}");
        cases.push(
            json!({ "name": format!("{method} {path}"), "schema": schema, "value": answer.json(), "good": true }),
        );
    };
    for path in [
        "/health",
        "/api/v1/health",
        "/api/version",
        "/api/version/check",
        "/api/auth/status",
    ] {
        of("get", path, &client.get(path).await);
    }
    of("post", "/api/auth/login", &client.post("/api/auth/login", &login).await);
    for path in ["/api/auth/status", "/api/users/me", "/api/v1/session"] {
        of("get", path, &client.get(path).await);
    }
    of(
        "post",
        "/api/auth/logout",
        &client.post("/api/auth/logout", &json!({})).await,
    );
    of("post", "/api/v1/session", &client.post("/api/v1/session", &login).await);
    validate(&document, &cases);
}

fn validate(document: &Value, cases: &[Value]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wire/tests/validate.py");
    let not_run = |why: &str| {
        let told = format!("\nNOT RUN: answers by an independent validator: {why}\n");
        std::io::stderr().write_all(told.as_bytes()).unwrap();
    };
    let spawned = Command::new("python3")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut child) = spawned else {
        return not_run("python3 is not here");
    };
    let text = json!({ "components": document["components"], "cases": cases }).to_string();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    match output.status.code() {
        Some(3) => not_run(&told),
        _ => assert!(output.status.success(), "{told}"),
    }
}
