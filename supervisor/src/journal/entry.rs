//! One journal entry in the Journal Export Format, which is also how the native protocol sends fields.
//!
//! ```text
//! NAME=value\n                      value without newline
//! NAME\n <u64 LE length> value \n   any value
//! \n                                ends the entry (export only)
//! ```

use std::time::{SystemTime, UNIX_EPOCH};

/// Longest value kept, in bytes.
pub(super) const VALUE_MAX: usize = 64 * 1024;
/// Most fields of one entry.
const FIELDS_MAX: usize = 1024;
/// Bytes of one entry from which on only its message is taken: one entry must not push all others out of the ring.
const ENTRY_MAX: usize = 1 << 20;
/// Most entries of one datagram.
const ENTRIES_MAX: usize = 1024;

/// A moment in microseconds: since 1970, and of the monotonic clock, which begins with the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    pub real: u64,
    pub mono: u64,
}

impl Moment {
    /// This one.
    pub fn now() -> Moment {
        let real = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Moment {
            real: u64::try_from(real.as_micros()).unwrap_or(u64::MAX),
            mono: crate::shell::clock::micros(),
        }
    }

    /// The one at `mono` of the kernel's log, whose clock is another one: not before `from` and not after this one.
    fn back_to(self, mono: u64, from: u64) -> Moment {
        let mono = mono.max(from).min(self.mono);
        Moment {
            real: self.real.saturating_sub(self.mono - mono),
            mono,
        }
    }
}

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
    /// From a datagram of the native protocol: each that has a field. Fields that begin with `_` are ours to set, and are dropped.
    pub fn native(bytes: &[u8], sender: &Sender) -> impl Iterator<Item = Entry> {
        let mut rest = bytes;
        let next = move || {
            while !rest.is_empty() {
                let (fields, behind) = fields(rest);
                rest = behind;
                if !fields.is_empty() {
                    return Some(fields);
                }
            }
            None
        };
        std::iter::from_fn(next).take(ENTRIES_MAX).map(|fields| {
            let mut out = stamp(Moment::now());
            trusted(&mut out, sender, "journal");
            for (name, value) in fields {
                if out.len() + value.len().min(VALUE_MAX) <= ENTRY_MAX || name == "MESSAGE" {
                    push(&mut out, name, value);
                }
            }
            finish(out)
        })
    }

    /// From a line of a unit's standard output or error.
    pub fn line(line: &[u8], sender: &Sender) -> Entry {
        let mut out = stamp(Moment::now());
        trusted(&mut out, sender, "stdout");
        push(&mut out, "PRIORITY", b"6");
        if let Some(u) = &sender.unit {
            push(&mut out, "SYSLOG_IDENTIFIER", u.as_bytes());
        }
        push(&mut out, "MESSAGE", line);
        finish(out)
    }

    /// What the journal itself has to say of a sender.
    pub fn of_journal(text: &str, sender: &Sender) -> Entry {
        let mut out = stamp(Moment::now());
        push(&mut out, "_TRANSPORT", b"driver");
        push(&mut out, "SYSLOG_IDENTIFIER", b"journal");
        push(&mut out, "PRIORITY", b"4");
        if let Some(u) = &sender.unit {
            push(&mut out, "_KILN_UNIT", u.as_bytes());
        }
        push(&mut out, "MESSAGE", text.as_bytes());
        finish(out)
    }

    /// From a record of `/dev/kmsg`: `priority,sequence,microseconds,flags;text`, then continuation lines. It was when the kernel
    /// says, which may be long before it is read: at `now`, where the last entry before it was at `from`.
    pub fn kernel(record: &[u8], now: Moment, from: u64) -> (Entry, Moment) {
        let text = String::from_utf8_lossy(record);
        let (head, body) = text.split_once(';').unwrap_or(("6", &text));
        let mut numbers = head.split(',');
        let priority: u32 = numbers.next().and_then(|n| n.parse().ok()).unwrap_or(6);
        let message = body.lines().next().unwrap_or_default();
        let source = numbers.nth(1).and_then(|us| us.parse().ok());
        let at = source.map_or(now, |us| now.back_to(us, from));
        let mut out = stamp(at);
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
        if let Some(us) = source {
            push(&mut out, "_SOURCE_MONOTONIC_TIMESTAMP", us.to_string().as_bytes());
        }
        push(&mut out, "MESSAGE", &unescaped(message));
        (finish(out), at)
    }
}

/// Undoes what the kernel does to a record's text: a control byte, a backslash and every byte from 127 on is `\xNN` there
/// (`append_char` of kernel/printk/printk.c).
fn unescaped(text: &str) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::with_capacity(text.len()), text);
    while let Some(at) = rest.find("\\x") {
        let (before, escape) = rest.split_at(at);
        out.extend_from_slice(before.as_bytes());
        let digits = escape.get(2..4).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        let byte = digits.and_then(|d| u8::from_str_radix(d, 16).ok());
        let (taken, len) = byte.map_or((b'\\', 1), |byte| (byte, 4));
        out.push(taken);
        rest = &escape[len..];
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

fn stamp(at: Moment) -> Vec<u8> {
    let Moment { real, mono } = at;
    format!("__REALTIME_TIMESTAMP={real}\n__MONOTONIC_TIMESTAMP={mono}\n").into_bytes()
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

/// Fields of the first entry of a native datagram or an exported log, and the bytes behind it. A value that was cut with the
/// datagram ends there.
pub fn fields(bytes: &[u8]) -> (Vec<(&str, &[u8])>, &[u8]) {
    let mut out = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let end = rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
        let line = &rest[..end];
        rest = rest.get(end + 1..).unwrap_or_default();
        let (name, value) = match line {
            [] => break,
            // Comments and commands of the export format.
            [b'#' | b'.', ..] => continue,
            _ => {
                if let Some(eq) = line.iter().position(|b| *b == b'=') {
                    (&line[..eq], &line[eq + 1..])
                } else {
                    let Some((head, tail)) = rest.split_first_chunk::<8>() else {
                        return (out, &[]);
                    };
                    let len = usize::try_from(u64::from_le_bytes(*head)).unwrap_or(usize::MAX);
                    let value = tail.get(..len).unwrap_or(tail);
                    rest = tail.get(value.len() + 1..).unwrap_or_default();
                    (line, value)
                }
            }
        };
        if let Ok(name) = std::str::from_utf8(name)
            && is_field(name)
            && out.len() < FIELDS_MAX
        {
            out.push((name, value));
        }
    }
    (out, rest)
}

/// How many bytes at the beginning of an exported log are whole entries: a power cut, or a full medium, ends a file anywhere.
pub(crate) fn whole(bytes: &[u8]) -> usize {
    let (mut good, mut at) = (0, 0);
    while let Some(end) = bytes[at..].iter().position(|b| *b == b'\n') {
        let line = &bytes[at..at + end];
        at += end + 1;
        if line.is_empty() {
            good = at;
        } else if !line.contains(&b'=') {
            let Some((head, value)) = bytes[at..].split_first_chunk::<8>() else {
                break;
            };
            let len = usize::try_from(u64::from_le_bytes(*head)).unwrap_or(usize::MAX);
            if value.get(len) != Some(&b'\n') {
                break;
            }
            at += head.len() + len + 1;
        }
    }
    good
}

/// The sequence number of a record of `/dev/kmsg`.
pub(super) fn sequence(record: &[u8]) -> Option<u64> {
    let head = record.split(|b| *b == b';').next()?;
    let number = head.split(|b| *b == b',').nth(1)?;
    std::str::from_utf8(number).ok()?.parse().ok()
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

    fn native(bytes: &[u8], sender: &Sender) -> Vec<String> {
        Entry::native(bytes, sender).map(|e| text(&e)).collect()
    }

    #[test]
    fn both_forms_of_fields_are_read_and_trusted_ones_are_ours() {
        let mut d = b"MESSAGE=hello\n_PID=1\nlower=no\nLONG\n".to_vec();
        d.extend_from_slice(&3u64.to_le_bytes());
        d.extend_from_slice(b"a\nb\nPRIORITY=3\n");
        assert_eq!(
            fields(&d).0,
            [("MESSAGE", &b"hello"[..]), ("LONG", b"a\nb"), ("PRIORITY", b"3")]
        );
        let entries = native(
            &d,
            &Sender {
                pid: 42,
                uid: 900,
                unit: Some("server".into()),
            },
        );
        let [t] = &entries[..] else { panic!("{entries:?}") };
        assert!(
            t.contains("_PID=42\n")
                && !t.contains("_PID=1\n")
                && t.contains("_KILN_UNIT=server\n")
                && t.ends_with("\n\n"),
            "{t}"
        );
    }

    #[test]
    fn a_datagram_of_several_entries_with_comments_loses_none() {
        let told = native(
            b"#c\nMESSAGE=one\n.end\n\n\nMESSAGE=two\nX=1\n\n_PID=9\n\n#\n",
            &Sender::default(),
        );
        assert_eq!(told.len(), 2, "what has no field of its own is none: {told:?}");
        assert!(
            told[0].ends_with("\nMESSAGE=one\n\n") && told[1].ends_with("\nMESSAGE=two\nX=1\n\n"),
            "{told:?}"
        );
        assert_eq!(native(&b"A=\n\n".repeat(5000), &Sender::default()).len(), ENTRIES_MAX);
    }

    #[test]
    fn a_message_behind_many_fields_is_kept_and_a_cut_value_ends_there() {
        let many: String = (0..70).map(|n| format!("F{n}=x\n")).collect();
        let mut d = format!("{many}MESSAGE=last\nLONG\n").into_bytes();
        d.extend_from_slice(&(2u64 << 20).to_le_bytes());
        d.extend_from_slice(b"cut");
        let (found, rest) = fields(&d);
        assert_eq!(found.len(), 72);
        assert_eq!(found[70..], [("MESSAGE", &b"last"[..]), ("LONG", b"cut")]);
        assert_eq!(rest, b"");
        let more: String = (0..FIELDS_MAX + 9).map(|n| format!("F{n}=x\n")).collect();
        let both = native(format!("{more}\nMESSAGE=next\n").as_bytes(), &Sender::default());
        assert!(both.len() == 2 && both[1].contains("MESSAGE=next\n"), "{both:?}");
        let wide: String = (0..100).map(|n| format!("F{n}={}\n", "x".repeat(VALUE_MAX))).collect();
        let one = native(format!("{wide}MESSAGE=here\n").as_bytes(), &Sender::default());
        assert!(one[0].len() < ENTRY_MAX + VALUE_MAX && one[0].ends_with("\nMESSAGE=here\n\n"));
    }

    #[test]
    fn kernel_records_and_our_own() {
        let now = Moment {
            real: 1_700_000_100_000_000,
            mono: 105_123_456,
        };
        let kernel = |record: &[u8]| Entry::kernel(record, now, 0).0;
        let t = text(&kernel(b"4,812,5123456,-;sda: read error\n SUBSYSTEM=block\n"));
        // Read a hundred seconds after it was written.
        assert!(
            t.starts_with("__REALTIME_TIMESTAMP=1700000000000000\n__MONOTONIC_TIMESTAMP=5123456\n"),
            "{t}"
        );
        assert!(
            t.contains("PRIORITY=4\n")
                && t.contains("MESSAGE=sda: read error\n")
                && t.contains("_TRANSPORT=kernel\n")
                && t.contains("_SOURCE_MONOTONIC_TIMESTAMP=5123456\n"),
            "{t}"
        );
        let t = text(&kernel(b"28,813,5123457,-;kiln-init: server: late\n"));
        assert!(
            t.contains("SYSLOG_IDENTIFIER=kiln-init\n") && t.contains("MESSAGE=server: late\n"),
            "{t}"
        );
    }

    #[test]
    fn the_kernels_escapes_are_undone() {
        let kernel = |record: &[u8]| Entry::kernel(record, Moment::now(), 0).0;
        let t = text(&kernel(br"28,1,5,-;kiln-init: b\xc3\xbcro \x5c x"));
        assert!(t.contains("MESSAGE=büro \\ x\n"), "{t}");
        let t = text(&kernel(br"6,1,5,-;rcu: \x09RCU \xz \x4"));
        assert!(t.contains("MESSAGE=rcu: \tRCU \\xz \\x4\n"), "what is none stays: {t}");
        // A backslash of the text's own begins nothing.
        let t = text(&kernel(br"6,1,5,-;\x5cx41"));
        assert!(t.contains("MESSAGE=\\x41\n"), "{t}");
        let two = kernel(br"6,1,5,-;one\x0atwo").0;
        assert_eq!(whole(&two), two.len());
        assert!(text(&Entry(two)).contains("MESSAGE\n\u{7}\0\0\0\0\0\0\0one\ntwo\n"));
    }

    #[test]
    fn only_whole_entries_count() {
        let sender = Sender::default();
        let mut d = b"MESSAGE=a\nLONG\n".to_vec();
        d.extend_from_slice(&6u64.to_le_bytes());
        d.extend_from_slice(b"x\n\n\n\ny\n");
        let one: Vec<u8> = Entry::native(&d, &sender).flat_map(|e| e.0).collect();
        let both = [one.clone(), Entry::line(b"second", &sender).0].concat();
        for cut in 0..=both.len() {
            let expected = match cut {
                n if n == both.len() => n,
                n if n >= one.len() => one.len(),
                _ => 0,
            };
            assert_eq!(whole(&both[..cut]), expected, "{cut}");
        }
        let zeros = [one.clone(), vec![0; 4096]].concat();
        assert_eq!(whole(&zeros), one.len());
    }

    #[test]
    fn a_kernel_record_has_its_number() {
        assert_eq!(sequence(b"4,812,5123456,-;sda: read, error\n"), Some(812));
        assert_eq!(sequence(b"nothing"), None);
    }

    proptest! {
        #[test]
        fn foreign_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = native(&bytes, &Sender::default());
            let _ = Entry::kernel(&bytes, Moment::now(), 0);
            let _ = Entry::line(&bytes, &Sender::default());
            prop_assert!(whole(&bytes) <= bytes.len());
            let _ = sequence(&bytes);
        }
    }
}
