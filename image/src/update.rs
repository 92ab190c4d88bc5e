//! Update bundles: made from a slot's files, and signed.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
};

use bundle::{Head, Manifest};

use crate::{
    assemble, cpio,
    error::{At, Error, Result},
    fat32::{Reader, Source},
    gpt::BOOT_FIRST,
    initramfs,
    key::Key,
    signature::Signatures,
    slot::{self, ABOUT, NEEDED},
    update_keys,
    workspace::Workspace,
};

/// What a bundle is made of.
#[derive(Debug, Default)]
pub struct Making {
    /// Private keys that sign it; the development update key where there are none.
    pub keys: Vec<Key>,
    /// Newer key sets that it brings, as [`rotate`](crate::update_keys::rotate) makes them.
    pub rotations: Vec<PathBuf>,
    /// The oldest version that it can be installed from.
    pub min_version: Option<String>,
}

/// Files of a slot by name.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Files of slot a of an image.
///
/// # Errors
/// When the image is none.
pub fn of_image(path: &Path) -> Result<Files> {
    let file = File::open(path).at("opening", path)?;
    let reader = Reader::open(&file, BOOT_FIRST).map_err(|e| Error::image(path, e))?;
    let mut files = Files::new();
    for e in reader
        .walk()
        .map_err(|e| Error::image(path, e))?
        .iter()
        .filter(|e| !e.is_dir)
    {
        if let Some(name) = e.path.strip_prefix("a/") {
            files.insert(name.to_owned(), reader.read(e).map_err(|e| Error::image(path, e))?);
        }
    }
    Ok(files)
}

/// Files of the slot that a build has just made.
///
/// # Errors
/// When one of them cannot be read.
pub fn of_parts(parts: &assemble::Parts) -> Result<Files> {
    let mut files = Files::new();
    for (path, source) in &parts.boot {
        if let Some(name) = path.strip_prefix("a/") {
            let bytes = match source {
                Source::Bytes(b) => b.clone(),
                Source::File(p) => fs::read(p).at("reading", p)?,
            };
            files.insert(name.to_owned(), bytes);
        }
    }
    Ok(files)
}

/// When the tree of this initramfs was committed, as it says itself: a bundle of an older image is as old as that.
fn built(initrd: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(cpio::content(initrd, "kiln/board.toml").ok()?).ok()?;
    text.lines()
        .find_map(|l| l.strip_prefix("built = ")?.trim().parse().ok())
}

/// Writes a bundle of a slot's files; the same files and keys give the same bytes.
///
/// # Errors
/// When a file is missing or damaged, a rotation is none, or the bundle cannot be written.
pub fn write(ws: &Workspace, files: &Files, making: &Making, out: &Path) -> Result<Manifest> {
    let slot = |what: String| Error::Incomplete(format!("the slot's files: {what}"));
    let manifest = files.get(ABOUT[0]).ok_or_else(|| slot(format!("no {}", ABOUT[0])))?;
    let manifest = slot::Manifest::parse(manifest).map_err(slot)?;
    for name in NEEDED {
        files.get(name).ok_or_else(|| slot(format!("no {name}")))?;
    }
    let signatures = files.get(ABOUT[1]).ok_or_else(|| slot(format!("no {}", ABOUT[1])))?;
    Signatures::check(signatures, &files[ABOUT[0]]).map_err(slot)?;
    for (name, bytes) in files.iter().filter(|(name, _)| !ABOUT.contains(&name.as_str())) {
        manifest.check(name, bytes).map_err(slot)?;
    }
    let named: Vec<(&str, &[u8])> = files.iter().map(|(n, b)| (n.as_str(), b.as_slice())).collect();
    let min = making.min_version.as_deref().unwrap_or("0");
    let about = Manifest::new(
        (&manifest.board, &manifest.arch),
        (&manifest.version, min),
        built(&files["initrd"]).unwrap_or_else(|| initramfs::built(&ws.rootfs())),
        &named,
    )
    .map_err(|e| slot(e.to_string()))?;
    let mut rotations = Vec::new();
    for file in &making.rotations {
        let bytes = fs::read(file).at("reading", file)?;
        rotations
            .push(serde_json::from_slice::<bundle::Rotation>(&bytes).map_err(|e| Error::image(file, e.to_string()))?);
    }
    let own;
    let keys: &[Key] = if making.keys.is_empty() {
        own = [update_keys::development(ws)?];
        &own
    } else {
        &making.keys
    };
    let keys: Vec<bundle::Key> = keys.iter().map(Key::for_bundles).collect();
    let mut all = Head::sign(about.clone(), rotations, &keys.iter().collect::<Vec<_>>()).bytes();
    for f in &about.files {
        all.extend(files.get(&f.name).map(Vec::as_slice).unwrap_or_default());
    }
    fs::write(out, all).at("writing", out)?;
    Ok(about)
}
