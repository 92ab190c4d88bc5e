//! The inner loops, compiled three times from one definition: AVX-512, AVX2, and whatever the target has.
//!
//! The compiler vectorises the portable form (SSE2 on x86-64, NEON on ARM64); the other
//! two are the same source with wider registers allowed, chosen when the program runs.
//! Measured figures are in the crate's README; equality of the bytes is tested in the parent module.

#![expect(
    clippy::inline_always,
    reason = "each is part of loops that are compiled for processors with more than the base's instructions"
)]

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

/// How far in front of a store its cache line is asked for, in bytes: half of a 4 KiB page, at whose end the processor's own
/// prefetching stops. Measured: `README.md`.
#[cfg(target_arch = "x86_64")]
const AHEAD: usize = 2048;

/// Words that are compared side by side: two 512-bit registers, so that one need not wait for the other.
const LANES: usize = 16;

#[inline(always)]
pub(super) fn tag(k0: u64, unit: u64, pass: u8) -> u64 {
    mix64((unit | u64::from(pass) << 56) ^ k0)
}

/// Asks for the lines of the unit at [`AHEAD`], to be written: where another core copied the buffer, each store would else wait
/// for its line to come back.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn claim(unit: &[u64; WORDS]) {
    let ahead = unit.as_ptr().cast::<u8>().wrapping_add(AHEAD);
    for line in (0..super::UNIT).step_by(64) {
        // SAFETY: a hint, which reads and writes nothing and faults at no address; processors without it take it for nothing.
        unsafe {
            std::arch::asm!(
                "prefetchw [{}]",
                in(reg) ahead.wrapping_add(line),
                options(readonly, nostack, preserves_flags)
            );
        }
    }
}

/// The slot of the base block that a unit is made of.
#[expect(clippy::cast_possible_truncation, reason = "less than `SLOTS`")]
#[inline(always)]
pub(super) fn slot(unit: u64) -> usize {
    (unit % SLOTS as u64) as usize
}

#[inline(always)]
fn fill(out: &mut [u64], base: &Base, k0: u64, first: u64, pass: u8) {
    let (units, _) = out.as_chunks_mut::<WORDS>();
    let (slots, _) = base.as_chunks::<WORDS>();
    for (unit, n) in units.iter_mut().zip(first..) {
        #[cfg(target_arch = "x86_64")]
        claim(unit);
        // Opaque, else the compiler pulls the tag's last XOR into the loop and does two for each register.
        let tag = black_box(tag(k0, n, pass).to_le());
        for (word, base) in unit.iter_mut().zip(&slots[slot(n)]) {
            *word = *base ^ tag;
        }
    }
}

#[inline(always)]
fn differs(unit: &[u64; WORDS], base: &Base, tag: u64, n: u64) -> bool {
    let (slots, _) = base.as_chunks::<WORDS>();
    let (rows, _) = unit.as_chunks::<LANES>();
    let (bases, _) = slots[slot(n)].as_chunks::<LANES>();
    let tag = tag.to_le();
    let mut sum = [0_u64; LANES];
    for (row, base) in rows.iter().zip(bases) {
        for lane in 0..LANES {
            sum[lane] |= row[lane] ^ base[lane] ^ tag;
        }
    }
    // One branch a unit. It also keeps the compiler from spreading several units over one register's lanes, which costs
    // ten times as much in gathers; and a fold, since comparing arrays of this size calls a function.
    sum.into_iter().fold(0, |all, lane| all | lane) != 0
}

/// The index of the first unit that differs.
#[inline(always)]
fn first_difference(data: &[u64], base: &Base, k0: u64, first: u64, pass: u8) -> Option<usize> {
    let (units, _) = data.as_chunks::<WORDS>();
    // A loop: the closure of `position` would be compiled without the wider registers.
    for (at, unit) in units.iter().enumerate() {
        let n = first + at as u64;
        if differs(unit, base, tag(k0, n, pass), n) {
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
fn first_difference_avx512(data: &[u64], base: &Base, k0: u64, first: u64, pass: u8) -> Option<usize> {
    first_difference(data, base, k0, first, pass)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn fill_avx2(out: &mut [u64], base: &Base, k0: u64, first: u64, pass: u8) {
    fill(out, base, k0, first, pass);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn first_difference_avx2(data: &[u64], base: &Base, k0: u64, first: u64, pass: u8) -> Option<usize> {
    first_difference(data, base, k0, first, pass)
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
    pub(super) fn first_difference(self, data: &[u64], base: &Base, k0: u64, first: u64, pass: u8) -> Option<usize> {
        match self {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `Pattern` holds this kernel only after `is_here` found the feature.
            Self::Avx512 => unsafe { first_difference_avx512(data, base, k0, first, pass) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Self::Avx2 => unsafe { first_difference_avx2(data, base, k0, first, pass) },
            _ => first_difference(data, base, k0, first, pass),
        }
    }
}
