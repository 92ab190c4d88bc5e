//! What this boot is told, before anything is decided: by the boot loader, by the image, by the owner.
//!
//! `cmdline` is the boot loader's word (which medium, which slot, why); `board` is what the image knows of its board
//! (`/kiln/board.toml`); `site` is the owner's `kiln.toml`, of which `interface` is one network interface, and `mistake` what is
//! told of a setting that was not understood. Only read, never written; a value that cannot be used is told and left out.

pub mod board;
pub mod cmdline;
mod interface;
mod mistake;
pub mod site;
