//! The journal unit as it runs in the box: native datagrams and standard output in, the export socket out, and systemd's
//! own tools read what comes.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod lab;

use std::io::{Read, Write};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};

use lab::{Init, PATIENCE, service};
use wire::supervisor::UnitState;

const REMOTE: &str = "/lib/systemd/systemd-journal-remote";

#[test]
fn helper_notify() {
    lab::helper();
}

/// Nothing where the journal does not listen yet.
fn try_exported(init: &Init) -> Vec<u8> {
    if init.path("run/export.sock").exists() {
        exported(init)
    } else {
        Vec::new()
    }
}

fn exported(init: &Init) -> Vec<u8> {
    let mut s = UnixStream::connect(init.path("run/export.sock")).unwrap();
    s.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut bytes = Vec::new();
    s.read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn what_is_left_of_earlier_boots_is_given_before_and_after_pid_1_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("var/lib/kiln/journal");
    std::fs::create_dir_all(&state).unwrap();
    let earlier = "MESSAGE=of an earlier boot\n_BOOT_ID=0123\n\n";
    std::fs::write(state.join("current.export"), earlier).unwrap();
    let unit = format!(
        "exec = [{:?}, \"journal\"]\ntype = \"notify\"\nwatchdog_sec = 20\nlisten = [\n\
         {{ name = \"native\", datagram = \"/run/native.sock\" }},\n{{ name = \"stdout\", datagram = \"/run/stdout.sock\" }},\n\
         {{ name = \"remains\", stream = \"/run/remains.sock\" }} ]\nstate_directory = \"journal\"",
        env!("CARGO_BIN_EXE_kiln-init")
    );
    let mut init = Init::start_in(dir, &[("journal", &unit)]);
    init.wait_state("journal", UnitState::Ready);
    for when in ["before", "after"] {
        let mut s = UnixStream::connect(init.path("run/remains.sock")).unwrap();
        s.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut bytes = Vec::new();
        s.read_to_end(&mut bytes).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(
            text.starts_with("remains/remains.txt") && text.contains(earlier),
            "{when}: {text}"
        );
        if when == "before" {
            let answer = init.replace();
            assert!(answer.contains("\"kept\":\"state\""), "{answer}");
        }
    }
}

#[test]
fn what_a_process_writes_in_pieces_is_one_line() {
    let unit = format!(
        "exec = [{:?}, \"journal\"]\ntype = \"notify\"\nwatchdog_sec = 20\nlisten = [\n\
         {{ name = \"native\", datagram = \"/run/native.sock\" }},\n{{ name = \"stdout\", datagram = \"/run/kiln/stdout.sock\" }},\n\
         {{ name = \"export\", stream = \"/run/export.sock\" }} ]",
        env!("CARGO_BIN_EXE_kiln-init")
    );
    let pieces = service("pieces", "after = [\"journal\"]");
    let init = Init::start(&[("journal", &unit), ("p", &pieces), ("q", &pieces)]);
    init.until("both lines", || {
        let text = String::from_utf8_lossy(&try_exported(&init)).into_owned();
        // With its unit, which there is no cgroup to tell here.
        let of = |n: &str| format!("_KILN_UNIT={n}\nPRIORITY=6\nSYSLOG_IDENTIFIER={n}\nMESSAGE={n} a b c\n");
        ["p", "q"].iter().all(|n| text.contains(&of(n)))
    });
}

#[test]
fn what_goes_in_comes_out_in_a_format_that_systemds_tools_read() {
    let unit = format!(
        "exec = [{:?}, \"journal\"]\ntype = \"notify\"\nwatchdog_sec = 20\nlisten = [\n\
         {{ name = \"native\", datagram = \"/run/native.sock\" }},\n{{ name = \"stdout\", datagram = \"/run/stdout.sock\" }},\n\
         {{ name = \"export\", stream = \"/run/export.sock\" }} ]",
        env!("CARGO_BIN_EXE_kiln-init")
    );
    let mut init = Init::start(&[("journal", &unit), ("a", &service("ready", ""))]);
    init.wait_state("journal", UnitState::Ready);
    // A reader that never reads holds nobody up.
    let _idle = UnixStream::connect(init.path("run/export.sock")).unwrap();
    let send = |name: &str, bytes: &[u8]| {
        let s = UnixDatagram::unbound().unwrap();
        s.send_to(bytes, init.path(name)).unwrap();
    };
    let mark = format!("kiln-journal-test-{}", std::process::id());
    let mut binary = format!("MESSAGE={mark} native\nPRIORITY=3\nSYSLOG_IDENTIFIER=tester\nDRIVE\n").into_bytes();
    let value = b"two\nlines \xff";
    binary.extend_from_slice(&(value.len() as u64).to_le_bytes());
    binary.extend_from_slice(value);
    binary.push(b'\n');
    send("run/native.sock", &binary);
    send("run/stdout.sock", format!("{mark} stdout\n").as_bytes());
    // Trusted fields and nonsense are not taken from outside.
    send(
        "run/native.sock",
        format!("_PID=1\n=x\nlower=y\nMESSAGE={mark} forged\n").as_bytes(),
    );
    init.until("three entries", || {
        let bytes = exported(&init);
        String::from_utf8_lossy(&bytes).matches(&mark).count() >= 3
    });
    if !Path::new(REMOTE).exists() {
        return rig::not_run(&format!("systemd's reading of the export: no {REMOTE}"));
    }
    let file = init.path("out.journal");
    let mut remote = Command::new(REMOTE)
        .arg("-o")
        .arg(&file)
        .arg("-")
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    remote.stdin.take().unwrap().write_all(&exported(&init)).unwrap();
    let done = remote.wait_with_output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let shown = Command::new("journalctl")
        .arg("--file")
        .arg(&file)
        .args(["-o", "json", "--all", "--no-pager"])
        .output()
        .unwrap();
    assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
    let lines: Vec<serde_json::Value> = String::from_utf8(shown.stdout)
        .unwrap()
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let find = |what: &str| {
        let message = format!("{mark} {what}");
        let found = lines.iter().find(|l| l["MESSAGE"] == message.as_str());
        found.unwrap_or_else(|| panic!("{message} is not among {} entries", lines.len()))
    };
    let native = find("native");
    assert_eq!(
        (native["PRIORITY"].as_str(), native["SYSLOG_IDENTIFIER"].as_str()),
        (Some("3"), Some("tester"))
    );
    assert_eq!(native["_PID"].as_str(), Some(std::process::id().to_string().as_str()));
    let bytes: Vec<u8> = serde_json::from_value(native["DRIVE"].clone()).unwrap();
    assert_eq!(bytes, value);
    assert_eq!(find("stdout")["_TRANSPORT"], "stdout");
    assert_ne!(find("forged")["_PID"], "1");
    // Several files in one stream, one reader after another: the file of before is still whole.
    let verify = Command::new("journalctl")
        .arg("--file")
        .arg(&file)
        .arg("--verify")
        .output()
        .unwrap();
    assert!(verify.status.success(), "{}", String::from_utf8_lossy(&verify.stderr));
}
