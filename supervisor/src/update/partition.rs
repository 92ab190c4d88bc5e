//! The boot partition's bytes: read and written past the cache, and by nobody else meanwhile.
//!
//! It is opened `O_EXCL`, which fails while it is mounted and keeps it from being mounted; and `O_DIRECT`, so that what is read
//! back comes from the medium and not from memory. While it is open the kernel keeps its place, whatever card is put into the reader:
//! so nothing is written once the disk was counted anew.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bundle::fat::{Read, SECTOR};

use crate::boot::medium::found::Found;
use crate::boot::table::gpt::{Gpt, guid_text};

/// What a medium must be able to do.
pub trait Medium: Read {
    /// Writes whole sectors.
    ///
    /// # Errors
    /// The medium's.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes everything before it last.
    ///
    /// # Errors
    /// The medium's.
    fn flush(&mut self) -> io::Result<()>;
}

/// Where memory for `O_DIRECT` has to begin.
const ALIGN: usize = 4096;
/// Bytes of one request.
const PIECE: usize = 1 << 20;
/// How long another user of the partition is waited for.
const FREE_WITHIN: Duration = Duration::from_secs(20);

/// The open partition.
#[derive(Debug)]
pub struct Partition {
    file: File,
    /// The disk that it is on; a file in tests is on none.
    disk: Option<Found>,
}

impl Partition {
    /// Opens it for this process alone; a file (in tests) is opened as it is. `disk`: what it is on, from before its place was read.
    ///
    /// # Errors
    /// It is mounted, or cannot be opened.
    pub(super) fn open(node: &Path, disk: Option<Found>) -> Result<Self, String> {
        let begun = Instant::now();
        loop {
            let is_device = fs::metadata(node).is_ok_and(|m| m.file_type().is_block_device());
            let exclusive = if is_device { libc::O_EXCL } else { 0 };
            let open = |flags| OpenOptions::new().read(true).write(true).custom_flags(flags).open(node);
            // A file system without O_DIRECT (a test's) is told by EINVAL.
            let opened = match open(exclusive | libc::O_DIRECT) {
                Err(e) if e.raw_os_error() == Some(libc::EINVAL) && !is_device => open(0),
                other => other,
            };
            match opened {
                Ok(file) => return Ok(Self { file, disk }),
                Err(e) if e.raw_os_error() == Some(libc::EBUSY) && begun.elapsed() < FREE_WITHIN => {
                    std::thread::sleep(Duration::from_millis(100));
                }
                Err(e) => return Err(format!("opening the boot partition {}: {e}", node.display())),
            }
        }
    }
}

/// `len` bytes of memory at an aligned place in `memory`.
fn aligned(memory: &mut Vec<u8>, len: usize) -> &mut [u8] {
    memory.resize(len + ALIGN, 0);
    let begin = memory.as_ptr().align_offset(ALIGN).min(ALIGN);
    &mut memory[begin..begin + len]
}

impl Read for Partition {
    #[expect(clippy::cast_possible_truncation, reason = "a sector has 512 bytes")]
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let mut memory = Vec::new();
        let (mut at, mut rest) = (offset, buffer);
        while !rest.is_empty() {
            let begin = at / SECTOR * SECTOR;
            let skip = usize::try_from(at - begin).unwrap_or(0);
            let take = rest.len().min(PIECE - skip);
            let piece = aligned(&mut memory, (skip + take).next_multiple_of(SECTOR as usize));
            self.file.read_exact_at(piece, begin)?;
            let (now, later) = rest.split_at_mut(take);
            now.copy_from_slice(&piece[skip..skip + take]);
            (at, rest) = (at + take as u64, later);
        }
        Ok(())
    }
}

impl Medium for Partition {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if self.disk.as_ref().is_some_and(Found::is_recounted) {
            return Err(io::Error::other(
                "its medium was exchanged or reset meanwhile, and nothing is written to what is there now; put the boot medium back, and begin again",
            ));
        }
        let mut memory = Vec::new();
        for (n, part) in bytes.chunks(PIECE).enumerate() {
            let piece = aligned(&mut memory, part.len());
            piece.copy_from_slice(part);
            self.file.write_all_at(piece, offset + (n * PIECE) as u64)?;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.sync_all()
    }
}

/// The node of the boot partition, and the disk: the one that the medium's keeper has found; on it the partition with this GUID.
///
/// # Errors
/// The medium is not there.
pub(crate) fn find(part: &str) -> Result<(PathBuf, Found), String> {
    let number = fs::read_to_string("/run/kiln/boot-disk").map_err(|_| "the boot medium is not there".to_owned())?;
    let sys = fs::canonicalize(Path::new("/sys/dev/block").join(number.trim()))
        .map_err(|_| "the boot medium is not there any more".to_owned())?;
    let node = |sys: &Path| Path::new("/dev").join(sys.file_name().unwrap_or_default());
    let read = |name: &str| {
        fs::read_to_string(sys.join(name))
            .unwrap_or_default()
            .trim()
            .parse::<u64>()
    };
    let name = sys.file_name().unwrap_or_default().to_string_lossy().into_owned();
    // Counted before anything on it is believed.
    let found = Found::now(name, sys.clone());
    let disk = node(&sys);
    let table = File::open(&disk)
        .and_then(|f| Gpt::read(&f, read("size").unwrap_or(0)))
        .map_err(|e| format!("partition table of {}: {e}", disk.display()))?;
    let p = table
        .partitions
        .iter()
        .find(|p| guid_text(&p.guid) == part)
        .ok_or_else(|| format!("{} has no partition {part}", disk.display()))?;
    fs::read_dir(&sys)
        .into_iter()
        .flatten()
        .flatten()
        .find(|e| fs::read_to_string(e.path().join("partition")).is_ok_and(|t| t.trim() == p.number.to_string()))
        .map(|e| node(&e.path()))
        .filter(|n| fs::metadata(n).is_ok_and(|m| m.rdev() != 0))
        .map(|node| (node, found))
        .ok_or_else(|| format!("the kernel does not show partition {} of {}", p.number, disk.display()))
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::cast_possible_truncation,
        reason = "a failed unwrap is a failed test"
    )]
    use rig::{Loop, not_run};

    use super::*;
    use crate::boot::medium::found;

    #[test]
    fn bytes_come_back_from_any_place() {
        let f = tempfile::NamedTempFile::new().unwrap();
        f.as_file().set_len(4 << 20).unwrap();
        let mut p = Partition::open(f.path(), None).unwrap();
        let bytes: Vec<u8> = (0..3 * 512 * 1000_u32).map(|n| (n / 7) as u8).collect();
        p.write_at(1024, &bytes).unwrap();
        p.flush().unwrap();
        for (at, len) in [(0_usize, 10), (3, 700), (512, 512), (100_001, 1_200_000)] {
            let mut got = vec![9; len];
            p.read_at(1024 + at as u64, &mut got).unwrap();
            assert_eq!(got, bytes[at..at + len]);
        }
        assert!(p.read_at(4 << 20, &mut [0]).is_err(), "past the end");
    }

    #[test]
    fn nothing_is_written_to_the_card_that_was_put_in_the_mediums_place() {
        let dir = tempfile::tempdir().unwrap();
        let [ours, other, partition] = ["ours", "other", "partition"].map(|name| dir.path().join(name));
        for file in [&ours, &other, &partition] {
            File::create(file).unwrap().set_len(1 << 20).unwrap();
        }
        let reader = match Loop::over(&ours) {
            Ok(reader) => reader,
            Err(why) => return not_run(&why),
        };
        // Where the kernel keeps a partition open it keeps its place; a loop device that is open keeps its file, so this is one.
        let mut p = Partition::open(&partition, Some(found::tests::of(&reader))).unwrap();
        p.write_at(0, &[1; 512]).unwrap();
        reader.exchange(&other);
        let told = p.write_at(512, &[1; 512]).unwrap_err().to_string();
        assert!(told.contains("exchanged") && told.contains("begin again"), "{told}");
        assert_eq!(fs::read(&partition).unwrap()[510..514], [1, 1, 0, 0]);
    }
}
