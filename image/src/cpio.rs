//! Archives for the kernel's initramfs: cpio "newc", uncompressed, sorted, with fixed times and numbers.
//!
//! The same entries give the same bytes, whatever the build machine's file system says about owner, time or inode.

use std::collections::BTreeMap;

/// Time of every entry: 1 January 2026, UTC, in seconds.
pub const EPOCH: u32 = 1_767_225_600;

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A directory with its permissions.
    Dir(u32),
    /// A file with its permissions.
    File(u32, Vec<u8>),
    /// A symbolic link to this target.
    Link(String),
    /// A character device: permissions, major, minor.
    Char(u32, u32, u32),
}

/// An archive being put together; paths are relative, without a leading slash.
#[derive(Debug, Clone, Default)]
pub struct Archive {
    entries: BTreeMap<String, Node>,
}

impl Archive {
    /// Adds an entry, and the directories that lead to it.
    pub fn add(&mut self, path: &str, node: Node) {
        for (i, _) in path.match_indices('/') {
            self.entries.entry(path[..i].to_owned()).or_insert(Node::Dir(0o755));
        }
        self.entries.insert(path.to_owned(), node);
    }

    /// The archive's bytes; parents come before what they hold.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (number, (path, node)) in self.entries.iter().enumerate() {
            let ino = field(number).saturating_add(1);
            match node {
                Node::Dir(mode) => entry(&mut out, path, 0o040_000 | mode, ino, &[], (0, 0)),
                Node::File(mode, bytes) => entry(&mut out, path, 0o100_000 | mode, ino, bytes, (0, 0)),
                Node::Link(target) => entry(&mut out, path, 0o120_777, ino, target.as_bytes(), (0, 0)),
                Node::Char(mode, major, minor) => entry(&mut out, path, 0o020_000 | mode, ino, &[], (*major, *minor)),
            }
        }
        entry(&mut out, "TRAILER!!!", 0, 0, &[], (0, 0));
        // GRUB and the kernel accept 4; 512 keeps whatever is appended aligned for tools that read blocks.
        out.resize(out.len().next_multiple_of(512), 0);
        out
    }
}

fn entry(out: &mut Vec<u8>, path: &str, mode: u32, ino: u32, data: &[u8], device: (u32, u32)) {
    let mtime = if ino == 0 { 0 } else { EPOCH };
    let links = if mode & 0o170_000 == 0o040_000 { 2 } else { 1 };
    let fields = [
        ino,
        mode,
        0,
        0,
        links,
        mtime,
        field(data.len()),
        0,
        0,
        device.0,
        device.1,
        field(path.len()).saturating_add(1),
        0,
    ];
    out.extend(b"070701");
    for f in fields {
        out.extend(format!("{f:08X}").bytes());
    }
    out.extend(path.bytes());
    out.push(0);
    out.resize(out.len().next_multiple_of(4), 0);
    out.extend(data);
    out.resize(out.len().next_multiple_of(4), 0);
}

/// A number as a header has room for it. Behind a file too large for that nobody finds the next entry, neither we nor the kernel.
fn field(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// Paths and sizes in an archive.
///
/// # Errors
/// Where and how it is malformed.
pub fn list(bytes: &[u8]) -> Result<Vec<(String, u32)>, String> {
    let all = members(bytes)?.into_iter();
    Ok(all
        .map(|(name, content)| (name, u32::try_from(content.len()).unwrap_or(u32::MAX)))
        .collect())
}

/// Content of a file in an archive; of two with one path the last, as the kernel has it.
///
/// # Errors
/// As [`list`], or that there is no such file.
pub fn content<'a>(bytes: &'a [u8], path: &str) -> Result<&'a [u8], String> {
    let mut all = members(bytes)?.into_iter().rev();
    let found = all.find(|(name, _)| name == path);
    found.map(|(_, content)| content).ok_or(format!("it has no {path}"))
}

fn members(bytes: &[u8]) -> Result<Vec<(String, &[u8])>, String> {
    let mut at = 0;
    let mut all = Vec::new();
    loop {
        let head = bytes
            .get(at..at + 110)
            .ok_or(format!("the archive ends at byte {at} without a trailer"))?;
        if &head[..6] != b"070701" {
            return Err(format!("no cpio entry at byte {at}"));
        }
        let field = |i: usize| {
            let digits = std::str::from_utf8(&head[6 + i * 8..14 + i * 8]).unwrap_or("");
            u32::from_str_radix(digits, 16).map_err(|_| format!("malformed number in the entry at byte {at}"))
        };
        let (size, name_len) = (field(6)?, field(11)? as usize);
        let name = bytes
            .get(at + 110..at + 110 + name_len)
            .ok_or(format!("the name at byte {at} is cut off"))?;
        let name = String::from_utf8_lossy(name.strip_suffix(&[0]).unwrap_or(name)).into_owned();
        if name == "TRAILER!!!" {
            return Ok(all);
        }
        let begin = (at + 110 + name_len).next_multiple_of(4);
        let content = bytes
            .get(begin..begin + size as usize)
            .ok_or(format!("{name} is cut off"))?;
        at = (begin + size as usize).next_multiple_of(4);
        all.push((name, content));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::io::Write;

    fn some() -> Archive {
        let mut a = Archive::default();
        a.add("kiln/early/x.ko", Node::File(0o644, vec![1, 2, 3]));
        a.add("init", Node::File(0o755, b"#!".to_vec()));
        a.add("lib", Node::Link("usr/lib".into()));
        a.add("dev/console", Node::Char(0o600, 5, 1));
        a
    }

    #[test]
    fn entries_are_sorted_and_parents_come_first() {
        let names: Vec<String> = list(&some().bytes()).unwrap().into_iter().map(|(n, _)| n).collect();
        assert_eq!(
            names,
            [
                "dev",
                "dev/console",
                "init",
                "kiln",
                "kiln/early",
                "kiln/early/x.ko",
                "lib"
            ]
        );
    }

    #[test]
    fn the_order_of_adding_does_not_matter() {
        let mut b = Archive::default();
        b.add("lib", Node::Link("usr/lib".into()));
        b.add("dev/console", Node::Char(0o600, 5, 1));
        b.add("init", Node::File(0o755, b"#!".to_vec()));
        b.add("kiln/early/x.ko", Node::File(0o644, vec![1, 2, 3]));
        assert_eq!(some().bytes(), b.bytes());
    }

    #[test]
    fn a_truncated_archive_is_told() {
        let b = some().bytes();
        for n in [0, 50, 200, 400] {
            assert!(list(&b[..n]).is_err(), "{n}");
        }
    }

    #[test]
    fn cpio_reads_it() {
        let Ok(mut child) = std::process::Command::new("cpio")
            .args(["-t", "--quiet"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
        else {
            return rig::not_run("cpio is not installed");
        };
        child.stdin.take().unwrap().write_all(&some().bytes()).unwrap();
        let out = child.wait_with_output().unwrap();
        assert!(out.status.success());
        assert!(String::from_utf8_lossy(&out.stdout).contains("kiln/early/x.ko"));
    }
}
