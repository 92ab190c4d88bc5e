//! What a sector that is not its own holds: bits flipped, another sector's data, an earlier pass, nothing.
//!
//! Tested with every kind of damage at the end of this file, and over whole drives in `tests/faults.rs`.

use serde::{Deserialize, Serialize};

use super::{Pattern, SLOTS, WORDS, kernel};

/// Words of a unit that must agree before the rest of it counts as damage to that unit.
///
/// More than half of 64: two different units can never both reach it.
const MAJORITY: u32 = 33;

/// Words that must agree before a unit counts as torn or partly overwritten rather than wholly foreign.
///
/// Foreign data agrees in one of 64 words with a chance of 64 · 2^-64.
const SOME: u32 = 2;

/// What a unit holds in place of its own data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Seen {
    /// Its own data, with `bits` of 4096 inverted.
    Flips {
        /// Number of inverted bits.
        bits: u32,
    },
    /// Partly its own data; more than half of the words are something else.
    Torn {
        /// Words of 64 that are right.
        right: u32,
    },
    /// Nothing but zero bits.
    Zeros,
    /// Nothing but one bits.
    Ones,
    /// Data of this job, of another place or pass.
    Of {
        /// Unit whose data it is.
        unit: u64,
        /// Pass in which that was written.
        pass: u8,
    },
    /// Nothing that this job ever wrote anywhere.
    Foreign,
}

pub(super) fn decode(pattern: &Pattern, data: &[u64], unit: u64, pass: u8) -> Option<Seen> {
    debug_assert_eq!(data.len(), WORDS);
    let tag = pattern.tag(unit, pass);
    let own = pattern.slot(kernel::slot(unit));
    let mut right = 0_u32;
    let mut bits = 0;
    for (word, base) in data.iter().zip(own) {
        let diff = u64::from_le(word ^ base) ^ tag;
        right += u32::from(diff == 0);
        bits += diff.count_ones();
    }
    if bits == 0 {
        return None;
    }
    if data.iter().all(|w| *w == 0) {
        return Some(Seen::Zeros);
    }
    if data.iter().all(|w| *w == u64::MAX) {
        return Some(Seen::Ones);
    }
    if right >= MAJORITY {
        return Some(Seen::Flips { bits });
    }
    if let Some((unit, pass)) = whose(pattern, data) {
        return Some(Seen::Of { unit, pass });
    }
    Some(if right >= SOME {
        Seen::Torn { right }
    } else {
        Seen::Foreign
    })
}

/// The unit and pass that a majority of the words name.
fn whose(pattern: &Pattern, data: &[u64]) -> Option<(u64, u8)> {
    (0..SLOTS).find_map(|slot| {
        let base = pattern.slot(slot);
        // Boyer and Moore's majority vote: the tag, if any, that more than half of the words give.
        let (mut lead, mut votes) = (0, 0_u32);
        for (word, base) in data.iter().zip(base) {
            let tag = word ^ base;
            if votes == 0 {
                (lead, votes) = (tag, 1);
            } else if tag == lead {
                votes += 1;
            } else {
                votes -= 1;
            }
        }
        let agree = data
            .iter()
            .zip(base)
            .map(|(word, base)| u32::from(word ^ base == lead))
            .sum::<u32>();
        if agree < MAJORITY {
            return None;
        }
        let (unit, pass) = pattern.untag(u64::from_le(lead))?;
        (kernel::slot(unit) == slot).then_some((unit, pass))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "tests")]
    use proptest::prelude::*;

    use super::*;
    use crate::pattern::{JobKey, UNITS_MAX};

    fn unit(pattern: &Pattern, unit: u64, pass: u8) -> Vec<u64> {
        let mut out = vec![0; WORDS];
        pattern.fill(&mut out, unit, pass);
        out
    }

    proptest! {
        #[test]
        fn damage_is_named(
            key: [u8; 16], at in 0..UNITS_MAX, other in 0..UNITS_MAX, pass: u8, old: u8, inverted: bool,
            flips in proptest::collection::btree_set(0_usize..4096, 1..30), noise: [u64; 8],
        ) {
            let of = |key| match inverted {
                true => Pattern::new(key).complemented(),
                false => Pattern::new(key),
            };
            let pattern = of(JobKey(key));
            let own = unit(&pattern, at, pass);
            prop_assert_eq!(pattern.decode(&own, at, pass), None);
            let flip = |data: &[u64]| {
                let mut data = data.to_vec();
                for bit in &flips {
                    data[bit / 64] ^= 1 << (bit % 64);
                }
                data
            };
            prop_assert_eq!(pattern.decode(&flip(&own), at, pass), Some(Seen::Flips { bits: flips.len() as u32 }));
            if (other, old) != (at, pass) {
                let seen = Some(Seen::Of { unit: other, pass: old });
                let foreign = unit(&pattern, other, old);
                prop_assert_eq!(pattern.decode(&foreign, at, pass), seen);
                prop_assert_eq!(pattern.decode(&flip(&foreign), at, pass), seen);
            }
            prop_assert_eq!(pattern.decode(&[0; WORDS], at, pass), Some(Seen::Zeros));
            prop_assert_eq!(pattern.decode(&[u64::MAX; WORDS], at, pass), Some(Seen::Ones));
            let noise: Vec<u64> = (0..64_u64).map(|i| super::super::mix64(noise[i as usize % 8] ^ i << 7)).collect();
            prop_assert_eq!(pattern.decode(&noise, at, pass), Some(Seen::Foreign));
            let mut torn = noise.clone();
            torn[..20].copy_from_slice(&own[..20]);
            prop_assert_eq!(pattern.decode(&torn, at, pass), Some(Seen::Torn { right: 20 }));
            let alien = of(JobKey(key.map(|b| b ^ 0x5a)));
            prop_assert_eq!(pattern.decode(&unit(&alien, at, pass), at, pass), Some(Seen::Foreign));
        }
    }
}
