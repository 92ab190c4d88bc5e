//! One box for all tests that cut, kill and burn nothing: booting it takes longer than most of them.
//!
//! It is booted by the first of them and goes down when a test of another kind makes its bench. Every test here leaves it as
//! it was: what was plugged in is pulled, and no job is ever started, which each may rely on.

mod addon;
mod exchange;
mod hotplug;
mod tls;

use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};

use image::qemu::{Arch, Bus, Drive, Vm};
use wire::boxes::Liveness;

use crate::bench::Bench;
use crate::lab::{Lab, SOON};

/// The box.
pub(crate) struct Calm {
    pub(crate) lab: Lab,
    pub(crate) vm: Vm,
    pub(crate) bench: Bench,
    /// QEMU dies with the thread that started it; that one waits for this to go.
    _keeper: Sender<()>,
}

/// A drive that is there from the start, and that nobody may touch.
pub(crate) const KEPT: &str = "KEPT0001";

static CALM: Mutex<Option<Calm>> = Mutex::new(None);

/// Runs a test on the box.
fn calm(test: impl FnOnce(&mut Calm)) {
    // A test that failed here has spoilt the box for the next ones.
    let mut guard = CALM.lock().unwrap_or_else(|poisoned| {
        let mut guard = PoisonError::into_inner(poisoned);
        *guard = None;
        guard
    });
    CALM.clear_poison();
    test(guard.get_or_insert_with(boot));
}

/// Takes the box down, if there is one: a test of another kind needs the machine.
pub(crate) fn end() {
    let mut guard: MutexGuard<'_, _> = CALM.lock().unwrap_or_else(PoisonError::into_inner);
    *guard = None;
}

fn boot() -> Calm {
    let (give, take) = channel();
    let (keeper, gone) = channel::<()>();
    std::thread::spawn(move || {
        let lab = Lab::beside_the_calm_box(Arch::X86_64);
        let sata = Drive::new(Bus::Sata, "SATA0001", lab.blank("SATA0001", 32)).model("KILN Spinner");
        let nvme = Drive::new(Bus::Nvme, "NVME0001", lab.blank("NVME0001", 48));
        let kept = Drive::new(Bus::Scsi, KEPT, lab.blank(KEPT, 16));
        let (vm, bench) = lab.boot([sata, nvme, kept]);
        // The server answers a moment before the agent has come.
        bench.until("agent online", SOON, || match bench.status().agent.state {
            Liveness::Online => Ok(()),
            other => Err(format!("{other:?}")),
        });
        let _ = give.send((lab, vm, bench));
        let _ = gone.recv();
    });
    let (lab, vm, bench) = take.recv().unwrap();
    Calm {
        lab,
        vm,
        bench,
        _keeper: keeper,
    }
}

/// Whether no byte of the drive has been touched.
fn untouched(lab: &Lab, file: &str) -> bool {
    std::fs::read(lab.path().join(file)).unwrap().iter().all(|b| *b == 0)
}
