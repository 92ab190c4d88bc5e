//! How a slot's files are replaced so that a power cut at any write, with any unflushed sectors lost, does no harm.
//!
//! 1. `clear`: the slot's folder becomes empty, in one write; flush. From here on nothing refers to its old files, so their
//!    clusters may be used, and GRUB sees a slot that is not there.
//! 2. `allocate`: both tables get chains for the new files, each in one piece, and lose every chain that no folder refers
//!    to (what an earlier cut has left); flush. Table sectors that arrive or not change only clusters that nobody uses.
//! 3. The caller writes the files into their [`Place`]s, flushes, reads them back and compares.
//! 4. `publish`: the folder's entries; flush. The slot is whole now, and still not the preferred one.
//!
//! The caller has marked the slot bad in the environment block before 1 and switches to it after 4, each one sector.
//! A plan is made from the medium alone: after a cut the same bundle gets the same places, so what lies there is found again
//! by its hashes. A damaged file outside of the slot keeps every cluster that it leads to; where a folder there is damaged,
//! nobody knows what else is in use, and nothing is planned. `supervisor/src/update/played/cuts.rs` cuts it everywhere.

use std::collections::BTreeSet;

use super::name::Name;
use super::{BAD, CLUSTER, CLUSTER_LEN, DIRECTORY, END, ENTRY, Entry, Geometry, SECTOR, SECTOR_LEN, Volume, entry};

/// One act on the partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Writes whole sectors.
    Write {
        /// Byte offset of the partition, a multiple of [`SECTOR`].
        offset: u64,
        /// A multiple of [`SECTOR`] bytes.
        bytes: Vec<u8>,
    },
    /// Makes everything before it last.
    Flush,
}

/// Where a file's bytes go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its name.
    pub name: String,
    /// Byte offset of the partition, a multiple of [`CLUSTER`].
    pub offset: u64,
    /// Bytes; there is room up to the next multiple of [`CLUSTER`].
    pub size: u64,
}

/// How a slot is replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Empties the slot's folder.
    pub clear: Vec<Step>,
    /// Makes room.
    pub allocate: Vec<Step>,
    /// Where the files go.
    pub places: Vec<Place>,
    /// Makes them the slot's.
    pub publish: Vec<Step>,
}

/// Plans the replacement of `slot`'s files by these (name and bytes).
///
/// # Errors
/// The slot's folder is no folder, a folder outside of it is damaged, or there is no room in one piece.
pub fn plan(volume: &Volume, slot: &str, files: &[(&str, u64)]) -> Result<Plan, String> {
    let g = volume.geometry();
    let folder = volume.find(slot);
    if folder.is_some_and(|f| !f.is_dir || f.chain.is_empty()) {
        return Err(format!("/{slot} of the boot partition is a file; expected a folder"));
    }
    let mut others = volume.entries().iter().filter(|e| is_kept(e, slot));
    if let Some((e, what)) = others.find_map(|e| Some((e, e.damage.as_ref().filter(|_| e.is_dir)?))) {
        let ending = if e.is_of_system() {
            "it holds a system of the box, so leave it as it is, save a backup and write the image to another stick"
        } else {
            "repair the partition at another computer, or remove the folder there"
        };
        return Err(format!(
            "the folder /{} of the boot partition is damaged ({what}), so nobody knows which files it has; {ending}",
            e.path
        ));
    }
    let mut table = Table::without(volume, slot);
    let (at, root) = match folder {
        Some(f) => (f.chain[0], Vec::new()),
        None => new_folder(volume, slot, &mut table)?,
    };
    table.set(at, END);
    let mut entries = entry(b".          ", DIRECTORY, 0, at, 0).to_vec();
    entries.extend(entry(b"..         ", DIRECTORY, 0, 0, 0));
    let empty = cluster(&entries)?;
    let (mut places, mut taken) = (Vec::new(), Vec::new());
    for (name, size) in files {
        let first = table.take(*size, name)?;
        let n = Name::new(name, &taken)?;
        taken.push(n.short);
        n.long.iter().for_each(|e| entries.extend(e));
        let bytes = u32::try_from(*size).map_err(|_| format!("{name} is larger than 4 GiB"))?;
        entries.extend(entry(&n.short, 0x20, n.case, first, bytes));
        places.push(Place {
            name: (*name).to_owned(),
            offset: g.offset(first),
            size: *size,
        });
    }
    let write = |offset, bytes| Step::Write { offset, bytes };
    let mut publish = vec![write(g.offset(at), cluster(&entries)?), Step::Flush];
    publish.extend(root);
    Ok(Plan {
        clear: vec![write(g.offset(at), empty), Step::Flush],
        allocate: table.steps(volume),
        places,
        publish,
    })
}

/// Room for the slot's folder, and the steps that put it into the root.
fn new_folder(volume: &Volume, slot: &str, table: &mut Table) -> Result<(u32, Vec<Step>), String> {
    let at = table.take(CLUSTER, slot)?;
    let name = Name::new(slot, &[])?;
    let place = volume
        .root_bytes
        .chunks_exact(ENTRY)
        .position(|e| matches!(e[0], 0 | 0xe5))
        .filter(|_| name.long.is_empty())
        .ok_or("the boot partition's root folder is full")?;
    let mut root = volume.root_bytes.clone();
    root[place * ENTRY..][..ENTRY].copy_from_slice(&entry(&name.short, DIRECTORY, name.case, at, 0));
    let sector = place * ENTRY / SECTOR_LEN;
    let (n, inside) = (place * ENTRY / CLUSTER_LEN, sector as u64 % super::CLUSTER_SECTORS);
    let bytes = root[sector * SECTOR_LEN..][..SECTOR_LEN].to_vec();
    let offset = volume.geometry().offset(volume.root()[n]) + inside * SECTOR;
    Ok((at, vec![Step::Write { offset, bytes }, Step::Flush]))
}

/// A folder's only cluster.
fn cluster(entries: &[u8]) -> Result<Vec<u8>, String> {
    let mut bytes = entries.to_vec();
    if bytes.len() > CLUSTER_LEN {
        return Err("the slot has more files than its folder has room for".into());
    }
    bytes.resize(CLUSTER_LEN, 0);
    Ok(bytes)
}

/// Whether something stays: all but the slot's folder and what is in it.
fn is_kept(e: &Entry, slot: &str) -> bool {
    !e.is_within(slot)
}

/// The table to be.
struct Table {
    geometry: Geometry,
    /// By cluster; 0 is free.
    next: Vec<u32>,
}

impl Table {
    /// What everything but the slot's files uses.
    fn without(volume: &Volume, slot: &str) -> Self {
        let geometry = volume.geometry();
        let others = volume.entries().iter().filter(|e| is_kept(e, slot));
        let firsts = others.filter_map(|e| e.chain.first());
        // By the table, to its end or to what is known already: a damaged file may lead into the slot's.
        let mut used = BTreeSet::new();
        for first in volume.root().first().into_iter().chain(firsts) {
            let mut at = *first;
            while volume.is_cluster(at) && used.insert(at) {
                at = volume.next(at);
            }
        }
        let folder = volume.find(slot).and_then(|f| f.chain.first().copied());
        used.extend(folder);
        let mut next: Vec<u32> = (0..u32::MAX)
            .take_while(|c| u64::from(*c) < geometry.clusters + 2)
            .map(|c| match volume.next(c) {
                // A folder names it, so it is not free, whatever the table says.
                0 if used.contains(&c) => END,
                value if c < 2 || used.contains(&c) || value == BAD => value,
                _ => 0,
            })
            .collect();
        if let Some(f) = folder {
            next[f as usize] = END;
        }
        Self { geometry, next }
    }

    fn set(&mut self, cluster: u32, value: u32) {
        if let Some(v) = self.next.get_mut(cluster as usize) {
            *v = value;
        }
    }

    /// Takes clusters for `bytes` bytes in one piece, the first that is long enough.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "fewer clusters than sectors, and those fit 32 bits"
    )]
    fn take(&mut self, bytes: u64, name: &str) -> Result<u32, String> {
        let want = usize::try_from(bytes.div_ceil(CLUSTER).max(1)).unwrap_or(usize::MAX);
        let mut run = 0;
        for at in 2..self.next.len() {
            run = if self.next[at] == 0 { run + 1 } else { 0 };
            if run == want {
                let first = at + 1 - want;
                for c in first..at {
                    self.next[c] = c as u32 + 1;
                }
                self.next[at] = END;
                return Ok(first as u32);
            }
        }
        Err(format!(
            "the boot partition has no room for {name} ({} MiB in one piece): remove what you have put there",
            bytes.div_ceil(1 << 20)
        ))
    }

    /// The sectors of both tables, and of the notes on free room, that differ from what is there.
    fn steps(&self, volume: &Volume) -> Vec<Step> {
        let g = self.geometry;
        let mut steps = Vec::new();
        for (n, old) in volume.tables.iter().enumerate() {
            let mut new = old.clone();
            for (value, bytes) in self.next.iter().zip(new.chunks_exact_mut(4)) {
                // The upper four bits belong to nobody and are kept.
                let high = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) & 0xf000_0000;
                bytes.copy_from_slice(&(value & 0x0fff_ffff | high).to_le_bytes());
            }
            let base = (g.reserved + n as u64 * g.fat) * SECTOR;
            let sectors = new.chunks_exact(SECTOR_LEN).zip(old.chunks_exact(SECTOR_LEN));
            let changed: Vec<usize> = sectors
                .enumerate()
                .filter(|(_, (a, b))| a != b)
                .map(|(s, _)| s)
                .collect();
            for run in changed.chunk_by(|a, b| a + 1 == *b) {
                let (first, last) = (run[0], run[run.len() - 1]);
                steps.push(Step::Write {
                    offset: base + first as u64 * SECTOR,
                    bytes: new[first * SECTOR_LEN..(last + 1) * SECTOR_LEN].to_vec(),
                });
            }
        }
        let free: u32 = self.next.iter().skip(2).map(|v| u32::from(*v == 0)).sum();
        let mut info = [0u8; 512];
        info[..4].copy_from_slice(b"RRaA");
        info[484..488].copy_from_slice(b"rrAa");
        info[488..492].copy_from_slice(&free.to_le_bytes());
        info[492..496].copy_from_slice(&2u32.to_le_bytes());
        info[510..].copy_from_slice(&[0x55, 0xaa]);
        for at in [1, 7] {
            steps.push(Step::Write {
                offset: at * SECTOR,
                bytes: info.to_vec(),
            });
        }
        steps.push(Step::Flush);
        steps
    }
}
