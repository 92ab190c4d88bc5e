//! DATA, the partition that holds the box's state: from its superblock to files that a power cut leaves whole.
//!
//! `filesystem` checks, mounts, repairs or makes it, by what `superblock` reads and with what `tool` runs; one that has lost its
//! superblock is first looked for by `lost`. A factory reset is a mark beside it (`reset`), after which `wipe` writes over what
//! was there. `place` is where it is mounted, or where a RAM file system takes its place; there `journals` gives the journal its
//! part, `proof` tells whether it still takes writes, and `whole` replaces files on it; `shut` gives it up where another medium
//! lies in its place, or may.

pub(super) mod filesystem;
pub(crate) mod journals;
pub(super) mod lost;
pub(crate) mod place;
pub(crate) mod proof;
pub mod reset;
pub(super) mod shut;
pub(super) mod superblock;
pub(super) mod tool;
pub mod whole;
pub(super) mod wipe;
