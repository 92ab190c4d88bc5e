//! Bringing the box up: what PID 1 does besides supervising units.
//!
//! [`Machine`] is a small state machine fed by the loop: helpers report, uevents arrive, and each report starts the next
//! step. Order: kernel file systems; the board's watchdog; EROFS and `/system`; then, at the same time, modules for every
//! device and the keeper of the boot medium. Units wait for milestones, so the server starts as soon as its state is there.
//!
//! ```text
//!  config ─► machine ─┬─► kernel                      settings, mounts, drivers, uevents
//!                     ├─► keeper ─┬─► medium ─► table which disk it is; its partitions
//!                     │           ├─► data            DATA: mended, mounted, proven
//!                     │           └─► end             why the last boot ended
//!                     └─► end                         the last writes of this one
//! ```
//!
//! `bundle` is the debug bundle that the console saves: it takes from all of them.

mod bundle;
pub mod config;
pub mod data;
pub mod end;
pub mod keeper;
pub mod kernel;
mod machine;
pub mod medium;
pub mod table;

use std::path::Path;
use std::process::ExitCode;

use nix::sys::reboot::{RebootMode, reboot};

use crate::core::Ending;
use crate::handover::{self, Heir};
use crate::shell::desk::Desk;
use crate::shell::paths::Paths;
use crate::shell::run::Shell;
use crate::shell::{clock, log};
use config::cmdline::Cmdline;
use end::record::{self, Record};
use kernel::{mounts, sysctl};
pub use machine::{Facts, Machine};

/// What the kernel gives, once a boot.
fn prepare() {
    let failed = mounts::kernel();
    log::use_kmsg();
    for f in failed {
        log::error(&format!("mount {f}"));
    }
    if let Err(e) = crate::shell::limits::own() {
        log::warn(&format!("more descriptors for PID 1: {e}"));
    }
    if let Err(e) = crate::shell::cgroup::prepare() {
        log::error(&format!("cgroups: {e}"));
    }
    if let Err(e) = crate::shell::sandbox::prepare_dev() {
        log::warn(&format!("the /dev of units: {e}; each makes its own"));
    }
    for refused in sysctl::harden(Path::new("/proc/sys")) {
        log::warn(&format!("/proc/sys/{refused}"));
    }
    if let Err(e) = sysctl::ask_for_media(Path::new("/sys")) {
        log::warn(&format!("cards that are put into a reader later: {e}"));
    }
    // Ctrl-Alt-Del becomes a signal, so that it is an orderly reboot.
    let _ = nix::sys::reboot::set_cad_enabled(false);
}

/// PID 1; `heir`: what an earlier image has handed over.
pub fn main(heir: Option<Heir>) -> ExitCode {
    if heir.is_none() {
        prepare();
    }
    let fresh = |paths| {
        let mut desk = Desk::default();
        let mut machine = Machine::new(&mut desk);
        machine.begin(clock::now(), &mut desk);
        Shell::new(paths, Some(machine), desk, 0)
    };
    let mode = match handover::begin(None, Paths::new(None), heir, fresh) {
        Ok(Ending::PowerOff) => RebootMode::RB_POWER_OFF,
        Ok(Ending::Reboot) => RebootMode::RB_AUTOBOOT,
        Err(e) => {
            log::error(&format!("PID 1 cannot go on: {e}"));
            let dir = Path::new(record::FOLDER);
            let before = handover::fatal::reboots().unwrap_or_else(|| record::before(dir));
            record::leave(
                dir,
                &Record {
                    why: format!("PID 1 could not go on: {e}"),
                    ladder: true,
                    reboots: before.saturating_add(1),
                    slot: Cmdline::parse(&std::fs::read_to_string("/proc/cmdline").unwrap_or_default()).slot,
                    ..Record::default()
                },
            );
            RebootMode::RB_AUTOBOOT
        }
    };
    let e = reboot(mode);
    log::error(&format!("reboot: {e:?}"));
    // The watchdog is not fed any more.
    loop {
        std::thread::sleep(std::time::Duration::from_mins(1));
    }
}
