//! The keys that a built image takes updates from.
//!
//! Without keys of your own the builder makes a **development update key** on its first run, under `.kiln/keys/`: a box takes
//! updates from the tree that built it and from nobody else. It is never checked in, so images of two trees differ in that one
//! file of the initramfs; `--update-keys FILE` gives both the same.

use std::{
    fs::{self, File},
    path::Path,
};

use bundle::{KeySet, Public as Trusted, Rotation};

use crate::{
    error::{At, Error, Result},
    key::{Key, Public},
    workspace::Workspace,
};

/// Where an image carries the keys that it trusts.
pub const IN_IMAGE: &str = "etc/kiln/update-keys.json";

/// The development update key; made on the first call.
///
/// # Errors
/// When it cannot be read or made.
pub fn development(ws: &Workspace) -> Result<Key> {
    let path = ws.keys()?.join("update.pem");
    // Two builds at a time make one key.
    let lock = path.with_extension("lock");
    let held = File::create(&lock).at("making", &lock)?;
    held.lock().at("locking", &lock)?;
    if path.exists() {
        Key::read(&path)
    } else {
        Key::make(&path).map(|(key, _)| key)
    }
}

/// The keys that an image trusts: those of a file, or the development key.
///
/// # Errors
/// When the file is no key set.
pub fn trusted(ws: &Workspace, file: Option<&Path>) -> Result<KeySet> {
    match file {
        Some(file) => {
            let bytes = fs::read(file).at("reading the key set", file)?;
            KeySet::parse(&bytes).map_err(|e| Error::image(file, e.to_string()))
        }
        None => set(1, 1, &[development(ws)?.public()]),
    }
}

/// A key set of these keys.
///
/// # Errors
/// What a set may not be.
pub fn set(version: u32, threshold: usize, keys: &[Public]) -> Result<KeySet> {
    let keys = keys.iter().map(|k| Trusted(k.bytes())).collect();
    KeySet::new(version, threshold, keys).map_err(|e| Error::Incomplete(e.to_string()))
}

/// A newer key set, vouched for by these keys: of the old threshold and of its own.
///
/// # Errors
/// When the file cannot be written.
pub fn rotate(newer: KeySet, by: &[Key], out: &Path) -> Result<()> {
    let by: Vec<bundle::Key> = by.iter().map(Key::for_bundles).collect();
    let rotation = Rotation::new(newer, &by.iter().collect::<Vec<_>>());
    let text = serde_json::to_vec(&rotation).map_err(|e| Error::image(out, e.to_string()))?;
    fs::write(out, text).at("writing", out)
}
