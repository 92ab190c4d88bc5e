//! Update bundles, and what they are written to: formats, signatures and plans. No I/O, no clock, nothing of the machine.
//!
//! - [`Manifest`]: what a bundle holds, with a SHA-256 of each MiB; [`Head`]: the manifest and who signed it.
//! - [`KeySet`]: the keys of which a threshold must have signed, and how a newer set follows an older one.
//! - [`Verifier`]: bytes in any portions in, verified chunks out; never a byte that was not verified.
//! - [`env`](mod@env): GRUB's environment block. [`fat`]: the boot partition's file system, read, and changed by a plan that a
//!   power cut may end anywhere.
//!
//! The builder (`image`), PID 1's helper that writes (`supervisor`), the server that receives and the command line that
//! sends use this one description. Held by `tests/tampering.rs`, and the plan by `supervisor/src/update/played/cuts.rs`; fuzz targets
//! are in `fuzz/`, that of the environment block in `image/fuzz`.

#![warn(unreachable_pub)]

pub mod env;
pub mod fat;
mod hash;
mod head;
mod keys;
mod manifest;
mod refused;
mod verifier;
mod version;

pub use hash::Hash;
pub use head::{Head, MAGIC, Target, accept, head_len};
pub use keys::{Key, KeySet, Public, Rotation, Signature};
pub use manifest::{CHUNK, Chunk, File, Manifest, NEEDED};
pub use refused::Refused;
pub use verifier::{Piece, Verifier};
pub use version::newer;
