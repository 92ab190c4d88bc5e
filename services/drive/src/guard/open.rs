//! Devices that other processes have open for writing: what the kernel's exclusive open does not exclude. A mapping of a block device
//! outlives the descriptor that it was made of, and counts like one.
//!
//! A virtual machine over a whole disk, a database on a raw device, an iSCSI target in user space or a `dd` under way open
//! without `O_EXCL`, or by a node that takes commands ([`super::nodes`]), so that only their descriptors tell. They are read from `/proc`, of every
//! thread that has a table of its own ([`super::tasks`]), without touching a device; a process of which
//! they cannot be read, or not in time, is [`Unknown`], and one that ended meanwhile has nothing open. Descriptors for reading are no use that forbids writing: udev,
//! smartctl and monitors open every drive now and then.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::nodes::Node;
use super::stuck;
use super::tasks::{self, Shares};
use super::unknown::{Unknown, is_gone};
use crate::sysfs::DevNum;
use crate::system::{self, System, text, try_names};

/// `O_PATH`: a descriptor through which nothing can be read or written. Source: asm-generic/fcntl.h.
const O_PATH: u32 = 0o10_000_000;

/// Longest line of ancestors that is followed.
const ANCESTORS_MAX: usize = 64;

/// Longest wait for one file of a process; all those of 170 processes take 50 ms of processor time (measured, unoptimised).
///
/// The kernel gives the table of a process's mappings only while nothing else changes that, so one that hangs in the middle of it
/// would hold up whoever asks. A process with many files on a slow computer hangs nowhere, however long all of them take.
pub(super) const LONGEST: Duration = Duration::from_secs(5);

/// How often it is looked within that time whether another file is read. Chosen.
const LOOKS: u32 = 20;

/// A process that has a device open for writing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Writer {
    pub(super) node: Node,
    pub(super) pid: u32,
    pub(super) program: String,
    /// Whether it was killed, and the kernel holds it.
    pub(super) killed: bool,
}

/// Every device that another process than `own` and its descendants has open for writing; and of whom that is not known,
/// having waited for `longest` for one of its files.
pub(super) fn writers(system: &System, own: u32, longest: Duration) -> (Vec<Writer>, Vec<Unknown>) {
    let (mut all, mut unknown) = (Vec::new(), Vec::new());
    let proc = system.path("proc");
    let pids: Vec<u32> = match try_names(&proc) {
        Ok(names) => names.iter().filter_map(|name| name.parse().ok()).collect(),
        Err(error) => {
            unknown.push(Unknown::Table {
                path: proc.display().to_string(),
                cause: error.to_string(),
            });
            return (all, unknown);
        }
    };
    let parents = parents(&proc, &pids);
    let others: Vec<u32> = pids.into_iter().filter(|pid| !descends(&parents, *pid, own)).collect();
    // In a made-up tree the numbers are those of nobody here.
    let shares: Shares = match *system == System::default() {
        true => tasks::shares,
        false => |_, _| false,
    };
    let told = ask(proc.clone(), others.clone(), shares, longest);
    // Those after it are not known either; one reason will do.
    let late = others.get(told.len()).copied();
    let program = |pid: u32| text(&proc.join(pid.to_string()).join("comm")).unwrap_or_else(|| "?".to_owned());
    for (pid, open) in others.into_iter().zip(told) {
        match open {
            Ok(nodes) if nodes.is_empty() => {}
            Ok(nodes) => {
                let (program, killed) = (program(pid), stuck::was_killed(&proc, pid));
                all.extend(nodes.into_iter().map(|node| Writer {
                    node,
                    pid,
                    program: program.clone(),
                    killed,
                }));
            }
            Err(unread) if unread.cause.kind() == ErrorKind::PermissionDenied => unknown.push(Unknown::Forbidden {
                pid,
                program: program(pid),
            }),
            Err(Unread { file, cause }) => unknown.push(Unknown::Process {
                pid,
                program: program(pid),
                file,
                cause: cause.to_string(),
            }),
        }
    }
    unknown.extend(late.map(|pid| Unknown::Late {
        pid,
        program: program(pid),
        waited: longest,
    }));
    (all, unknown)
}

/// Which file of a process could not be read, and why.
#[derive(Debug)]
struct Unread {
    file: String,
    cause: io::Error,
}

/// What one process has open for writing.
type Open = Result<Vec<Node>, Unread>;

/// What is known so far. Whoever waits is not woken for it: a wake-up for each of some thousand files costs more than reading them.
#[derive(Default)]
struct Heard {
    /// Of the processes that were asked, in their order.
    open: Mutex<Vec<Open>>,
    /// Files of processes whose reading has begun.
    files: AtomicU64,
}

/// Hears that another file is read.
type Step<'a> = &'a dyn Fn();

/// What each of these processes in turn has open for writing: of all of them, or of those before one of whose files takes longer than
/// `longest`. Without the thread that asks nothing is told.
fn ask(proc: PathBuf, pids: Vec<u32>, shares: Shares, longest: Duration) -> Vec<Open> {
    let heard = Arc::new(Heard::default());
    let (over, is_over) = sync_channel::<()>(0);
    let tells = Arc::clone(&heard);
    let asks = move || {
        // Dropped at the end, whatever comes of it.
        let _over = over;
        let step = || {
            tells.files.fetch_add(1, Ordering::Relaxed);
        };
        for pid in pids {
            // Whoever asked waits no longer.
            if Arc::strong_count(&tells) == 1 {
                return;
            }
            let open = open_for_writing(&proc, pid, shares, &step);
            tells.open.lock().unwrap_or_else(PoisonError::into_inner).push(open);
        }
    };
    let _thread = std::thread::Builder::new().name("open files".to_owned()).spawn(asks);
    let (mut files, mut since) = (0, Instant::now());
    while is_over.recv_timeout(longest / LOOKS) == Err(RecvTimeoutError::Timeout) {
        let now = heard.files.load(Ordering::Relaxed);
        if now != files {
            (files, since) = (now, Instant::now());
        } else if since.elapsed() >= longest {
            break;
        }
    }
    std::mem::take(&mut *heard.open.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The devices that a process has open or mapped for writing, each once; none of one that ended.
fn open_for_writing(proc: &Path, pid: u32, shares: Shares, step: Step<'_>) -> Result<Vec<Node>, Unread> {
    let mut tasks = of("task", tasks::of(proc, pid))?.unwrap_or_default();
    if tasks.is_empty() {
        tasks.push(pid);
    }
    let mut nodes = Vec::new();
    tasks::each_table(&tasks, shares, |task| {
        nodes.extend(of_task(proc, (pid, task), |dir| described(dir, step))?);
        Ok(())
    })?;
    // All tasks have one memory, of which one that ended tells nothing.
    for task in tasks {
        if let Some(mapped) = of_task(proc, (pid, task), |dir| mapped(dir, step))? {
            nodes.extend(mapped);
            break;
        }
    }
    nodes.sort_unstable();
    nodes.dedup();
    Ok(nodes)
}

/// What is read of one task of a process; nothing of one that ended.
fn of_task<T: Default>(
    proc: &Path,
    (pid, task): (u32, u32),
    read: impl FnOnce(&Path) -> Result<T, Unread>,
) -> Result<T, Unread> {
    let dir = proc.join(task.to_string());
    match read(&dir) {
        // The kernel forbids, too, what is asked of a task that just ended.
        Err(_) if !dir.exists() => Ok(T::default()),
        Err(Unread { file, cause }) if task != pid => Err(Unread {
            file: format!("task/{task}/{file}"),
            cause,
        }),
        read => read,
    }
}

/// What was read of `file`; `None` where that is gone.
fn of<T>(file: &str, read: io::Result<T>) -> Result<Option<T>, Unread> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(cause) if is_gone(&cause) => Ok(None),
        Err(cause) => Err(Unread {
            file: file.to_owned(),
            cause,
        }),
    }
}

/// A table of a process, in which paths may be of any bytes; `None` where it is gone.
fn table(process: &Path, file: &str) -> Result<Option<String>, Unread> {
    let bytes = of(file, system::table(&process.join(file), usize::MAX))?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// The devices behind a process's descriptors that take writes.
fn described(process: &Path, step: Step<'_>) -> Result<Vec<Node>, Unread> {
    let mounts = OnceCell::new();
    let mut nodes = Vec::new();
    step();
    for fd in of("fd", try_names(&process.join("fd")))?.unwrap_or_default() {
        step();
        nodes.extend(written_by(process, &fd, &mounts)?);
    }
    Ok(nodes)
}

/// The device behind a descriptor that takes writes; `mounts` keeps the process's `mountinfo`, once it is asked for.
///
/// A node may lie anywhere: a container is given a drive by a path of its own.
fn written_by(process: &Path, fd: &str, mounts: &OnceCell<String>) -> Result<Option<Node>, Unread> {
    let name = format!("fd/{fd}");
    let link = process.join(&name);
    // What is no file (`socket:[7]`) has no path; asking costs no access to what lies behind.
    let Some(target) = of(&name, fs::read_link(&link))?.filter(|target| target.is_absolute()) else {
        return Ok(None);
    };
    let Some(told) = table(process, &format!("fdinfo/{fd}"))?.filter(|told| takes_writes(told)) else {
        return Ok(None);
    };
    // Where the table cannot be had, the file is asked.
    let mounted = || mounts.get_or_init(|| table(process, "mountinfo").ok().flatten().unwrap_or_default());
    if !target.starts_with("/dev") && is_remote(&told, mounted()) {
        return Ok(None);
    }
    let node = of(&name, fs::metadata(&link))?;
    Ok(node.as_ref().and_then(Node::of))
}

/// Block devices that a process has mapped in common with others, by a file that takes writes; `None` where it has no memory.
fn mapped(process: &Path, step: Step<'_>) -> Result<Option<Vec<Node>>, Unread> {
    step();
    let table_of = |file| table(process, file).map(Option::unwrap_or_default);
    let maps = table_of("maps")?;
    if maps.is_empty() {
        return Ok(None);
    }
    let shared: Vec<Mapping<'_>> = maps.lines().filter_map(Mapping::read).collect();
    if shared.is_empty() {
        return Ok(Some(Vec::new()));
    }
    let mounts = table_of("mountinfo").unwrap_or_default();
    let mut nodes = Vec::new();
    for mapping in shared {
        step();
        if !mapping.path.starts_with("/dev/") && kind_of(&mounts, 2, mapping.device).is_some_and(is_remote_kind) {
            continue;
        }
        let name = format!("map_files/{}", mapping.range);
        let link = process.join(&name);
        // The link's own mode is that of the file it was made of: what is mapped for reading may be made writable by such a one.
        let made_of = of(&name, fs::symlink_metadata(&link))?;
        if mapping.writes || made_of.is_some_and(|link| link.mode() & 0o200 != 0) {
            let node = of(&name, fs::metadata(&link))?;
            // A command needs the descriptor: what is mapped of a character device reaches no drive.
            nodes.extend(
                node.as_ref()
                    .and_then(Node::of)
                    .filter(|node| matches!(node, Node::Block(_))),
            );
        }
    }
    Ok(Some(nodes))
}

/// A mapping of a file that is shared, so that what is stored reaches the file.
struct Mapping<'a> {
    /// Its name in `map_files`.
    range: String,
    writes: bool,
    /// Number of the file system that the file lies on.
    device: DevNum,
    path: &'a str,
}

impl<'a> Mapping<'a> {
    /// `7f0000-7f1000 rw-s 00000000 00:05 77    /dev/sdb`; `None` for all others. Source: `proc_pid_maps(5)`.
    fn read(line: &'a str) -> Option<Self> {
        let (range, rest) = line.split_once(' ')?;
        let (mode, rest) = rest.split_once(' ')?;
        let path = &rest[rest.find('/')?..];
        let device = DevNum::parse_hexadecimal(rest.split(' ').nth(1)?)?;
        let (from, to) = range.split_once('-')?;
        // Short addresses are filled up with zeros here and not there.
        let name = |address: &str| address.trim_start_matches('0').to_owned();
        mode.ends_with('s').then_some(Self {
            range: format!("{}-{}", name(from), name(to)),
            writes: mode.contains('w'),
            device,
            path,
        })
    }
}

/// Whether a descriptor's file lies on a file system that somebody else answers for, and maybe not any more: asking what it
/// is could wait for ever. Those have no node that opens a drive of this computer.
fn is_remote(fdinfo: &str, mountinfo: &str) -> bool {
    let id = fdinfo.lines().find_map(|line| line.strip_prefix("mnt_id:"));
    let kind = id.and_then(|id| kind_of(mountinfo, 0, id.trim()));
    kind.is_some_and(is_remote_kind)
}

fn is_remote_kind(kind: &str) -> bool {
    const KINDS: [&str; 9] = ["nfs", "cifs", "smb", "fuse", "9p", "ceph", "afs", "coda", "lustre"];
    KINDS.iter().any(|remote| kind.starts_with(remote))
}

/// Kind of the mounted file system of which this field (0: id, 2: number) is told.
fn kind_of(mountinfo: &str, field: usize, is: impl ToString) -> Option<&str> {
    let is = is.to_string();
    // `36 35 98:0 /root /mount options [fields] - type source super-options`. Source: proc_pid_mountinfo(5).
    mountinfo
        .lines()
        .find(|line| line.split(' ').nth(field) == Some(&is))
        .and_then(|line| line.split_once(" - ")?.1.split(' ').next())
}

/// Whether an `fdinfo` is of a descriptor that takes writes, or does not tell. Source: `proc_pid_fdinfo(5)`: the flags are octal.
fn takes_writes(fdinfo: &str) -> bool {
    let flags = fdinfo.lines().find_map(|line| line.strip_prefix("flags:"));
    let Some(flags) = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok()) else {
        return true;
    };
    let access = flags & libc::O_ACCMODE.unsigned_abs();
    flags & O_PATH == 0 && access != libc::O_RDONLY.unsigned_abs()
}

/// The parent of each of these processes that has not ended.
fn parents(proc: &Path, pids: &[u32]) -> BTreeMap<u32, u32> {
    let parent_of = |pid: &u32| Some((*pid, parent(&text(&proc.join(pid.to_string()).join("stat"))?)?));
    pids.iter().filter_map(parent_of).collect()
}

/// Whether `pid` is `own`, was started by it, or by what that started.
fn descends(parents: &BTreeMap<u32, u32>, mut pid: u32, own: u32) -> bool {
    for _ in 0..ANCESTORS_MAX {
        if pid == own {
            return true;
        }
        match parents.get(&pid) {
            Some(parent) => pid = *parent,
            None => return false,
        }
    }
    false
}

/// The parent of a process by its `stat`, whose second field is a name in brackets that may hold anything.
fn parent(stat: &str) -> Option<u32> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::fs::File;
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_descriptor_takes_writes_by_its_access_mode() {
        for (flags, writes) in [
            ("0100000", false),
            ("0100001", true),
            ("0100002", true),
            ("02140202", true),
            ("012000000", false),
            ("010000002", false),
            ("x", true),
        ] {
            assert_eq!(
                takes_writes(&format!("pos:\t0\nflags:\t{flags}\nmnt_id:\t3\n")),
                writes,
                "{flags}"
            );
        }
        assert!(takes_writes("pos:\t0\n"));
    }

    #[test]
    fn what_somebody_else_answers_for_is_not_asked() {
        let mounts = "21 1 254:0 / / rw - ext4 /dev/vda rw\n\
                      36 21 0:40 / /srv/far rw shared:9 - nfs4 box:/far rw\n\
                      37 21 0:41 / /mnt/x rw - fuse.sshfs a:/ rw\n";
        for (id, remote) in [("21", false), ("36", true), ("37", true), ("3", false), ("99", false)] {
            let told = format!("pos:\t0\nflags:\t0100002\nmnt_id:\t{id}\n");
            assert_eq!(is_remote(&told, mounts), remote, "{id}");
        }
        assert!(!is_remote("pos:\t0\n", mounts));
    }

    #[test]
    fn a_shared_mapping_is_read_with_its_name_and_file_system() {
        let mapping = Mapping::read("00400000-7f0000452000 rw-s 00000000 00:2a 173521      /dev/my disk").unwrap();
        assert_eq!((mapping.range.as_str(), mapping.writes), ("400000-7f0000452000", true));
        assert_eq!(
            (mapping.device, mapping.path),
            (DevNum { major: 0, minor: 42 }, "/dev/my disk")
        );
        assert!(
            !Mapping::read("7f00-7f01 r--s 00000000 00:05 77 /dev/sdb")
                .unwrap()
                .writes
        );
        for other in [
            "7f00-7f01 rw-p 00000000 00:05 77 /dev/sdb",
            "7f00-7f01 rw-s 00000000 00:05 0 ",
            "7f00",
            "",
        ] {
            assert!(Mapping::read(other).is_none(), "{other}");
        }
        let mounts = "36 21 0:42 / /srv/far rw shared:9 - nfs4 box:/far rw\n";
        assert!(kind_of(mounts, 2, DevNum { major: 0, minor: 42 }).is_some_and(is_remote_kind));
    }

    #[test]
    fn a_parent_is_read_whatever_the_program_is_called() {
        assert_eq!(parent("77 (a) S 5) R 42 77 77 0"), Some(42));
        assert_eq!(parent("77 (sh"), None);
    }

    #[test]
    fn descendants_are_told_by_their_parents() {
        let parents = BTreeMap::from([(10, 1), (11, 10), (12, 11), (20, 1), (30, 99), (40, 41), (41, 40)]);
        let mine = |own: u32| -> Vec<u32> {
            parents
                .keys()
                .copied()
                .filter(|pid| descends(&parents, *pid, own))
                .collect()
        };
        assert_eq!(mine(10), [10, 11, 12]);
        assert_eq!(mine(20), [20]);
        assert!(mine(7).is_empty());
        // In a container it may be the first itself.
        assert_eq!(mine(1), [10, 11, 12, 20]);
    }

    const SOON: Duration = Duration::from_millis(200);

    #[test]
    fn a_process_that_ended_while_it_was_asked_has_nothing_open() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("proc/12")).unwrap();
        fs::create_dir_all(root.path().join("proc/self/fd")).unwrap();
        assert_eq!(writers(&System::at(root.path()), 1, SOON), (vec![], vec![]));
        let ended = open_for_writing(&root.path().join("proc"), 13, |_, _| false, &|| {});
        assert!(ended.unwrap().is_empty());
    }

    /// A FIFO nobody writes to is a file that never answers.
    #[test]
    fn a_process_that_does_not_tell_in_time_is_unknown_and_one_of_ours_is_not_asked() {
        let root = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = root.path().join("proc").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put("77/comm", "qemu\n");
        put("77/stat", "77 (qemu) S 50 77");
        nix::unistd::mkfifo(&root.path().join("proc/77/maps"), nix::sys::stat::Mode::S_IRUSR).unwrap();
        let (writers_, unknown) = writers(&System::at(root.path()), 9, SOON);
        assert_eq!(writers_, []);
        let (program, waited) = ("qemu".to_owned(), SOON);
        assert_eq!(
            unknown,
            [Unknown::Late {
                pid: 77,
                program,
                waited
            }]
        );
        assert_eq!(writers(&System::at(root.path()), 50, SOON), (vec![], vec![]));
    }

    /// Descriptors whose files answer slowly, one after the other, as on a computer that has no time.
    #[test]
    fn a_process_that_tells_slowly_is_waited_for_as_long_as_it_goes_on() {
        const EACH: Duration = Duration::from_millis(900);
        let root = tempfile::tempdir().unwrap();
        let process = root.path().join("proc/77");
        for dir in ["fd", "fdinfo"] {
            fs::create_dir_all(process.join(dir)).unwrap();
        }
        let told: Vec<PathBuf> = (3..7).map(|fd| process.join(format!("fdinfo/{fd}"))).collect();
        for (fd, told) in (3..7).zip(&told) {
            std::os::unix::fs::symlink("/dev/null", process.join(format!("fd/{fd}"))).unwrap();
            nix::unistd::mkfifo(told, nix::sys::stat::Mode::S_IRWXU).unwrap();
        }
        let answers: Vec<_> = told
            .into_iter()
            .map(|told| {
                std::thread::spawn(move || {
                    // It opens only once somebody asks for it.
                    let mut file = File::options().write(true).open(told).unwrap();
                    std::thread::sleep(EACH);
                    file.write_all(b"flags:\t0100000\n").unwrap();
                })
            })
            .collect();
        let told = writers(&System::at(root.path()), 9, EACH * 3);
        assert_eq!(told, (vec![], vec![]), "each answered in time");
        for answer in answers {
            answer.join().unwrap();
        }
    }
}
