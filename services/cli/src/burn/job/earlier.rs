//! How a job begins: anew, or where an interrupted one left off, by this computer's state or by the drive itself.

use burnin::device::Device;
use burnin::header::{self, Header};
use burnin::job::{Again, Asker, Asks, Begin, Kept, Told, Whose, Why};
use burnin::playbook::is_of_formatter;
use burnin::worker::Resumption;
use burnin::{Blank, Checkpoint, Evidence, Fingerprint, JobKey, Shown, device};
use drive::smart::Snapshot;
use wire::drive::Content;
use wire::job::Resume;
use wire::{Bytes, Time};

use super::doubt;
use super::own::Own;
use super::watch::Seen;
use super::{Birth, Job};
use crate::burn::admit::Held;
use crate::burn::ended::Ended;
use crate::burn::flags;
use crate::burn::newest;
use crate::burn::other_size;
use crate::burn::remains::Remains;
use crate::burn::saved::Saved;
use crate::burn::screen::Line;
use crate::burn::state::Found;

/// Why a drive tells nothing of a burn-in.
const NO_HEADER: &str = "the drive holds no header of a burn-in";

/// How it begins.
pub(super) type Begun = (Birth, Own, Option<Resumption>);

/// An interrupted burn-in that a new one puts an end to.
#[derive(serde::Serialize)]
pub(in crate::burn) struct GivenUp {
    /// What it is, with what it had found.
    pub words: String,
    /// What to give to go on with it instead; `None` where what is kept of it cannot be used.
    pub resume: Option<String>,
}

/// What is known of an interrupted burn-in of this drive.
struct Earlier {
    again: Again,
    /// Why there is no place to go on from, in words.
    lost: String,
    left: Option<Remains>,
    place: Option<Box<(Saved, Checkpoint)>>,
}

/// What the drive itself tells to go on from.
type FromDrive = (Header, Checkpoint);

/// What the drive told so far, where it was asked for headers ([`Told::Headers`]).
#[derive(Default)]
struct Answer {
    ours: bool,
    whose: Option<Whose>,
    place: bool,
    used: bool,
}

impl Job {
    /// Anew, or what an interrupted burn-in of this drive left, if it is asked to go on.
    ///
    /// # Errors
    /// When it is not to be gone on with, what is known cannot be kept, or the kernel gives no random numbers.
    pub(super) fn begin(&self, line: &Line, notes: &mut Vec<String>) -> Result<Begun, String> {
        let mut note = |text: String| {
            line.say(&text);
            notes.push(text);
        };
        if let Some(told) = self.state.unite(&self.drive.id)? {
            note(told);
        }
        if !self.resume {
            let found = self.state.look(&self.drive.id);
            self.in_place.set(matches!(found, Found::Nothing));
            if let Some(words) = given_up(&found, "is given up") {
                note(words);
            }
            let left = match found {
                Found::Good(found) => Some(Remains::of(&found.0)),
                Found::Begun(saved) => Some(Remains::of(&saved)),
                Found::Bad(_, left) => left.map(|left| *left),
                Found::Ended(over) => {
                    // Killed before it could, or it has: nothing is taken back twice.
                    let ended = over.result.and_then(|kept| Ended::kept_for(self.node.clone(), &kept));
                    if let Some(mut ended) = ended {
                        ended.take_back(self.state.path(), line);
                        notes.append(&mut ended.notes);
                    }
                    None
                }
                Found::Unreadable(_) | Found::Nothing => None,
            };
            if let Some(left) = left {
                self.take_back(&left, line, notes);
            }
            return self.anew(None, false);
        }
        let Earlier {
            again,
            lost,
            left,
            place,
        } = self.earlier(self.or_untabled(self.state.load(&self.drive.id)));
        let (told, from_drive) = self.told(again, left.as_ref());
        // Something was kept and nothing of it can be read, or nothing is, and the drive's own header tells of a burn-in.
        let torn = left.is_none()
            && match again.kept {
                Kept::Lost => true,
                Kept::Nothing => matches!(told, Told::Headers { ours: true, .. }),
                Kept::Begun | Kept::Place | Kept::Ended | Kept::Unreadable => false,
            };
        let counts = left.as_ref().map(counts).unwrap_or_default();
        match (again.begins(told), place, from_drive) {
            (Begin::GoesOn, Some(found), _) => Ok(self.go_on(found.0, &found.1, &mut note)),
            (Begin::FromDrive, _, Ok(found)) => {
                note(format!("{lost}; the drive itself tells where to go on"));
                Ok(self.begun_from_drive(found, left.as_ref()))
            }
            (Begin::Refused(why), ..) => Err(format!(
                "the burn-in of this drive is not gone on with: {}; nothing was written to it. Begin anew without --resume, if that is \
                 what is wanted",
                refused(why, &lost)
            )),
            (Begin::Anew { .. }, _, _) if !again.erases => {
                note(format!(
                    "{}; it begins anew{counts}",
                    match again.kept {
                        Kept::Place =>
                            "nothing that stands on the drive tells that it is the one that was read".to_owned(),
                        Kept::Nothing | Kept::Begun | Kept::Lost | Kept::Ended | Kept::Unreadable => lost,
                    }
                ));
                self.anew(left.as_ref(), torn)
            }
            (_, _, from_drive) => {
                let why = from_drive.err().map(|why| format!(", and {why}")).unwrap_or_default();
                note(format!("{lost}{why}; it begins anew{counts}"));
                self.anew(left.as_ref(), torn)
            }
        }
    }

    /// What was found of this drive and is given up with its burn-in still takes back what was signed of it as good.
    fn take_back(&self, left: &Remains, line: &Line, notes: &mut Vec<String>) {
        // What was signed since is newer: without a name and a time nobody knows what that is.
        let (Some(id), Some(when)) = (left.job, left.kept.or(left.started)) else {
            return;
        };
        let mut own = Own::new(&self.choice.steps);
        own.remember(left);
        let birth = Birth {
            id,
            key: left.key.unwrap_or(JobKey([0; 16])),
            started: left.started.unwrap_or(when),
            fingerprint: None,
            front: None,
            agreed: None,
        };
        let nothing = Evidence::new(self.geometry(), &self.choice.steps);
        let mut ended = self.so_far(&birth, &nothing, &own, &own.earlier, &[]).at(when);
        ended.take_back(self.state.path(), line);
        notes.append(&mut ended.notes);
    }

    /// The interrupted burn-in of this drive that this one puts an end to, before anybody agrees to that; `None` where there is none.
    /// Changes nothing.
    pub(in crate::burn) fn gives_up(&self) -> Option<GivenUp> {
        let found = (!self.resume).then(|| self.state.look(&self.drive.id))?;
        let words = given_up(&found, "will be given up")?;
        let flags = match &found {
            Found::Good(found) => Some(flags::of(&found.0.playbook, &found.0.options)),
            Found::Begun(saved) => Some(flags::of(&saved.playbook, &saved.options)),
            Found::Nothing | Found::Ended(_) | Found::Bad(..) | Found::Unreadable(_) => None,
        };
        let resume = flags.map(|flags| format!("--resume {flags}"));
        Some(GivenUp { words, resume })
    }

    /// Why it is not gone on with by these options; `None` where it is theirs, or where no other ones would help: its playbook's file was
    /// changed, or another version of Kiln does other steps by the same name.
    fn other_options(&self, found: &Found) -> Option<String> {
        let (playbook, options) = match found {
            // Options that change no step count, too: by what it was sold as it is judged, at a first fault it ends.
            Found::Good(found) => (found.0.playbook.clone(), found.0.options.clone()),
            // Only its format was cut off: by its own options that is made anew.
            Found::Ended(_) => {
                let (saved, checkpoint) = *self.state.untabled(&self.drive.id)?;
                self.is_untabled(&saved, &checkpoint)
                    .then_some((saved.playbook, saved.options))?
            }
            Found::Nothing if self.choice.erases() => {
                let (_, Header { note, .. }) = self.carried().ok()?;
                (note.drive == self.drive.id).then_some((note.playbook, note.options))?
            }
            Found::Nothing | Found::Begun(_) | Found::Bad(..) | Found::Unreadable(_) => return None,
        };
        let theirs = flags::of(&playbook, &options);
        let ours = flags::of(&self.choice.playbook.name, &self.choice.options);
        (theirs != ours).then(|| {
            format!("it was begun with `{theirs}`, and this is `{ours}`: to go on with it, give `--resume {theirs}`")
        })
    }

    /// Why it is not gone on with, before anything is begun; `None` where it may be. Changes nothing.
    ///
    /// What ended has its verdict. What [something else](super::foreign) wrote to the drive since is no fault of it. What came through long ago, or on another computer, left nothing here, and what stands on the
    /// drive was put there since.
    pub(in crate::burn) fn refusal(&self) -> Option<String> {
        let found = self.or_untabled(self.state.look(&self.drive.id));
        let other_options = self.other_options(&found);
        // What keeps it from going on by any options is told first; that it is over keeps it only by others than its own.
        if matches!(found, Found::Ended(_)) && other_options.is_some() {
            return other_options;
        }
        self.not_gone_on_with(found).or(other_options)
    }

    /// The same by what stands on the drive and what is kept of it, whatever the options.
    fn not_gone_on_with(&self, found: Found) -> Option<String> {
        let Earlier {
            again,
            lost,
            left,
            place,
        } = self.earlier(found);
        let (told, from_drive) = self.told(again, left.as_ref());
        let nobodys_header = matches!(told, Told::Headers { whose: None, .. });
        let holds_known = matches!(self.drive.content, Content::Found { .. });
        let somebodys = || nobodys_header && (holds_known || !self.is_blank());
        let agreed = left.as_ref().and_then(|left| left.agreed.as_ref());
        match (again.begins(told), place, from_drive) {
            (Begin::Refused(Why::Used), ..) if holds_known => {
                let now = self.drive.content.words();
                Some(format!("{}; it holds {now} now", refused(Why::Used, &lost)))
            }
            (Begin::Refused(why), ..) => Some(refused(why, &lost)),
            (Begin::GoesOn, Some(found), _) if again.erases => {
                let recounted = self.recounted(&found.0, &found.1);
                recounted.or_else(|| {
                    let mut device = device(&self.held).ok()?;
                    let device = device.as_mut();
                    let stranger = self.stranger_to(device, &found.1);
                    stranger.or_else(|| self.written_over(device, found.0.agreed.as_ref(), (&found.1, Blank::Nobodys)))
                })
            }
            (Begin::Anew { .. }, _, from_drive) if again.erases && left.is_none() && somebodys() => {
                let why = from_drive.err().unwrap_or_default();
                let holds = match self.drive.content {
                    Content::Found { .. } => self.drive.content.words(),
                    Content::Unknown | Content::Empty | Content::Unreadable { .. } => {
                        "data of no known kind, or none that can be read".to_owned()
                    }
                };
                Some(format!("{lost}, and {why}, but {holds}"))
            }
            // Its headers tell that it was begun on this drive, and not what stood on it then.
            (Begin::Anew { .. }, ..) if again.erases && agreed.is_none() && holds_known => Some(format!(
                "{lost}, what stood on the drive when it began is not known, and it holds {} now",
                self.drive.content.words()
            )),
            (Begin::Anew { .. }, ..) if again.erases => {
                let since = self.added_since(agreed)?;
                Some(format!("{lost}, and {since}"))
            }
            // Also where nothing known stands: what a signature told of may have been taken off again.
            (Begin::FromDrive, _, Ok((_, checkpoint))) if again.erases => {
                let mut device = device(&self.held).ok()?;
                let over = self.written_over(device.as_mut(), agreed, (&checkpoint, Blank::Others))?;
                Some(format!("{lost}, and {over}"))
            }
            (Begin::GoesOn | Begin::FromDrive | Begin::Anew { .. }, ..) => None,
        }
    }

    /// Whether nothing stands on the drive, as far as some places of it tell.
    fn is_blank(&self) -> bool {
        let file = self.held.file.try_clone().ok();
        let now = file.and_then(|file| Fingerprint::of_file(file, self.geometry()));
        now.is_some_and(|now| now.is_blank())
    }

    /// The same; of a burn-in that was cut off before the table of its format was written, where the drive shows that, its place.
    fn or_untabled(&self, found: Found) -> Found {
        let Found::Ended(_) = found else { return found };
        match self.state.untabled(&self.drive.id) {
            // With other steps it is over, as any other: nothing of it is done again for them.
            Some(cut) if cut.0.steps == self.choice.steps && self.is_untabled(&cut.0, &cut.1) => Found::Good(cut),
            Some(_) | None => found,
        }
    }

    /// Whether the drive holds nothing that was not there, and proves by what the burn-in wrote last that it is its own.
    fn is_untabled(&self, saved: &Saved, checkpoint: &Checkpoint) -> bool {
        let file = self.held.file.try_clone();
        self.added_since(saved.agreed.as_ref()).is_none()
            && checkpoint.geometry == self.geometry()
            && file.is_ok_and(|file| {
                self.proof(checkpoint.key, true)
                    .of_cut_format_file(file, &self.held.unlisted)
                    == Shown::Ours
            })
    }

    /// What is kept, and what is to be decided of it.
    fn earlier(&self, found: Found) -> Earlier {
        // Nothing of it fits the drive, and it may tell of faults.
        let found = self.other_size(&found).map_or(found, Found::Unreadable);
        let (kept, lost, left, place) = match found {
            Found::Good(found) => {
                let left = Remains::of(&found.0);
                match found.0.playbook == self.choice.playbook.name && found.0.steps == self.choice.steps {
                    true => (Kept::Place, String::new(), Some(left), Some(found)),
                    false => (Kept::Lost, other_steps(&found.0.playbook), Some(left), None),
                }
            }
            Found::Begun(saved) => {
                let lost = "it was interrupted before its first checkpoint".to_owned();
                (Kept::Begun, lost, Some(Remains::of(&saved)), None)
            }
            Found::Ended(over) => (Kept::Ended, over.words(), None, None),
            Found::Unreadable(why) => (Kept::Unreadable, why, None, None),
            Found::Nothing => {
                let lost = "nothing is kept here to go on with".to_owned();
                (Kept::Nothing, lost, None, None)
            }
            Found::Bad(why, left) => (Kept::Lost, why, left.map(|left| *left), None),
        };
        let again = Again {
            erases: self.choice.erases(),
            kept,
            agreed: true,
            doubted: left.as_ref().is_some_and(|left| left.doubted),
        };
        Earlier {
            again,
            lost,
            left,
            place,
        }
    }

    /// Why what is kept is of no use for a drive of this size; `None` where it may be.
    fn other_size(&self, found: &Found) -> Option<String> {
        match found {
            Found::Good(found) => other_size::refused(found.1.geometry, self.geometry()),
            Found::Nothing => {
                let (then, kept) = self.state.at_another_size(&self.drive.id)?;
                // A dock may tell one serial of all its drives: what carries a header of its own size is another one.
                let carries_its_own = || {
                    self.carried()
                        .is_ok_and(|(_, header)| header.geometry == self.geometry())
                };
                let told = other_size::kept(then, self.drive.capacity, &kept)?;
                (!carries_its_own()).then_some(told)
            }
            Found::Begun(_) | Found::Ended(_) | Found::Bad(..) | Found::Unreadable(_) => None,
        }
    }

    /// What the drive tells where it is asked; and the place that its header and tags tell, or why it tells none.
    fn told(&self, again: Again, left: Option<&Remains>) -> (Told, Result<FromDrive, String>) {
        let none = Err(String::new());
        match again.asks() {
            Asks::Nothing => (Told::Nothing, none),
            Asks::Fingerprint => (
                Told::Shown(self.compared(left.and_then(|left| left.fingerprint.as_ref()))),
                none,
            ),
            Asks::EveryHeader => {
                let key = left.and_then(|left| left.key);
                (
                    Told::Shown(key.map_or(Shown::Unknown, |key| self.every_header(key))),
                    none,
                )
            }
            Asks::Headers => self.ask_drive(again.kept, left),
        }
    }

    /// From the checkpoint that was kept here.
    fn go_on(&self, saved: Saved, checkpoint: &Checkpoint, note: &mut dyn FnMut(String)) -> Begun {
        let birth = Birth {
            id: saved.job,
            key: checkpoint.key,
            started: saved.started,
            fingerprint: saved.fingerprint.clone(),
            front: saved.front,
            agreed: saved.agreed.clone(),
        };
        if let Some(told) = saved.told(Time::now()) {
            note(format!("of the burn-in that is gone on with: {told}"));
        }
        let mut own = Own::new(&self.choice.steps);
        own.told = checkpoint.evidence.findings();
        own.findings_before_loss = saved.unkept(&own.told);
        own.earlier = Seen::of(&saved);
        own.checkpoint = Some(saved.checkpoint.clone());
        own.take_up(saved.own, saved.self_tests);
        own.before = saved.smart_before;
        own.overlay = saved.overlay;
        own.unreadable = saved.unreadable;
        own.torn = saved.torn;
        // A constant proves no medium.
        own.medium = saved.medium.filter(|_| burnin::rests_on_a_constant(checkpoint));
        let resumption = resumption(saved.checkpoint, "stopped, killed or power cut");
        own.resumes = going_on(saved.resumes, checkpoint, &resumption);
        own.whole = checkpoint
            .is_of_the_end()
            .then(|| Box::new(checkpoint.evidence.clone()));
        (birth, own, Some(resumption))
    }

    /// With what is left of one that is not gone on with: what was found stays found.
    fn anew(&self, left: Option<&Remains>, torn: bool) -> Result<Begun, String> {
        let birth = Birth {
            id: newest::job(self.state.path()),
            key: JobKey::random()?,
            started: Time::now(),
            fingerprint: self.fingerprint(),
            front: self.front(),
            agreed: Some(self.drive.content.clone()),
        };
        let mut own = Own::new(&self.choice.steps);
        own.torn = torn;
        if let Some(left) = left {
            own.remember(left);
        }
        Ok((birth, own, None))
    }

    /// Whose headers the drive carries, and where its job stood; reads only.
    fn ask_drive(&self, kept: Kept, left: Option<&Remains>) -> (Told, Result<FromDrive, String>) {
        let mut told = Answer::default();
        let found = self.header(kept, left, &mut told);
        let Answer {
            ours,
            whose,
            place,
            used,
        } = told;
        (
            Told::Headers {
                ours,
                whose,
                place,
                used,
            },
            found,
        )
    }

    /// The drive, and the header that it carries.
    fn carried(&self) -> Result<(Box<dyn Device>, Header), String> {
        let mut device = device(&self.held)?;
        let header = header::find(device.as_mut(), self.geometry()).ok_or(NO_HEADER)?;
        Ok((device, header))
    }

    fn header(&self, kept: Kept, left: Option<&Remains>, told: &mut Answer) -> Result<FromDrive, String> {
        // Of the burn-in that is kept, of one of which no key is kept, or where nothing is kept at all.
        let mark = header::formatted_by(device(&self.held)?.as_mut(), self.geometry());
        let key = left.and_then(|left| left.key);
        if mark.is_some_and(|mark| key.is_none_or(|key| key == mark)) {
            told.whose = Some(Whose::Formatted);
            return Err(Why::Foreign(Whose::Formatted).words().to_owned());
        }
        if let Some(key) = key
            && header::ended_by(device(&self.held)?.as_mut(), self.geometry(), &[key])
        {
            told.whose = Some(Whose::Ended);
            return Err(Why::Foreign(Whose::Ended).words().to_owned());
        }
        // One that had a checkpoint had come to its first sector: what stood there before is no excuse.
        let begun = kept == Kept::Begun;
        let then = left.and_then(|left| left.front).filter(|_| begun);
        let hang_ms = self.limits.hang_ms;
        // Of one that only began there may be no header yet.
        if let Some((key, then)) = key.zip(then) {
            let of = (&[key][..], &self.choice.steps[..]);
            told.used =
                burnin::begins_with_others(device(&self.held)?.as_mut(), self.geometry(), of, Some(then), hang_ms);
        }
        let (mut device, header) = self.carried()?;
        let whose = self.whose(&header, left);
        (told.ours, told.whose) = (matches!(whose, Whose::Mine | Whose::OtherSteps), Some(whose));
        let then = then.or(header.note.front.filter(|_| begun));
        let of = (&[header.key][..], &header.steps[..]);
        told.used = (!begun || then.is_some())
            && burnin::begins_with_others(device.as_mut(), self.geometry(), of, then, hang_ms);
        whose.words(&header, self.geometry()).map_or(Ok(()), Err)?;
        let checkpoint = header::recover(device.as_mut(), &header, &self.limits)
            .ok_or("what the drive holds is not enough to go on from")?;
        told.place = true;
        Ok((header, checkpoint))
    }

    /// What was known of SMART is in the header; a baseline that is not there is not made up. It is a job of its own, with
    /// another id: what the lost one saw is not in its certificate. What is `left` of that job's state counts nonetheless.
    fn begun_from_drive(&self, (header, checkpoint): FromDrive, left: Option<&Remains>) -> Begun {
        let mut own = Own::new(&self.choice.steps);
        own.before = header
            .note
            .baseline
            .as_deref()
            .and_then(|text| serde_json::from_str::<Snapshot>(text).ok());
        own.baseline_is_past();
        if let Some(left) = left {
            own.remember(left);
        }
        own.checkpoint = Some(checkpoint.encode());
        let birth = Birth {
            id: newest::job(self.state.path()),
            key: header.key,
            started: Time::now(),
            fingerprint: None,
            front: header.note.front,
            agreed: None,
        };
        let resumption = resumption(
            checkpoint.encode(),
            "its progress was lost; the drive's own header and tags told where to go on",
        );
        own.resumes = going_on(
            left.map(|left| left.resumes.clone()).unwrap_or_default(),
            &checkpoint,
            &resumption,
        );
        (birth, own, Some(resumption))
    }

    fn whose(&self, header: &Header, left: Option<&Remains>) -> Whose {
        // Files of older versions tell the job's id and no key.
        let key = left.map(|left| match left.is_of(&header.note.job, header.key) {
            true => header.key,
            false => left.key.unwrap_or(JobKey([0; 16])),
        });
        let asker = Asker {
            drive: &self.drive.id,
            geometry: self.geometry(),
            steps: &self.choice.steps,
            key,
            started: left.and_then(|left| left.started),
        };
        Whose::of(header, &asker)
    }
}

/// What the interrupted burn-in was.
fn other_steps(playbook: &str) -> String {
    format!("the interrupted burn-in was `{playbook}` with other steps or options")
}

/// The drive that is held, to be asked.
fn device(held: &Held) -> Result<Box<dyn Device>, String> {
    let file = held.file.try_clone().map_err(|e| e.to_string())?;
    device::open_plain(file).map_err(|e| e.to_string())
}

/// Why it is not gone on with, in words.
fn refused(why: Why, lost: &str) -> String {
    match why {
        Why::Ended => format!("it {lost}"),
        Why::Unreadable => lost.to_owned(),
        Why::Exchanged | Why::HalfWritten | Why::Used => why.words().to_owned(),
        Why::Unshown => doubt::unshown(),
        Why::Foreign(_) | Why::NoTrace => format!("{lost}, and {}", why.words()),
    }
}

/// What a new burn-in puts an end to, and that it does (`ends`); `None` where nothing is under way.
fn given_up(found: &Found, ends: &str) -> Option<String> {
    let saved = match found {
        Found::Good(found) => &found.0,
        Found::Begun(saved) => saved,
        Found::Bad(why, _) | Found::Unreadable(why) => return Some(format!("{why}, and {ends}")),
        Found::Nothing | Found::Ended(_) => return None,
    };
    let found = Remains::of(saved).words();
    let found = found.map_or(String::new(), |words| {
        format!("; what it had found ({words}) is no part of this one")
    });
    Some(format!(
        "the interrupted burn-in with `{}`, begun {}, {ends}{found}",
        saved.playbook, saved.started
    ))
}

/// That what was seen is not forgotten, where something was.
fn counts(left: &Remains) -> String {
    let words = left.words();
    words.map_or(String::new(), |words| {
        format!(", and what it had found until then counts ({words})")
    })
}

/// Where sessions went on, as `kept` here or as the engine knows it, and this one. The engine's own list has an interruption only once a
/// checkpoint followed it.
fn going_on(kept: Vec<Resume>, checkpoint: &Checkpoint, now: &Resumption) -> Vec<Resume> {
    let engines = &checkpoint.evidence.resumes;
    let mut resumes = match engines.len() > kept.len() {
        true => engines.clone(),
        false => kept,
    };
    let (mut at, mut from) = (checkpoint.step, checkpoint.frontier);
    // Of a test that is over the format was interrupted, which begins anew.
    let mut steps = (0..).zip(&checkpoint.steps);
    if checkpoint.is_of_the_end()
        && let Some((formats, _)) = steps.find(|(_, step)| is_of_formatter(step.phase))
    {
        (at, from) = (formats, 0);
    }
    resumes.extend(checkpoint.steps.get(usize::from(at)).map(|step| Resume {
        at: now.at,
        why: now.why.clone(),
        phase: step.phase,
        step: at,
        from: Bytes(from * u64::from(checkpoint.geometry.sector)),
    }));
    resumes
}

fn resumption(checkpoint: String, why: &str) -> Resumption {
    Resumption {
        checkpoint,
        why: why.to_owned(),
        at: Time::now(),
    }
}
