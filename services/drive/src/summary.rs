//! What stands on a drive, in one line for people.

use std::fmt::Write as _;

use wire::drive::Signature;

use crate::usage;

/// Partitions that the summary names before it only counts.
const SUMMARY_PARTITIONS: usize = 6;

/// All signatures in one line: `GPT, 2 partitions: ext4 "photos" (3.10 TB used, last mounted 12 March 2026), swap`.
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
    let mut text = whole.join(" + ");
    if !parts.is_empty() {
        let count = parts.len();
        let named: Vec<String> = parts
            .iter()
            .take(SUMMARY_PARTITIONS)
            .map(|(_, words)| words.join(" + "))
            .collect();
        let more = if count > SUMMARY_PARTITIONS {
            format!(" and {} more", count - SUMMARY_PARTITIONS)
        } else {
            String::new()
        };
        let plural = if count == 1 { "partition" } else { "partitions" };
        let table = if text.is_empty() {
            String::new()
        } else {
            format!("{text}, ")
        };
        text = format!("{table}{count} {plural}: {}{more}", named.join(", "));
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
            "GPT, 2 partitions: ext4 \"photos\" (3.10 TB used, last mounted 12 March 2026), ntfs (0 B used)"
        );
    }
}
