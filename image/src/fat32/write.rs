//! Writing a FAT32 file system into (a part of) a file.

use super::{CLUSTER, DIRECTORY, END, ENTRY, Geometry, SECTOR};
use crate::error::{At, Error, Result};
use bundle::fat::{entry, name::Name};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{Seek, SeekFrom, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

/// Serial number of the file system.
const SERIAL: u32 = 0x4b49_4c4e;

/// Where a file's content comes from.
#[derive(Debug, Clone)]
pub enum Source {
    /// Bytes in memory.
    Bytes(Vec<u8>),
    /// A file of the build machine.
    File(PathBuf),
}

impl Source {
    /// Its length in bytes.
    ///
    /// # Errors
    /// When the file cannot be examined.
    pub fn len(&self) -> Result<u64> {
        match self {
            Self::Bytes(b) => Ok(b.len() as u64),
            Self::File(p) => Ok(p.metadata().at("examining", p)?.len()),
        }
    }

    /// Whether it is empty.
    ///
    /// # Errors
    /// As [`Source::len`].
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }
}

#[derive(Default)]
struct Dir {
    dirs: BTreeMap<String, Dir>,
    files: BTreeMap<String, Source>,
}

struct Writer<'a> {
    out: &'a mut File,
    path: &'a Path,
    base: u64,
    geometry: Geometry,
    next: u32,
    /// The chain value of each used cluster from 2 on.
    chain: Vec<u32>,
}

/// Writes a file system of `sectors` sectors at sector `first` of `out`, which must read as zeros there.
///
/// # Errors
/// A bad name, files that do not fit, or I/O errors.
pub fn write(
    out: &mut File,
    path: &Path,
    first: u64,
    sectors: u64,
    label: &str,
    files: &BTreeMap<String, Source>,
) -> Result<()> {
    let wrong = |what: String| Error::Image {
        file: path.to_owned(),
        what: format!("boot partition: {what}"),
    };
    let geometry = Geometry::new(sectors).ok_or_else(|| {
        wrong(format!(
            "{sectors} sectors cannot be FAT32 with 4 KiB clusters; expected at least 530000"
        ))
    })?;
    let hidden =
        u32::try_from(first).map_err(|_| wrong(format!("it begins at sector {first}; expected one below 2^32")))?;
    let mut root = Dir::default();
    for (name, source) in files {
        let mut at = &mut root;
        let mut parts: Vec<&str> = name.split('/').collect();
        let leaf = parts.pop().unwrap_or_default();
        for p in parts {
            at = at.dirs.entry(p.to_owned()).or_default();
        }
        at.files.insert(leaf.to_owned(), source.clone());
    }
    let mut w = Writer {
        out,
        path,
        base: first * SECTOR,
        geometry,
        next: 2,
        chain: Vec::new(),
    };
    let mut head = Vec::new();
    head.extend(entry(&padded_label(label), 0x08, 0, 0, 0));
    w.directory(&root, None, head).map_err(|e| match e {
        Fail::Name(n) => wrong(n),
        Fail::Other(e) => e,
    })?;
    w.tables(hidden, label)
}

enum Fail {
    Name(String),
    Other(Error),
}

impl From<Error> for Fail {
    fn from(e: Error) -> Self {
        Self::Other(e)
    }
}

impl Writer<'_> {
    /// Takes `bytes` of contiguous clusters; 0 for an empty file.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "no more clusters than there are, and those have 28-bit numbers"
    )]
    fn allocate(&mut self, bytes: u64) -> Result<u32> {
        let n = bytes.div_ceil(CLUSTER);
        if n == 0 {
            return Ok(0);
        }
        let first = self.next;
        if u64::from(first) - 2 + n > self.geometry.clusters {
            return Err(Error::Image {
                file: self.path.to_owned(),
                what: format!(
                    "the boot partition is full: it holds {} MiB and its files need more",
                    (self.geometry.clusters * CLUSTER) >> 20
                ),
            });
        }
        let n = n as u32;
        self.chain.extend((first + 1)..(first + n));
        self.chain.push(END);
        self.next += n;
        Ok(first)
    }

    /// Writes a directory and what is below it; returns its first cluster.
    fn directory(&mut self, dir: &Dir, parent: Option<u32>, mut head: Vec<u8>) -> Result<u32, Fail> {
        let mut taken = Vec::new();
        let mut names = Vec::new();
        for (name, is_dir) in dir
            .dirs
            .keys()
            .map(|n| (n, true))
            .chain(dir.files.keys().map(|n| (n, false)))
        {
            let n = Name::new(name, &taken).map_err(Fail::Name)?;
            taken.push(n.short);
            names.push((name, is_dir, n));
        }
        let dots = if parent.is_some() { 2 } else { 0 };
        let entries: usize = names.iter().map(|(_, _, n)| 1 + n.long.len()).sum();
        let here = self.allocate(((entries + dots) * ENTRY + head.len()).max(1) as u64)?;
        if let Some(p) = parent {
            // The root is written as cluster 0 in "..", by the specification.
            head.extend(entry(b".          ", DIRECTORY, 0, here, 0));
            head.extend(entry(b"..         ", DIRECTORY, 0, if p == 2 { 0 } else { p }, 0));
        }
        for (name, is_dir, n) in names {
            let (attribute, cluster, size) = if is_dir {
                (DIRECTORY, self.directory(&dir.dirs[name], Some(here), Vec::new())?, 0)
            } else {
                let (cluster, size) = self.file(name, &dir.files[name])?;
                (0x20, cluster, size)
            };
            n.long.iter().for_each(|e| head.extend(e));
            head.extend(entry(&n.short, attribute, n.case, cluster, size));
        }
        self.put(self.geometry.offset(here), &head)?;
        Ok(here)
    }

    fn file(&mut self, name: &str, source: &Source) -> Result<(u32, u32), Fail> {
        let len = source.len()?;
        let size = u32::try_from(len).map_err(|_| Fail::Name(format!("{name:?} is larger than 4 GiB")))?;
        let first = self.allocate(len)?;
        if first == 0 {
            return Ok((0, 0));
        }
        let offset = self.geometry.offset(first);
        match source {
            Source::Bytes(b) => self.put(offset, b)?,
            Source::File(p) => {
                let mut from = File::open(p).at("opening", p)?;
                let at = self.base + offset;
                self.out.seek(SeekFrom::Start(at)).at("writing", self.path)?;
                let copied = std::io::copy(&mut from, self.out).at("writing", self.path)?;
                if copied != len {
                    return Err(Fail::Name(format!("{} changed while it was copied", p.display())));
                }
            }
        }
        Ok((first, size))
    }

    fn put(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.out
            .write_all_at(bytes, self.base + offset)
            .at("writing", self.path)
    }

    /// `hidden`: sectors of the medium before the file system.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "`Geometry::new` makes none that does not fit its fields"
    )]
    fn tables(&mut self, hidden: u32, label: &str) -> Result<()> {
        let g = self.geometry;
        let mut boot = [0u8; 512];
        boot[..3].copy_from_slice(&[0xeb, 0x58, 0x90]);
        boot[3..11].copy_from_slice(b"KILN    ");
        let mut put = |at: usize, bytes: &[u8]| boot[at..at + bytes.len()].copy_from_slice(bytes);
        put(11, &512u16.to_le_bytes());
        put(13, &[super::CLUSTER_SECTORS as u8]);
        put(14, &(g.reserved as u16).to_le_bytes());
        put(16, &[2]);
        put(21, &[0xf8]);
        put(24, &63u16.to_le_bytes());
        put(26, &255u16.to_le_bytes());
        put(28, &hidden.to_le_bytes());
        put(32, &(g.sectors as u32).to_le_bytes());
        put(36, &(g.fat as u32).to_le_bytes());
        put(44, &2u32.to_le_bytes());
        put(48, &1u16.to_le_bytes());
        put(50, &6u16.to_le_bytes());
        put(64, &[0x80, 0, 0x29]);
        put(67, &SERIAL.to_le_bytes());
        put(71, &padded_label(label));
        put(82, b"FAT32   ");
        put(510, &[0x55, 0xaa]);
        let mut info = [0u8; 512];
        info[..4].copy_from_slice(b"RRaA");
        info[484..488].copy_from_slice(b"rrAa");
        info[488..492].copy_from_slice(&(g.clusters as u32 - (self.next - 2)).to_le_bytes());
        info[492..496].copy_from_slice(&self.next.to_le_bytes());
        info[510..].copy_from_slice(&[0x55, 0xaa]);
        for at in [0, 6] {
            self.put(at * SECTOR, &boot)?;
            self.put((at + 1) * SECTOR, &info)?;
        }
        let mut fat = Vec::with_capacity(8 + self.chain.len() * 4);
        for value in [0x0fff_fff8, END].iter().chain(&self.chain) {
            fat.extend(value.to_le_bytes());
        }
        for copy in 0..2 {
            self.put((g.reserved + copy * g.fat) * SECTOR, &fat)?;
        }
        self.out.flush().at("writing", self.path)
    }
}

fn padded_label(label: &str) -> [u8; 11] {
    let mut l = [b' '; 11];
    for (to, from) in l.iter_mut().zip(label.bytes()) {
        *to = from;
    }
    l
}
