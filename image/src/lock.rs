//! The lock file: which version of each package an image is made of, with its hash.
//!
//! One line a package, sorted, so that a change reads well in a diff:
//! `NAME ARCH VERSION SHA256 REQUESTED-BY`. It is written by the builder and kept in the tree. Asking the archive
//! is `packages`' work; nothing here goes to the network.

use crate::error::{At, Error, Result};
use std::{collections::BTreeMap, fmt::Write as _, path::Path};

/// One package at one version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Locked {
    /// Package name.
    pub name: String,
    /// Debian architecture it was asked for (a package of `all` is the same file for each).
    pub arch: String,
    /// Debian version, with epoch.
    pub version: String,
    /// SHA-256 of the `.deb`, in hex.
    pub sha256: String,
}

/// Packages by the request that brought them (name and architecture).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lock {
    entries: BTreeMap<(String, String), Vec<Locked>>,
}

const HEAD: &str = "# Written by kiln-image: package, architecture, version, SHA-256, requested by. Delete a line to have it chosen anew.\n";

impl Lock {
    /// Reads a lock file; one that is not there is empty.
    ///
    /// # Errors
    /// [`Error::Lock`] with file and line.
    pub fn read(path: &Path) -> Result<Self> {
        let text = match std::fs::read_to_string(path) {
            Ok(t) => t,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(e) => return Err(e).at("reading", path),
        };
        Self::parse(&text).map_err(|what| Error::Lock {
            file: path.to_owned(),
            what,
        })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut lock = Self::default();
        for (n, line) in text.lines().enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let [name, arch, version, sha256, by] = line.split(' ').collect::<Vec<_>>()[..] else {
                return Err(format!(
                    "line {}: {line:?}; expected package, architecture, version, SHA-256 and the request, separated by spaces",
                    n + 1
                ));
            };
            if sha256.len() != 64 || !sha256.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(format!(
                    "line {}: {sha256:?} is no SHA-256; expected 64 hexadecimal digits",
                    n + 1
                ));
            }
            lock.entries
                .entry((by.to_owned(), arch.to_owned()))
                .or_default()
                .push(Locked {
                    name: name.to_owned(),
                    arch: arch.to_owned(),
                    version: version.to_owned(),
                    sha256: sha256.to_owned(),
                });
        }
        Ok(lock)
    }

    /// What a request was resolved to.
    #[must_use]
    pub fn get(&self, request: &str, arch: &str) -> &[Locked] {
        self.entries
            .get(&(request.to_owned(), arch.to_owned()))
            .map_or(&[], Vec::as_slice)
    }

    /// Records what a request was resolved to.
    pub fn set(&mut self, request: &str, arch: &str, mut packages: Vec<Locked>) {
        packages.sort();
        self.entries.insert((request.to_owned(), arch.to_owned()), packages);
    }

    /// Forgets requests that are no longer made.
    pub fn keep(&mut self, wanted: impl Fn(&str, &str) -> bool) {
        self.entries.retain(|(r, a), _| wanted(r, a));
    }

    /// All packages, sorted, each once.
    #[must_use]
    pub fn packages(&self) -> Vec<Locked> {
        let mut all: Vec<Locked> = self.entries.values().flatten().cloned().collect();
        all.sort();
        all.dedup();
        all
    }

    /// The file's text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut lines = Vec::new();
        for ((by, _), packages) in &self.entries {
            for p in packages {
                let mut line = String::new();
                let _ = write!(line, "{} {} {} {} {by}", p.name, p.arch, p.version, p.sha256);
                lines.push(line);
            }
        }
        lines.sort();
        format!("{HEAD}{}\n", lines.join("\n"))
    }

    /// Writes the file when its text has changed.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = self.text();
        if std::fs::read_to_string(path).is_ok_and(|old| old == text) {
            return Ok(());
        }
        std::fs::write(path, text).at("writing", path)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn some() -> Lock {
        let mut l = Lock::default();
        let p = |name: &str, v: &str| Locked {
            name: name.into(),
            arch: "amd64".into(),
            version: v.into(),
            sha256: "ab".repeat(32),
        };
        l.set(
            "linux-image-amd64",
            "amd64",
            vec![p("linux-image-amd64", "6.12"), p("linux-image-6.12-amd64", "6.12")],
        );
        l.set("zlib1g", "amd64", vec![p("zlib1g", "1:1.3")]);
        l
    }

    #[test]
    fn what_is_written_is_read_back() {
        assert_eq!(Lock::parse(&some().text()).unwrap(), some());
    }

    #[test]
    fn a_malformed_line_is_named() {
        let e = Lock::parse("# head\nzlib1g amd64 1\n").unwrap_err();
        assert!(e.contains("line 2") && e.contains("expected"), "{e}");
        let e = Lock::parse("zlib1g amd64 1 xyz zlib1g\n").unwrap_err();
        assert!(e.contains("line 1") && e.contains("SHA-256"), "{e}");
    }

    /// apt finds a package of all architectures by no other name than `:all`, so such a request fails on a fresh machine.
    #[test]
    fn a_file_that_boards_of_two_architectures_share_is_asked_for_as_of_all() {
        let boards = crate::workspace::Workspace::find().boards();
        let locked = |name: &str| Lock::read(&boards.join(name).join("packages.lock")).unwrap().packages();
        let (pc, arm) = (locked("x86-64"), locked("arm64"));
        for one in &pc {
            let other = arm
                .iter()
                .find(|same| same.sha256 == one.sha256 && same.arch != one.arch);
            assert_eq!(other, None, "{one:?}: give it `arch = \"all\"` in the board files");
        }
        assert!(pc.iter().any(|one| one.arch == "all"), "there is such a package");
    }
}
