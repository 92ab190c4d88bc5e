//! Where things are: in the box, or below the folder of `--root`.

use std::path::{Path, PathBuf};

/// The folders PID 1 works with.
#[derive(Debug, Clone)]
pub struct Paths {
    root: Option<PathBuf>,
}

impl Paths {
    /// `None`: this is the box. `Some`: everything lies below that folder.
    pub fn new(root: Option<PathBuf>) -> Paths {
        Paths { root }
    }

    /// Whether this is the box itself.
    pub fn is_box(&self) -> bool {
        self.root.is_none()
    }

    /// An absolute path of the box, as it is here.
    pub fn at(&self, path: &Path) -> PathBuf {
        match &self.root {
            None => path.to_owned(),
            Some(root) => root.join(path.strip_prefix("/").unwrap_or(path)),
        }
    }

    /// Unit files.
    pub fn units(&self) -> PathBuf {
        self.at(Path::new("/etc/kiln/units"))
    }

    /// Runtime files: sockets, credentials.
    pub fn run(&self) -> PathBuf {
        self.at(Path::new("/run/kiln"))
    }

    /// The notify socket.
    pub fn notify(&self) -> PathBuf {
        self.run().join("notify.sock")
    }

    /// The control socket.
    pub fn control(&self) -> PathBuf {
        self.at(Path::new(wire::supervisor::CONTROL_SOCKET))
    }

    /// The socket behind standard output and error of units.
    pub fn stdout(&self) -> PathBuf {
        self.run().join("stdout.sock")
    }

    /// State of units.
    pub fn state(&self) -> PathBuf {
        self.at(Path::new("/var/lib/kiln"))
    }
}
