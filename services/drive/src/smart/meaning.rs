//! What an ATA attribute counts: makers use one number for different things, and smartctl's name alone tells which.

/// Parts of names, in lower case, under which smartctl's database lists the numbers of faults (5, 10, 184, 187, 188, 196 to
/// 199) for drives that count something else there: what the host read and wrote, blocks that were bad when the drive was
/// made, nothing at all, or a number that flips by itself. Source: smartmontools, drivedb.h.
const SOMETHING_ELSE: [&str; 8] = [
    "bogus",
    "not_in_use",
    "unknown_jmf",
    "host_reads",
    "host_writes",
    "_sectors_tot_ct",
    "factory_bad",
    "initial_bad",
];

/// Whether an attribute of this name is not what its number says on most drives. An unknown name goes by its number.
#[must_use]
pub fn is_something_else(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SOMETHING_ELSE.iter().any(|word| name.contains(word))
}
