//! The drive's node and its partition's: aligned access past the cache, and the kernel's own view of the table.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;

use super::layout::Layout;
use super::mounted;

mod ioctls {
    use nix::libc::{c_int, c_void};

    // Source: linux/fs.h.
    nix::ioctl_none_bad!(blkflsbuf, nix::request_code_none!(0x12, 97));
    nix::ioctl_none_bad!(blkrrpart, nix::request_code_none!(0x12, 95));
    nix::ioctl_write_ptr_bad!(blkpg, nix::request_code_none!(0x12, 105), Blkpg);

    /// `struct blkpg_ioctl_arg`. Source: linux/blkpg.h.
    #[repr(C)]
    pub(super) struct Blkpg {
        pub op: c_int,
        pub flags: c_int,
        pub datalen: c_int,
        pub data: *mut c_void,
    }

    /// `struct blkpg_partition`.
    #[repr(C)]
    pub(super) struct Partition {
        pub start: i64,
        pub length: i64,
        pub pno: c_int,
        pub devname: [u8; 64],
        pub volname: [u8; 64],
    }

    pub(super) const ADD: c_int = 1;
    pub(super) const DEL: c_int = 2;
}

/// Buffers of direct access begin on a page.
const PAGE: usize = 4096;

/// How long the kernel may hold a drive or be slow to show a partition.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// How long a node may be behind the kernel's partition before it is taken that nobody makes any here, as in a container.
const NODE_PATIENCE: Duration = Duration::from_secs(2);

/// A buffer that direct access takes.
pub(super) struct Aligned {
    bytes: Vec<u8>,
    start: usize,
    length: usize,
}

impl Aligned {
    pub(super) fn zeroed(length: usize) -> Self {
        let bytes = vec![0; length + PAGE];
        let start = bytes.as_ptr().align_offset(PAGE).min(PAGE);
        Self { bytes, start, length }
    }

    pub(super) fn of(content: &[u8]) -> Self {
        let mut buffer = Self::zeroed(content.len());
        buffer.as_mut().copy_from_slice(content);
        buffer
    }

    pub(super) fn as_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.start + self.length]
    }

    pub(super) fn as_ref(&self) -> &[u8] {
        &self.bytes[self.start..self.start + self.length]
    }
}

/// Reads past the cache from a file opened with `O_DIRECT`.
pub(super) fn read(file: &File, at: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut buffer = Aligned::zeroed(length);
    file.read_exact_at(buffer.as_mut(), at)?;
    Ok(buffer.as_ref().to_vec())
}

/// Opens a node for reading past the cache, without claiming it.
pub(super) fn reader(node: &Path) -> io::Result<File> {
    File::options().read(true).custom_flags(libc::O_DIRECT).open(node)
}

/// Whether two descriptors are the same device.
pub(super) fn same_device(a: &File, b: &File) -> io::Result<bool> {
    Ok(a.metadata()?.rdev() == b.metadata()?.rdev())
}

/// Opens the drive of which `watch` keeps the number once more, for its table: past the cache, and held exclusively. Who mounted the new
/// partition meanwhile is not written around.
///
/// # Errors
/// When somebody still holds it or its partition after 20 s, or the name is another device's.
pub(super) fn claim(node: &Path, watch: &File) -> io::Result<File> {
    let mut options = File::options();
    options
        .read(true)
        .write(true)
        .custom_flags(libc::O_DIRECT | libc::O_EXCL);
    until_free(|| open_same(node, &options, watch))
}

/// Opens a name that must still be this device's.
fn open_same(path: &Path, options: &fs::OpenOptions, device: &File) -> io::Result<File> {
    let opened = options.open(path)?;
    if !same_device(&opened, device)? {
        return Err(io::Error::other(format!("{} is another device now", path.display())));
    }
    Ok(opened)
}

/// Opens again and again while somebody else holds the device, for as long as the patience.
fn until_free(open: impl Fn() -> io::Result<File>) -> io::Result<File> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match open() {
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(50));
            }
            opened => return opened,
        }
    }
}

/// Lets the kernel read the table, which names and types its partition; the partition it knows already, so nothing is lost where it cannot.
pub(super) fn refresh(drive: &File) {
    // SAFETY: the descriptor is open; the call takes no argument.
    let _read = unsafe { ioctls::blkrrpart(drive.as_raw_fd()) };
}

/// Takes the drive's lock, for as long as the descriptor is open: without it udev reads the table again as soon as a writer of the
/// whole drive closes, and each partition vanishes for a moment. Source: `systemd.io/BLOCK_DEVICE_LOCKING`.
///
/// Whoever holds it longer than the patience is not asked: the table is written through a descriptor that nobody else may have.
pub(super) fn lock(drive: &File) {
    let deadline = Instant::now() + PATIENCE;
    while drive.try_lock().is_err() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Drops what the kernel keeps in memory of the device.
pub(super) fn drop_cache(file: &File) -> io::Result<()> {
    // SAFETY: the descriptor is open; the call takes no argument.
    unsafe { ioctls::blkflsbuf(file.as_raw_fd()) }?;
    Ok(())
}

/// Lets the kernel forget the old table's partitions, and tells it the new one, of which nothing stands on the drive yet.
///
/// # Errors
/// When it keeps the old ones, or refuses the partition.
pub(super) fn tell_kernel(drive: &File, layout: &Layout) -> io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        // SAFETY: the descriptor is open; the call takes no argument.
        match unsafe { ioctls::blkrrpart(drive.as_raw_fd()) } {
            // EINVAL: this device's tables are not read (a loop device).
            Ok(_) | Err(Errno::EINVAL) => break,
            Err(Errno::EBUSY) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(50)),
            Err(error) => return Err(error.into()),
        }
    }
    if shown(drive, layout)?.is_some() {
        return Ok(());
    }
    // What an earlier partition 1 was is gone from the table.
    let _gone = partition_call(drive, layout, ioctls::DEL);
    partition_call(drive, layout, ioctls::ADD)
}

fn partition_call(drive: &File, layout: &Layout, op: libc::c_int) -> io::Result<()> {
    let signed = |n: u64| i64::try_from(n).map_err(io::Error::other);
    let mut partition = ioctls::Partition {
        start: signed(layout.start())?,
        length: signed(layout.size())?,
        pno: 1,
        devname: [0; 64],
        volname: [0; 64],
    };
    let argument = ioctls::Blkpg {
        op,
        flags: 0,
        datalen: libc::c_int::try_from(size_of::<ioctls::Partition>()).map_err(io::Error::other)?,
        data: (&raw mut partition).cast(),
    };
    // SAFETY: the descriptor is open; the argument and what it points to live through the call.
    unsafe { ioctls::blkpg(drive.as_raw_fd(), &raw const argument) }?;
    Ok(())
}

/// The kernel's first partition if it is the layout's: its name and number.
fn shown(drive: &File, layout: &Layout) -> io::Result<Option<(String, u64)>> {
    let number = drive.metadata()?.rdev();
    let dir = PathBuf::from(format!(
        "/sys/dev/block/{}:{}",
        libc::major(number),
        libc::minor(number)
    ));
    let whole = |path: PathBuf| {
        fs::read_to_string(path)
            .ok()
            .and_then(|text| text.trim().parse::<u64>().ok())
    };
    for entry in fs::read_dir(&dir)? {
        let entry = entry?.path();
        if whole(entry.join("partition")) != Some(1) {
            continue;
        }
        // Both count 512 bytes, whatever the drive's sector.
        let is = whole(entry.join("start")) == Some(layout.start() / 512)
            && whole(entry.join("size")) == Some(layout.size() / 512);
        let device = fs::read_to_string(entry.join("dev")).unwrap_or_default();
        let parts = device
            .trim()
            .split_once(':')
            .and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
        if let (true, Some((major, minor)), Some(name)) = (is, parts, entry.file_name()) {
            let number = libc::makedev(major, minor);
            return Ok(Some((name.to_string_lossy().into_owned(), number)));
        }
    }
    Ok(None)
}

/// The partition's node, and the partition open for reading past the cache: as long as it is, its number passes to nothing else.
#[derive(Debug)]
pub(super) struct Node {
    path: PathBuf,
    pub(super) part: File,
}

impl Node {
    /// The name that programs are given.
    ///
    /// # Errors
    /// When it is another device's by now: a name is all that they take.
    pub(super) fn path(&self) -> io::Result<&Path> {
        let number = fs::metadata(&self.path)?.rdev();
        if number != self.part.metadata()?.rdev() {
            return Err(io::Error::other(format!(
                "{} is another device now",
                self.path.display()
            )));
        }
        Ok(&self.path)
    }

    /// The partition opened once more, as these options say.
    ///
    /// # Errors
    /// When that fails, or the name is another device's by now.
    pub(super) fn open(&self, options: &fs::OpenOptions) -> io::Result<File> {
        open_same(&self.path, options, &self.part)
    }
}

/// The partition's node, once the kernel shows it where and as large as it was laid out; one of our own where `/dev` has none.
///
/// # Errors
/// When it does not within 20 s, the node is another device, or none can be made.
pub(super) fn partition(drive: &File, layout: &Layout) -> io::Result<Node> {
    let begun = Instant::now();
    let mut told = "the kernel shows no partition".to_owned();
    while begun.elapsed() < PATIENCE {
        if let Some((name, number)) = shown(drive, layout)? {
            let node = Path::new("/dev").join(name.replace('!', "/"));
            if begun.elapsed() > NODE_PATIENCE && !node.exists() {
                let path = mounted::node(&name.replace('!', "-"), number)?;
                let part = reader(&path)?;
                return Ok(Node { path, part });
            }
            let found = reader(&node).and_then(|part| Ok((part.metadata()?, part)));
            match found {
                Ok((meta, part)) if meta.file_type().is_block_device() && meta.rdev() == number => {
                    return Ok(Node { path: node, part });
                }
                Ok(_) => told = format!("{} is another device", node.display()),
                Err(error) => told = format!("{}: {error}", node.display()),
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err(io::Error::other(told))
}

/// Waits until nobody holds the node: the kernel lets go of a ring's files some 40 ms after the ring. It does not vanish meanwhile, since
/// the partition is open.
///
/// # Errors
/// When somebody still holds it after 20 s, or the name is another device's.
pub(super) fn wait_until_free(node: &Node) -> io::Result<()> {
    let mut options = File::options();
    options.read(true).write(true).custom_flags(libc::O_EXCL);
    until_free(|| node.open(&options)).map(drop)
}
