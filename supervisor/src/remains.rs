//! What is left of crashes and of earlier boots: the files of it that a debug bundle takes, whoever makes the bundle.
//!
//! Reports of services that crashed, the kernel's dumps, PID 1's own faults, why the last boot ended, and the log of earlier
//! boots; `remains.txt` says of each what there is and what there is not. Every file and all of them together are bounded.
//! Never the cores beside the reports: memory holds secrets, so only that they are there is told. Secrets that slipped into a
//! text are still in it; whoever makes the bundle blackens them (`wire::secret`).

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use crate::boot::end::{pstore, record};
use crate::crash;
use crate::journal::earlier;

/// The file that tells what there is.
pub(crate) const TOLD: &str = "remains.txt";
/// The log of earlier boots.
pub(crate) const EARLIER: &str = "journal-earlier.export";
/// Longest of the other files, in bytes; none that is kept is longer.
const FILE_MAX: u64 = 64 << 10;
/// Longest log of earlier boots, in bytes: its end. As much as the journal has in memory of this one.
const EARLIER_MAX: usize = 8 << 20;

/// Names and contents, from PID 1's `folder` and the journal's on DATA; `boot`: this one's id, as the journal writes it.
pub(crate) fn collect(folder: &Path, journal: &Path, boot: &str) -> Vec<(String, Vec<u8>)> {
    let mut found = Found::default();
    for name in [record::BEFORE, record::FAULTS] {
        match folder.join(name) {
            path if path.exists() => found.take(name, &path),
            _ => found.tell(&format!("{name}: there is none")),
        }
    }
    let crashes = folder.join("crashes");
    let reports = crash::reports(&crashes);
    if reports.is_empty() {
        found.tell("reports of services that crashed: none is kept");
    }
    for path in reports {
        found.take(&format!("crash-{}", file_name(&path)), &path);
    }
    for (name, bytes) in crash::cores(&crashes) {
        found.tell(&format!(
            "{name}: {bytes} bytes of memory, which may hold secrets, so they stay on the box ({})",
            crashes.display()
        ));
    }
    let dumps = pstore::kept(folder);
    if dumps.is_empty() {
        found.tell("crash dumps of the kernel: none is kept");
    }
    for path in dumps {
        found.take(&format!("pstore-{}", file_name(&path)), &path);
    }
    let log = earlier::read(journal, boot, EARLIER_MAX);
    for why in &log.missing {
        found.tell(&format!("{EARLIER}: {why}"));
    }
    match log.bytes.len() {
        0 => found.tell(&format!("{EARLIER}: no line of an earlier boot is kept")),
        n if log.cut => found.tell(&format!("{EARLIER}: the last {n} bytes; older lines are on the box")),
        n => found.tell(&format!("{EARLIER}: {n} bytes")),
    }
    if !log.bytes.is_empty() {
        found.files.push((EARLIER.into(), log.bytes));
    }
    let mut files = vec![(TOLD.to_owned(), found.told.into_bytes())];
    files.extend(found.files);
    files
}

#[derive(Default)]
struct Found {
    told: String,
    files: Vec<(String, Vec<u8>)>,
}

impl Found {
    fn tell(&mut self, line: &str) {
        self.told.push_str(line);
        self.told.push('\n');
    }

    fn take(&mut self, name: &str, path: &Path) {
        match read(path) {
            Ok(bytes) => {
                self.tell(&format!("{name}: {} bytes", bytes.len()));
                self.files.push((name.to_owned(), bytes));
            }
            Err(e) => self.tell(&format!("{name}: it could not be read: {e}")),
        }
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(FILE_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn all_that_is_kept_is_there_but_no_core_and_what_is_not_there_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let at = |p: &str| dir.path().join(p);
        let none = collect(&at("supervisor"), &at("journal"), "b2");
        let [(name, told)] = &none[..] else { panic!("{none:?}") };
        let told = String::from_utf8_lossy(told);
        assert_eq!(name, TOLD);
        for what in [
            "last-reboot.before: there is none",
            "crashed: none is kept",
            "kernel: none",
            "journal-earlier.export: ",
        ] {
            assert!(told.contains(what), "{what}: {told}");
        }

        fs::create_dir_all(at("supervisor/crashes")).unwrap();
        fs::create_dir_all(at("supervisor/pstore")).unwrap();
        fs::create_dir_all(at("journal")).unwrap();
        fs::write(at("supervisor/faults"), "b1 signal 11\n").unwrap();
        fs::write(at("supervisor/crashes/000000000001-server-7.txt"), "server crashed\n").unwrap();
        fs::write(at("supervisor/crashes/000000000001-server-7.core.gz"), "hunter2").unwrap();
        fs::write(at("supervisor/pstore/dmesg-erst-1"), vec![b'x'; 1 << 20]).unwrap();
        fs::write(
            at("journal/current.export"),
            "MESSAGE=old\n_BOOT_ID=b1\n\nMESSAGE=new\n_BOOT_ID=b2\n\n",
        )
        .unwrap();
        let files = collect(&at("supervisor"), &at("journal"), "b2");
        let names: Vec<&str> = files.iter().map(|(n, _)| n.as_str()).collect();
        assert_eq!(
            names,
            [
                TOLD,
                "faults",
                "crash-000000000001-server-7.txt",
                "pstore-dmesg-erst-1",
                EARLIER
            ]
        );
        assert_eq!(files[3].1.len() as u64, FILE_MAX);
        assert_eq!(files[4].1, b"MESSAGE=old\n_BOOT_ID=b1\n\n");
        let told = String::from_utf8_lossy(&files[0].1);
        assert!(
            told.contains("000000000001-server-7.core.gz: 7 bytes of memory"),
            "{told}"
        );
        assert!(
            files
                .iter()
                .all(|(_, b)| !String::from_utf8_lossy(b).contains("hunter2"))
        );
    }
}
