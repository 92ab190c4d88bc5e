//! Has the kernel ask a drive for its capacity again, which it does of no announcement by itself. Tested in `tests/kernel_log.rs`.

use std::io;
use std::path::PathBuf;
use std::thread::{self, JoinHandle};

/// The asking for one drive.
///
/// The kernel asks within the write, which nothing ends but the drive: one that was reset a moment ago may keep it for minutes. So a thread
/// writes, one at a time, and nobody waits for it.
#[derive(Debug, Default)]
pub(super) struct Rescan {
    /// The file by which the kernel is told to look at the drive anew (`Documentation/ABI`, `scsi_sysfs.c`).
    pub file: PathBuf,
    under_way: Option<JoinHandle<io::Result<()>>>,
    /// Whether it is to be asked for once more: what comes of that which is under way may be older than what was announced since.
    again: bool,
}

impl Rescan {
    /// Has it ask now, or once more behind what is under way.
    ///
    /// # Errors
    /// When there can be no thread.
    pub(super) fn ask(&mut self) -> io::Result<()> {
        self.again = self.under_way.is_some();
        if !self.again {
            let file = self.file.clone();
            let write = move || std::fs::write(file, "1");
            self.under_way = Some(thread::Builder::new().name("rescan".to_owned()).spawn(write)?);
        }
        Ok(())
    }

    /// Takes what has come of it meanwhile.
    ///
    /// # Errors
    /// When the kernel could not be made to ask, or cannot be once more.
    pub(super) fn heed(&mut self) -> io::Result<()> {
        let Some(ended) = self.under_way.take_if(|thread| thread.is_finished()) else {
            return Ok(());
        };
        let again = std::mem::take(&mut self.again);
        let ended = ended
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("its thread ended")));
        let asked = if again { self.ask() } else { Ok(()) };
        ended.and(asked)
    }
}
