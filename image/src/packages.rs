//! From requests to unpacked Debian packages: lock file first, then the cache, then the archive.
//!
//! A build whose packages are all in the cache does not touch the network. A version that the archive has dropped is
//! replaced by the newest with a printed notice. Packages are never installed: `dpkg-deb -x` unpacks them, no
//! maintainer script runs.

use crate::{
    apt::Apt,
    board::{Arch, Board, Request},
    error::{At, Error, Result},
    exec,
    lock::{Lock, Locked},
    workspace::Workspace,
};
use sha2::{Digest, Sha256};
use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::Command,
};

/// A package, unpacked.
#[derive(Debug, Clone)]
pub struct Unpacked {
    /// What it is.
    pub package: Locked,
    /// Where its files are.
    pub dir: PathBuf,
}

/// The packages of one board (or of the cross compiler), fetched on demand.
#[derive(Debug)]
pub struct Packages {
    apt: Apt,
    lock: Lock,
    lock_file: PathBuf,
    debs: PathBuf,
    unpacked: PathBuf,
    asked: Vec<(String, String)>,
    refresh: bool,
}

impl Packages {
    /// Packages that go into a board's image or build it; locked in `boards/NAME/packages.lock`.
    ///
    /// # Errors
    /// When the lock file is malformed or the cache cannot be made.
    pub fn of_board(ws: &Workspace, board: &Board, refresh: bool) -> Result<Self> {
        Self::open(ws, &board.suite, board, board.dir.join("packages.lock"), refresh)
    }

    /// Packages of the cross compiler; locked in `boards/cross.lock`.
    ///
    /// # Errors
    /// As [`Packages::of_board`].
    pub fn of_cross(ws: &Workspace, board: &Board, refresh: bool) -> Result<Self> {
        Self::open(ws, &board.cross.suite, board, ws.boards().join("cross.lock"), refresh)
    }

    fn open(ws: &Workspace, suite: &str, board: &Board, lock_file: PathBuf, refresh: bool) -> Result<Self> {
        Ok(Self {
            apt: Apt::new(
                ws.cache(&format!("apt-{suite}"))?,
                suite,
                &board.mirror,
                &board.security_mirror,
            )?,
            lock: Lock::read(&lock_file)?,
            lock_file,
            debs: ws.cache("debs")?,
            unpacked: ws.cache("unpacked")?,
            asked: Vec::new(),
            refresh,
        })
    }

    /// Whether all that the requests ask for is locked and was fetched before.
    pub fn has(&self, requests: &[Request], arch: &str) -> bool {
        requests.iter().all(|r| {
            let have = self.lock.get(&r.name, r.arch.as_deref().unwrap_or(arch));
            !have.is_empty() && have.iter().all(|p| self.cached(p))
        })
    }

    /// Fetches and unpacks what the requests ask for, in their order.
    ///
    /// # Errors
    /// When a package cannot be had or is not what the lock file says.
    pub fn get(&mut self, requests: &[Request], arch: &str) -> Result<Vec<Vec<Unpacked>>> {
        let wanted: Vec<(&Request, String)> = requests
            .iter()
            .map(|r| (r, r.arch.clone().unwrap_or_else(|| arch.to_owned())))
            .collect();
        let missing: Vec<(&Request, String)> = wanted
            .iter()
            .filter(|(r, a)| {
                let have = self.lock.get(&r.name, a);
                self.refresh || have.is_empty() || have.iter().any(|p| !self.cached(p))
            })
            .cloned()
            .collect();
        if !missing.is_empty() {
            self.resolve(&missing)?;
        }
        self.asked
            .extend(wanted.iter().map(|(r, a)| (r.name.clone(), a.clone())));
        wanted
            .iter()
            .map(|(r, a)| {
                let packages = self.lock.get(&r.name, a).to_vec();
                packages.iter().map(|p| self.unpack(p)).collect()
            })
            .collect()
    }

    /// Writes the lock file, without requests that were not made since it was opened.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> Result<Lock> {
        let asked = self.asked;
        self.lock.keep(|r, a| asked.iter().any(|(n, b)| n == r && a == b));
        self.lock.write(&self.lock_file)?;
        Ok(self.lock)
    }

    fn deb(&self, p: &Locked) -> PathBuf {
        self.debs.join(format!("{}_{}_{}.deb", p.name, p.arch, &p.sha256[..16]))
    }

    fn cached(&self, p: &Locked) -> bool {
        self.deb(p).exists()
    }

    fn resolve(&mut self, requests: &[(&Request, String)]) -> Result<()> {
        let mut download = Vec::new();
        for (request, arch) in requests {
            let mut chosen: Vec<Locked> = Vec::new();
            let mut todo = vec![request.name.clone()];
            let old = if self.refresh {
                Vec::new()
            } else {
                self.lock.get(&request.name, arch).to_vec()
            };
            while let Some(name) = todo.pop() {
                if chosen.iter().any(|p| p.name == name) {
                    continue;
                }
                let offers = self
                    .apt
                    .show(&[(name.clone(), arch.clone())])?
                    .into_values()
                    .flatten()
                    .collect::<Vec<_>>();
                let pinned = old.iter().find(|p| p.name == name);
                let same = pinned.and_then(|p| offers.iter().find(|o| o.package.version == p.version));
                let Some(offer) = same.or_else(|| offers.first()) else {
                    // apt knows a package of all architectures by no other name.
                    let every = (name.clone(), "all".to_owned());
                    let hint = match self.apt.show(std::slice::from_ref(&every))?.remove(&every) {
                        Some(offers) if !offers.is_empty() => "; it is of all architectures: give it `arch = \"all\"`",
                        _ => "",
                    };
                    return Err(Error::Package {
                        package: format!("{name}:{arch}"),
                        what: format!(
                            "not in the archive (asked for by {:?} in the board files){hint}",
                            request.name
                        ),
                    });
                };
                if let (Some(p), None) = (pinned, same) {
                    println!(
                        "notice: {name} {} ({arch}) is no longer in the archive; taking {}",
                        p.version, offer.package.version
                    );
                }
                if let (Some(p), Some(o)) = (pinned, same)
                    && p.sha256 != o.package.sha256
                {
                    return Err(Error::Package {
                        package: format!("{name}:{arch}"),
                        what: format!(
                            "version {} has SHA-256 {} in the archive and {} in {}: one of them was tampered with",
                            p.version,
                            o.package.sha256,
                            p.sha256,
                            self.lock_file.display()
                        ),
                    });
                }
                todo.extend(
                    offer
                        .depends
                        .iter()
                        .filter(|d| request.follow.iter().any(|f| d.starts_with(f.as_str())))
                        .cloned(),
                );
                chosen.push(offer.package.clone());
            }
            download.extend(chosen.iter().filter(|p| !self.cached(p)).cloned());
            self.lock.set(&request.name, arch, chosen);
        }
        download.sort();
        download.dedup();
        if download.is_empty() {
            return Ok(());
        }
        let incoming = tempfile::tempdir_in(&self.debs).at("making a folder in", &self.debs)?;
        self.apt.download(&download, incoming.path())?;
        for entry in fs::read_dir(incoming.path()).at("reading", incoming.path())? {
            let path = entry.at("reading", incoming.path())?.path();
            let sum = sha256_file(&path)?;
            let p = download
                .iter()
                .find(|p| p.sha256 == sum)
                .ok_or_else(|| Error::Package {
                    package: path.display().to_string(),
                    what: format!("its SHA-256 {sum} is not the one that the archive's signed list gives"),
                })?;
            fs::rename(&path, self.deb(p)).at("moving", &path)?;
        }
        for p in &download {
            if !self.cached(p) {
                return Err(Error::Package {
                    package: format!("{}:{}={}", p.name, p.arch, p.version),
                    what: "apt-get download left no file".into(),
                });
            }
        }
        Ok(())
    }

    fn unpack(&self, p: &Locked) -> Result<Unpacked> {
        let dir = self.unpacked.join(format!("{}_{}_{}", p.name, p.arch, &p.sha256[..16]));
        if !dir.exists() {
            let deb = self.deb(p);
            let sum = sha256_file(&deb)?;
            if sum != p.sha256 {
                return Err(Error::Package {
                    package: deb.display().to_string(),
                    what: format!(
                        "its SHA-256 is {sum}, the lock file says {}; delete it to have it fetched anew",
                        p.sha256
                    ),
                });
            }
            let new = tempfile::tempdir_in(&self.unpacked).at("making a folder in", &self.unpacked)?;
            exec::run(Command::new("dpkg-deb").arg("-x").arg(&deb).arg(new.path()))?;
            let path = new.keep();
            match fs::rename(&path, &dir) {
                // Another build was quicker: its copy is the same.
                Err(_) if dir.exists() => fs::remove_dir_all(&path).at("removing", &path)?,
                other => other.at("moving", &path)?,
            }
        }
        Ok(Unpacked {
            package: p.clone(),
            dir,
        })
    }
}

/// Architecture of the build machine, in Debian's words.
#[must_use]
pub fn host_arch() -> &'static str {
    if cfg!(target_arch = "aarch64") {
        Arch::Aarch64.debian()
    } else {
        Arch::X86_64.debian()
    }
}

/// SHA-256 of a file, in hex.
///
/// # Errors
/// When it cannot be read.
pub fn sha256_file(path: &Path) -> Result<String> {
    let mut file = fs::File::open(path).at("opening", path)?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        let n = file.read(&mut buffer).at("reading", path)?;
        if n == 0 {
            return Ok(hex::encode(hash.finalize()));
        }
        hash.update(&buffer[..n]);
    }
}

/// Files of an unpacked package that match a pattern; `*` matches within one path component. Sorted, relative.
///
/// # Errors
/// When a folder cannot be read.
pub fn matching(dir: &Path, pattern: &str) -> Result<Vec<PathBuf>> {
    let mut found = vec![PathBuf::new()];
    for part in pattern.split('/') {
        let mut next = Vec::new();
        for at in found {
            if !part.contains('*') {
                let p = at.join(part);
                if dir.join(&p).symlink_metadata().is_ok() {
                    next.push(p);
                }
            } else if let Ok(entries) = fs::read_dir(dir.join(&at)) {
                for e in entries {
                    let name = e.at("reading", dir.join(&at))?.file_name();
                    if wildcard(part.as_bytes(), name.as_encoded_bytes()) {
                        next.push(at.join(name));
                    }
                }
            }
        }
        found = next;
    }
    found.sort();
    Ok(found)
}

fn wildcard(pattern: &[u8], name: &[u8]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some((b'*', rest)) => (0..=name.len()).any(|i| wildcard(rest, &name[i..])),
        Some((c, rest)) => name.first() == Some(c) && wildcard(rest, &name[1..]),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn patterns_match_within_one_component() {
        let dir = tempfile::tempdir().unwrap();
        for f in [
            "usr/lib/a/libz.so.1",
            "usr/lib/a/libz.so.1.3",
            "usr/lib/a/libz.a",
            "usr/lib/libz.so.1",
        ] {
            let p = dir.path().join(f);
            fs::create_dir_all(p.parent().unwrap()).unwrap();
            fs::write(p, "").unwrap();
        }
        let m = matching(dir.path(), "usr/lib/*/lib*.so.*").unwrap();
        assert_eq!(
            m,
            [
                PathBuf::from("usr/lib/a/libz.so.1"),
                PathBuf::from("usr/lib/a/libz.so.1.3")
            ]
        );
        assert!(matching(dir.path(), "usr/share/*").unwrap().is_empty());
        assert_eq!(matching(dir.path(), "usr/lib/libz.so.1").unwrap().len(), 1);
    }
}
