//! The inner loops, compiled three times from one definition: AVX-512, AVX2, and whatever the target has.
//!
//! The compiler vectorises the portable form (SSE2 on x86-64, NEON on ARM64); the other
//! two are the same source with wider registers allowed, chosen when the program runs.
//! Measured figures are in the crate's README; equality of the bytes is tested in the parent module.

use std::hint::black_box;

use super::{Base, SLOTS, WORDS, mix64};

/// A way to make the pattern. All give the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// x86-64 with 512-bit registers.
    Avx512,
    /// x86-64 with 256-bit registers.
    Avx2,
    /// What every processor of the target has.
    Portable,
}

/// Words that are compared side by side: one 512-bit register.
const LANES: usize = 8;

#[inline(always)]
pub(super) fn tag(k0: u64, unit: u64, pass: u8) -> u64 {
    mix64((unit | u64::from(pass) << 56) ^ k0)
}

#[inline(always)]
fn fill(out: &mut [u64], base: &Base, k0: u64, first: u64, pass: u8) {
    for (unit, n) in out.chunks_exact_mut(WORDS).zip(first..) {
        // Opaque, else the compiler pulls the tag's last XOR into the loop and does two for each register.
        let tag = black_box(tag(k0, n, pass).to_le());
        let slot = (n as usize % SLOTS) * WORDS;
        for (word, base) in unit.iter_mut().zip(&base[slot..slot + WORDS]) {
            *word = *base ^ tag;
        }
    }
}

#[inline(always)]
fn differs(data: &[u64], base: &Base, k0: u64, first: u64, pass: u8) -> Option<usize> {
    let (units, _) = data.as_chunks::<WORDS>();
    let (slots, _) = base.as_chunks::<WORDS>();
    for (at, unit) in units.iter().enumerate() {
        let n = first + at as u64;
        let tag = tag(k0, n, pass).to_le();
        let slot = &slots[n as usize % SLOTS];
        let (rows, _) = unit.as_chunks::<LANES>();
        let (bases, _) = slot.as_chunks::<LANES>();
        let mut sum = [0_u64; LANES];
        for (row, base) in rows.iter().zip(bases) {
            for lane in 0..LANES {
                sum[lane] |= row[lane] ^ base[lane] ^ tag;
            }
        }
        // One branch a unit. It also keeps the compiler from spreading several units over
        // one register's lanes, which costs ten times as much in gathers.
        if sum != [0; LANES] {
            return Some(at);
        }
    }
    None
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn fill_avx512(out: &mut [u64], base: &Base, k0: u64, first: u64, pass: u8) {
    fill(out, base, k0, first, pass);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn differs_avx512(data: &[u64], base: &Base, k0: u64, first: u64, pass: u8) -> Option<usize> {
    differs(data, base, k0, first, pass)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn fill_avx2(out: &mut [u64], base: &Base, k0: u64, first: u64, pass: u8) {
    fill(out, base, k0, first, pass);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn differs_avx2(data: &[u64], base: &Base, k0: u64, first: u64, pass: u8) -> Option<usize> {
    differs(data, base, k0, first, pass)
}

impl Kernel {
    /// All there are, the fastest first.
    pub const ALL: [Self; 3] = [Self::Avx512, Self::Avx2, Self::Portable];

    /// Whether this processor can run it.
    pub fn is_here(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => std::is_x86_feature_detected!("avx512f"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => std::is_x86_feature_detected!("avx2"),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx512 | Self::Avx2 => false,
            Self::Portable => true,
        }
    }

    /// The fastest that this processor can run.
    pub fn best() -> Self {
        Self::ALL
            .into_iter()
            .find(|kernel| kernel.is_here())
            .unwrap_or(Self::Portable)
    }

    #[inline]
    pub(super) fn fill(self, out: &mut [u64], base: &Base, k0: u64, first: u64, pass: u8) {
        match self {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `Pattern` holds this kernel only after `is_here` found the feature.
            Self::Avx512 => unsafe { fill_avx512(out, base, k0, first, pass) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Self::Avx2 => unsafe { fill_avx2(out, base, k0, first, pass) },
            _ => fill(out, base, k0, first, pass),
        }
    }

    #[inline]
    pub(super) fn differs(self, data: &[u64], base: &Base, k0: u64, first: u64, pass: u8) -> Option<usize> {
        match self {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `Pattern` holds this kernel only after `is_here` found the feature.
            Self::Avx512 => unsafe { differs_avx512(data, base, k0, first, pass) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Self::Avx2 => unsafe { differs_avx2(data, base, k0, first, pass) },
            _ => differs(data, base, k0, first, pass),
        }
    }
}
