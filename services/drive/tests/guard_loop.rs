//! The guard on loop devices: everything that can be had without QEMU, on a real descriptor and a real kernel.
//!
//! Needs root and loop devices; says so where it has none. md, device-mapper, bcache and btrfs over real devices are in
//! the image's boot tests.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs::File;
use std::ops::Deref;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use drive::content::ContentKind;
use drive::guard::{Guard, Refusal};
use drive::probe::Prober;
use drive::{System, sysfs};
use rig::{Loops, not_run};
use wire::Bytes;

/// A loop device over a file that lies in `dir` as `image`; detached when dropped, before that is removed.
struct Loop {
    device: rig::Loop,
    dir: tempfile::TempDir,
}

impl Loop {
    /// Over a file of which `prepare` makes what it holds, as `$F`. `None`, and told, where loop devices cannot be had.
    fn new(prepare: &str) -> Option<Self> {
        Self::attached(&Loops::default(), prepare)
    }

    fn attached(how: &Loops, prepare: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image");
        File::create(&path).unwrap().set_len(64 << 20).unwrap();
        if !prepare.is_empty() {
            let done = Command::new("sh")
                .args(["-euc", prepare])
                .env("F", &path)
                .output()
                .unwrap();
            assert!(
                done.status.success(),
                "{prepare}: {}",
                String::from_utf8_lossy(&done.stderr)
            );
        }
        match how.over(&path) {
            Ok(device) => Some(Self { device, dir }),
            Err(why) => {
                not_run(&format!("the guard on loop devices: {why}"));
                None
            }
        }
    }

    fn identity(&self) -> drive::Identity {
        identity(&self.node)
    }

    /// Leaves only so many bytes behind it: from there on nothing can be read, and what the kernel remembers is forgotten.
    fn cut(&self, bytes: u64) {
        let image = File::options().write(true).open(self.dir.path().join("image")).unwrap();
        image.set_len(bytes).unwrap();
        let node = File::open(&self.node).unwrap();
        nix::fcntl::posix_fadvise(&node, 0, 0, nix::fcntl::PosixFadviseAdvice::POSIX_FADV_DONTNEED).unwrap();
    }

    fn open(&self, lose: &[ContentKind]) -> Result<drive::guard::Opened, Refusal> {
        guard(true).open_for_erase(&self.identity(), &self.node, lose)
    }

    fn refused(&self) -> (&'static str, String) {
        match self.open(&[]) {
            Ok(_) => ("free", String::new()),
            Err(refusal) => (refusal.kind(), refusal.view().reason),
        }
    }
}

impl Deref for Loop {
    type Target = rig::Loop;

    fn deref(&self) -> &rig::Loop {
        &self.device
    }
}

fn identity(node: &Path) -> drive::Identity {
    sysfs::read(&System::default(), node.file_name().unwrap().to_str().unwrap())
        .unwrap()
        .identity
}

fn guard(allow_loop: bool) -> Guard {
    Guard {
        prober: Prober::Program(env!("CARGO_BIN_EXE_kiln-drive").into()),
        allow_loop,
        deadline: std::time::Duration::from_mins(1),
        ..Guard::default()
    }
}

#[test]
fn a_drive_that_could_not_be_looked_at_is_refused() {
    let Some(device) = Loop::new("printf 'LUKS\\272\\276\\000\\001' | dd of=$F conv=notrunc status=none") else {
        return;
    };
    let probers = tempfile::tempdir().unwrap();
    let program = |name: &str, script: &str| {
        let path = probers.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        path
    };
    let other = r#"printf '{"look":{"number":[8,0],"look":{"content":{"state":"empty"},"members":[],"kiln":false}}}'"#;
    for (name, prober, why) in [
        ("late", program("late", "exec sleep 300"), "no answer in"),
        ("missing", probers.path().join("missing"), "starting"),
        ("mute", program("mute", "exit 1"), "does not answer probes"),
        (
            "failed",
            program("failed", r#"printf '{"failed":"looking at it: Out of memory"}'"#),
            "Out of memory",
        ),
        ("other", program("other", other), "the device is 8:0 now"),
    ] {
        let guard = Guard {
            prober: Prober::Program(prober),
            deadline: std::time::Duration::from_secs(if name == "late" { 1 } else { 60 }),
            ..guard(true)
        };
        let refusal = guard.open_for_erase(&device.identity(), &device.node, &[]).unwrap_err();
        let view = refusal.view();
        assert_eq!(view.kind, "no-look", "{name}: {view:?}");
        assert!(
            view.reason.contains(why) && view.reason.contains("try again"),
            "{name}: {view:?}"
        );
    }
}

fn run(program: &str, arguments: &[&str], node: &Path) -> bool {
    Command::new(program)
        .args(arguments)
        .arg(node)
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[test]
fn a_free_device_is_opened_exclusively_and_may_be_written() {
    let Some(device) = Loop::new("mke2fs -q -t ext4 -L old $F") else {
        return;
    };
    let opened = device.open(&[]).unwrap();
    assert_eq!(opened.identity, device.identity());
    assert_eq!(opened.look.content.words(), "ext4 \"old\"");
    guard(true).look_again(&opened.file, &opened.identity, &[]).unwrap();
    let second = File::options()
        .write(true)
        .custom_flags(libc::O_EXCL)
        .open(&device.node)
        .unwrap_err();
    assert_eq!(second.raw_os_error(), Some(libc::EBUSY));
    assert_eq!(device.refused().0, "exclusive");
    drop(opened);
    assert_eq!(device.refused().0, "free");
}

/// A formatter's checker opens the file system's partition and excludes nobody from the drive.
#[test]
fn a_device_whose_lock_another_holds_is_refused() {
    let Some(device) = Loop::new("") else { return };
    let other = File::open(&device.node).unwrap();
    other.lock().unwrap();
    assert_eq!(device.refused().0, "locked");
    // As udev has it for a moment, and as the guard itself asks.
    other.unlock().unwrap();
    other.lock_shared().unwrap();
    let opened = device.open(&[]).unwrap();
    other.unlock().unwrap();
    other.try_lock().unwrap();
    let refusal = guard(true).look_again(&opened.file, &opened.identity, &[]).unwrap_err();
    assert_eq!(refusal.kind(), "locked");
}

#[test]
fn without_permission_a_loop_device_is_refused() {
    let Some(device) = Loop::new("") else { return };
    let refusal = guard(false)
        .open_for_erase(&device.identity(), &device.node, &[])
        .unwrap_err();
    assert_eq!(refusal.kind(), "loop");
}

#[test]
fn another_drive_than_expected_is_refused_also_on_the_open_descriptor() {
    let Some(device) = Loop::new("") else { return };
    let mut other = device.identity();
    other.capacity = Bytes(1 << 20);
    let refusal = guard(true).open_for_erase(&other, &device.node, &[]).unwrap_err();
    assert_eq!(refusal.kind(), "other-drive");
    let opened = device.open(&[]).unwrap();
    assert_eq!(
        guard(true).look_again(&opened.file, &other, &[]).unwrap_err().kind(),
        "other-drive"
    );
}

/// A dry run asks all that a burn-in asks, and cannot write.
#[test]
fn a_drive_that_is_only_tried_is_held_by_a_descriptor_that_takes_no_writes() {
    let Some(device) = Loop::new("") else { return };
    let opened = guard(true)
        .try_for_erase(&device.identity(), &device.node, &[])
        .unwrap();
    let written = std::os::unix::fs::FileExt::write_at(&opened.file, &[0; 512], 0);
    assert_eq!(written.unwrap_err().raw_os_error(), Some(libc::EBADF));
    assert_eq!(device.refused().0, "exclusive", "it is held");
    drop(opened);
    let mut other = device.identity();
    other.capacity = Bytes(1 << 20);
    let refusal = guard(true).try_for_erase(&other, &device.node, &[]).unwrap_err();
    assert_eq!(refusal.kind(), "other-drive");
}

#[test]
fn fault_13_a_drive_exchanged_between_plan_and_start_is_refused() {
    let (Some(planned), Some(other)) = (Loop::new(""), Loop::new("")) else {
        return;
    };
    // What a node names is only where a drive happens to be: here it comes to name another one.
    let dir = tempfile::tempdir().unwrap();
    let node = dir.path().join("node");
    std::os::unix::fs::symlink(&planned.node, &node).unwrap();
    let identity = planned.identity();
    drop(guard(true).open_for_erase(&identity, &node, &[]).unwrap());
    std::fs::remove_file(&node).unwrap();
    std::os::unix::fs::symlink(&other.node, &node).unwrap();
    let refusal = guard(true).open_for_erase(&identity, &node, &[]).unwrap_err();
    assert!(matches!(refusal, Refusal::OtherDrive(_)), "{refusal}");
}

#[test]
fn a_mounted_file_system_is_refused_with_its_place() {
    let Some(device) = Loop::new("mke2fs -q -t ext4 $F") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().to_str().unwrap();
    if !Command::new("mount")
        .arg(&device.node)
        .arg(at)
        .stderr(Stdio::null())
        .status()
        .unwrap()
        .success()
    {
        not_run("the guard on a mounted loop device: mounting is not allowed here");
        return;
    }
    let refused = device.refused();
    assert!(run("umount", &[], dir.path()));
    assert_eq!(refused.0, "mounted");
    assert!(refused.1.contains(at), "{}", refused.1);
    assert_eq!(device.refused().0, "free");
}

/// A process in its own mount namespace, where `node` is mounted; ends when its input closes.
fn mount_elsewhere(node: &Path, at: &Path) -> Option<Child> {
    use std::io::{BufRead, BufReader};
    let script = r#"mount "$0" "$1" && echo mounted && read x"#;
    let mut child = Command::new("unshare")
        .args(["--mount", "--propagation", "private", "sh", "-c", script])
        .args([node, at])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut()?).read_line(&mut line).ok()?;
    if line.trim() == "mounted" {
        return Some(child);
    }
    let _status = child.wait();
    None
}

#[test]
fn fault_13_a_mount_in_another_namespace_is_refused_with_its_process() {
    let Some(device) = Loop::new("mke2fs -q -t ext4 $F") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let Some(mut child) = mount_elsewhere(&device.node, dir.path()) else {
        not_run("the guard on a mount elsewhere: no mount namespaces here");
        return;
    };
    let refused = device.refused();
    drop(child.stdin.take());
    child.wait().unwrap();
    assert_eq!(refused.0, "mounted", "{}", refused.1);
    assert!(refused.1.contains("mount namespace of process"), "{}", refused.1);
}

#[test]
fn fault_13_active_swap_is_refused() {
    let Some(device) = Loop::new("mkswap -q $F") else {
        return;
    };
    if !run("swapon", &[], &device.node) {
        not_run("the guard on a swapped loop device: swapping is not allowed here");
        return;
    }
    let refused = device.refused();
    assert!(run("swapoff", &[], &device.node));
    assert_eq!(refused.0, "swap", "{}", refused.1);
}

#[test]
fn a_write_protected_device_is_refused() {
    let Some(device) = Loop::attached(&Loops::default().read_only(), "") else {
        return;
    };
    assert_eq!(device.refused().0, "write-protected");
}

#[test]
fn a_device_behind_another_loop_device_is_refused() {
    let Some(device) = Loop::new("") else { return };
    let upper = rig::Loop::over(&device.node).unwrap();
    let refused = device.refused();
    drop(upper);
    assert_eq!(refused.0, "loop-backing", "{}", refused.1);
}

/// Attaches another loop device over this path, tells how the guard judges it, and detaches it.
fn refused_over(path: &Path) -> (&'static str, String) {
    let upper = rig::Loop::over(path).unwrap();
    match guard(true).open_for_erase(&identity(&upper.node), &upper.node, &[]) {
        Ok(_) => ("free", String::new()),
        Err(refusal) => (refusal.kind(), refusal.view().reason),
    }
}

/// What is mounted on the drive below is not mounted on this one.
#[test]
fn a_loop_device_over_a_drive_is_refused_and_names_that() {
    let Some(device) = Loop::new("mke2fs -q -t ext4 $F") else {
        return;
    };
    let refused = refused_over(&device.node);
    assert_eq!(refused.0, "loop-backing", "{}", refused.1);
    let below = device.node.file_name().unwrap().to_str().unwrap();
    assert!(refused.1.contains(&format!("{below}; name that")), "{}", refused.1);
}

#[test]
fn a_loop_device_over_the_file_of_another_one_is_refused_and_names_that() {
    let Some(device) = Loop::new("") else { return };
    let linked = device.dir.path().join("linked");
    std::fs::hard_link(device.dir.path().join("image"), &linked).unwrap();
    let refused = refused_over(&linked);
    assert_eq!(refused.0, "loop-backing", "{}", refused.1);
    let other = device.node.file_name().unwrap().to_str().unwrap();
    assert!(
        refused.1.starts_with(&format!("{other} is backed by the same file")),
        "{}",
        refused.1
    );
    assert_eq!(device.refused().0, "free", "once the other is gone");
}

/// A node may be made anywhere, and be gone again: the loop driver holds the device.
#[test]
fn a_device_behind_another_loop_device_by_another_node_is_refused() {
    let Some(device) = Loop::new("") else { return };
    let dir = tempfile::tempdir().unwrap();
    let other = dir.path().join("elsewhere");
    let number = std::os::unix::fs::MetadataExt::rdev(&std::fs::metadata(&device.node).unwrap());
    let (major, minor) = (libc::major(number).to_string(), libc::minor(number).to_string());
    let made = Command::new("mknod")
        .arg(&other)
        .args(["b", &major, &minor])
        .status()
        .unwrap();
    assert!(made.success());
    let upper = rig::Loop::over(&other).unwrap();
    let by_node = device.refused();
    std::fs::remove_file(&other).unwrap();
    let by_driver = device.refused();
    drop(upper);
    for refused in [by_node, by_driver] {
        assert_eq!(refused.0, "loop-backing", "{}", refused.1);
    }
}

#[test]
fn members_are_refused_unless_the_plan_names_them() {
    let luks = "echo pw | cryptsetup -q luksFormat --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 $F";
    let Some(device) = Loop::new(luks) else { return };
    let (kind, reason) = device.refused();
    assert_eq!(kind, "luks", "{reason}");
    assert!(device.open(&[ContentKind::Md]).is_err());
    device.open(&[ContentKind::Luks]).unwrap();
}

/// Docks and controllers change the size of sectors, and with it where a firmware looks.
#[test]
fn a_firmware_raid_made_in_sectors_of_another_size_is_a_member() {
    for (sector, before) in [(4096, 1024), (512, 8192)] {
        let put = format!(
            "printf 'Intel Raid ISM Cfg Sig. 1.0.00' | dd of=$F bs=1 seek={} conv=notrunc status=none",
            (64 << 20) - before
        );
        let Some(device) = Loop::attached(&Loops::default().sector(sector), &put) else {
            return;
        };
        let (kind, reason) = device.refused();
        assert_eq!(kind, "md-member", "{sector}: {reason}");
        device.open(&[ContentKind::Md]).unwrap();
    }
}

/// What is no whole sector no read reaches: it is no part of the drive, and no unreadable place of it.
#[test]
fn a_drive_with_a_part_of_a_sector_behind_its_last_one_is_readable() {
    let more = "truncate -s $(( (64 << 20) + 512 )) $F";
    let Some(device) = Loop::attached(&Loops::default().sector(4096), more) else {
        return;
    };
    assert_eq!(device.open(&[]).unwrap().look.content, wire::drive::Content::Empty);
}

/// Signatures of other kinds stand at the end of a drive: that these cannot be read hides none of those that can.
#[test]
fn a_member_with_an_unreadable_end_is_still_a_member() {
    let luks = "echo pw | cryptsetup -q luksFormat --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 $F";
    let Some(device) = Loop::new(luks) else { return };
    device.cut((64 << 20) - (64 << 10));
    let mut end = [0; 512];
    let file = File::open(&device.node).unwrap();
    let read = std::os::unix::fs::FileExt::read_exact_at(&file, &mut end, (64 << 20) - 512);
    assert!(read.is_err(), "the end of the device can be read");
    drop(file);
    let (kind, reason) = device.refused();
    assert_eq!(kind, "luks", "{reason}");
}

/// The same of one whose table counts in sectors of another size.
#[test]
fn a_member_by_a_table_of_another_dock_is_seen_beside_an_unreadable_end() {
    let tail = "truncate -s 8M $F.inner
echo pw | cryptsetup -q luksFormat --type luks1 --pbkdf-force-iterations 1000 $F.inner
dd if=$F.inner of=$F bs=1M seek=32 conv=notrunc status=none";
    let (primary, logical) = (
        "o n p 1 8192 12000 w",
        // Two logical ones, the second at 32 MiB: its table stands in front of it.
        "o n e 1 2048 15000 n l 2304 2600 n l 8192 12000 w",
    );
    for keys in [primary, logical] {
        let keys = keys.replace(' ', "\\n");
        let make = format!("printf '{keys}\\n' | fdisk -w always -b 4096 $F\n{tail}");
        let Some(device) = Loop::new(&make) else { return };
        device.cut((64 << 20) - (64 << 10));
        let (kind, reason) = device.refused();
        assert_eq!(kind, "luks", "{keys}: {reason}");
    }
}

/// An MBR with an extended partition, whose second logical one is LUKS.
const CHAINED: &str = "printf 'label: dos\nstart=2048, size=2048, type=83\nstart=16384, size=106496, type=5\nstart=18432, size=2048, type=83\nstart=65536, size=16384, type=83\n' | sfdisk -q --no-tell-kernel $F
truncate -s 8M $F.inner
echo pw | cryptsetup -q luksFormat --type luks1 --pbkdf-force-iterations 1000 $F.inner
dd if=$F.inner of=$F bs=512 seek=65536 conv=notrunc status=none";

/// The chain of an extended partition stands in the middle of the disk: where it breaks, what the table names is not known, which is
/// not the same as nothing.
#[test]
fn a_table_that_cannot_be_read_to_its_end_is_not_none() {
    let Some(device) = Loop::new(CHAINED) else { return };
    let entries = || {
        let file = File::open(&device.node).unwrap();
        let mut probe = drive::blkid::Probe::new(&file, 0, 64 << 20, 512).unwrap();
        probe.partitions().map(|all| all.len())
    };
    assert_eq!(entries().unwrap(), 4);
    device.cut(16 << 20);
    let error = entries().unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EIO), "{error}");
    // Of the logical ones nobody knows what they are.
    let (kind, reason) = device.refused();
    assert_eq!(kind, "unseen-member", "{reason}");
}

/// That the end of the disk cannot be read hides no member of a logical partition.
#[test]
fn a_member_in_a_logical_partition_is_seen_beside_an_unreadable_end() {
    // Also of an extended partition that reaches beyond the disk.
    let beyond = format!(
        "truncate -s 80M $F; {}; truncate -s 64M $F",
        CHAINED.replace("106496", "131072")
    );
    for make in [CHAINED, &beyond] {
        let Some(device) = Loop::new(make) else { return };
        let (kind, reason) = device.refused();
        assert_eq!(kind, "luks", "{reason}");
        device.cut((64 << 20) - (64 << 10));
        let (kind, reason) = device.refused();
        assert_eq!(kind, "luks", "{reason}");
    }
}

/// Holds `$0` open for writing until there is `$1`.
const OPEN: &str = r#"exec 7<>"$0"; echo $$; while [ ! -e "$1" ]; do sleep 0.1; done"#;

/// The same by a mapping, whose descriptor is closed. It is mapped for reading; such a one can be made writable at any time.
const MAPPED: &str = r#"exec python3 -c '
import ctypes, os, sys, time
c = ctypes.CDLL(None, use_errno=True)
c.mmap.restype = ctypes.c_void_p
c.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
fd = os.open(sys.argv[1], os.O_RDWR)
assert c.mmap(None, 4096, 1, 1, fd, 0) != ctypes.c_void_p(-1).value
os.close(fd)
print(os.getpid(), flush=True)
while not os.path.exists(sys.argv[2]): time.sleep(0.1)
' "$0" "$1""#;

/// A thread has it open; the first one has ended, and with it what is told of the process itself.
const BY_A_THREAD_ALONE: &str = r#"exec python3 -c '
import ctypes, os, platform, sys, threading, time
def hold():
    fd = os.open(sys.argv[1], os.O_RDWR)
    while open("/proc/self/stat").read().rsplit(")", 1)[1].split()[0] != "Z": time.sleep(0.01)
    print(os.getpid(), flush=True)
    while not os.path.exists(sys.argv[2]): time.sleep(0.1)
    os._exit(0)
threading.Thread(target=hold).start()
ctypes.CDLL(None).syscall(60 if platform.machine() == "x86_64" else 93, 0)
' "$0" "$1""#;

/// A thread has it open in a table of descriptors of its own; 200 others share that of the process.
const BY_A_THREAD_APART: &str = r#"exec python3 -c '
import ctypes, os, sys, threading, time
done = lambda: os.path.exists(sys.argv[2])
def wait():
    while not done(): time.sleep(0.1)
def hold():
    assert ctypes.CDLL(None).unshare(0x400) == 0
    fd = os.open(sys.argv[1], os.O_RDWR)
    print(os.getpid(), flush=True)
    wait()
for n in range(200): threading.Thread(target=wait).start()
threading.Thread(target=hold).start()
' "$0" "$1""#;

/// How a device is judged while a process that this one started has `node` open for writing, how once that is nobody's
/// child any more, and which process it is.
fn held_open(device: &Loop, node: &Path, how: &str) -> [(&'static str, String); 2] {
    // A process that this one started is its own: it is another's once its parent has ended.
    let script = r#"sh -c "$2" "$0" "$1" & read x"#;
    let dir = tempfile::tempdir().unwrap();
    let done = dir.path().join("done");
    let mut parent = Command::new("setsid")
        .args(["sh", "-c", script])
        .arg(node)
        .arg(&done)
        .arg(how)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pid = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(parent.stdout.as_mut().unwrap()), &mut pid).unwrap();
    assert!(pid.trim().parse::<u32>().is_ok(), "{} was not opened", node.display());
    let mine = device.refused();
    drop(parent.stdin.take());
    parent.wait().unwrap();
    let refused = device.refused();
    std::fs::write(&done, "").unwrap();
    while Path::new(&format!("/proc/{}", pid.trim())).exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert!(refused.1.contains(&format!("process {}", pid.trim())), "{refused:?}");
    [mine, refused]
}

/// Without `O_EXCL` the kernel lets any number of processes write to a whole disk: virtual machines, databases, `dd`.
#[test]
fn a_device_that_another_process_has_open_for_writing_is_refused_and_one_that_is_read_is_not() {
    let Some(device) = Loop::attached(&Loops::default().partitions(), "sgdisk -o -n 1:0:+16M $F") else {
        return;
    };
    // A container has nodes of its own.
    let elsewhere = device.dir.path().join("disk");
    let minor = device.node.to_str().unwrap().trim_start_matches("/dev/loop");
    assert!(run("sh", &["-c", &format!("mknod \"$0\" b 7 {minor}")], &elsewhere));
    let mut nodes = vec![device.node.as_path(), elsewhere.as_path()];
    if let Err(error) = File::open(&elsewhere) {
        // Temporary folders may be mounted without devices.
        not_run(&format!("a node of its own in {}: {error}", elsewhere.display()));
        nodes.pop();
    }
    let opened = nodes.into_iter().map(|node| (node, OPEN));
    // The descriptor is closed again; the mapping stays.
    let mapped = BY_A_THREAD_ALONE.replace(
        "os.O_RDWR)",
        "os.O_RDWR); c = ctypes.CDLL(None); c.mmap.restype = ctypes.c_void_p; c.mmap(None, 4096, 3, 1, fd, ctypes.c_long(0)); os.close(fd)",
    );
    let others = [MAPPED, BY_A_THREAD_ALONE, BY_A_THREAD_APART, &mapped];
    for (node, how) in opened.chain(others.map(|how| (device.node.as_path(), how))) {
        let [mine, refused] = held_open(&device, node, how);
        assert_eq!(mine.0, "free", "{}", mine.1);
        assert_eq!(refused.0, "open-for-writing", "{}", refused.1);
    }

    let mut reader = Command::new("sh")
        .args(["-c", r#"exec 7< "$0"; echo open; read x"#])
        .arg(&device.node)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut word = [0; 5];
    std::io::Read::read_exact(reader.stdout.as_mut().unwrap(), &mut word).unwrap();
    let read = device.refused();
    drop(reader.stdin.take());
    reader.wait().unwrap();
    assert_eq!(read.0, "free", "{}", read.1);
}

/// Behind a dock's back: the device stays, and the kernel still has the pages of the drive that was there before.
#[test]
fn what_was_put_there_behind_the_kernels_back_is_seen() {
    let Some(device) = Loop::new("") else { return };
    let opened = device.open(&[]).unwrap();
    assert_eq!(opened.look.content, wire::drive::Content::Empty);
    assert!(run(
        "mkfs.ext4",
        &["-q", "-F", "-L", "photos"],
        &device.dir.path().join("image")
    ));
    let look = guard(true).look_again(&opened.file, &device.identity(), &[]).unwrap();
    assert!(look.content.words().contains("photos"), "{:?}", look.content);
}

#[test]
fn a_partition_and_a_plain_file_are_refused() {
    let Some(device) = Loop::attached(&Loops::default().partitions(), "sgdisk -o -n 1:0:+16M $F") else {
        return;
    };
    let identity = device.identity();
    let name = device.node.file_name().unwrap().to_str().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let partition = dir.path().join("partition");
    let number = std::fs::read_to_string(format!("/sys/block/{name}/{name}p1/dev"));
    match number.map(|number| number.trim().replace(':', " ")) {
        // No udev makes the node here, so the test does.
        Ok(number) if run("sh", &["-c", &format!("mknod \"$0\" b {number}")], &partition) => {
            assert_eq!(
                guard(true)
                    .open_for_erase(&identity, &partition, &[])
                    .unwrap_err()
                    .kind(),
                "partition"
            );
        }
        Ok(_) | Err(_) => not_run("the guard on a partition node: this kernel reads no partition tables"),
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    assert_eq!(
        guard(true)
            .open_for_erase(&identity, file.path(), &[])
            .unwrap_err()
            .kind(),
        "not-a-block-device"
    );
    let gone = guard(true)
        .open_for_erase(&identity, Path::new("/dev/no-such-drive"), &[])
        .unwrap_err();
    assert_eq!(gone.kind(), "open");
}
