//! The initramfs: PID 1, and what it needs before `/system` is mounted. Uncompressed: the kernel is into
//! PID 1 sooner, and the box has more memory free, than with any compressor (measured).

use crate::{
    board::Board,
    cpio::{Archive, EPOCH, Node},
    cross::Binaries,
    error::{At, Error, Result},
    modules::Modules,
    system::{Content, files_below},
};
use bundle::KeySet;
use serde::Serialize;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// What PID 1 is told about its board: `/kiln/board.toml`.
#[derive(Debug, Serialize)]
struct BoardNote<'a> {
    name: &'a str,
    arch: &'a str,
    kernel: &'a str,
    console: &'a [String],
    built: u64,
    early: Vec<String>,
    extra: &'a [String],
    late: &'a [String],
    watchdog: WatchdogNote<'a>,
}

#[derive(Debug, Serialize)]
struct WatchdogNote<'a> {
    early: Vec<String>,
    late: &'a [String],
    fallback: String,
}

const DIRS: &[(&str, u32)] = &[
    ("dev", 0o755),
    ("proc", 0o555),
    ("sys", 0o555),
    ("run", 0o755),
    ("tmp", 0o1777),
    ("system", 0o755),
    ("var/lib/kiln", 0o755),
    // `ledctl` 0.97 resolves its default log's folder before it heeds `--log`, and lights nothing without it.
    ("var/log", 0o755),
];

/// Where Debian's programs look, all inside `/system`.
const LINKS: &[(&str, &str)] = &[
    ("usr", "system/usr"),
    ("bin", "usr/bin"),
    ("sbin", "usr/sbin"),
    ("lib", "usr/lib"),
    ("lib64", "usr/lib64"),
    ("var/run", "../run"),
    ("kiln/dhcp-hook", "../init"),
];

/// Puts the initramfs together.
///
/// # Errors
/// When a file cannot be read or a module does not exist.
pub fn make(
    board: &Board,
    rootfs: &Path,
    content: &Content,
    modules: &Modules,
    binaries: &Binaries,
    trusted: &KeySet,
) -> Result<Vec<u8>> {
    let mut a = bare();
    a.add(crate::update_keys::IN_IMAGE, Node::File(0o644, trusted.bytes()));
    let mut file = |path: &str, from: &Path, mode| -> Result<()> {
        a.add(path, Node::File(mode, fs::read(from).at("reading", from)?));
        Ok(())
    };
    file("init", &binaries.path("kiln-init"), 0o755)?;
    for (path, from) in &content.etc {
        file(&path.to_string_lossy(), from, 0o644)?;
    }
    for path in files_below(&rootfs.join("etc"))? {
        file(
            &format!("etc/{}", path.display()),
            &rootfs.join("etc").join(&path),
            0o644,
        )?;
    }
    let mut early = |names: &[String]| -> Result<Vec<String>> {
        let mut files = Vec::new();
        for path in modules.in_order(names)? {
            let name = file_name(&path);
            file(&format!("kiln/early/{name}"), &path, 0o644)?;
            files.push(name);
        }
        Ok(files)
    };
    // What the fallback needs is loaded with the early ones, so that it is one file.
    let mut fallback_needs = early(std::slice::from_ref(&board.watchdog.fallback))?;
    let fallback = fallback_needs.pop().unwrap_or_default();
    let mut watchdogs = early(&board.watchdog.early)?;
    fallback_needs.retain(|f| !watchdogs.contains(f));
    watchdogs.splice(0..0, fallback_needs);
    let note = BoardNote {
        name: &board.name,
        arch: board.arch.name(),
        kernel: &modules.version,
        console: &board.console,
        built: built(rootfs),
        early: early(&board.modules.early)?,
        extra: &board.modules.extra,
        late: &board.modules.late,
        watchdog: WatchdogNote {
            early: watchdogs,
            late: &board.watchdog.late,
            fallback,
        },
    };
    let note = toml::to_string(&note).map_err(|e| Error::Incomplete(format!("writing /kiln/board.toml: {e}")))?;
    a.add("kiln/board.toml", Node::File(0o644, note.into_bytes()));
    Ok(a.bytes())
}

/// Folders, links and nodes, before any file.
fn bare() -> Archive {
    let mut a = Archive::default();
    for (path, mode) in DIRS {
        a.add(path, Node::Dir(*mode));
    }
    for (path, target) in LINKS {
        a.add(path, Node::Link((*target).to_owned()));
    }
    a.add("dev/console", Node::Char(0o600, 5, 1));
    a.add("dev/null", Node::Char(0o666, 1, 3));
    a
}

/// When the tree was committed last, in seconds since 1970: the same for everybody who builds it. No clock of a box is before.
pub(crate) fn built(tree: &Path) -> u64 {
    let git = std::process::Command::new("git")
        .args(["log", "-1", "--format=%ct"])
        .current_dir(tree)
        .output();
    let said = git
        .ok()
        .filter(|o| o.status.success())
        .map(|o| String::from_utf8_lossy(&o.stdout).into_owned());
    said.and_then(|s| s.trim().parse().ok())
        .unwrap_or(0)
        .max(u64::from(EPOCH))
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .map(PathBuf::from)
        .unwrap_or_default()
        .display()
        .to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// That the programs get along with it is `image/tests/boot`'s.
    #[test]
    fn the_tree_has_the_folders_that_programs_of_the_image_look_for() {
        let paths = crate::cpio::list(&bare().bytes()).unwrap();
        for folder in ["run", "tmp", "sys", "proc", "dev", "var/lib/kiln", "var/log", "var/run"] {
            assert!(paths.iter().any(|(path, _)| path == folder), "{folder}: {paths:?}");
        }
    }
}
