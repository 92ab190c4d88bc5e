//! One journal entry in the Journal Export Format, which is also how the native protocol sends fields.
//!
//! ```text
//! NAME=value\n                      value without newline
//! NAME\n <u64 LE length> value \n   any value
//! \n                                ends the entry (export only)
//! ```

use std::time::{SystemTime, UNIX_EPOCH};

/// Longest value kept, in bytes.
const VALUE_MAX: usize = 64 * 1024;
/// Most fields of one entry.
const FIELDS_MAX: usize = 64;

/// Who sent it, as the kernel says.
#[derive(Debug, Clone, Default)]
pub struct Sender {
    pub pid: i32,
    pub uid: u32,
    pub unit: Option<String>,
}

/// Bytes in export format, with the closing empty line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry(pub Vec<u8>);

impl Entry {
    /// From a datagram of the native protocol. Fields that begin with `_` are ours to set, and are dropped.
    pub fn native(bytes: &[u8], sender: &Sender) -> Entry {
        let mut out = stamp();
        trusted(&mut out, sender, "journal");
        for (name, value) in fields(bytes) {
            push(&mut out, name, value);
        }
        finish(out)
    }

    /// From a line of a unit's standard output or error.
    pub fn line(line: &[u8], sender: &Sender) -> Entry {
        let mut out = stamp();
        trusted(&mut out, sender, "stdout");
        push(&mut out, "PRIORITY", b"6");
        if let Some(u) = &sender.unit {
            push(&mut out, "SYSLOG_IDENTIFIER", u.as_bytes());
        }
        push(&mut out, "MESSAGE", line);
        finish(out)
    }

    /// From a record of `/dev/kmsg`: `priority,sequence,microseconds,flags;text`, then continuation lines.
    pub fn kernel(record: &[u8]) -> Entry {
        let text = String::from_utf8_lossy(record);
        let (head, body) = text.split_once(';').unwrap_or(("6", &text));
        let mut numbers = head.split(',');
        let priority: u32 = numbers.next().and_then(|n| n.parse().ok()).unwrap_or(6);
        let message = body.lines().next().unwrap_or_default();
        let mut out = stamp();
        // Facility 0 is the kernel; PID 1 writes as a daemon.
        let (transport, message) = match message.split_once(": ") {
            Some(("kiln-init", rest)) if priority >> 3 != 0 => ("kiln-init", rest),
            _ => ("kernel", message),
        };
        push(
            &mut out,
            "_TRANSPORT",
            if transport == "kernel" { b"kernel" } else { b"driver" },
        );
        push(&mut out, "SYSLOG_IDENTIFIER", transport.as_bytes());
        push(&mut out, "PRIORITY", (priority & 7).to_string().as_bytes());
        if let Some(us) = numbers.nth(1) {
            push(&mut out, "_SOURCE_MONOTONIC_TIMESTAMP", us.as_bytes());
        }
        push(&mut out, "MESSAGE", message.as_bytes());
        finish(out)
    }
}

fn stamp() -> Vec<u8> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_micros();
    let mono = crate::shell::clock::now() * 1000;
    format!("__REALTIME_TIMESTAMP={now}\n__MONOTONIC_TIMESTAMP={mono}\n").into_bytes()
}

fn trusted(out: &mut Vec<u8>, s: &Sender, transport: &str) {
    push(out, "_TRANSPORT", transport.as_bytes());
    push(out, "_PID", s.pid.to_string().as_bytes());
    push(out, "_UID", s.uid.to_string().as_bytes());
    if let Some(u) = &s.unit {
        push(out, "_KILN_UNIT", u.as_bytes());
    }
}

fn push(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    let value = &value[..value.len().min(VALUE_MAX)];
    out.extend_from_slice(name.as_bytes());
    if value.contains(&b'\n') || std::str::from_utf8(value).is_err() {
        out.push(b'\n');
        out.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        out.push(b'=');
    }
    out.extend_from_slice(value);
    out.push(b'\n');
}

fn finish(mut out: Vec<u8>) -> Entry {
    out.push(b'\n');
    Entry(out)
}

/// How long the first entry of a log in export format is, without the empty line that ends it.
pub fn length(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|r| !r.is_empty() && r[0] != b'\n') {
        let line = rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
        at += line + 1;
        if !rest[..line].contains(&b'=') {
            let Some(len) = rest.get(line + 1..).and_then(<[u8]>::first_chunk::<8>) else {
                return bytes.len();
            };
            let len = usize::try_from(u64::from_le_bytes(*len)).unwrap_or(usize::MAX);
            at = at.saturating_add(8).saturating_add(len).saturating_add(1);
        }
    }
    at.min(bytes.len())
}

/// Fields of a native datagram; reading stops at the first byte that makes no sense.
pub fn fields(bytes: &[u8]) -> Vec<(&str, &[u8])> {
    let mut out = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() && out.len() < FIELDS_MAX {
        let end = rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
        let line = &rest[..end];
        rest = rest.get(end + 1..).unwrap_or_default();
        let (name, value) = match line.iter().position(|b| *b == b'=') {
            Some(eq) => (&line[..eq], &line[eq + 1..]),
            None => {
                let Some((head, tail)) = rest.split_first_chunk::<8>() else {
                    break;
                };
                let Ok(len) = usize::try_from(u64::from_le_bytes(*head)) else {
                    break;
                };
                let Some(value) = tail.get(..len) else { break };
                rest = tail.get(len + 1..).unwrap_or_default();
                (line, value)
            }
        };
        if let Ok(name) = std::str::from_utf8(name)
            && is_field(name)
        {
            out.push((name, value));
        }
    }
    out
}

fn is_field(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_uppercase())
        && name
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(e: &Entry) -> String {
        String::from_utf8_lossy(&e.0).into_owned()
    }

    #[test]
    fn both_forms_of_fields_are_read_and_trusted_ones_are_ours() {
        let mut d = b"MESSAGE=hello\n_PID=1\nlower=no\nLONG\n".to_vec();
        d.extend_from_slice(&3u64.to_le_bytes());
        d.extend_from_slice(b"a\nb\nPRIORITY=3\n");
        assert_eq!(
            fields(&d),
            [("MESSAGE", &b"hello"[..]), ("LONG", b"a\nb"), ("PRIORITY", b"3")]
        );
        let e = Entry::native(
            &d,
            &Sender {
                pid: 42,
                uid: 900,
                unit: Some("server".into()),
            },
        );
        let t = text(&e);
        assert!(
            t.contains("_PID=42\n")
                && !t.contains("_PID=1\n")
                && t.contains("_KILN_UNIT=server\n")
                && t.ends_with("\n\n"),
            "{t}"
        );
    }

    #[test]
    fn kernel_records_and_our_own() {
        let t = text(&Entry::kernel(b"4,812,5123456,-;sda: read error\n SUBSYSTEM=block\n"));
        assert!(
            t.contains("PRIORITY=4\n")
                && t.contains("MESSAGE=sda: read error\n")
                && t.contains("_TRANSPORT=kernel\n")
                && t.contains("_SOURCE_MONOTONIC_TIMESTAMP=5123456\n"),
            "{t}"
        );
        let t = text(&Entry::kernel(b"28,813,5123457,-;kiln-init: server: late\n"));
        assert!(
            t.contains("SYSLOG_IDENTIFIER=kiln-init\n") && t.contains("MESSAGE=server: late\n"),
            "{t}"
        );
    }

    proptest! {
        #[test]
        fn foreign_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = Entry::native(&bytes, &Sender::default());
            let _ = Entry::kernel(&bytes);
            let _ = Entry::line(&bytes, &Sender::default());
        }
    }
}
