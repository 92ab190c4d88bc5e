//! What stands on a drive: libblkid's answers for the whole disk and each partition, in words and for the guard.
//!
//! [`look`] reads through an `O_RDONLY` descriptor (never `O_DIRECT`: libblkid reads unaligned) and may block as long as
//! the drive does; callers use [`crate::probe`], which puts it into a child.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use serde::{Deserialize, Serialize};
use wire::drive::{Content, Signature};

use crate::blkid::{Outcome, Probe, Values};
pub use crate::member::{ContentKind, Member};
use crate::salvage::Salvage;

/// Everything one look at a drive tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// What stands on it, for people.
    pub content: Content,
    /// What of it belongs to something larger, also where libblkid calls the whole ambivalent.
    pub members: Vec<Member>,
    /// Whether it carries Kiln itself (a boot stick).
    pub kiln: bool,
}

impl Look {
    /// A drive whose start cannot be read. It is offered all the same: the verdict tells it (rule `unreadable-before`).
    pub fn unreadable(why: impl Into<String>) -> Self {
        Look {
            content: Content::Unreadable { why: why.into() },
            members: Vec::new(),
            kiln: false,
        }
    }
}

/// Names of the first three partitions of a Kiln stick. Source: `image/src/gpt.rs`.
const KILN_PARTITIONS: [&str; 3] = ["bios", "boot", "data"];

/// Label of a Kiln stick's boot file system. Source: `image/src/assemble.rs`.
const KILN_LABEL: &str = "KILN";

/// Bytes at the start that must be readable for the content to count as known.
const START: usize = 4096;

/// Looks at `size` bytes of an open device or image with logical `sector` size.
///
/// What the drive cannot read hides nothing that stands elsewhere: then a copy of what it can is looked at.
///
/// # Errors
/// When it could not be looked at for a reason that is not the drive's own.
pub fn look(file: &File, size: u64, sector: u32) -> io::Result<Look> {
    // What the kernel remembers may be of the drive that was there before: docks exchange them without a word. Where it does
    // not forget, the look is as good as it was.
    let _ = nix::fcntl::posix_fadvise(file, 0, 0, nix::fcntl::PosixFadviseAdvice::POSIX_FADV_DONTNEED);
    match try_look(file, size, sector) {
        Err(error) if is_the_drives(&error) => salvaged(file, size, sector, &error),
        looked => looked,
    }
}

/// The look at what can be read of a drive of which `why` could not.
fn salvaged(file: &File, size: u64, sector: u32, why: &io::Error) -> io::Result<Look> {
    let mut salvage = Salvage::new(size)?;
    salvage.take(file, 0, size)?;
    // A partition table that can be read names further places.
    let partitions = Probe::new(salvage.copy(), 0, 0, sector)?.partitions()?;
    for partition in partitions {
        if partition
            .start
            .checked_add(partition.size)
            .is_some_and(|end| end <= size)
        {
            salvage.take(file, partition.start, partition.size)?;
        }
    }
    let mut look = try_look(salvage.copy(), size, sector)?;
    // What was found elsewhere says nothing of what the start held.
    if salvage.lost(START as u64) || look.content == Content::Empty {
        look.content = Content::Unreadable { why: why.to_string() };
    }
    Ok(look)
}

/// Whether a read failed by the drive or the way to it, and not by this computer's want of something.
///
/// Source: `blk_errors` in block/blk-core.c. A read that ended early has no number: libblkid and `read_exact` tell it so.
pub(crate) fn is_the_drives(error: &io::Error) -> bool {
    match error.raw_os_error() {
        Some(errno) => matches!(
            errno,
            libc::EIO | libc::ENODATA | libc::EREMOTEIO | libc::EILSEQ | libc::ETIMEDOUT | libc::ENOLINK
        ),
        None => true,
    }
}

fn try_look(file: &File, size: u64, sector: u32) -> io::Result<Look> {
    let mut start = vec![0; START.min(usize::try_from(size).unwrap_or(START))];
    file.read_exact_at(&mut start, 0)?;

    let mut signatures = Vec::new();
    let mut members = Vec::new();
    let mut kiln = false;
    let mut whole = Probe::new(file, 0, 0, sector)?;
    for values in signatures_of(&mut whole)? {
        kiln |= is_kiln_boot(&values);
        signatures.push(signature(0, &values, None));
    }
    collect_members(&mut whole, 0, (file, 0), &mut members)?;

    let partitions = whole.partitions()?;
    let names: Vec<&str> = partitions
        .iter()
        .take(3)
        .filter_map(|partition| partition.name.as_deref())
        .collect();
    kiln |= names == KILN_PARTITIONS;
    for partition in partitions {
        let blank = Values::new();
        if partition.extended {
            signatures.push(Signature {
                kind: "extended".to_owned(),
                ..signature(partition.number, &blank, None)
            });
            continue;
        }
        // One that reaches beyond the device (a table copied from a larger drive) cannot be looked into.
        let within = partition.size > 0
            && partition
                .start
                .checked_add(partition.size)
                .is_some_and(|end| end <= size);
        let inner = match within {
            true => Some(Probe::new(file, partition.start, partition.size, sector)?),
            false => None,
        };
        let Some(mut inner) = inner else {
            signatures.push(signature(partition.number, &blank, partition.name));
            continue;
        };
        let found = signatures_of(&mut inner)?;
        if found.is_empty() {
            signatures.push(signature(partition.number, &blank, partition.name.clone()));
        }
        for values in found {
            kiln |= is_kiln_boot(&values);
            signatures.push(signature(partition.number, &values, partition.name.clone()));
        }
        collect_members(&mut inner, partition.number, (file, partition.start), &mut members)?;
    }

    members.sort_by_key(|member: &Member| (member.partition, member.kind));
    members.dedup();
    let content = if signatures.is_empty() {
        Content::Empty
    } else {
        let summary = summary(&signatures);
        Content::Found { signatures, summary }
    };
    Ok(Look { content, members, kiln })
}

/// Whether a file system is the boot partition of a Kiln stick.
fn is_kiln_boot(values: &Values) -> bool {
    let is = |key: &str, value: &str| values.get(key).is_some_and(|found| found == value);
    is("TYPE", "vfat") && is("LABEL", KILN_LABEL)
}

/// What people are shown of one device or partition: the safe answer, or all of them where that is ambivalent.
fn signatures_of(probe: &mut Probe<'_>) -> io::Result<Vec<Values>> {
    let found = match probe.safe()? {
        Outcome::Nothing => Vec::new(),
        Outcome::Found(values) => vec![values],
        Outcome::Ambivalent => probe.every()?,
    };
    // Values without a kind describe the device itself (its place in a table).
    Ok(found.into_iter().filter(|values| kind(values).is_some()).collect())
}

/// Adds every member signature, whatever else stands there.
fn collect_members(
    probe: &mut Probe<'_>,
    partition: u32,
    (file, start): (&File, u64),
    members: &mut Vec<Member>,
) -> io::Result<()> {
    for values in probe.every()? {
        let Some(kind) = values.get("TYPE") else { continue };
        let usage = values.get("USAGE").map_or("", String::as_str);
        let found = match kind.as_str() {
            "btrfs" => (btrfs_devices(file, start)? > 1).then_some(ContentKind::Btrfs),
            "bcachefs" => (bcachefs_devices(file, start)? > 1).then_some(ContentKind::Bcachefs),
            kind => ContentKind::of(kind, usage),
        };
        members.extend(found.map(|kind| Member { partition, kind }));
    }
    Ok(())
}

/// Number of devices that the btrfs at `start` says it has. Source: `struct btrfs_super_block`: superblock at 64 KiB,
/// `num_devices` at byte 0x88 of it.
fn btrfs_devices(file: &File, start: u64) -> io::Result<u64> {
    let mut bytes = [0; 8];
    file.read_exact_at(&mut bytes, start + 0x1_0000 + 0x88)?;
    Ok(u64::from_le_bytes(bytes))
}

/// Number of devices that the bcachefs at `start` says it has. Source: `struct bch_sb`: superblock at 4 KiB, `nr_devices` at
/// byte 123 of it.
fn bcachefs_devices(file: &File, start: u64) -> io::Result<u8> {
    let mut bytes = [0; 1];
    file.read_exact_at(&mut bytes, start + 0x1000 + 123)?;
    Ok(bytes[0])
}

/// TYPE of a superblock, else PTTYPE of a table.
fn kind(values: &Values) -> Option<&String> {
    values.get("TYPE").or_else(|| values.get("PTTYPE"))
}

fn signature(partition: u32, values: &Values, name: Option<String>) -> Signature {
    let value = |key: &str| values.get(key).filter(|value| !value.is_empty()).cloned();
    let superblock = values.contains_key("TYPE");
    Signature {
        partition,
        kind: kind(values).cloned().unwrap_or_else(|| "unknown".to_owned()),
        label: value("LABEL"),
        uuid: if superblock { value("UUID") } else { value("PTUUID") },
        name,
    }
}

/// Partitions that the summary names before it only counts.
const SUMMARY_PARTITIONS: usize = 6;

/// All signatures in one line: `GPT, 2 partitions: ext4 "photos", swap`.
pub fn summary(signatures: &[Signature]) -> String {
    let one = |signature: &Signature| {
        let words = kind_in_words(&signature.kind);
        match &signature.label {
            Some(label) => format!("{words} \"{label}\""),
            None => words,
        }
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
        text = format!("{text}, {count} {plural}: {}{more}", named.join(", "));
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
    use super::*;

    fn of(partition: u32, kind: &str, label: Option<&str>) -> Signature {
        Signature {
            partition,
            kind: kind.into(),
            label: label.map(Into::into),
            uuid: None,
            name: None,
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
    fn only_the_drives_own_errors_make_it_unreadable() {
        for errno in [libc::EIO, libc::ENODATA, libc::EREMOTEIO, libc::ETIMEDOUT] {
            assert!(is_the_drives(&io::Error::from_raw_os_error(errno)), "{errno}");
        }
        for errno in [
            libc::ENOMEM,
            libc::EMFILE,
            libc::ENFILE,
            libc::EACCES,
            libc::EBADF,
            libc::EINVAL,
            libc::ENXIO,
        ] {
            assert!(!is_the_drives(&io::Error::from_raw_os_error(errno)), "{errno}");
        }
        assert!(is_the_drives(&io::Error::from(io::ErrorKind::UnexpectedEof)));
    }
}
