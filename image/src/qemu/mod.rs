//! Runs a box in QEMU: a machine as data, and a handle on it while it runs.
//!
//! `kiln-image run` shows the product to a person with it, the boot tests hold the product to its promises with it.
//! Software emulation (TCG) always: a `/dev/kvm` that opens need not boot anything, and a test must mean the same
//! everywhere.
//!
//! | file | what |
//! |---|---|
//! | [`arch`], [`ports`] | processor architecture; ports of drives |
//! | [`machine`] | [`Machine`]: architecture, firmware, boot medium, drives → QEMU's arguments (pure) |
//! | [`drive`] | [`Drive`]: bus, serial, WWN, source, speed, trims, zones → QEMU's block node and device (pure) |
//! | [`firmware`] | [`Firmware`]: BIOS, UEFI, Secure Boot, 32-bit UEFI |
//! | [`vm`] | [`Vm`]: the running process; serial log, waiting, plugging, pulling |
//! | [`qmp`] | QEMU's control socket |
//! | [`http`] | a small HTTP/1.1 client with short time-outs, server-sent events included |
//! | [`probe`] | the helper inside test images, over virtio-serial |
//!
//! QEMU dies with the handle, and with the thread that started it (`PR_SET_PDEATHSIG`), however that ends.
//! Tested by the unit tests here and by every boot test.

pub mod arch;
pub mod drive;
pub mod firmware;
pub mod http;
pub mod machine;
pub mod ports;
pub mod probe;
pub mod qmp;
pub mod vm;

use std::io;
use std::path::PathBuf;

pub use arch::Arch;
pub use drive::{Bus, Defect, Drive, Source, Trims};
pub use firmware::Firmware;
pub use machine::Machine;
pub use vm::Vm;

/// Why the machine could not be run or asked.
#[derive(thiserror::Error)]
pub enum Error {
    /// A program or file that `scripts/setup` installs is not there.
    #[error("{what} is not at {path}; scripts/setup installs it")]
    Missing { what: &'static str, path: PathBuf },
    /// A file of the machine's folder could not be made or read.
    #[error("{what} {path}")]
    File {
        what: &'static str,
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    /// QEMU did not start, or ended by itself.
    #[error("QEMU ended ({status}): {stderr}")]
    Ended { status: String, stderr: String },
    /// QEMU's control socket broke.
    #[error("control socket of QEMU")]
    Qmp(#[source] io::Error),
    /// QEMU refused a command.
    #[error("QEMU refused {command}: {reason}")]
    Refused { command: String, reason: String },
    /// What was waited for did not come.
    #[error("no {what} within {seconds} s; the console ends with:\n{console}")]
    Late {
        what: String,
        seconds: u64,
        console: String,
    },
    /// QEMU 10.0 did what it now and then does to a guest with two processors on a busy machine: no word about the box.
    #[error("QEMU failed: {0}")]
    Fault(&'static str),
    /// The helper in the guest refused or is not there.
    #[error("guest probe: {0}")]
    Probe(String),
    /// The machine as described cannot be built.
    #[error("{0}")]
    Impossible(String),
}

/// As people read it, cause by cause: this is what a test that gives up prints, console and all.
impl std::fmt::Debug for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")?;
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
