//! The debug bundle: what somebody who helps needs to see of this box, in one `.tar.gz`, without secrets.
//!
//! What the server knows, its event log's end, the journal's end, and what the kernel tells of itself. Passwords, tokens,
//! keys and the claim code are in none of it by construction (they are stored as hashes, in other tables); what slipped
//! into a log line all the same is blacked out by [`without_secrets`].

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;

use crate::app::App;

/// The journal's export socket.
const JOURNAL: &str = "/run/kiln/journal.sock";

/// Most bytes of the journal: its end.
const JOURNAL_MOST: usize = 8 << 20;

/// Longest time that the journal may take.
const JOURNAL_WAIT: Duration = Duration::from_secs(20);

/// Events at the end of the log.
const EVENTS: usize = 5000;

/// What the kernel tells to everybody.
const KERNEL: &[&str] = &[
    "/proc/version",
    "/proc/cmdline",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/modules",
    "/proc/mounts",
    "/proc/partitions",
    "/proc/diskstats",
    "/proc/interrupts",
    "/proc/loadavg",
    "/proc/uptime",
    "/proc/net/dev",
    "/proc/pressure/cpu",
    "/proc/pressure/io",
    "/proc/pressure/memory",
    "/etc/os-release",
    "/kiln/sbom.spdx.json",
];

/// What of the box goes into a bundle, looked up at one moment.
#[derive(Debug)]
pub struct Seen {
    files: Vec<(String, Vec<u8>)>,
}

fn json<T: Serialize>(value: &T) -> Vec<u8> {
    // Not indented: what blacks out secrets looks for a value right behind its name.
    serde_json::to_vec(value).unwrap_or_default()
}

fn lines<T: Serialize>(values: impl IntoIterator<Item = T>) -> Vec<u8> {
    let mut out = Vec::new();
    for value in values {
        out.extend(serde_json::to_vec(&value).unwrap_or_default());
        out.push(b'\n');
    }
    out
}

impl Seen {
    /// What the server knows at this moment.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn of(app: &App) -> store::Result<Self> {
        let now = app.clock.now();
        let (whole, drives, jobs, log) = app.hub(|hub| {
            let jobs: Vec<_> = hub.jobs().cloned().collect();
            (hub.view(now, true), hub.drives().to_vec(), jobs, hub.lines())
        });
        let addons: Vec<_> = app.addons.list().into_iter().collect();
        let mut files = vec![
            ("box.json".to_owned(), json(&whole)),
            ("drives.json".to_owned(), json(&drives)),
            ("jobs.json".to_owned(), json(&jobs)),
            ("log.jsonl".to_owned(), lines(log)),
            ("addons.json".to_owned(), json(&addons)),
            (
                "events.jsonl".to_owned(),
                lines(crate::app::events(&app.store, None, EVENTS)?),
            ),
            ("store.json".to_owned(), json(&sizes(app)?)),
        ];
        for (_, text) in &mut files {
            *text = without_secrets(text);
        }
        Ok(Self { files })
    }

    /// Everything as one archive; reads journal and kernel, so it may take a while.
    ///
    /// # Errors
    /// None that a person can cause: the archive is made in memory.
    pub fn pack(mut self, name: &str, made: u64) -> io::Result<Vec<u8>> {
        let journal = match journal(Path::new(JOURNAL)) {
            Ok(text) => without_secrets(&text),
            Err(error) => format!("{JOURNAL}: {error}\n").into_bytes(),
        };
        self.files.push(("journal.export".to_owned(), journal));
        for path in KERNEL {
            // What this kernel has not is not in the bundle.
            if let Ok(text) = std::fs::read(path) {
                let inside = format!("kernel/{}", path.trim_start_matches('/').replace('/', "-"));
                self.files.push((inside, without_secrets(&text)));
            }
        }
        let folder = format!("kiln-debug-{name}");
        let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
        for (file, text) in &self.files {
            let mut header = tar::Header::new_ustar();
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            header.set_mtime(made);
            archive.append_data(&mut header, format!("{folder}/{file}"), text.as_slice())?;
        }
        let mut packed = archive.into_inner()?;
        packed.flush()?;
        packed.finish()
    }
}

/// Entries in each table.
fn sizes(app: &App) -> store::Result<serde_json::Value> {
    let mut sizes = std::collections::BTreeMap::<String, (u64, u64)>::new();
    app.store.export(&[], |row| {
        let size = sizes.entry(row.table).or_default();
        size.0 += 1;
        size.1 += (row.key.len() + row.value.len()) as u64;
        Ok::<_, store::Error>(())
    })?;
    let rows = sizes
        .into_iter()
        .map(|(table, (entries, bytes))| (table, serde_json::json!({ "entries": entries, "bytes": bytes })));
    Ok(serde_json::Value::Object(rows.collect()))
}

/// The end of the journal, in the Journal Export Format.
fn journal(socket: &Path) -> io::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(JOURNAL_WAIT))?;
    let mut text = Vec::new();
    let mut piece = vec![0; 64 << 10];
    loop {
        let got = stream.read(&mut piece)?;
        if got == 0 {
            return Ok(text);
        }
        text.extend_from_slice(piece.get(..got).unwrap_or_default());
        if text.len() > 2 * JOURNAL_MOST {
            text.drain(..text.len() - JOURNAL_MOST);
        }
    }
}

/// Words after which a secret follows, up to a blank, a quote or the end of the line.
const BEFORE_SECRETS: &[&str] = &[
    "bearer ",
    "token=",
    "token\":\"",
    "token: ",
    "password=",
    "password\":\"",
    "password: ",
    "passphrase\":\"",
    "secret\":\"",
    "psk\":\"",
    "api_key\":\"",
    "apikey\":\"",
    "authorization\":\"",
    "claim: ",
    "claim code ",
    "session=",
    "kiln.admin_password=",
];

/// The text with secrets blacked out: what follows one of a few words, and every argon2 hash.
pub fn without_secrets(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let rest = text.get(at..).unwrap_or_default();
        let word = BEFORE_SECRETS.iter().find(|word| {
            rest.get(..word.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()))
        });
        let begin = match word {
            Some(word) => Some(word.len()),
            None => rest.starts_with(b"$argon2").then_some(0),
        };
        match begin {
            Some(begin) => {
                out.extend_from_slice(&rest[..begin]);
                let quoted = rest[..begin].ends_with(b"\"");
                let secret = rest[begin..]
                    .iter()
                    .position(|byte| match byte {
                        b'"' | b'\n' | 0 => true,
                        b'\'' | b'&' | b';' | b' ' | b'\t' | b'\r' => !quoted,
                        _ => false,
                    })
                    .unwrap_or(rest.len() - begin);
                if secret > 0 {
                    out.extend_from_slice(b"[secret]");
                }
                at += begin + secret;
            }
            None => {
                out.push(rest[0]);
                at += 1;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    fn black(text: &str) -> String {
        String::from_utf8(without_secrets(text.as_bytes())).unwrap()
    }

    #[test]
    fn secrets_are_blacked_out_and_the_rest_stays() {
        for (text, want) in [
            (
                "Authorization: Bearer abc.def next",
                "Authorization: Bearer [secret] next",
            ),
            (
                "GET /api/addons/ws?token=12ab&addon_id=1",
                "GET /api/addons/ws?token=[secret]&addon_id=1",
            ),
            (
                "{\"password\":\"correct horse\",\"x\":1}",
                "{\"password\":\"[secret]\",\"x\":1}",
            ),
            ("hash $argon2id$v=19$m=1$x$y.", "hash [secret]"),
            ("claim: 01AB9XYZ\nnext", "claim: [secret]\nnext"),
            ("no token here", "no token here"),
            ("token=", "token="),
        ] {
            assert_eq!(black(text), want);
        }
    }

    proptest! {
        #[test]
        fn nothing_but_the_secret_is_lost(before in "[a-z ]{0,20}", secret in "[A-Za-z0-9]{8,40}", after in "[a-z]{0,20}") {
            let out = black(&format!("{before} token={secret} {after}"));
            prop_assert!(!out.contains(&secret));
            prop_assert!(out.starts_with(&before) && out.ends_with(&after));
        }

        #[test]
        fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = without_secrets(&bytes);
        }
    }
}
