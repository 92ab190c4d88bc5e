//! Mail to a real SMTP server (aiosmtpd), in plain words, with STARTTLS and with TLS from the start, with a login.
//!
//! Needs the Python package aiosmtpd and `openssl` (scripts/setup); says NOT RUN where they are missing.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use notify::provider::Fields;
use notify::send::{Attempt, Roots};
use notify::{Channel, Message, Sender};
use serde_json::Value;
use wire::Time;
use wire::event::Severity;

const SERVER: &str = r#"
import asyncio, json, ssl, sys
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
cert, key = sys.argv[1:3]
def tell(**what):
    print(json.dumps(what), flush=True)
class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"): return "550 5.1.1 No such user here"
        if address.startswith("later@"): return "451 4.7.1 Greylisted, try again later"
        envelope.rcpt_tos.append(address); return "250 OK"
    async def handle_DATA(self, server, session, envelope):
        tell(mail=envelope.content.decode(), to=envelope.rcpt_tos, sender=envelope.mail_from,
             tls=session.ssl is not None or server.transport.get_extra_info("sslcontext") is not None,
             login=session.auth_data.login.decode() if session.auth_data else None, helo=session.host_name)
        return "250 2.0.0 Queued as 42"
def check(server, session, envelope, mechanism, data):
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (b"kiln", "pässword".encode())
    return AuthResult(success=good, handled=False, auth_data=data)
async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); context.load_cert_chain(cert, key)
    loop = asyncio.get_running_loop()
    make = {
        "plain": (lambda: SMTP(Handler()), None),
        "starttls": (lambda: SMTP(Handler(), tls_context=context, require_starttls=True, authenticator=check, auth_required=True), None),
        "tls": (lambda: SMTP(Handler(), authenticator=check, auth_required=True, auth_require_tls=False), context),
    }
    ports = {}
    for name, (factory, tls) in make.items():
        server = await loop.create_server(factory, "127.0.0.1", 0, ssl=tls)
        ports[name] = server.sockets[0].getsockname()[1]
    tell(ports=ports)
    await asyncio.Event().wait()
asyncio.run(main())
"#;

/// The Python that scripts/setup has prepared, else the system's.
fn python() -> String {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.kiln/python/bin/python3");
    if own.exists() {
        own.display().to_string()
    } else {
        "python3".to_owned()
    }
}

struct Server {
    child: Child,
    lines: BufReader<ChildStdout>,
    ports: Value,
    dir: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _status = self.child.wait();
    }
}

impl Server {
    fn start() -> Option<Self> {
        let there = |program: &str, args: &[&str]| {
            let status = Command::new(program)
                .args(args)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            status.is_ok_and(|status| status.success())
        };
        if !there(&python(), &["-c", "import aiosmtpd"]) || !there("openssl", &["version"]) {
            // Not `eprintln!`, which is kept from whoever counts what was not run.
            let _ = writeln!(
                std::io::stderr(),
                "NOT RUN: aiosmtpd or openssl is missing; scripts/setup installs them"
            );
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
        let made = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-days",
                "2",
            ])
            .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
            // A CA certificate that is used as a server's own is refused by strict clients.
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&cert)
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(made.success());
        let mut child = Command::new(python())
            .args(["-W", "ignore", "-c", SERVER])
            .args([&cert, &key])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let ports = told(&mut lines)["ports"].clone();
        Some(Self {
            child,
            lines,
            ports,
            dir,
        })
    }

    fn fields(&self, how: &str, more: &[(&str, &str)]) -> Fields {
        let port = self.ports[how].to_string();
        let security = match how {
            "tls" => "ssl",
            "starttls" => "starttls",
            _ => "none",
        };
        let base = [
            ("host", "localhost"),
            ("port", port.as_str()),
            ("security", security),
            ("from", "Kiln Büro <kiln@example.org>"),
            ("to", "bench@example.org"),
        ];
        base.iter()
            .chain(more)
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    fn roots(&self) -> Roots {
        Roots::new(Some(&self.dir.path().join("cert.pem"))).unwrap()
    }
}

fn told(lines: &mut impl BufRead) -> Value {
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
}

fn message() -> Message {
    Message {
        id: "kiln-7-1".into(),
        title: "FAILED: WD80 …ABCD in bay 3".into(),
        body: "3 sectors could not be read.\n.\nA dot stood alone on the line before this one.".into(),
        severity: Severity::Critical,
        event_type: "job.failed".into(),
        time: Time::UNIX_EPOCH,
        host: "kiln".into(),
        serial: String::new(),
        link: None,
        event: None,
    }
}

async fn send(roots: Roots, fields: &Fields) -> Attempt {
    let channel = Channel::read("email", fields).unwrap();
    Sender::new(roots)
        .send(&channel, &message(), &BTreeSet::new(), Time::UNIX_EPOCH)
        .await
}

const LOGIN: [(&str, &str); 2] = [("username", "kiln"), ("password", "pässword")];

/// The mail as Python's own parser reads it.
fn parsed(mail: &str) -> Value {
    const READ: &str = r#"
import email, email.policy, json, sys
m = email.message_from_string(sys.stdin.read(), policy=email.policy.default)
json.dump({"subject": m["subject"], "from": m["from"], "to": m["to"], "cc": m["cc"], "id": m["message-id"],
           "auto": m["auto-submitted"], "importance": m["importance"], "mime": m["mime-version"], "date": m["date"], "body": m.get_content()}, sys.stdout)
"#;
    let mut child = Command::new(python())
        .args(["-c", READ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(mail.as_bytes()).unwrap();
    serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_arrives_as_it_was_meant_by_every_way() {
    let Some(mut server) = Server::start() else { return };
    for how in ["plain", "starttls", "tls"] {
        let login: &[(&str, &str)] = if how == "plain" { &[] } else { &LOGIN };
        let mut fields = server.fields(how, login);
        fields.insert("cc".into(), "Boss <boss@example.org>".into());
        let attempt = send(server.roots(), &fields).await;
        assert_eq!(attempt.failed, None, "{how}");
        assert!(attempt.answer.starts_with("250"), "{how}: {}", attempt.answer);
        let got = told(&mut server.lines);
        assert_eq!(
            got["to"],
            serde_json::json!(["bench@example.org", "boss@example.org"]),
            "{how}"
        );
        assert_eq!(got["sender"], "kiln@example.org");
        assert_eq!(got["tls"], how != "plain", "{how}");
        assert_eq!(
            got["login"],
            if how == "plain" { Value::Null } else { "kiln".into() },
            "{how}"
        );
        let mail = parsed(got["mail"].as_str().unwrap());
        assert_eq!(mail["subject"], "[Kiln] FAILED: WD80 …ABCD in bay 3");
        assert_eq!(mail["from"], "Kiln Büro <kiln@example.org>");
        assert_eq!(mail["cc"], "Boss <boss@example.org>");
        assert_eq!(mail["id"], "<kiln-7-1@example.org>");
        assert_eq!(
            (&mail["auto"], &mail["importance"]),
            (&"auto-generated".into(), &"high".into())
        );
        // Without it the transfer encoding counts for nothing (RFC 2045 §4).
        assert_eq!(mail["mime"], "1.0");
        assert!(mail["date"].is_string());
        let body = mail["body"].as_str().unwrap().replace("\r\n", "\n");
        assert!(
            body.contains("3 sectors could not be read.\n.\nA dot stood alone"),
            "{body}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recipient_who_is_refused_keeps_it_from_nobody_else() {
    let Some(mut server) = Server::start() else { return };
    let all = "bench@example.org, nobody@example.org, later@example.org";
    let fields = server.fields("plain", &[("to", all), ("cc", "boss@example.org")]);
    let channel = Channel::read("email", &fields).unwrap();
    let sender = Sender::new(server.roots());
    let first = sender
        .send(&channel, &message(), &BTreeSet::new(), Time::UNIX_EPOCH)
        .await;
    let got: Vec<Value> = (0..2).map(|_| told(&mut server.lines)["to"].clone()).collect();
    assert_eq!(
        got,
        [
            serde_json::json!(["bench@example.org"]),
            serde_json::json!(["boss@example.org"])
        ]
    );
    let done: Vec<&str> = first.done.iter().map(String::as_str).collect();
    assert_eq!(done, ["bench@example.org", "boss@example.org"]);
    // Who may get it later is worth another try, of which the others hear nothing.
    let failed = first.failed.unwrap();
    assert!(
        failed.retry && failed.words.starts_with("later@example.org: localhost:"),
        "{failed:?}"
    );
    let second = sender.send(&channel, &message(), &first.done, Time::UNIX_EPOCH).await;
    assert_eq!(second.done, first.done);
    assert!(second.failed.unwrap().retry);

    // A wrong password is nobody's own: it is tried once.
    let mut wrong = server.fields("tls", &[("username", "kiln"), ("password", "geheim"), ("to", all)]);
    wrong.insert("cc".into(), "boss@example.org".into());
    let failed = send(server.roots(), &wrong).await.failed.unwrap();
    assert!(
        failed.words.starts_with("localhost:") && failed.words.contains("535"),
        "{failed:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_wrong_is_told_in_the_servers_words() {
    let Some(server) = Server::start() else { return };
    let strangers = || Roots::new(None).unwrap();
    let cases: [(&str, Roots, Fields, &str, bool); 6] = [
        (
            "an unknown certificate",
            strangers(),
            server.fields("tls", &LOGIN),
            "certificate",
            true,
        ),
        (
            "an unknown certificate",
            strangers(),
            server.fields("starttls", &LOGIN),
            "certificate",
            true,
        ),
        (
            "a wrong password",
            server.roots(),
            server.fields("tls", &[("username", "kiln"), ("password", "geheim")]),
            "535",
            false,
        ),
        (
            "no such user",
            server.roots(),
            server.fields("plain", &[("to", "nobody@example.org")]),
            "No such user here",
            false,
        ),
        (
            "greylisting",
            server.roots(),
            server.fields("plain", &[("to", "later@example.org")]),
            "Greylisted",
            true,
        ),
        (
            "no STARTTLS",
            server.roots(),
            {
                let mut fields = server.fields("plain", &[]);
                fields.insert("security".into(), "starttls".into());
                fields
            },
            "",
            false,
        ),
    ];
    for (what, roots, fields, words, retry) in cases {
        let failed = send(roots, &fields)
            .await
            .failed
            .unwrap_or_else(|| panic!("{what} was sent"));
        assert!(
            failed.words.to_lowercase().contains(&words.to_lowercase()),
            "{what}: {failed:?}"
        );
        assert!(failed.words.starts_with("localhost:"), "{what}: {failed:?}");
        assert!(!failed.words.contains("geheim"));
        if !words.is_empty() {
            assert_eq!(failed.retry, retry, "{what}: {failed:?}");
        }
    }
    let mut lax = server.fields("tls", &LOGIN);
    lax.insert("insecure".into(), "true".into());
    assert_eq!(
        send(strangers(), &lax).await.failed,
        None,
        "the form says that any certificate will do"
    );
}

#[test]
fn a_file_without_certificates_is_named() {
    let error = Roots::new(Some(Path::new("/nowhere/ca.pem"))).unwrap_err().to_string();
    assert!(error.contains("/nowhere/ca.pem"), "{error}");
}
