//! What PID 1 asks of the kernel, and what it hears from it.
//!
//! In the order of a boot: `mounts` has the kernel's own file systems, then `/system`, out of the initramfs where `retained` finds
//! it; `sysctl` its settings, and a clock that is never absurd; `grace` hurries it until the server listens; `modules` loads
//! drivers, also for what `uevents` brings later, and `controllers` tells what is left without one; `net` has the loopback up and watches addresses.

pub mod controllers;
pub(super) mod grace;
pub mod modules;
pub mod mounts;
pub mod net;
pub mod retained;
pub mod sysctl;
pub mod uevents;
