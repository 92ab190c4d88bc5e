//! Making a drive findable among its like: the light of its bay, else a rhythm of reads that its own light shows.
//!
//! | means | by |
//! |---|---|
//! | enclosure | the kernel's `locate` attribute of the slot (SES), or `sg_ses` where that attribute is missing |
//! | PCI slot | the kernel's `*:enclosure:locate` LED of an NVMe slot (NPEM) |
//! | controller | `ledctl --listed-only locate=…` (it needs a folder `/var/log`) for what ledmon drives (AHCI SGPIO, VMD, IBPI) |
//! | rhythm | three short bursts of reads and a pause, over and over; reads alone, on a descriptor that cannot write, of a drive that is not being tested ([`Leave`]) |
//!
//! [`how`] says which there are, best first, from `/sys` alone; [`start`] takes the first that works. `ledctl` calls an order done also where
//! there is no light (boards' own SATA ports, cages with an activity light alone): where nothing reads that back, the rhythm is played beside it. Whatever was begun
//! ends by [`Locating::stop`], by dropping it, or by itself after [`LONGEST`]; what a process left on that was killed, by
//! [`Slot::put_out`] where an enclosure tells which slot it was, else by [`put_out`].
//!
//! Tested over made-up trees of `/sys` in the layout of Linux 6.12 and with tools that are scripts (`tests/locate.rs`);
//! the rhythm is read from loop devices; in boot tests (`image/tests/boot/lights.rs`) on a shelf that is played to the real kernel
//! and the real tools. **No light of a real enclosure has been lit by it.**

mod bays;
mod means;
mod place;
mod rhythm;
mod slot;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub use bays::{Bay, Bays};
pub use means::{Means, how};
pub use place::{Place, place};
pub use rhythm::{BURST, Beat, Leave, PERIOD, beat};
pub use slot::Slot;

use wire::Time;

use crate::child;
use crate::sysfs::{self, Device};
use crate::system::System;

/// After this a light goes out by itself: nobody wants to find every light of a rack on.
pub const LONGEST: Duration = Duration::from_mins(5);

/// How long a tool may take: SES commands are slow on long chains.
const TOOL: Duration = Duration::from_secs(20);

/// How long the rhythm beside a light is waited for: one that cannot be played at all says so at once, and one that hangs ends later.
const BESIDE: Duration = Duration::from_secs(1);

/// Why a drive cannot be made findable.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// Every means failed; the last one's reason.
    #[error("no light and no reading works ({0})")]
    All(String),
    /// No light of its bay is known, and there is no leave to read it.
    #[error(
        "no light of its bay works, and its own light cannot tell it while it is being tested; ask again when its job is over"
    )]
    Tested,
    /// A thread could not be had.
    #[error("starting a thread")]
    Thread(#[source] std::io::Error),
}

/// The tools that light lights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tools {
    /// ledmon's `ledctl`.
    pub ledctl: PathBuf,
    /// sg3-utils' `sg_ses`.
    pub sg_ses: PathBuf,
}

impl Default for Tools {
    fn default() -> Self {
        Self {
            ledctl: PathBuf::from("ledctl"),
            sg_ses: PathBuf::from("sg_ses"),
        }
    }
}

/// A drive that is being shown; it ends when this is dropped.
#[derive(Debug)]
pub struct Locating {
    means: Means,
    /// The rhythm that is played beside a light that may be none.
    beside: Option<Box<Locating>>,
    slot: Option<Slot>,
    until: Time,
    stop: Option<Sender<()>>,
    /// Whether the light took the order to go out.
    thread: Option<JoinHandle<bool>>,
}

impl Locating {
    /// How it is shown.
    pub fn means(&self) -> &Means {
        &self.means
    }

    /// The slot that its drive sat in when it began, where an enclosure tells one; whatever sits there, its light ends with this.
    pub fn slot(&self) -> Option<&Slot> {
        self.slot.as_ref()
    }

    /// When it ends by itself, if nobody stops it before.
    pub fn until(&self) -> Time {
        self.until
    }

    /// What a person looks for, in a sentence.
    pub fn words(&self) -> String {
        match &self.beside {
            Some(_) => format!("{}; {}", self.means.words(), means::FLICKERS),
            None => self.means.words(),
        }
    }

    /// Whether it ended by itself.
    pub fn is_over(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Ends it; whether the light is out when this returns. Else its tool is late, or has failed, and it may still be on.
    pub fn stop(mut self) -> bool {
        self.end()
    }

    fn end(&mut self) -> bool {
        drop(self.stop.take());
        let beside = self.beside.as_mut().and_then(|beside| {
            drop(beside.stop.take());
            beside.thread.take()
        });
        let begun = Instant::now();
        // A read of a dying drive may hold the rhythm up for half a minute: then it ends without us, and sooner beside a light.
        let waits = |thread: Option<&JoinHandle<bool>>, longest| {
            thread.is_some_and(|thread| !thread.is_finished()) && begun.elapsed() < longest
        };
        while waits(self.thread.as_ref(), TOOL) || waits(beside.as_ref(), BESIDE) {
            std::thread::sleep(Duration::from_millis(5));
        }
        let thread = self.thread.take().filter(JoinHandle::is_finished);
        thread.is_some_and(|thread| thread.join().unwrap_or(false))
    }
}

impl Drop for Locating {
    fn drop(&mut self) {
        let _out = self.end();
    }
}

/// Makes `device` findable by the best means that works, until it is stopped or `longest` (at most [`LONGEST`]) is over; by
/// a rhythm while there is `leave` to read it.
///
/// # Errors
/// When no means works: a drive that cannot even be read, or must not be, has no light of its own.
pub fn start(
    system: &System,
    tools: &Tools,
    device: &Device,
    longest: Duration,
    leave: &Leave,
) -> Result<Locating, Failed> {
    let longest = longest.min(LONGEST);
    let mut last = String::new();
    for means in how(system, device) {
        if means == Means::Rhythm && !leave.stands() {
            return Err(Failed::Tested);
        }
        match means.light(tools, true) {
            Ok(()) => {
                let (mut locating, began) = run(system, tools, device, means, (longest, leave))?;
                match answered(&began) {
                    Ok(()) => {
                        if locating.means.may_be_dark() && leave.stands() {
                            // Where it cannot be played the light is there, maybe.
                            let rhythm = run(system, tools, device, Means::Rhythm, (longest, leave)).ok();
                            let rhythm = rhythm.filter(|(_, began)| may_answer(began));
                            locating.beside = rhythm.map(|(rhythm, _)| Box::new(rhythm));
                        }
                        return Ok(locating);
                    }
                    // A drive that does not answer in time is left to the thread, which ends once its read comes back.
                    Err(why) => {
                        drop(locating.thread.take());
                        last = why;
                    }
                }
            }
            Err(why) => {
                // A tool that is late may have lit it all the same.
                let _out = means.light(tools, false);
                last = why;
            }
        }
    }
    Err(Failed::All(last))
}

/// Puts out whatever light of its bay `device` has, whoever lit it: a process that was killed put none out. Whether any means took the
/// order. May take as long as each tool may.
pub fn put_out(system: &System, tools: &Tools, device: &Device) -> bool {
    let lights = how(system, device).into_iter().filter(|means| *means != Means::Rhythm);
    // Each of them: which one was lit nobody knows. What is not there gives an error.
    lights.filter(|means| means.light(tools, false).is_ok()).count() > 0
}

/// Whether what was begun works; the reason in words where the drive does not answer to it.
fn answered(began: &Receiver<std::io::Result<()>>) -> Result<(), String> {
    match began.recv_timeout(TOOL) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(format!("reading from it: {error}")),
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
            Err(format!("it did not answer for {} s", TOOL.as_secs()))
        }
    }
}

/// The same of a rhythm beside a light: one that is late may come yet, and nobody waits for it.
fn may_answer(began: &Receiver<std::io::Result<()>>) -> bool {
    matches!(began.recv_timeout(BESIDE), Ok(Ok(())) | Err(RecvTimeoutError::Timeout))
}

/// Begins what `means` asks for; what is received tells whether the drive answers to it.
fn run(
    system: &System,
    tools: &Tools,
    device: &Device,
    means: Means,
    (longest, leave): (Duration, &Leave),
) -> Result<(Locating, Receiver<std::io::Result<()>>), Failed> {
    let (stop, stopped) = channel();
    let (began, heard) = channel();
    let (shown, leave) = (means.clone(), leave.clone());
    let (system, tools, name) = (system.clone(), tools.clone(), device.name.clone());
    let slot = Slot::of(&system, &name);
    let lit = slot.clone();
    let (node, bytes) = (sysfs::node(&system, &name), device.identity.capacity.0);
    let sequence = device.sequence;
    let work = move || {
        match &shown {
            Means::Rhythm => {
                let player = rhythm::Player {
                    node: &node,
                    bytes,
                    is_same: || sysfs::sequence(&system, &name) == sequence,
                };
                player.play(longest, &leave, (&began, &stopped));
            }
            Means::Slot { .. } | Means::Ses { .. } | Means::PciSlot { .. } | Means::Ledctl { .. } => {
                if began.send(Ok(())).is_ok() {
                    wait(&stopped, longest);
                }
            }
        }
        let out = dark((&system, &tools), &shown, lit.as_ref(), &name);
        if let Err(why) = &out {
            tracing::warn!(why, "a locate light may still be on");
        }
        out.is_ok()
    };
    let thread = std::thread::Builder::new()
        .name("drive-locate".to_owned())
        .stack_size(256 << 10)
        .spawn(work)
        .map_err(Failed::Thread)?;
    let locating = Locating {
        means,
        beside: None,
        slot,
        until: Time::now().saturating_add(longest).unwrap_or(Time::MAX),
        stop: Some(stop),
        thread: Some(thread),
    };
    Ok((locating, heard))
}

/// Puts out what `shown` lit while the disk `name` sat in `slot`. By now the enclosure may be at another path, and another drive at
/// that name.
fn dark((system, tools): (&System, &Tools), shown: &Means, slot: Option<&Slot>, name: &str) -> Result<(), String> {
    let mut lights = slot.map(|slot| slot.lights(system)).unwrap_or_default();
    let own = match shown {
        Means::Rhythm => return Ok(()),
        Means::Slot { .. } | Means::Ses { .. } => slot.is_none(),
        Means::PciSlot { .. } => true,
        Means::Ledctl { .. } => slot.is_none() || slot == Slot::of(system, name).as_ref(),
    };
    // It says that it did, also where it has no light; so it counts for none but its own.
    let ledctl = |means: &Means| matches!(means, Means::Ledctl { .. });
    lights.retain(|means| !ledctl(means) || ledctl(shown));
    // What lit it first: another means may take the order and not reach it.
    let kind = std::mem::discriminant(shown);
    lights.sort_by_key(|means| std::mem::discriminant(means) != kind);
    let mut last = "its enclosure is gone".to_owned();
    for means in own.then(|| shown.clone()).into_iter().chain(lights) {
        match means.light(tools, false) {
            Ok(()) => return Ok(()),
            Err(why) => last = why,
        }
    }
    Err(last)
}

/// Waits until stopped, at most for `time`; `true` if stopped.
fn wait(stopped: &Receiver<()>, time: Duration) -> bool {
    !matches!(stopped.recv_timeout(time), Err(RecvTimeoutError::Timeout))
}

/// Runs a tool on `node` and gives what it said; an error in words unless it exits with 0.
fn tool(command: &mut Command, node: &Path) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    match child::run(command, node, TOOL, 64 << 10) {
        Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Ok(output) => Err(format!("{name}: {}", output.status)),
        Err(error) => Err(crate::smart::words(&error)),
    }
}

/// Time that is over since `begun`, for the pure schedule.
fn elapsed(begun: Instant) -> Duration {
    begun.elapsed()
}
