//! The listening sockets: those that the supervisor passed, else those of the command line.
//!
//! Under the supervisor (or systemd) descriptors come by `LISTEN_FDS`, and a killed server loses no connection that
//! waits in their backlog. `--listen` and `--unix` are for development; a Unix socket that a killed server left behind
//! is taken away first.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{FromRawFd, OwnedFd};
use std::path::Path;

use nix::sys::socket::{AddressFamily, SockaddrLike, SockaddrStorage, getsockname};
use tokio::net::{TcpListener, UnixListener};

use crate::serve::Listener;

/// Why there is no listening socket.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be listened on.
    #[error("listening on {0}")]
    Listen(String, #[source] io::Error),
    /// What the supervisor passed cannot be used.
    #[error("socket {0:?} that the supervisor passed")]
    Passed(String, #[source] io::Error),
    /// The environment does not say which descriptors were passed.
    #[error("LISTEN_FDS or LISTEN_PID in the environment")]
    Environment(#[source] io::Error),
}

/// The sockets that were passed to this process, with their names.
///
/// # Errors
/// When one of them is not a listening TCP or Unix socket.
pub fn passed() -> Result<Vec<(String, Listener)>, Error> {
    let descriptors = sd_notify::listen_fds_with_names().map_err(Error::Environment)?;
    let mut listeners = Vec::new();
    for (raw, name) in descriptors {
        // SAFETY: the environment, addressed to this very process id, says that `raw` is open and ours; each number
        // comes once, and nothing else in this process has taken it: this runs once, before any other descriptor is
        // looked at.
        let descriptor = unsafe { OwnedFd::from_raw_fd(raw) };
        let listener = adopt(descriptor).map_err(|error| Error::Passed(name.clone(), error))?;
        listeners.push((name, listener));
    }
    Ok(listeners)
}

fn adopt(descriptor: OwnedFd) -> io::Result<Listener> {
    use std::os::fd::AsRawFd;
    let address: SockaddrStorage = getsockname(descriptor.as_raw_fd())?;
    match address.family() {
        Some(AddressFamily::Inet | AddressFamily::Inet6) => {
            let listener = std::net::TcpListener::from(descriptor);
            listener.set_nonblocking(true)?;
            Ok(Listener::Tcp(TcpListener::from_std(listener)?))
        }
        Some(AddressFamily::Unix) => {
            let listener = std::os::unix::net::UnixListener::from(descriptor);
            listener.set_nonblocking(true)?;
            Ok(Listener::Unix(UnixListener::from_std(listener)?))
        }
        family => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("it is of family {family:?}, not TCP or Unix"),
        )),
    }
}

/// Listens on a TCP address.
///
/// # Errors
/// When the address is taken or not ours.
pub async fn tcp(address: SocketAddr) -> Result<(SocketAddr, Listener), Error> {
    let failed = |error| Error::Listen(address.to_string(), error);
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((bound, Listener::Tcp(listener)))
}

/// Listens on a Unix socket that only this user may open.
///
/// # Errors
/// When the path cannot be made, or another server listens there.
pub fn unix(path: &Path) -> Result<Listener, Error> {
    let failed = |error| Error::Listen(path.display().to_string(), error);
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(failed(io::Error::new(
            io::ErrorKind::AddrInUse,
            "another server listens there",
        )));
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    let owner_only = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(path, owner_only).map_err(failed)?;
    Ok(Listener::Unix(listener))
}
