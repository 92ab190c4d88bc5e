//! Doubt whether the drive that a job holds is still its own: after a reset, a pause, or hours of other steps.
//!
//! A card reader or a dock goes on under one name with whatever is put into it, and the kernel tries again after a reset
//! without an error. Its count of media tells some of that (and counts a removable drive anew that was merely reset:
//! `drive::guard::Seat`); the header or the pattern that the job left on its drive tells the rest (`burnin::Proof`), or what stands on a drive that is only read (`burnin::Fingerprint`). In the
//! middle of a job a drive without it ends the worker, and the next session asks all of what was written before it goes on;
//! at the end it ends the job, and nothing is formatted.

use std::fs::File;
use std::time::Duration;

use burnin::job::{self, Begin, EXCHANGE, Kept, Told, Why};
use burnin::pipeline::SILENCE;
use burnin::{Evidence, Fingerprint, Headers, Look, Proof, Proves, Shown, Still, header};
use drive::guard::{LOOK_AGAIN, Place};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};

use super::{Halt, JobTask, Own, Reason};
use crate::hands::{Hands, Held, MayUse, PROOF};

/// Why a worker is ended in doubt, for the log and the resumption.
pub(super) const DOUBT: &str = "the drive was reset, told that it has changed or stood still, and did not show that it is this job's; it \
                                is asked again whose it is";

/// Why a worker waits while that is asked.
pub(super) const DOUBTED: &str = "the drive was reset or told that it has changed; it is asked whose it is";

/// How long is waited before a drive that could not be read is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// What else may come before a drive is told to be the job's at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum First {
    /// Nothing is in the drive's place any more.
    Gone,
    /// A person ended the job meanwhile.
    Aborted,
    /// The agent stops.
    Parked,
}

pub(super) type Since = job::Since<First>;

impl JobTask {
    /// Why the worker must not go on by itself with the drive that it has; `None` where it may.
    pub(super) async fn doubt(&mut self, held: &Held) -> Option<Reason> {
        let place = Hands::place(held);
        if place != Place::Same {
            if self.took_up(held, false).await {
                return None;
            }
            // Of a drive that was pulled its end tells.
            if place != Place::Empty {
                self.log("warn", "Another medium is in the drive's place".to_owned());
            }
            return Some(Reason::Gone);
        }
        if !self.record.erases() {
            return (self.known(held).await == Shown::Not).then_some(Reason::Doubt);
        }
        let proves = self.proves();
        if proves == Proves::Later {
            self.doubt_later();
        }
        match self.still(held, proves).await {
            Still::Ours => {
                self.doubt_is_over(proves);
                None
            }
            Still::HalfWritten => {
                self.stranger = Some(half_written());
                Some(Reason::Stranger)
            }
            Still::Another | Still::Unknown => Some(Reason::Doubt),
        }
    }

    /// Whether another drive is in the place of the job's for certain: what is read of it counts for nothing. One that cannot be read may be
    /// the job's, and be dying.
    pub(super) async fn is_another(&self, held: &Held) -> bool {
        // Another one by its size may be the job's, which tells another now.
        if Hands::place(held) == Place::Empty {
            return false;
        }
        if !self.record.erases() {
            return self.known(held).await == Shown::Not;
        }
        let (proof, proves) = (self.proof(false), self.proves());
        self.asked(held, false, move |file| proof.is_another_file(file, proves))
            .await
    }

    /// Something happened of which the drive cannot be asked yet: it is, as soon as its headers stand, by whichever session.
    pub(super) fn doubt_later(&mut self) {
        if !self.record.doubted && self.proves() == Proves::Later {
            self.record.doubted = true;
            self.keep(None, Vec::new());
        }
    }

    /// Whether a drive that was reset before its headers stood is to be gone on with; where it proves itself, the doubt is over. One
    /// that cannot be read is asked again for as long as a silence may last.
    pub(super) async fn still_doubted(&mut self, held: &Held) -> Result<(), Halt> {
        let proves = Proves::EveryHeader;
        let until = Instant::now() + SILENCE;
        loop {
            match self.still(held, proves).await {
                Still::Ours => {
                    self.doubt_is_over(proves);
                    return Ok(());
                }
                Still::Another | Still::HalfWritten => return Err(Halt::Refused(half_written())),
                Still::Unknown if Hands::place(held) != Place::Same => return Err(Halt::Gone),
                Still::Unknown if Instant::now() >= until => {
                    return Err(Halt::Refused(format!("{}. Begin anew", Why::Unshown.words())));
                }
                Still::Unknown => {}
            }
            match self.breathe(ASK_AGAIN).await {
                Own::Parked => return Err(Halt::Parked),
                Own::Aborted => return Err(Halt::Aborted),
                Own::Done | Own::Gone | Own::Stranger => {}
            }
        }
    }

    fn doubt_is_over(&mut self, proves: Proves) {
        if proves == Proves::EveryHeader {
            self.record.doubted = false;
            self.keep(None, Vec::new());
        }
    }

    /// What can prove now that the drive is the job's.
    fn proves(&self) -> Proves {
        self.proof(false).proves(Headers {
            stand: self.record.saved,
            doubted: self.record.doubted,
            settled: self.settled,
        })
    }

    async fn still(&self, held: &Held, proves: Proves) -> Still {
        let proof = self.proof(false);
        self.asked(held, Still::Unknown, move |file| proof.still_file(file, proves))
            .await
    }

    /// Whether the drive that is held could prove, were it counted anew, that it is the job's: the headers that its worker wrote went
    /// to it and to no other.
    pub(super) fn provable(&self) -> bool {
        let keeps = header::kept_by(&self.record.steps, self.record.geometry);
        self.settled && self.record.saved && self.record.erases() && keeps
    }

    /// Whether a drive that was counted anew, as a removable one is after a reset, has proved that it is the job's.
    async fn took_up(&mut self, held: &Held, ended: bool) -> bool {
        if Hands::place(held) != Place::Recounted || !self.provable() {
            return false;
        }
        let (proof, checkpoint) = (self.proof(ended), self.checkpoint.clone());
        let ours = Hands::take_up(held, proof, checkpoint).await;
        if ours {
            let why = "The kernel counts the drive anew, as after a reset; it holds this job's header and data, and is gone on with";
            self.log("warn", why.to_owned());
            self.record.medium = Some(self.medium(held));
        }
        ours
    }

    /// What a good drive is before its verdict stands, and, where it is to be formatted, what persons wish: nothing is written in a
    /// pause, and a pause is when a person exchanges a drive. `evidence`: what its test came to.
    /// What could not be read at that goes into the evidence.
    pub(super) async fn still_ours(&mut self, held: &Held, evidence: &mut Evidence) -> Since {
        let formats = self.record.formats();
        // What an earlier session began to format stays that.
        let before = (self.record.formatting, self.checkpoint.clone());
        loop {
            if formats {
                match self.take_turn().await {
                    Own::Aborted => return self.since_aborted(held, evidence).await,
                    Own::Parked => return Since::Ended(First::Parked),
                    Own::Done | Own::Gone | Own::Stranger => {}
                }
            }
            let since = self.since(held, formats, evidence).await;
            if since == Since::Ended(First::Aborted) {
                return self.since_aborted(held, evidence).await;
            }
            if since != Since::Ours || !formats {
                return since;
            }
            if self.record.paused.is_some() || !self.wishes.is_empty() {
                continue;
            }
            if self.means.stop.is_asked() {
                return Since::Ended(First::Parked);
            }
            let began = Instant::now();
            self.begin_format(evidence).await;
            // That took as long as the medium does: what came meanwhile is heard before the first byte, and a dock does not tell
            // that its drive was exchanged.
            let since = match began.elapsed() < EXCHANGE {
                true => since,
                false => self.since(held, formats, evidence).await,
            };
            if since != Since::Ours {
                self.not_begun(&before);
                return match since {
                    Since::Ended(First::Aborted) => self.since_aborted(held, evidence).await,
                    since @ (Since::Ours | Since::Refused(_) | Since::Another(_) | Since::Ended(_)) => since,
                };
            }
            let stops = self.means.stop.is_asked();
            if !stops && self.wishes.refuse_pauses() {
                return since;
            }
            self.not_begun(&before);
            if stops {
                return Since::Ended(First::Parked);
            }
        }
    }

    /// The same once a person ended it in one of the waits before its format: what came into the drive's place meanwhile was not tested. Of a
    /// format that was begun and cut nothing is left to prove it.
    async fn since_aborted(&mut self, held: &Held, evidence: &mut Evidence) -> Since {
        if self.record.formatting {
            return Since::Ended(First::Aborted);
        }
        match self.since(held, false, evidence).await {
            Since::Ours | Since::Refused(_) => Since::Ended(First::Aborted),
            ended @ (Since::Another(_) | Since::Ended(_)) => ended,
        }
    }

    /// Takes back in one commit what [`Self::begin_format`] wrote down: with its checkpoint of the end alone the next session would read all
    /// back once more, and count that as another round.
    fn not_begun(&mut self, (formatting, checkpoint): &(bool, Option<String>)) {
        self.record.formatting = *formatting;
        self.checkpoint.clone_from(checkpoint);
        self.keep(checkpoint.as_deref(), Vec::new());
    }

    /// What a drive of which all was written and read back is now: hours of self-tests lie between, and what was tested in them,
    /// or would be formatted after them, may be another one. `formats`: whether that comes next.
    async fn since(&mut self, held: &Held, formats: bool, evidence: &mut Evidence) -> Since {
        match Hands::place(held) {
            Place::Same => {}
            Place::Empty => return Since::Ended(First::Gone),
            Place::Recounted | Place::Another if self.took_up(held, true).await => {}
            Place::Recounted | Place::Another => {
                return Since::Another("another medium came into the drive's place after it was read back".to_owned());
            }
        }
        if !self.record.erases() {
            let (then, geometry) = (self.record.fingerprint.clone(), self.record.geometry);
            let look = move |file| Look::of_read_file(file, geometry, then.as_ref());
            let look = self.asked(held, Look::late(), look).await;
            look.tell(evidence);
            return Since::of_read(&look);
        }
        let may = match formats {
            true => self.may_be_formatted(held).await,
            false => Since::Ours,
        };
        if !matches!(may, Since::Ours | Since::Refused(_)) {
            return may;
        }
        let proof = self.proof(true);
        let look = self.asked(held, Look::late(), move |file| proof.look_file(file)).await;
        look.tell(evidence);
        Since::of_written(&look, formats, may)
    }

    /// The guard, some times: what looks at a drive for a moment costs no burn-in. Wishes and the agent's stop are heard.
    async fn may_be_formatted(&mut self, held: &Held) -> Since {
        let mut pauses = LOOK_AGAIN.into_iter();
        loop {
            let why = match self.means.hands.may_use(held).await {
                MayUse::Yes(now) => return Since::of_found(&self.record.content, &now),
                MayUse::Absent(why) => return Since::Another(format!("it may not be formatted: {why}")),
                MayUse::NotNow(why) => why,
            };
            let Some(pause) = pauses.next() else {
                return Since::Refused(why);
            };
            self.log("warn", format!("It may not be formatted yet: {why}"));
            match self.breathe(pause).await {
                Own::Parked => return Since::Ended(First::Parked),
                Own::Aborted => return Since::Ended(First::Aborted),
                Own::Done | Own::Gone | Own::Stranger => {}
            }
        }
    }

    /// Whether a drive that is only read is the one that the job began with.
    async fn known(&self, held: &Held) -> Shown {
        self.compared(self.fingerprint(held).await.as_ref())
    }

    /// The same, by what stands on it now.
    fn compared(&self, now: Option<&Fingerprint>) -> Shown {
        let then = self.record.fingerprint.as_ref();
        then.zip(now).map_or(Shown::Unknown, |(then, now)| then.shown(now))
    }

    async fn fingerprint(&self, held: &Held) -> Option<Fingerprint> {
        let file = held.file.try_clone().ok()?;
        let geometry = self.record.geometry;
        let asked = spawn_blocking(move || Fingerprint::of_file(file, geometry));
        timeout(PROOF, asked).await.ok()?.ok()?
    }

    /// Before a session of a job that only reads: what was read counts only where the drive shows that it is the one which was
    /// read. Where nothing tells, it begins again.
    ///
    /// # Errors
    /// Why nothing of it counts.
    pub(super) async fn check_what_is_read(&mut self, held: &Held) -> Result<(), String> {
        let now = self.fingerprint(held).await;
        let shown = self.compared(now.as_ref());
        let begun = self.checkpoint.is_some() || self.has_begun();
        let kept = if self.checkpoint.is_some() {
            Kept::Place
        } else {
            Kept::Begun
        };
        match self.again(kept).begins(Told::Shown(shown)) {
            Begin::Refused(why) => return Err(why.words().to_owned()),
            Begin::GoesOn | Begin::FromDrive | Begin::Anew { proven: true } => return Ok(()),
            Begin::Anew { proven: false } => {}
        }
        self.record.fingerprint = now;
        if !begun {
            self.keep(None, Vec::new());
            return Ok(());
        }
        self.checkpoint = None;
        let why = "Nothing that stands on the drive tells that it is the one that was read; it begins again";
        self.log("warn", why.to_owned());
        self.record.restart();
        self.begin_again()
    }

    /// What a drive shows whose format was cut off.
    pub(super) async fn shows_a_cut_format(&self, held: &Held) -> Shown {
        let proof = self.proof(true);
        let unlisted = held.unlisted.clone();
        let ask = move |file| proof.of_cut_format_file(file, &unlisted);
        self.asked(held, Shown::Unknown, ask).await
    }

    /// What the drive tells; `unknown` where it does not in time.
    async fn asked<T: Send + 'static>(
        &self,
        held: &Held,
        unknown: T,
        ask: impl FnOnce(File) -> T + Send + 'static,
    ) -> T {
        let Ok(file) = held.file.try_clone() else {
            return unknown;
        };
        match timeout(PROOF, spawn_blocking(move || ask(file))).await {
            Ok(Ok(told)) => told,
            Ok(Err(_)) | Err(_) => unknown,
        }
    }

    fn proof(&self, ended: bool) -> Proof {
        Proof {
            key: self.record.key,
            geometry: self.record.geometry,
            steps: self.record.steps.clone(),
            ended,
        }
    }
}

fn half_written() -> String {
    format!("{}. Begin anew", Why::HalfWritten.words())
}

#[cfg(test)]
mod tests {
    use crate::record::Record;
    use crate::record::tests::record;

    #[test]
    fn a_doubt_outlives_the_agent() {
        let record = Record {
            doubted: true,
            ..record()
        };
        let kept = serde_json::to_value(&record).ok();
        let kept = kept.and_then(|kept| serde_json::from_value::<Record>(kept).ok());
        assert!(kept.is_some_and(|kept| kept.doubted));
    }
}
