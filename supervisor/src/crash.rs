//! A service that crashed: what is kept of it, and what is told.
//!
//! The kernel pipes the memory of a process that crashes into `kiln-init core` (`kernel.core_pattern`). The first
//! [`CORE_MAX`] bytes go onto DATA, compressed, for root alone: memory holds secrets, so a core leaves the box in no bundle.
//! Beside it lies a report without any content of memory (unit, signal, thread, place in the program, maps), which the
//! debug bundle takes and the next boot tells. At most [`KEPT`] of each. While state is in RAM there is only the report.
//!
//! A process is not dead, and so not started again, until its core is read: that comes first, into memory; the medium, which may
//! hang, comes after.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use flate2::{Compression, write::GzEncoder};
use nix::sys::signal::Signal;

use crate::boot::data::{place, proof, whole};
use crate::boot::end::record;
use crate::shell::{cgroup, log, sockets};

/// What `kernel.core_pattern` says: process, thread, user, signal, seconds since 1970.
pub const PATTERN: &str = "|/init core %P %I %u %s %t";
/// Most of a core that is kept, in bytes before compression: stacks and heads of heaps are in the first of them.
const CORE_MAX: u64 = 32 << 20;
/// Most of it in memory, compressed, in bytes: what shrinks little is cut there, since the box may have a GiB in all.
const HELD_MAX: usize = 16 << 20;
/// Read at once, in bytes: what a pipe holds.
const CHUNK: usize = 64 << 10;
/// Crashes that are kept.
const KEPT: usize = 4;
/// Longest report, in bytes.
const REPORT_MAX: usize = 64 << 10;
/// What the name of a core ends with.
const CORE: &str = ".core.gz";
/// The newest crash that has been told at a boot.
const TOLD: &str = "told";

/// Where crashes are kept.
pub(crate) fn folder() -> PathBuf {
    Path::new(record::FOLDER).join("crashes")
}

/// Who crashed, as the kernel says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Who {
    pid: i32,
    thread: i32,
    uid: u32,
    signal: i32,
    at: i64,
}

impl Who {
    fn parse(words: &[&str]) -> Option<Who> {
        let [pid, thread, uid, signal, at] = words else {
            return None;
        };
        Some(Who {
            pid: pid.parse().ok()?,
            thread: thread.parse().ok()?,
            uid: uid.parse().ok()?,
            signal: signal.parse().ok()?,
            at: at.parse().ok()?,
        })
    }
}

/// `kiln-init core`: the kernel runs it, with the core as its standard input.
pub fn main(words: &[&str]) -> ExitCode {
    log::use_kmsg();
    let Some(who) = Who::parse(words) else {
        log::error(&format!(
            "core: arguments {words:?}; expected process, thread, user, signal, time"
        ));
        return ExitCode::from(64);
    };
    let unit = cgroup::unit_of(who.pid).unwrap_or_else(|| "no unit".into());
    let (head, report) = describe(&who, &unit, Path::new("/proc"));
    let on_disk = fs::read_to_string(place::STATE_WHERE).is_ok_and(|t| t.trim() == "disk");
    // A descriptor of its own: what is left unread is given up with it.
    let core = sockets::inherited(0).ok().map(File::from).filter(|_| on_disk);
    // A medium that is nearly full is for state that burn-ins need.
    let room = || proof::usage(Path::new(record::FOLDER)).1 < proof::SHARE_MAX;
    match settle(&who, &unit, &report, &folder(), core, room) {
        Ok((name, bytes)) => log::error(&format!("{head}; kept as {name} ({bytes} bytes of its memory)")),
        Err(e) => log::error(&format!("{head}; it could not be kept: {e}")),
    }
    ExitCode::SUCCESS
}

/// Keeps a crash in `dir`; returns its name and how many bytes of its memory. The core is read and closed before anything of the
/// medium is touched, `room` (whether the medium has any for it) included.
fn settle(
    who: &Who,
    unit: &str,
    report: &str,
    dir: &Path,
    core: Option<impl Read>,
    room: impl FnOnce() -> bool,
) -> io::Result<(String, u64)> {
    let core = core.map(Core::read);
    let name = format!("{:012}-{}-{}", number(dir, who.at), unit.replace(' ', "-"), who.pid);
    let core = core.filter(|_| room());
    keep(dir, &name, report.as_bytes(), core).map(|bytes| (name, bytes))
}

/// The beginning of a process's memory, compressed.
struct Core {
    /// How much of it, in bytes before compression.
    bytes: u64,
    gz: Vec<u8>,
}

impl Core {
    /// Reads no more than is kept, and closes what it reads.
    fn read(from: impl Read) -> io::Result<Core> {
        let mut from = from.take(CORE_MAX);
        let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
        let (mut bytes, mut chunk) = (0, vec![0; CHUNK]);
        while gz.get_ref().len() < HELD_MAX {
            match from.read(&mut chunk) {
                Ok(0) => break,
                Ok(n) => {
                    gz.write_all(&chunk[..n])?;
                    bytes += n as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        let gz = gz.finish()?;
        Ok(Core { bytes, gz })
    }
}

/// In a sentence, and at length.
fn describe(who: &Who, unit: &str, proc: &Path) -> (String, String) {
    let of = |what: &str| proc.join(who.pid.to_string()).join(what);
    let text = |path: PathBuf| fs::read_to_string(path).unwrap_or_default();
    let maps = text(of("maps"));
    let task = of("task").join(who.thread.to_string());
    let at = instruction(&text(task.join("stat"))).and_then(|ip| place(&maps, ip));
    let at = at.unwrap_or_else(|| "an unknown place".into());
    let signal = Signal::try_from(who.signal).map_or_else(|_| format!("signal {}", who.signal), |s| s.to_string());
    let program = fs::read_link(of("exe")).unwrap_or_default();
    let thread = text(task.join("comm"));
    let head = format!("{unit} crashed: {signal} at {at}, thread {}", thread.trim());
    let time = wire::Time::from_second(who.at).unwrap_or_default();
    let mut report = format!(
        "{head}\ntime: {time}\nprogram: {}\nprocess: {} (user {})\n",
        program.display(),
        who.pid,
        who.uid
    );
    for line in text(of("status"))
        .lines()
        .filter(|l| l.starts_with("Vm") || l.starts_with("Threads"))
    {
        report.push_str(line);
        report.push('\n');
    }
    report.push_str("maps:\n");
    for line in maps.lines() {
        if report.len() + line.len() >= REPORT_MAX {
            break;
        }
        report.push_str(line);
        report.push('\n');
    }
    (head, report)
}

/// The instruction a thread stopped at, from its `stat`: the kernel tells it of processes that are being dumped.
fn instruction(stat: &str) -> Option<u64> {
    let ip = stat.rsplit_once(')')?.1.split_whitespace().nth(27)?.parse().ok()?;
    (ip != 0).then_some(ip)
}

/// `program+0x1234`: the place in the file that is mapped there, which `addr2line` turns into a line.
fn place(maps: &str, ip: u64) -> Option<String> {
    maps.lines().find_map(|l| {
        let mut words = l.split_whitespace();
        let (from, to) = words.next()?.split_once('-')?;
        let hex = |t: &str| u64::from_str_radix(t, 16).ok();
        let (from, to) = (hex(from)?, hex(to)?);
        let offset = hex(words.nth(1)?)?;
        let file = words.nth(2).unwrap_or("memory");
        let name = file.rsplit('/').next()?;
        (from..to)
            .contains(&ip)
            .then(|| format!("{name}+{:#x}", ip - from + offset))
    })
}

/// Keeps the report and, where there is one, the core; returns how many bytes of that. The oldest make room.
fn keep(dir: &Path, name: &str, report: &[u8], core: Option<io::Result<Core>>) -> io::Result<u64> {
    fs::DirBuilder::new().recursive(true).mode(0o750).create(dir)?;
    prune(dir, KEPT - 1)?;
    let create = |name: String, mode| {
        OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(mode)
            .open(dir.join(name))
    };
    let mut file = create(format!("{name}.txt"), 0o640)?;
    file.write_all(report)?;
    file.sync_all()?;
    let Some(core) = core else {
        return Ok(0);
    };
    let path = format!("{name}{CORE}");
    let written = core.and_then(|core| {
        let mut file = create(path.clone(), 0o600)?;
        file.write_all(&core.gz)?;
        file.sync_all()?;
        Ok(core.bytes)
    });
    if written.is_err() {
        let _ = fs::remove_file(dir.join(path));
    }
    File::open(dir)?.sync_all()?;
    written
}

/// The number of the next crash: its time, or one more than the last where the clock was ahead then.
fn number(dir: &Path, at: i64) -> i64 {
    let last = names(dir)
        .last()
        .and_then(|name| name.split('-').next()?.parse::<i64>().ok());
    at.max(last.map_or(0, |last| last.saturating_add(1)))
}

/// Brings the reports in `from`, which were written while state was in memory, to those in `to`, behind all that are there: the
/// next boot tells what it has not told yet by their order. What was brought before is not brought again.
///
/// # Errors
/// One could not be read or written; those before it stay.
pub(crate) fn bring(from: &Path, to: &Path) -> io::Result<usize> {
    let mut there = reports(to).iter().map(fs::read).collect::<io::Result<Vec<_>>>()?;
    let mut brought = 0;
    for name in names(from) {
        let report = fs::read(from.join(format!("{name}.txt")))?;
        if there.contains(&report) {
            continue;
        }
        let (at, who) = name.split_once('-').unwrap_or(("", &name));
        let name = format!("{:012}-{who}", number(to, at.parse().unwrap_or(0)));
        keep(to, &name, &report, None)?;
        there.push(report);
        brought += 1;
    }
    Ok(brought)
}

/// Names of what is kept, oldest first: they begin with its [`number`].
fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|e| e.file_name().to_str()?.strip_suffix(".txt").map(str::to_owned))
        .collect();
    names.sort();
    names
}

fn prune(dir: &Path, most: usize) -> io::Result<()> {
    let names = names(dir);
    for name in names.iter().take(names.len().saturating_sub(most)) {
        let _ = fs::remove_file(dir.join(format!("{name}{CORE}")));
        fs::remove_file(dir.join(format!("{name}.txt")))?;
    }
    Ok(())
}

/// Whether a file is a core: memory holds secrets, so it stays root's alone.
pub(crate) fn is_core(name: &OsStr) -> bool {
    name.to_string_lossy().ends_with(CORE)
}

/// Cores by name, with their bytes, which a bundle tells and does not hold.
pub(crate) fn cores(dir: &Path) -> Vec<(String, u64)> {
    let of = |name: String| {
        let name = format!("{name}{CORE}");
        let bytes = fs::metadata(dir.join(&name)).ok()?.len();
        Some((name, bytes))
    };
    names(dir).into_iter().filter_map(of).collect()
}

/// Reports by name, for the debug bundle.
pub(crate) fn reports(dir: &Path) -> Vec<PathBuf> {
    names(dir).into_iter().map(|n| dir.join(format!("{n}.txt"))).collect()
}

/// First lines of the reports that no boot has told yet; they count as told from now on.
pub(crate) fn untold(dir: &Path) -> Vec<String> {
    let told = fs::read_to_string(dir.join(TOLD)).unwrap_or_default();
    let new: Vec<String> = names(dir).into_iter().filter(|n| n.as_str() > told.trim()).collect();
    if let Some(last) = new.last() {
        let _ = whole::replace(&dir.join(TOLD), last.as_bytes());
    }
    let head = |n: &String| {
        let text = fs::read_to_string(dir.join(format!("{n}.txt"))).ok()?;
        let mut lines = text.lines();
        let head = lines.next()?.to_owned();
        let time = lines.next().and_then(|l| l.strip_prefix("time: ")).unwrap_or_default();
        Some(format!("{head} ({time})"))
    };
    new.iter().filter_map(head).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use std::cell::Cell;

    #[test]
    fn a_crash_is_told_with_its_place_and_without_anything_of_its_memory() {
        let proc = tempfile::tempdir().unwrap();
        let task = proc.path().join("42/task/43");
        fs::create_dir_all(&task).unwrap();
        let stat = format!("43 (a ) b) S {} {} 0", vec!["7"; 26].join(" "), 0x5555_0000_1234_u64);
        fs::write(task.join("stat"), stat).unwrap();
        fs::write(task.join("comm"), "worker-3\n").unwrap();
        let maps = "555500000000-555500001000 r--p 00000000 00:01 9 /usr/bin/kiln-server\n\
                    555500001000-555500009000 r-xp 00001000 00:01 9 /usr/bin/kiln-server\n\
                    7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0 [stack]\n";
        fs::write(proc.path().join("42/maps"), maps).unwrap();
        fs::write(proc.path().join("42/status"), "Name:\tx\nVmRSS:\t9 kB\nThreads:\t2\n").unwrap();
        fs::write(proc.path().join("42/environ"), "ADMIN_PASSWORD=hunter2").unwrap();
        let who = Who::parse(&["42", "43", "900", "11", "1700000000"]).unwrap();
        let (head, report) = describe(&who, "server", proc.path());
        assert_eq!(head, "server crashed: SIGSEGV at kiln-server+0x1234, thread worker-3");
        assert!(
            report.contains("VmRSS:\t9 kB") && report.contains("2023-11-14") && report.contains("r-xp"),
            "{report}"
        );
        assert!(!report.contains("hunter2"));
        assert_eq!(Who::parse(&["42", "43", "900", "11"]), None);
        // Nothing there any more: still a report.
        assert!(
            describe(&Who { pid: 1_000_000, ..who }, "server", proc.path())
                .0
                .contains("an unknown place")
        );
    }

    /// A core that says whether the medium was touched before all of it was read and it was closed.
    struct Piped<'a> {
        left: usize,
        dir: &'a Path,
        closed: &'a Cell<Option<&'static str>>,
    }

    impl Read for Piped<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let n = self.left.min(buf.len());
            buf[..n].fill(7);
            self.left -= n;
            Ok(n)
        }
    }

    impl Drop for Piped<'_> {
        fn drop(&mut self) {
            self.closed.set(Some(match (self.left, self.dir.exists()) {
                (0, false) => "read, before the medium was touched",
                (0, true) => "read, after the medium was touched",
                _ => "not read",
            }));
        }
    }

    #[test]
    fn a_core_is_read_and_closed_before_the_medium_is_touched() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("crashes");
        let who = Who::parse(&["42", "43", "900", "11", "1700000000"]).unwrap();
        for room in [true, false] {
            let closed = Cell::new(None);
            let core = Piped {
                left: 3 * CHUNK,
                dir: &dir,
                closed: &closed,
            };
            let asked = || {
                assert_eq!(closed.get(), Some("read, before the medium was touched"));
                room
            };
            let (name, bytes) = settle(&who, "server", "server crashed\n", &dir, Some(core), asked).unwrap();
            assert_eq!(bytes, if room { 3 * CHUNK as u64 } else { 0 });
            assert_eq!(dir.join(format!("{name}{CORE}")).exists(), room);
            fs::remove_dir_all(&dir).unwrap();
        }
    }

    #[test]
    fn what_shrinks_little_is_cut_where_it_would_fill_memory_and_can_be_read() {
        let mut seed = 1_u64;
        let noise = std::iter::from_fn(|| {
            seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            Some((seed >> 56) as u8)
        });
        let noise: Vec<u8> = noise.take(HELD_MAX + (2 << 20)).collect();
        let core = Core::read(&noise[..]).unwrap();
        assert!(core.gz.len() < HELD_MAX + 2 * CHUNK, "{}", core.gz.len());
        let mut back = Vec::new();
        flate2::read::GzDecoder::new(&core.gz[..])
            .read_to_end(&mut back)
            .unwrap();
        assert_eq!(back.len() as u64, core.bytes);
        assert!(noise.starts_with(&back));
    }

    #[test]
    fn the_newest_are_kept_their_cores_are_capped_and_for_root_alone() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("crashes");
        for n in 0..6 {
            let core = io::repeat(7).take(CORE_MAX + 5);
            let report = format!("server crashed: {n}\ntime: T{n}\n");
            assert_eq!(
                keep(
                    &dir,
                    &format!("{n:012}-server-1"),
                    report.as_bytes(),
                    Some(Core::read(core))
                )
                .unwrap(),
                CORE_MAX
            );
        }
        assert_eq!(names(&dir).len(), KEPT);
        assert_eq!(reports(&dir).len(), KEPT);
        let cores = fs::read_dir(&dir)
            .unwrap()
            .flatten()
            .filter(|e| e.file_name().to_string_lossy().ends_with(".gz"));
        for e in cores {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(e.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(untold(&dir).len(), KEPT);
        assert_eq!(untold(&dir), [] as [String; 0], "told once");
        // While state is in RAM there is no core.
        assert_eq!(
            keep(&dir, "000000000009-agent-2", b"agent crashed\ntime: T9\n", None).unwrap(),
            0
        );
        assert_eq!(untold(&dir), ["agent crashed (T9)"]);
        // One whose clock was ahead hides none that comes after it.
        let crash = |at: i64, who: &str| {
            let name = format!("{:012}-{who}-1", number(&dir, at));
            let report = format!("{who} crashed\ntime: T{at}\n");
            keep(&dir, &name, report.as_bytes(), None).unwrap();
            untold(&dir)
        };
        assert_eq!(crash(2_000_000_000, "server"), ["server crashed (T2000000000)"]);
        assert_eq!(crash(1_800_000_000, "agent"), ["agent crashed (T1800000000)"]);
        assert_eq!(crash(2_000_000_001, "server"), ["server crashed (T2000000001)"]);
    }

    #[test]
    fn reports_from_memory_are_told_by_the_next_boot_though_the_clock_was_ahead_before() {
        let dir = tempfile::tempdir().unwrap();
        let (ram, disk) = (dir.path().join("ram"), dir.path().join("disk"));
        let crash = |dir: &Path, at: i64, who: &str| {
            let report = format!("{who} crashed\ntime: T{at}\n");
            let name = format!("{:012}-{who}-1", number(dir, at));
            keep(dir, &name, report.as_bytes(), None).unwrap();
        };
        assert_eq!(bring(&ram, &disk).unwrap(), 0, "nothing has crashed");
        for at in 0..3 {
            crash(&disk, 2_000_000_000 + at, "server");
        }
        assert_eq!(untold(&disk).len(), 3);
        crash(&ram, 1_800_000_000, "agent");
        crash(&ram, 1_800_000_001, "mdns");
        // A way back that was cut short brings nothing twice.
        assert_eq!((bring(&ram, &disk).unwrap(), bring(&ram, &disk).unwrap()), (2, 0));
        assert_eq!(
            untold(&disk),
            ["agent crashed (T1800000000)", "mdns crashed (T1800000001)"]
        );
        assert_eq!(names(&disk).len(), KEPT);
    }

    #[test]
    fn the_pattern_fits_the_kernel() {
        assert!(PATTERN.len() < 128);
    }
}
