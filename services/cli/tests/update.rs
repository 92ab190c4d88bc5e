//! `kiln update` against a played box that is out of reach for a while. (Against the real server and writer: `tests/boot`.)
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "tests")]

mod common;

use std::net::SocketAddr;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use bundle::{CHUNK, Head, Key, Manifest};
use common::played;
use serde_json::{Value, json};

/// A bundle, and where its chunks begin.
fn update() -> (Vec<u8>, Vec<Value>) {
    let large = vec![7; CHUNK as usize + 10];
    let files: [(&str, &[u8]); 5] = [
        ("initrd", &large),
        ("manifest.json", b"2"),
        ("manifest.sig", b"3"),
        ("system.erofs", b"4"),
        ("vmlinuz", b"5"),
    ];
    let manifest = Manifest::new(("b", "a"), ("2.0", "0"), 1, &files).unwrap();
    let head = Head::sign(manifest.clone(), Vec::new(), &[&Key::from_seed(&[5; 32])]).bytes();
    let chunks = manifest
        .chunks()
        .enumerate()
        .map(|(n, c)| json!({ "number": n, "offset": head.len() as u64 + c.offset, "len": c.len }))
        .collect();
    let all = files.iter().fold(head, |all, (_, bytes)| [&all, *bytes].concat());
    (all, chunks)
}

fn kiln_update(address: SocketAddr, from: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kiln"))
        .args(["update", from, "--box", &format!("http://{address}")])
        .env("KILN_PASSWORD", "a password")
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

#[test]
fn a_box_that_is_out_of_reach_for_a_while_gets_its_update_all_the_same() {
    let (all, chunks) = update();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x.kiln");
    std::fs::write(&file, all).unwrap();
    let came = Arc::<Mutex<Vec<usize>>>::default();
    let has = Arc::clone(&came);
    // Breaks at the second chunk, and at the next two heads.
    let mut breaks = 3;
    let address = played(move |asked| {
        let mut has = has.lock().unwrap();
        let out_of_reach = !has.is_empty() && breaks > 0 && !asked.contains("login");
        if out_of_reach {
            breaks -= 1;
            return None;
        }
        if let Some(number) = asked.strip_prefix("PUT /api/v1/update/chunks/") {
            has.push(number.parse().unwrap());
        }
        let need: Vec<&Value> = chunks
            .iter()
            .filter(|c| !has.iter().any(|n| c["number"] == *n))
            .collect();
        Some(match asked.rsplit('/').next().unwrap() {
            "login" => json!({ "token": "t" }),
            "finish" => json!({ "slot": "b", "version": "2.0" }),
            begin if begin.starts_with("begin") => {
                json!({ "version": "2.0", "slot": "b", "chunks": chunks.len(), "found": has.len(), "copied": 0, "need": need })
            }
            _ => Value::Null,
        })
    });
    let done = kiln_update(address, file.to_str().unwrap());
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    assert!(
        said(&done).contains("version 2.0 is written to slot b"),
        "{}",
        said(&done)
    );
    assert_eq!(*came.lock().unwrap(), [0, 1, 2, 3, 4, 5], "each once");

    let away = played(|asked| asked.contains("login").then(|| json!({ "token": "t" })));
    let done = kiln_update(away, file.to_str().unwrap());
    assert_eq!(done.status.code(), Some(1), "nothing had begun: {}", said(&done));
    assert!(!said(&done).contains("once more"), "{}", said(&done));
}

#[test]
fn a_look_that_fails_while_the_box_fetches_ends_nothing_and_a_box_that_started_again_is_told() {
    const URL: &str = "http://192.0.2.1/x.kiln";
    let state = |download: Value| {
        let last =
            json!({ "at": "2026-11-23T00:00:00Z", "version": "2.0", "slot": "b", "outcome": "written", "text": "" });
        json!({ "view": { "slots": [], "last": last }, "download": download })
    };
    let whose = |url: &str, running: bool| json!({ "url": url, "running": running, "error": null });
    for (looks, code, word) in [
        (
            vec![Some(whose(URL, true)), None, Some(whose(URL, false))],
            0,
            "version 2.0 is written to slot b",
        ),
        (vec![Some(Value::Null)], 1, "has started again"),
        (vec![Some(whose("http://192.0.2.2/y", true))], 1, "somebody else"),
    ] {
        let mut looks = looks.into_iter();
        let address = played(move |asked| match asked {
            "GET /api/v1/update" => looks.next().unwrap().map(state),
            "POST /api/v1/update" => Some(json!({ "told": "It is being fetched" })),
            _ => Some(json!({ "token": "t" })),
        });
        let done = kiln_update(address, URL);
        assert_eq!(done.status.code(), Some(code), "{}", said(&done));
        assert!(said(&done).contains(word), "{word}: {}", said(&done));
    }
}

#[test]
fn a_file_that_is_damaged_anywhere_is_told_before_a_box_is_asked() {
    let (all, chunks) = update();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x.kiln");
    let address = played(|asked| panic!("{asked}"));
    for (n, chunk) in chunks.iter().enumerate() {
        let mut damaged = all.clone();
        damaged[usize::try_from(chunk["offset"].as_u64().unwrap()).unwrap()] ^= 1;
        std::fs::write(&file, damaged).unwrap();
        let done = kiln_update(address, file.to_str().unwrap());
        assert_eq!(done.status.code(), Some(1), "{n}: {}", said(&done));
        assert!(
            said(&done).contains("not the ones that were signed"),
            "{n}: {}",
            said(&done)
        );
    }
}

/// It is done all the same, and a script that reads the answer has to know that it has none.
#[test]
fn what_was_done_and_could_not_be_told_is_64() {
    let address = played(|asked| {
        Some(match asked.ends_with("login") {
            true => json!({ "token": "t" }),
            false => Value::Null,
        })
    });
    let mut kiln = Command::new(env!("CARGO_BIN_EXE_kiln"));
    kiln.args(["update", "--back", "--box", &format!("http://{address}")]);
    kiln.env("KILN_PASSWORD", "a password");
    let output = kiln
        .stdout(std::fs::File::options().write(true).open("/dev/full").unwrap())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(64), "{}", said(&output));
    assert!(said(&output).contains("the box restarts with its other system; but the result could not be written"));
}
