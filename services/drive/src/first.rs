//! Where a first partition that fills its disk stands, for who lays it out and for who looks there afterwards. Pure.

/// Where it begins, in bytes. Source: all partitioning tools of today; a multiple of every block that drives are made of.
pub const START: u64 = 1 << 20;

/// Bytes of a GPT's entries, of which a copy stands before its header at the disk's end. Source: UEFI 2.10 §5.3.
const GPT_ENTRIES: u64 = 128 * 128;

/// Where it ends, in bytes, on a boundary as it begins on: with an MBR, and with a GPT. `sector`: the logical one, in bytes.
pub fn ends(capacity: u64, sector: u32) -> [u64; 2] {
    let before_gpt = capacity.saturating_sub(GPT_ENTRIES + u64::from(sector));
    [capacity, before_gpt].map(|usable| usable / START * START)
}
