//! A disk on a Unix socket.
//!
//! QEMU connects once for each drive; a machine that is started again connects again. When the power of the disk is
//! cut, every connection is closed at once, so that QEMU sees the drive die.

use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::disk::{Cut, Disk};
use super::protocol;

/// A running NBD server. Dropping it closes the socket and every connection.
#[derive(Debug)]
pub struct Server {
    path: PathBuf,
    disk: Arc<Disk>,
    connections: Arc<Connections>,
}

#[derive(Debug, Default)]
struct Connections {
    open: Mutex<Vec<UnixStream>>,
    closed: AtomicBool,
}

impl Connections {
    fn hang_up(&self) {
        for stream in self.open.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // A peer that is gone already is what is wanted.
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }
}

impl Server {
    /// Serves `disk` on a new socket at `path`.
    pub fn bind(path: &Path, disk: Disk) -> io::Result<Self> {
        let listener = UnixListener::bind(path)?;
        let disk = Arc::new(disk);
        let connections = Arc::new(Connections::default());
        let server = Self {
            path: path.to_owned(),
            disk: Arc::clone(&disk),
            connections: Arc::clone(&connections),
        };
        thread::Builder::new()
            .name("nbd".into())
            .spawn(move || accept(&listener, &disk, &connections))?;
        Ok(server)
    }

    /// Where the socket is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The disk, to break it or to ask it.
    #[must_use]
    pub fn disk(&self) -> &Disk {
        &self.disk
    }

    /// Cuts the power: the cache is half lost (see [`Disk::cut`]) and every connection dies.
    pub fn cut(&self, seed: u64) -> io::Result<Cut> {
        let cut = self.disk.cut(seed);
        self.connections.hang_up();
        cut
    }

    /// Drops every connection, the cache and the medium stay: the drive was pulled.
    pub fn hang_up(&self) {
        self.connections.hang_up();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.connections.closed.store(true, Ordering::SeqCst);
        // Wakes the thread that waits in accept.
        let _ = UnixStream::connect(&self.path);
        let _ = self.disk.cut(0);
        self.connections.hang_up();
        let _ = std::fs::remove_file(&self.path);
    }
}

fn accept(listener: &UnixListener, disk: &Arc<Disk>, connections: &Arc<Connections>) {
    for stream in listener.incoming() {
        if connections.closed.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        if !disk.is_powered() {
            continue;
        }
        let Ok(handle) = stream.try_clone() else { continue };
        connections
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(handle);
        let disk = Arc::clone(disk);
        let mut stream = stream;
        // A client that breaks off is ordinary: QEMU was killed, or the power was cut.
        let _ = thread::Builder::new().name("nbd-client".into()).spawn(move || {
            let _ = protocol::serve(&mut stream, &disk);
            let _ = stream.shutdown(std::net::Shutdown::Both);
        });
    }
}
