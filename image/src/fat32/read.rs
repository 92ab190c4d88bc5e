//! Reading a FAT32 file system back: for `inspect`, `verify` and the tests of the writer.

use super::{CLUSTER, Geometry, SECTOR};
use bundle::fat::named;
use std::{collections::HashSet, fs::File, os::unix::fs::FileExt};

/// A file or directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Path from the root, without a leading slash.
    pub path: String,
    /// Whether it is a directory.
    pub is_dir: bool,
    /// First cluster; 0 when empty.
    pub cluster: u32,
    /// Size in bytes.
    pub size: u32,
}

/// A file system in a part of a file.
#[derive(Debug)]
pub struct Reader<'a> {
    file: &'a File,
    base: u64,
    geometry: Geometry,
    fat: Vec<u32>,
}

/// Deepest nesting that is followed: a damaged directory may contain itself.
const DEEPEST: usize = 16;

impl<'a> Reader<'a> {
    /// Opens the file system at sector `first`, checking boot sector and that both FATs agree.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn open(file: &'a File, first: u64) -> Result<Self, String> {
        let base = first * SECTOR;
        let mut boot = [0u8; 512];
        file.read_exact_at(&mut boot, base)
            .map_err(|e| format!("reading the boot sector: {e}"))?;
        let u16_at = |at: usize| u64::from(u16::from_le_bytes([boot[at], boot[at + 1]]));
        let u32_at = |at: usize| u64::from(u32::from_le_bytes([boot[at], boot[at + 1], boot[at + 2], boot[at + 3]]));
        if boot[510..] != [0x55, 0xaa] || &boot[82..90] != b"FAT32   " || u16_at(11) != SECTOR {
            return Err("the boot sector is not FAT32's".into());
        }
        let geometry = Geometry::new(u32_at(32)).ok_or("its size is not FAT32's")?;
        if (u16_at(14), u32_at(36), u64::from(boot[13])) != (geometry.reserved, geometry.fat, super::CLUSTER_SECTORS) {
            return Err("its boot sector describes another layout than ours".into());
        }
        let size = usize::try_from(geometry.fat * SECTOR).map_err(|_| "its size is not FAT32's")?;
        let mut fats = [vec![0u8; size], vec![0u8; size]];
        for (i, f) in fats.iter_mut().enumerate() {
            file.read_exact_at(f, base + (geometry.reserved + i as u64 * geometry.fat) * SECTOR)
                .map_err(|e| format!("reading FAT {i}: {e}"))?;
        }
        if fats[0] != fats[1] {
            return Err("its two allocation tables differ".into());
        }
        let fat = fats[0]
            .chunks_exact(4)
            .map(|c| u32::from_le_bytes([c[0], c[1], c[2], c[3]]) & 0x0fff_ffff)
            .collect();
        Ok(Self {
            file,
            base,
            geometry,
            fat,
        })
    }

    /// Layout of the file system.
    #[must_use]
    pub fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// Sector from the file system's start at which a file begins; an empty one has none.
    #[must_use]
    pub fn sector(&self, entry: &Entry) -> Option<u64> {
        (entry.cluster >= 2).then(|| self.geometry.offset(entry.cluster) / SECTOR)
    }

    fn clusters(&self, first: u32) -> Result<Vec<u32>, String> {
        let (mut at, mut chain) = (first, Vec::new());
        let mut seen = HashSet::new();
        while at != 0 && at < 0x0fff_fff8 {
            if at < 2 || u64::from(at) - 2 >= self.geometry.clusters || !seen.insert(at) {
                return Err(format!("the chain from cluster {first} is broken at {at}"));
            }
            chain.push(at);
            at = self.fat[at as usize];
        }
        Ok(chain)
    }

    /// Whether a file's clusters follow each other.
    ///
    /// # Errors
    /// A broken chain.
    pub fn contiguous(&self, entry: &Entry) -> Result<bool, String> {
        Ok(self.clusters(entry.cluster)?.windows(2).all(|w| w[0] + 1 == w[1]))
    }

    #[expect(clippy::cast_possible_truncation, reason = "a cluster is 4 KiB")]
    fn bytes(&self, first: u32) -> Result<Vec<u8>, String> {
        let mut all = Vec::new();
        for c in self.clusters(first)? {
            let mut b = vec![0; CLUSTER as usize];
            self.file
                .read_exact_at(&mut b, self.base + self.geometry.offset(c))
                .map_err(|e| format!("reading cluster {c}: {e}"))?;
            all.extend(b);
        }
        Ok(all)
    }

    /// A file's content.
    ///
    /// # Errors
    /// A broken chain, or a file longer than its chain.
    pub fn read(&self, entry: &Entry) -> Result<Vec<u8>, String> {
        let mut b = self.bytes(entry.cluster)?;
        if b.len() < entry.size as usize {
            return Err(format!("{}: its chain is shorter than its size", entry.path));
        }
        b.truncate(entry.size as usize);
        Ok(b)
    }

    /// All files and directories, in directory order.
    ///
    /// # Errors
    /// A broken chain, a long name whose checksum is wrong, or two names of a directory that are one to who goes by no case.
    pub fn walk(&self) -> Result<Vec<Entry>, String> {
        let mut all = Vec::new();
        self.walk_into(2, "", 0, &mut all)?;
        Ok(all)
    }

    fn walk_into(&self, cluster: u32, prefix: &str, depth: usize, all: &mut Vec<Entry>) -> Result<(), String> {
        if depth > DEEPEST {
            return Err(format!("{prefix}: directories nest deeper than {DEEPEST}"));
        }
        let mut names = HashSet::new();
        for n in named(&self.bytes(cluster)?) {
            if n.is_stale {
                return Err(format!("{prefix}: a long name does not belong to its short one"));
            }
            // Firmware and GRUB take the first of them, whatever its case.
            if !names.insert(n.name.to_lowercase()) {
                return Err(format!(
                    "/{prefix}{}: two entries have this name in upper or lower case",
                    n.name
                ));
            }
            let entry = Entry {
                path: format!("{prefix}{}", n.name),
                is_dir: n.is_dir,
                cluster: n.first,
                size: n.size,
            };
            all.push(entry.clone());
            if entry.is_dir {
                self.walk_into(entry.cluster, &format!("{}/", entry.path), depth + 1, all)?;
            }
        }
        Ok(())
    }
}
