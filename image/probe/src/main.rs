//! `kiln-probe`: does in a test guest what a boot test asks for, over a virtio-serial port. See `README.md`.
//!
//! Requests are carried out one after another. Nothing here is part of the product.

mod act;
mod dm;
mod module;
mod stack;
mod uevent;
mod within;

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use probe::{Line, PORT, Request};

/// Where answers and uevents go; one line at a time.
pub(crate) type Out = Arc<Mutex<File>>;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, word, source, target, kind] = arguments.as_slice()
        && word == stack::HOLD
    {
        return stack::hold(source, target, kind);
    }
    if let [_, word, pid, act, path] = arguments.as_slice()
        && word == within::WITHIN
    {
        return within::tried(pid, act, path);
    }
    let path = port();
    let file = File::options().read(true).write(true).open(&path)?;
    let out: Out = Arc::new(Mutex::new(file.try_clone()?));
    let mut state = act::State::new(Arc::clone(&out));
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            // Nobody holds the host's end; the next test may.
            thread::sleep(Duration::from_millis(100));
            continue;
        }
        // A line cut by a reconnect is not a request; the asker asks again.
        let Ok(request) = serde_json::from_slice::<Request>(&line) else {
            continue;
        };
        let id = request.id;
        let answer = match state.carry_out(request.op) {
            Ok(value) => Line::Done { id, value },
            Err(error) => Line::Failed {
                id,
                reason: error.to_string(),
            },
        };
        send(&out, &answer)?;
    }
}

pub(crate) fn send(out: &Out, line: &Line) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    out.lock().unwrap_or_else(PoisonError::into_inner).write_all(&text)
}

/// The device node of our port; waits for its driver.
fn port() -> PathBuf {
    loop {
        for entry in fs::read_dir("/sys/class/virtio-ports").into_iter().flatten().flatten() {
            let name = fs::read_to_string(entry.path().join("name")).unwrap_or_default();
            let node = PathBuf::from("/dev").join(entry.file_name());
            if name.trim() == PORT && node.exists() {
                return node;
            }
        }
        thread::sleep(Duration::from_millis(100));
    }
}
