//! Building, running and writing Kiln's disk image; see `README.md` for what lies where in it.

#![warn(unreachable_pub)]

pub mod apt;
pub mod assemble;
pub mod board;
pub mod cpio;
pub mod cross;
pub mod elf;
pub mod error;
pub mod exec;
pub mod fat32;
pub mod flash;
pub mod gpt;
pub mod grub;
pub mod initramfs;
pub mod inspect;
pub mod key;
pub mod loader;
pub mod lock;
pub mod modules;
pub mod nbd;
pub mod packages;
pub mod qemu;
pub mod race;
pub mod run;
pub mod sbom;
pub mod signature;
pub mod slot;
pub mod system;
pub mod tools;
pub mod tree;
pub mod update;
pub mod update_keys;
pub mod verify;
pub mod workspace;

pub use error::{Error, Result};
