//! Makes a drive findable for the eye, and names its bay. How is `drive::locate`'s; whose light is on is known over restarts
//! ([`super::lit`]).

use std::sync::Arc;

use drive::locate::{LONGEST, Leave, Locating, Means, Slot, Tools, put_out, start};
use drive::sysfs::Device;
use drive::{System, sysfs};
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use tracing::{info, warn};
use wire::command::{Answer, CallOutcome};
use wire::drive::Drive;
use wire::{DriveId, Problem, Time};

use super::command::{answer_kept, kept};
use super::lights::{Lights, Turn};
use super::{Back, Controller, answer};

/// What was asked of a drive's light.
#[derive(Debug)]
pub(super) struct Ask {
    on: bool,
    actor: String,
    reply: oneshot::Sender<CallOutcome>,
}

/// What became of a turn.
enum Turned {
    On(Locating),
    Out,
    /// The tool that puts it out is late, or has failed.
    Late,
    /// Nothing was shown, and no light takes an order.
    Nothing,
}

/// The drives that are shown to somebody; a light goes out when its entry is dropped.
pub(super) type Located = Lights<Ask, Locating>;

impl Controller {
    /// Begins or ends it, after what was asked for the same drive before.
    pub(super) fn locate(&mut self, drive: DriveId, on: bool, actor: String, reply: oneshot::Sender<CallOutcome>) {
        let busy = |reply| {
            let problem = Problem::new("busy", 503, "This drive's light is still being turned");
            answer(reply, Err(problem.with("Try again in a moment.")));
        };
        // Else what is lit now would be put out a moment later. What is lit already ends in any case.
        let here = self.present(&drive).and_then(|listed| slot(&listed));
        if here.is_some_and(|slot| self.lit.darkens(&slot)) && (on || self.located.lit(&drive).is_none()) {
            return busy(reply);
        }
        match self.located.ask(&drive, Ask { on, actor, reply }) {
            Ok(Some(turn)) => self.turn(drive, turn),
            Ok(None) => {}
            Err(ask) => busy(ask.reply),
        }
    }

    /// A drive of the list that is there.
    fn present(&self, drive: &DriveId) -> Option<Drive> {
        let list = self.means.drives.borrow();
        let mut present = list.iter().filter(|listed| listed.present);
        present.find(|listed| listed.id.as_ref() == Some(drive)).cloned()
    }

    /// Puts out the lights whose drives are gone, or sit in another bay now: whoever looks for them there finds another one.
    pub(super) fn put_out_what_moved(&mut self, list: &[Drive]) {
        let moved = self.located.all_lit().filter(|(drive, lit)| {
            let present = || list.iter().filter(|listed| listed.present);
            // A second device with its identity takes it from both.
            let twin =
                |listed: &&Drive| listed.id.is_none() && lit.slot().is_some() && slot(listed).as_ref() == lit.slot();
            let listed = present().find(|listed| listed.id.as_ref() == Some(*drive));
            let listed = listed.or_else(|| present().find(twin));
            !is_there(lit.slot(), listed.map(slot).as_ref())
        });
        let moved: Vec<DriveId> = moved.map(|(drive, _)| drive.clone()).collect();
        for drive in moved {
            info!(%drive, "a drive that was shown is gone from its bay, whose light is put out");
            let (reply, _unheard) = oneshot::channel();
            self.locate(drive, false, String::new(), reply);
        }
    }

    /// Puts out the lights that an earlier agent left on, once their slots are there, or their drives are seen.
    pub(super) fn put_out_what_was_left(&mut self, list: &[Drive]) {
        for slot in self.lit.darken(|slot| slot.is_there(&System::default())) {
            info!(enclosure = %slot.enclosure, slot = %slot.name, "a light that may be on since an earlier agent is put out");
            let back = self.back.clone();
            tokio::spawn(async move {
                let dark = slot.clone();
                let done = spawn_blocking(move || dark.put_out(&System::default(), &Tools::default()));
                let out = done.await.unwrap_or(false);
                if !out {
                    warn!(enclosure = %slot.enclosure, slot = %slot.name, "a locate light may still be on");
                }
                let _stopped = back.send(Back::Darkened { slot, out }).await;
            });
        }
        for drive in self.lit.left_on(list) {
            info!(%drive, "a light that may be on since an earlier agent is put out");
            // Nobody waits for the answer.
            let (reply, _unheard) = oneshot::channel();
            self.locate(drive, false, String::new(), reply);
        }
    }

    /// Turns a light in a task of its own: tools of enclosures are slow.
    fn turn(&mut self, drive: DriveId, turn: Turn<Ask, Locating>) {
        let Turn { ask, before } = turn;
        let Ask { on, actor, reply } = ask;
        let back = self.back.clone();
        let lit_in = before.as_ref().map(|lit| lit.slot().cloned());
        let Some(listed) = self.present(&drive) else {
            let problem = Problem::new("drive-unknown", 404, "No such drive is plugged in");
            answer(
                reply,
                Err(problem.with(format!(
                    "{drive} is not among the present drives{}.",
                    self.means.bays.words(&drive)
                ))),
            );
            tokio::spawn(async move {
                // Ending it may wait for a dying drive.
                let ended = spawn_blocking(move || before.is_some_and(Locating::stop)).await;
                let out = lit_in.filter(|_| ended.unwrap_or(false)).into_iter().collect();
                let _stopped = back.send(Back::Located { drive, lit: None, out }).await;
            });
            return;
        };
        let name = format!("{} {}", listed.model, listed.serial);
        if on {
            // The server records who asked, once it is known whether a light is on.
            info!(%drive, %actor, "a drive is looked for");
        }
        // What is put out is put out where it was lit.
        let here = match &lit_in {
            Some(lit_in) if !on => lit_in.clone(),
            Some(_) | None => slot(&listed),
        };
        let written = self.lit.turns(&drive, here.as_ref(), on);
        let leave = match self.busy().contains(&drive) {
            true => Leave::new(false),
            false => self
                .leaves
                .entry(drive.clone())
                .or_insert_with(|| Leave::new(true))
                .clone(),
        };
        tokio::spawn(async move {
            if let Some(written) = written {
                kept(written).await;
            }
            let (wanted, there) = (drive.clone(), here.clone());
            let done = spawn_blocking(move || {
                let ended = before.map(Locating::stop);
                let turned = match (on, ended) {
                    (true, _) => light((&listed.kernel_name, &wanted), there.as_ref(), &leave).map(Turned::On),
                    (false, Some(true)) => Ok(Turned::Out),
                    (false, Some(false)) => Ok(Turned::Late),
                    (false, None) if dark(&listed.kernel_name, &wanted) => Ok(Turned::Out),
                    (false, None) => Ok(Turned::Nothing),
                };
                (turned, ended != Some(false))
            });
            let (turned, out) = match done.await {
                Ok((turned, out)) => (Ok(turned), out),
                Err(error) => (Err(error), false),
            };
            let (told, lit) = match turned {
                Ok(Ok(Turned::On(locating))) => (Ok(locating.words()), Some(locating)),
                Ok(Ok(Turned::Out)) => (Ok(format!("{name} is no longer shown.")), None),
                Ok(Ok(Turned::Late)) => {
                    let problem = Problem::new("locate-late", 503, "This drive's light may still be on");
                    let why = "what puts it out is late, or has failed; put it out once more in a moment";
                    (Err(problem.with(format!("{name}: {why}."))), None)
                }
                Ok(Ok(Turned::Nothing)) => {
                    let told = format!("{name} was not being shown, and no light of its bay answers.");
                    (Ok(told), None)
                }
                Ok(Err(why)) => {
                    let problem = Problem::new("locate-unsupported", 422, "This drive cannot be made findable");
                    (Err(problem.with(format!("{name}: {why}."))), None)
                }
                Err(error) => {
                    let problem = Problem::new("agent-fault", 500, "The agent failed").with(error.to_string());
                    (Err(problem), None)
                }
            };
            answer(reply, told.map(|told| Answer::Done { told }));
            let mut out: Vec<_> = match out {
                true => lit_in.into_iter().chain([here.clone()]).collect(),
                false => Vec::new(),
            };
            out.retain(|slot| lit.is_none() || *slot != here);
            let _stopped = back.send(Back::Located { drive, lit, out }).await;
        });
    }

    /// Names the bay where a drive sits, or sat last.
    pub(super) fn name_bay(&self, drive: &DriveId, bay: &str, actor: &str, reply: oneshot::Sender<CallOutcome>) {
        let kept = self.means.bays.name(drive, bay).ok_or_else(|| {
            let problem = Problem::new("bay-unknown", 409, "Nobody knows where this drive sits");
            problem.with(format!(
                "{drive}: neither its bus nor its enclosure tells a place that could be named."
            ))
        });
        let told = match self.means.bays.named(drive) {
            Some(bay) => format!("Its bay is called {bay}."),
            None => "Its bay has no name of a person's any more.".to_owned(),
        };
        if kept.is_ok() {
            info!(%drive, bay, actor, "a bay was named");
            self.tell_drives_again();
        }
        answer_kept(reply, kept, Answer::Done { told });
    }

    /// A light was turned; the next one that waits for it has its turn. One that may still be on the next agent puts out.
    pub(super) fn located(&mut self, drive: DriveId, lit: Option<Locating>, out: &[Option<Slot>]) {
        for slot in out {
            self.lit.is_out(&drive, slot.as_ref());
        }
        match self.located.turned(&drive, lit) {
            Some(turn) => self.turn(drive, turn),
            None => {
                // Its drive may have gone while it was being lit.
                let list = Arc::clone(&self.means.drives.borrow());
                self.put_out_what_moved(&list);
                self.tell_drives_again();
            }
        }
    }

    /// Until when a drive is shown, for whoever opens its page.
    pub(super) fn shown_until(&self, drive: &DriveId) -> Option<Time> {
        // A rhythm ends with the leave to read.
        let goes_on = |lit: &&Locating| *lit.means() != Means::Rhythm || self.leaves.contains_key(drive);
        let lit = self.located.lit(drive).filter(|lit| !lit.is_over());
        lit.filter(goes_on).map(Locating::until)
    }
}

/// The slot that a drive of the list sits in now, where an enclosure tells one.
fn slot(listed: &Drive) -> Option<Slot> {
    Slot::of(&System::default(), &listed.kernel_name)
}

/// Whether a drive is where it was lit. `now`: nothing where it is gone, else its slot, where an enclosure tells one.
fn is_there(lit: Option<&Slot>, now: Option<&Option<Slot>>) -> bool {
    // Where it was lit without a slot, whether it moved cannot be told.
    now.is_some_and(|now| lit.is_none() || lit == now.as_ref())
}

/// The drive that was asked for. Its name may be another one's by now: a turn may wait for tools of enclosures.
fn device(system: &System, kernel_name: &str, drive: &DriveId) -> Option<Device> {
    sysfs::read(system, kernel_name).filter(|device| device.identity.id.as_ref() == Some(drive))
}

/// Lights it in the slot that was written down.
fn light((kernel_name, drive): (&str, &DriveId), slot: Option<&Slot>, leave: &Leave) -> Result<Locating, String> {
    let system = System::default();
    let device = device(&system, kernel_name, drive).ok_or("it is gone")?;
    if Slot::of(&system, kernel_name).as_ref() != slot {
        return Err("it was put into another bay just now".to_owned());
    }
    start(&system, &Tools::default(), &device, LONGEST, leave).map_err(|error| error.to_string())
}

/// Puts out the light of its bay, which this process need not have lit; whether there is one that takes the order.
fn dark(kernel_name: &str, drive: &DriveId) -> bool {
    let system = System::default();
    device(&system, kernel_name, drive).is_some_and(|device| put_out(&system, &Tools::default(), &device))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drive_that_is_gone_or_in_another_slot_is_not_where_it_was_lit() {
        let slot = |name: &str| Slot {
            enclosure: "500304800000aaaa".into(),
            name: name.into(),
        };
        let one = Some(slot("Slot 01"));
        for (lit, now, there) in [
            (&one, None, false),
            (&one, Some(one.clone()), true),
            (&one, Some(Some(slot("Slot 03"))), false),
            (&one, Some(None), false),
            (&None, None, false),
            (&None, Some(None), true),
            (&None, Some(one.clone()), true),
        ] {
            assert_eq!(is_there(lit.as_ref(), now.as_ref()), there, "{lit:?} {now:?}");
        }
    }
}
