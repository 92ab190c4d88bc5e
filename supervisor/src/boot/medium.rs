//! The boot medium's keeper: one helper that finds it, flushes it, guards it, mounts DATA, and then probes it for ever.
//!
//! DATA is mounted, else repaired, else made and grown: first boot and repair are the same path. The keeper may hang on a
//! bad stick; PID 1 only hears its lines ([`Said`]).

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::ask::Asked;
use super::bundle;
use super::data::{self, STATE};
use super::gpt::{Gpt, SECTOR, guid_text};
use super::guid::{self, Need};
use super::journals;
use super::lost;
use super::mark;
use super::mirror::{self, Mirror};
use super::modules::Modules;
use super::mounts;
use super::proof::Proof;
use super::pstore;
use super::record;
use super::reset;
use super::said::{Said, progress};
use crate::crash;
use crate::shell::helper::{Heard, Line};
use crate::shell::log;

/// How long the medium is waited for.
const PATIENCE: Patience = Patience {
    appears: Duration::from_secs(60),
    alone: Duration::from_secs(15),
};
/// Between two looks for it.
const LOOK_EVERY: Duration = Duration::from_millis(150);
/// How long one look waits for disks that do not answer.
const ANSWERS_WITHIN: Duration = Duration::from_millis(500);
/// Between two looks at the state folder.
const TURN: Duration = Duration::from_secs(1);
/// How long a disk that is being pulled may still be seen.
const LEAVES_WITHIN: Duration = Duration::from_secs(2);
/// Looks between two probes of the medium.
const PROBE_TURNS: u64 = 5;
/// Why it is gone, as a person would say it.
pub(super) const PULLED: &str = "the boot medium was pulled";
/// Files that memory does not hold: so many are named.
const LOST_TOLD: usize = 16;
/// What mounting the boot partition takes, which otherwise comes later.
const FAT: [&str; 3] = ["vfat", "nls_cp437", "nls_ascii"];
/// `BLKPG` (linux/blkpg.h, linux/fs.h).
const BLKPG: libc::c_ulong = 0x1269;
/// `BLKPG_RESIZE_PARTITION`.
const BLKPG_RESIZE: libc::c_int = 3;

nix::ioctl_read!(blk_size64, 0x12, 114, u64);

/// How long a medium is waited for.
#[derive(Debug, Clone, Copy)]
struct Patience {
    /// How long it may take to appear before state goes on in RAM.
    appears: Duration,
    /// How long others that are like it may take to appear, where no mark tells it from them: a slow USB hub's, too.
    alone: Duration,
}

/// The medium's nodes.
#[derive(Debug)]
pub(super) struct Found {
    /// Whole disk, e.g. `sda`.
    disk: String,
    /// `/sys/devices/…/block/sda`
    sys: PathBuf,
}

/// Goes on probing and holding copies after an earlier keeper of the disk at `path`, `/devices/…/block/sda`, has died.
pub fn watch(line: &Line, path: &str) -> i32 {
    let sys = Path::new("/sys").join(path.trim_start_matches('/'));
    let Some(disk) = sys.file_name().map(|n| n.to_string_lossy().into_owned()) else {
        return 1;
    };
    probe(line, &Found { disk, sys })
}

/// Does all of it; returns only when the medium is gone or was never there.
pub fn keep(line: &Line, part: &str, mark: Option<&str>, reset: bool) -> i32 {
    let found = match find(line, part, mark, PATIENCE) {
        Ok(found) => found,
        Err(why) => {
            Said::Ram(why).over(line);
            return 1;
        }
    };
    match settle(line, &found, part, reset) {
        Ok(()) => {}
        Err(e) => Said::Ram(e).over(line),
    }
    probe(line, &found)
}

/// Waits for the medium for as long as a slow one takes; else tells why there is none.
fn find(line: &Line, part: &str, marked: Option<&str>, patience: Patience) -> Result<Found, String> {
    let mut told = false;
    let mut search = Search::new(patience.alone);
    let begun = search.begun;
    while begun.elapsed() < patience.appears {
        if let Some(found) = search.sure(part, marked) {
            return Ok(found);
        }
        if search.alike.len() > 1 && begun.elapsed() >= patience.alone {
            break;
        }
        if !told && begun.elapsed() > Duration::from_secs(8) {
            let waits = match search.alike.is_empty() {
                true => "waiting for the boot medium",
                false => "the boot loader could not mark its medium: waiting for others like it",
            };
            progress(line, waits);
            told = true;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    let alike: Vec<&str> = search.alike.values().map(|found| found.disk.as_str()).collect();
    Err(absent(&alike, &search.unmarked, patience.appears))
}

/// Why there is no medium: these are alike, and the boot loader could mark none; or `unmarked` have its partitions and not the
/// mark that the boot loader has just written. None of them is taken: on one that keeps no writes nothing could be kept, and a
/// copy is not the box's.
fn absent(alike: &[&str], unmarked: &[String], waited: Duration) -> String {
    let within = format!("the boot medium did not appear within {} s", waited.as_secs());
    match (alike, unmarked) {
        ([], []) => within,
        ([], some) => format!(
            "{within}; with its partitions, but without what the boot loader has written at this start, there is {}: a copy, or a medium that keeps no writes and has to be replaced",
            some.join(", ")
        ),
        ([one], _) => format!(
            "{one} has the boot medium's partitions, but the boot loader could write nothing to it, and another disk that does not answer may have them, too"
        ),
        (some, _) => format!(
            "the boot loader could write nothing to its medium, and more than one disk has its partitions: {}. None is used; pull those that are copies and restart the box",
            some.join(", ")
        ),
    }
}

/// A disk's name, which goes to the next one that comes, with its sequence number, which does not.
fn numbered(disk: &str) -> String {
    let number = fs::read_to_string(Path::new("/sys/class/block").join(disk).join("diskseq")).unwrap_or_default();
    format!("{disk} {}", number.trim())
}

/// The search for the medium: every disk is read in a process of its own, so that one that hangs hides no other.
#[derive(Debug)]
pub(super) struct Search {
    begun: Instant,
    /// How long others that are like one without a mark are waited for.
    alone: Duration,
    /// Disks that were read and are not it.
    others: BTreeSet<String>,
    /// Those that have the partition where there is no mark to tell them apart, by their place in `/sys`.
    alike: BTreeMap<PathBuf, Found>,
    /// Those of them that have the partition and not the mark, e.g. `sda`.
    unmarked: Vec<String>,
    asked: Asked,
}

/// What a disk is, as the process that read it tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Is {
    Medium = 1,
    Other = 2,
    /// It could not be read, or its partitions have no nodes yet.
    Unclear = 3,
    /// It has the partition and not the mark.
    Unmarked = 4,
}

impl Default for Search {
    fn default() -> Self {
        Self::new(PATIENCE.alone)
    }
}

impl Search {
    fn new(alone: Duration) -> Self {
        Self {
            begun: Instant::now(),
            alone,
            others: BTreeSet::new(),
            alike: BTreeMap::new(),
            unmarked: Vec::new(),
            asked: Asked::default(),
        }
    }

    /// The medium, once it is sure which disk that is: the one with the mark; without one, the only one that has the partition,
    /// when others have had their time to come. The rest may be copies, which must not be written to.
    pub(super) fn sure(&mut self, part: &str, marked: Option<&str>) -> Option<Found> {
        while let Some(found) = self.look(part, marked) {
            if marked.is_some() {
                return Some(found);
            }
            self.pass_over(&found);
            self.alike.insert(found.sys.clone(), found);
        }
        // One that has not answered may be like it, too.
        if self.begun.elapsed() < self.alone || !self.asked.is_empty() {
            return None;
        }
        self.alike.retain(|_, found| found.present());
        match self.alike.len() {
            1 => self.alike.pop_first().map(|(_, found)| found),
            _ => None,
        }
    }

    /// The disk that has this partition and, where GRUB has left one, its mark: another stick may have the same image.
    /// Waits a short time for those that do not answer; they are heard at a later look.
    ///
    /// (The kernel's uevents name no PARTUUID before 6.13.)
    pub(super) fn look(&mut self, part: &str, marked: Option<&str>) -> Option<Found> {
        for entry in fs::read_dir("/sys/class/block").into_iter().flatten().flatten() {
            let disk = entry.file_name().to_string_lossy().into_owned();
            let this = numbered(&disk);
            if entry.path().join("partition").exists() || self.others.contains(&this) || self.asked.has(&this) {
                continue;
            }
            self.asked.ask(&this, || is(&disk, &entry.path(), part, marked) as u8);
        }
        for (this, said) in self.asked.answers(ANSWERS_WITHIN) {
            if said == Some(Is::Other as u8) {
                self.others.insert(this);
            } else if said == Some(Is::Unmarked as u8) {
                self.unmarked.extend(this.split(' ').next().map(str::to_owned));
                self.others.insert(this);
            } else if said == Some(Is::Medium as u8)
                && let Some((disk, _)) = this.split_once(' ').filter(|(disk, _)| numbered(disk) == this)
                && let Ok(sys) = fs::canonicalize(Path::new("/sys/class/block").join(disk))
            {
                let disk = disk.to_owned();
                return Some(Found { disk, sys });
            }
        }
        None
    }

    /// Not to be looked at again.
    pub(super) fn pass_over(&mut self, found: &Found) {
        self.others.insert(numbered(&found.disk));
    }
}

/// In a process of its own: reads a disk.
fn is(disk: &str, sys: &Path, part: &str, marked: Option<&str>) -> Is {
    let sectors = fs::read_to_string(sys.join("size")).unwrap_or_default();
    let read = || {
        let f = File::open(Path::new("/dev").join(disk))?;
        let g = Gpt::read(&f, sectors.trim().parse().unwrap_or(0))?;
        let named = g.partitions.iter().find(|p| guid_text(&p.guid) == part);
        let said = match (named, marked) {
            (None, _) => Is::Other,
            (Some(p), Some(mark)) if mark::read(&f, p.first)?.as_deref() != Some(mark) => Is::Unmarked,
            (Some(_), _) => Is::Medium,
        };
        Ok::<_, io::Error>((g, said))
    };
    match read() {
        Ok((g, Is::Medium)) => {
            // The kernel makes the disk's node first and the partitions' a moment later.
            let found = Found {
                disk: disk.to_owned(),
                sys: sys.to_owned(),
            };
            match g.partitions.iter().all(|p| found.partition(p.number).exists()) {
                true => Is::Medium,
                false => Is::Unclear,
            }
        }
        Ok((_, said)) => said,
        Err(e) if e.kind() == io::ErrorKind::InvalidData => Is::Other,
        Err(_) => Is::Unclear,
    }
}

/// Whether an error says that there is no disk any more: it was pulled, or its reader has no card.
fn is_gone(e: &io::Error) -> bool {
    matches!(
        e.raw_os_error(),
        Some(libc::ENXIO | libc::ENODEV | libc::ENOENT | libc::ENOMEDIUM)
    )
}

impl Found {
    fn node(&self) -> PathBuf {
        Path::new("/dev").join(&self.disk)
    }

    /// Node of a partition: `sda3`, `nvme0n1p3`.
    fn partition(&self, number: u32) -> PathBuf {
        let p = if self.disk.ends_with(|c: char| c.is_ascii_digit()) {
            "p"
        } else {
            ""
        };
        Path::new("/dev").join(format!("{}{p}{number}", self.disk))
    }

    /// Whether it has not left. A card reader stays when its card is pulled.
    pub(super) fn present(&self) -> bool {
        self.sys.exists() && !File::open(self.node()).is_err_and(|e| is_gone(&e))
    }

    /// Size, model and serial number, as far as the medium has them: a copy with the same partitions differs in one.
    pub(super) fn identity(&self) -> String {
        let read = |p: PathBuf| fs::read_to_string(p).unwrap_or_default().trim().to_owned();
        let mut words = vec![read(self.sys.join("size"))];
        words.extend(
            ["device/vendor", "device/model", "device/cid", "wwid", "device/wwid"].map(|f| read(self.sys.join(f))),
        );
        // A stick's own number is its USB device's, some folders up.
        let serial = self.sys.ancestors().take(10).map(|dir| read(dir.join("serial")));
        words.extend(serial.filter(|s| !s.is_empty()).take(1));
        words.join("|")
    }

    /// Node of its DATA partition.
    pub(super) fn data(&self) -> Result<PathBuf, String> {
        let node = self.node();
        let sectors = fs::read_to_string(self.sys.join("size")).unwrap_or_default();
        let gpt = File::open(&node)
            .and_then(|f| Gpt::read(&f, sectors.trim().parse().unwrap_or(0)))
            .map_err(|e| format!("partition table of {}: {e}", node.display()))?;
        let data = gpt
            .data()
            .ok_or_else(|| format!("{} has no DATA partition", node.display()))?;
        Ok(self.partition(data.number))
    }
}

/// Tells PID 1 the disk, with a descriptor that keeps it from being opened exclusively, and what it is known by.
pub(super) fn guard(line: &Line, found: &Found) {
    let read = |f: &str| {
        fs::read_to_string(found.sys.join(f))
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    let held = File::open(found.node())
        .and_then(|f| Gpt::read(&f, read("size").parse().unwrap_or(0)))
        .ok()
        .and_then(|gpt| gpt.bios_boot().cloned())
        .map(|p| found.partition(p.number))
        .and_then(|p| OpenOptions::new().read(true).custom_flags(libc::O_EXCL).open(&p).ok());
    let about = Said::Disk(format!("{} {}", read("dev"), found.sys.display()));
    match &held {
        Some(f) => drop(line.give(&about.to_string(), f.as_fd())),
        None => about.over(line),
    }
    Said::Same(found.identity()).over(line);
}

fn settle(line: &Line, found: &Found, part: &str, reset: bool) -> Result<(), String> {
    let node = found.node();
    let read_only = fs::read_to_string(found.sys.join("ro")).is_ok_and(|t| t.trim() == "1");
    let disk = OpenOptions::new()
        .read(true)
        .write(!read_only)
        .open(&node)
        .map_err(|e| format!("opening {}: {e}", node.display()))?;
    // GRUB's own write to its environment block may still be in the medium's cache.
    let _ = disk.sync_all();
    let mut bytes = 0u64;
    // SAFETY: BLKGETSIZE64 writes one u64 that outlives the call.
    unsafe { blk_size64(disk.as_raw_fd(), &raw mut bytes) }.map_err(|e| format!("size of {}: {e}", node.display()))?;
    guard(line, found);
    let gpt = Gpt::read(&disk, bytes / SECTOR).map_err(|e| format!("partition table of {}: {e}", node.display()))?;
    if read_only {
        return Err("the boot medium is write-protected".into());
    }
    if gpt.data().is_none() {
        return Err(format!("{} has no DATA partition", node.display()));
    }
    let boot = gpt
        .partitions
        .iter()
        .find(|p| guid_text(&p.guid) == part)
        .map(|p| (p.first, p.number));
    let gpt = grow_partition(line, &disk, &gpt, bytes).unwrap_or(gpt);
    note_new(line, found, &gpt);
    let gpt = own_names(line, &disk, gpt, bytes, part);
    if let Some((first, _)) = boot {
        new_mark(line, &disk, first);
    }
    let Some(data) = gpt.data() else {
        return Err("DATA is gone".into());
    };
    let part = found.partition(data.number);
    if let (true, Some((first, _))) = (reset, boot)
        && let Err(e) = reset::by_flag(&disk, first, &part)
    {
        Said::NoReset(e.to_string()).over(line);
    }
    load(line, &["ext4"]);
    if let (true, Some((_, number))) = (reset::asked(&part), boot) {
        // Before DATA loses its mark: should the power go, it is done again.
        load(line, &FAT);
        if let Err(e) = bundle::forget(&found.partition(number)) {
            Said::Bundle(e.to_string()).over(line);
        }
    }
    let how = data::mount(line, &part)?;
    let part_bytes = (data.last - data.first + 1) * SECTOR;
    if how == "plain" && data::file_system_bytes(&part).is_some_and(|fs| fs + (16 << 20) < part_bytes) {
        progress(line, "growing DATA");
        let _ = data::run(line, "/usr/sbin/resize2fs", &[&part.to_string_lossy()], "growing DATA");
    }
    let _ = fs::set_permissions(STATE, std::os::unix::fs::PermissionsExt::from_mode(0o755));
    journals::give(Path::new(STATE));
    let dir = Path::new(record::FOLDER);
    let mut traces = record::take(dir);
    let dumps = pstore::collect(Path::new(pstore::AT), dir, traces.since, None);
    (traces.panic, traces.older) = (dumps.last, dumps.older);
    let json = serde_json::json!({ "record": traces.record, "cut_short": traces.cut_short, "panic": traces.panic, "older": traces.older, "since": traces.since, "fault": traces.fault, "row": traces.row });
    Said::Traces(json.to_string()).over(line);
    let crashes = crash::untold(&crash::folder());
    if !crashes.is_empty() {
        Said::Crash(crashes.join("; ")).over(line);
    }
    Said::Mounted(how.to_owned()).over(line);
    Ok(())
}

fn load(line: &Line, modules: &[&str]) {
    let known = match Modules::read() {
        Ok(known) => known,
        Err(e) => return progress(line, format_args!("the list of modules: {e}")),
    };
    // What the kernel has built in is no module.
    for e in modules
        .iter()
        .filter(|m| known.has(m))
        .filter_map(|m| known.load(m).err())
    {
        progress(line, format_args!("module {e}"));
    }
}

/// Notes that a fresh image has no DATA yet, before its GUIDs, by which that is known, are gone: the power may go before DATA
/// is made, and what the stick was before may lie behind the image.
fn note_new(line: &Line, found: &Found, gpt: &Gpt) {
    if let (Need::Names, Some(data)) = (guid::need(gpt, true), gpt.data())
        && let Err(e) = lost::note_new(&found.partition(data.number))
    {
        progress(line, format_args!("noting that DATA is new: {e}"));
    }
}

/// Makes the table the medium's own, or mends it; DATA lies where it lay in either case.
///
/// It comes after growing, which puts the backup where the kernel looks for it: into the last sector.
fn own_names(line: &Line, disk: &File, gpt: Gpt, bytes: u64, part: &str) -> Gpt {
    let number = gpt
        .partitions
        .iter()
        .find(|p| guid_text(&p.guid) == part)
        .map(|p| p.number);
    match guid::settle(disk, bytes / SECTOR) {
        Ok(None) => gpt,
        Ok(Some((need, new))) => {
            let named = new.partitions.iter().find(|p| Some(p.number) == number);
            if let (Need::Names, Some(p)) = (need, named) {
                Said::Part(guid_text(&p.guid)).over(line);
            } else {
                progress(
                    line,
                    "the boot medium's partition table was damaged and was mended from its backup",
                );
            }
            new
        }
        Err(e) => {
            progress(
                line,
                format_args!("giving the boot medium's partitions names of their own: {e}"),
            );
            gpt
        }
    }
}

/// Makes the mark another one than that of a copy made before this start.
fn new_mark(line: &Line, disk: &File, first: u64) {
    let mut word = [0u8; 8];
    let drawn = File::open("/dev/urandom").and_then(|mut f| f.read_exact(&mut word));
    let who = format!("{:016x}", u64::from_le_bytes(word));
    match drawn.and_then(|()| mark::renew(disk, first, &who)) {
        Ok(Some(mark)) => Said::Mark(mark).over(line),
        Ok(None) => {}
        Err(e) => progress(line, format_args!("giving the boot medium a mark of its own: {e}")),
    }
}

/// Extends DATA's entry and tells the kernel; the file system follows later.
fn grow_partition(line: &Line, disk: &File, gpt: &Gpt, bytes: u64) -> Option<Gpt> {
    #[repr(C)]
    struct Partition {
        start: i64,
        length: i64,
        number: libc::c_int,
        names: [u8; 128],
    }
    #[repr(C)]
    struct Argument {
        op: libc::c_int,
        flags: libc::c_int,
        length: libc::c_int,
        data: *mut Partition,
    }
    let data = gpt.data()?;
    let last = match gpt.grow_data(disk, bytes / SECTOR) {
        Ok(Some(last)) => last,
        Ok(None) => return None,
        Err(e) => {
            progress(line, format_args!("growing the DATA partition: {e}"));
            return None;
        }
    };
    let mut p = Partition {
        start: i64::try_from(data.first * SECTOR).ok()?,
        length: i64::try_from((last - data.first + 1) * SECTOR).ok()?,
        number: i32::try_from(data.number).ok()?,
        names: [0; 128],
    };
    let size = i32::try_from(size_of::<Partition>()).ok()?;
    let mut a = Argument {
        op: BLKPG_RESIZE,
        flags: 0,
        length: size,
        data: &raw mut p,
    };
    // SAFETY: both structures have the layout of linux/blkpg.h and outlive the call.
    if unsafe { libc::ioctl(disk.as_raw_fd(), BLKPG as _, &raw mut a) } < 0 {
        progress(
            line,
            format_args!("telling the kernel of the larger DATA: {}", io::Error::last_os_error()),
        );
        return None;
    }
    Gpt::read(disk, bytes / SECTOR).ok()
}

/// Reads a block past the cache, for ever, keeps the state folder's files in memory, and proves that DATA takes writes. An
/// answer is an answer, even an error; silence is what PID 1 worries about.
pub(super) fn probe(line: &Line, found: &Found) -> i32 {
    #[repr(align(4096))]
    struct Block([u8; 4096]);
    let mut block = Box::new(Block([0; 4096]));
    let mut mirror = Mirror::new(mirror::room(super::sysctl::memory().unwrap_or(0)));
    let mut turn = 0u64;
    let mut proof = Proof::new(Path::new(STATE));
    // A keeper without DATA (write-protected, damaged) only watches the disk.
    let on_disk = mounts::source(STATE).is_ok_and(|d| d.starts_with("/dev"));
    let (mut gone, mut faulty, mut room) = (false, false, None);
    loop {
        if !gone && !faulty && on_disk {
            // Before files are looked at: what cannot be read any more must not push out what is held.
            match proof.look() {
                Ok(share) if room != Some(share) => {
                    room = Some(share);
                    Said::Room(share).over(line);
                }
                Ok(_) => {}
                Err(why) => {
                    // A disk that is being pulled refuses everything a moment before it is gone.
                    std::thread::sleep(LEAVES_WITHIN);
                    if found.present() {
                        faulty = true;
                        Said::Faulty(why).over(line);
                    }
                }
            }
        }
        if !gone {
            if !faulty {
                // A medium that is slow, and reads on, is not a silent one.
                let said = Cell::new(Instant::now());
                mirror.refresh(Path::new(STATE), &|| {
                    if said.get().elapsed() >= TURN {
                        said.set(Instant::now());
                        Said::Alive.over(line);
                    }
                });
            }
            if turn.is_multiple_of(PROBE_TURNS) {
                // Opened afresh each time, so that a disk that has left is never held.
                let file = OpenOptions::new()
                    .read(true)
                    .custom_flags(libc::O_DIRECT)
                    .open(found.node());
                let result = file.and_then(|f| f.read_at(&mut block.0, (turn % 64) * 4096));
                gone = !found.sys.exists() || result.is_err_and(|e| is_gone(&e));
                match gone {
                    true => Said::Gone(PULLED.to_owned()).over(line),
                    false => Said::Alive.over(line),
                }
            }
            turn += 1;
        }
        match line.hear_within(TURN) {
            Heard::Text(t) if t == "save" => {
                if let Err(e) = mounts::state_in_ram() {
                    Said::Failed(e.to_string()).over(line);
                    return 1;
                }
                let (saved, lost) = mirror.save(Path::new(STATE));
                let told = if lost.is_empty() {
                    format!("whole {saved} files")
                } else {
                    let named = lost[..lost.len().min(LOST_TOLD)].join(", ");
                    format!("part {saved} files; lost are {}: {named}", lost.len())
                };
                Said::Saved(told).over(line);
                return 0;
            }
            Heard::Text(t) => {
                if let Some(row) = t.strip_prefix("row ").filter(|_| on_disk && !gone && !faulty) {
                    keep_row(row);
                }
                if let Some(since) = t.strip_prefix("pstore").filter(|_| on_disk && !gone && !faulty) {
                    let dir = Path::new(record::FOLDER);
                    let found = pstore::collect(Path::new(pstore::AT), dir, since.trim().parse().ok(), pstore::began());
                    Said::Dumps(serde_json::to_string(&found).unwrap_or_default()).over(line);
                }
                if t == reset::MARK_IT {
                    match mark_data() {
                        Ok(()) => Said::Marked.over(line),
                        Err(e) => Said::Unmarked(e.to_string()).over(line),
                    }
                }
            }
            Heard::Nothing => {}
            Heard::Closed => return 0,
        }
    }
}

/// Marks DATA to be made anew at the next start.
fn mark_data() -> io::Result<()> {
    let part = mounts::source(STATE)?;
    match part.starts_with("/dev") {
        true => reset::ask(&part),
        false => Err(io::Error::new(io::ErrorKind::NotFound, "DATA is not in use")),
    }
}

/// Where this boot stands in a row of reboots, as PID 1 words it.
fn keep_row(json: &str) {
    let kept = serde_json::from_str::<record::Row>(json)
        .map_err(io::Error::from)
        .and_then(|row| row.keep(Path::new(record::FOLDER)));
    if let Err(e) = kept {
        log::warn(&format!("counting reboots in a row: {e}"));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::process::Command;

    use nix::mount::{MsFlags, mount};
    use nix::sys::stat::{Mode, SFlag, mknod, stat};

    use super::*;

    /// A loop device; detached when dropped.
    struct Loop(String);

    impl Drop for Loop {
        fn drop(&mut self) {
            let _ = Command::new("losetup").args(["--detach", &self.0]).status();
        }
    }

    fn done(program: &str, arguments: &[&str]) -> Result<String, String> {
        let out = Command::new(program).args(arguments).output();
        let out = out.map_err(|e| format!("{program}: {e}"))?;
        match out.status.success() {
            true => Ok(String::from_utf8_lossy(&out.stdout).trim().to_owned()),
            false => Err(format!("{program}: {}", String::from_utf8_lossy(&out.stderr))),
        }
    }

    /// Gives this thread a `/dev` of its own, with loop devices over these files alone and a node for each partition.
    fn disks(files: &[PathBuf]) -> Result<Vec<Loop>, String> {
        let told = |e: nix::Error| format!("mounts of its own: {e}");
        let loops: Result<Vec<Loop>, String> = files
            .iter()
            .map(|f| done("losetup", &["--find", "--show", &f.to_string_lossy()]).map(Loop))
            .collect();
        let loops = loops?;
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).map_err(told)?;
        let none = None::<&str>;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).map_err(told)?;
        let numbers: Vec<u64> = loops.iter().map(|l| stat(l.0.as_str()).unwrap().st_rdev).collect();
        mount(Some("none"), "/dev", Some("tmpfs"), MsFlags::empty(), none).map_err(told)?;
        for (node, number) in loops.iter().zip(numbers) {
            mknod(node.0.as_str(), SFlag::S_IFBLK, Mode::S_IRUSR, number).map_err(told)?;
            for n in 1..=3 {
                File::create(format!("{}p{n}", node.0)).unwrap();
            }
        }
        Ok(loops)
    }

    /// What is found where the boot loader could not mark its medium and these are there.
    fn unmarked(files: &[PathBuf], part: &str) -> Option<Result<String, String>> {
        let (files, part) = (files.to_vec(), part.to_owned());
        // A thread of its own: other tests keep the `/dev` that they have.
        let look = move || {
            let loops = match disks(&files) {
                Ok(loops) => loops,
                Err(why) => {
                    let _ = io::Write::write_fmt(&mut io::stderr(), format_args!("\nNOT RUN: {why}\n"));
                    return None;
                }
            };
            let patience = Patience {
                appears: Duration::from_secs(10),
                alone: Duration::from_secs(1),
            };
            let found = find(&Line::unheard().unwrap(), &part, None, patience);
            let place = |f: &Found| loops.iter().position(|l| l.0.ends_with(&f.disk)).unwrap().to_string();
            Some(found.as_ref().map(place).map_err(Clone::clone))
        };
        std::thread::spawn(look).join().unwrap()
    }

    #[test]
    fn of_two_that_no_mark_tells_apart_neither_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let [one, copy, other] = ["one", "copy", "other"].map(|n| dir.path().join(n));
        for file in [&one, &other] {
            File::create(file).unwrap().set_len(8 << 20).unwrap();
            let (parts, kinds) = (
                ["1:2048:4095", "2:4096:8191", "3:8192:0"],
                ["1:ef02", "2:ef00", "3:8300"],
            );
            let mut arguments = vec!["-o"];
            for (part, kind) in parts.iter().zip(&kinds) {
                arguments.extend(["-n", part, "-t", kind]);
            }
            let at = file.to_string_lossy();
            arguments.push(&at);
            done("sgdisk", &arguments).unwrap();
        }
        fs::copy(&one, &copy).unwrap();
        let f = File::open(&one).unwrap();
        let gpt = Gpt::read(&f, (8 << 20) / SECTOR).unwrap();
        let part = guid_text(&gpt.partitions[1].guid);
        if let Some(found) = unmarked(&[one.clone(), copy, other.clone()], &part) {
            let why = found.unwrap_err();
            assert!(why.contains("more than one"), "{why}");
        }
        if let Some(found) = unmarked(&[other, one], &part) {
            assert_eq!(found, Ok("1".to_owned()));
        }
    }

    #[test]
    fn a_reader_without_a_card_is_empty_and_not_faulty() {
        for code in [libc::ENOMEDIUM, libc::ENXIO, libc::ENODEV, libc::ENOENT] {
            assert!(is_gone(&io::Error::from_raw_os_error(code)), "{code}");
        }
        assert!(!is_gone(&io::Error::from_raw_os_error(libc::EIO)));
    }

    #[test]
    fn what_only_looks_like_the_medium_is_named_where_there_is_none() {
        let absent = |alike: &[&str], unmarked: &[&str]| {
            let unmarked: Vec<String> = unmarked.iter().map(|u| (*u).to_owned()).collect();
            absent(alike, &unmarked, PATIENCE.appears)
        };
        assert!(absent(&[], &[]).ends_with("within 60 s"));
        assert!(absent(&["sda"], &[]).contains("sda has") && absent(&["sda", "sdb"], &[]).contains("sda, sdb. None"));
        let told = absent(&[], &["sda", "sdb"]);
        assert!(
            told.contains("there is sda, sdb: a copy") && told.contains("keeps no writes"),
            "{told}"
        );
    }
}
