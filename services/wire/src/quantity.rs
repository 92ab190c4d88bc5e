//! Quantities that must not be mixed up: a logical block address, a count of bytes, a temperature, a time that something took.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;

/// A logical block address in units of the drive's logical sector, `0..capacity / sector size`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS, ToSchema)]
#[serde(transparent)]
#[ts(as = "f64")]
pub struct Lba(pub u64);

/// Number of different sectors in these ranges, which may overlap.
pub fn different(ranges: impl IntoIterator<Item = Range<u64>>) -> u64 {
    let mut ranges: Vec<(u64, u64)> = ranges.into_iter().map(|range| (range.start, range.end)).collect();
    ranges.sort_unstable();
    let (mut sum, mut upto) = (0, 0);
    for (first, end) in ranges {
        sum += end.saturating_sub(first.max(upto));
        upto = upto.max(end);
    }
    sum
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS, ToSchema)]
#[serde(transparent)]
#[ts(as = "f64")]
pub struct Bytes(pub u64);

/// A temperature in whole degrees Celsius, as drives report it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS, ToSchema)]
#[serde(transparent)]
pub struct Celsius(pub i32);

/// How long something took, in seconds; what is less than nothing counts as none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Lasted(pub f64);

/// How long something will take, in seconds; what is less than nothing counts as none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Left(pub f64);

impl fmt::Display for Left {
    /// As people say it, and as the page does (`timeLeft` in `format.ts`): `moments`, `42 s`, `14 min`, `1 h`; beyond an hour rounded, and said to
    /// be: `about 2 h 10 min`, `about 9 h`, `about 4 days`.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole and not negative; what is larger stays at the highest"
    )]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = self.0.max(0.0);
        let in_units = |seconds: f64| (exact / seconds).round() as u64;
        match exact {
            _ if exact < 1.0 => f.write_str("moments"),
            _ if exact < 59.5 => write!(f, "{} s", in_units(1.0)),
            _ if exact < 59.5 * 60.0 => write!(f, "{} min", in_units(60.0)),
            _ if exact < 3600.0 => f.write_str("1 h"),
            _ if exact < 3.0 * 3600.0 => match (in_units(600.0) / 6, in_units(600.0) % 6) {
                (hours, 0) => write!(f, "about {hours} h"),
                (hours, tens) => write!(f, "about {hours} h {tens}0 min"),
            },
            _ if exact < 71.5 * 3600.0 => write!(f, "about {} h", in_units(3600.0)),
            // Of the rounded hours.
            _ => write!(f, "about {} days", (in_units(3600.0) + 12) / 24),
        }
    }
}

impl fmt::Display for Lasted {
    /// The two largest units of hours, minutes and seconds: `0.4 s`, `42 s`, `55 min 20 s`, `25 h 0 min`.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole and not negative; what is larger stays at the highest"
    )]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = self.0.max(0.0);
        let whole = exact.round() as u64;
        match (whole / 3600, whole / 60 % 60, whole % 60) {
            (0, 0, 0 | 1) if exact < 0.95 => write!(f, "{exact:.1} s"),
            (0, 0, s) => write!(f, "{s} s"),
            (0, m, s) => write!(f, "{m} min {s} s"),
            (h, m, _) => write!(f, "{h} h {m} min"),
        }
    }
}

impl fmt::Display for Lba {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LBA {}", self.0)
    }
}

impl fmt::Display for Celsius {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} °C", self.0)
    }
}

impl fmt::Display for Bytes {
    /// SI units with at most three significant digits, as on a drive's label: `4 TB`, `1.92 TB`, `512 B`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
        let mut value = self.0 as f64;
        let mut unit = 0;
        while value >= 999.5 && unit + 1 < UNITS.len() {
            value /= 1000.0;
            unit += 1;
        }
        let decimals = match value {
            _ if unit == 0 => 0,
            v if v < 9.995 => 2,
            v if v < 99.95 => 1,
            _ => 0,
        };
        let text = format!("{value:.decimals$}");
        let short = match decimals {
            0 => text.as_str(),
            _ => text.trim_end_matches('0').trim_end_matches('.'),
        };
        write!(f, "{short} {}", UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_read_like_a_label() {
        for (bytes, text) in [
            (0, "0 B"),
            (512, "512 B"),
            (999, "999 B"),
            (1_000, "1 kB"),
            (67_108_864, "67.1 MB"),
            (100_000_000, "100 MB"),
            (999_600_000, "1 GB"),
            (1_920_383_410_176, "1.92 TB"),
            (3_100_000_000_000, "3.1 TB"),
            (4_000_787_030_016, "4 TB"),
            (20_000_588_955_648, "20 TB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(Bytes(bytes).to_string(), text);
        }
    }
    #[test]
    fn time_left_is_said_as_people_say_it() {
        for (seconds, text) in [
            (-5.0, "moments"),
            (f64::NAN, "moments"),
            (0.9, "moments"),
            (1.0, "1 s"),
            (59.4, "59 s"),
            (59.6, "1 min"),
            (852.0, "14 min"),
            (3_540.0, "59 min"),
            (3_590.0, "1 h"),
            (3_610.0, "about 1 h"),
            (300_960.0, "about 4 days"),
            (7_700.0, "about 2 h 10 min"),
            (10_790.0, "about 3 h"),
            (32_000.0, "about 9 h"),
            (257_000.0, "about 71 h"),
            (258_000.0, "about 3 days"),
            (362_340.0, "about 4 days"),
        ] {
            assert_eq!(Left(seconds).to_string(), text, "{seconds}");
        }
    }
    #[test]
    fn a_time_has_its_two_largest_units() {
        for (seconds, text) in [
            (-5.0, "0.0 s"),
            (f64::NAN, "0.0 s"),
            (0.04, "0.0 s"),
            (0.44, "0.4 s"),
            (0.5, "0.5 s"),
            (0.96, "1 s"),
            (59.4, "59 s"),
            (59.6, "1 min 0 s"),
            (3_320.0, "55 min 20 s"),
            (3_599.7, "1 h 0 min"),
            (90_000.0, "25 h 0 min"),
        ] {
            assert_eq!(Lasted(seconds).to_string(), text);
        }
    }
}
