//! The partition table of the boot disk: read, made the medium's own, written so that a power cut at any moment leaves a right one.
//!
//! `gpt` reads it and grows DATA's entry; `guid` gives disk and partitions GUIDs of their own on the first boot; both have their
//! writes planned and ordered by `rewrite`.

pub mod gpt;
pub mod guid;
pub mod rewrite;
