//! What belongs to more than the drive that carries it: which of libblkid's kinds those are, and their words. Pure.
//!
//! Such content is never covered by the wish to erase a drive: each drive's is given up by name ([`crate::guard::GivenUp`]).

use serde::{Deserialize, Serialize};

/// Content that belongs to something larger than the drive: lost with it is more than the drive's own data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContentKind {
    /// Member of an md array (also of a firmware RAID that md drives).
    Md,
    /// LVM physical volume.
    Lvm,
    /// ZFS label.
    Zfs,
    /// bcache backing or cache device.
    Bcache,
    /// LUKS container.
    Luks,
    /// One of several devices of a btrfs, or a seed of others.
    Btrfs,
    /// One of several devices of a bcachefs.
    Bcachefs,
    /// Ceph OSD.
    Ceph,
    /// DRBD replica or its metadata.
    Drbd,
    /// VMFS volume or an extent of one, which several hosts may share.
    Vmfs,
    /// Stratis block device.
    Stratis,
    /// Oracle ASM disk.
    Asm,
    /// File system that the hosts of a cluster share.
    Cluster,
    /// Apple `CoreStorage` volume, which may span drives.
    CoreStorage,
    /// What the device mapper keeps beside or below other data: snapshot store, integrity or verity layer, VDO.
    DeviceMapper,
    /// Journal or log of a file system that stands elsewhere.
    Journal,
    /// Member of a pool or an array that has no row of its own.
    Pool,
    /// What could not be looked at: an end of the disk or a partition whose bad places took all the time, or what a table names that
    /// cannot be read or does not fit the device. It may be any of these.
    Unseen,
}

/// One kind of membership.
struct Row {
    kind: ContentKind,
    /// A stable word for a drive that is refused for it. All but `luks` end in `-member`, which the dashboard knows them by.
    refusal: &'static str,
    words: &'static str,
    /// libblkid's TYPEs, beside those that [`ContentKind::of`] knows by their form. Source: util-linux 2.41, which the image has,
    /// `libblkid/src/superblocks/`; what 2.38 does not tell, with which it is built, is in [`crate::unlisted`] and
    /// [`crate::partition_type`], too.
    types: &'static [&'static str],
}

const fn row(kind: ContentKind, refusal: &'static str, words: &'static str, types: &'static [&'static str]) -> Row {
    Row {
        kind,
        refusal,
        words,
        types,
    }
}

/// Every kind, in the order of [`ContentKind`].
const TABLE: [Row; 18] = [
    row(ContentKind::Md, "md-member", "RAID member (md)", &["linux_raid_member"]),
    row(
        ContentKind::Lvm,
        "lvm-member",
        "LVM physical volume",
        &["LVM2_member", "LVM1_member"],
    ),
    row(ContentKind::Zfs, "zfs-member", "ZFS label", &["zfs_member"]),
    row(ContentKind::Bcache, "bcache-member", "bcache device", &["bcache"]),
    row(ContentKind::Luks, "luks", "LUKS container", &["crypto_LUKS"]),
    // Told by what it says of other devices (`siblings`, `unlisted`), as bcachefs: one alone is only data.
    row(
        ContentKind::Btrfs,
        "btrfs-member",
        "member of a btrfs with several devices",
        &[],
    ),
    row(
        ContentKind::Bcachefs,
        "bcachefs-member",
        "member of a bcachefs with several devices",
        &[],
    ),
    row(
        ContentKind::Ceph,
        "ceph-member",
        "Ceph OSD, or a part of one",
        &["ceph_bluestore"],
    ),
    row(
        ContentKind::Drbd,
        "drbd-member",
        "DRBD replica",
        &["drbd", "drbdmanage_control_volume", "drbdproxy_datalog"],
    ),
    row(
        ContentKind::Vmfs,
        "vmfs-member",
        "VMFS volume (VMware)",
        &["VMFS_volume_member", "VMFS"],
    ),
    row(
        ContentKind::Stratis,
        "stratis-member",
        "Stratis block device",
        &["stratis"],
    ),
    row(ContentKind::Asm, "asm-member", "Oracle ASM disk", &["oracleasm"]),
    row(
        ContentKind::Cluster,
        "cluster-member",
        "file system of a cluster",
        &["gfs", "gfs2", "ocfs", "ocfs2"],
    ),
    row(
        ContentKind::CoreStorage,
        "core-storage-member",
        "CoreStorage volume (Apple)",
        &["cs_fvault2"],
    ),
    row(
        ContentKind::DeviceMapper,
        "dm-member",
        "layer of the device mapper",
        &["DM_snapshot_cow", "DM_verity_hash", "DM_integrity", "vdo"],
    ),
    row(
        ContentKind::Journal,
        "journal-member",
        "journal of a file system elsewhere",
        &["jbd", "xfs_external_log"],
    ),
    row(
        ContentKind::Pool,
        "pool-member",
        "member of a pool or an array",
        &["mpool"],
    ),
    row(
        ContentKind::Unseen,
        "unseen-member",
        "not looked at everywhere, maybe a member of something",
        &[],
    ),
];

impl ContentKind {
    /// Each of them.
    pub const ALL: [Self; TABLE.len()] = {
        let mut all = [Self::Md; TABLE.len()];
        let mut at = 0;
        while at < all.len() {
            all[at] = TABLE[at].kind;
            at += 1;
        }
        all
    };

    /// The kind of a libblkid TYPE and USAGE; `None` for what is only data. What libblkid calls a part of a RAID is never
    /// that, also where this code does not know its name.
    pub fn of(kind: &str, usage: &str) -> Option<Self> {
        let row = TABLE.iter().find(|row| row.types.contains(&kind));
        row.map(|row| row.kind)
            // A firmware's RAID: `isw_raid_member`, `ddf_raid_member` …
            .or_else(|| kind.ends_with("_raid_member").then_some(Self::Md))
            .or_else(|| (usage == "raid" || kind.ends_with("_member")).then_some(Self::Pool))
    }

    fn row(self) -> &'static Row {
        // The table is in the enum's order, which a test holds.
        &TABLE[self as usize]
    }

    /// A stable word for a drive that is refused for it.
    pub fn refusal(self) -> &'static str {
        self.row().refusal
    }

    /// The kind in words.
    pub fn words(self) -> &'static str {
        self.row().words
    }
}

/// Something on the drive that belongs to more than the drive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Partition number; 0 for the whole disk.
    pub partition: u32,
    /// What it is.
    pub kind: ContentKind,
}

impl Member {
    /// What and where, in words.
    pub fn words(&self) -> String {
        match self.partition {
            0 => self.kind.words().to_owned(),
            n => format!("partition {n}: {}", self.kind.words()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// TYPEs of libblkid 2.39 and later; until then a partition's type tells of these.
    const NEWER: [&str; 1] = ["cs_fvault2"];

    #[test]
    fn every_kind_has_its_own_row_and_word() {
        for (at, row) in TABLE.iter().enumerate() {
            assert_eq!(row.kind as usize, at, "{}", row.refusal);
            assert_eq!((row.kind.refusal(), row.kind.words()), (row.refusal, row.words));
            assert!(
                row.refusal == "luks" || row.refusal.ends_with("-member"),
                "{}",
                row.refusal
            );
            for kind in row.types {
                assert_eq!(ContentKind::of(kind, ""), Some(row.kind), "{kind}");
                assert!(
                    crate::blkid::knows(kind) || NEWER.contains(kind),
                    "libblkid never tells {kind}"
                );
            }
        }
        assert_eq!(ContentKind::ALL.last(), Some(&ContentKind::Unseen));
        let words: BTreeSet<_> = TABLE.iter().map(|row| row.refusal).collect();
        assert_eq!(words.len(), TABLE.len());
    }

    #[test]
    fn what_belongs_to_more_than_the_drive_is_known() {
        for (kind, usage, is) in [
            ("promise_fasttrack_raid_member", "raid", Some(ContentKind::Md)),
            ("of_tomorrow", "raid", Some(ContentKind::Pool)),
            ("of_tomorrow_member", "filesystem", Some(ContentKind::Pool)),
            ("ext4", "filesystem", None),
            ("swap", "other", None),
            ("BitLocker", "crypto", None),
        ] {
            assert_eq!(ContentKind::of(kind, usage), is, "{kind}");
        }
    }
}
