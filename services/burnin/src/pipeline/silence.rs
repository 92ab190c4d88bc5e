//! A drive on which nothing goes well and which says nothing of itself, as while a controller resets it: for some seconds that is taken
//! for its link's doing. Nothing is called bad meanwhile, and it is asked again every now and then.

use std::time::Duration;

use super::detour::PATIENCE;
use super::{Detour, Kind, Outcome, Pipeline, Request};
use crate::device::{Access, Op};
use crate::worker::Report;

/// How much of the drive's time is spent on asking it. Linux gives a SCSI command as long to come back (`drivers/scsi/sd.h`,
/// `SD_TIMEOUT`), and an adapter for SAS a drive that it misses less. Chosen.
pub const SILENCE: Duration = Duration::from_secs(30);

/// So many silences are waited out to their end in a session: a drive of which one place alone still answers would have a new one each time
/// that place is asked, and each was held against it. Chosen.
const ENDURED: u32 = 3;

/// When people are told: a cable that is touched is not worth a word, and a job that stands still is.
const TOLD: Duration = Duration::from_secs(3);

/// What is heard of the drive.
///
/// It counts by what was asked, not by the clock: while a job is on hold, is paced, or stands still, nothing is.
#[derive(Default)]
pub(super) struct Silence {
    /// What was spent on accesses that failed since anything went well, and on waiting between them; `None` where the last one did not.
    spent: Option<Duration>,
    /// Whether it was silent before the last one.
    was: bool,
    /// When the last one came back.
    heard: Duration,
    /// What failed first in it, and whether anything else did.
    first: Option<(Op, u64)>,
    wide: bool,
    /// How many silences there were, with the one that lasts.
    count: u64,
    /// How many were waited out to their end.
    endured: u32,
    /// Which one people were told of last.
    told: u64,
    /// When it may be asked again.
    due: Duration,
    /// Whether it was asked for the piece that failed last, and is to be asked elsewhere next: one bad place is no silence.
    elsewhere: bool,
}

impl Silence {
    /// Takes what came of an access that took so long.
    pub(super) fn heard(&mut self, now: Duration, took: Duration, access: Access, outcome: &Outcome) {
        self.was = self.spent.is_some();
        match outcome {
            Outcome::Failed { errno } if !is_answer(*errno) => {
                let place = (access.op, access.lba);
                if !self.was {
                    self.count += 1;
                    (self.first, self.wide) = (Some(place), false);
                }
                self.wide |= self.first != Some(place);
                let waited = if now >= self.due { PATIENCE } else { Duration::ZERO };
                // The first may have taken long to fail, and those beside it took the same time.
                let took = self
                    .spent
                    .map_or(Duration::ZERO, |_| took.min(now.saturating_sub(self.heard)));
                self.spent = Some(self.spent.unwrap_or_default() + took + waited);
                self.due = now + PATIENCE;
                self.heard = now;
            }
            Outcome::Failed { .. }
            | Outcome::Done
            | Outcome::Differs(_)
            | Outcome::Gone
            | Outcome::Kept(_)
            | Outcome::Changed { .. } => {
                self.endured += u32::from(self.spent.is_some_and(|spent| spent >= SILENCE));
                self.spent = None;
            }
        }
    }

    /// Whether it is silent, and nothing that fails now tells anything of it.
    pub(super) fn lasts(&self) -> bool {
        self.endured < ENDURED && self.spent.is_some_and(|spent| spent < SILENCE)
    }

    /// Whether it is silent, and has been since the one of this [`number`](Self::number).
    pub(super) fn lasts_since(&self, number: u64) -> bool {
        number == self.count && self.lasts()
    }

    /// Whether it is silent, and was before what fails just now.
    pub(super) fn lasted(&self) -> bool {
        self.was && self.lasts()
    }

    /// Whether it is silent at more than one place.
    pub(super) fn is_wide(&self) -> bool {
        self.wide && self.lasts()
    }

    /// Which one the last failure is part of.
    pub(super) fn number(&self) -> u64 {
        self.count
    }
}

/// Whether an error is the drive's own answer, and not its link's: what its medium cannot do, and what it refuses or its hardware fails
/// at, or has no room for. Source: `block/blk-core.c`, `BLK_STS_MEDIUM`, `BLK_STS_TARGET`, `BLK_STS_NOTSUPP`, `BLK_STS_PROTECTION`, `BLK_STS_NOSPC`.
pub(crate) fn is_answer(errno: i32) -> bool {
    matches!(
        errno,
        libc::ENODATA | libc::EREMOTEIO | libc::EOPNOTSUPP | libc::EILSEQ | libc::ENOSPC
    )
}

impl Pipeline {
    /// Whether the drive has been silent since a piece failed that cannot be halved any more: all else waits, too.
    pub(super) fn awaits_an_answer(&self) -> bool {
        let number = self.silence.number();
        let flying = self.flights.values().any(|flight| match &flight.kind {
            Kind::Detour(detour) => detour.is_of(number),
            Kind::Sweep | Kind::Flush(_) => false,
        });
        self.silence.lasts() && (flying || self.detours.iter().any(|detour| detour.is_of(number)))
    }

    /// Asks a silent drive again, one access at a time: in turn for the piece that failed, and for another.
    pub(super) fn ask_again(&mut self, now: Duration, slot: usize) -> Option<Request> {
        if !self.flights.is_empty() || now < self.silence.due {
            return None;
        }
        self.tell_of_silence();
        self.silence.elsewhere = !self.silence.elsewhere;
        let number = self.silence.number();
        let of = |failed| move |detour: &Detour| detour.due <= now && detour.is_of(number) == failed;
        let failed = self.detours.iter().rposition(of(true));
        if self.silence.elsewhere {
            let other = self.detours.iter().rposition(of(false));
            return self
                .fly_sweep(now, slot)
                .or_else(|| other.and_then(|at| self.fly_detour(now, slot, at)))
                .or_else(|| failed.and_then(|at| self.fly_detour(now, slot, at)));
        }
        failed.and_then(|at| self.fly_detour(now, slot, at))
    }

    /// Says once why nothing moves.
    fn tell_of_silence(&mut self) {
        let silence = &mut self.silence;
        if silence.told != silence.count && silence.spent.is_some_and(|spent| spent >= TOLD) {
            silence.told = silence.count;
            let text = format!(
                "{}: the drive answers nothing, wherever it is asked; it is asked for {} s before that is held against it",
                self.phase().label(),
                SILENCE.as_secs()
            );
            self.reports.push(Report::Log { text });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILED: Outcome = Outcome::Failed { errno: libc::EIO };

    #[test]
    fn it_begins_with_the_first_failure_and_ends_with_an_answer_or_what_was_spent() {
        let second = Duration::from_secs;
        let at = |lba| Access {
            slot: 0,
            op: Op::Read,
            lba,
            sectors: 1,
        };
        let heard = |silence: &mut Silence, now, outcome: &Outcome| {
            silence.heard(second(now), Duration::ZERO, at(7), outcome);
        };
        let mut silence = Silence::default();
        assert!(!silence.lasts());
        // Whatever lies between, 0.7 s each.
        for n in 1..43 {
            heard(&mut silence, n * 1000, &FAILED);
            assert!(silence.lasts_since(1), "{n}");
            assert_eq!(silence.lasted(), n > 1);
        }
        heard(&mut silence, 43_000, &FAILED);
        assert!(!silence.lasts(), "it was asked for long enough");
        for answer in [
            Outcome::Done,
            Outcome::Kept(1),
            Outcome::Failed { errno: libc::ENODATA },
            Outcome::Failed { errno: libc::EREMOTEIO },
        ] {
            let mut silence = Silence::default();
            heard(&mut silence, 5, &FAILED);
            heard(&mut silence, 6, &answer);
            assert!(!silence.lasts(), "{answer:?}");
            // Another one is not that which something failed in.
            heard(&mut silence, 7, &FAILED);
            assert!(silence.lasts() && !silence.lasts_since(1) && !silence.lasted());
        }
        // One that takes long to fail, with another beside it.
        let mut slow = Silence::default();
        slow.heard(second(40), second(40), at(7), &FAILED);
        slow.heard(second(40), second(40), at(7), &FAILED);
        assert!(!slow.is_wide());
        slow.heard(second(41), second(1), at(8), &FAILED);
        assert!(slow.lasts() && slow.is_wide());
        slow.heard(second(81), second(40), at(7), &FAILED);
        assert!(!slow.lasts());
    }
}
