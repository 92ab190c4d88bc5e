//! What is left of crashes and of earlier boots, for the server: it may read none of it itself. Who connects to the socket
//! `remains` gets it as one tar archive, then the end.
//!
//! The journal gives it because it may read it (`boot::data::journals`), and may wait for a slow medium without PID 1 waiting. A
//! thread of its own reads, so the log goes on meanwhile; one reader at a time, the next ones wait in the socket.

use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use super::export::PATIENCE;
use crate::boot::end::record;
use crate::{remains, tar};

/// The listening socket and the one who reads.
#[derive(Debug)]
pub(super) struct Remains {
    listener: UnixListener,
    folder: PathBuf,
    journal: PathBuf,
    boot: String,
    reader: Option<JoinHandle<()>>,
}

impl Remains {
    pub(super) fn new(listener: UnixListener, journal: &Path, boot: &str) -> std::io::Result<Remains> {
        listener.set_nonblocking(true)?;
        Ok(Remains {
            listener,
            folder: record::FOLDER.into(),
            journal: journal.to_owned(),
            boot: boot.to_owned(),
            reader: None,
        })
    }

    /// The descriptor to wait on; none while somebody reads.
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.reader.is_none().then(|| self.listener.as_fd())
    }

    /// Takes the next reader once the one before is done.
    pub(super) fn serve(&mut self) {
        self.reader.take_if(|r| r.is_finished());
        if self.reader.is_some() {
            return;
        }
        let Ok((stream, _)) = self.listener.accept() else {
            return;
        };
        let (folder, journal, boot) = (self.folder.clone(), self.journal.clone(), self.boot.clone());
        let work = move || give(&stream, &folder, &journal, &boot);
        // Without a thread there is no answer; the reader sees the end of the connection.
        self.reader = std::thread::Builder::new().name("remains".into()).spawn(work).ok();
    }
}

fn give(mut stream: &UnixStream, folder: &Path, journal: &Path, boot: &str) {
    let files = remains::collect(folder, journal, boot);
    if stream.set_write_timeout(Some(PATIENCE)).is_ok() {
        // A reader that has gone, or takes nothing, has what it took.
        let _ = tar::write(&mut stream, "remains", &files);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::io::Read;

    #[test]
    fn one_after_another_gets_an_archive() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("s");
        std::fs::write(dir.path().join("current.export"), "MESSAGE=old\n_BOOT_ID=a\n\n").unwrap();
        let mut r = Remains {
            folder: dir.path().join("supervisor"),
            ..Remains::new(UnixListener::bind(&socket).unwrap(), dir.path(), "b").unwrap()
        };
        r.serve();
        assert!(r.fd().is_some() && r.reader.is_none(), "nobody is there");
        let readers = [
            UnixStream::connect(&socket).unwrap(),
            UnixStream::connect(&socket).unwrap(),
        ];
        for mut reader in readers {
            while r.reader.is_none() {
                r.serve();
            }
            assert!(r.fd().is_none());
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).unwrap();
            let text = String::from_utf8_lossy(&bytes);
            assert!(
                text.starts_with("remains/remains.txt") && text.contains("MESSAGE=old\n"),
                "{text}"
            );
            r.reader.take().unwrap().join().unwrap();
        }
    }
}
