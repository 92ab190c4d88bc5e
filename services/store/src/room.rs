//! How full a store is, and when it is too full: pure, but for the two questions in [`Store::room`].

use std::path::Path;
use std::sync::Arc;

use nix::sys::statvfs::statvfs;

use crate::error::{Error, Result};
use crate::store::{Store, Write};

/// The share of its limit that a store may use; what is above is room for writing while old entries go, because deleting
/// needs free pages, too.
const SHARE: (u64, u64) = (4, 5);

/// Bytes that a store may take on a medium that others have filled.
const GROUND: u64 = 16 << 20;

/// A medium that has less free than this, in bytes, has no space for a commit: the longest run of pages that LMDB writes at once is
/// one large value, of half a MiB.
const COMMIT: u64 = 1 << 20;

/// How full a store and its medium are, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// What the entries of all tables take.
    pub used: u64,
    /// What the file has, free pages and all; it never shrinks.
    pub file: u64,
    /// What the file may have.
    pub map: u64,
    /// What its medium has.
    pub medium: u64,
    /// What of it is free.
    pub free: u64,
}

impl Room {
    /// Bytes that the entries may take: the map, or on a medium that is filled beyond its share what the file has already.
    pub fn limit(&self) -> u64 {
        let taken = self.medium.saturating_sub(self.free);
        match taken.saturating_mul(SHARE.1) > self.medium.saturating_mul(SHARE.0) {
            true => self.file.max(GROUND).min(self.map),
            false => self.map,
        }
    }

    /// Whether old entries have to go.
    pub fn is_tight(&self) -> bool {
        self.used.saturating_mul(SHARE.1) > self.limit().saturating_mul(SHARE.0)
    }
}

/// Whether the medium under `path` has no space for a commit; false where it does not answer.
pub(crate) fn is_without_space(path: &Path) -> bool {
    statvfs(path).is_ok_and(|medium| medium.blocks_free() * medium.fragment_size() < COMMIT)
}

impl Store {
    /// How full the store is: as of the last commit.
    ///
    /// # Errors
    /// When LMDB or the medium cannot be asked.
    pub fn room(&self) -> Result<Room> {
        let core = self.core();
        let txn = core.env.read_txn().map_err(Error::lmdb("beginning to read"))?;
        let medium =
            statvfs(self.path()).map_err(|errno| Error::file("looking at the medium of", self.path())(errno.into()))?;
        let unit = medium.fragment_size();
        Ok(Room {
            used: core.tables.used(&txn)?,
            file: core.env.real_disk_size().map_err(|cause| Error::Open {
                path: self.path().to_owned(),
                cause: Arc::new(cause),
            })?,
            map: core.env.info().map_size as u64,
            medium: medium.blocks() * unit,
            // What only root may take is not counted as free.
            free: medium.blocks_available() * unit,
        })
    }
}

impl Write<'_, '_> {
    /// What the entries of all tables take, in bytes, with what this write has changed so far.
    ///
    /// # Errors
    /// When LMDB cannot be asked.
    pub fn used(&self) -> Result<u64> {
        self.tables.used(self.txn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_fifths_of_the_map_or_of_what_the_file_has_on_a_full_medium() {
        let room = |used, file, free| Room {
            used,
            file,
            map: 256 << 20,
            medium: 1000 << 20,
            free,
        };
        const MIB: u64 = 1 << 20;
        for (used, file, free, tight) in [
            (1, 1, 900, false),
            (204, 250, 900, false),
            (205, 250, 900, true),
            (33, 40, 199, true),
            (32, 40, 199, false),
            (33, 40, 200, false),
            (12, 1, 0, false),
            (13, 1, 0, true),
        ] {
            let room = room(used * MIB, file * MIB, free * MIB);
            assert_eq!(room.is_tight(), tight, "{room:?}");
        }
    }
}
