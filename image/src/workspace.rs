//! Where things lie on the machine that builds: sources, cache, intermediate files.
//!
//! Everything that is not source is under `.kiln/` (ignored by git): `cache/` is dear to get again (packages),
//! `build/` is not.

use crate::error::{At, Result};
use std::path::{Path, PathBuf};

/// The source tree and the places under it that the builder uses.
#[derive(Debug, Clone)]
pub struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// The tree that this program was built from, or the one that `KILN_SOURCE` names.
    #[must_use]
    pub fn find() -> Self {
        let root = std::env::var_os("KILN_SOURCE")
            .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), PathBuf::from);
        Self::at(root.canonicalize().unwrap_or(root))
    }

    /// A tree somewhere else.
    #[must_use]
    pub fn at(root: PathBuf) -> Self {
        Self { root }
    }

    /// Top of the tree.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Board files.
    #[must_use]
    pub fn boards(&self) -> PathBuf {
        self.root.join("boards")
    }

    /// Files that go into the image as they are.
    #[must_use]
    pub fn rootfs(&self) -> PathBuf {
        self.root.join("rootfs")
    }

    /// Packages and what was unpacked from them; made when missing.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn cache(&self, part: &str) -> Result<PathBuf> {
        let dir = std::env::var_os("KILN_CACHE")
            .map_or_else(|| self.root.join(".kiln/cache"), PathBuf::from)
            .join(part);
        std::fs::create_dir_all(&dir).at("making", &dir)?;
        Ok(dir)
    }

    /// Keys made here; made when missing. They are dear: boxes that were built here take updates by them alone.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn keys(&self) -> Result<PathBuf> {
        let dir = self.root.join(".kiln/keys");
        std::fs::create_dir_all(&dir).at("making", &dir)?;
        Ok(dir)
    }

    /// Intermediate files of one board; made when missing.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn build(&self, board: &str) -> Result<PathBuf> {
        let dir = self.root.join(".kiln/build").join(board);
        std::fs::create_dir_all(&dir).at("making", &dir)?;
        Ok(dir)
    }
}
