//! The course of a disk's own test, whatever standard it is told by: when it ends, and what it comes to.

use std::time::Duration;

/// What the tests that begin from now on come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// They pass when their time is over.
    #[default]
    Passes,
    /// They end at this sector, which cannot be read, after the share of their time that it is of the disk.
    FailsAt(u64),
    /// They come to nine tenths and stay there until they are aborted.
    NeverEnds,
}

/// One test.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub began: Duration,
    pub takes: Duration,
    pub verdict: Verdict,
}

impl Run {
    /// When it ends on a disk of so many sectors, if it does, and the sector that it could not read.
    pub(crate) fn end(&self, sectors: u64) -> Option<(Duration, Option<u64>)> {
        let (takes, bad) = match self.verdict {
            Verdict::Passes => (self.takes, None),
            Verdict::FailsAt(lba) => {
                let share = (lba as f64 / sectors.max(1) as f64).min(1.0);
                (self.takes.mul_f64(share), Some(lba))
            }
            Verdict::NeverEnds => return None,
        };
        Some((self.began.saturating_add(takes), bad))
    }

    /// How much of it is done, in parts of `whole`.
    pub(crate) fn done(&self, now: Duration, whole: u64) -> u64 {
        let most = match self.verdict {
            Verdict::NeverEnds => whole * 9 / 10,
            Verdict::Passes | Verdict::FailsAt(_) => whole,
        };
        let part = now.saturating_sub(self.began).as_nanos() * u128::from(whole) / self.takes.as_nanos().max(1);
        u64::try_from(part).unwrap_or(u64::MAX).min(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_ends_in_its_time_or_where_it_cannot_read_or_not_at_all() {
        let run = |verdict| Run {
            began: Duration::from_secs(50),
            takes: Duration::from_secs(100),
            verdict,
        };
        let at = Duration::from_secs;
        assert_eq!(run(Verdict::Passes).end(1000), Some((at(150), None)));
        assert_eq!(run(Verdict::FailsAt(250)).end(1000), Some((at(75), Some(250))));
        assert_eq!(run(Verdict::FailsAt(5000)).end(1000), Some((at(150), Some(5000))));
        assert_eq!(run(Verdict::NeverEnds).end(1000), None);
        for (verdict, done) in [(Verdict::Passes, 100), (Verdict::NeverEnds, 90)] {
            let run = run(verdict);
            assert_eq!([0, 75, 150, 999].map(|now| run.done(at(now), 100)), [0, 25, done, done]);
        }
    }
}
