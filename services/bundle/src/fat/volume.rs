//! A FAT32 file system as it is now: its first table and every file and folder. Damage is told, never followed.

use super::name::{PLACES, checksum};
use super::{BAD, CLUSTER, CLUSTER_SECTORS, DIRECTORY, ENDS, ENTRY, Geometry, LONG, SECTOR};

/// Where the bytes come from: fills the buffer from a byte offset of the partition.
pub trait Read {
    /// Reads exactly that much.
    ///
    /// # Errors
    /// The medium's.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<()>;
}

impl Read for [u8] {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<()> {
        let from = usize::try_from(offset).ok();
        let bytes = from.and_then(|f| self.get(f..f.checked_add(buffer.len())?));
        buffer.copy_from_slice(bytes.ok_or(std::io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// A file or folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Path from the root, without a leading slash.
    pub path: String,
    /// Whether it is a folder.
    pub is_dir: bool,
    /// Its clusters in order; none when it is empty.
    pub chain: Vec<u32>,
    /// Bytes.
    pub size: u32,
}

/// The file system.
#[derive(Debug, Clone)]
pub struct Volume {
    geometry: Geometry,
    /// Both tables as they stand.
    pub(super) tables: [Vec<u8>; 2],
    root: Vec<u32>,
    /// The root folder's bytes.
    pub(super) root_bytes: Vec<u8>,
    entries: Vec<Entry>,
    /// Clusters of all chains so far: each belongs to one file.
    chained: u64,
}

/// Deepest nesting that is followed: a damaged folder may contain itself.
const DEEPEST: usize = 16;
/// Most files and folders.
const MOST: usize = 65_536;

impl Volume {
    /// Reads boot sector, tables and folders.
    ///
    /// # Errors
    /// It is not FAT32 as we lay it out, its table and folders contradict each other, or the medium cannot be read.
    pub fn read(disk: &(impl Read + ?Sized)) -> Result<Self, String> {
        let mut boot = [0u8; 512];
        read(disk, 0, &mut boot)?;
        let u16_at = |at: usize| u64::from(u16::from_le_bytes([boot[at], boot[at + 1]]));
        let u32_at = |at: usize| u32::from_le_bytes([boot[at], boot[at + 1], boot[at + 2], boot[at + 3]]);
        if boot[510..] != [0x55, 0xaa] || u16_at(11) != SECTOR || u64::from(boot[13]) != CLUSTER_SECTORS {
            return Err("the boot partition's first sector is not FAT32's as Kiln makes it".into());
        }
        let geometry = Geometry::new(u64::from(u32_at(32))).ok_or("the boot partition's size is not FAT32's")?;
        if (u16_at(14), u64::from(u32_at(36)), boot[16]) != (geometry.reserved, geometry.fat, 2) {
            return Err("the boot partition is laid out in another way than Kiln does it".into());
        }
        let mut tables = [0, 1].map(|_| vec![0; (geometry.fat * SECTOR) as usize]);
        for (n, table) in tables.iter_mut().enumerate() {
            read(disk, (geometry.reserved + n as u64 * geometry.fat) * SECTOR, table)?;
        }
        let mut this = Self {
            geometry,
            tables,
            root: Vec::new(),
            root_bytes: Vec::new(),
            entries: Vec::new(),
            chained: 0,
        };
        this.root = this.chain(u32_at(44), "/")?;
        this.root_bytes = this.content(disk, &this.root)?;
        let root = this.root_bytes.clone();
        this.walk(disk, &root, "", 0)?;
        Ok(this)
    }

    /// Layout.
    pub fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// Clusters of the root folder.
    pub fn root(&self) -> &[u32] {
        &self.root
    }

    /// All files and folders.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The one at this path; FAT tells no case apart.
    pub fn find(&self, path: &str) -> Option<&Entry> {
        self.entries.iter().find(|e| e.path.eq_ignore_ascii_case(path))
    }

    /// A file's bytes.
    ///
    /// # Errors
    /// The medium cannot be read.
    pub fn file(&self, disk: &(impl Read + ?Sized), entry: &Entry) -> Result<Vec<u8>, String> {
        let mut bytes = self.content(disk, &entry.chain)?;
        bytes.truncate(entry.size as usize);
        Ok(bytes)
    }

    /// The table's value for a cluster.
    pub(super) fn next(&self, cluster: u32) -> u32 {
        let at = cluster as usize * 4;
        self.tables[0]
            .get(at..at + 4)
            .and_then(|b| b.first_chunk::<4>())
            .map_or(BAD, |b| u32::from_le_bytes(*b) & 0x0fff_ffff)
    }

    fn chain(&mut self, first: u32, of: &str) -> Result<Vec<u32>, String> {
        let (mut at, mut chain) = (first, Vec::new());
        while at < ENDS {
            let broken = at < 2 || u64::from(at) - 2 >= self.geometry.clusters;
            if broken || chain.len() as u64 >= self.geometry.clusters {
                return Err(format!(
                    "the boot partition is damaged: the chain of {of} is broken at cluster {at}"
                ));
            }
            chain.push(at);
            at = self.next(at);
        }
        // Else a damaged table could have every file drag the same long chain along: more than there is memory.
        self.chained += chain.len() as u64;
        if self.chained > self.geometry.clusters {
            return Err(format!(
                "the boot partition is damaged: up to {of} its files have more clusters than there are"
            ));
        }
        Ok(chain)
    }

    fn content(&self, disk: &(impl Read + ?Sized), chain: &[u32]) -> Result<Vec<u8>, String> {
        let mut all = vec![0; chain.len() * CLUSTER as usize];
        let mut done = 0;
        // Files of ours lie in one piece: one read for each run.
        for run in chain.chunk_by(|a, b| a + 1 == *b) {
            let len = run.len() * CLUSTER as usize;
            read(disk, self.geometry.offset(run[0]), &mut all[done..done + len])?;
            done += len;
        }
        Ok(all)
    }

    fn walk(&mut self, disk: &(impl Read + ?Sized), folder: &[u8], prefix: &str, depth: usize) -> Result<(), String> {
        if depth > DEEPEST || self.entries.len() > MOST {
            return Err(format!(
                "the boot partition is damaged: too many folders below {prefix}"
            ));
        }
        let mut long: Vec<u16> = Vec::new();
        let mut long_sum = 0;
        for e in folder.chunks_exact(ENTRY) {
            match (e[0], e[11]) {
                (0, _) => break,
                (0xe5, _) => long.clear(),
                (_, LONG) => {
                    if e[0] & 0x40 != 0 {
                        long.clear();
                    }
                    let part: Vec<u16> = PLACES.iter().map(|p| u16::from_le_bytes([e[*p], e[*p + 1]])).collect();
                    long.splice(0..0, part);
                    long_sum = e[13];
                }
                (_, a) if a & 0x08 != 0 => long.clear(),
                (b'.', _) => {}
                (_, attribute) => {
                    if self.entries.len() >= MOST {
                        return Err(format!(
                            "the boot partition is damaged: more than {MOST} files, below {prefix:?}"
                        ));
                    }
                    let mut short = [0u8; 11];
                    short.copy_from_slice(&e[..11]);
                    // A stale long name, left by a tool that knows only short ones, is passed over as Linux does.
                    let name = if long.is_empty() || checksum(&short) != long_sum {
                        short_name(&short, e[12])
                    } else {
                        let end = long.iter().position(|u| *u == 0).unwrap_or(long.len());
                        String::from_utf16_lossy(&long[..end])
                    };
                    long.clear();
                    let path = format!("{prefix}{name}");
                    let half = |at: usize| u32::from(u16::from_le_bytes([e[at], e[at + 1]]));
                    let first = half(20) << 16 | half(26);
                    let size = u32::from_le_bytes([e[28], e[29], e[30], e[31]]);
                    let is_dir = attribute & DIRECTORY != 0;
                    let chain = if first == 0 {
                        Vec::new()
                    } else {
                        self.chain(first, &path)?
                    };
                    if !is_dir && (chain.len() as u64 * CLUSTER) < u64::from(size) {
                        return Err(format!("the boot partition is damaged: {path} is shorter than it says"));
                    }
                    let inside = if is_dir {
                        self.content(disk, &chain)?
                    } else {
                        Vec::new()
                    };
                    self.entries.push(Entry {
                        path: path.clone(),
                        is_dir,
                        chain,
                        size,
                    });
                    if is_dir {
                        self.walk(disk, &inside, &format!("{path}/"), depth + 1)?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn read(disk: &(impl Read + ?Sized), offset: u64, buffer: &mut [u8]) -> Result<(), String> {
    disk.read_at(offset, buffer)
        .map_err(|e| format!("reading the boot partition at byte {offset}: {e}"))
}

fn short_name(short: &[u8; 11], case: u8) -> String {
    let part = |b: &[u8], lower: bool| {
        let s = String::from_utf8_lossy(b).trim_end().to_owned();
        if lower { s.to_lowercase() } else { s }
    };
    let (base, ext) = (part(&short[..8], case & 8 != 0), part(&short[8..], case & 0x10 != 0));
    if ext.is_empty() { base } else { format!("{base}.{ext}") }
}
