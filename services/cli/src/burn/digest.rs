//! What `--dry-run` tells and `--plan-digest` gives back: the digest of the plan, and behind it a sum of what stands at some places of
//! the drives, signature or not.
//!
//! ```text
//!  64 hexadecimal digits of the plan [- 8 of the sum [- number of a place that is left out]…]
//! ```
//!
//! Places are numbered from 0 over all drives; those of a faulty drive that cannot be read, or tell something else each time, are left
//! out. A plan's digest alone, as older versions told it, is compared alone.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// Digits of a plan's digest: SHA-256.
const DIGITS: usize = 64;

/// What was told of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    plan: String,
    places: Option<Places>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Places {
    sum: u32,
    left_out: BTreeSet<usize>,
}

impl Digest {
    /// Of a plan of drives at whose places two looks saw this.
    pub(super) fn of(plan: String, (seen, again): (&[Option<u64>], &[Option<u64>])) -> Self {
        let looks = seen.iter().zip(again).enumerate();
        let untold = looks.filter(|(_, (seen, again))| seen.is_none() || seen != again);
        let left_out: BTreeSet<usize> = untold.map(|(n, _)| n).collect();
        let sum = sum(seen, &left_out);
        let places = (!seen.is_empty()).then_some(Places { sum, left_out });
        Self { plan, places }
    }

    /// Whether it was told of this plan, and of drives that hold at these places what they hold now.
    pub(super) fn is_of(&self, plan: &str, seen: &[Option<u64>]) -> bool {
        let holds = |places: &Places| sum(seen, &places.left_out) == places.sum;
        self.plan == plan && self.places.as_ref().is_none_or(holds)
    }
}

/// One that could not be read, and is not left out, is like no other.
fn sum(seen: &[Option<u64>], left_out: &BTreeSet<usize>) -> u32 {
    let told = seen.iter().enumerate().filter(|(n, _)| !left_out.contains(n));
    told.fold(0, |sum, (n, place)| {
        let sum = crc32c::crc32c_append(sum, &(n as u64).to_le_bytes());
        let place = place.map_or_else(Vec::new, |place| place.to_le_bytes().to_vec());
        crc32c::crc32c_append(sum, &place)
    })
}

impl fmt::Display for Digest {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.plan)?;
        let Some(Places { sum, left_out }) = &self.places else {
            return Ok(());
        };
        write!(to, "-{sum:08x}")?;
        left_out.iter().try_for_each(|n| write!(to, "-{n}"))
    }
}

impl FromStr for Digest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text).ok_or_else(|| {
            format!("expected the {DIGITS} hexadecimal digits that --dry-run told, and what stood behind them")
        })
    }
}

fn parse(text: &str) -> Option<Digest> {
    let mut parts = text.split('-');
    let is_hex = |text: &&str| text.bytes().all(|digit| digit.is_ascii_hexdigit());
    let plan = parts.next().filter(|plan| plan.len() == DIGITS).filter(is_hex)?;
    let places = match parts.next() {
        None => None,
        Some(sum) => Some(Places {
            sum: Some(sum)
                .filter(is_hex)
                .and_then(|sum| u32::from_str_radix(sum, 16).ok())?,
            left_out: parts.map(|n| n.parse().ok()).collect::<Option<_>>()?,
        }),
    };
    Some(Digest {
        plan: plan.to_ascii_lowercase(),
        places,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const PLAN: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    #[test]
    fn it_is_of_what_stood_there_but_for_what_a_faulty_drive_does_not_tell() {
        let seen = [Some(1), None, Some(3), Some(4)];
        let told = Digest::of(PLAN.to_owned(), (&seen, &[Some(1), Some(2), Some(9), Some(4)]));
        for (now, is_it) in [
            (&[Some(1), None, Some(3), Some(4)][..], true),
            (&[Some(1), Some(7), None, Some(4)], true),
            (&[Some(5), None, Some(3), Some(4)], false),
            (&[Some(4), None, Some(3), Some(1)], false),
            (&[None, None, Some(3), Some(4)], false),
            (&[Some(1), None, Some(3)], false),
            (&[], false),
        ] {
            assert_eq!(told.is_of(PLAN, now), is_it, "{now:?}");
        }
        assert!(!told.is_of(&PLAN.replace("00", "01"), &seen));
    }

    #[test]
    fn it_is_read_as_it_was_told_and_the_plans_alone_is_one() {
        let told = Digest::of(PLAN.to_owned(), (&[Some(1), None], &[Some(1), None]));
        assert!(told.to_string().ends_with("-1"), "{told}");
        assert_eq!(told.to_string().parse(), Ok(told));
        let alone: Digest = PLAN.to_ascii_uppercase().parse().unwrap();
        assert_eq!(alone.to_string(), PLAN);
        assert!(alone.is_of(PLAN, &[Some(1)]));
        for more in ["0", "-", "-xyz", "-+1234567", "-00000000-", "-00000000-x", "-123456789"] {
            assert!(format!("{PLAN}{more}").parse::<Digest>().is_err(), "{more}");
        }
    }
}
