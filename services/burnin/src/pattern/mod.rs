//! Which bytes belong into which sector: a function of (job key, position, pass).
//!
//! A *unit* is 512 bytes of the drive, whatever its logical sector is. A base block of
//! 16 units (8 KiB) of random words is made once from the job key; a unit is its slot
//! of the base block, each 64-bit word XORed with one *tag*:
//!
//! ```text
//!  word[i] of unit u  =  base[(u mod 16) · 64 + i]  ⊕  tag(u, pass)       i in 0..64
//!  tag(u, pass)       =  mix64( (u | pass « 56)  ⊕  k0 )                  u < 2^48
//!  base[j]            =  mix64( k1 + (j + 1) · 0x9E3779B97F4A7C15 )       j in 0..1024
//! ```
//!
//! A complement in pass p has all bits of pass p − 1 inverted: its base block is, and its tag is that pass's. So two writes in a row, keyed
//! and complemented, put each cell through both values, and of 200 writes in a row no two bear the same base and tag.
//!
//! `k0` and `k1` are the two little-endian halves of the job key, `mix64` is SplitMix64's
//! finaliser, words lie in memory little-endian: the bytes are the same on every machine.
//!
//! Why so: `mix64` can be inverted, so every single word of a unit carries the unit's
//! position and pass. From a damaged or foreign sector [`Pattern::decode`] gets them back
//! by a majority of 64 words, needs no header that a bit flip could hit, and the data stays
//! incompressible and free of repeats. Generating costs one load and one XOR a word, less
//! than comparing with a second buffer would.
//!
//! It is no cipher: who holds the key and wants to forge a drive can.

mod decode;
mod kernel;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::playbook::PASSES;

pub use decode::Seen;
pub use kernel::Kernel;

/// Bytes in a unit, the grain in which positions are tagged.
pub const UNIT: usize = 512;

/// 64-bit words in a unit.
pub(crate) const WORDS: usize = UNIT / 8;

/// Units in the base block.
pub(crate) const SLOTS: usize = 16;

/// First unit number that has no tag: 2^48 units are 128 PiB.
pub const UNITS_MAX: u64 = 1 << 48;

/// The base block: 8 KiB, a quarter of the smallest first-level cache, so that it stays there while a buffer streams by.
pub(crate) type Base = [u64; SLOTS * WORDS];

/// The secret of one job; 16 random bytes, written as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JobKey(pub [u8; 16]);

impl JobKey {
    /// A key that nobody can guess.
    ///
    /// # Errors
    /// When the kernel gives no random numbers, in words.
    pub fn random() -> Result<Self, String> {
        let mut key = [0; 16];
        getrandom::fill(&mut key).map_err(|error| format!("the kernel gives no random numbers: {error}"))?;
        Ok(Self(key))
    }
}

/// A text that is no job key.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{text:?} is no job key: expected 32 hexadecimal digits")]
pub struct BadKey {
    /// The text as it came, cut to 80 characters.
    pub text: String,
}

impl TryFrom<String> for JobKey {
    type Error = BadKey;
    fn try_from(text: String) -> Result<Self, BadKey> {
        let mut key = [0; 16];
        match hex::decode_to_slice(&text, &mut key) {
            Ok(()) => Ok(Self(key)),
            Err(_) => Err(BadKey {
                text: text.chars().take(80).collect(),
            }),
        }
    }
}

impl From<JobKey> for String {
    fn from(key: JobKey) -> Self {
        hex::encode(key.0)
    }
}

impl fmt::Debug for JobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JobKey({})", hex::encode(self.0))
    }
}

/// SplitMix64's finaliser; a bijection on 64 bits. Source: Steele, Lea, Flood, OOPSLA 2014 (Stafford's variant 13).
#[expect(
    clippy::inline_always,
    reason = "it is part of loops that are compiled for processors with more than the base's instructions"
)]
#[inline(always)]
pub(crate) fn mix64(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The inverse of [`mix64`].
pub(crate) fn unmix64(mut z: u64) -> u64 {
    z = z ^ (z >> 31) ^ (z >> 62);
    z = z.wrapping_mul(0x3196_42B2_D24D_8EC3);
    z = z ^ (z >> 27) ^ (z >> 54);
    z = z.wrapping_mul(0x96DE_1B17_3F11_9089);
    z ^ (z >> 30) ^ (z >> 60)
}

/// The pattern of one job: makes sectors and compares them.
pub struct Pattern {
    base: Box<Base>,
    k0: u64,
    kernel: Kernel,
    inverted: bool,
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pattern")
            .field("kernel", &self.kernel)
            .finish_non_exhaustive()
    }
}

impl Pattern {
    /// The pattern of `key`, made with the fastest kernel of this processor.
    pub fn new(key: JobKey) -> Self {
        Self::with_kernel(key, Kernel::best())
    }

    /// The same, made with a certain kernel; one that this processor lacks is replaced by the portable one.
    pub fn with_kernel(key: JobKey, kernel: Kernel) -> Self {
        let half = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&key.0[at..at + 8]);
            u64::from_le_bytes(bytes)
        };
        let (k0, k1) = (half(0), half(8));
        let mut base: Box<Base> = Box::new([0; SLOTS * WORDS]);
        let mut state = k1;
        for word in base.iter_mut() {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            *word = mix64(state).to_le();
        }
        Self {
            base,
            k0,
            kernel: if kernel.is_here() { kernel } else { Kernel::Portable },
            inverted: false,
        }
    }

    /// The same pattern with every bit inverted, in each pass that of the pass before it: its base block is, so the same kernels make it.
    #[must_use]
    pub fn complemented(mut self) -> Self {
        for word in self.base.iter_mut() {
            *word = !*word;
        }
        self.inverted = !self.inverted;
        self
    }

    /// The pass that tags what `pass` writes. Behind the last pass comes the first again.
    fn tagged(&self, pass: u8) -> u8 {
        match pass {
            1 if self.inverted => PASSES,
            2..=PASSES if self.inverted => pass - 1,
            _ => pass,
        }
    }

    /// The pass that writes what `tagged` tags: the inverse of [`Self::tagged`].
    fn of_tagged(&self, tagged: u8) -> u8 {
        match tagged {
            PASSES if self.inverted => 1,
            1..PASSES if self.inverted => tagged + 1,
            _ => tagged,
        }
    }

    /// Which kernel does the work.
    pub fn kernel(&self) -> Kernel {
        self.kernel
    }

    /// Writes the units `first..` of `pass` into `out`, whose length is a multiple of 64 words.
    pub fn fill(&self, out: &mut [u64], first: u64, pass: u8) {
        debug_assert!(out.len().is_multiple_of(WORDS) && first + (out.len() / WORDS) as u64 <= UNITS_MAX);
        self.kernel.fill(out, &self.base, self.k0, first, self.tagged(pass));
    }

    /// The index of the first unit at or after `from` that differs from the units `first..` of `pass`.
    ///
    /// `data` is made and compared in one sweep, nothing is stored.
    pub fn differs(&self, data: &[u64], from: usize, first: u64, pass: u8) -> Option<usize> {
        debug_assert!(data.len().is_multiple_of(WORDS));
        let rest = data.get(from * WORDS..)?;
        let tagged = self.tagged(pass);
        let at = self
            .kernel
            .first_difference(rest, &self.base, self.k0, first + from as u64, tagged);
        at.map(|at| at + from)
    }

    /// What unit `unit` of `pass` holds instead of its own data; `None` when it holds its own.
    pub fn decode(&self, data: &[u64], unit: u64, pass: u8) -> Option<Seen> {
        decode::decode(self, data, unit, pass)
    }

    /// Tag of a unit: what every word of it is XORed with.
    pub(crate) fn tag(&self, unit: u64, pass: u8) -> u64 {
        kernel::tag(self.k0, unit, self.tagged(pass))
    }

    /// Position and pass of what bears this tag; `None` for a number that no unit has as its tag.
    pub(crate) fn untag(&self, tag: u64) -> Option<(u64, u8)> {
        let plain = unmix64(tag) ^ self.k0;
        let [.., nothing, pass] = plain.to_le_bytes();
        let (unit, pass) = (plain & (UNITS_MAX - 1), self.of_tagged(pass));
        (nothing == 0).then_some((unit, pass))
    }

    pub(crate) fn slot(&self, slot: usize) -> &[u64] {
        &self.base[slot * WORDS..(slot + 1) * WORDS]
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::*;

    const KEY: JobKey = JobKey(*b"kiln test key 01");

    fn bytes(words: &[u64]) -> Vec<u8> {
        words.iter().flat_map(|w| w.to_ne_bytes()).collect()
    }

    /// Known answers from the definition in this module's head, calculated by a Python program.
    #[test]
    fn every_kernel_gives_the_known_bytes() {
        for kernel in Kernel::ALL.into_iter().filter(|k| k.is_here()) {
            let pattern = Pattern::with_kernel(KEY, kernel);
            assert_eq!(pattern.kernel(), kernel);
            let mut out = vec![0; WORDS * 200];
            pattern.fill(&mut out, 0x1234_5678_9abc, 1);
            let got = bytes(&out);
            assert_eq!(
                hex::encode(&got[..16]),
                "919f5ef32ea2734230cb10628d379d3e",
                "{kernel:?}"
            );
            assert_eq!(crc32c::crc32c(&got), 0x32a5_ac7c, "{kernel:?}");
        }
    }

    #[test]
    fn the_definition_in_the_head_is_what_the_kernels_do() {
        let pattern = Pattern::new(KEY);
        let mut out = vec![0; WORDS * 100];
        pattern.fill(&mut out, 1000, 3);
        for (n, unit) in out.chunks(WORDS).enumerate() {
            let u = 1000 + n as u64;
            let k0 = u64::from_le_bytes(*b"kiln tes");
            let k1 = u64::from_le_bytes(*b"t key 01");
            for (i, word) in unit.iter().enumerate() {
                let j = (u % 16) * 64 + i as u64;
                let base = mix64(k1.wrapping_add((j + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)));
                assert_eq!(u64::from_le(*word), base ^ mix64((u | 3 << 56) ^ k0));
            }
        }
    }

    #[test]
    fn a_complement_inverts_every_bit_of_the_pass_before_and_each_is_told_from_the_other() {
        let (keyed, complement) = (Pattern::new(KEY), Pattern::new(KEY).complemented());
        for (pass, next) in (1..PASSES).map(|pass| (pass, pass + 1)).chain([(PASSES, 1)]) {
            let (mut first, mut second) = (vec![0; WORDS * 40], vec![0; WORDS * 40]);
            keyed.fill(&mut first, 1000, pass);
            complement.fill(&mut second, 1000, next);
            assert!(first.iter().zip(&second).all(|(a, b)| *a == !*b), "pass {pass}");
            assert_eq!(complement.differs(&second, 0, 1000, next), None);
            let (first, second) = (&first[..WORDS], &second[..WORDS]);
            // Read as what it is, by whoever expects something else.
            for (of, data, pass) in [(&keyed, first, pass), (&complement, second, next)] {
                assert_eq!(of.decode(data, 7, 0xff), Some(Seen::Of { unit: 1000, pass }));
            }
            // Not a bit of the one is right where the other is expected.
            for told in [complement.decode(first, 1000, next), keyed.decode(second, 1000, pass)] {
                assert!(
                    matches!(told, Some(Seen::Foreign | Seen::Of { .. })),
                    "pass {pass}: {told:?}"
                );
            }
        }
    }

    #[test]
    fn sixteen_mebibytes_do_not_compress_and_no_4k_block_repeats() {
        let pattern = Pattern::new(KEY);
        let mut out = vec![0; 16 << 17];
        pattern.fill(&mut out, 77, 1);
        let out = bytes(&out);
        let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
        deflate.write_all(&out).unwrap();
        let packed = deflate.finish().unwrap().len();
        assert!(packed >= out.len(), "packed {packed} of {}", out.len());
        let blocks: std::collections::HashSet<&[u8]> = out.chunks(4096).collect();
        assert_eq!(blocks.len(), out.len() / 4096);
        let ones: u64 = out.iter().map(|b| u64::from(b.count_ones())).sum();
        let share = ones as f64 / (out.len() as f64 * 8.0);
        assert!((share - 0.5).abs() < 0.001, "{share}");
    }

    proptest! {
        #[test]
        fn unmix_inverts_mix(z: u64) {
            prop_assert_eq!(unmix64(mix64(z)), z);
            prop_assert_eq!(mix64(unmix64(z)), z);
        }

        #[test]
        fn kernels_agree_and_see_the_first_changed_unit(
            key: [u8; 16], first in 0..UNITS_MAX - 2000, pass: u8,
            units in 1_usize..200, bit: usize,
            from in prop_oneof![Just(0_usize), 1_usize..200],
        ) {
            let portable = Pattern::with_kernel(JobKey(key), Kernel::Portable);
            let mut want = vec![0; units * WORDS];
            portable.fill(&mut want, first, pass);
            let mut bad = want.clone();
            let bit = bit % (units * 4096);
            bad[bit / 64] ^= 1 << (bit % 64);
            let seen = (bit / 4096 >= from).then_some(bit / 4096);
            for kernel in Kernel::ALL.into_iter().filter(|k| k.is_here()) {
                let pattern = Pattern::with_kernel(JobKey(key), kernel);
                let mut out = vec![0; units * WORDS];
                pattern.fill(&mut out, first, pass);
                prop_assert!(out == want, "{:?}", kernel);
                prop_assert_eq!(pattern.differs(&out, from, first, pass), None);
                prop_assert_eq!(pattern.differs(&bad, from, first, pass), seen);
            }
        }

        #[test]
        fn untag_inverts_tag(key: [u8; 16], unit in 0..UNITS_MAX, pass: u8) {
            for pattern in [Pattern::new(JobKey(key)), Pattern::new(JobKey(key)).complemented()] {
                prop_assert_eq!(pattern.untag(pattern.tag(unit, pass)), Some((unit, pass)));
            }
        }
    }
}
