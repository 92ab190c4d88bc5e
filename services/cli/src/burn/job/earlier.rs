//! How a job begins: anew, or where an interrupted one left off, by this computer's state or by the drive itself.

use burnin::header::{self, Header};
use burnin::worker::{Backend, Io, Resumption};
use burnin::{JobKey, Shown, device};
use drive::smart::Snapshot;
use wire::drive::Content;
use wire::{JobId, Time};

use super::doubt::EXCHANGED;
use super::own::Own;
use super::watch::Seen;
use super::{Birth, Job};
use crate::burn::screen::Line;
use crate::burn::state::{Found, Saved};

/// Why a drive tells nothing of a burn-in.
const NO_HEADER: &str = "the drive holds no header of a burn-in";

/// How it begins.
pub(super) type Begun = (Birth, Own, Option<Resumption>);

impl Job {
    /// Anew, or what an interrupted burn-in of this drive left, if it is asked to go on.
    ///
    /// # Errors
    /// When the kernel gives no random numbers.
    pub(super) fn begin(&self, line: &Line, notes: &mut Vec<String>) -> Result<Begun, String> {
        if !self.resume {
            // From now on the drive holds another pattern than an earlier burn-in left.
            self.state.forget(&self.drive.id);
            return self.anew();
        }
        let mut note = |text: String| {
            line.say(&text);
            notes.push(text);
        };
        let lost = match self.state.load(&self.drive.id) {
            Found::Good(found) => {
                let (saved, checkpoint) = *found;
                if saved.playbook == self.choice.playbook.name && saved.steps == self.choice.steps {
                    let birth = Birth {
                        id: saved.job,
                        key: checkpoint.key,
                        started: saved.started,
                        fingerprint: saved.fingerprint.clone(),
                    };
                    match self.known(&birth) {
                        Shown::Not if !self.choice.erases() => return Err(EXCHANGED.to_owned()),
                        Shown::Unknown if !self.choice.erases() => {
                            note("nothing that stands on the drive tells that it is the one that was read; it begins anew".to_owned());
                            return self.anew();
                        }
                        Shown::Ours | Shown::Not | Shown::Unknown => {}
                    }
                    let mut own = Own::new(&self.choice.steps);
                    own.findings_before_loss = saved.unkept(&checkpoint.evidence.findings());
                    own.earlier = Seen::of(&saved);
                    own.checkpoint = Some(saved.checkpoint.clone());
                    own.take_up(saved.own);
                    own.before = saved.smart_before;
                    own.self_tests = saved.self_tests;
                    let resumption = resumption(saved.checkpoint, "stopped, killed or power cut");
                    return Ok((birth, own, Some(resumption)));
                }
                note(format!(
                    "the interrupted burn-in was `{}` with other steps or options; it begins anew as `{}`",
                    saved.playbook, self.choice.playbook.name
                ));
                return self.anew();
            }
            Found::Ended(over) => {
                return Err(format!(
                    "the burn-in of this drive {} and is not gone on with",
                    over.words()
                ));
            }
            Found::Nothing => ("nothing is kept here to go on with".to_owned(), None),
            Found::SetAside(why, left) => (why, left),
        };
        let (lost, left) = lost;
        match self.ask_drive(left.as_deref()) {
            Ok(begun) => {
                note(format!("{lost}; the drive itself tells where to go on"));
                Ok(begun)
            }
            // A burn-in that came through left nothing, and what stands there now was put there since.
            Err(why) if why == NO_HEADER && left.is_none() && matches!(self.drive.content, Content::Found { .. }) => {
                Err(format!(
                    "{lost}, and {why}, but {}: nothing was written; begin anew without --resume",
                    self.drive.content.words()
                ))
            }
            Err(why) => {
                note(format!("{lost}, and {why}; it begins anew"));
                let (birth, mut own, resume) = self.anew()?;
                if let Some(left) = left {
                    own.remember(&left);
                }
                Ok((birth, own, resume))
            }
        }
    }

    fn anew(&self) -> Result<Begun, String> {
        let mut key = [0; 16];
        getrandom::fill(&mut key).map_err(|e| format!("the kernel gives no random numbers: {e}"))?;
        let birth = Birth {
            id: JobId::now(),
            key: JobKey(key),
            started: Time::now(),
            fingerprint: self.fingerprint(),
        };
        Ok((birth, Own::new(&self.choice.steps), None))
    }

    /// From the header sectors and the tags that the interrupted job wrote; reads only.
    ///
    /// What was known of SMART is in the header; a baseline that is not there is not made up. It is a job of its own, with
    /// another id: what the lost one saw is not in its certificate. What is `left` of that job's state counts nonetheless.
    fn ask_drive(&self, left: Option<&Saved>) -> Result<Begun, String> {
        if !self.choice.erases() {
            return Err("a playbook that writes nothing leaves nothing on the drive".to_owned());
        }
        let file = self.held.file.try_clone().map_err(|e| e.to_string())?;
        let io = Io {
            backend: Backend::Sync,
            ..Io::default()
        };
        let (mut device, _) = device::open(file, io).map_err(|e| e.to_string())?;
        let header = header::find(device.as_mut(), self.geometry()).ok_or(NO_HEADER)?;
        self.is_mine(&header)?;
        let checkpoint = header::recover(device.as_mut(), &header, &self.limits)
            .ok_or("what the drive holds is not enough to go on from")?;
        let mut own = Own::new(&self.choice.steps);
        own.before = header
            .note
            .baseline
            .as_deref()
            .and_then(|text| serde_json::from_str::<Snapshot>(text).ok());
        own.baseline_is_past();
        if let Some(left) = left.filter(|left| left.job.to_string() == header.note.job) {
            own.remember(left);
        }
        let birth = Birth {
            id: JobId::now(),
            key: header.key,
            started: Time::now(),
            fingerprint: None,
        };
        let resumption = resumption(
            checkpoint.encode(),
            "its progress was lost; the drive's own header and tags told where to go on",
        );
        Ok((birth, own, Some(resumption)))
    }

    fn is_mine(&self, header: &Header) -> Result<(), String> {
        if header.note.drive != self.drive.id {
            return Err(format!("the header on it is of another drive, {}", header.note.drive));
        }
        if header.steps != self.choice.steps {
            return Err(format!(
                "the burn-in on it was `{}` with other steps than `{}`",
                header.note.playbook, self.choice.playbook.name
            ));
        }
        Ok(())
    }
}

fn resumption(checkpoint: String, why: &str) -> Resumption {
    Resumption {
        checkpoint,
        why: why.to_owned(),
        at: Time::now(),
    }
}
