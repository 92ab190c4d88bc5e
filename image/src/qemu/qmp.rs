//! QEMU's control socket: one JSON object a line, answers in order, events in between.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Error;

/// Longest wait for the answer to a command; QEMU on a loaded machine may take seconds.
const ANSWER: Duration = Duration::from_mins(1);

/// A connection to QEMU's control socket.
#[derive(Debug)]
pub struct Qmp {
    reader: BufReader<UnixStream>,
    /// What has been read of the next line: a time-out in the middle of one loses nothing.
    partial: Vec<u8>,
    events: VecDeque<Value>,
}

impl Qmp {
    /// Connects and agrees on no extra capabilities.
    pub fn connect(path: &Path) -> Result<Self, Error> {
        let stream = UnixStream::connect(path).map_err(Error::Qmp)?;
        let mut qmp = Self {
            reader: BufReader::new(stream),
            partial: Vec::new(),
            events: VecDeque::new(),
        };
        qmp.line(Instant::now() + ANSWER).map_err(Error::Qmp)?;
        qmp.execute("qmp_capabilities", json!({}))?;
        Ok(qmp)
    }

    /// Runs a command and gives what it returned.
    pub fn execute(&mut self, command: &str, arguments: Value) -> Result<Value, Error> {
        let mut line = json!({ "execute": command, "arguments": arguments }).to_string();
        line.push('\n');
        self.reader.get_mut().write_all(line.as_bytes()).map_err(Error::Qmp)?;
        let deadline = Instant::now() + ANSWER;
        loop {
            let mut answer = self.line(deadline).map_err(Error::Qmp)?;
            if let Some(value) = answer.get_mut("return") {
                return Ok(value.take());
            }
            if let Some(error) = answer.get("error") {
                let reason = error["desc"].as_str().unwrap_or("no reason given").to_owned();
                return Err(Error::Refused {
                    command: command.into(),
                    reason,
                });
            }
            self.events.push_back(answer);
        }
    }

    /// Waits for an event of this name whose data satisfies `wanted`; events before it are dropped.
    pub fn event(&mut self, name: &str, wanted: impl Fn(&Value) -> bool, limit: Duration) -> Result<Value, Error> {
        let deadline = Instant::now() + limit;
        loop {
            while let Some(event) = self.events.pop_front() {
                if event["event"] == name && wanted(&event["data"]) {
                    return Ok(event);
                }
            }
            match self.line(deadline) {
                Ok(event) => self.events.push_back(event),
                Err(cause) => return Err(Error::Qmp(cause)),
            }
        }
    }

    fn line(&mut self, deadline: Instant) -> io::Result<Value> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "QEMU did not answer"));
            }
            self.reader.get_ref().set_read_timeout(Some(left))?;
            match self.reader.read_until(b'\n', &mut self.partial) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) if self.partial.ends_with(b"\n") => {
                    let line = std::mem::take(&mut self.partial);
                    return serde_json::from_slice(&line).map_err(io::Error::other);
                }
                Ok(_) => {}
                Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Err(e) => return Err(e),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn events_between_answers_are_kept_and_refusals_name_the_command() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("q");
        let listener = UnixListener::bind(&path).unwrap();
        let qemu = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut requests = BufReader::new(stream.try_clone().unwrap()).lines();
            stream.write_all(b"{\"QMP\":{}}\n").unwrap();
            for answer in [
                "{\"return\":{}}\n",
                "{\"event\":\"RESET\",\"data\":{\"guest\":true}}\n{\"return\":5}\n",
                "{\"error\":{\"desc\":\"no\"}}\n",
            ] {
                requests.next().unwrap().unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        let mut qmp = Qmp::connect(&path).unwrap();
        assert_eq!(qmp.execute("query-x", json!({})).unwrap(), 5);
        let reset = qmp
            .event("RESET", |d| d["guest"] == true, Duration::from_secs(1))
            .unwrap();
        assert_eq!(reset["event"], "RESET");
        let refused = qmp.execute("device_del", json!({})).unwrap_err().to_string();
        assert_eq!(refused, "QEMU refused device_del: no");
        qemu.join().unwrap();
    }
}
