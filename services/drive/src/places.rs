//! Where on a drive something may stand for itself: the entries of its partition table, in the sectors that the drive tells now or
//! those that another dock told.
//!
//! libblkid reads a table only in one size of sectors, takes none at all where a whole-disk file system stands before it, and a GPT that
//! does not fit the device for none. What it does not name may belong to something all the same. So may what the kernel still has for
//! a partition of a table that was lost since: an array or a volume group in it is found and assembled as long as the box runs.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};

use crate::blkid::{self, Partition, Probe};
use crate::extended;
use crate::sysfs::DevNum;
use crate::system::{System, names, number};

/// Whether a disk's first sector says if it has a partition table.
#[derive(Clone, Copy)]
pub(crate) enum Mbr {
    /// It does.
    Counts,
    /// It cannot be read: a GPT counts without it.
    Lost,
}

/// What a disk's logical sectors may be counted in, bytes.
pub(crate) const SECTORS: [u32; 2] = [512, 4096];

/// The places of one disk.
#[derive(Default)]
pub(crate) struct Places {
    /// What the table names, for people.
    pub(crate) listed: Vec<Partition>,
    /// What the table would name in sectors of another size: an MBR does not tell which it counts in.
    pub(crate) others: Vec<Partition>,
    /// Whether a table was here of which not all is known: a GPT that does not fit now in either size, or an MBR's chain.
    pub(crate) is_unfit: bool,
}

/// The places of `file`, of which so many bytes are whole sectors.
pub(crate) fn of(file: &File, (size, sector): (u64, u32), mbr: Mbr) -> io::Result<Places> {
    let table = |sector| {
        let mut probe = Probe::new(file, 0, size, sector)?;
        match mbr {
            Mbr::Counts => probe.partitions(),
            Mbr::Lost => probe.partitions_without_mbr(),
        }
    };
    let mut listed = table(sector)?;
    let mut is_unfit = false;
    if let (true, Mbr::Counts) = (listed.is_empty(), mbr) {
        listed = primaries(file, sector)?;
        // Of its chain libblkid tells nothing here.
        is_unfit = listed.iter().any(|partition| partition.extended);
    }
    let mut others = Vec::new();
    for other in SECTORS.into_iter().filter(|other| *other != sector) {
        others.extend(table(other)?);
    }
    if listed.is_empty() {
        std::mem::swap(&mut listed, &mut others);
    }
    if let Some(sector) = gpt(file)? {
        let behind = Probe::new(file, 0, size, sector)?.partitions_without_mbr()?;
        match listed.is_empty() {
            // Its protective MBR is gone.
            true => listed = behind,
            // Or another MBR stands in its place, as some installers write one.
            false => others.extend(behind),
        }
    }
    // Of so many libblkid was asked for no more.
    is_unfit |= listed.len() >= blkid::PARTITIONS_MAX as usize;
    let mut tables = BTreeSet::new();
    if listed.is_empty() {
        for sector in SECTORS {
            let found = Probe::new(file, 0, size, sector)?.every()?.into_iter();
            tables.extend(found.filter_map(|mut values| values.remove("PTTYPE")));
        }
    }
    others.retain(|other| listed.iter().all(|partition| partition.start != other.start));
    Ok(Places {
        listed,
        others,
        is_unfit: is_unfit || tables.contains("PMBR") && !tables.contains("gpt"),
    })
}

/// The partitions that the kernel has of a block device, whatever its table says now; none of an image.
pub(crate) fn kernels(system: &System, file: &File) -> io::Result<Vec<Partition>> {
    let metadata = file.metadata()?;
    if !metadata.file_type().is_block_device() {
        return Ok(Vec::new());
    }
    let dir = system.path(format!("sys/dev/block/{}", DevNum::from_raw(metadata.rdev())));
    let of = |name: String| {
        let dir = dir.join(name);
        // In units of 512 bytes, whatever the device's sectors are.
        let bytes = |what: &str| number::<u64>(&dir.join(what))?.checked_mul(512);
        Some(Partition {
            number: number(&dir.join("partition"))?,
            start: bytes("start")?,
            size: bytes("size")?,
            name: None,
            kind: None,
            extended: false,
            sector: 512,
        })
    };
    Ok(names(&dir).into_iter().filter_map(of).collect())
}

/// An MBR's own four entries: libblkid names none of them where a further table in one of them (Solaris, which has the kind of Linux'
/// swap, or BSD) does not fit the device.
fn primaries(file: &File, sector: u32) -> io::Result<Vec<Partition>> {
    let mut table = [0; extended::TABLE];
    match file.read_exact_at(&mut table, 0) {
        Ok(()) => Ok(extended::primaries(&table, sector)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// In sectors of which size a GPT's header stands in the second one. The copy at the end alone is no table: it outlives what was
/// written over the beginning.
fn gpt(file: &File) -> io::Result<Option<u32>> {
    for sector in SECTORS {
        let mut magic = [0; 8];
        match file.read_exact_at(&mut magic, u64::from(sector)) {
            Ok(()) if magic == *b"EFI PART" => return Ok(Some(sector)),
            Ok(()) => {}
            // An image that is smaller.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}
