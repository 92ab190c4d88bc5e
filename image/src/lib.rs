//! Builds, inspects, runs and tests the boot medium.
//!
//! The builder makes a disk image from Debian packages and our binaries, without root, loop devices or mounts.
//! The runner ([`qemu`]) boots such an image in QEMU with drives of every bus, and the NBD server ([`nbd`]) stands
//! behind drives that must lie, lose their cache or vanish. Boot tests (`tests/boot`) use both, as `scripts/run` does.
//!
//! Nothing here runs in the box.

pub mod nbd;
pub mod qemu;
