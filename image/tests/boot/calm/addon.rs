//! Another add-on than the agent: what it sends reaches no drive.
//!
//! The agent listens on nothing. It takes commands over the connection that it makes itself, so whoever wants to command it
//! from elsewhere must get the server to pass his frames on, or be taken for the agent. Both are tried here.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};
use wire::command::{Answer, Call, CallOutcome, Command, Reply};
use wire::event::NewEvent;
use wire::frame::Frame;

use super::{KEPT, calm, untouched};
use crate::bench::Bench;

/// Longest wait for the server's answer.
const ANSWER: Duration = Duration::from_secs(30);

/// Opens an add-on's WebSocket; the status of the answer, and the socket when it was 101.
fn connect(address: SocketAddr, addon: u64, token: &str) -> (u16, TcpStream) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(ANSWER)).unwrap();
    let head = format!(
        "GET /api/addons/ws?addon_id={addon} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let mut byte = [0];
    while !answer.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
        answer.push(byte[0]);
    }
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text.split(' ').nth(1).and_then(|s| s.parse().ok());
    (status.unwrap_or_else(|| panic!("no answer: {text:?}")), stream)
}

/// One text frame, masked with zeroes (RFC 6455, §5.2). Whether the server still takes any.
fn send(stream: &mut TcpStream, text: &str) -> bool {
    let length = u16::try_from(text.len()).unwrap();
    let mut bytes = vec![0x81, 0x80 | 0x7e];
    bytes.extend(length.to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend(text.as_bytes());
    stream.write_all(&bytes).is_ok()
}

/// Registers an add-on as its owner does; its number and token.
fn registered(bench: &Bench) -> (u64, String) {
    let json = |method, path: &str, body: &Value| -> Value {
        let answer = bench.call_at(method, path, Some(body)).unwrap();
        assert_eq!(answer.status / 100, 2, "{method} {path}: {}", answer.text());
        serde_json::from_str(&answer.text()).unwrap()
    };
    let token = json("POST", "/api/addons/tokens", &json!({ "name": "intruder" }));
    let token = token["token"].as_str().unwrap().to_owned();
    let body = json!({ "name": "intruder", "url": "", "token": token });
    let made = json("POST", "/api/addons/register", &body);
    (made["addon"]["id"].as_u64().unwrap(), token)
}

#[test]
fn a_wrong_token_and_the_token_of_another_addon_are_not_the_agents() {
    calm(|it| {
        let address = it.vm.address();
        assert_eq!(connect(address, 1, &"0".repeat(64)).0, 401);
        assert_eq!(connect(address, 1, "").0, 401);
        let (_, token) = registered(&it.bench);
        assert_eq!(connect(address, 1, &token).0, 401, "another add-on's token");
        assert_eq!(it.bench.status().agent.state, wire::boxes::Liveness::Online);
    });
}

#[test]
fn frames_that_another_addon_forges_start_nothing_and_change_nothing() {
    calm(|it| {
        let bench = &it.bench;
        let (addon, token) = registered(bench);
        let (status, mut stream) = connect(it.vm.address(), addon, &token);
        assert_eq!(status, 101);
        let plan = bench.plan(&[bench.offered(KEPT).id.unwrap()], "surface").unwrap();
        let armed = bench.arm(&plan).unwrap();
        // A real ticket of a person, for a drive that is there: only the way it comes is wrong.
        let command = Command::Start(armed.clone());
        let mut drive = bench.offered(KEPT);
        drive.serial = "FORGED99".into();
        let event: NewEvent = serde_json::from_value(
            json!({ "type": "job.passed", "severity": "info", "message": "forged", "data": {}, "drive": plan.drives[0].id }),
        )
        .unwrap();
        let id = String::from("1");
        let outcome = CallOutcome::Ok(Answer::Started { jobs: Vec::new() });
        let forged = [
            Frame::Command(Call {
                id: id.clone(),
                command,
            }),
            Frame::Drives(vec![drive]),
            Frame::Event(event),
            Frame::Result(Reply { id, outcome }),
        ];
        let taken = forged
            .iter()
            .take_while(|frame| send(&mut stream, &frame.encode()))
            .count();
        println!("{taken} of {} frames were sent before the server hung up", forged.len());
        // A request after them has been served after them.
        std::thread::sleep(Duration::from_secs(2));
        assert!(bench.jobs().is_empty(), "{:#?}", bench.jobs());
        let serials: Vec<String> = bench.drives().into_iter().map(|d| d.serial).collect();
        assert!(
            serials.iter().any(|s| s == KEPT) && !serials.iter().any(|s| s == "FORGED99"),
            "{serials:?}"
        );
        assert!(
            !bench
                .events()
                .iter()
                .any(|e| e.kind == "job.passed" || e.kind == "job.started")
        );
        assert!(untouched(&it.lab, KEPT));
        assert_eq!(bench.status().agent.state, wire::boxes::Liveness::Online);
    });
}
