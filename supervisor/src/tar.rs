//! A tar archive (POSIX ustar) of files that are in memory.

use std::io::{self, Write};

/// Bytes of a block.
const BLOCK: usize = 512;

/// Writes files, by name and content, below one folder, and the archive's end.
///
/// # Errors
/// `out` does not take it.
pub(crate) fn write(out: &mut impl Write, folder: &str, files: &[(String, Vec<u8>)]) -> io::Result<()> {
    for (name, bytes) in files {
        out.write_all(&header(&format!("{folder}/{name}"), bytes.len()))?;
        out.write_all(bytes)?;
        out.write_all(&[0u8; BLOCK][..bytes.len().next_multiple_of(BLOCK) - bytes.len()])?;
    }
    out.write_all(&[0u8; 2 * BLOCK])
}

/// The head of one file; a name that is too long for it is cut.
fn header(name: &str, size: usize) -> [u8; BLOCK] {
    let mut h = [0u8; BLOCK];
    let mut put = |at: usize, text: &str| {
        for (to, from) in h[at..].iter_mut().zip(text.bytes()) {
            *to = from;
        }
    };
    put(0, name.get(..99).unwrap_or(name));
    put(100, "0000644\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{size:011o}\0"));
    put(136, &format!("{:011o}\0", wire::Time::now().as_second().max(0)));
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    let sum: u32 = h.iter().map(|b| u32::from(*b)).sum();
    for (to, from) in h[148..].iter_mut().zip(format!("{sum:06o}\0 ").bytes()) {
        *to = from;
    }
    h
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::fs;

    #[test]
    fn tar_reads_the_archive() {
        let dir = tempfile::tempdir().unwrap();
        let files = vec![
            ("a.txt".to_owned(), b"one".to_vec()),
            ("b".repeat(200), vec![7u8; 1024]),
            ("c".into(), Vec::new()),
        ];
        write(
            &mut fs::File::create(dir.path().join("x.tar")).unwrap(),
            "kiln-debug",
            &files,
        )
        .unwrap();
        let tar = std::process::Command::new("tar")
            .args(["-xf", "x.tar"])
            .current_dir(dir.path())
            .output()
            .unwrap();
        assert!(tar.status.success(), "{}", String::from_utf8_lossy(&tar.stderr));
        let at = dir.path().join("kiln-debug");
        assert_eq!(fs::read(at.join("a.txt")).unwrap(), b"one");
        assert_eq!(fs::read_dir(&at).unwrap().count(), 3);
        assert_eq!(fs::read(at.join("c")).unwrap(), b"");
    }
}
