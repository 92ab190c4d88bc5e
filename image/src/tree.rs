//! Debian's programs in an initramfs: packages with all that they depend on, unpacked, and of them the programs that are asked
//! for with every library that those need. For machines that a measurement or a test boots; no maintainer script runs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::apt::Apt;
use crate::board::{Board, Request};
use crate::cpio::{Archive, Node};
use crate::elf;
use crate::error::{At, Error, Result};
use crate::exec;
use crate::modules::Modules;
use crate::packages::{Packages, matching};
use crate::workspace::Workspace;

/// A board's kernel and its modules.
///
/// # Errors
/// When the package cannot be had.
pub fn kernel(ws: &Workspace, board: &Board) -> Result<(PathBuf, Modules)> {
    let mut packages = Packages::of_board(ws, board, false)?;
    let request = Request {
        name: board.kernel.clone(),
        arch: None,
        follow: vec!["linux-image-".into()],
        files: Vec::new(),
    };
    let kernels = packages.get(&[request], board.arch.debian())?.concat();
    let kernel = kernels
        .iter()
        .find(|k| k.dir.join("usr/lib/modules").is_dir())
        .ok_or_else(|| Error::Incomplete(format!("{} has no modules", board.kernel)))?;
    let modules = Modules::prepare(ws, board, kernel)?;
    let vmlinuz = kernel.dir.join(format!("boot/vmlinuz-{}", modules.version));
    Ok((vmlinuz, modules))
}

/// Unpacks packages and what they depend on; the folders.
///
/// # Errors
/// When one cannot be had.
pub fn unpack(ws: &Workspace, board: &Board, names: &[&str]) -> Result<Vec<PathBuf>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let arch = board.arch.debian();
    let mut apt = Apt::new(
        ws.cache(&format!("apt-{}", board.suite))?,
        &board.suite,
        &board.mirror,
        &board.security_mirror,
    )?;
    let (debs, unpacked) = (ws.cache("race-debs")?, ws.cache("race")?);
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut queue: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
    let mut dirs = Vec::new();
    while let Some(name) = queue.pop() {
        if !seen.insert(name.clone()) || seen.len() > 200 {
            continue;
        }
        let found = apt.show(&[(name.clone(), arch.to_owned())])?;
        let Some(stanza) = found.into_values().flatten().next() else {
            if names.contains(&name.as_str()) {
                return Err(Error::Package {
                    package: name,
                    what: "it is not in the archive".into(),
                });
            }
            continue;
        };
        queue.extend(stanza.depends.clone());
        let p = &stanza.package;
        let to = unpacked.join(format!("{}_{}", p.name, &p.sha256[..16]));
        if !to.is_dir() {
            apt.download(std::slice::from_ref(p), &debs)?;
            let deb = newest(&debs, &p.name)?;
            exec::run(Command::new("dpkg-deb").arg("-x").arg(&deb).arg(&to))?;
            let _ = fs::remove_file(deb);
        }
        dirs.push(to);
    }
    Ok(dirs)
}

/// The file that apt has just put there for a package.
fn newest(debs: &Path, name: &str) -> Result<PathBuf> {
    let prefix = format!("{name}_");
    let found = fs::read_dir(debs)
        .at("reading", debs)?
        .flatten()
        .find(|e| e.file_name().to_string_lossy().starts_with(&prefix));
    found.map(|e| e.path()).ok_or_else(|| Error::Package {
        package: name.to_owned(),
        what: "apt has downloaded no file".into(),
    })
}

/// Adds `/usr` with Debian's folders of programs and libraries, and the links to them that programs are built for.
pub fn add_usr(a: &mut Archive) {
    for (from, to) in [
        ("bin", "usr/bin"),
        ("sbin", "usr/sbin"),
        ("lib", "usr/lib"),
        ("lib64", "usr/lib64"),
    ] {
        a.add(to, Node::Dir(0o755));
        a.add(from, Node::Link(to.to_owned()));
    }
}

/// Adds programs of the trees (patterns of paths) and what they need.
///
/// # Errors
/// When there is none of them, or a library is in no tree.
pub fn add_programs(a: &mut Archive, trees: &[PathBuf], programs: &[&str]) -> Result<()> {
    let mut wanted: Vec<(String, PathBuf)> = Vec::new();
    for pattern in programs {
        for tree in trees {
            for path in matching(tree, pattern)? {
                wanted.push((path.to_string_lossy().into_owned(), tree.join(&path)));
            }
        }
    }
    if !programs.is_empty() && wanted.is_empty() {
        return Err(Error::Incomplete(format!("none of {programs:?} is in its packages")));
    }
    let libraries = libraries(trees);
    let mut have = BTreeSet::new();
    while let Some((path, from)) = wanted.pop() {
        if !have.insert(path.clone()) {
            continue;
        }
        let bytes = fs::read(&from).at("reading", &from)?;
        if let Some(needs) = elf::needs(&bytes) {
            let loader = needs
                .loader
                .iter()
                .filter_map(|l| l.rsplit('/').next().map(str::to_owned));
            for name in needs.libraries.iter().cloned().chain(loader) {
                match libraries.get(&name) {
                    Some((at, from)) => wanted.push((at.clone(), from.clone())),
                    None => {
                        return Err(Error::Incomplete(format!(
                            "{path} needs {name}, which is in no package"
                        )));
                    }
                }
            }
        }
        a.add(&path, Node::File(0o755, bytes));
    }
    Ok(())
}

/// Shared libraries of all trees by file name: where they go, and where they are (links followed).
fn libraries(trees: &[PathBuf]) -> BTreeMap<String, (String, PathBuf)> {
    let mut found = BTreeMap::new();
    for tree in trees {
        for pattern in [
            "usr/lib/*/lib*.so*",
            "usr/lib/*/*/lib*.so*",
            "usr/lib/*/ld-linux*",
            "usr/lib64/ld-linux*",
        ] {
            for path in matching(tree, pattern).unwrap_or_default() {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let from = tree.join(&path);
                if from.is_file() {
                    let folder = if name.starts_with("ld-linux") {
                        "usr/lib64"
                    } else {
                        "usr/lib/x86_64-linux-gnu"
                    };
                    found.insert(name.clone(), (format!("{folder}/{name}"), from));
                }
            }
        }
    }
    found
}
