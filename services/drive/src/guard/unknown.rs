//! What could not be found out about a drive's use. The default is refusal: what cannot be read may be a use; what vanished while
//! it was read is none.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::sysfs::DevNum;
use crate::system::{try_names, try_text};

/// Something that would tell of a use, and did not tell.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// A process whose descriptors or mappings cannot be read.
    #[error("what process {pid} ({program}) has open cannot be read ({file}: {cause})")]
    Process {
        /// The process.
        pid: u32,
        /// Its program.
        program: String,
        /// What cannot be read, below its directory in `/proc`.
        file: String,
        /// The operating system's reason.
        cause: String,
    },
    /// A process that this one may not look into.
    #[error("what process {pid} ({program}) has open may not be read; a root user with CAP_SYS_PTRACE may")]
    Forbidden {
        /// The process.
        pid: u32,
        /// Its program.
        program: String,
    },
    /// A process that did not tell in time.
    #[error(
        "process {pid} ({program}) did not tell within {} ms what it has open; {}try again when it goes on",
        .waited.as_millis(),
        // The first process is the system's.
        if *.pid == 1 { "" } else { "end it, or " }
    )]
    Late {
        /// The process.
        pid: u32,
        /// Its program.
        program: String,
        /// How long it was waited for.
        waited: Duration,
    },
    /// A table of the kernel's.
    #[error("{path} cannot be read: {cause}")]
    Table {
        /// Its path.
        path: String,
        /// The operating system's reason, or what is wrong with it.
        cause: String,
    },
    /// A loop device over something that cannot be found.
    #[error(
        "{device} is backed by {path}, and neither tells which drive that is on; detach it (losetup -d /dev/{device}), or try again once \
         its file system answers"
    )]
    Loop {
        /// The loop device.
        device: String,
        /// What is behind, as it was called when it was attached.
        path: String,
    },
    /// A target that exports something that cannot be found.
    #[error("this computer's {target} exports {path}, which cannot be found here")]
    Export {
        /// The target, in words.
        target: String,
        /// What it was given.
        path: String,
    },
}

/// Whether an error says that the thing is not there (any more), so that it uses nothing.
pub(super) fn is_gone(error: &io::Error) -> bool {
    const GONE: [i32; 5] = [libc::ENOENT, libc::ENOTDIR, libc::ESRCH, libc::ENODEV, libc::ENXIO];
    error.raw_os_error().is_some_and(|number| GONE.contains(&number))
}

/// Reads the kernel's tables, and keeps what it could not read.
#[derive(Debug, Default)]
pub(super) struct Reader {
    pub(super) unknown: Vec<Unknown>,
}

impl Reader {
    /// Text of a file; `None` if it is not there, says nothing, or cannot be read.
    pub(super) fn text(&mut self, path: &Path) -> Option<String> {
        self.kept(path, try_text(path)).flatten()
    }

    /// Names in a directory; none if it is not there or cannot be read.
    pub(super) fn names(&mut self, dir: &Path) -> Vec<String> {
        self.kept(dir, try_names(dir)).unwrap_or_default()
    }

    /// A device's number, by how that file writes it; `None` if it is not there or says nothing.
    pub(super) fn number(&mut self, path: &Path, parse: fn(&str) -> Option<DevNum>) -> Option<DevNum> {
        let text = self.text(path)?;
        let number = parse(&text).ok_or_else(|| io::Error::other("it holds no device number"));
        self.kept(path, number)
    }

    /// What was read of `path`.
    pub(super) fn kept<T>(&mut self, path: &Path, read: io::Result<T>) -> Option<T> {
        match read {
            Ok(read) => Some(read),
            Err(error) if is_gone(&error) => None,
            Err(error) => {
                let path = path.display().to_string();
                let cause = error.to_string();
                self.unknown.push(Unknown::Table { path, cause });
                None
            }
        }
    }
}
