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

/// How long something took or will take, in seconds; what is less than nothing counts as none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Lasted(pub f64);

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
            (0, 0, 0) => write!(f, "{exact:.1} s"),
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
    /// SI units with three significant digits, as on a drive's label: `4.00 TB`, `512 B`.
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
        write!(f, "{value:.decimals$} {}", UNITS[unit])
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
            (1_000, "1.00 kB"),
            (67_108_864, "67.1 MB"),
            (999_600_000, "1.00 GB"),
            (4_000_787_030_016, "4.00 TB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(Bytes(bytes).to_string(), text);
        }
    }
    #[test]
    fn a_time_has_its_two_largest_units() {
        for (seconds, text) in [
            (-5.0, "0.0 s"),
            (f64::NAN, "0.0 s"),
            (0.04, "0.0 s"),
            (0.44, "0.4 s"),
            (0.5, "1 s"),
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
