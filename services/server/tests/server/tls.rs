//! TLS as curl sees it, a program with its own idea of certificates: the same port takes both, pages move, programs stay.

use std::process::Command;

use crate::box_::Box_;

/// Status, headers and body of what curl got, or its exit code.
fn curl(arguments: &[&str]) -> Result<String, i32> {
    let out = Command::new("curl")
        .args(["--silent", "--include", "--max-time", "30", "--noproxy", "*"])
        .args(arguments)
        .output()
        .unwrap();
    match out.status.code() {
        Some(0) => Ok(String::from_utf8_lossy(&out.stdout).into_owned()),
        code => Err(code.unwrap_or(-1)),
    }
}

async fn at(dir: &std::path::Path) -> (Box_, u16, String) {
    let server = Box_::at(dir, None).await;
    let port = server.address.port();
    (server, port, dir.join("tls.crt").display().to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_port_answers_both_and_the_certificate_is_the_boxs() {
    let dir = tempfile::tempdir().unwrap();
    let (_server, port, cert) = at(dir.path()).await;
    let to = format!("kiln.local:{port}:127.0.0.1");
    let url = format!("https://kiln.local:{port}/health");
    let done = tokio::task::spawn_blocking(move || {
        let trusted = curl(&["--cacert", &cert, "--resolve", &to, &url]);
        let unknown = curl(&["--resolve", &to, &url]);
        let other_name = format!("bench.example:{port}:127.0.0.1");
        let wrong = curl(&[
            "--cacert",
            &cert,
            "--resolve",
            &other_name,
            &format!("https://bench.example:{port}/health"),
        ]);
        let plain = curl(&[&format!("http://127.0.0.1:{port}/health")]);
        let old = curl(&["--cacert", &cert, "--resolve", &to, "--tls-max", "1.1", &url]);
        (trusted, unknown, wrong, plain, old)
    });
    let (trusted, unknown, wrong, plain, old) = done.await.unwrap();
    assert!(trusted.unwrap().starts_with("HTTP/1.1 200"));
    assert_eq!(unknown, Err(60), "curl: the peer's certificate is not known");
    assert_eq!(wrong, Err(60), "curl: the certificate is for another name");
    assert!(plain.unwrap().starts_with("HTTP/1.1 200"));
    assert_eq!(old, Err(35), "curl: no TLS older than 1.2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_by_port_80_moves_and_the_cookie_of_tls_stays_there() {
    let dir = tempfile::tempdir().unwrap();
    let server = Box_::at(dir.path(), Some(("admin".into(), crate::box_::PASSWORD.into()))).await;
    let port = server.address.port();
    let login = serde_json::json!({ "username": "admin", "password": crate::box_::PASSWORD }).to_string();
    let done = tokio::task::spawn_blocking(move || {
        let page = format!("http://127.0.0.1:{port}/settings?x=1");
        let moved = curl(&["--header", "Host: 10.0.0.7", &page]).unwrap();
        let forwarded = curl(&[&page]).unwrap();
        let session = |scheme: &str| {
            let url = format!("{scheme}://127.0.0.1:{port}/api/v1/session");
            let kind = "Content-Type: application/json";
            curl(&[
                "--insecure",
                "--header",
                "Host: 10.0.0.7",
                "--header",
                kind,
                "--data",
                &login,
                &url,
            ])
            .unwrap()
        };
        (moved, forwarded, session("http"), session("https"))
    });
    let (moved, forwarded, http, https) = done.await.unwrap();
    assert!(moved.starts_with("HTTP/1.1 307"), "{moved}");
    assert!(moved.contains("location: https://10.0.0.7/settings?x=1"), "{moved}");
    assert!(
        forwarded.starts_with("HTTP/1.1 200"),
        "a forwarded port is left alone: {forwarded}"
    );
    assert!(http.contains("kiln_session=") && !http.contains("; Secure"), "{http}");
    assert!(https.contains("set-cookie: __Host-kiln_session="), "{https}");
    assert!(
        https.contains("; Path=/;") && https.contains("; Secure") && !https.contains("Domain"),
        "{https}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_neither_harms_nobody() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let dir = tempfile::tempdir().unwrap();
    let (server, ..) = at(dir.path()).await;
    for bytes in [&b"\x16"[..], b"\x16\x03\x01\x00\x05hello", b"\x00\xff\xff", b"", b"GET"] {
        let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer).await);
    }
    assert_eq!(server.client().get("/health").await.status, 200);
}

#[tokio::test]
async fn the_certificate_is_told_to_whoever_is_logged_in() {
    let server = Box_::claimed().await;
    let told = server.admin().await.get("/api/v1/tls").await.json();
    assert_eq!(told["fingerprint"].as_str().unwrap().len(), 95, "{told}");
    assert_eq!(told["by_tls"], false);
    let time = |key: &str| told[key].as_str().unwrap().parse::<wire::Time>().unwrap();
    let now = server.app.clock.now().wall;
    assert!(time("begins") < now && now < time("ends"), "{told}");
    assert_eq!(server.client().get("/api/v1/tls").await.status, 401);
}

/// A browser lets no cookie of plain HTTP take the place of one of TLS, whatever the port; curl neither.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_in_clear_after_one_by_tls_is_one() {
    let server = Box_::claimed().await;
    let port = server.address.port();
    let jar = tempfile::tempdir().unwrap();
    let jar = jar.path().join("jar").display().to_string();
    let login = serde_json::json!({ "username": "admin", "password": crate::box_::PASSWORD }).to_string();
    let done = tokio::task::spawn_blocking(move || {
        let session = |scheme: &str, more: &[&str]| {
            let url = format!("{scheme}://127.0.0.1:{port}/api/v1/session");
            // In curl's eyes 127.0.0.1 is as good as TLS.
            let mut arguments = vec![
                "--insecure",
                "--cookie",
                &jar,
                "--cookie-jar",
                &jar,
                "--header",
                "Host: 10.0.0.7",
            ];
            arguments.extend(["--header", "X-Requested-With: XMLHttpRequest"]);
            arguments.extend(more);
            arguments.push(&url);
            curl(&arguments)
                .unwrap()
                .split(' ')
                .nth(1)
                .unwrap_or_default()
                .to_owned()
        };
        let log_in = ["--header", "Content-Type: application/json", "--data", &login];
        let log_out = ["--request", "DELETE"];
        [
            session("https", &log_in),
            session("https", &[]),
            session("http", &[]),
            session("http", &log_in),
            session("http", &[]),
            session("https", &[]),
            // The one of TLS stays where the one in clear ends.
            session("http", &log_out),
            session("http", &[]),
            session("https", &[]),
            // By TLS both are sent, and neither keeps anybody in.
            session("http", &log_in),
            session("https", &log_out),
            session("https", &[]),
            session("http", &[]),
        ]
    });
    let want = [
        "200", "200", "401", "200", "200", "200", "204", "401", "200", "200", "204", "401", "401",
    ];
    assert_eq!(done.await.unwrap(), want);
}
