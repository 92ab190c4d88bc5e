//! Whether the host itself is to blame: a test of the very buffers that wrong data came through.
//!
//! A difference that does not show again, or one of single bits, is what a bad memory cell or a bad line of the memory bus
//! gives as well as a drive. So the buffers are filled with patterns, sent to memory and back
//! ([`crate::device::Device::settle`]), and compared:
//!
//! | patterns | what they find |
//! |---|---|
//! | 64 walking ones, 64 walking zeros | each bit of each word stuck, or tied to a neighbour; each data line |
//! | 16 mixed ones, each with its complement | words that share a cell, bits that disturb bits of other words |
//! | a copy in a second buffer, after each complement | a word that changes on its way between two places |
//!
//! A clean result proves little: memory that fails once a day passes. A bad one proves that nothing which single wrong bits
//! explain may be blamed on the drive ([`crate::findings::Fault::may_be_memory`]). When to test is the pipeline's to decide.

use crate::device::{Access, Device};
use crate::pattern::mix64;

/// Walking ones, then walking zeros.
const WALKS: u64 = 128;

/// Mixed patterns and their complements.
const MIXES: u64 = 32;

/// Patterns that each buffer is tested with.
pub const PATTERNS: u64 = WALKS + MIXES;

/// What a test of all buffers found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tested {
    /// Bytes of all buffers.
    pub bytes: u64,
    /// Wrong words over all patterns.
    pub wrong: u64,
    /// The first of them.
    pub first: Option<Wrong>,
    /// Sectors of the drive whose data stood there, the first and how many, where a read brought it.
    pub block: Option<(u64, u64)>,
}

/// One word that did not come back as it was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Buffer, by its slot.
    pub slot: usize,
    /// Byte in the buffer at which the word begins.
    pub at: usize,
    /// What was stored.
    pub due: u64,
    /// What came back.
    pub is: u64,
    /// How it was met.
    pub how: How,
}

/// How a wrong word was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// In the buffer itself.
    Pattern,
    /// In its copy in another place.
    Copy,
    /// What a drive had brought into it was not the same when it was looked at again.
    Twice,
}

impl Tested {
    /// The data of a read told two different things when it was compared twice.
    pub fn unsteady(read: Access, bytes: u64) -> Self {
        let wrong = Wrong {
            slot: read.slot,
            at: 0,
            due: 0,
            is: 0,
            how: How::Twice,
        };
        Self {
            bytes,
            wrong: 1,
            first: Some(wrong),
            block: Some((read.lba, read.sectors)),
        }
    }

    /// Whether nothing was wrong.
    pub fn is_good(&self) -> bool {
        self.wrong == 0
    }

    /// In words.
    pub fn text(&self) -> String {
        let Some(Wrong { slot, at, due, is, how }) = &self.first else {
            return format!(
                "the host's buffers of {} passed their self-test of {PATTERNS} patterns",
                wire::Bytes(self.bytes)
            );
        };
        let what = match how {
            How::Pattern => format!("byte {at} of buffer {slot}: stored {due:016x}, came back {is:016x}"),
            How::Copy => format!("the copy of byte {at} of buffer {slot}: stored {due:016x}, came back {is:016x}"),
            How::Twice => {
                format!("buffer {slot} held two different things when what a read had brought was compared twice")
            }
        };
        format!(
            "the host's own memory is bad: {} wrong words, the first at {what}; test the host's memory, not the drive",
            self.wrong
        )
    }

    fn see(&mut self, wrong: Wrong) {
        self.wrong += 1;
        self.first.get_or_insert(wrong);
    }
}

/// Word `at` of pattern `n`.
fn word(n: u64, at: u64) -> u64 {
    match n {
        0..64 => 1 << ((n + at) % 64),
        64..WALKS => !(1 << ((n + at) % 64)),
        _ => {
            let mixed = mix64((n / 2) << 48 ^ at);
            if n.is_multiple_of(2) { mixed } else { !mixed }
        }
    }
}

/// Tests every buffer; what they held is lost. None may be busy.
pub fn test(device: &mut dyn Device) -> Tested {
    let mut told = Tested {
        bytes: (device.slots() * device.block()) as u64,
        ..Tested::default()
    };
    let mut copy = Vec::new();
    for slot in 0..device.slots() {
        for n in 0..PATTERNS {
            for (at, stored) in (0..).zip(device.buffer(slot).iter_mut()) {
                *stored = word(n, at);
            }
            device.settle(slot);
            let data = device.buffer(slot);
            look(data, n, (slot, How::Pattern), &mut told);
            if n >= WALKS && n % 2 == 1 {
                copy.clear();
                copy.extend_from_slice(data);
                look(&copy, n, (slot, How::Copy), &mut told);
            }
        }
    }
    told
}

/// Compares with what was stored.
fn look(data: &[u64], n: u64, (slot, how): (usize, How), told: &mut Tested) {
    for (at, is) in data.iter().enumerate() {
        let due = word(n, at as u64);
        if *is != due {
            told.see(Wrong {
                slot,
                at: at * 8,
                due,
                is: *is,
                how,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::device::Done;

    /// Memory with one fault, which shows when what was stored settles.
    #[derive(Debug)]
    struct Ram {
        buffers: Vec<Vec<u64>>,
        slot: usize,
        fault: Fault,
        /// The fault shows once in so many times.
        every: u32,
        settled: u32,
    }

    #[derive(Clone, Copy, Debug)]
    enum Fault {
        None,
        Stuck { word: usize, bit: u32, one: bool },
        Bridge { word: usize, bits: (u32, u32), or: bool },
        Alias { words: (usize, usize) },
        Couple { from: (usize, u32), to: (usize, u32) },
    }

    fn put(word: &mut u64, bit: u32, one: bool) {
        *word = if one { *word | 1 << bit } else { *word & !(1 << bit) };
    }

    impl Device for Ram {
        fn now(&self) -> Duration {
            Duration::ZERO
        }
        fn slots(&self) -> usize {
            self.buffers.len()
        }
        fn block(&self) -> usize {
            self.buffers[0].len() * 8
        }
        fn buffer(&mut self, slot: usize) -> &mut [u64] {
            &mut self.buffers[slot]
        }
        fn settle(&mut self, slot: usize) {
            self.settled += 1;
            if slot != self.slot || !self.settled.is_multiple_of(self.every) {
                return;
            }
            let data = &mut self.buffers[slot];
            let has = |data: &[u64], (word, bit): (usize, u32)| data[word] >> bit & 1 == 1;
            match self.fault {
                Fault::None => {}
                Fault::Stuck { word, bit, one } => put(&mut data[word], bit, one),
                Fault::Bridge { word, bits: (a, b), or } => {
                    let (high, low) = (has(data, (word, a)), has(data, (word, b)));
                    let both = if or { high || low } else { high && low };
                    put(&mut data[word], a, both);
                    put(&mut data[word], b, both);
                }
                Fault::Alias { words: (a, b) } => data[b] = data[a],
                Fault::Couple { from, to } => {
                    if has(data, from) {
                        put(&mut data[to.0], to.1, true);
                    }
                }
            }
        }
        fn submit(&mut self, _: Access) -> io::Result<()> {
            Ok(())
        }
        fn wait(&mut self, _: Duration) -> io::Result<Option<Done>> {
            Ok(None)
        }
        fn size(&mut self) -> u64 {
            0
        }
    }

    const WORDS: usize = 512;

    fn ram(slots: usize, slot: usize, fault: Fault, every: u32) -> Ram {
        Ram {
            buffers: vec![vec![7; WORDS]; slots],
            slot,
            fault,
            every,
            settled: 0,
        }
    }

    fn fault() -> impl Strategy<Value = Fault> {
        let place = || (0..WORDS, 0_u32..64);
        prop_oneof![
            (place(), any::<bool>()).prop_map(|((word, bit), one)| Fault::Stuck { word, bit, one }),
            (0..WORDS, 0_u32..64, 1_u32..64, any::<bool>()).prop_map(|(word, bit, on, or)| Fault::Bridge {
                word,
                bits: (bit, (bit + on) % 64),
                or
            }),
            (0..WORDS, 1..WORDS).prop_map(|(word, on)| Fault::Alias {
                words: (word, (word + on) % WORDS)
            }),
            (place(), place())
                .prop_filter("a bit does not disturb itself", |(from, to)| from != to)
                .prop_map(|(from, to)| Fault::Couple { from, to }),
        ]
    }

    proptest! {
        #[test]
        fn every_fault_of_one_cell_or_line_is_found_in_its_buffer(fault in fault(), slots in 1_usize..5, slot in 0_usize..5) {
            let slot = slot % slots;
            let told = test(&mut ram(slots, slot, fault, 1));
            prop_assert!(!told.is_good(), "{:?}", fault);
            prop_assert_eq!(told.first.as_ref().map(|wrong| wrong.slot), Some(slot));
            prop_assert!(told.text().contains("not the drive"), "{}", told.text());
        }

        #[test]
        fn a_stuck_bit_that_shows_only_now_and_then_is_found(word in 0..WORDS, bit in 0_u32..64, one: bool, every in 1_u32..17) {
            let told = test(&mut ram(1, 0, Fault::Stuck { word, bit, one }, every));
            prop_assert!(!told.is_good());
        }
    }

    #[test]
    fn good_memory_passes_and_is_told_so() {
        for slots in 1..4 {
            let told = test(&mut ram(slots, 0, Fault::None, 1));
            assert_eq!((told.wrong, told.bytes), (0, (slots * WORDS * 8) as u64));
            assert!(told.is_good() && told.text().contains("passed"), "{}", told.text());
        }
    }

    #[test]
    fn patterns_put_every_bit_both_ways_in_every_word() {
        for at in 0..200 {
            let (ones, zeros) =
                (0..PATTERNS).fold((0, 0), |(ones, zeros), n| (ones | word(n, at), zeros | !word(n, at)));
            assert_eq!((ones, zeros), (u64::MAX, u64::MAX));
        }
    }
}
