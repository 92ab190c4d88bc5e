//! The lock on a store's directory, held so that it ends with its process.
//!
//! An `flock` is let go of when the last copy of its descriptor is closed. The threads of a process share one table of descriptors, and
//! a process that is killed closes it only with its last thread: one that the kernel holds (state D: a drive that hangs) would keep the
//! store shut until the box is reset, though nothing of that process runs any more. So the only copy lies in a table of its own, of a
//! thread that touches no device and ends at once when it is killed. (Not where the process crashes first, by SIGABRT or a fault of its
//! own: the kernel waits for the held thread with its core, and what is killed then ends no sooner. So the supervisor aborts none that
//! is held.)
//!
//! That alone does not say that the killed process writes nothing more: [`crate::predecessor`] looks for a write of its that is still
//! under way. Tested by `tests/stuck.rs`.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, RawFd};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use descriptors::alone_with;

/// A lock that is held until this is dropped, or its process is killed.
#[derive(Debug)]
pub(crate) struct Keeper {
    /// Dropping it ends the thread.
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// Where there is no such thread: held here, as long as any thread of the process lives.
    _here: Option<File>,
}

impl Keeper {
    /// Holds the lock of `file`, which this process has just got.
    pub(crate) fn hold(file: File) -> Self {
        match on_a_thread(&file) {
            Ok((end, thread)) => Self {
                end: Some(end),
                thread: Some(thread),
                // The thread has its copy: closing this one lets go of nothing.
                _here: None,
            },
            Err(error) => {
                tracing::warn!(%error, "a thread of this process that hangs on a drive would keep the store locked after its end");
                Self {
                    end: None,
                    thread: None,
                    _here: Some(file),
                }
            }
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.end = None;
        // Whoever drops a store may open it again.
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the keeper of a store's lock had panicked");
        }
    }
}

fn on_a_thread(file: &File) -> io::Result<(Sender<()>, JoinHandle<()>)> {
    let number = file.as_raw_fd();
    let (end, ended) = channel();
    let (tell, told) = sync_channel(1);
    let thread = std::thread::Builder::new()
        .name("store-lock".to_owned())
        .stack_size(64 << 10)
        .spawn(move || keep(number, &tell, &ended))?;
    told.recv().map_err(io::Error::other)??;
    Ok((end, thread))
}

/// The thread: makes the table of descriptors its own, with the lock's alone in it, and waits.
fn keep(number: RawFd, tell: &SyncSender<io::Result<()>>, ended: &Receiver<()>) {
    let alone = alone_with(number);
    let is_alone = alone.is_ok();
    let _gone = tell.send(alone);
    if is_alone {
        // Nothing is ever sent: it ends when the other end is dropped.
        let _ended = ended.recv();
        // Closed here and not by the thread's end, which is after it is joined.
        let _closed = nix::unistd::close(number);
    }
}
