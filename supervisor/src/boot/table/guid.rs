//! Partition GUIDs of this medium's own, made on first boot.
//!
//! Every image has the same GUIDs, because it is reproducible; two sticks with the same image could then not be told apart
//! by the PARTUUID that GRUB names. So the first boot gives disk and partitions random ones. A medium that a power cut left
//! with a damaged primary table gets it back from the backup in the same way. What is to be done is decided in [`plan`],
//! a pure function of both tables; `rewrite` has the order of the writes, and the tests here cut it everywhere.

use std::fs::File;
use std::io::{self, Read};

use super::gpt::Gpt;
#[cfg(test)]
use super::gpt::SECTOR;
use super::rewrite::{self, Step};

/// First bytes of every GUID of a fresh image, as stored (`4b696c6e-0000-4000-8000-…`; see `image/src/gpt.rs`).
const FRESH: [u8; 15] = [0x6e, 0x6c, 0x69, 0x4b, 0, 0, 0, 0x40, 0x80, 0, 0, 0, 0, 0, 0];

/// What a medium's table needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Both copies are right and its own.
    Nothing,
    /// It still has the image's GUIDs.
    Names,
    /// The primary is damaged; the backup is whole and the medium's own.
    Mending,
}

/// Whether a stored GUID is one that every fresh image has.
fn is_fresh(guid: &[u8]) -> bool {
    guid.get(..15).is_some_and(|g| g == FRESH)
}

/// What is to be done with a table of which the copy in use is `table`.
pub fn need(table: &Gpt, primary_is_right: bool) -> Need {
    if is_fresh(table.disk_guid()) || table.partitions.iter().any(|p| is_fresh(&p.guid)) {
        Need::Names
    } else if primary_is_right {
        Need::Nothing
    } else {
        Need::Mending
    }
}

/// The writes that meet the need; `random` gives the 16 bytes of the next GUID. Names of its own are kept.
///
/// # Errors
/// There is no randomness.
pub fn plan(
    table: &Gpt,
    need: Need,
    sectors: u64,
    random: &mut dyn FnMut() -> io::Result<[u8; 16]>,
) -> io::Result<Vec<Step>> {
    let mut own = || {
        let mut g = random()?;
        // Version 4, variant 1 (RFC 9562, §5.4), where the stored order has them.
        g[7] = g[7] & 0x0f | 0x40;
        g[8] = g[8] & 0x3f | 0x80;
        Ok::<_, io::Error>(g)
    };
    let (mut header, mut entries) = (table.header().to_vec(), table.entries().to_vec());
    match need {
        Need::Nothing => return Ok(Vec::new()),
        Need::Mending => {}
        Need::Names => {
            if is_fresh(table.disk_guid()) {
                header[56..72].copy_from_slice(&own()?);
            }
            for p in table.partitions.iter().filter(|p| is_fresh(&p.guid)) {
                let at = table.place(p.number) + 16;
                entries[at..at + 16].copy_from_slice(&own()?);
            }
        }
    }
    Ok(rewrite::steps(&header, &entries, sectors))
}

/// Looks at the medium of `sectors` sectors and does what is needed; the new table, or `None` when nothing was.
///
/// # Errors
/// The table cannot be read or written; what stands on the medium is right, old or new.
pub fn settle(disk: &File, sectors: u64) -> io::Result<Option<(Need, Gpt)>> {
    let table = Gpt::read(disk, sectors)?;
    let need = need(&table, Gpt::primary(disk).is_ok());
    if need == Need::Nothing {
        return Ok(None);
    }
    // Not urandom: this is seconds after power-on, and GUIDs that repeat on the next box are what this is against.
    let source = File::open("/dev/random")?;
    let mut random = || {
        let mut g = [0; 16];
        (&source).read_exact(&mut g).map(|()| g)
    };
    rewrite::carry_out(disk, &plan(&table, need, sectors, &mut random)?)?;
    Gpt::read(disk, sectors).map(|table| Some((need, table)))
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::cast_possible_truncation,
        reason = "a failed unwrap is a failed test"
    )]
    use super::*;
    use crate::boot::table::gpt::tests::image;
    use proptest::prelude::*;
    use std::io::Write;
    use std::os::unix::fs::FileExt;

    const SECTORS: u64 = 20_480;

    /// A fresh image on a larger disk, its DATA grown, as [`settle`] finds it.
    fn medium() -> Vec<u8> {
        let f = image(SECTORS);
        let mut table = Gpt::read(&f, SECTORS).unwrap();
        // The test image has no names of its own; the product's has these.
        let mut entries = table.entries().to_vec();
        for p in &table.partitions {
            let at = table.place(p.number) + 16;
            entries[at..at + 15].copy_from_slice(&FRESH);
            entries[at + 15] = u8::try_from(p.number).unwrap();
        }
        let mut header = table.header().to_vec();
        header[56..71].copy_from_slice(&FRESH);
        rewrite::carry_out(&f, &rewrite::steps(&header, &entries, SECTORS)).unwrap();
        table = Gpt::read(&f, SECTORS).unwrap();
        table.grow_data(&f, SECTORS).unwrap().unwrap();
        let mut bytes = vec![0; usize::try_from(SECTORS * SECTOR).unwrap()];
        f.read_exact_at(&mut bytes, 0).unwrap();
        bytes
    }

    fn file(bytes: &[u8]) -> File {
        let mut f = tempfile::tempfile().unwrap();
        f.write_all(bytes).unwrap();
        f
    }

    fn counted() -> impl FnMut() -> io::Result<[u8; 16]> {
        let mut n = 0;
        move || {
            n += 1;
            Ok([n; 16])
        }
    }

    /// What GRUB sees: it looks for the magic and reads the primary entries, whatever their sum is.
    fn grub_sees(f: &File) -> Vec<[u8; 16]> {
        let mut sector = [0; 512];
        f.read_exact_at(&mut sector, SECTOR).unwrap();
        assert_eq!(&sector[..8], b"EFI PART", "GRUB finds no partitions");
        f.read_exact_at(&mut sector, 2 * SECTOR).unwrap();
        sector
            .chunks_exact(128)
            .take(3)
            .map(|e| e[16..32].try_into().unwrap())
            .collect()
    }

    #[test]
    fn the_first_settling_gives_names_and_the_second_finds_nothing_to_do() {
        let f = file(&medium());
        let old = Gpt::read(&f, SECTORS).unwrap();
        let (what, new) = settle(&f, SECTORS).unwrap().unwrap();
        assert_eq!(what, Need::Names);
        assert_eq!(settle(&f, SECTORS).unwrap().map(|(n, _)| n), None);
        let mut guids: Vec<_> = new.partitions.iter().map(|p| p.guid).collect();
        guids.push(new.disk_guid().try_into().unwrap());
        for g in &guids {
            assert!(!is_fresh(g) && g[7] >> 4 == 4 && g[8] >> 6 == 2, "{g:x?}");
        }
        guids.sort_unstable();
        guids.dedup();
        assert_eq!(guids.len(), 4, "each has a name of its own");
        let places = |t: &Gpt| {
            t.partitions
                .iter()
                .map(|p| (p.number, p.first, p.last))
                .collect::<Vec<_>>()
        };
        assert_eq!(places(&old), places(&new), "nothing but names has changed");
        // Another medium gets others.
        let other = settle(&file(&medium()), SECTORS).unwrap().unwrap().1;
        assert!(
            other
                .partitions
                .iter()
                .zip(&new.partitions)
                .all(|(a, b)| a.guid != b.guid)
        );
    }

    /// Cuts the power after `done` steps: of what was written since the last flush, `arrives` says of each sector, by step and
    /// place in it, whether it reached the medium.
    fn cut(bytes: &[u8], steps: &[Step], done: usize, arrives: impl Fn(usize, usize) -> bool) -> File {
        let f = file(bytes);
        let flushed = steps[..done]
            .iter()
            .rposition(|s| *s == Step::Flush)
            .map_or(0, |at| at + 1);
        for (at, step) in steps[..done].iter().enumerate() {
            let Step::Write { sector, bytes } = step else { continue };
            for (n, part) in bytes.chunks(512).enumerate() {
                if at < flushed || arrives(at, n) {
                    f.write_all_at(part, (sector + n as u64) * SECTOR).unwrap();
                }
            }
        }
        f
    }

    /// What must hold after every cut.
    fn assert_boots_and_heals(f: &File, before: &Gpt) {
        let seen = Gpt::read(f, SECTORS).expect("neither table is right");
        // GRUB names the boot partition as it reads it; PID 1 must find that name in the table that the kernel takes.
        let named = grub_sees(f)[1];
        assert!(
            seen.partitions.iter().any(|p| p.guid == named),
            "GRUB names a partition that the valid table does not have"
        );
        // The kernel takes the backup only from the last sector, and only when the primary is damaged.
        if Gpt::primary(f).is_err() {
            assert!(Gpt::backup(f, SECTORS).is_ok());
        }
        let places = |t: &Gpt| t.partitions.iter().map(|p| (p.first, p.last)).collect::<Vec<_>>();
        assert_eq!(places(&seen), places(before));
        settle(f, SECTORS).unwrap();
        assert!(settle(f, SECTORS).unwrap().is_none(), "the next boot does not heal it");
        let (a, b) = (Gpt::primary(f).unwrap(), Gpt::backup(f, SECTORS).unwrap());
        assert_eq!((a.disk_guid(), &a.partitions), (b.disk_guid(), &b.partitions));
        assert!(!a.partitions.iter().any(|p| is_fresh(&p.guid)));
    }

    #[test]
    fn a_cut_at_each_write_leaves_a_table_that_boots_and_heals() {
        let bytes = medium();
        let before = Gpt::read(&file(&bytes), SECTORS).unwrap();
        let steps = plan(&before, Need::Names, SECTORS, &mut counted()).unwrap();
        assert_eq!(steps.iter().filter(|s| **s == Step::Flush).count(), 3);
        for done in 0..=steps.len() {
            for kind in 0..4 {
                let arrives =
                    |step: usize, sector: usize| [true, false, step.is_multiple_of(2), sector.is_multiple_of(2)][kind];
                assert_boots_and_heals(&cut(&bytes, &steps, done, arrives), &before);
            }
        }
    }

    /// The test above is able to fail.
    #[test]
    fn without_the_flush_between_backup_and_primary_a_cut_would_leave_no_table() {
        let bytes = medium();
        let before = Gpt::read(&file(&bytes), SECTORS).unwrap();
        let mut steps = plan(&before, Need::Names, SECTORS, &mut counted()).unwrap();
        assert_eq!(steps.remove(2), Step::Flush);
        // Both entries arrived and the backup's header did not.
        let f = cut(&bytes, &steps, 3, |step, _| step != 1);
        assert!(Gpt::read(&f, SECTORS).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if std::env::var_os("KILN_LONG").is_some() { 4_000 } else { 60 }))]
        #[test]
        fn any_cut_with_any_lost_sectors_boots_and_heals(done in 0_usize..=7, lost: u64) {
            let bytes = medium();
            let before = Gpt::read(&file(&bytes), SECTORS).unwrap();
            let steps = plan(&before, Need::Names, SECTORS, &mut counted()).unwrap();
            let arrives = |step: usize, sector: usize| lost.rotate_right((step * 33 + sector) as u32) & 1 == 1;
            assert_boots_and_heals(&cut(&bytes, &steps, done, arrives), &before);
        }
    }

    /// Another reader than ours agrees that the result is right.
    #[test]
    fn sgdisk_finds_nothing_to_say() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("disk");
        std::fs::write(&path, medium()).unwrap();
        let f = File::options().read(true).write(true).open(&path).unwrap();
        settle(&f, SECTORS).unwrap().unwrap();
        // The test image has no protective MBR; sgdisk wants one.
        let mut mbr = [0; 512];
        mbr[446..462].copy_from_slice(&[0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0xff, 0x4f, 0, 0]);
        mbr[510..].copy_from_slice(&[0x55, 0xaa]);
        f.write_all_at(&mbr, 0).unwrap();
        let run = std::process::Command::new("sgdisk")
            .arg("-v")
            .arg(&path)
            .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
            .output();
        let Ok(out) = run else {
            return rig::not_run("sgdisk -v over the renamed table: sgdisk is not installed");
        };
        let text = String::from_utf8_lossy(&out.stdout);
        assert!(out.status.success() && text.contains("No problems found"), "{text}");
    }
}
