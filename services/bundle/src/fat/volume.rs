//! A FAT32 file system as it is now: its first table and every file and folder. Damage is told, never followed.
//!
//! Where it is one file's or folder's it stands at that [`Entry`], and the rest is read on: people save files here, and a stick that
//! is pulled, or a power cut while the debug bundle is saved, leaves one without its chain. Whoever reads says which files have
//! to be whole. What makes the whole file system unreadable (boot sector, root folder) is an error.

use super::folder::{Named, named};
use super::{BAD, CLUSTER, CLUSTER_LEN, CLUSTER_SECTORS, ENDS, ENTRY, Geometry, SECTOR};

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
    /// Its clusters in order, up to where it is damaged; none when it is empty.
    pub chain: Vec<u32>,
    /// Bytes, as its folder says.
    pub size: u32,
    /// What is wrong with it, in words: then not all of it can be read, and of a folder not every file is known.
    pub damage: Option<String>,
}

impl Entry {
    /// Whether it is this folder of the root, or something in it; FAT tells no case apart.
    pub fn is_within(&self, top: &str) -> bool {
        let first = self.path.split('/').next();
        first.is_some_and(|first| first.eq_ignore_ascii_case(top))
    }

    /// Whether it is one of the box's two systems, or a part of one: the box may be running from it.
    pub fn is_of_system(&self) -> bool {
        self.is_within("a") || self.is_within("b")
    }
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
    /// Clusters of all chains so far, by number: each belongs to one file, so no damage makes more of them than there are.
    claimed: Vec<bool>,
}

/// What ends a chain before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Broken {
    /// It leads to this, which is no cluster.
    To(u32),
    /// Another chain has this cluster.
    Into(u32),
}

impl Broken {
    fn text(self) -> String {
        match self {
            Self::To(at) => format!("its chain is broken at cluster {at}"),
            Self::Into(at) => format!("its chain runs into another one at cluster {at}"),
        }
    }
}

/// What the box is started from: of a cluster that two files have, these have it.
const FIRST: [&str; 3] = ["EFI", "a", "b"];

/// Deepest nesting that is followed.
const DEEPEST: usize = 16;
/// Most files and folders.
const MOST: usize = 65_536;
/// Most clusters of a folder: FAT lets it have 65,536 entries.
const FOLDER_MAX: usize = 65_536 * ENTRY / CLUSTER_LEN;
/// What is wrong with a folder that has more.
const LONG_FOLDER: &str = "it is longer than a folder can be";

impl Volume {
    /// Reads boot sector, tables and folders.
    ///
    /// # Errors
    /// It is not FAT32 as we lay it out, its root folder is damaged, it has too many files, or the medium cannot be read.
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
        let too_large = |_| "the boot partition is larger than this machine can hold in memory";
        let table = usize::try_from(geometry.fat * SECTOR).map_err(too_large)?;
        let clusters = usize::try_from(geometry.clusters).map_err(too_large)?;
        let mut tables = [0, 1].map(|_| vec![0; table]);
        for (n, table) in tables.iter_mut().enumerate() {
            read(disk, (geometry.reserved + n as u64 * geometry.fat) * SECTOR, table)?;
        }
        let mut this = Self {
            geometry,
            tables,
            root: Vec::new(),
            root_bytes: Vec::new(),
            entries: Vec::new(),
            claimed: vec![false; clusters + 2],
        };
        let (root, broken) = this.chain(u32_at(44));
        let long = (root.len() > FOLDER_MAX).then(|| LONG_FOLDER.to_owned());
        if let Some(what) = broken.map(Broken::text).or(long) {
            return Err(format!("the boot partition is damaged: its root folder: {what}"));
        }
        this.root = root;
        this.root_bytes = this.content(disk, &this.root)?;
        let mut all = named(&this.root_bytes);
        all.sort_by_key(|n| !FIRST.iter().any(|ours| n.name.eq_ignore_ascii_case(ours)));
        this.walk(disk, all, "", 0)?;
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

    /// Whether it can hold data.
    pub(super) fn is_cluster(&self, number: u32) -> bool {
        number >= 2 && u64::from(number) - 2 < self.geometry.clusters
    }

    /// The clusters from this one on, and what has ended them before their end. One that another chain has is the last: where
    /// it leads is known by that.
    fn chain(&mut self, first: u32) -> (Vec<u32>, Option<Broken>) {
        let (mut at, mut chain) = (first, Vec::new());
        while at < ENDS {
            if !self.is_cluster(at) {
                return (chain, Some(Broken::To(at)));
            }
            chain.push(at);
            if std::mem::replace(&mut self.claimed[at as usize], true) {
                return (chain, Some(Broken::Into(at)));
            }
            at = self.next(at);
        }
        (chain, None)
    }

    fn content(&self, disk: &(impl Read + ?Sized), chain: &[u32]) -> Result<Vec<u8>, String> {
        let mut all = vec![0; chain.len() * CLUSTER_LEN];
        let mut done = 0;
        // Files of ours lie in one piece: one read for each run.
        for run in chain.chunk_by(|a, b| a + 1 == *b) {
            let len = run.len() * CLUSTER_LEN;
            read(disk, self.geometry.offset(run[0]), &mut all[done..done + len])?;
            done += len;
        }
        Ok(all)
    }

    fn walk(&mut self, disk: &(impl Read + ?Sized), all: Vec<Named>, prefix: &str, depth: usize) -> Result<(), String> {
        for n in all {
            if self.entries.len() >= MOST {
                return Err(format!(
                    "the boot partition is damaged: more than {MOST} files, below {prefix:?}"
                ));
            }
            let path = format!("{prefix}{}", n.name);
            let (chain, broken) = match n.first {
                0 => (Vec::new(), None),
                first => self.chain(first),
            };
            // What another has is not read as this one's: a folder may contain itself.
            let own = chain.len() - usize::from(matches!(broken, Some(Broken::Into(_))));
            let mut damage = broken.map(Broken::text);
            let mut inside = Vec::new();
            if !n.is_dir {
                let short = (chain.len() as u64 * CLUSTER) < u64::from(n.size);
                damage = damage.or(short.then(|| "it is shorter than it says".into()));
            } else if depth == DEEPEST {
                damage = Some(format!("it lies in {DEEPEST} folders, and deeper is not looked"));
            } else if own > FOLDER_MAX {
                damage = Some(LONG_FOLDER.into());
            } else {
                inside = named(&self.content(disk, &chain[..own])?);
            }
            self.entries.push(Entry {
                path: path.clone(),
                is_dir: n.is_dir,
                chain,
                size: n.size,
                damage,
            });
            self.walk(disk, inside, &format!("{path}/"), depth + 1)?;
        }
        Ok(())
    }
}

fn read(disk: &(impl Read + ?Sized), offset: u64, buffer: &mut [u8]) -> Result<(), String> {
    disk.read_at(offset, buffer)
        .map_err(|e| format!("reading the boot partition at byte {offset}: {e}"))
}
