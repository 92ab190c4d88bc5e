//! Kernel modules: which of Debian's the image carries, unpacked but still signed.
//!
//! The package's modules are compressed; raw ones load faster and compress better inside EROFS, and the signature is
//! over the raw bytes. `depmod` (of the build machine) finds dependencies and aliases; PID 1 reads its text tables.
//! The result is kept in the cache, by kernel and choice.

use crate::{
    board::Board,
    error::{At, Error, Result},
    exec,
    packages::Unpacked,
    workspace::Workspace,
};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Raise when the way a tree is made changes: trees in the cache are then made anew.
const RECIPE: &str = "1";

/// The modules of an image.
#[derive(Debug, Clone)]
pub struct Modules {
    /// Kernel release, `6.12.…`.
    pub version: String,
    /// Folder that holds `lib/modules/VERSION`.
    pub root: PathBuf,
    by_name: HashMap<String, String>,
    dependencies: BTreeMap<String, Vec<String>>,
    builtin: BTreeSet<String>,
}

/// One spelling for a module's name: the kernel takes `-` and `_` for the same.
fn plain(path: &str) -> String {
    let base = path.rsplit('/').next().unwrap_or(path);
    let base = base.strip_suffix(".xz").unwrap_or(base);
    base.strip_suffix(".ko").unwrap_or(base).replace('-', "_")
}

impl Modules {
    /// Chooses and unpacks the modules of a board from its kernel package.
    ///
    /// # Errors
    /// When a module that the board names does not exist, or a program fails.
    pub fn prepare(ws: &Workspace, board: &Board, kernel: &Unpacked) -> Result<Self> {
        let base = kernel.dir.join("usr/lib/modules");
        let version = only_entry(&base)?;
        let choice = format!("{RECIPE} {:?} {:?}", board.modules, board.watchdog);
        let key = hex::encode(Sha256::digest(format!("{} {choice}", kernel.package.sha256)));
        let root = ws.cache("modules")?.join(format!("{version}_{}", &key[..16]));
        if !root.exists() {
            eprintln!("choosing kernel modules of {version}");
            let new = tempfile::tempdir_in(ws.cache("modules")?).at("making a folder in", ws.cache("modules")?)?;
            choose(board, &kernel.dir, &version, new.path())?;
            let path = new.keep();
            match fs::rename(&path, &root) {
                Err(_) if root.exists() => fs::remove_dir_all(&path).at("removing", &path)?,
                other => other.at("moving", &path)?,
            }
        }
        Self::load(root, version)
    }

    fn load(root: PathBuf, version: String) -> Result<Self> {
        let dir = root.join("lib/modules").join(&version);
        let table = Table::parse(
            &read(&dir.join("modules.dep"))?,
            &read(&dir.join("modules.builtin"))?,
            "",
        );
        Ok(Self {
            version,
            root,
            by_name: table.by_name,
            dependencies: table.dependencies,
            builtin: table.builtin,
        })
    }

    /// Files to load for these modules, dependencies first, each once; built-in ones need none.
    ///
    /// # Errors
    /// When a module does not exist.
    pub fn in_order(&self, names: &[String]) -> Result<Vec<PathBuf>> {
        let mut order: Vec<&String> = Vec::new();
        for name in names {
            let Some(path) = self.by_name.get(&plain(name)) else {
                if self.builtin.contains(&plain(name)) {
                    continue;
                }
                return Err(unknown(name, &self.version));
            };
            // modules.dep gives what must be loaded in reverse.
            for p in self.dependencies[path].iter().rev().chain([path]) {
                if !order.contains(&p) {
                    order.push(p);
                }
            }
        }
        let dir = self.root.join("lib/modules").join(&self.version);
        Ok(order.into_iter().map(|p| dir.join(p)).collect())
    }
}

fn unknown(name: &str, version: &str) -> Error {
    Error::Incomplete(format!(
        "kernel {version} has no module {name:?}, which the board files name"
    ))
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).at("reading", path)
}

fn only_entry(dir: &Path) -> Result<String> {
    let mut names = fs::read_dir(dir)
        .at("reading", dir)?
        .map(|e| Ok(e.at("reading", dir)?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<Vec<_>>>()?;
    match (names.pop(), names.is_empty()) {
        (Some(one), true) => Ok(one),
        _ => Err(Error::Incomplete(format!(
            "{}: expected the modules of exactly one kernel",
            dir.display()
        ))),
    }
}

#[derive(Debug, Default)]
struct Table {
    by_name: HashMap<String, String>,
    dependencies: BTreeMap<String, Vec<String>>,
    builtin: BTreeSet<String>,
    soft: BTreeMap<String, Vec<String>>,
}

impl Table {
    fn parse(dep: &str, builtin: &str, soft: &str) -> Self {
        let mut t = Self::default();
        for line in dep.lines().filter(|l| l.starts_with("kernel/")) {
            let Some((path, deps)) = line.split_once(':') else {
                continue;
            };
            t.by_name.insert(plain(path), path.to_owned());
            t.dependencies
                .insert(path.to_owned(), deps.split_whitespace().map(str::to_owned).collect());
        }
        t.builtin = builtin.lines().map(plain).collect();
        // softdep erofs pre: lzma_decompress post: x
        for line in soft.lines() {
            let mut words = line.split_whitespace();
            if words.next() == Some("softdep") {
                let Some(name) = words.next() else { continue };
                let wanted = words.filter(|w| !w.ends_with(':')).map(str::to_owned);
                t.soft.entry(plain(name)).or_default().extend(wanted);
            }
        }
        t
    }

    fn with_dependencies(&self, wanted: impl IntoIterator<Item = String>) -> BTreeSet<String> {
        let mut chosen = BTreeSet::new();
        let mut todo: Vec<String> = wanted.into_iter().collect();
        while let Some(path) = todo.pop() {
            if !chosen.insert(path.clone()) {
                continue;
            }
            todo.extend(self.dependencies.get(&path).into_iter().flatten().cloned());
            let soft = self.soft.get(&plain(&path)).into_iter().flatten();
            todo.extend(soft.filter_map(|s| self.by_name.get(&plain(s)).cloned()));
        }
        chosen
    }
}

/// Whether a module's path is in a folder (`drivers/ata`) or is the module itself (`drivers/net/virtio_net`).
fn covers(entry: &str, path: &str) -> bool {
    let Some(path) = path.strip_prefix("kernel/") else {
        return false;
    };
    let Some(rest) = path.strip_prefix(entry) else {
        let same_dir = entry.rsplit_once('/').map(|e| e.0) == path.rsplit_once('/').map(|p| p.0);
        return same_dir && plain(entry) == plain(path);
    };
    rest.starts_with('/') || rest.starts_with(".ko")
}

fn choose(board: &Board, package: &Path, version: &str, into: &Path) -> Result<()> {
    let from = package.join("usr/lib/modules").join(version);
    // depmod looks below lib/modules; the package has them below usr/lib.
    let view = tempfile::tempdir().at("making", "a temporary folder")?;
    std::os::unix::fs::symlink(package.join("usr/lib"), view.path().join("lib")).at("linking", view.path())?;
    let all = exec::output(
        Command::new("depmod")
            .env("PATH", exec::path())
            .arg("-n")
            .arg("-b")
            .arg(view.path())
            .arg(version),
    )?;
    let table = Table::parse(&all, &read(&from.join("modules.builtin"))?, &all);

    let wd = &board.watchdog;
    let named = board
        .modules
        .early
        .iter()
        .chain(&board.modules.extra)
        .chain(&board.modules.late)
        .chain(&wd.early)
        .chain(&wd.late)
        .chain([&wd.fallback]);
    let mut wanted = Vec::new();
    for name in named {
        match table.by_name.get(&plain(name)) {
            Some(p) => wanted.push(p.clone()),
            None if table.builtin.contains(&plain(name)) => {}
            None => return Err(unknown(name, version)),
        }
    }
    for path in table.dependencies.keys() {
        let any = |list: &[String]| list.iter().any(|e| covers(e, path));
        if any(&board.modules.carry) && !any(&board.modules.skip) {
            wanted.push(path.clone());
        }
    }
    let chosen = table.with_dependencies(wanted);
    let to = into.join("lib/modules").join(version);
    let mut compressed = Vec::new();
    for path in &chosen {
        let (source, target) = (from.join(path), to.join(path));
        let dir = target.parent().unwrap_or(&to);
        fs::create_dir_all(dir).at("making", dir)?;
        fs::copy(&source, &target).at("copying", &source)?;
        if path.ends_with(".xz") {
            compressed.push(target);
        }
    }
    for some in compressed.chunks(200) {
        exec::run(Command::new("xz").args(["-d", "-T0", "-f", "--"]).args(some))?;
    }
    for table in ["modules.builtin", "modules.builtin.modinfo", "modules.order"] {
        fs::copy(from.join(table), to.join(table)).at("copying", from.join(table))?;
    }
    exec::run(
        Command::new("depmod")
            .env("PATH", exec::path())
            .arg("-b")
            .arg(into)
            .arg(version),
    )?;
    for entry in fs::read_dir(&to).at("reading", &to)? {
        let path = entry.at("reading", &to)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let kept = [
            "kernel",
            "modules.dep",
            "modules.alias",
            "modules.softdep",
            "modules.builtin",
        ];
        if !kept.contains(&name.as_str()) {
            fs::remove_file(&path).at("removing", &path)?;
        }
    }
    eprintln!("{} of {} modules", chosen.len(), table.dependencies.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const DEP: &str = "kernel/fs/erofs/erofs.ko.xz: kernel/lib/libcrc32c.ko.xz\nkernel/lib/libcrc32c.ko.xz:\n\
        kernel/drivers/net/virtio_net.ko.xz: kernel/net/core/failover.ko.xz\nkernel/net/core/failover.ko.xz:\nkernel/crypto/crc32c_generic.ko.xz:\n\
        alias pci:v1 virtio_net\n";

    #[test]
    fn soft_dependencies_come_along() {
        let t = Table::parse(
            DEP,
            "kernel/fs/nls/nls_base.ko\n",
            "softdep libcrc32c pre: crc32c\nsoftdep erofs pre: crc32c-generic post: y\n",
        );
        let c = t.with_dependencies(["kernel/fs/erofs/erofs.ko.xz".to_owned()]);
        assert_eq!(c.len(), 3, "{c:?}");
        assert!(t.builtin.contains("nls_base"));
    }

    #[test]
    fn folders_and_single_modules() {
        assert!(covers("drivers/net/virtio_net", "kernel/drivers/net/virtio_net.ko.xz"));
        assert!(covers("drivers/net/virtio-net", "kernel/drivers/net/virtio_net.ko.xz"));
        assert!(covers("drivers/ata", "kernel/drivers/ata/ahci.ko"));
        assert!(!covers("drivers/at", "kernel/drivers/ata/ahci.ko"));
        assert!(!covers("drivers/net", "kernel/sound/drivers/net.ko"));
    }
}
