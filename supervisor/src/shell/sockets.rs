//! Listening sockets of units: opened once by PID 1 and kept, so that a killed service loses no connection.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};

use super::paths::Paths;
use super::users;
use crate::handover::fds;
use crate::unit::{Address, Listen};

/// Connections that wait while the service is away.
const BACKLOG: i32 = 512;
/// Receive buffer of a datagram socket, in bytes: a burst of logs while the journal restarts.
const DATAGRAM_BUFFER: usize = 8 << 20;

/// Opens one socket. Descriptors are close-on-exec; `spawn` clears that for the owner.
///
/// # Errors
/// It could not be made, bound or listened on.
pub fn open(listen: &Listen, paths: &Paths) -> io::Result<OwnedFd> {
    match &listen.address {
        Address::Tcp(addr) => tcp(*addr),
        Address::Stream(path) => {
            let path = fresh(&paths.at(path))?;
            let s = UnixListener::bind(&path)?;
            mode(&path, listen.mode)?;
            own(&path, listen, paths)?;
            Ok(s.into())
        }
        Address::Datagram(path) => {
            let path = fresh(&paths.at(path))?;
            let s = UnixDatagram::bind(&path)?;
            mode(&path, listen.mode)?;
            own(&path, listen, paths)?;
            nix::sys::socket::setsockopt(&s, nix::sys::socket::sockopt::PassCred, &true)?;
            // Of two lines with the same words it tells which one it is (`drain::head`).
            nix::sys::socket::setsockopt(&s, nix::sys::socket::sockopt::ReceiveTimestampns, &true)?;
            let _ = nix::sys::socket::setsockopt(&s, nix::sys::socket::sockopt::RcvBufForce, &DATAGRAM_BUFFER);
            Ok(s.into())
        }
    }
}

/// Whether an open descriptor is this socket: how PID 1 knows its own again when it has lost its notes.
pub fn is(fd: BorrowedFd<'_>, listen: &Listen, paths: &Paths) -> bool {
    match &listen.address {
        Address::Tcp(addr) => {
            let own = nix::sys::socket::getsockname::<nix::sys::socket::SockaddrStorage>(fd.as_raw_fd());
            fds::listens(fd) && own.is_ok_and(|a| a == nix::sys::socket::SockaddrStorage::from(*addr))
        }
        Address::Stream(path) => fds::listens(fd) && fds::unix_path(fd) == Some(paths.at(path)),
        Address::Datagram(path) => !fds::listens(fd) && fds::unix_path(fd) == Some(paths.at(path)),
    }
}

fn fresh(path: &Path) -> io::Result<PathBuf> {
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    match std::fs::symlink_metadata(path) {
        // Left behind by an earlier run.
        Ok(found) if found.file_type().is_socket() => std::fs::remove_file(path)?,
        Ok(_) => {
            let told = format!("{} is there and is no socket: it is left alone", path.display());
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, told));
        }
        Err(_) => {}
    }
    Ok(path.to_owned())
}

/// Gives a path socket to the user that its unit file names; below a root everything is ours, and the name is only looked up.
fn own(path: &Path, listen: &Listen, paths: &Paths) -> io::Result<()> {
    let Some(name) = listen.user.as_deref() else {
        return Ok(());
    };
    let user = users::find(&paths.at(Path::new("/etc/passwd")), name)
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("user {name:?} is not in /etc/passwd")))?;
    match paths.is_box() {
        true => std::os::unix::fs::chown(path, Some(user.uid), Some(user.gid)),
        false => Ok(()),
    }
}

fn mode(path: &Path, mode: u32) -> io::Result<()> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

fn tcp(addr: std::net::SocketAddr) -> io::Result<OwnedFd> {
    use nix::sys::socket::{
        AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, bind, listen, setsockopt, socket, sockopt,
    };
    let family = if addr.is_ipv4() {
        AddressFamily::Inet
    } else {
        AddressFamily::Inet6
    };
    let fd = match socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None) {
        // A kernel without IPv6: `[::]` means everybody there, too.
        Err(nix::errno::Errno::EAFNOSUPPORT) if addr.is_ipv6() && addr.ip().is_unspecified() => {
            return tcp((std::net::Ipv4Addr::UNSPECIFIED, addr.port()).into());
        }
        made => made?,
    };
    setsockopt(&fd, sockopt::ReuseAddr, &true)?;
    bind(fd.as_raw_fd(), &SockaddrStorage::from(addr))?;
    listen(&fd, Backlog::new(BACKLOG).unwrap_or(Backlog::MAXCONN))?;
    Ok(fd)
}

/// Where the sockets that become units' standard outputs are bound, each to its unit's name: beside the one that they are
/// connected to. A process that has ended, and was reaped, before the log reads its last words is known by that alone.
pub fn outputs(stdout: &Path) -> PathBuf {
    stdout.with_file_name("out")
}

/// Makes that folder, in which nobody but root may bind or look.
///
/// # Errors
/// It could not be made.
pub fn make_outputs(stdout: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(outputs(stdout))
}

/// A datagram socket connected to `path` and bound to `name`: becomes a unit's standard output. Asks for no memory.
pub fn connected(path: &Path, name: &Path) -> io::Result<OwnedFd> {
    // That of the process before, which keeps its name.
    let _ = std::fs::remove_file(name);
    // Without a name the log asks whose process it is, for as long as that is there.
    let s = UnixDatagram::bind(name).or_else(|_| UnixDatagram::unbound())?;
    s.connect(path)?;
    Ok(s.into())
}

/// Takes over descriptor `fd`, which this process was started with.
///
/// # Errors
/// Nothing is open under that number.
pub fn inherited(fd: i32) -> io::Result<OwnedFd> {
    // SAFETY: F_GETFD only reads flags; an invalid number is answered with EBADF.
    if unsafe { libc::fcntl(fd, libc::F_GETFD) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is open (just checked), and LISTEN_FDS says that it is ours; each number is taken once.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    #[test]
    fn a_socket_of_a_user_that_there_is_not_is_refused_below_a_root_too() {
        let dir = tempfile::tempdir().unwrap();
        let paths = super::Paths::new(Some(dir.path().to_owned()));
        let listen = super::Listen {
            name: "x".into(),
            address: super::Address::Stream("/x.sock".into()),
            mode: 0o600,
            user: Some("nobody-here".into()),
        };
        let told = super::open(&listen, &paths).unwrap_err().to_string();
        assert!(told.contains("\"nobody-here\" is not in /etc/passwd"), "{told}");
    }

    #[test]
    fn only_a_socket_makes_place_for_one() {
        let dir = tempfile::tempdir().unwrap();
        let at = |n: &str| dir.path().join(n);
        std::fs::write(at("file"), "precious").unwrap();
        std::os::unix::fs::symlink(at("file"), at("link")).unwrap();
        for name in ["file", "link"] {
            assert_eq!(
                super::fresh(&at(name)).unwrap_err().kind(),
                std::io::ErrorKind::AlreadyExists
            );
        }
        assert_eq!(std::fs::read(at("file")).unwrap(), b"precious");
        drop(std::os::unix::net::UnixListener::bind(at("socket")).unwrap());
        assert!(at("socket").exists());
        super::fresh(&at("socket")).unwrap();
        assert!(!at("socket").exists());
        super::fresh(&at("new/socket")).unwrap();
    }
}
