//! Signatures that libblkid does not list: at all, not yet in 2.38 (with which this is built; the image has 2.41), or only where sectors
//! have 512 bytes.
//!
//! Only what could make a drive count as free that is a member of something is looked for, and little more than the magic: a second reader
//! of everything would be another libblkid. Tested here over superblocks by hand; none of these was ever met on a real drive.

use std::io;

use crate::member::ContentKind;
use crate::window::Window;

/// One such signature.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unlisted {
    /// What it is called, as libblkid would call it where that has a name.
    pub(crate) name: String,
    /// What it makes of the drive; `None` for plain data.
    pub(crate) member: Option<ContentKind>,
}

impl Unlisted {
    fn new(name: impl Into<String>, member: impl Into<Option<ContentKind>>) -> Self {
        Self {
            name: name.into(),
            member: member.into(),
        }
    }
}

/// Those that stand in `window`.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn of(window: Window<'_>) -> io::Result<Vec<Unlisted>> {
    let mut found = Vec::new();
    found.extend(bcachefs(window)?);
    found.extend(ddf(window)?);
    for sector in [512, 4096] {
        found.extend(geom(window, sector)?);
    }
    found.extend(zfs(window)?);
    found.extend(jfs_journal(window)?);
    Ok(found)
}

/// bcachefs, by either of its magics; one of several devices is a member.
///
/// ```text
///  4096       superblock
///    +24      magic, 16 bytes; the first one is bcache's, too, whose superblock has zeros where the number of devices would be
///    +123     number of devices
/// ```
///
/// Source: util-linux 2.41, `libblkid/src/superblocks/bcache.c`.
fn bcachefs(window: Window<'_>) -> io::Result<Option<Unlisted>> {
    const MAGICS: [[u8; 16]; 2] = [
        *b"\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81",
        *b"\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef",
    ];
    let Some(block) = window.read::<128>(4096)? else {
        return Ok(None);
    };
    let devices = block[123];
    let is_one = MAGICS.iter().any(|magic| block[24..40] == *magic) && devices > 0;
    Ok(is_one.then(|| Unlisted::new("bcachefs", (devices > 1).then_some(ContentKind::Bcachefs))))
}

/// The anchor of a DDF RAID in the last sector of a drive that has sectors of 4096 bytes; libblkid looks at the last 512 bytes.
///
/// Source: SNIA Common RAID DDF 2.0 (the anchor is the last block), magic as in `libblkid/src/superblocks/ddf_raid.c`, in either order.
fn ddf(window: Window<'_>) -> io::Result<Option<Unlisted>> {
    let magic: Option<[u8; 4]> = window.read_before_end(4096)?;
    let is_one = magic.is_some_and(|magic| matches!(magic, [0xde, 0x11, 0xde, 0x11] | [0x11, 0xde, 0x11, 0xde]));
    Ok(is_one.then(|| Unlisted::new("ddf_raid_member", ContentKind::Md)))
}

/// What FreeBSD's GEOM keeps in the last sector: `GEOM::MIRROR`, `GEOM::STRIPE`, `GEOM::RAID3`, `GEOM::ELI` … up to a NUL, 16 bytes.
///
/// A label alone makes nothing of a drive. Of what is encrypted nobody knows here whether a pool is in it.
/// Source: FreeBSD, `sys/geom/*/g_*.h` (`G_MIRROR_MAGIC` …).
fn geom(window: Window<'_>, sector: u64) -> io::Result<Option<Unlisted>> {
    let Some(magic) = window
        .read_before_end::<16>(sector)?
        .filter(|magic| magic.starts_with(b"GEOM::"))
    else {
        return Ok(None);
    };
    let name = magic.split(|byte| *byte == 0).next().unwrap_or_default();
    let name = String::from_utf8_lossy(name).into_owned();
    let member = (name != "GEOM::LABEL").then_some(ContentKind::Pool);
    Ok(Some(Unlisted::new(name, member)))
}

/// The log of a JFS that stands on another drive, at 4096 bytes: its magic, 87654321h in little-endian bytes, and its version, 1.
///
/// Source: Linux, `fs/jfs/jfs_logmgr.h`, `LOGMAGIC`, `LOGVERSION`; `jfs_superblock.h`, `LOGSUPER_B`.
fn jfs_journal(window: Window<'_>) -> io::Result<Option<Unlisted>> {
    let head = window.read::<8>(4096)?;
    let is_one = head == Some([0x21, 0x43, 0x65, 0x87, 1, 0, 0, 0]);
    Ok(is_one.then(|| Unlisted::new("jfs_external_log", ContentKind::Journal)))
}

/// A ZFS label without the uberblocks by which libblkid knows one: of a spare, a cache, or where they are destroyed.
///
/// ```text
///  0, 256 KiB, and 512 and 256 KiB before the end    labels; the end counts in whole 256 KiB
///    +16 KiB                                         list of names and values: coding (0 native, 1 XDR), byte order, two zeros …
/// ```
///
/// Source: OpenZFS, `vdev_label_t` in `sys/vdev_impl.h`, `nvs_header_t` in `nvpair.c`; each label has `version` and `guid`, by
/// `vdev_label_init`, within the first 4 KiB.
fn zfs(window: Window<'_>) -> io::Result<Option<Unlisted>> {
    const LABEL: u64 = 256 << 10;
    let end = window.size - window.size % LABEL;
    let labels = [Some(0), Some(LABEL), end.checked_sub(2 * LABEL), end.checked_sub(LABEL)];
    for at in labels.into_iter().flatten() {
        let Some(list) = window.read::<4096>(at + (16 << 10))? else {
            continue;
        };
        let has = |name: &[u8]| list.windows(name.len()).any(|part| part == name);
        if matches!(list, [0 | 1, 0 | 1, 0, 0, ..]) && has(b"version") && has(b"guid") {
            return Ok(Some(Unlisted::new("zfs_member", ContentKind::Zfs)));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::os::unix::fs::FileExt;

    use super::*;
    use crate::content::look;

    const SIZE: u64 = 64 << 20;

    /// What a look at a drive tells on which these bytes stand, and what it is called.
    fn seen(sector: u32, puts: &[(u64, &[u8])]) -> (Vec<ContentKind>, String) {
        let file = tempfile::tempfile().unwrap();
        file.set_len(SIZE).unwrap();
        for (at, bytes) in puts {
            file.write_all_at(bytes, *at).unwrap();
        }
        let seen = look(&file, SIZE, sector).unwrap();
        let members = seen.members.iter().map(|member| member.kind).collect();
        (members, seen.content.words())
    }

    #[test]
    fn a_bcachefs_of_several_devices_is_a_member_and_one_alone_is_told() {
        let new = b"\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef";
        let old = b"\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81";
        for magic in [new, old] {
            let of = |devices| seen(512, &[(4096 + 24, magic), (4096 + 123, &[devices])]);
            assert_eq!(of(2), (vec![ContentKind::Bcachefs], "bcachefs".to_owned()));
            assert_eq!(of(1), (vec![], "bcachefs".to_owned()));
        }
    }

    #[test]
    fn a_firmware_raid_is_seen_in_sectors_of_either_size() {
        let isw = b"Intel Raid ISM Cfg Sig. 1.0.00".as_slice();
        for sector in [512, 4096] {
            for (at, magic, name) in [
                (2 * 512, isw, "isw_raid_member"),
                (2 * 4096, isw, "isw_raid_member"),
                (4096, b"\xde\x11\xde\x11", "ddf_raid_member"),
                (4096, b"\x11\xde\x11\xde", "ddf_raid_member"),
                (512, b"\xde\x11\xde\x11", "ddf_raid_member"),
            ] {
                let seen = seen(sector, &[(SIZE - at, magic)]);
                assert_eq!(seen, (vec![ContentKind::Md], name.to_owned()), "{sector}: {at}");
            }
        }
    }

    #[test]
    fn what_freebsd_keeps_in_the_last_sector_is_a_member_but_for_a_label() {
        for at in [512, 4096] {
            for name in [
                "GEOM::MIRROR",
                "GEOM::STRIPE",
                "GEOM::RAID3",
                "GEOM::CONCAT",
                "GEOM::JOURNAL",
                "GEOM::ELI",
            ] {
                let seen = seen(512, &[(SIZE - at, name.as_bytes())]);
                assert_eq!(seen, (vec![ContentKind::Pool], name.to_owned()), "{at}");
            }
            let label = seen(512, &[(SIZE - at, b"GEOM::LABEL")]);
            assert_eq!(label, (vec![], "GEOM::LABEL".to_owned()));
        }
    }

    #[test]
    fn the_log_of_a_jfs_elsewhere_is_a_member() {
        let log = [0x21, 0x43, 0x65, 0x87, 1, 0, 0, 0];
        let told = (vec![ContentKind::Journal], "jfs_external_log".to_owned());
        assert_eq!(seen(512, &[(4096, &log)]), told);
        assert_eq!(seen(512, &[(4096, &log[..4])]).0, []);
    }

    #[test]
    fn a_zfs_label_without_uberblocks_is_a_member_wherever_it_stands() {
        let list = b"\x01\x01\0\0\0\0\0\0\0\0\0\x01\0\0\0\x24\0\0\0\x20\0\0\0\x07version\0\0\0\0\x08\0\0\0\x01\0\0\0\0\0\0\x13\x88\0\0\0\x20\0\0\0\x20\0\0\0\x04guid";
        for label in [0, 256 << 10, SIZE - (512 << 10), SIZE - (256 << 10)] {
            let seen = seen(512, &[(label + (16 << 10), list)]);
            assert_eq!(seen, (vec![ContentKind::Zfs], "ZFS".to_owned()), "{label}");
        }
        assert_eq!(seen(512, &[(16 << 10, b"\x01\x01\0\0guid")]).0, []);
    }
}
