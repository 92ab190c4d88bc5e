//! Whether the drive that is held is still the one that was chosen and tested: before it is written, after a reset or heat, and
//! before its verdict stands.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use burnin::device::Device;
use burnin::job::{self, Why};
use burnin::pipeline::SILENCE;
use burnin::{Checkpoint, Evidence, Fingerprint, Front, Headers, JobKey, Look, Proof, Proves, Shown, Still, header};
use drive::guard::{LOOK_AGAIN, same_content};
use drive::medium::{self, Medium};

use super::kernel::Kernel;
use super::{Birth, Job};
use crate::burn::admit::Held;
use crate::burn::saved::Saved;
use crate::burn::screen::Line;

/// How often a signal is looked for while a drive is waited for that is busy or silent, or has no turn yet.
pub(super) const LOOK: Duration = Duration::from_millis(200);

/// What is said of a removable drive that was reset.
pub(super) const RECOUNTED: &str =
    "the kernel counted the drive anew, as after a reset; it holds this job's header and data, and was gone on with";

/// What is said of one that holds too few of them.
const ANOTHER: &str =
    "another drive came into its place during the burn-in, or it lost everything; nothing more is written to it";

/// What is said of one whose headers could not be read.
pub(super) fn unshown() -> String {
    format!(
        "{}. Once it can be read again, `--resume` goes on",
        Why::Unshown.words()
    )
}

/// A signal came first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked;

pub(super) type Since = job::Since<Asked>;

/// Whether the drive at this node shows that its format, which was cut off just now, can be made anew.
pub(super) fn shows_a_cut_format(node: &Path, proof: &Proof) -> bool {
    let shown = |file| proof.of_cut_format_file(file, &BTreeSet::new()) == Shown::Ours;
    File::open(node).is_ok_and(shown)
}

impl Job {
    /// Whether it may still be written as was agreed: the question may have stood for long, and self-tests take hours. `goes_on`: what
    /// an earlier session wrote is on it, and is asked for.
    ///
    /// # Errors
    /// Why not; nothing was written by this session.
    pub(super) fn still(&self, kernel: &Kernel, goes_on: bool) -> Result<(), String> {
        if !self.choice.erases() {
            return Ok(());
        }
        let Held {
            file, identity, lose, ..
        } = &self.held;
        let look = self.guard.look_again(file, identity, lose);
        look.and_then(|look| same_content(&self.drive.content, &look.content))
            .map_err(|refusal| format!("nothing was written: {}", refusal.view().reason))?;
        // Two blank drives hold the same, and a dock gives them one name: before the first write the kernel's count alone tells them apart.
        match kernel.gone().filter(|_| !goes_on) {
            None => Ok(()),
            Some(why) => Err(format!(
                "nothing was written: {why} since it was chosen, or the drive was reset. Begin again"
            )),
        }
    }

    /// Why the drive must not be gone on with from this checkpoint; `None` where it may. Reads only.
    pub(super) fn stranger_to(&self, device: &mut dyn Device, checkpoint: &Checkpoint) -> Option<String> {
        burnin::stranger_to(device, checkpoint, self.keeps_headers(), &self.limits())
    }

    /// The medium that is held, as the kernel counted it when it was opened, or was taken up since.
    pub(super) fn medium(&self, taken_up: Option<u64>) -> Medium {
        Medium {
            boot_id: medium::boot_id(),
            sequence: taken_up.unwrap_or(self.held.device.sequence),
        }
    }

    /// Why a burn-in is not gone on with whose headers have given way to a constant, which a blank drive holds as well; `None` where
    /// the kernel counted no other medium since, or a header stands yet.
    pub(super) fn recounted(&self, saved: &Saved, checkpoint: &Checkpoint) -> Option<String> {
        let then = saved.medium.as_ref()?;
        let recounted = then.is_another(&self.medium(None), self.held.identity.bus);
        let proved = || {
            let file = self.held.file.try_clone();
            file.is_ok_and(|file| self.proof(checkpoint.key, false).has_a_header(file))
        };
        (recounted && burnin::rests_on_a_constant(checkpoint) && !proved()).then(|| {
            "the drive was unplugged, exchanged or reset since, and holds nothing that proves that it is the same"
                .to_owned()
        })
    }

    /// Why the drive must not be written to any more: something happened in which another one may have come into its place (a
    /// reset, heat, hours of self-tests), and it does not show that it is the job's.
    pub(super) fn doubt(&self, birth: &Birth, kernel: &Kernel, headers: Headers) -> Option<String> {
        if !self.choice.erases() {
            let gone = kernel
                .gone()
                .map(|why| format!("{why}; what was read so far proves nothing of it"));
            return gone.or_else(|| (self.known(birth) == Shown::Not).then(|| Why::Exchanged.words().to_owned()));
        }
        let still = kernel.gone().is_none().then(|| {
            let proof = self.proof(birth.key, false);
            self.still_asked(&proof, proof.proves(headers), kernel)
        });
        match still {
            Some(Still::Ours) => None,
            Some(Still::Another) => Some(ANOTHER.to_owned()),
            Some(Still::HalfWritten) => Some(Why::HalfWritten.words().to_owned()),
            // It may have been counted anew in the midst of that.
            Some(Still::Unknown) | None => match kernel.gone() {
                None => Some(unshown()),
                Some(why) => {
                    let taken = self.takes_up(birth, kernel, false);
                    (!taken).then(|| format!("{why}; nothing more is written to it"))
                }
            },
        }
    }

    /// What it shows. One that cannot be read is asked again: behind a reset comes more of it.
    fn still_asked(&self, proof: &Proof, proves: Proves, kernel: &Kernel) -> Still {
        let ask = || {
            let file = self.held.file.try_clone();
            file.map_or(Still::Unknown, |file| proof.still_file(file, proves))
        };
        self.asked_again(ask, |still| *still == Still::Unknown && kernel.gone().is_none())
    }

    /// The answer, asked for again while it is none, for as long as a silence may last, or until somebody ends the burn-in.
    fn asked_again<T>(&self, mut ask: impl FnMut() -> T, is_none: impl Fn(&T) -> bool) -> T {
        let until = Instant::now() + SILENCE;
        loop {
            let told = ask();
            if !is_none(&told) || Instant::now() >= until || self.is_asked() {
                return told;
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Whether another drive is in its place for certain: what is read of it counts for nothing. One that cannot be read may be the job's,
    /// and be dying.
    pub(super) fn is_another(&self, birth: &Birth, headers: Headers) -> bool {
        if !self.choice.erases() {
            return self.known(birth) == Shown::Not;
        }
        let proof = self.proof(birth.key, false);
        let proves = proof.proves(headers);
        let file = self.held.file.try_clone();
        file.is_ok_and(|file| proof.is_another_file(file, proves))
    }

    /// Whether the drive holds each header of the job with this key.
    pub(super) fn every_header(&self, key: JobKey) -> Shown {
        let file = self.held.file.try_clone();
        file.map_or(Shown::Unknown, |file| self.proof(key, false).of_doubted_file(file))
    }

    /// Whether it keeps headers on the drive.
    pub(super) fn keeps_headers(&self) -> bool {
        self.choice.erases() && header::kept_by(&self.choice.steps, self.geometry())
    }

    /// What it is now: hours of self-tests lie between its last read and its format.
    /// What could not be read at that goes into the evidence.
    pub(super) fn since(&self, birth: &Birth, kernel: &Kernel, evidence: &mut Evidence, line: &Line) -> Since {
        if let Some(why) = kernel.gone() {
            if !self.takes_up(birth, kernel, true) {
                return Since::Another(format!("{why} after it was read back"));
            }
            line.say(RECOUNTED);
        }
        if !self.choice.erases() {
            let file = self.held.file.try_clone();
            let then = birth.fingerprint.as_ref();
            let look = file.map_or_else(|_| Look::late(), |file| Look::of_read_file(file, self.geometry(), then));
            look.tell(evidence);
            return Since::of_read(&look);
        }
        let formats = self.choice.request().is_some();
        let may = match formats {
            true => self.may_be_formatted(line),
            false => Since::Ours,
        };
        if !matches!(may, Since::Ours | Since::Refused(_)) {
            return may;
        }
        let look = self.look(birth);
        look.tell(evidence);
        match Since::of_written(&look, formats, may) {
            Since::Ours | Since::Refused(_) if formats && self.is_asked() => Since::Ended(Asked),
            since @ (Since::Ours | Since::Another(_) | Since::Refused(_) | Since::Ended(Asked)) => since,
        }
    }

    /// The guard, some times: what looks at a drive for a moment costs no burn-in.
    fn may_be_formatted(&self, line: &Line) -> Since {
        let Held {
            file, identity, lose, ..
        } = &self.held;
        let mut pauses = LOOK_AGAIN.into_iter();
        loop {
            let refusal = match self.guard.look_again(file, identity, lose) {
                Ok(look) => return Since::of_found(&self.drive.content, &look.content),
                Err(refusal) => refusal,
            };
            let why = refusal.view().reason;
            if refusal.is_absence() {
                return Since::Another(format!("it may not be formatted: {why}"));
            }
            let Some(pause) = pauses.next() else {
                return Since::Refused(why);
            };
            line.say(&format!("it may not be formatted yet: {why}"));
            let until = Instant::now() + pause;
            while Instant::now() < until {
                if self.is_asked() {
                    return Since::Ended(Asked);
                }
                std::thread::sleep(LOOK);
            }
        }
    }

    /// Whether a drive that is only read is the one that the job began with.
    pub(super) fn known(&self, birth: &Birth) -> Shown {
        self.compared(birth.fingerprint.as_ref())
    }

    /// The same, by what stood on it then.
    pub(super) fn compared(&self, then: Option<&Fingerprint>) -> Shown {
        then.zip(self.fingerprint().as_ref())
            .map_or(Shown::Unknown, |(then, now)| then.shown(now))
    }

    /// What stands on the drive now, where nothing is written to it.
    pub(super) fn fingerprint(&self) -> Option<Fingerprint> {
        let file = self.held.file.try_clone().ok().filter(|_| !self.choice.erases())?;
        Fingerprint::of_file(file, self.geometry())
    }

    /// What stands at the beginning of a drive that is going to be erased: what somebody puts there while that is interrupted is told
    /// from it.
    pub(super) fn front(&self) -> Option<Front> {
        let file = self.held.file.try_clone().ok().filter(|_| self.choice.erases())?;
        Front::of_file(file, self.geometry())
    }

    /// What a drive shows of which all was written and read back.
    fn look(&self, birth: &Birth) -> Look {
        let file = self.held.file.try_clone();
        file.map_or_else(|_| Look::late(), |file| self.proof(birth.key, true).look_file(file))
    }

    /// Whether a drive that was counted anew proves to be the job's. One that cannot be read, or is counted once more meanwhile, is asked
    /// again: on a weak port resets come in twos. Not one on which nothing could prove it.
    fn takes_up(&self, birth: &Birth, kernel: &Kernel, ended: bool) -> bool {
        let proof = self.proof(birth.key, ended);
        let ask = || {
            let mut shown = Shown::Unknown;
            let taken = kernel.takes_up(|file, text| {
                let checkpoint = Checkpoint::decode(text).ok();
                shown = proof.of_recounted_file(file, checkpoint.as_ref());
                shown == Shown::Ours
            });
            (taken, shown)
        };
        let is_none = |(taken, shown): &(bool, Shown)| !taken && *shown != Shown::Not && kernel.is_provable();
        self.choice.erases() && proof.can_be_recounted() && self.asked_again(ask, is_none).0
    }

    pub(super) fn proof(&self, key: JobKey, ended: bool) -> Proof {
        Proof {
            key,
            geometry: self.geometry(),
            steps: self.choice.steps.clone(),
            ended,
        }
    }
}
