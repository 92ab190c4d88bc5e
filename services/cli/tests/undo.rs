//! `kiln backup` and `debug-bundle` that a signal ends: what is left behind is nothing.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use common::{PATIENCE, in_time, text};

/// A box that lets everybody in, and whose file has so many bytes, of which it sends half and waits, unless it is `whole`. Tells when it
/// has sent what it sends.
fn sends(bytes: usize, whole: bool) -> (SocketAddr, Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sent, told) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let sent = sent.clone();
            std::thread::spawn(move || {
                let mut asked = [0; 4096];
                let length = stream.read(&mut asked).unwrap();
                let is_login = asked[..length].starts_with(b"POST /api/auth/login");
                let token = br#"{"token":"t"}"#.to_vec();
                let body = if is_login { token } else { vec![b'x'; bytes] };
                let head = format!(
                    "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                    body.len()
                );
                let now = if is_login || whole { body.len() } else { body.len() / 2 };
                stream.write_all(head.as_bytes()).unwrap();
                stream.write_all(&body[..now]).unwrap();
                if !is_login {
                    sent.send(()).unwrap();
                }
                // Until the other side is gone.
                let _ = stream.read(&mut asked);
            });
        }
    });
    (address, told)
}

fn bundle(address: SocketAddr, out: &Path) -> Command {
    let mut kiln = common::kiln(&["debug-bundle", "--box", &format!("http://{address}"), "--out"]);
    kiln.arg(out).env("KILN_PASSWORD", "x");
    kiln
}

fn files(dir: &Path) -> Vec<String> {
    let files = fs::read_dir(dir).unwrap();
    files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// Half a bundle under its name was taken for one, and the next try failed at it.
#[test]
fn what_a_signal_ends_in_mid_transfer_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("debug.tar.gz");
    let (address, sent) = sends(1 << 20, false);
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
        let mut kiln = bundle(address, &out).stderr(Stdio::piped()).spawn().unwrap();
        sent.recv_timeout(PATIENCE).unwrap();
        let begun = Instant::now();
        while files(dir.path()).is_empty() {
            assert!(begun.elapsed() < PATIENCE, "nothing is written");
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(!out.exists(), "it has its name before it is whole");
        // SAFETY: a signal to a child that is waited for below.
        unsafe { libc::kill(kiln.id().try_into().unwrap(), signal) };
        assert_eq!(kiln.wait().unwrap().signal(), Some(signal));
        assert_eq!(files(dir.path()), [""; 0], "{signal}");
    }
    let (address, _sent) = sends(1 << 20, true);
    let again = in_time(&mut bundle(address, &out));
    assert!(again.status.success(), "{}", text(&again));
    let meta = fs::metadata(&out).unwrap();
    assert_eq!((meta.len(), meta.permissions().mode() & 0o777), (1 << 20, 0o600));
}

/// Nobody types a password for what cannot be put anywhere.
#[test]
fn a_place_that_takes_no_new_file_is_told_before_anything_is_asked() {
    let dir = tempfile::tempdir().unwrap();
    let (there, folder) = (dir.path().join("there"), dir.path().join("folder/"));
    fs::write(&there, "precious").unwrap();
    // Nobody listens there.
    let address = SocketAddr::from(([127, 0, 0, 1], 1));
    for (out, part) in [
        (there.clone(), "is not replaced"),
        (folder, "expected the name of a new file"),
        (dir.path().join("none/x"), "No such file"),
    ] {
        let output = in_time(&mut bundle(address, &out));
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output).contains(part), "{}", text(&output));
    }
    assert_eq!(fs::read_to_string(&there).unwrap(), "precious");
    assert_eq!(files(dir.path()), ["there"]);
}

/// The shell then showed nothing of what was typed.
#[test]
fn a_signal_at_the_question_leaves_a_terminal_that_shows_what_is_typed() {
    let dir = tempfile::tempdir().unwrap();
    let (shell, pid) = (dir.path().join("shell"), dir.path().join("pid"));
    // Who ends it waits until the question stands, and the shell lives on.
    let lines = format!(
        "trap : INT TERM HUP\n\
         (until stty -a < /dev/tty | grep -q -e '-echo '; do sleep 0.1; done; echo quiet; kill -$1 $(cat {pid})) &\n\
         sh -c 'echo $$ > {pid}; exec {kiln} backup --box http://127.0.0.1:1 --out {out}'\n\
         echo ended by $(($? - 128)); stty -a < /dev/tty\n",
        pid = pid.display(),
        kiln = env!("CARGO_BIN_EXE_kiln"),
        out = dir.path().join("out").display()
    );
    fs::write(&shell, lines).unwrap();
    for (signal, number) in [("INT", libc::SIGINT), ("TERM", libc::SIGTERM), ("HUP", libc::SIGHUP)] {
        let mut script = Command::new("script");
        script.args(["-qefc", &format!("sh {} {signal}", shell.display()), "/dev/null"]);
        script.env_remove("KILN_PASSPHRASE").env("KILN_PASSWORD", "x");
        common::heed_hang_ups(&mut script);
        let output = in_time(script.stdin(Stdio::piped()));
        let shown = String::from_utf8_lossy(&output.stdout);
        assert!(
            shown.contains("quiet") && shown.contains(&format!("ended by {number}")),
            "{shown}"
        );
        assert!(shown.split_whitespace().any(|word| word == "echo"), "{signal}: {shown}");
    }
    assert!(!dir.path().join("out").exists());
}
