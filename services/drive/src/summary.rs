//! What stands on a drive, in one line for people.

use std::fmt::Write as _;

use wire::drive::Signature;

use crate::usage;

/// Partitions that the summary names before it only counts.
const SUMMARY_PARTITIONS: usize = 6;

/// Signatures of one place that it names before it only counts: two that contradict each other are common, many are somebody's joke.
const SUMMARY_SIGNATURES: usize = 4;

/// All signatures in one line: `GPT, 2 partitions: ext4 "photos" (3.1 TB used, last mounted 12 March 2026), swap`.
pub(crate) fn summary(signatures: &[Signature]) -> String {
    let one = |signature: &Signature| {
        let mut words = kind_in_words(&signature.kind);
        if let Some(label) = &signature.label {
            let _ = write!(words, " \"{label}\"");
        }
        if let Some(usage) = usage::words(signature) {
            let _ = write!(words, " ({usage})");
        }
        words
    };
    let whole: Vec<String> = signatures.iter().filter(|s| s.partition == 0).map(one).collect();
    let mut parts: Vec<(u32, Vec<String>)> = Vec::new();
    for signature in signatures.iter().filter(|s| s.partition != 0) {
        match parts.last_mut() {
            Some((number, words)) if *number == signature.partition => words.push(one(signature)),
            Some(_) | None => parts.push((signature.partition, vec![one(signature)])),
        }
    }
    let place = |words: &[String]| first(words, " + ", SUMMARY_SIGNATURES);
    let mut text = place(&whole);
    if !parts.is_empty() {
        let count = parts.len();
        let named: Vec<String> = parts.iter().map(|(_, words)| place(words)).collect();
        let named = first(&named, ", ", SUMMARY_PARTITIONS);
        let plural = if count == 1 { "partition" } else { "partitions" };
        let table = if text.is_empty() {
            String::new()
        } else {
            format!("{text}, ")
        };
        text = format!("{table}{count} {plural}: {named}");
    }
    text
}

/// The first so many of them, and how many more there are.
fn first(words: &[String], between: &str, most: usize) -> String {
    let (named, more) = words.split_at(words.len().min(most));
    let mut text = named.join(between);
    if !more.is_empty() {
        let _ = write!(text, " and {} more", more.len());
    }
    text
}

fn kind_in_words(kind: &str) -> String {
    match kind {
        "gpt" => "GPT",
        "dos" => "MBR",
        "PMBR" => "protective MBR",
        "linux_raid_member" => "RAID member (md)",
        "LVM2_member" => "LVM physical volume",
        "crypto_LUKS" => "LUKS",
        "zfs_member" => "ZFS",
        "vfat" => "FAT",
        other => other,
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use wire::{Bytes, Time};

    use super::*;

    fn of(partition: u32, kind: &str, label: Option<&str>) -> Signature {
        Signature {
            partition,
            kind: kind.into(),
            label: label.map(Into::into),
            uuid: None,
            name: None,
            used: None,
            mounted: None,
        }
    }

    #[test]
    fn a_summary_reads_like_a_sentence() {
        assert_eq!(summary(&[of(0, "ext4", Some("photos"))]), "ext4 \"photos\"");
        assert_eq!(
            summary(&[of(0, "gpt", None), of(1, "vfat", None), of(2, "ext4", Some("root"))]),
            "GPT, 2 partitions: FAT, ext4 \"root\""
        );
        assert_eq!(
            summary(&[of(0, "dos", None), of(1, "unknown", None)]),
            "MBR, 1 partition: unknown"
        );
        let many: Vec<Signature> = std::iter::once(of(0, "gpt", None))
            .chain((1..=9).map(|n| of(n, "xfs", None)))
            .collect();
        assert_eq!(
            summary(&many),
            "GPT, 9 partitions: xfs, xfs, xfs, xfs, xfs, xfs and 3 more"
        );
        assert_eq!(summary(&[of(0, "zfs_member", None), of(0, "ext4", None)]), "ZFS + ext4");
        let joke: Vec<Signature> = (0..9).map(|_| of(1, "xfs", None)).collect();
        assert_eq!(summary(&joke), "1 partition: xfs + xfs + xfs + xfs and 5 more");
    }

    #[test]
    fn a_file_system_says_how_full_it_is_and_when_it_was_mounted() {
        let photos = Signature {
            used: Some(Bytes(3_100_000_000_000)),
            mounted: Time::from_second(1_773_273_600).ok(),
            ..of(1, "ext4", Some("photos"))
        };
        let full = Signature {
            used: Some(Bytes(0)),
            ..of(2, "ntfs", None)
        };
        assert_eq!(
            summary(&[of(0, "gpt", None), photos, full]),
            "GPT, 2 partitions: ext4 \"photos\" (3.1 TB used, last mounted 12 March 2026), ntfs (0 B used)"
        );
    }
}
