//! The log of earlier boots: what the files on DATA have of them, in the Journal Export Format.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::{entry, store};

/// The end of what is kept of earlier boots.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Earlier {
    /// Whole entries, oldest first.
    pub(crate) bytes: Vec<u8>,
    /// There are older ones.
    pub(crate) cut: bool,
    /// What could not be read, and why.
    pub(crate) missing: Vec<String>,
}

/// Tries to read files while none of them is closed and compressed meanwhile.
const TRIES: usize = 3;

/// Reads the entries in `dir` that are not of `boot`, the newest of them, `most` bytes at most.
pub(crate) fn read(dir: &Path, boot: &str, most: usize) -> Earlier {
    let mut last = Earlier::default();
    for _ in 0..TRIES {
        let before = store::old(dir).map(|files| files.len());
        last = once(dir, boot, most);
        if before.ok() == store::old(dir).map(|files| files.len()).ok() {
            break;
        }
    }
    last
}

fn once(dir: &Path, boot: &str, most: usize) -> Earlier {
    let mut found = Earlier::default();
    let old = match store::old(dir) {
        Ok(old) => old,
        Err(e) => {
            found.missing.push(format!("{}: {e}", dir.display()));
            return found;
        }
    };
    let paths = old.into_iter().map(|f| f.1).chain([dir.join(store::CURRENT)]);
    let mut parts: Vec<Vec<u8>> = Vec::new();
    let mut room = most;
    for path in paths.rev() {
        let mut bytes = Vec::new();
        match text(&path, &mut bytes) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            // What stands before the damaged place is taken all the same.
            Err(e) => found.missing.push(format!("{}: {e}", path.display())),
        }
        let entries: Vec<&[u8]> = entries(&bytes).filter(|e| !is_of(e, boot)).collect();
        let fit = entries.iter().rev().take_while(|e| {
            let fits = e.len() <= room;
            room = if fits { room - e.len() } else { 0 };
            fits
        });
        let fit = fit.count();
        parts.push(entries[entries.len() - fit..].concat());
        if fit < entries.len() {
            found.cut = true;
            break;
        }
    }
    parts.reverse();
    found.bytes = parts.concat();
    found
}

/// Reads a file of the journal's, compressed or not.
fn text(path: &Path, into: &mut Vec<u8>) -> io::Result<()> {
    let file = File::open(path)?;
    match path.extension().is_some_and(|e| e == "gz") {
        true => flate2::read::GzDecoder::new(file)
            .take(store::FILE_MOST)
            .read_to_end(into)?,
        false => file.take(store::FILE_MOST).read_to_end(into)?,
    };
    Ok(())
}

/// Whole entries; halves, which a power cut leaves, are left out.
pub(super) fn entries(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let (_, behind) = entry::fields(rest);
            let (one, next) = rest.split_at(rest.len() - behind.len());
            rest = next;
            if one.len() > 1 && entry::whole(one) == one.len() {
                return Some(one);
            }
        }
        None
    })
}

/// Whether the journal wrote that in this boot: it puts the boot's id last.
fn is_of(entry: &[u8], boot: &str) -> bool {
    entry.ends_with(format!("\n_BOOT_ID={boot}\n\n").as_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::io::Write;

    fn line(text: &str, boot: &str) -> String {
        format!("MESSAGE={text}\n_BOOT_ID={boot}\n\n")
    }

    fn compressed(path: &Path, text: &[u8]) {
        let mut gz = flate2::write::GzEncoder::new(File::create(path).unwrap(), flate2::Compression::fast());
        gz.write_all(text).unwrap();
        gz.finish().unwrap();
    }

    #[test]
    fn entries_of_other_boots_come_oldest_first_and_the_newest_of_them_fit() {
        let dir = tempfile::tempdir().unwrap();
        let at = |n: &str| dir.path().join(n);
        compressed(
            &at("00000001.export.gz"),
            (line("one", "a") + &line("two", "a")).as_bytes(),
        );
        let binary = b"MESSAGE\n\x04\0\0\0\0\0\0\0a\n\nb\n_BOOT_ID=b\n\n";
        // Half an entry, as a power cut leaves it.
        compressed(
            &at("00000002.export.gz"),
            &[binary, &b"MESSAGE\n\xff\0\0\0\0\0\0\0half"[..]].concat(),
        );
        std::fs::write(at("current.export"), line("three", "b") + &line("now", "c")).unwrap();
        let all = read(dir.path(), "c", 1000);
        let wanted = [
            line("one", "a").as_bytes(),
            line("two", "a").as_bytes(),
            binary,
            line("three", "b").as_bytes(),
        ]
        .concat();
        assert_eq!(
            all,
            Earlier {
                bytes: wanted,
                ..Earlier::default()
            }
        );
        assert_eq!(entry::whole(&all.bytes), all.bytes.len());
        let some = read(dir.path(), "c", line("three", "b").len() + binary.len() + 1);
        let wanted = [binary, line("three", "b").as_bytes()].concat();
        assert_eq!((some.bytes, some.cut), (wanted, true));
    }

    #[test]
    fn a_damaged_file_is_told_and_the_others_are_read() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("00000001.export.gz"), "no archive").unwrap();
        compressed(&dir.path().join("00000002.export.gz"), line("two", "a").as_bytes());
        let found = read(dir.path(), "c", 1000);
        assert_eq!(found.bytes, line("two", "a").as_bytes());
        assert!(
            found.missing.len() == 1 && found.missing[0].contains("00000001.export.gz"),
            "{found:?}"
        );
        let gone = read(&dir.path().join("gone"), "c", 1000);
        assert!(gone.bytes.is_empty() && gone.missing.len() == 1, "{gone:?}");
    }
}
