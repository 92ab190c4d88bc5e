//! Bringing the box up: what PID 1 does besides supervising units.
//!
//! [`Machine`] is a small state machine fed by the loop: helpers report, uevents arrive, and each report starts the next
//! step. Order: kernel file systems; the board's watchdog; EROFS and `/system`; then, at the same time, modules for every
//! device and the keeper of the boot medium. Units wait for milestones, so the server starts as soon as its state is there.

mod ask;
pub mod board;
mod bundle;
pub mod cmdline;
mod comeback;
mod data;
mod farewell;
mod fat;
mod found;
pub mod gpt;
mod grace;
pub mod guid;
pub mod identity;
mod interface;
pub(crate) mod journals;
mod keeper;
mod lost;
mod machine;
pub mod mark;
pub mod mirror;
mod mistake;
pub mod modules;
pub mod mounts;
pub mod net;
pub(crate) mod proof;
pub mod pstore;
mod ready;
pub mod record;
pub mod reset;
pub mod retained;
pub mod rewrite;
mod said;
mod search;
pub mod site;
pub mod sysctl;
pub mod uevents;
pub mod whole;
mod wipe;
mod work;

use std::path::Path;
use std::process::ExitCode;

use nix::sys::reboot::{RebootMode, reboot};

use crate::core::Ending;
use crate::handover::{self, Heir};
use crate::shell::desk::Desk;
use crate::shell::paths::Paths;
use crate::shell::run::Shell;
use crate::shell::{clock, log};
pub use machine::{Facts, Machine};
use record::Record;

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
            let before = handover::fault::reboots().unwrap_or_else(|| record::before(dir));
            record::leave(
                dir,
                &Record {
                    why: format!("PID 1 could not go on: {e}"),
                    ladder: true,
                    reboots: before.saturating_add(1),
                    slot: cmdline::Cmdline::parse(&std::fs::read_to_string("/proc/cmdline").unwrap_or_default()).slot,
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
        std::thread::sleep(std::time::Duration::from_secs(60));
    }
}
