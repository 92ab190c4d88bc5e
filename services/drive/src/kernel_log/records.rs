//! What is new in the kernel's log, from `/dev/kmsg`: it keeps a place for each reader, so that a look costs what has been
//! added and not the whole ring, and it says when a reader's place was overwritten.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

/// Most bytes of a record. Source: `PRINTKRB_RECORD_MAX` and `CONSOLE_EXT_LOG_MAX`, `kernel/printk/printk.c`, linux 6.x.
const RECORD: usize = 8 << 10;

/// Most records of one look, so that a kernel that floods its log cannot hold the reader; the rest waits for the next.
const AT_ONCE: usize = 100_000;

/// The device's number, 1:11 as `stat` tells it. Source: `Documentation/admin-guide/devices.txt`, linux 6.x.
const KMSG: u64 = (1 << 8) + 11;

/// A place in the kernel's log.
#[derive(Debug)]
pub(super) struct Records {
    log: File,
}

/// What came since the last look.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct News {
    /// The kernel's own lines with the time since it started.
    pub lines: Vec<(Duration, String)>,
    /// Whether lines were overwritten before they were read.
    pub lost: bool,
}

impl Records {
    /// Begins behind the newest record.
    ///
    /// # Errors
    /// When there is no such device, it is another, or it may not be read.
    pub(super) fn from_now() -> io::Result<Self> {
        Self::of(Path::new("/dev/kmsg"))
    }

    /// Containers have an empty file there, `/dev/null` or their console, which say nothing of any drive.
    fn of(path: &Path) -> io::Result<Self> {
        let mut log = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(path)?;
        let about = log.metadata()?;
        if !about.file_type().is_char_device() || about.rdev() != KMSG {
            return Err(io::Error::from_raw_os_error(libc::ENODEV));
        }
        log.seek(SeekFrom::End(0))?;
        Ok(Self { log })
    }

    /// What is new.
    ///
    /// # Errors
    /// When reading fails; what was read until then is lost.
    pub(super) fn look(&mut self) -> io::Result<News> {
        collect(&mut self.log)
    }
}

/// Reads records, one a call, until there are no more.
fn collect(log: &mut impl Read) -> io::Result<News> {
    let mut news = News::default();
    let mut record = vec![0; RECORD];
    for _ in 0..AT_ONCE {
        match log.read(&mut record) {
            // The real one never ends: this is /dev/null or a plain file in its place, and tells nothing.
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(length) => {
                let text = String::from_utf8_lossy(record.get(..length).unwrap_or_default());
                news.lines.extend(line(&text).map(|(at, text)| (at, text.to_owned())));
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            // The place was overwritten; the kernel has moved it to the oldest record that is left.
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => news.lost = true,
            Err(e) => return Err(e),
        }
    }
    Ok(news)
}

/// Time and text of `priority,sequence,microseconds,flags;text`, without the lines of its dictionary. A program's own words
/// (their facility is never 0) are not the kernel's. Source: `Documentation/ABI/testing/dev-kmsg`.
fn line(record: &str) -> Option<(Duration, &str)> {
    let (prefix, text) = record.split_once(';')?;
    let mut fields = prefix.split(',');
    let priority: u32 = fields.next()?.parse().ok()?;
    let at = Duration::from_micros(fields.nth(1)?.parse().ok()?);
    (priority >> 3 == 0).then(|| (at, text.lines().next().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::collections::VecDeque;

    use super::*;

    /// Answers as the device does: a record or an error for each call.
    struct Told(VecDeque<Result<&'static str, i32>>);

    impl Read for Told {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            match self.0.pop_front() {
                None => Err(io::Error::from_raw_os_error(libc::EAGAIN)),
                Some(Err(code)) => Err(io::Error::from_raw_os_error(code)),
                Some(Ok(text)) => {
                    out[..text.len()].copy_from_slice(text.as_bytes());
                    Ok(text.len())
                }
            }
        }
    }

    #[test]
    fn the_kernels_lines_are_read_until_there_are_none() {
        let mut told = Told(VecDeque::from([
            Ok("6,1,5140900,-;ata3: hard resetting link\n SUBSYSTEM=scsi\n DEVICE=+scsi:2:0:0:0\n"),
            Err(libc::EINTR),
            Ok("12,2,5140901,-;ata3: soft resetting link, says a program\n"),
            Ok("4,3,5140902,c,caller=T12;sd 2:0:0:0: Power-on; or device reset occurred\n"),
            Ok("no record"),
            Err(libc::EAGAIN),
            Ok("6,4,5140903,-;later\n"),
        ]));
        let first = collect(&mut told).unwrap();
        let line = |micros, text: &str| (Duration::from_micros(micros), text.to_owned());
        assert_eq!(
            first.lines,
            [
                line(5_140_900, "ata3: hard resetting link"),
                line(5_140_902, "sd 2:0:0:0: Power-on; or device reset occurred")
            ]
        );
        assert!(!first.lost);
        assert_eq!(collect(&mut told).unwrap().lines, [line(5_140_903, "later")]);
    }

    #[test]
    fn lines_that_were_overwritten_are_told_as_lost() {
        let mut told = Told(VecDeque::from([Err(libc::EPIPE), Ok("6,9,1,-;nvme nvme0: 8 queues\n")]));
        let news = collect(&mut told).unwrap();
        assert!(news.lost);
        assert_eq!(news.lines.len(), 1);
        let mut broken = Told(VecDeque::from([Err(libc::EIO)]));
        assert!(collect(&mut broken).is_err());
        let mut null = Told(VecDeque::from([Ok("")]));
        assert!(collect(&mut null).is_err(), "what ends is not the kernel's log");
    }

    #[test]
    fn what_stands_in_the_logs_place_is_not_the_log() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for path in [Path::new("/dev/null"), Path::new("/dev/zero"), file.path()] {
            assert_eq!(
                Records::of(path).unwrap_err().raw_os_error(),
                Some(libc::ENODEV),
                "{path:?}"
            );
        }
    }

    #[test]
    fn the_kernels_own_log_is_followed() {
        match Records::from_now() {
            Ok(mut records) => assert!(!records.look().unwrap().lost),
            Err(error) => assert!(
                matches!(
                    error.raw_os_error(),
                    Some(libc::EPERM | libc::EACCES | libc::ENOENT | libc::ENODEV)
                ),
                "{error}"
            ),
        }
    }
}
