//! Where on a drive something may stand for itself: the entries of its partition table, in the sectors that the drive tells now or
//! those that another dock told, and what the kernel took for partitions.
//!
//! libblkid reads a table only in one size of sectors, takes none at all where a whole-disk file system stands before it, and a GPT that
//! does not fit the device for none. What it does not name may belong to something all the same.

use std::fs::File;
use std::io;

use crate::blkid::{Partition, Probe};

/// Whether a disk's first sector says if it has a partition table.
#[derive(Clone, Copy)]
pub(crate) enum Mbr {
    /// It does.
    Counts,
    /// It cannot be read: a GPT counts without it.
    Lost,
}

/// What a disk's logical sectors may be counted in, bytes.
const SECTORS: [u32; 2] = [512, 4096];

/// The places of one disk.
#[derive(Default)]
pub(crate) struct Places {
    /// What the table names, for people.
    pub(crate) listed: Vec<Partition>,
    /// What the kernel has besides.
    pub(crate) kernels: Vec<Partition>,
    /// What the table would name in sectors of another size. Where [`Self::listed`] has anything in it, this is chance.
    pub(crate) others: Vec<Partition>,
}

/// The places of `file`, of which the kernel has `known`.
pub(crate) fn of(file: &File, sector: u32, mbr: Mbr, known: &[Partition]) -> io::Result<Places> {
    let table = |sector| {
        let mut probe = Probe::new(file, 0, 0, sector)?;
        match mbr {
            Mbr::Counts => probe.partitions(),
            Mbr::Lost => probe.partitions_without_mbr(),
        }
    };
    let mut listed = table(sector)?;
    let mut others = Vec::new();
    for other in SECTORS.into_iter().filter(|other| *other != sector) {
        others.extend(table(other)?);
    }
    if listed.is_empty() {
        std::mem::swap(&mut listed, &mut others);
    }
    let begins = |all: &[Partition], start| all.iter().any(|partition| partition.start == start);
    let mut kernels = known.to_vec();
    kernels.retain(|partition| !begins(&listed, partition.start));
    others.retain(|partition| !begins(&listed, partition.start) && !begins(&kernels, partition.start));
    Ok(Places {
        listed,
        kernels,
        others,
    })
}
