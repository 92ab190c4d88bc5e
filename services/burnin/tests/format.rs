//! Partition and format on real loop devices, looked at by programs that are not ours.
//!
//! Needs root, loop devices and the tools; prints `NOT RUN` and passes without them.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "tests")]

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use burnin::format::table::{Ids, encode};
use burnin::format::{LONGEST, Layout, Longest, Order, Said, Ties, available, plan, run};
use burnin::pattern::JobKey;
use proptest::prelude::*;
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

/// A dock may have another drive by now, whose first sector and end were lost.
#[test]
fn another_identity_is_not_written_to() {
    let Some(drive) = Loop::new(64 << 20, 512) else { return };
    let file = File::options().write(true).open(&drive.node).unwrap();
    file.write_all_at(&vec![0x5a; 64 << 20], 0).unwrap();
    file.sync_all().unwrap();
    let wanted = request(FileSystem::Raw, Table::Auto, 0, "");
    let (formatted, said) = drive.format_as(&wanted, &mut || Err("the serial is another".to_owned()));
    assert_eq!(said[0], Said::Ready);
    let problem = formatted.problem.unwrap();
    assert!(
        problem.contains("the serial is another") && problem.ends_with("nothing was written"),
        "{problem}"
    );
    assert!(fs::read(&drive.node).unwrap().iter().all(|byte| *byte == 0x5a));
}

#[test]
fn another_identity_stops_it_before_a_file_system_is_made() {
    let Some(drive) = Loop::new(64 << 20, 512) else { return };
    let wanted = request(FileSystem::Ext4, Table::Auto, 0, "x");
    let mut asked = 0;
    let (formatted, said) = drive.format_as(&wanted, &mut || {
        asked += 1;
        if asked == 1 {
            Ok(())
        } else {
            Err("the serial is another".to_owned())
        }
    });
    assert_eq!(said[..2], [Said::Ready, Said::Laid]);
    assert!(formatted.problem.unwrap().contains("the serial is another"));
    let part = Command::new("blkid").args(["-p", &drive.partition()]).output().unwrap();
    assert!(!String::from_utf8_lossy(&part.stdout).contains("ext4"));
}

#[test]
fn another_identity_behind_the_file_system_gets_no_table() {
    let Some(drive) = Loop::new(64 << 20, 512) else { return };
    let mut asked = 0;
    let (formatted, _) = drive.format_as(&request(FileSystem::Ext4, Table::Auto, 0, "x"), &mut || {
        asked += 1;
        if asked <= 2 {
            Ok(())
        } else {
            Err("the serial is another".to_owned())
        }
    });
    let problem = formatted.problem.unwrap();
    assert!(
        problem.contains("the serial is another") && problem.contains("no partition table was written"),
        "{problem}"
    );
    let mut start = [0; 512];
    File::open(&drive.node).unwrap().read_exact_at(&mut start, 0).unwrap();
    assert_ne!(&start[510..], [0x55, 0xaa]);
}

#[test]
fn another_identity_when_all_is_done_is_not_told_as_formatted() {
    let Some(drive) = Loop::new(64 << 20, 512) else { return };
    let mut asked = 0;
    let (formatted, _) = drive.format_as(&request(FileSystem::Ext4, Table::Auto, 0, "x"), &mut || {
        asked += 1;
        if asked <= 3 {
            Ok(())
        } else {
            Err("the serial is another".to_owned())
        }
    });
    let problem = formatted.problem.unwrap();
    assert!(
        problem.contains("when all was done: the serial is another") && !problem.contains("format it by hand"),
        "{problem}"
    );
}

/// A dock goes on under one name with whatever is put into it, and tells nobody.
#[test]
fn another_drive_that_came_without_a_word_gets_neither_file_system_nor_table() {
    for (at, undone) in [(Said::Laid, "no file system"), (Said::Made, "no partition table")] {
        let Some(drive) = Loop::new(64 << 20, 512) else { return };
        let other = vec![0x5a; 64 << 20];
        let formatted = format_spoilt(&drive, FileSystem::Ext4, &at, &|file, _| {
            file.write_all_at(&other, 0).unwrap();
        });
        let path = drive._dir.as_ref().unwrap().path().join("drive");
        assert!(fs::read(path).unwrap() == other, "{at:?}: it was written to");
        let problem = formatted.problem.unwrap_or_default();
        assert!(problem.contains("another one is in its place"), "{at:?}: {problem:?}");
        assert!(
            problem.contains(undone) && !problem.contains("format it by hand"),
            "{problem}"
        );
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

/// Programs take the partition by its name, and a name can pass to another drive: it is asked for before each.
#[test]
fn a_name_that_becomes_another_drives_is_not_formatted() {
    let (Some(drive), Some(other)) = (Loop::new(64 << 20, 512), Loop::new(64 << 20, 512)) else {
        return;
    };
    let before = fs::read(&other.node).unwrap();
    let number = fs::metadata(&other.node).unwrap().rdev();
    let mut node = String::new();
    let mut asked = 0;
    let (formatted, said) = drive.format_as(&request(FileSystem::Ext4, Table::Auto, 0, "x"), &mut || {
        asked += 1;
        if asked == 1 {
            return Ok(());
        }
        node = drive.partition();
        fs::remove_file(&node).unwrap();
        let mode = nix::sys::stat::Mode::S_IRUSR | nix::sys::stat::Mode::S_IWUSR;
        nix::sys::stat::mknod(node.as_str(), nix::sys::stat::SFlag::S_IFBLK, mode, number).unwrap();
        Ok(())
    });
    fs::remove_file(&node).unwrap();
    assert_eq!(said[..2], [Said::Ready, Said::Laid]);
    assert!(formatted.problem.unwrap().contains("is another device now"));
    assert!(
        before == fs::read(&other.node).unwrap(),
        "the other drive was written to"
    );
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

/// A drive that reads and answers no write: its file lies on a file system that is frozen, until this is dropped.
struct Hangs {
    drive: Option<Loop>,
    below: std::path::PathBuf,
    _dir: tempfile::TempDir,
}

impl Hangs {
    fn new() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let (image, below) = (dir.path().join("image"), dir.path().join("below"));
        File::create(&image).unwrap().set_len(192 << 20).unwrap();
        fs::create_dir(&below).unwrap();
        let (image, at) = (image.to_str().unwrap(), below.to_str().unwrap());
        for call in [vec!["mkfs.ext4", "-q", image], vec!["mount", "-o", "loop", image, at]] {
            let done = Command::new(call[0]).args(&call[1..]).output();
            if !done.as_ref().is_ok_and(|done| done.status.success()) {
                not_run(&format!("no drive that hangs: {call:?}: {done:?}"));
                return None;
            }
        }
        let mut hangs = Self {
            drive: None,
            below,
            _dir: dir,
        };
        let file = hangs.below.join("drive");
        File::create(&file).unwrap().set_len(64 << 20).unwrap();
        hangs.drive = Some(Loop::of(&file, 64 << 20, 512)?);
        output("fsfreeze", &["--freeze", hangs.below.to_str().unwrap()]);
        Some(hangs)
    }

    /// Waits until a write is under way.
    fn wait(&self) {
        let node = &self.drive.as_ref().unwrap().node;
        let stat = format!("/sys/block/{}/stat", node.trim_start_matches("/dev/"));
        let under_way = || {
            let told = fs::read_to_string(&stat).unwrap();
            told.split_whitespace().nth(8).unwrap() != "0"
        };
        let limit = std::time::Instant::now() + Duration::from_mins(1);
        while !under_way() {
            assert!(std::time::Instant::now() < limit, "nothing was written");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Hangs {
    fn drop(&mut self) {
        let below = self.below.to_str().unwrap();
        let _thawed = Command::new("fsfreeze").args(["--unfreeze", below]).status();
        self.drive = None;
        // What hung in it ends only now.
        let end = std::time::Instant::now() + Duration::from_secs(20);
        let umount = |how: &[&str]| Command::new("umount").args(how).arg(below).output();
        while !umount(&[]).is_ok_and(|done| done.status.success()) {
            if std::time::Instant::now() > end {
                let _later = umount(&["--lazy"]);
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

#[test]
fn a_drive_that_answers_no_write_is_given_up_and_another_ones_format_goes_on() {
    let (Some(beside), Some(hangs)) = (Loop::new(64 << 20, 512), Hangs::new()) else {
        return;
    };
    let wanted = request(FileSystem::Ext4, Table::Gpt, 0, "x");
    let access = Duration::from_secs(4);
    std::thread::scope(|scope| {
        let hung = scope.spawn(|| {
            let drive = hangs.drive.as_ref().unwrap();
            let longest = Longest { access, ..LONGEST };
            drive.format_within(&wanted, longest, &mut || Ok(()))
        });
        hangs.wait();
        assert_eq!(beside.format(&wanted).problem, None);
        let (formatted, said) = hung.join().unwrap();
        let problem = formatted.problem.unwrap();
        assert!(problem.contains("answered nothing for 4 s"), "{problem}");
        assert_eq!(
            (formatted.table, said),
            (Table::Auto, vec![Said::Ready]),
            "no table stands"
        );
    });
}

/// A child that waits for something other than its drive.
#[test]
fn a_partition_that_is_not_laid_in_its_time_is_told_as_that() {
    let order = Order {
        node: "/dev/null".into(),
        capacity: 1 << 20,
        sector: 512,
        request: request(FileSystem::Ext4, Table::Auto, 0, ""),
        key: KEY,
    };
    let longest = Longest {
        start: Duration::from_secs(1),
        ..LONGEST
    };
    let ties = Ties {
        identity: &mut || Ok(()),
        tell: &mut |_| {},
        cancel: &mut || None,
    };
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "sleep 300"]);
    let formatted = run(&mut command, tempfile::tempfile().unwrap(), &order, longest, ties);
    let problem = formatted.problem.unwrap();
    assert!(problem.contains("was not laid out within 1 s"), "{problem}");
}

/// What a slow mkfs is seen as: a child that says that it began, and its own child that goes on for minutes.
#[test]
fn a_formatter_that_is_ended_takes_the_program_along_that_it_runs() {
    let dir = tempfile::tempdir().unwrap();
    let written = dir.path().join("pid");
    let said = serde_json::to_string(&Said::At { what: "mkfs".into() }).unwrap();
    let script = format!("sleep 300 & echo $! > {}; echo '{said}'; wait", written.display());
    let order = Order {
        node: "/dev/null".into(),
        capacity: 1 << 20,
        sector: 512,
        request: request(FileSystem::Ext4, Table::Auto, 0, ""),
        key: KEY,
    };
    let began = std::cell::Cell::new(false);
    let mut identity = || Ok(());
    let ties = Ties {
        identity: &mut identity,
        tell: &mut |_| began.set(true),
        cancel: &mut || began.get().then(|| "aborted by ann".to_owned()),
    };
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &script]);
    let drive = tempfile::tempfile().unwrap();
    let formatted = run(&mut command, drive, &order, within(Duration::from_secs(280)), ties);
    let problem = formatted.problem.unwrap();
    assert!(began.get() && problem.contains("aborted by ann"), "{problem}");
    let pid = fs::read_to_string(&written).unwrap();
    let gone = || {
        // Whoever takes over orphans may not reap them.
        let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        stat.rsplit(") ")
            .next()
            .is_none_or(|rest| rest.is_empty() || rest.starts_with(['Z', 'X']))
    };
    let limit = std::time::Instant::now() + Duration::from_mins(1);
    while !gone() {
        assert!(std::time::Instant::now() < limit, "the program goes on");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A sparse file as large as the drive with the table's two ends in it.
fn image(layout: &Layout, filesystem: FileSystem, dir: &Path) -> String {
    let encoded = encode(layout, filesystem, &Ids::from_random([7; 32])).unwrap();
    let path = dir.join("image");
    let mut file = File::create(&path).unwrap();
    file.set_len(layout.capacity).unwrap();
    file.write_all(&encoded.head).unwrap();
    file.seek(SeekFrom::Start(encoded.tail_at)).unwrap();
    file.write_all(&encoded.tail).unwrap();
    path.to_str().unwrap().to_owned()
}

fn sfdisk_agrees(layout: &Layout, filesystem: FileSystem) {
    let dir = tempfile::tempdir().unwrap();
    let path = image(layout, filesystem, dir.path());
    // sfdisk takes a file's sectors for 512 bytes; a loop device can have others.
    let attached = (layout.sector != 512).then(|| Loop::of(Path::new(&path), layout.capacity, layout.sector));
    let read = match &attached {
        Some(None) => return,
        Some(Some(drive)) => drive.node.clone(),
        None => path.clone(),
    };
    let told = output("sfdisk", &["--json", &read]);
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let table = &told["partitiontable"];
    assert_eq!(
        table["label"],
        if layout.table == Table::Gpt { "gpt" } else { "dos" },
        "{layout:?}"
    );
    let partitions = table["partitions"].as_array().unwrap();
    assert_eq!(partitions.len(), 1);
    assert_eq!(partitions[0]["start"], layout.first, "{layout:?}");
    assert_eq!(partitions[0]["size"], layout.sectors, "{layout:?}");
    if layout.table == Table::Gpt && layout.sector == 512 {
        let told = output("sgdisk", &["-v", &path]);
        assert!(told.contains("No problems found"), "{told}");
    }
}

fn have(program: &str) -> bool {
    let there = Command::new(program).arg("--version").output().is_ok();
    if !there {
        not_run(&format!("there is no {program}"));
    }
    there
}

#[test]
fn tables_at_the_edges_are_read_by_other_programs() {
    if !have("sfdisk") || !have("sgdisk") {
        return;
    }
    for (capacity, sector, table) in [
        (16 << 20, 512, Table::Mbr),
        (16 << 20, 512, Table::Gpt),
        ((16 << 20) + 512, 512, Table::Gpt),
        (2 << 40, 512, Table::Auto),
        ((2 << 40) + 512, 512, Table::Auto),
        (8 << 40, 512, Table::Gpt),
        (12_000_138_625_024, 512, Table::Auto),
        (8 << 40, 4096, Table::Gpt),
        (500_107_862_016, 4096, Table::Mbr),
    ] {
        for filesystem in [FileSystem::Ext4, FileSystem::Exfat, FileSystem::Swap] {
            let layout = plan(capacity, sector, &request(filesystem, table, 0, "")).unwrap();
            sfdisk_agrees(&layout, filesystem);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn any_table_is_read_equal_by_sfdisk_and_sgdisk(
        sectors in (16_u64 << 20) / 512..(6_u64 << 40) / 512,
        wide: bool,
        gpt: bool,
        random: [u8; 32],
    ) {
        if !have("sfdisk") || !have("sgdisk") {
            return Ok(());
        }
        let sector = if wide { 4096 } else { 512 };
        let capacity = (sectors * 512).next_multiple_of(u64::from(sector));
        let table = if gpt { Table::Gpt } else { Table::Auto };
        let layout = plan(capacity, sector, &request(FileSystem::Ext4, table, 0, "")).unwrap();
        sfdisk_agrees(&layout, FileSystem::Ext4);
        let ids = Ids::from_random(random);
        prop_assert_eq!((ids.disk[7] >> 4, ids.disk[8] >> 6), (4, 2));
        prop_assert!(encode(&layout, FileSystem::Ext4, &ids).is_ok());
    }
}
