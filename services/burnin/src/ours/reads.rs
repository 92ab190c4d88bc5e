//! Single reads of a drive, each with an end.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use crate::device::{Access, Device, Geometry, Op};

/// Longest single wait.
const WAIT: Duration = Duration::from_millis(250);

/// Longest search in all: a drive that fails each read after half a minute is the burn-in's to judge.
const PATIENCE: Duration = Duration::from_mins(2);

/// Reads of one look at a drive.
pub(super) struct Reads {
    pub geometry: Geometry,
    /// Longest wait for one of them.
    hang: Duration,
    /// When no further one is begun.
    until: Duration,
    /// First sector and sectors of those that failed, with the kernel's error, or none where one did not come back.
    pub(super) failures: RefCell<Vec<(u64, u64, Option<i32>)>>,
    /// How long those took.
    failing: Cell<Duration>,
    /// Whether none is waited for any longer when the time for all is over.
    ends: Cell<bool>,
}

impl Reads {
    pub(super) fn new(geometry: Geometry, hang_ms: u64, now: Duration) -> Self {
        Self {
            geometry,
            hang: Duration::from_millis(hang_ms),
            until: now + PATIENCE,
            failures: RefCell::default(),
            failing: Cell::default(),
            ends: Cell::default(),
        }
    }

    /// Such of which none is begun after this time, and none waited for longer.
    pub(super) fn within(geometry: Geometry, limit: Duration, now: Duration) -> Self {
        Self {
            geometry,
            hang: limit,
            until: now + limit,
            failures: RefCell::default(),
            failing: Cell::default(),
            ends: Cell::default(),
        }
    }

    /// From now on none is waited for any longer when the time for all of them is over.
    pub(super) fn end_in_time(&self) {
        self.ends.set(true);
    }

    /// Whether the time for all of them is over.
    pub(super) fn is_late(&self, device: &dyn Device) -> bool {
        device.now() >= self.until
    }

    /// Whether the time for all of them leaves so much, and then as much as those took that failed.
    pub(super) fn may_repeat(&self, device: &dyn Device, pause: Duration) -> bool {
        device.now() + pause + self.failing.get() < self.until
    }

    /// Whether one of them did not come back.
    pub(super) fn is_hung(&self) -> bool {
        self.failures.borrow().iter().any(|(_, _, errno)| errno.is_none())
    }

    /// Waits for so long before a further read; false where none may be begun then: the time for all is over, the way to the drive is
    /// broken, or one that did not come back holds the only buffer.
    pub(super) fn pause(&self, device: &mut dyn Device, time: Duration) -> bool {
        let until = (device.now() + time).min(self.until);
        let mut goes = !self.is_hung();
        while goes && device.now() < until {
            goes = device.wait(until.saturating_sub(device.now())).is_ok();
        }
        goes && !self.is_late(device)
    }

    /// Reads sectors into slot 0; false where they cannot be read.
    ///
    /// # Errors
    /// When it does not come back or the way to the drive is broken.
    pub(super) fn read(&self, device: &mut dyn Device, lba: u64, sectors: u64) -> Result<bool, String> {
        self.fails(device, lba, sectors).map(|fails| fails.is_none())
    }

    /// The same; the kernel's error where they cannot be read.
    ///
    /// # Errors
    /// As for [`Reads::read`].
    pub(super) fn fails(&self, device: &mut dyn Device, lba: u64, sectors: u64) -> Result<Option<i32>, String> {
        let broken = |error: std::io::Error| format!("looking for what it had written: {error}");
        let access = Access {
            slot: 0,
            op: Op::Read,
            lba,
            sectors,
        };
        let begun = device.now();
        device.submit(access).map_err(broken)?;
        let hangs = device.now() + self.hang;
        let until = if self.ends.get() { hangs.min(self.until) } else { hangs };
        loop {
            match device.wait(WAIT).map_err(broken)? {
                Some(done) => {
                    let whole = sectors * u64::from(self.geometry.sector);
                    let failed = match done.result {
                        Ok(bytes) if bytes == whole => return Ok(None),
                        // It ends in the middle.
                        Ok(_) => Some(libc::EIO),
                        Err(errno) => Some(errno),
                    };
                    self.failures.borrow_mut().push((lba, sectors, failed));
                    let took = device.now().saturating_sub(begun);
                    self.failing.set(self.failing.get() + took);
                    return Ok(failed);
                }
                None if device.now() >= until => {
                    self.failures.borrow_mut().push((lba, sectors, None));
                    return Err(format!("a read at LBA {lba} did not come back"));
                }
                None => {}
            }
        }
    }
}
