//! `system.erofs`: what the box reads lazily from its boot partition: modules, Debian's tools, our larger programs.
//!
//! zstd in clusters of 32 KiB: all of it stays in RAM. The server alone is not compressed: everybody waits for it. Every program's libraries are checked to be there. It becomes `/system`, with `/usr` pointing into it (see
//! the crate's README).

use crate::{
    board::{Board, Request},
    cpio::EPOCH,
    cross::Binaries,
    elf,
    error::{At, Error, Result},
    exec,
    modules::Modules,
    packages::{Unpacked, matching, sha256_file},
    tools::Tools,
};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// File system UUID: fixed, the same content gives the same bytes.
const UUID: &str = "4b696c6e-5359-4000-8000-000000000001";
/// How it is compressed. The kernel has room for one of zstd's windows for each processor that there could be, so that is no
/// larger than a cluster.
const COMPRESSION: [&str; 2] = ["-zzstd,level=9,dictsize=32768", "-C32768"];
/// Our programs beside PID 1.
const OURS: &[&str] = &["kiln-agent", "kiln-mdns", "kiln-server"];
/// Clusters of no bytes: such a file is not compressed (`mkfs.erofs --compress-hints`). Unpacking the server page by page took
/// twice as long as reading it does.
const HINTS: &str = "0 usr/bin/kiln-server$\n";
/// A library's files when the board file names none.
const LIBRARY: &str = "usr/lib/*/lib*.so.*";

/// What is in an image besides the kernel and the initramfs: paths in the image, and where they come from.
#[derive(Debug, Default)]
pub struct Content {
    /// Files and symbolic links of `/system`.
    pub system: BTreeMap<PathBuf, PathBuf>,
    /// Debian's files of `/etc`, which go into the initramfs.
    pub etc: BTreeMap<PathBuf, PathBuf>,
}

impl Content {
    /// Collects what the board's packages, the modules and our programs give.
    ///
    /// # Errors
    /// When a file that a board file names is in no package.
    pub fn collect(board: &Board, packages: &[Vec<Unpacked>], modules: &Modules, binaries: &Binaries) -> Result<Self> {
        let mut this = Self::default();
        for (request, unpacked) in board.packages.iter().zip(packages) {
            this.package(request, unpacked)?;
        }
        let from = modules.root.join("lib/modules");
        for path in files_below(&from)? {
            this.system
                .insert(Path::new("usr/lib/modules").join(&path), from.join(&path));
        }
        for name in OURS {
            this.system.insert(Path::new("usr/bin").join(name), binaries.path(name));
        }
        Ok(this)
    }

    fn package(&mut self, request: &Request, unpacked: &[Unpacked]) -> Result<()> {
        let library = [LIBRARY.to_owned()];
        let patterns: &[String] = if request.files.is_empty() {
            &library
        } else {
            &request.files
        };
        let mut any = false;
        for pattern in patterns {
            let mut hit = false;
            for p in unpacked {
                for path in matching(&p.dir, pattern)? {
                    hit = true;
                    let from = p.dir.join(&path);
                    if path.starts_with("etc") {
                        self.etc.insert(path, from);
                    } else {
                        self.system.insert(path, from);
                    }
                }
            }
            // A plain path is a promise; of several patterns (one for each architecture) one is enough.
            if !hit && !pattern.contains('*') {
                return Err(Error::Package {
                    package: request.name.clone(),
                    what: format!("it has no {pattern:?}, which the board files ask for"),
                });
            }
            any |= hit;
        }
        if any {
            return Ok(());
        }
        Err(Error::Package {
            package: request.name.clone(),
            what: format!("nothing in it matches {patterns:?}"),
        })
    }

    /// Whether any file in the image is from a folder on this machine.
    #[must_use]
    pub fn has_of(&self, dir: &Path) -> bool {
        let mut all = self.system.values().chain(self.etc.values());
        all.any(|from| from.starts_with(dir))
    }

    /// Checks that each program's libraries and loader are in the image.
    ///
    /// # Errors
    /// Names the program and the library.
    pub fn check_libraries(&self) -> Result<()> {
        let have: BTreeSet<String> = self
            .system
            .keys()
            .filter_map(|p| Some(p.file_name()?.to_string_lossy().into_owned()))
            .collect();
        for (path, from) in &self.system {
            if path.starts_with("usr/lib/modules") || from.symlink_metadata().is_ok_and(|m| m.is_symlink()) {
                continue;
            }
            let Some(needs) = elf::needs(&fs::read(from).at("reading", from)?) else {
                continue;
            };
            let loader = needs.loader.iter().filter_map(|l| l.rsplit('/').next());
            for name in needs.libraries.iter().map(String::as_str).chain(loader) {
                if !have.contains(name) {
                    return Err(Error::Incomplete(format!(
                        "/{} needs {name}, which no package in the board files brings; add the package that has it",
                        path.display()
                    )));
                }
            }
        }
        Ok(())
    }

    /// Digest over everything that decides the bytes of `system.erofs`.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn key(&self) -> Result<String> {
        let mut h = Sha256::new();
        h.update(UUID);
        h.update(COMPRESSION.join(" "));
        h.update(HINTS);
        for (path, from) in &self.system {
            h.update(path.as_os_str().as_encoded_bytes());
            let meta = from.symlink_metadata().at("examining", from)?;
            if meta.is_symlink() {
                h.update(fs::read_link(from).at("reading", from)?.as_os_str().as_encoded_bytes());
            } else {
                h.update(format!(" {:o} {}\n", meta.permissions().mode(), sha256_file(from)?));
            }
        }
        Ok(hex::encode(h.finalize()))
    }

    /// Makes `system.erofs`, unless `out` is already of this content.
    ///
    /// # Errors
    /// When mkfs.erofs fails.
    pub fn make(&self, tools: &Tools, out: &Path) -> Result<()> {
        let key = self.key()?;
        let stamp = out.with_extension("key");
        if out.exists() && fs::read_to_string(&stamp).is_ok_and(|k| k == key) {
            return Ok(());
        }
        self.check_libraries()?;
        let beside = out.parent().unwrap_or(Path::new("."));
        let tree = tempfile::tempdir_in(beside).at("making a folder in", beside)?;
        fs::set_permissions(tree.path(), fs::Permissions::from_mode(0o755))
            .at("setting permissions of", tree.path())?;
        for (path, from) in &self.system {
            let to = tree.path().join(path);
            let dir = to.parent().unwrap_or(tree.path());
            make_dirs(tree.path(), dir)?;
            if from.symlink_metadata().at("examining", from)?.is_symlink() {
                let target = fs::read_link(from).at("reading", from)?;
                std::os::unix::fs::symlink(target, &to).at("linking", &to)?;
            } else {
                fs::copy(from, &to).at("copying", from)?;
            }
        }
        let hints = out.with_extension("hints");
        fs::write(&hints, HINTS).at("writing", &hints)?;
        let new = out.with_extension("new");
        let _ = fs::remove_file(&new);
        eprintln!("making {}", out.display());
        exec::run(
            tools
                .command("usr/bin/mkfs.erofs")?
                .args(COMPRESSION)
                .arg(format!("--compress-hints={}", hints.display()))
                .args(["--all-root", "--quiet"])
                .arg(format!("-T{EPOCH}"))
                .arg(format!("-U{UUID}"))
                .arg(&new)
                .arg(tree.path()),
        )?;
        fs::rename(&new, out).at("moving", &new)?;
        fs::write(&stamp, key).at("writing", &stamp)
    }
}

/// Makes folders with the same permissions whatever the umask is.
fn make_dirs(root: &Path, dir: &Path) -> Result<()> {
    let Ok(rest) = dir.strip_prefix(root) else {
        return Ok(());
    };
    let mut at = root.to_owned();
    for part in rest {
        at.push(part);
        if !at.exists() {
            fs::create_dir(&at).at("making", &at)?;
            fs::set_permissions(&at, fs::Permissions::from_mode(0o755)).at("setting permissions of", &at)?;
        }
    }
    Ok(())
}

/// Files and links below a folder, relative to it, sorted.
///
/// # Errors
/// When a folder cannot be read.
pub fn files_below(root: &Path) -> Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    let mut todo = vec![PathBuf::new()];
    while let Some(dir) = todo.pop() {
        let abs = root.join(&dir);
        for entry in fs::read_dir(&abs).at("reading", &abs)? {
            let entry = entry.at("reading", &abs)?;
            let path = dir.join(entry.file_name());
            if entry.file_type().at("examining", root.join(&path))?.is_dir() {
                todo.push(path);
            } else {
                all.push(path);
            }
        }
    }
    all.sort();
    Ok(all)
}
