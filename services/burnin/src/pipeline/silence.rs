//! A drive on which nothing goes well and which says nothing of itself, as while a controller resets it: for some seconds that is taken
//! for its link's doing. Nothing is called bad meanwhile, and it is asked again every now and then.

use std::time::Duration;

use super::detour::PATIENCE;
use super::{Detour, Kind, Outcome, Pipeline, Request};

/// How long. Linux gives a SCSI command as long to come back (`drivers/scsi/sd.h`, `SD_TIMEOUT`), and an adapter for SAS a drive that
/// it misses less. Chosen.
const SILENCE: Duration = Duration::from_secs(30);

/// What is heard of the drive.
#[derive(Default)]
pub(super) struct Silence {
    /// When the first access failed of those since anything went well.
    since: Option<Duration>,
    /// When it may be asked again.
    due: Duration,
    /// Whether it was asked for the piece that failed last, and is to be asked elsewhere next: one bad place is no silence.
    elsewhere: bool,
}

impl Silence {
    /// Takes what came of an access.
    pub(super) fn heard(&mut self, now: Duration, outcome: &Outcome) {
        match outcome {
            Outcome::Failed { errno } if !is_answer(*errno) => {
                self.since.get_or_insert(now);
                self.due = now + PATIENCE;
            }
            Outcome::Failed { .. }
            | Outcome::Done
            | Outcome::Differs(_)
            | Outcome::Gone
            | Outcome::Kept(_)
            | Outcome::Changed { .. } => self.since = None,
        }
    }

    /// Whether it is silent, and nothing that fails now tells anything of it.
    pub(super) fn lasts(&self, now: Duration) -> bool {
        self.lasts_since(now, now)
    }

    /// Whether it is silent, and has been since `first`.
    pub(super) fn lasts_since(&self, first: Duration, now: Duration) -> bool {
        let lasts = |since| since <= first && now.saturating_sub(since) < SILENCE;
        self.since.is_some_and(lasts)
    }

    /// Whether it is silent, and was before what fails just now.
    pub(super) fn lasted(&self, now: Duration) -> bool {
        self.lasts(now) && self.since != Some(now)
    }

    /// For so long this process stood still.
    pub(super) fn stood_still(&mut self, gap: Duration) {
        self.since = self.since.map(|since| since + gap);
    }
}

/// Whether an error is the drive's own answer, and not its link's: what its medium cannot do, and what it refuses or its hardware fails
/// at. Source: `block/blk-core.c`, `BLK_STS_MEDIUM`, `BLK_STS_TARGET`, `BLK_STS_NOTSUPP`, `BLK_STS_PROTECTION`.
fn is_answer(errno: i32) -> bool {
    matches!(errno, libc::ENODATA | libc::EREMOTEIO | libc::EOPNOTSUPP | libc::EILSEQ)
}

impl Pipeline {
    /// Whether the drive is silent at a piece that cannot be halved any more: all else waits, too.
    pub(super) fn awaits_an_answer(&self, now: Duration) -> bool {
        let flying = self.flights.values().any(|flight| match &flight.kind {
            Kind::Detour(detour) => detour.is_smallest(),
            Kind::Sweep | Kind::Flush(_) => false,
        });
        self.silence.lasts(now) && (flying || self.detours.iter().any(Detour::is_smallest))
    }

    /// Asks a silent drive again, one access at a time: in turn for the piece that failed, and for another.
    pub(super) fn ask_again(&mut self, now: Duration, slot: usize) -> Option<Request> {
        if !self.flights.is_empty() || now < self.silence.due {
            return None;
        }
        self.silence.elsewhere = !self.silence.elsewhere;
        let of = |smallest| move |detour: &Detour| detour.due <= now && detour.is_smallest() == smallest;
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
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILED: Outcome = Outcome::Failed { errno: libc::EIO };

    #[test]
    fn it_begins_with_the_first_failure_and_ends_with_an_answer_or_its_time() {
        let second = Duration::from_secs;
        let silent = || {
            let mut silence = Silence::default();
            assert!(!silence.lasts(second(5)));
            silence.heard(second(5), &FAILED);
            silence.heard(second(9), &FAILED);
            silence
        };
        assert!(silent().lasts(second(34)));
        assert!(!silent().lasts(second(35)));
        for answer in [
            Outcome::Done,
            Outcome::Kept(1),
            Outcome::Failed { errno: libc::ENODATA },
            Outcome::Failed { errno: libc::EREMOTEIO },
        ] {
            let mut silence = silent();
            silence.heard(second(10), &answer);
            assert!(!silence.lasts(second(10)), "{answer:?}");
        }
        let mut stood = silent();
        stood.stood_still(second(100));
        assert!(stood.lasts(second(134)) && !stood.lasts(second(135)));
    }
}
