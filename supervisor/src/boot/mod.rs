//! Bringing the box up: what PID 1 does besides supervising units.
//!
//! [`Machine`] is a small state machine fed by the loop: helpers report, uevents arrive, and each report starts the next
//! step. Order: kernel file systems; the board's watchdog; EROFS and `/system`; then, at the same time, modules for every
//! device and the keeper of the boot medium. Units wait for milestones, so the server starts as soon as its state is there.

pub mod board;
pub mod cmdline;
pub mod dhcp;
pub mod gpt;
pub mod guid;
mod machine;
pub mod mark;
pub mod medium;
pub mod mirror;
pub mod modules;
pub mod mounts;
pub mod net;
pub mod record;
pub mod rewrite;
pub mod site;
pub mod uevents;
mod work;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use nix::sys::reboot::{RebootMode, reboot};

use crate::core::Ending;
use crate::shell::desk::Desk;
use crate::shell::log;
use crate::shell::paths::Paths;
use crate::shell::run::Shell;
pub use machine::Machine;
use record::Record;

/// PID 1.
pub fn main() -> ExitCode {
    // The loop survives a panic (see `Shell::run`); what happened must be in the log either way.
    std::panic::set_hook(Box::new(|info| log::error(&format!("PID 1 panicked: {info}"))));
    let failed = mounts::kernel();
    log::use_kmsg();
    for f in failed {
        log::error(&format!("mount {f}"));
    }
    if let Err(e) = crate::shell::cgroup::prepare() {
        log::error(&format!("cgroups: {e}"));
    }
    let _ = fs::write("/proc/sys/net/unix/max_dgram_qlen", "1024\n");
    let _ = fs::write("/proc/sys/kernel/panic", "10\n");
    // Ctrl-Alt-Del becomes a signal, so that it is an orderly reboot.
    let _ = nix::sys::reboot::set_cad_enabled(false);
    let mut desk = Desk::default();
    let machine = Machine::new(&mut desk);
    let ending = match Shell::new(Paths::new(None), Some(machine), desk, 0) {
        Ok(mut shell) => shell.run(),
        Err(e) => Err(e),
    };
    let mode = match ending {
        Ok(Ending::PowerOff) => RebootMode::RB_POWER_OFF,
        Ok(Ending::Reboot) => RebootMode::RB_AUTOBOOT,
        Err(e) => {
            log::error(&format!("PID 1 cannot go on: {e}"));
            record::leave(
                Path::new(record::FOLDER),
                &Record {
                    why: format!("PID 1 could not go on: {e}"),
                    ladder: true,
                    reboots: 1,
                },
            );
            RebootMode::RB_AUTOBOOT
        }
    };
    let e = reboot(mode);
    log::error(&format!("reboot: {e:?}"));
    // The watchdog is not fed any more.
    loop {
        std::thread::sleep(std::time::Duration::from_secs(60));
    }
}
