//! Whether a drive still answers, by the kernel's count of its accesses: a formatter that computes has none under way, and one whose
//! drive is slow sees some end.
//!
//! ```text
//!  /sys/dev/block/8:16/stat: reads done, …, writes done (5th), …, under way (9th), …, discards done (12th), …, flushes done (16th)
//! ```
//!
//! Source: `Documentation/block/stat.rst`; kernels before 5.5 tell no flushes, and before 4.18 no discards.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::libc;

/// What counts what ended, and what is under way; fields from 0.
const DONE: [usize; 4] = [0, 4, 11, 15];
const UNDER_WAY: usize = 8;

/// How long a drive has been silent.
#[derive(Debug)]
pub(super) struct Silence {
    stat: PathBuf,
    /// Accesses that have ended, and since when it is so many with one under way.
    since: Option<(u64, Instant)>,
}

impl Silence {
    /// Of the drive behind this descriptor. What has no such count is never silent.
    pub(super) fn of(drive: &File) -> Self {
        let number = drive.metadata().map_or(0, |of| of.rdev());
        let name = format!("{}:{}", libc::major(number), libc::minor(number));
        Self {
            stat: PathBuf::from("/sys/dev/block").join(name).join("stat"),
            since: None,
        }
    }

    /// How long none of its accesses has ended while one was under way. Does not touch the drive.
    pub(super) fn lasts(&mut self, now: Instant) -> Duration {
        let stat = fs::read_to_string(&self.stat).unwrap_or_default();
        self.told(&stat, now)
    }

    fn told(&mut self, stat: &str, now: Instant) -> Duration {
        let Some(done) = waiting(stat) else {
            self.since = None;
            return Duration::ZERO;
        };
        match self.since {
            Some((before, since)) if before == done => now.saturating_duration_since(since),
            Some(_) | None => {
                self.since = Some((done, now));
                Duration::ZERO
            }
        }
    }
}

/// How many accesses have ended where one is under way; `None` where none is, or the count is not told.
fn waiting(stat: &str) -> Option<u64> {
    let counts: Vec<u64> = stat.split_whitespace().map_while(|count| count.parse().ok()).collect();
    let under_way = *counts.get(UNDER_WAY)? > 0;
    under_way.then(|| DONE.iter().filter_map(|at| counts.get(*at)).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drive_is_silent_while_an_access_is_under_way_and_none_ends() {
        let stat = |writes: u64, under_way: u64, flushes: u64| {
            format!("  7 0 80 6 {writes} 0 64 8 {under_way} 0 16 1 0 8 0 {flushes} 19\n")
        };
        let begun = Instant::now();
        let mut silence = Silence {
            stat: PathBuf::new(),
            since: None,
        };
        let steps = [
            // Nothing is under way: a program computes.
            (stat(3, 0, 0), 0, 0),
            (stat(3, 0, 0), 100, 0),
            // Silent since it was first seen.
            (stat(3, 1, 0), 110, 0),
            (stat(3, 2, 0), 140, 30),
            // One ended.
            (stat(4, 1, 0), 150, 0),
            (stat(4, 1, 0), 160, 10),
            (stat(4, 1, 1), 170, 0),
            (stat(4, 1, 1), 400, 230),
            // All of them.
            (stat(5, 0, 1), 401, 0),
            (stat(5, 1, 1), 402, 0),
            // The drive is gone, or the kernel counts nothing.
            (String::new(), 500, 0),
            ("x 0 0 0 0 0 0 0 1".to_owned(), 900, 0),
        ];
        for (stat, at, due) in steps {
            let lasts = silence.told(&stat, begun + Duration::from_secs(at));
            assert_eq!(lasts, Duration::from_secs(due), "{at} s: {stat}");
        }
    }

    #[test]
    fn an_old_kernels_count_is_read_and_no_drive_is_never_silent() {
        assert_eq!(waiting("7 0 80 6 5 0 64 8 1 0 16"), Some(12));
        let file = File::open("/dev/null");
        let lasts = file.map(|file| Silence::of(&file).lasts(Instant::now()));
        assert_eq!(lasts.ok(), Some(Duration::ZERO));
    }
}
