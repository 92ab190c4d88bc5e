//! Debian's programs that the agent runs in a container: smartctl, the makers and checkers of file systems, and what lights a
//! bay, each with its loader and libraries. The same packages, versions and files as in the box's image (`boards/`).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use image::board::{Board, Request};
use image::elf;
use image::packages::{Packages, Unpacked, matching};
use image::sbom::Part;
use image::workspace::Workspace;

use crate::tar::{Entry, Tree};

/// Packages whose programs the agent runs.
const WANTED: [&str; 8] = [
    "smartmontools",
    "e2fsprogs",
    "util-linux",
    "xfsprogs",
    "btrfs-progs",
    "exfatprogs",
    "ledmon",
    "sg3-utils",
];

/// Where a library's files are when a board file names none.
const LIBRARY: &str = "usr/lib/*/lib*.so.*";

/// The files, and the packages that they are from. Fetched through the cache of the image builder; the lock file of the board
/// is read and not changed.
///
/// # Errors
/// Names the package, or the library that no package brings.
pub fn collect(ws: &Workspace, board: &Board) -> anyhow::Result<(Tree, Vec<Part>)> {
    let mut packages = Packages::of_board(ws, board, false)?;
    let unpacked = packages.get(&board.packages, board.arch.debian())?;
    let mut programs = BTreeMap::new();
    let mut libraries: BTreeMap<String, Vec<(PathBuf, PathBuf, Part)>> = BTreeMap::new();
    let mut parts = BTreeSet::new();
    for (request, unpacked) in board.packages.iter().zip(&unpacked) {
        for (path, from, part) in files(request, unpacked)? {
            let name = path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default();
            if WANTED.contains(&request.name.as_str()) {
                parts.insert(part);
                programs.insert(path, from);
            } else {
                libraries.entry(name).or_default().push((path, from, part));
            }
        }
    }
    let mut todo: Vec<PathBuf> = programs.values().cloned().collect();
    let mut have: BTreeSet<String> = BTreeSet::new();
    while let Some(from) = todo.pop() {
        if from.symlink_metadata()?.is_symlink() {
            // What a library's link leads to lies beside it.
            let to = fs::read_link(&from)?;
            if let Some(name) = to.file_name().map(|name| name.to_string_lossy().into_owned()) {
                take(&name, &mut libraries, &mut programs, &mut parts, &mut todo, &mut have);
            }
            continue;
        }
        let Some(needs) = elf::needs(&fs::read(&from).with_context(|| format!("reading {}", from.display()))?) else {
            continue;
        };
        let loader = needs.loader.iter().filter_map(|loader| loader.rsplit('/').next());
        for name in needs.libraries.iter().map(String::as_str).chain(loader) {
            let known = programs
                .keys()
                .any(|path| path.file_name().is_some_and(|n| n.to_string_lossy() == name));
            if !take(name, &mut libraries, &mut programs, &mut parts, &mut todo, &mut have)
                && !known
                && !have.contains(name)
            {
                bail!(
                    "{} needs {name}, which no package of the board files brings",
                    from.display()
                );
            }
        }
    }
    let mut tree = Tree::new();
    for (path, from) in programs {
        let path = path.to_str().context("a path that is no UTF-8")?.to_owned();
        tree.insert(path, entry(&from)?);
    }
    Ok((tree, parts.into_iter().collect()))
}

/// Takes a library by its name, in all places that bring it (a loader has a link of its own).
fn take(
    name: &str,
    libraries: &mut BTreeMap<String, Vec<(PathBuf, PathBuf, Part)>>,
    programs: &mut BTreeMap<PathBuf, PathBuf>,
    parts: &mut BTreeSet<Part>,
    todo: &mut Vec<PathBuf>,
    have: &mut BTreeSet<String>,
) -> bool {
    let Some(found) = libraries.remove(name) else {
        return false;
    };
    have.insert(name.to_owned());
    for (path, from, part) in found {
        parts.insert(part);
        todo.push(from.clone());
        programs.insert(path, from);
    }
    true
}

fn files(request: &Request, unpacked: &[Unpacked]) -> anyhow::Result<Vec<(PathBuf, PathBuf, Part)>> {
    let library = [LIBRARY.to_owned()];
    let patterns: &[String] = if request.files.is_empty() {
        &library
    } else {
        &request.files
    };
    let mut files = Vec::new();
    for pattern in patterns {
        for package in unpacked {
            for path in matching(&package.dir, pattern)? {
                files.push((path.clone(), package.dir.join(&path), Part::debian(package)));
            }
        }
    }
    Ok(files)
}

fn entry(from: &Path) -> anyhow::Result<Entry> {
    let meta = from
        .symlink_metadata()
        .with_context(|| format!("examining {}", from.display()))?;
    if meta.is_symlink() {
        let to = fs::read_link(from)?;
        return Ok(Entry::Link(to.to_str().context("a link that is no UTF-8")?.to_owned()));
    }
    let mode = if meta.permissions().mode() & 0o111 == 0 {
        0o644
    } else {
        0o755
    };
    Ok(Entry::File(
        fs::read(from).with_context(|| format!("reading {}", from.display()))?,
        mode,
    ))
}
