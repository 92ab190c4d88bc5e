//! Building, running and writing Kiln's disk image; see `README.md` for what lies where in it.

pub mod nbd;
pub mod qemu;
