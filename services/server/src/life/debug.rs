//! The debug bundle: what somebody who helps needs to see of this box, in one `.tar.gz`, without secrets.
//!
//! What the server knows, its event log's end, the journal's end, what the kernel tells of itself, and what is left of crashes
//! and of earlier boots, which PID 1 alone may read and gives through a socket. Passwords, tokens, keys and the claim code are
//! in none of it by construction (they are stored as hashes, in other tables); values that an add-on's manifest brings for
//! secrets are left out, and what slipped into a log line all the same is blackened ([`wire::secret`]), as in the bundle of the
//! console.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::app::App;

/// The journal's export socket.
const JOURNAL: &str = "/run/kiln/journal.sock";

/// Most bytes of the journal: its end.
const JOURNAL_MOST: usize = 8 << 20;

/// Longest time that the journal may take.
const JOURNAL_WAIT: Duration = Duration::from_secs(20);

/// The socket that gives what is left of crashes and of earlier boots, as a tar archive.
const REMAINS: &str = "/run/kiln/remains.sock";

/// In that archive: what there is, and what there is not and why.
const REMAINS_TOLD: &str = "remains.txt";

/// Most bytes of that archive: the log's end, 64 crash dumps of 64 KiB, some reports.
const REMAINS_MOST: u64 = 16 << 20;

/// Most files of it.
const REMAINS_FILES: usize = 128;

/// Longest silence of whoever gives it: a slow medium is read first.
const REMAINS_WAIT: Duration = Duration::from_mins(1);

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
    super::contents::BILL,
];

/// What of the box goes into a bundle, looked up at one moment.
#[derive(Debug)]
pub struct Seen {
    files: Vec<(String, Vec<u8>)>,
}

fn json<T: Serialize>(value: &T) -> Vec<u8> {
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

/// What stands in place of a value that was left out.
const LEFT_OUT: &str = "***";

/// Leaves out what a manifest gives for a secret: the value of a variable or the default of a field that says that it is one,
/// or has such a name, as `{"DB_PASSWORD": {"value": "…"}}` and `{"name": "password", "default": "…"}`.
fn leave_secrets_out(value: &mut Value) {
    match value {
        Value::Object(map) => {
            let says = map.get("secret") == Some(&Value::Bool(true));
            let named = |key: &str| {
                map.get(key)
                    .and_then(Value::as_str)
                    .is_some_and(wire::secret::is_secret)
            };
            if says || named("name") || named("key") {
                leave_values_out(map);
            }
            for (name, inner) in map {
                if let (true, Value::Object(inner)) = (wire::secret::is_secret(name), &mut *inner) {
                    leave_values_out(inner);
                }
                leave_secrets_out(inner);
            }
        }
        Value::Array(list) => list.iter_mut().for_each(leave_secrets_out),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn leave_values_out(map: &mut Map<String, Value>) {
    for key in ["value", "default", "placeholder"] {
        if let Some(value) = map.get_mut(key).filter(|value| !value.is_null()) {
            *value = LEFT_OUT.into();
        }
    }
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
        let mut addons = serde_json::to_value(app.addons.list()).unwrap_or_default();
        leave_secrets_out(&mut addons);
        let files = vec![
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
        Ok(Self { files })
    }

    /// Everything as one archive; reads journal, kernel and what PID 1 keeps, so it may take a while.
    ///
    /// # Errors
    /// None that a person can cause: the archive is made in memory.
    pub fn pack(mut self, name: &str, made: u64) -> io::Result<Vec<u8>> {
        let journal = journal(Path::new(JOURNAL));
        let journal = journal.unwrap_or_else(|error| format!("{JOURNAL}: {error}\n").into_bytes());
        self.files.push(("journal.export".to_owned(), journal));
        self.files.extend(remains(Path::new(REMAINS)));
        for path in KERNEL {
            // What this kernel has not is not in the bundle.
            if let Ok(text) = std::fs::read(path) {
                let inside = format!("kernel/{}", path.trim_start_matches('/').replace('/', "-"));
                self.files.push((inside, text));
            }
        }
        let known = known();
        let folder = format!("kiln-debug-{name}");
        let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
        for (file, text) in &self.files {
            let text = wire::secret::blacken(text, &known);
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
fn sizes(app: &App) -> store::Result<Value> {
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
    Ok(Value::Object(rows.collect()))
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

/// What is left of crashes and of earlier boots: names and contents. What could not be had is told in one of them.
fn remains(socket: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    if let Err(error) = take_remains(socket, &mut files) {
        let told = format!(
            "{}: {error}. So reports of crashes, crash dumps of the kernel and the log of earlier boots are missing here, or not all of them are here.\n",
            socket.display()
        );
        match files.iter_mut().find(|(name, _)| name == REMAINS_TOLD) {
            Some((_, text)) => text.extend_from_slice(told.as_bytes()),
            None => files.push((REMAINS_TOLD.to_owned(), told.into_bytes())),
        }
    }
    files
}

fn take_remains(socket: &Path, files: &mut Vec<(String, Vec<u8>)>) -> io::Result<()> {
    let wrong = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
    let stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(REMAINS_WAIT))?;
    let mut archive = tar::Archive::new(stream.take(REMAINS_MOST));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.is_empty() || files.len() >= REMAINS_FILES {
            return Err(wrong(format!("it gave {}, which is not taken", path.display())));
        }
        let mut text = Vec::new();
        entry.read_to_end(&mut text)?;
        let whole = text.len() as u64 == entry.size();
        files.push((name.to_owned(), text));
        if !whole {
            return Err(wrong(format!("it ended within {name}")));
        }
    }
    match files.is_empty() {
        true => Err(wrong("it gave nothing".to_owned())),
        false => Ok(()),
    }
}

/// Secrets that this process was started with.
fn known() -> Vec<String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| wire::secret::is_secret(name))
        .map(|(_, value)| value)
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn what_a_manifest_brings_for_secrets_is_left_out() {
        let variable = |value: &str| serde_json::json!({ "source": "literal", "value": value });
        let mut addons = serde_json::json!([{ "manifest": { "pages": [{ "components": [
            { "config": { "docker": { "environment": {
                "API": { "source": "literal", "value": "said", "secret": true },
                "DB_PASSWORD": variable("named"),
                "PORT": variable("8080"),
            } } } },
            { "config": { "fields": [
                { "name": "password", "default": "preset", "label": "Password" },
                { "name": "count", "default": 3 },
            ] } },
        ] }] } }]);
        leave_secrets_out(&mut addons);
        let text = addons.to_string();
        for secret in ["said", "named", "preset"] {
            assert!(!text.contains(secret), "{text}");
        }
        for open in ["\"8080\"", "\"label\":\"Password\"", "\"default\":3", "\"secret\":true"] {
            assert!(text.contains(open), "{open}: {text}");
        }
    }

    /// What a server gets of whoever answers with these bytes.
    fn got(bytes: Vec<u8>) -> Vec<(String, Vec<u8>)> {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("s");
        let listener = UnixListener::bind(&socket).unwrap();
        let gives = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // Whoever has read enough hangs up.
            let _ = stream.write_all(&bytes);
        });
        let files = remains(&socket);
        gives.join().unwrap();
        files
    }

    fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut archive = tar::Builder::new(Vec::new());
        for (name, text) in files {
            let mut header = tar::Header::new_ustar();
            header.set_size(text.len() as u64);
            archive
                .append_data(&mut header, format!("remains/{name}"), *text)
                .unwrap();
        }
        archive.into_inner().unwrap()
    }

    #[test]
    fn what_is_left_of_crashes_is_taken_and_what_is_missing_is_told() {
        let long = vec![b'x'; 2000];
        let files: [(&str, &[u8]); 3] = [
            ("remains.txt", b"told\n"),
            ("crash-1-server-7.txt", b"server crashed"),
            ("journal-earlier.export", &long),
        ];
        let whole = archive(&files);
        let owned = |(name, text): &(&str, &[u8])| ((*name).to_owned(), text.to_vec());
        assert_eq!(got(whole.clone()), files.iter().map(owned).collect::<Vec<_>>());

        let told = |files: &[(String, Vec<u8>)], what: &str| {
            let (_, text) = files.iter().find(|(name, _)| name == "remains.txt").unwrap();
            let text = String::from_utf8_lossy(text).into_owned();
            assert!(text.contains(what) && text.contains("missing here"), "{text}");
        };
        let cut = got(whole[..whole.len() - 2048].to_vec());
        assert_eq!(cut.len(), 3);
        assert!(cut[2].1.len() < long.len() && cut[0].1.starts_with(b"told\n"));
        told(&cut, "ended within journal-earlier.export");
        told(&got(Vec::new()), "it gave nothing");
        told(&got(vec![b'x'; 4096]), "s: ");
        told(&remains(Path::new("/nonexistent/s")), "/nonexistent/s: No such file");
        let many: Vec<String> = (0..REMAINS_FILES + 9).map(|n| format!("crash-{n}")).collect();
        let many: Vec<(&str, &[u8])> = many.iter().map(|name| (name.as_str(), &b""[..])).collect();
        let some = got(archive(&many));
        assert_eq!(some.len(), REMAINS_FILES + 1);
        told(&some, "which is not taken");
    }
}
