//! The sandbox of a unit, made by its own process between fork and exec: a private `/dev`, the machine to be read only and
//! without what is others', few capabilities, its user.

mod users;

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};

pub use self::users::Users;
use super::users::{self as names, User};
use crate::boot::data::journals::JOURNAL;
use crate::unit::{CAPABILITIES, Devices};

/// The network's settings, and no others.
const NETWORK: &str = "/proc/sys/net";
/// What the network sees of `/run` besides its own folder: where dhcpcd listens to PID 1's helper, and chrony to the hook.
const OF_NETWORK: [&str; 2] = ["/run/dhcpcd", "/run/kiln/time"];
/// What every unit sees of it.
const NOTIFY: &str = "/run/kiln/notify.sock";
/// What is others': sockets, credentials and PID 1's notes; files in use; stores, keys and what is kept over restarts.
const OTHERS: [&str; 3] = ["/run", "/tmp", "/var/lib/kiln"];
/// Where users' names stand.
const PASSWD: &str = "/etc/passwd";
/// Where the `/dev` of units is put together.
const DEV_STAGING: &str = "/run/kiln/dev";
/// It is whole.
const DEV_MADE: &str = "/run/kiln/dev-made";
/// Character devices of a private `/dev`: name, major, minor, mode (devices.txt of the kernel).
const NODES: [(&str, u64, u64, u32); 8] = [
    ("null", 1, 3, 0o666),
    ("zero", 1, 5, 0o666),
    ("full", 1, 7, 0o666),
    ("random", 1, 8, 0o666),
    ("urandom", 1, 9, 0o666),
    ("kmsg", 1, 11, 0o600),
    ("tty", 5, 0, 0o666),
    ("console", 5, 1, 0o600),
];

/// A mount namespace of its own, which still follows what PID 1 mounts.
///
/// # Errors
/// The kernel refused.
pub fn own_mounts() -> io::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    let flags = MsFlags::MS_REC | MsFlags::MS_SLAVE;
    mount(None::<&str>, "/", None::<&str>, flags, None::<&str>)?;
    Ok(())
}

/// What a unit sees of the root, of `/proc` and of `/sys`, and whether it sees what is others' ([`OTHERS`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Machine {
    /// As it is: the agent, which has to write below `/sys`, and whoever is not root and so can write none of it.
    AsItIs,
    /// To be read only, and nothing that is others'.
    ReadOnly,
    /// The same but for `/proc/sys/net` and [`OF_NETWORK`].
    ButNetwork,
}

impl Machine {
    /// For a unit of this user, with these capabilities, that sees block devices or not.
    pub fn of(uid: u32, capabilities: u64, devices: Devices) -> Self {
        let net = CAPABILITIES.iter().position(|c| *c == "CAP_NET_ADMIN");
        match (uid, devices) {
            (1.., _) | (_, Devices::Block) => Self::AsItIs,
            (0, Devices::None) if net.is_some_and(|n| capabilities & 1 << n != 0) => Self::ButNetwork,
            (0, Devices::None) => Self::ReadOnly,
        }
    }

    /// Makes it so in the mount namespace of the caller. Root's files are root's programs (`/init`) and the kernel's settings
    /// (`core_pattern`, `sysrq-trigger`), whatever capabilities a unit of root's has; so are the gate's key, others'
    /// credentials and the folder of the socket at which the agent looks for the server. `own`: its folder below `/run`.
    ///
    /// # Errors
    /// The kernel refused; the process must end then.
    pub fn make(self, own: Option<&Path>) -> io::Result<()> {
        let tight = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        let to_read = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY | tight;
        let read_only = |at: &str, more| mount(None::<&str>, at, None::<&str>, to_read | more, None::<&str>);
        let others: &[&str] = match self {
            Self::AsItIs => return Ok(()),
            Self::ReadOnly => &[],
            // A mount of its own over that folder; what is done to `/proc` is not done to it.
            Self::ButNetwork => {
                mount(Some(NETWORK), NETWORK, None::<&str>, MsFlags::MS_BIND, None::<&str>)?;
                &OF_NETWORK
            }
        };
        for (at, more) in [
            ("/", MsFlags::empty()),
            ("/proc", MsFlags::MS_NOEXEC),
            ("/sys", MsFlags::MS_NOEXEC),
        ] {
            read_only(at, more)?;
        }
        for at in ["/sys/fs/cgroup", "/sys/fs/pstore"] {
            match read_only(at, MsFlags::MS_NOEXEC) {
                // It is no mount of its own, or not there: a part of `/sys`.
                Ok(()) | Err(Errno::EINVAL | Errno::ENOENT) => {}
                Err(e) => return Err(e.into()),
            }
        }
        let shown = others.iter().map(|at| Path::new(*at)).chain(own);
        hide(shown.chain([Path::new(NOTIFY)]))
    }
}

/// Covers what is others', but for what is shown of `/run`. What PID 1 mounts there later comes below the cover
/// (`attach_recursive_mnt` in fs/namespace.c), so it stays hidden.
fn hide<'a>(shown: impl Iterator<Item = &'a Path>) -> io::Result<()> {
    let mut held = Vec::new();
    for at in shown {
        match File::options().read(true).custom_flags(libc::O_PATH).open(at) {
            Ok(file) => held.push((at, file)),
            // What is not there is not shown.
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
    }
    let tight = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let empty = Some("mode=755,size=64k,nr_inodes=32");
    for at in OTHERS {
        mount(Some("tmpfs"), at, Some("tmpfs"), tight, empty)?;
    }
    for (at, file) in held {
        if let Some(folder) = at.parent() {
            fs::create_dir_all(folder)?;
        }
        match file.metadata()?.is_dir() {
            true => fs::create_dir(at)?,
            false => drop(File::create(at)?),
        }
        let source = format!("/proc/self/fd/{}", file.as_raw_fd());
        mount(Some(source.as_str()), at, None::<&str>, MsFlags::MS_BIND, None::<&str>)?;
    }
    let to_read = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY | tight;
    for at in OTHERS {
        mount(None::<&str>, at, None::<&str>, to_read, None::<&str>)?;
    }
    Ok(())
}

/// Takes every capability that is not in `mask` away from this process, makes it `user`, and closes the way back.
///
/// # Errors
/// The kernel refused one of the steps; the process must end then.
pub fn drop_privileges(user: User, mask: u64) -> io::Result<()> {
    const SECUREBITS_NONE: libc::c_ulong = 0;
    let check = |r: libc::c_int| if r < 0 { Err(io::Error::last_os_error()) } else { Ok(()) };
    for cap in 0..64 {
        if mask & (1 << cap) == 0 {
            // SAFETY: removes one capability from this process's bounding set; an unknown one is answered with EINVAL.
            let r = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, cap, 0, 0, 0) };
            if r < 0 {
                break;
            }
        }
    }
    if user.uid != 0 {
        // SAFETY: keeps permitted capabilities over the change of user.
        check(unsafe { libc::prctl(libc::PR_SET_KEEPCAPS, 1, SECUREBITS_NONE, 0, 0) })?;
    }
    // SAFETY: an empty group list.
    check(unsafe { libc::setgroups(0, std::ptr::null()) })?;
    // SAFETY: plain numbers.
    check(unsafe { libc::setresgid(user.gid, user.gid, user.gid) })?;
    // SAFETY: plain numbers.
    check(unsafe { libc::setresuid(user.uid, user.uid, user.uid) })?;
    set_capabilities(mask)?;
    if user.uid != 0 {
        for cap in (0..64).filter(|c| mask & (1 << c) != 0) {
            // SAFETY: raises one ambient capability that is permitted and inheritable.
            check(unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE, cap, 0, 0) })?;
        }
    }
    // SAFETY: a one-way flag of this process.
    check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })
}

/// `capset(2)` with version 3 of its structures: two words each of effective, permitted, inheritable.
fn set_capabilities(mask: u64) -> io::Result<()> {
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    #[repr(C)]
    #[derive(Clone, Copy)]
    struct Data {
        effective: u32,
        permitted: u32,
        inheritable: u32,
    }
    let word = |n: u32| {
        let bits = u32::try_from(mask >> (32 * n) & 0xffff_ffff).unwrap_or(0);
        Data {
            effective: bits,
            permitted: bits,
            inheritable: bits,
        }
    };
    let header = Header {
        version: 0x2008_0522,
        pid: 0,
    };
    let data = [word(0), word(1)];
    // SAFETY: both structures have the layout of linux/capability.h version 3 and outlive the call.
    if unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Gives a folder to a user; what lies directly in it too, since the user's number may have changed.
pub fn own(dir: &Path, user: User) -> io::Result<()> {
    std::os::unix::fs::chown(dir, Some(user.uid), Some(user.gid))?;
    for entry in fs::read_dir(dir)?.flatten() {
        let _ = std::os::unix::fs::lchown(entry.path(), Some(user.uid), Some(user.gid));
    }
    Ok(())
}

/// Covers the machine's `/dev` by one that has no block device, in the mount namespace of the caller.
///
/// It is the one that PID 1 has made, so that a start of a unit does not make it anew; without that, one of its own.
///
/// # Errors
/// The kernel refused; the process must end then.
pub fn private_dev() -> io::Result<()> {
    let how = if Path::new(DEV_MADE).exists() {
        MsFlags::MS_BIND | MsFlags::MS_REC
    } else {
        make_dev()?;
        MsFlags::MS_MOVE
    };
    mount(Some(DEV_STAGING), "/dev", None::<&str>, how, None::<&str>)?;
    Ok(())
}

/// In PID 1, once a boot: makes the `/dev` of all units, which none of them can change.
///
/// # Errors
/// The kernel refused; each unit makes its own then.
pub fn prepare_dev() -> io::Result<()> {
    make_dev()?;
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    mount(None::<&str>, DEV_STAGING, None::<&str>, flags, None::<&str>)?;
    fs::write(DEV_MADE, "")
}

/// Puts a `/dev` together that has no block device, at [`DEV_STAGING`].
fn make_dev() -> io::Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    mount(
        Some("tmpfs"),
        DEV_STAGING,
        Some("tmpfs"),
        flags,
        Some("mode=755,size=64k,nr_inodes=64"),
    )?;
    let old = nix::sys::stat::umask(Mode::empty());
    let at = |name: &str| format!("{DEV_STAGING}/{name}");
    for (name, major, minor, mode) in NODES {
        mknod(
            at(name).as_str(),
            SFlag::S_IFCHR,
            Mode::from_bits_truncate(mode),
            makedev(major, minor),
        )?;
    }
    // Reading it asks for CAP_SYSLOG besides (`kernel.dmesg_restrict`).
    if let Some(journal) = names::find(Path::new(PASSWD), JOURNAL) {
        std::os::unix::fs::chown(at("kmsg"), Some(journal.uid), Some(journal.gid))?;
    }
    for dir in ["pts", "shm"] {
        fs::create_dir(at(dir))?;
    }
    mount(
        Some("devpts"),
        at("pts").as_str(),
        Some("devpts"),
        flags,
        Some("newinstance,ptmxmode=0666,mode=620"),
    )?;
    for (link, to) in [
        ("ptmx", "pts/ptmx"),
        ("fd", "/proc/self/fd"),
        ("stdin", "fd/0"),
        ("stdout", "fd/1"),
        ("stderr", "fd/2"),
    ] {
        std::os::unix::fs::symlink(to, at(link))?;
    }
    nix::sys::stat::umask(old);
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    fn tmpfs(at: &str) -> io::Result<()> {
        Ok(mount(Some("tmpfs"), at, Some("tmpfs"), MsFlags::empty(), None::<&str>)?)
    }

    /// Mounts of the caller's own, with the state folder of a box, which another machine lacks.
    fn mounts_of_a_box() -> io::Result<()> {
        own_mounts()?;
        tmpfs("/var/lib")?;
        fs::create_dir("/var/lib/kiln")
    }

    #[test]
    fn what_is_to_be_read_only_takes_no_writes_and_the_networks_settings_are_as_they_were() {
        const SETTING: &str = "/proc/sys/kernel/core_pattern";
        const OF_SYS: &str = "/sys/kernel/rcu_expedited";
        const OF_NETWORK: &str = "/proc/sys/net/ipv4/ip_forward";
        let writes = |at: &str| fs::OpenOptions::new().write(true).open(at).map(drop);
        let refused = |r: io::Result<()>| r.is_err_and(|e| e.raw_os_error() == Some(libc::EROFS));
        // A kernel may have been built without one of them.
        let refused_if_there = |at: &str, r| !Path::new(at).exists() || refused(r);
        for machine in [Machine::ReadOnly, Machine::ButNetwork] {
            if machine == Machine::ButNetwork && !Path::new(NETWORK).exists() {
                continue;
            }
            let there = writes(OF_NETWORK).is_ok();
            // A thread has mounts of its own, too, and takes them along at its end.
            let seen = std::thread::spawn(move || {
                mounts_of_a_box()?;
                machine.make(None)?;
                Ok::<_, io::Error>([SETTING, OF_SYS, OF_NETWORK].map(writes))
            });
            let [setting, sys, net] = match seen.join().unwrap() {
                Ok(seen) => seen,
                // The latter: the root, or `/sys`, is no mount of its own, as in a chroot.
                Err(e) if matches!(e.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput) => {
                    return rig::not_run(&format!("mounts of one's own: {e}"));
                }
                Err(e) => panic!("{e}"),
            };
            assert!(refused_if_there(SETTING, setting), "{machine:?}");
            assert!(refused_if_there(OF_SYS, sys), "{machine:?}");
            assert_eq!(net.is_ok(), there && machine == Machine::ButNetwork, "{machine:?}");
            let (at, new) = ("/kiln-test-of-the-sandbox", move || {
                mounts_of_a_box()?;
                machine.make(None)?;
                fs::write("/kiln-test-of-the-sandbox", "")
            });
            assert!(refused(std::thread::spawn(new).join().unwrap()), "{machine:?}");
            assert!(!Path::new(at).exists());
        }
        assert!(!refused(fs::metadata(SETTING).map(drop)));
    }

    #[test]
    fn what_is_others_is_hidden_also_what_is_mounted_later_and_its_own_is_not() {
        let seen = std::thread::spawn(|| {
            // A machine of its own below: nothing here is touched.
            mounts_of_a_box()?;
            let shared = MsFlags::MS_REC | MsFlags::MS_SHARED;
            tmpfs("/run")?;
            tmpfs("/var/lib/kiln")?;
            mount(None::<&str>, "/", None::<&str>, shared, None::<&str>)?;
            fs::create_dir_all("/run/kiln/network")?;
            fs::create_dir_all("/run/kiln/credentials/agent")?;
            fs::write("/run/kiln/credentials/agent/agent-token", "")?;
            fs::write("/run/kiln/server.sock", "")?;
            fs::write(NOTIFY, "")?;
            fs::create_dir_all("/var/lib/kiln/server")?;
            fs::write("/var/lib/kiln/server/gate.key", "")?;
            let (hidden, is_hidden) = std::sync::mpsc::channel();
            let (moved, is_moved) = std::sync::mpsc::channel();
            let unit = std::thread::spawn(move || {
                let made =
                    own_mounts().and_then(|()| hide([Path::new("/run/kiln/network"), Path::new(NOTIFY)].into_iter()));
                hidden.send(()).unwrap();
                is_moved.recv().unwrap();
                made?;
                let gone = [
                    "/run/kiln/credentials",
                    "/run/kiln/server.sock",
                    "/run/kiln/data",
                    "/var/lib/kiln/server",
                ];
                let gone = gone.map(|at| Path::new(at).exists());
                let refused = ["/run/kiln/server.sock", "/var/lib/kiln/x", "/tmp/x"]
                    .map(|at| fs::write(at, "").map_err(|e| e.kind()));
                fs::write("/run/kiln/network/own", "")?;
                fs::write(NOTIFY, "told")?;
                Ok::<_, io::Error>((gone, refused))
            });
            is_hidden.recv().unwrap();
            // DATA moves, and one is mounted aside.
            nix::mount::umount2("/var/lib/kiln", nix::mount::MntFlags::MNT_DETACH)?;
            tmpfs("/var/lib/kiln")?;
            fs::create_dir_all("/var/lib/kiln/server")?;
            fs::create_dir_all("/run/kiln/data")?;
            tmpfs("/run/kiln/data")?;
            moved.send(()).unwrap();
            let seen = unit.join().unwrap()?;
            let own = Path::new("/run/kiln/network/own").exists() && fs::read(NOTIFY)? == b"told";
            Ok::<_, io::Error>((seen, own))
        });
        match seen.join().unwrap() {
            Ok(((gone, refused), own)) => {
                assert_eq!(gone, [false; 4]);
                assert_eq!(refused, [Err(io::ErrorKind::ReadOnlyFilesystem); 3]);
                assert!(own, "what it may write is the box's own");
            }
            Err(e) if matches!(e.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput) => {
                rig::not_run(&format!("mounts of one's own: {e}"));
            }
            Err(e) => panic!("{e}"),
        }
    }
}
