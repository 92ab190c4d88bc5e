//! Runs a box in QEMU.
