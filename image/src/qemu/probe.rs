//! The host's end of the helper in test images ([`probe`] is its other end): JSON lines over virtio-serial.
//!
//! Answers come in order; kernel uevents come in between and are kept with the moment of their arrival, so that a test
//! can say how long after the kernel's word the dashboard knew.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use ::probe::{Line, Op, Request};
use serde_json::Value;

use super::Error;

/// Longest wait for an answer, unless the operation has its own limit.
const ANSWER: Duration = Duration::from_mins(1);

/// A uevent that the guest's kernel sent.
#[derive(Clone, Debug)]
pub struct Heard {
    /// When it arrived on the host.
    pub at: Instant,
    /// Its keys: `ACTION`, `DEVPATH`, `SUBSYSTEM`, `DEVNAME` …
    pub keys: BTreeMap<String, String>,
}

/// A connection to the helper.
#[derive(Debug)]
pub struct Probe {
    stream: UnixStream,
    lines: Receiver<(Instant, Line)>,
    uevents: Vec<Heard>,
    next: u64,
}

impl Probe {
    /// Connects to QEMU's end of the port and waits until the helper answers.
    pub fn connect(path: &Path, limit: Duration) -> Result<Self, Error> {
        let stream =
            UnixStream::connect(path).map_err(|e| Error::Probe(format!("port of QEMU at {}: {e}", path.display())))?;
        let reader = stream.try_clone().map_err(|e| Error::Probe(e.to_string()))?;
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(reader).lines() {
                let Ok(line) = line else { return };
                // What is not ours is noise of the port being opened.
                if let Ok(line) = serde_json::from_str(&line)
                    && send.send((Instant::now(), line)).is_err()
                {
                    return;
                }
            }
        });
        let mut probe = Self {
            stream,
            lines,
            uevents: Vec::new(),
            next: 1,
        };
        // A line sent before the guest has opened the port may be lost, so ask again.
        let deadline = Instant::now() + limit;
        loop {
            match probe.ask(Op::Ping {}, Duration::from_secs(2)) {
                Ok(_) => return Ok(probe),
                Err(error) if Instant::now() > deadline => return Err(error),
                Err(_) => {}
            }
        }
    }

    /// Asks for an operation and gives its result.
    pub fn op(&mut self, op: Op) -> Result<Value, Error> {
        let limit = if let Op::Run { limit_s, .. } = &op {
            ANSWER + Duration::from_secs(*limit_s)
        } else {
            ANSWER
        };
        self.ask(op, limit)
    }

    /// Runs a program in the guest; standard output when it exits with 0, else what it said.
    pub fn run(&mut self, argv: &[&str]) -> Result<String, Error> {
        let argv: Vec<String> = argv.iter().map(|a| (*a).to_owned()).collect();
        let said = format!("{argv:?}");
        let result = self.op(Op::Run { argv, limit_s: 60 })?;
        let text = |key: &str| result[key].as_str().unwrap_or_default().to_owned();
        if result["status"] == 0 {
            Ok(text("stdout"))
        } else {
            Err(Error::Probe(format!(
                "{said} ended with {}: {}{}",
                result["status"],
                text("stdout"),
                text("stderr")
            )))
        }
    }

    /// A file of the guest as text.
    pub fn read(&mut self, path: &str) -> Result<String, Error> {
        let result = self.op(Op::Read { path: path.into() })?;
        Ok(result.as_str().unwrap_or_default().to_owned())
    }

    /// Writes a file of the guest, in one write, as sysfs wants it.
    pub fn write(&mut self, path: &str, text: &str) -> Result<(), Error> {
        self.op(Op::Write {
            path: path.into(),
            text: text.into(),
        })
        .map(drop)
    }

    /// Process ids whose command line begins with `program` and contains `argument`.
    pub fn pids(&mut self, program: &str, argument: &str) -> Result<Vec<i32>, Error> {
        let list = self.op(Op::Processes {})?;
        let matches = |p: &Value| {
            let argv = p["argv"].as_array()?;
            let first = argv.first()?.as_str()?;
            let has = argument.is_empty() || argv.iter().any(|a| a.as_str().is_some_and(|a| a.contains(argument)));
            (first.rsplit('/').next() == Some(program) && has).then(|| p["pid"].as_i64())?
        };
        let pids = list
            .as_array()
            .map(|l| l.iter().filter_map(matches).collect::<Vec<_>>())
            .unwrap_or_default();
        Ok(pids.into_iter().filter_map(|p| i32::try_from(p).ok()).collect())
    }

    /// Sends a signal to a process of the guest.
    pub fn signal(&mut self, pid: i32, signal: i32) -> Result<(), Error> {
        self.op(Op::Signal { pid, signal }).map(drop)
    }

    /// The uevents heard so far (after [`Op::Uevents`]), and those that come within `limit` until one satisfies `wanted`.
    pub fn uevent(
        &mut self,
        wanted: impl Fn(&BTreeMap<String, String>) -> bool,
        limit: Duration,
    ) -> Result<Heard, Error> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(found) = self.uevents.iter().find(|u| wanted(&u.keys)) {
                return Ok(found.clone());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok((at, line)) => self.keep(at, line),
                Err(RecvTimeoutError::Timeout) => {
                    return Err(Error::Probe(format!("no such uevent in {} s", limit.as_secs())));
                }
                Err(RecvTimeoutError::Disconnected) => return Err(Error::Probe("the port was closed".into())),
            }
        }
    }

    /// Forgets the uevents heard so far.
    pub fn forget_uevents(&mut self) {
        while let Ok((at, line)) = self.lines.try_recv() {
            self.keep(at, line);
        }
        self.uevents.clear();
    }

    fn keep(&mut self, at: Instant, line: Line) {
        if let Line::Uevent(keys) = line {
            self.uevents.push(Heard { at, keys });
        }
    }

    fn ask(&mut self, op: Op, limit: Duration) -> Result<Value, Error> {
        let id = self.next;
        self.next += 1;
        let request = Request { id, op };
        let mut line = serde_json::to_string(&request).map_err(|e| Error::Probe(e.to_string()))?;
        line.push('\n');
        self.stream
            .write_all(line.as_bytes())
            .map_err(|e| Error::Probe(e.to_string()))?;
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok((_, Line::Done { id: of, value })) if of == id => return Ok(value),
                Ok((_, Line::Failed { id: of, reason })) if of == id => return Err(Error::Probe(reason)),
                Ok((at, other)) => self.keep(at, other),
                Err(_) => {
                    return Err(Error::Probe(format!(
                        "no answer to {:?} in {} s",
                        request.op,
                        limit.as_secs()
                    )));
                }
            }
        }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        // The reading thread holds the connection too; without this the next one would wait for it.
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }
}
