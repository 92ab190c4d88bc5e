//! Partition and format on real loop devices, looked at by programs that are not ours.
//!
//! Needs root, loop devices and the tools; prints `NOT RUN` and passes without them.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "tests")]

mod ended;
mod exchanged;
mod tables;

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use burnin::format::{LONGEST, Layout, Longest, Order, Said, Ties, available, plan, run};
use burnin::pattern::JobKey;
use rig::not_run;
use wire::options::{FileSystem, FormatRequest, Formatted, Table};

fn request(filesystem: FileSystem, table: Table, reserved_percent: u8, label: &str) -> FormatRequest {
    FormatRequest {
        table,
        filesystem,
        reserved_percent,
        label: label.to_owned(),
    }
}

const KEY: JobKey = JobKey([7; 16]);

fn within(whole: Duration) -> Longest {
    Longest { whole, ..LONGEST }
}

/// A loop device over a sparse file full of something; its partition is forgotten and it is detached when it is dropped.
struct Loop {
    node: String,
    _device: rig::Loop,
    _dir: Option<tempfile::TempDir>,
    capacity: u64,
    sector: u32,
}

impl Loop {
    fn new(capacity: u64, sector: u32) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("drive");
        let file = File::create(&path).unwrap();
        file.set_len(capacity).unwrap();
        // What a burn-in leaves: neither zeros nor a signature.
        let pattern: Vec<u8> = (0..4_u32 << 20)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect();
        file.write_all_at(&pattern, 0).unwrap();
        file.write_all_at(&pattern, capacity - pattern.len() as u64).unwrap();
        let mut drive = Self::of(&path, capacity, sector)?;
        drive._dir = Some(dir);
        Some(drive)
    }

    /// Over a file that is there.
    fn of(path: &Path, capacity: u64, sector: u32) -> Option<Self> {
        let device = rig::Loops::default().sector(sector).over(path);
        let device = device
            .inspect_err(|why| not_run(&format!("no loop device: {why}")))
            .ok()?;
        Some(Self {
            node: device.node.to_str().unwrap().to_owned(),
            _device: device,
            _dir: None,
            capacity,
            sector,
        })
    }

    /// As the guard opens it, which waits a little, too: a child that another test forked holds a copy until it runs its program.
    fn open(&self) -> File {
        let begun = std::time::Instant::now();
        let flags = libc::O_EXCL | libc::O_DIRECT;
        loop {
            match File::options()
                .read(true)
                .write(true)
                .custom_flags(flags)
                .open(&self.node)
            {
                Err(error) if error.raw_os_error() == Some(libc::EBUSY) && begun.elapsed().as_secs() < 20 => {
                    std::thread::sleep(Duration::from_millis(50));
                }
                opened => return opened.unwrap(),
            }
        }
    }

    fn format_as(
        &self,
        request: &FormatRequest,
        identity: &mut dyn FnMut() -> Result<(), String>,
    ) -> (Formatted, Vec<Said>) {
        self.format_within(request, within(Duration::from_mins(5)), identity)
    }

    fn format_within(
        &self,
        request: &FormatRequest,
        longest: Longest,
        identity: &mut dyn FnMut() -> Result<(), String>,
    ) -> (Formatted, Vec<Said>) {
        let order = Order {
            node: self.node.clone().into(),
            capacity: self.capacity,
            sector: self.sector,
            request: request.clone(),
            key: KEY,
        };
        let mut said = Vec::new();
        let mut command = Command::new(env!("CARGO_BIN_EXE_kiln-formatter"));
        let formatted = run(
            &mut command,
            self.open(),
            &order,
            longest,
            Ties {
                identity,
                tell: &mut |s| said.push(s.clone()),
                cancel: &mut || None,
            },
        );
        (formatted, said)
    }

    fn format(&self, request: &FormatRequest) -> Formatted {
        self.format_as(request, &mut || Ok(())).0
    }

    fn partition(&self) -> String {
        format!("{}p1", self.node)
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("partx").args(["-d", &self.node]).output();
    }
}

fn output(program: &str, args: &[&str]) -> String {
    let out = Command::new(program).args(args).output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(
        out.status.success(),
        "{program} {args:?}: {text}{}",
        String::from_utf8_lossy(&out.stderr)
    );
    text
}

#[test]
fn ext4_with_mbr_or_gpt_each_share_and_both_sectors() {
    for (sector, table, percent, label) in [
        (512, Table::Auto, 0, "photos"),
        (512, Table::Gpt, 2, ""),
        (512, Table::Mbr, 50, "a label with 16b"),
        (4096, Table::Gpt, 0, "vier Kä"),
        (4096, Table::Auto, 5, "4Kn"),
    ] {
        let Some(drive) = Loop::new(400 << 20, sector) else {
            return;
        };
        let formatted = drive.format(&request(FileSystem::Ext4, table, percent, label));
        assert_eq!(formatted.problem, None, "{sector} {table:?}: {formatted:?}");
        let expected = if table == Table::Gpt { Table::Gpt } else { Table::Mbr };
        assert_eq!(formatted.table, expected);
        assert_eq!(formatted.checks.len(), 5, "{:?}", formatted.checks);
        let told = output("blkid", &["-p", "-o", "export", &drive.partition()]);
        assert!(told.contains("TYPE=ext4"), "{told}");
        assert!(
            told.contains(&format!("UUID={}", formatted.uuid.as_deref().unwrap())),
            "{told}"
        );
        let table = output("blkid", &["-p", "-o", "export", &drive.node]);
        let kind = if expected == Table::Gpt {
            "PTTYPE=gpt"
        } else {
            "PTTYPE=dos"
        };
        assert!(table.contains(kind), "{table}");
        let told = output("dumpe2fs", &["-h", &drive.partition()]);
        let field = |name: &str| {
            let line = told.lines().find(|l| l.starts_with(name)).unwrap();
            line.split(':').nth(1).unwrap().trim().to_owned()
        };
        let number = |name: &str| field(name).parse::<f64>().unwrap();
        let share = number("Reserved block count") * 100.0 / number("Block count");
        assert!((share - f64::from(percent)).abs() < 0.1, "{share}");
        let label_told = field("Filesystem volume name");
        assert_eq!(label_told, if label.is_empty() { "<none>" } else { label });
        // Nobody holds it any more, and nothing is left mounted.
        drop(drive.open());
        assert!(!fs::read_to_string("/proc/mounts").unwrap().contains(&drive.partition()));
    }
}

#[test]
fn the_other_file_systems_where_their_tools_are() {
    for (filesystem, label, kind, checks) in [
        (FileSystem::Xfs, "xfslabel", "TYPE=xfs", 4),
        (FileSystem::Btrfs, "a longer label than others take", "TYPE=btrfs", 5),
        (FileSystem::Exfat, "CARD", "TYPE=exfat", 4),
        (FileSystem::Swap, "swap1", "TYPE=swap", 2),
        (FileSystem::Raw, "", "", 3),
    ] {
        if let Err(missing) = available(filesystem) {
            not_run(&format!("{filesystem:?}: {missing}"));
            let Some(drive) = Loop::new(32 << 20, 512) else { return };
            let formatted = drive.format(&request(filesystem, Table::Auto, 0, label));
            assert_eq!(formatted.problem, Some(missing.to_string()), "it is told precisely");
            let mut start = [0; 512];
            File::open(&drive.node).unwrap().read_exact_at(&mut start, 0).unwrap();
            assert_ne!(&start[510..], [0x55, 0xaa], "nothing was written");
            continue;
        }
        let Some(drive) = Loop::new(640 << 20, 512) else { return };
        let formatted = drive.format(&request(filesystem, Table::Gpt, 0, label));
        assert_eq!(formatted.problem, None, "{formatted:?}");
        assert_eq!(formatted.checks.len(), checks, "{:?}", formatted.checks);
        let out = Command::new("blkid")
            .args(["-p", "-o", "export", &drive.partition()])
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&out.stdout).into_owned();
        if filesystem == FileSystem::Raw {
            assert!(!told.contains("\nTYPE=") && !told.starts_with("TYPE="), "{told}");
        } else {
            assert!(told.contains(kind), "{told}");
            assert!(told.replace("\\ ", " ").contains(&format!("LABEL={label}")), "{told}");
        }
    }
}

/// Formats as usual; once `at` is said, `spoil` makes of the drive one that lost what was written there.
fn format_spoilt(drive: &Loop, filesystem: FileSystem, at: &Said, spoil: &dyn Fn(&File, &Layout)) -> Formatted {
    let wanted = request(filesystem, Table::Auto, 0, "");
    let layout = plan(drive.capacity, drive.sector, &wanted).unwrap();
    let path = drive._dir.as_ref().unwrap().path().join("drive");
    let file = File::options().read(true).write(true).open(path).unwrap();
    let order = Order {
        node: drive.node.clone().into(),
        capacity: drive.capacity,
        sector: drive.sector,
        request: wanted,
        key: KEY,
    };
    let mut spoilt = false;
    let ties = Ties {
        identity: &mut || Ok(()),
        tell: &mut |said| {
            if said == at {
                spoil(&file, &layout);
                spoilt = true;
            }
        },
        cancel: &mut || None,
    };
    let mut command = Command::new(env!("CARGO_BIN_EXE_kiln-formatter"));
    let formatted = run(&mut command, drive.open(), &order, within(Duration::from_mins(5)), ties);
    assert!(spoilt, "{at:?} was never said");
    formatted
}

/// Where the second copies lie of what a btrfs keeps twice, in bytes of its partition.
fn second_copies(partition: &str) -> Vec<u64> {
    const NODE: usize = 16 << 10;
    // Source: btrfs-dev, on-disk format: a block's head has the file system's id at byte 32, as the superblock, and its address at 48.
    let whole = fs::read(partition).unwrap();
    let id = &whole[(64 << 10) + 32..][..16];
    let mut seen = std::collections::HashSet::new();
    let blocks = whole.chunks_exact(NODE).zip((0..).step_by(NODE));
    let second = blocks.filter(|(block, _)| &block[32..48] == id && !seen.insert(&block[48..56]));
    second.map(|(_, at)| at).collect()
}

/// `btrfs check` reads one copy of each block and one superblock.
#[test]
fn a_lost_copy_of_what_btrfs_keeps_twice_is_a_problem() {
    if let Err(missing) = available(FileSystem::Btrfs) {
        return not_run(&missing.to_string());
    }
    // Of about the smallest.
    let of_drive = || Loop::new(111 << 20, 512);
    let Some(good) = of_drive() else { return };
    let formatted = good.format(&request(FileSystem::Btrfs, Table::Auto, 0, ""));
    assert_eq!(formatted.problem, None);
    // On drives of one size they lie at the same places.
    let copies = second_copies(&good.partition());
    assert!(copies.len() > 4, "{copies:?}");
    let mirror = 64 << 20;
    for (lost, length, what) in [(vec![mirror], 4 << 10, "super="), (copies, 16 << 10, "verify=")] {
        let Some(drive) = of_drive() else { return };
        let checker = Said::At { what: "btrfs".into() };
        let formatted = format_spoilt(&drive, FileSystem::Btrfs, &checker, &|file, layout| {
            for at in &lost {
                file.write_all_at(&vec![0; length], layout.start() + at).unwrap();
            }
        });
        let problem = formatted.problem.unwrap_or_default();
        assert!(problem.contains(what), "{what}: {problem:?} {:?}", formatted.checks);
        assert_eq!(formatted.table, Table::Auto, "no table stands");
    }
}

/// Neither e2fsck nor the kernel looks at the copies while the first ones are good.
#[test]
fn a_copy_of_ext4s_group_descriptors_is_read_back() {
    if let Err(missing) = available(FileSystem::Ext4) {
        return not_run(&missing.to_string());
    }
    let Some(drive) = Loop::new(640 << 20, 512) else { return };
    // A group has 128 MiB, and they lie behind the first block of the third.
    let said = Said::At { what: "e2fsck".into() };
    let formatted = format_spoilt(&drive, FileSystem::Ext4, &said, &|file, layout| {
        let at = layout.start() + 3 * (128 << 20) + 4096;
        file.write_all_at(&[0x5a; 4096], at).unwrap();
    });
    let problem = formatted.problem.unwrap_or_default();
    assert!(problem.contains("group descriptors in group 3 differs"), "{problem:?}");
}

/// What stood there before may be found where nobody looks for it any more, and taken for a file system.
#[test]
fn the_ends_of_an_empty_partition_are_read_back() {
    for last in [false, true] {
        let Some(drive) = Loop::new(64 << 20, 512) else { return };
        let formatted = format_spoilt(&drive, FileSystem::Raw, &Said::Laid, &|file, layout| {
            let at = if last { layout.size() - 1 } else { 0 };
            file.write_all_at(&[0x5a], layout.start() + at).unwrap();
        });
        let problem = formatted.problem.unwrap_or_default();
        assert!(problem.contains("reads back differently"), "{last}: {problem:?}");
        assert!(problem.contains("burn the drive in anew"), "{problem}");
        assert_eq!(formatted.table, Table::Auto, "no table stands");
    }
}

/// The table is what makes it a formatted drive: before it nothing tells that there is more than the burn-in's pattern.
#[test]
fn whoever_is_cut_off_before_the_table_leaves_a_drive_without_one_and_it_is_formatted_anew() {
    let Some(drive) = Loop::new(64 << 20, 512) else { return };
    let start = || {
        let mut start = vec![0; 1 << 20];
        File::open(&drive.node).unwrap().read_exact_at(&mut start, 0).unwrap();
        start
    };
    let before = start();
    for table in [Table::Mbr, Table::Gpt] {
        let wanted = request(FileSystem::Ext4, table, 0, "x");
        let mut cuts = [
            Said::Laid,
            Said::At {
                what: "mkfs.ext4".into(),
            },
            Said::At { what: "e2fsck".into() },
            Said::Made,
        ]
        .into_iter();
        for cut in cuts.by_ref() {
            let reached = std::cell::Cell::new(false);
            let order = Order {
                node: drive.node.clone().into(),
                capacity: drive.capacity,
                sector: 512,
                request: wanted.clone(),
                key: KEY,
            };
            let ties = Ties {
                identity: &mut || Ok(()),
                tell: &mut |said| reached.set(reached.get() || *said == cut),
                cancel: &mut || reached.get().then(|| "cut".to_owned()),
            };
            let mut command = Command::new(env!("CARGO_BIN_EXE_kiln-formatter"));
            let formatted = run(&mut command, drive.open(), &order, within(Duration::from_mins(5)), ties);
            assert!(formatted.problem.unwrap().contains("cut"), "{cut:?}");
            assert_eq!(formatted.table, Table::Auto, "{cut:?}");
            let now = start();
            assert!(
                before[512..] == now[512..],
                "{cut:?}: the drive's beginning was written to"
            );
            assert_eq!(&now[..8], b"KILNEND1", "{cut:?}: whose format it was is not told");
            let told = drive::content::look(&File::open(&drive.node).unwrap(), drive.capacity, 512).unwrap();
            assert_eq!(told.content, wire::drive::Content::Empty, "{cut:?}");
        }
        assert_eq!(drive.format(&wanted).problem, None);
        File::options()
            .write(true)
            .open(&drive.node)
            .unwrap()
            .write_all_at(&before, 0)
            .unwrap();
    }
}

/// On a drive of whole MiB the partition of an MBR takes its last one, too.
#[test]
fn what_was_verified_is_not_written_to_by_the_table() {
    for table in [Table::Mbr, Table::Gpt] {
        let Some(drive) = Loop::new(64 << 20, 512) else { return };
        let mut verified = Vec::new();
        let partition = || {
            let file = File::options()
                .read(true)
                .custom_flags(libc::O_DIRECT)
                .open(drive.partition())
                .unwrap();
            let long = usize::try_from(
                plan(drive.capacity, 512, &request(FileSystem::Ext4, table, 0, "x"))
                    .unwrap()
                    .size(),
            )
            .unwrap();
            let mut buffer = vec![0; long + 4096];
            let skip = buffer.as_ptr().align_offset(4096);
            file.read_exact_at(&mut buffer[skip..skip + long], 0).unwrap();
            buffer[skip..skip + long].to_vec()
        };
        let mut asked = 0;
        let (formatted, said) = drive.format_as(&request(FileSystem::Ext4, table, 0, "x"), &mut || {
            asked += 1;
            if asked == 3 {
                verified = partition();
            }
            Ok(())
        });
        assert_eq!(formatted.problem, None);
        assert_eq!((asked, said.iter().filter(|said| **said == Said::Made).count()), (4, 1));
        assert!(verified == partition(), "{table:?}");
    }
}

/// A container's `/dev` has the drives that it was started with, and nobody makes nodes in it.
#[test]
fn a_partition_without_a_node_gets_one_of_its_own() {
    use nix::mount::{MsFlags, mount};
    use nix::sched::{CloneFlags, unshare};
    use nix::sys::stat::{Mode, SFlag, mknod};
    let Some(drive) = Loop::new(64 << 20, 512) else { return };
    let numbers = [drive.node.as_str(), "/dev/null"].map(|path| (path, fs::metadata(path).unwrap()));
    let formatted = std::thread::scope(|scope| {
        // A thread of its own: what it mounts nobody else sees.
        let contained = scope.spawn(|| {
            let none: Option<&str> = None;
            unshare(CloneFlags::CLONE_NEWNS).unwrap();
            mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
            mount(none, "/dev", Some("tmpfs"), MsFlags::empty(), none).unwrap();
            for (path, meta) in &numbers {
                let kind = SFlag::from_bits_truncate(meta.mode());
                mknod(*path, kind, Mode::S_IRUSR | Mode::S_IWUSR, meta.rdev()).unwrap();
            }
            drive.format(&request(FileSystem::Ext4, Table::Auto, 0, "x"))
        });
        contained.join().unwrap()
    });
    assert_eq!(formatted.problem, None);
    let told = output("blkid", &["-p", &drive.partition()]);
    assert!(told.contains("TYPE=\"ext4\""), "{told}");
}

/// udevd reads a table again whenever a writer of the whole drive closes, unless somebody holds its lock: each partition vanishes for
/// that moment.
#[test]
fn the_drives_lock_keeps_udev_away_while_it_is_formatted() {
    let Some(drive) = Loop::new(64 << 20, 512) else { return };
    let mut locked = Vec::new();
    let (formatted, _) = drive.format_as(&request(FileSystem::Ext4, Table::Gpt, 0, "x"), &mut || {
        locked.push(File::open(&drive.node).unwrap().try_lock());
        Ok(())
    });
    assert!(formatted.problem.is_none(), "{formatted:?}");
    // It is asked once more when all is done.
    let kept = matches!(locked[..3], [.., Err(fs::TryLockError::WouldBlock)]);
    assert!(kept, "{locked:?}");
    File::open(&drive.node).unwrap().try_lock().unwrap();
}

/// Who does not know that lock is kept away by the partition itself, which stays open.
#[test]
fn a_partition_cannot_vanish_while_it_is_formatted() {
    let Some(drive) = Loop::new(64 << 20, 512) else { return };
    let mut taken = Vec::new();
    let (formatted, _) = drive.format_as(&request(FileSystem::Ext4, Table::Gpt, 0, "x"), &mut || {
        // When all is done it may go.
        if taken.len() < 3 {
            taken.push(Command::new("partx").args(["-d", &drive.node]).output().unwrap());
        }
        Ok(())
    });
    assert!(!taken[2].status.success(), "the partition was taken away");
    assert!(formatted.problem.is_none(), "{formatted:?}");
}

#[test]
fn another_size_or_a_failing_tool_is_a_problem_and_never_a_pass() {
    let Some(mut drive) = Loop::new(64 << 20, 512) else {
        return;
    };
    drive.capacity += 512;
    let formatted = drive.format(&request(FileSystem::Ext4, Table::Auto, 0, ""));
    assert!(formatted.problem.unwrap().contains("nothing was written"));
    drive.capacity -= 512;
    let formatted = drive.format(&request(FileSystem::Ext4, Table::Auto, 0, "far too long a label"));
    assert!(formatted.problem.unwrap().contains("at most 16"));
    // XFS needs 300 MB, and is not even begun.
    if available(FileSystem::Xfs).is_ok() {
        let formatted = drive.format(&request(FileSystem::Xfs, Table::Auto, 0, ""));
        assert!(formatted.problem.unwrap().contains("xfs needs at least 315 MB"));
    }
    let mut command = Command::new("/bin/false");
    let order = Order {
        node: drive.node.clone().into(),
        capacity: drive.capacity,
        sector: 512,
        request: request(FileSystem::Ext4, Table::Auto, 0, ""),
        key: KEY,
    };
    let formatted = run(
        &mut command,
        drive.open(),
        &order,
        within(Duration::from_secs(20)),
        Ties {
            identity: &mut || Ok(()),
            tell: &mut |_| {},
            cancel: &mut || None,
        },
    );
    assert!(formatted.problem.unwrap().contains("formatter"));
    drop(drive.open());
}
