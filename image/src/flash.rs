//! Writing an image to a stick: refuses what looks like anything else, writes, reads back past the cache, compares.
//!
//! What is refused, and why, is a pure decision over facts from sysfs ([`refusal`]); the device is opened `O_EXCL`,
//! which fails when any part of it is in use.

use crate::error::{At, Error, Result};
use std::{
    fs::{self, File, OpenOptions},
    io::{BufRead, Read, Seek, SeekFrom, Write},
    os::{fd::AsRawFd, unix::fs::FileTypeExt, unix::fs::MetadataExt, unix::fs::OpenOptionsExt},
    path::{Path, PathBuf},
};

/// Bytes written, and read back, at once.
const CHUNK: usize = 4 << 20;
/// A backup card reader or a server's data disk is no place for an image: larger media need to be meant.
const LARGEST: u64 = 2 << 40;
/// Bytes of a logical sector that the image's partition table counts in: firmware looks for it in the medium's own.
const SECTOR: u64 = 512;

/// What is known about a device before it is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Model, for the question.
    pub model: String,
    /// Serial number; empty when it tells none.
    pub serial: String,
    /// Bytes.
    pub size: u64,
    /// Bytes of a logical sector; 0 where the kernel does not tell.
    pub sector: u64,
    /// Whether the kernel calls it removable, or it hangs on USB or an SD bus.
    pub removable: bool,
    /// Whether it is a whole disk, not a partition.
    pub whole: bool,
    /// What uses it: mount points, swap, holders.
    pub used_by: Vec<String>,
    /// Its number as the kernel writes it, `8:16`.
    pub number: String,
    /// Which medium this is since the machine was started: two cards in one reader are alike in all else. `None` before Linux 5.15.
    pub sequence: Option<u64>,
}

/// Why a device must not be written; `None` when it may.
#[must_use]
pub fn refusal(facts: &Facts, image: u64) -> Option<String> {
    if !facts.whole {
        return Some("it is a partition; name the whole stick, such as /dev/sdX".into());
    }
    if let Some(user) = facts.used_by.first() {
        return Some(format!("it is in use: {user}"));
    }
    if !facts.removable {
        return Some("it is a fixed disk: neither removable, nor USB, nor an SD card".into());
    }
    if facts.sector != SECTOR {
        return Some(match facts.sector {
            0 => "the kernel does not tell how large its sectors are; the image starts from sectors of 512 bytes alone"
                .into(),
            n => format!(
                "its sectors have {n} bytes, and the image starts from sectors of 512 bytes alone: take another stick, or another enclosure"
            ),
        });
    }
    if facts.size < image {
        return Some(format!("it holds {} bytes and the image has {image}", facts.size));
    }
    if facts.size > LARGEST {
        return Some(format!(
            "it holds {} GB; expected a stick or card",
            facts.size / 1_000_000_000
        ));
    }
    None
}

impl Facts {
    /// Reads them for a block device.
    ///
    /// # Errors
    /// When it is no block device or sysfs cannot be read.
    pub fn of(device: &Path) -> Result<Self> {
        let device = device.canonicalize().at("finding", device)?;
        if !device
            .metadata()
            .at("examining", &device)?
            .file_type()
            .is_block_device()
        {
            return Err(Error::Refused {
                device,
                reason: "it is not a block device".into(),
            });
        }
        let name = device.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let sys = Path::new("/sys/class/block").join(&name);
        let real = sys.canonicalize().at("finding", &sys)?;
        let text = |p: &str| fs::read_to_string(sys.join(p)).unwrap_or_default().trim().to_owned();
        let bus = real.to_string_lossy().into_owned();
        let mut used_by = uses(&sys, &name)?;
        for entry in fs::read_dir(&sys).at("reading", &sys)? {
            let entry = entry.at("reading", &sys)?;
            if entry.path().join("partition").exists() {
                used_by.extend(uses(&entry.path(), &entry.file_name().to_string_lossy())?);
            }
        }
        Ok(Self {
            model: [text("device/vendor"), text("device/model"), text("device/name")]
                .join(" ")
                .trim()
                .to_owned(),
            serial: serial(&real, &text("device/serial")),
            size: text("size").parse::<u64>().unwrap_or(0) * 512,
            sector: text("queue/logical_block_size").parse().unwrap_or(0),
            removable: text("removable") == "1" || bus.contains("/usb") || bus.contains("/mmc_host/"),
            whole: !sys.join("partition").exists(),
            used_by,
            number: text("dev"),
            sequence: text("diskseq").parse().ok(),
        })
    }

    /// Whether an open device is the one that these were read of, and its medium the same.
    fn is_of(&self, open: &File) -> bool {
        let number = open.metadata().map(|meta| {
            let rdev = meta.rdev();
            format!("{}:{}", libc::major(rdev), libc::minor(rdev))
        });
        number.is_ok_and(|number| number == self.number) && (self.sequence.is_none() || sequence(open) == self.sequence)
    }
}

/// The count of the medium in an open device; `None` where the kernel does not tell.
fn sequence(device: &File) -> Option<u64> {
    /// `BLKGETDISKSEQ`, `_IOR(0x12, 128, __u64)` of linux/fs.h.
    const BLKGETDISKSEQ: libc::c_ulong = 0x8008_1280;
    let mut count = 0_u64;
    // SAFETY: the kernel writes one `u64`, which outlives the call; the descriptor is open for all of it.
    let done = unsafe { libc::ioctl(device.as_raw_fd(), BLKGETDISKSEQ as _, &raw mut count) };
    (done == 0).then_some(count)
}

/// What stands on a device and its partitions, as `blkid` names it: a line each; empty where it finds nothing, or is not there.
fn contents(device: &Path) -> Vec<String> {
    let name = device.file_name().unwrap_or_default();
    let mut nodes = vec![device.to_owned()];
    let parts = fs::read_dir(Path::new("/sys/class/block").join(name));
    nodes.extend(
        parts
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| entry.path().join("partition").exists())
            .map(|entry| Path::new("/dev").join(entry.file_name())),
    );
    nodes.sort();
    let told = |node: &PathBuf| {
        let told = std::process::Command::new("blkid").arg("-p").arg(node).output().ok()?;
        let told = String::from_utf8_lossy(&told.stdout).trim().to_owned();
        (!told.is_empty()).then_some(told)
    };
    nodes.iter().filter_map(told).collect()
}

/// The device's own serial, or its USB bridge's.
fn serial(sys: &Path, own: &str) -> String {
    if !own.is_empty() {
        return own.to_owned();
    }
    sys.ancestors()
        .take_while(|p| p.starts_with("/sys/devices"))
        .find(|p| p.join("idVendor").exists())
        .and_then(|p| fs::read_to_string(p.join("serial")).ok())
        .unwrap_or_default()
        .trim()
        .to_owned()
}

fn uses(sys: &Path, name: &str) -> Result<Vec<String>> {
    let number = fs::read_to_string(sys.join("dev"))
        .unwrap_or_default()
        .trim()
        .to_owned();
    let mut found = Vec::new();
    let mounts = Path::new("/proc/self/mountinfo");
    for line in fs::read_to_string(mounts).at("reading", mounts)?.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        if words.get(2) == Some(&number.as_str()) {
            found.push(format!("{name} is mounted on {}", words.get(4).unwrap_or(&"?")));
        }
    }
    for line in fs::read_to_string("/proc/swaps").unwrap_or_default().lines() {
        if line.split_whitespace().next() == Some(&format!("/dev/{name}")) {
            found.push(format!("{name} is swap"));
        }
    }
    if let Ok(holders) = fs::read_dir(sys.join("holders")) {
        for h in holders.flatten() {
            found.push(format!("{name} is part of {}", h.file_name().to_string_lossy()));
        }
    }
    Ok(found)
}

/// Writes `image` to `device` after asking; `yes` is the device's serial (or its path, when it has none), typed
/// beforehand.
///
/// # Errors
/// [`Error::Refused`] with the reason; I/O errors; what differs when it is read back.
pub fn flash(image: &Path, device: &Path, yes: Option<&str>) -> Result<()> {
    let facts = Facts::of(device)?;
    let refused = |reason: String| Error::Refused {
        device: device.to_owned(),
        reason,
    };
    crate::inspect::Image::open(image)?;
    let size = image.metadata().at("examining", image)?.len();
    if let Some(reason) = refusal(&facts, size) {
        return Err(refused(reason));
    }
    let label = if facts.serial.is_empty() {
        device.display().to_string()
    } else {
        facts.serial.clone()
    };
    println!(
        "{}: {} ({} MB), serial {:?}",
        device.display(),
        facts.model,
        facts.size / 1_000_000,
        facts.serial
    );
    for line in contents(&device.canonicalize().at("finding", device)?) {
        println!("holds {}", wire::shown::line(&line));
    }
    println!("everything on it will be erased");
    let typed = match yes {
        Some(s) => s.to_owned(),
        None => ask(&label)?,
    };
    if typed != label {
        return Err(refused(format!("{typed:?} is not {label:?}; nothing was written")));
    }
    let out = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_EXCL | libc::O_CLOEXEC)
        .open(device)
        .map_err(|e| match e.raw_os_error() {
            Some(libc::EBUSY) => refused("something uses it (the kernel says it is busy)".into()),
            _ => Error::Io {
                doing: "opening",
                path: device.to_owned(),
                cause: e,
            },
        })?;
    let again = Facts::of(device)?;
    if again != facts || !facts.is_of(&out) {
        return Err(refused(
            "it is no longer the device that was asked about; nothing was written".into(),
        ));
    }
    write(image, device, &out)?;
    compare(image, device, &out)
}

fn ask(label: &str) -> Result<String> {
    print!("type {label} to go on: ");
    std::io::stdout().flush().at("writing to", "the terminal")?;
    let mut line = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut line)
        .at("reading from", "the terminal")?;
    Ok(line.trim().to_owned())
}

fn write(image: &Path, device: &Path, mut out: &File) -> Result<()> {
    let mut from = File::open(image).at("opening", image)?;
    let mut buffer = vec![0; CHUNK];
    let mut done = 0u64;
    loop {
        let n = fill(&mut from, &mut buffer).at("reading", image)?;
        if n == 0 {
            break;
        }
        out.write_all(&buffer[..n]).at("writing", device)?;
        done += n as u64;
        eprint!("\rwritten {} MB", done / 1_000_000);
    }
    out.sync_all().at("flushing", device)?;
    drop_cache(out, device)
}

fn compare(image: &Path, device: &Path, mut out: &File) -> Result<()> {
    let mut from = File::open(image).at("opening", image)?;
    out.seek(SeekFrom::Start(0)).at("reading", device)?;
    let (mut at, mut buffer, mut back) = (0u64, vec![0; CHUNK], vec![0; CHUNK]);
    loop {
        let n = fill(&mut from, &mut buffer).at("reading", image)?;
        if n == 0 {
            break;
        }
        out.read_exact(&mut back[..n]).at("reading back", device)?;
        if let Some(i) = back[..n].iter().zip(&buffer[..n]).position(|(a, b)| a != b) {
            return Err(Error::Refused {
                device: device.to_owned(),
                reason: format!(
                    "what was read back differs at byte {}: the medium is faulty",
                    at + i as u64
                ),
            });
        }
        at += n as u64;
        eprint!("\rchecked {} MB ", at / 1_000_000);
    }
    eprintln!();
    println!("{} bytes written to {} and read back: all equal", at, device.display());
    Ok(())
}

fn fill(from: &mut File, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut n = 0;
    while n < buffer.len() {
        match from.read(&mut buffer[n..])? {
            0 => break,
            k => n += k,
        }
    }
    Ok(n)
}

/// Forgets what the kernel holds of a block device, so that reading asks the medium. A regular file has nothing to ask.
fn drop_cache(device: &File, path: &Path) -> Result<()> {
    /// `BLKFLSBUF`, `_IO(0x12, 97)` of linux/fs.h.
    const BLKFLSBUF: libc::c_ulong = 0x1261;
    let is_block = device.metadata().at("examining", path)?.file_type().is_block_device();
    // SAFETY: BLKFLSBUF takes no argument and the descriptor is open for the whole call.
    if is_block && unsafe { libc::ioctl(device.as_raw_fd(), BLKFLSBUF as _, 0) } != 0 {
        return Err(std::io::Error::last_os_error()).at("flushing", PathBuf::from(path));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "tests")]
    use super::*;

    fn stick() -> Facts {
        Facts {
            model: "Stick".into(),
            serial: "S1".into(),
            size: 8 << 30,
            sector: SECTOR,
            removable: true,
            whole: true,
            used_by: vec![],
            number: "8:16".into(),
            sequence: Some(7),
        }
    }

    #[test]
    fn a_free_stick_may_be_written() {
        assert_eq!(refusal(&stick(), 1 << 30), None);
    }

    #[test]
    fn everything_else_is_refused_with_its_reason() {
        let with = |f: &dyn Fn(&mut Facts)| {
            let mut s = stick();
            f(&mut s);
            refusal(&s, 1 << 30).unwrap()
        };
        assert!(with(&|s| s.whole = false).contains("partition"));
        assert!(with(&|s| s.used_by = vec!["sda1 is mounted on /".into()]).contains("mounted on /"));
        assert!(with(&|s| s.removable = false).contains("fixed disk"));
        assert!(with(&|s| s.size = 1 << 20).contains("the image has"));
        assert!(with(&|s| s.size = 16 << 40).contains("expected a stick"));
        // 4Kn, as some USB enclosures show a disk: no firmware finds this image's partition table on it.
        assert!(with(&|s| s.sector = 4096).contains("sectors have 4096 bytes"));
    }

    /// Two cards in one reader: the same name, number, model and size.
    #[test]
    fn another_medium_in_the_same_place_is_not_the_one_that_was_asked_about() {
        let dir = tempfile::tempdir().unwrap();
        let card = |name: &str| {
            let path = dir.path().join(name);
            File::create(&path).unwrap().set_len(1 << 20).unwrap();
            path
        };
        let losetup =
            |arguments: &[&std::ffi::OsStr]| std::process::Command::new("losetup").args(arguments).output().unwrap();
        let (first, second) = (card("first"), card("second"));
        let attached = losetup(&["--find".as_ref(), "--show".as_ref(), first.as_os_str()]);
        if !attached.status.success() {
            println!("NOT RUN: no loop device: {}", String::from_utf8_lossy(&attached.stderr));
            return;
        }
        let node = PathBuf::from(String::from_utf8(attached.stdout).unwrap().trim());
        let facts = Facts::of(&node).unwrap();
        let is_of = || facts.is_of(&File::open(&node).unwrap());
        let same = is_of();
        losetup(&["--detach".as_ref(), node.as_os_str()]);
        let again = losetup(&[node.as_os_str(), second.as_os_str()]);
        let other = again.status.success().then(is_of);
        losetup(&["--detach".as_ref(), node.as_os_str()]);
        assert!(same);
        assert_eq!(other, Some(false));
    }

    #[test]
    fn a_plain_file_is_no_device() {
        let f = tempfile::NamedTempFile::new().unwrap();
        assert!(
            Facts::of(f.path())
                .unwrap_err()
                .to_string()
                .contains("not a block device")
        );
    }

    #[test]
    fn what_is_written_is_compared() {
        let dir = tempfile::tempdir().unwrap();
        let (image, device) = (dir.path().join("i"), dir.path().join("d"));
        let bytes: Vec<u8> = (0..CHUNK + 777).map(|i| (i % 251) as u8).collect();
        fs::write(&image, &bytes).unwrap();
        let out = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&device)
            .unwrap();
        write(&image, &device, &out).unwrap();
        compare(&image, &device, &out).unwrap();
        assert!(fs::read(&device).unwrap() == bytes);
        std::os::unix::fs::FileExt::write_all_at(&out, &[255], CHUNK as u64 + 5).unwrap();
        let e = compare(&image, &device, &out).unwrap_err().to_string();
        assert!(e.contains(&format!("differs at byte {}", CHUNK + 5)), "{e}");
    }
}
