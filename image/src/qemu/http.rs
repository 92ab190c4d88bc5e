//! A small HTTP/1.1 client: one request a connection, a time-out on every step, server-sent events.
//!
//! The first connection to a guest whose network is not up yet hangs in QEMU; so connecting and answering have short
//! limits and the caller tries again, instead of one long wait.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longest header block and longest chunk line taken, in bytes.
const HEAD_MAX: u64 = 64 * 1024;
/// Longest body taken, in bytes.
const BODY_MAX: u64 = 64 << 20;

/// An answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Header names in lower case, and values, in the order sent.
    pub headers: Vec<(String, String)>,
    /// The body, decoded from chunks.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_str())
    }

    /// The body as text, whatever it is.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A request being put together.
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    /// A request without a body.
    #[must_use]
    pub fn new(method: &str, path: &str) -> Self {
        Self {
            method: method.into(),
            path: path.into(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets a JSON body.
    #[must_use]
    pub fn json(mut self, body: &serde_json::Value) -> Self {
        self.body = body.to_string().into_bytes();
        self.header("content-type", "application/json")
    }

    /// Sets a body of bytes.
    #[must_use]
    pub fn bytes(mut self, body: Vec<u8>) -> Self {
        self.body = body;
        self
    }

    /// Sends it to `address` and reads the whole answer; `limit` holds for connecting and for each read.
    pub fn send(&self, address: SocketAddr, limit: Duration) -> io::Result<Response> {
        let (status, headers, body) = self.open(address, limit)?;
        let mut bytes = Vec::new();
        body.take(BODY_MAX).read_to_end(&mut bytes)?;
        Ok(Response {
            status,
            headers,
            body: bytes,
        })
    }

    /// Sends it and reads the answer as server-sent events; `limit` holds for connecting and for each silence.
    pub fn events(&self, address: SocketAddr, limit: Duration) -> io::Result<Events> {
        let (status, _, mut body) = self
            .clone()
            .header("accept", "text/event-stream")
            .open(address, limit)?;
        if status == 200 {
            return Ok(Events {
                body: BufReader::new(body),
            });
        }
        let mut text = String::new();
        // The text only makes the message better.
        let _ = body.read_to_string(&mut text);
        Err(io::Error::other(format!(
            "{} {} answered {status}: {text}",
            self.method, self.path
        )))
    }

    fn open(&self, address: SocketAddr, limit: Duration) -> io::Result<Answer> {
        let mut stream = TcpStream::connect_timeout(&address, limit)?;
        stream.set_read_timeout(Some(limit))?;
        stream.set_write_timeout(Some(limit))?;
        let mut head = format!(
            "{} {} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n",
            self.method, self.path
        );
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !self.body.is_empty() || self.method != "GET" {
            head.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes())?;
        stream.write_all(&self.body)?;
        answer(BufReader::new(stream))
    }
}

/// Status, headers, and what is left to be read.
type Answer = (u16, Vec<(String, String)>, Body);

/// Reads status line and headers; what is left is the body.
fn answer(mut stream: BufReader<TcpStream>) -> io::Result<Answer> {
    let first = line(&mut stream)?;
    let status = first
        .split(' ')
        .nth(1)
        .and_then(|s| s.parse().ok())
        .ok_or_else(|| bad("no status line"))?;
    let mut headers = Vec::new();
    loop {
        let text = line(&mut stream)?;
        if text.is_empty() {
            break;
        }
        let (name, value) = text.split_once(':').ok_or_else(|| bad("a header without a colon"))?;
        headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
    }
    let find = |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
    let rest = if find("transfer-encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked")) {
        Rest::Chunk { left: 0, last: false }
    } else if let Some(length) = find("content-length") {
        Rest::Length(length.parse().map_err(|_| bad("a content-length that is no number"))?)
    } else {
        Rest::Close
    };
    Ok((status, headers, Body { stream, rest }))
}

#[derive(Debug)]
enum Rest {
    Length(u64),
    Chunk { left: u64, last: bool },
    Close,
}

/// A body as it comes.
#[derive(Debug)]
struct Body {
    stream: BufReader<TcpStream>,
    rest: Rest,
}

impl Read for Body {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match &mut self.rest {
            Rest::Close => self.stream.read(buf),
            Rest::Length(left) => {
                let n = (&mut self.stream).take(*left).read(buf)?;
                *left -= n as u64;
                Ok(n)
            }
            Rest::Chunk { last: true, .. } => Ok(0),
            Rest::Chunk { left, last } => {
                if *left == 0 {
                    let size = line(&mut self.stream)?;
                    let size = size.split(';').next().unwrap_or_default().trim();
                    *left = u64::from_str_radix(size, 16).map_err(|_| bad("a chunk without a size"))?;
                    if *left == 0 {
                        *last = true;
                        return Ok(0);
                    }
                }
                let n = (&mut self.stream).take(*left).read(buf)?;
                *left -= n as u64;
                if *left == 0 && n > 0 {
                    line(&mut self.stream)?;
                }
                Ok(n)
            }
        }
    }
}

/// One server-sent event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// Its type; `message` when none was sent.
    pub kind: String,
    /// Its id, where it has one.
    pub id: Option<String>,
    /// Its data lines, joined.
    pub data: String,
}

/// Server-sent events as they come.
#[derive(Debug)]
pub struct Events {
    body: BufReader<Body>,
}

impl Events {
    /// The next event; `None` when the stream has ended. Comments (keep-alives) are skipped.
    pub fn read(&mut self) -> io::Result<Option<Event>> {
        let mut event = Event {
            kind: "message".into(),
            ..Event::default()
        };
        let mut any = false;
        loop {
            let mut text = String::new();
            if self.body.read_line(&mut text)? == 0 {
                return Ok(None);
            }
            let text = text.trim_end_matches(['\r', '\n']);
            if text.is_empty() {
                if any {
                    return Ok(Some(event));
                }
                continue;
            }
            let (field, value) = text.split_once(':').unwrap_or((text, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => event.kind = value.into(),
                "id" => event.id = Some(value.into()),
                "data" => {
                    if any && !event.data.is_empty() {
                        event.data.push('\n');
                    }
                    event.data.push_str(value);
                    any = true;
                }
                _ => {}
            }
        }
    }
}

fn line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut text = String::new();
    if stream.take(HEAD_MAX).read_line(&mut text)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the server sent {what}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use std::net::TcpListener;

    /// Answers one connection with these bytes and closes.
    fn server(answer: &'static [u8]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = BufReader::new(stream.try_clone().unwrap());
            while !line(&mut request).unwrap().is_empty() {}
            stream.write_all(answer).unwrap();
        });
        address
    }

    const LIMIT: Duration = Duration::from_secs(20);

    #[test]
    fn bodies_by_length_by_chunks_and_to_the_end_are_the_same() {
        for answer in [
            &b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello, and more"[..],
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\nhello",
        ] {
            let response = Request::new("GET", "/").send(server(answer), LIMIT).unwrap();
            assert_eq!((response.status, response.text().as_str()), (200, "hello"));
        }
    }

    #[test]
    fn events_have_type_id_and_joined_data_and_keep_alives_are_skipped() {
        let stream = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n\
            : hi\n\nevent: job\nid: 7\ndata: {\ndata: }\n\ndata:x\n\n";
        let mut events = Request::new("GET", "/").events(server(stream), LIMIT).unwrap();
        assert_eq!(
            events.read().unwrap().unwrap(),
            Event {
                kind: "job".into(),
                id: Some("7".into()),
                data: "{\n}".into()
            }
        );
        assert_eq!(
            events.read().unwrap().unwrap(),
            Event {
                kind: "message".into(),
                id: None,
                data: "x".into()
            }
        );
        assert_eq!(events.read().unwrap(), None);
    }

    #[test]
    fn what_is_not_http_is_an_error() {
        let answer = Request::new("GET", "/").send(server(b"SSH-2.0\r\n\r\n"), LIMIT);
        assert_eq!(answer.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
