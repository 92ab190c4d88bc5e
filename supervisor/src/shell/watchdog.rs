//! The hardware watchdog: opened first, fed by PID 1's loop, disarmed only as the last act of a power-off.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::{AsRawFd, BorrowedFd, IntoRawFd, OwnedFd};

use crate::core::Millis;
use crate::handover::state;
use crate::shell::log;

/// Wanted time-out while running, in seconds: long enough for a loaded machine, short enough for a person.
const TIMEOUT: i32 = 30;
/// Time-out left behind on a reboot, in seconds: firmware and boot loader need less.
const TIMEOUT_REBOOT: i32 = 120;
/// `WDIOF_CARDRESET` (linux/watchdog.h): the last boot was ended by this watchdog.
const CARD_RESET: i32 = 0x20;

mod ioctl {
    use libc::c_int;
    // linux/watchdog.h: WATCHDOG_IOCTL_BASE 'W'.
    nix::ioctl_read!(boot_status, b'W', 2, c_int);
    nix::ioctl_read!(keep_alive, b'W', 5, c_int);
    nix::ioctl_readwrite!(set_timeout, b'W', 6, c_int);
    nix::ioctl_read!(get_timeout, b'W', 7, c_int);
}

/// An armed watchdog.
#[derive(Debug)]
pub struct Watchdog {
    file: File,
    timeout: i32,
    fed: Millis,
    /// Whether it ended the last boot.
    pub reset_us: bool,
    /// What it calls itself.
    pub name: String,
}

impl Watchdog {
    /// Opens and arms `/dev/watchdog`, taking over one that already runs; `None` while there is none.
    pub fn open(now: Millis) -> Option<Watchdog> {
        let file = OpenOptions::new().write(true).open("/dev/watchdog").ok()?;
        let fd = file.as_raw_fd();
        let mut timeout = TIMEOUT;
        let mut status = 0;
        // SAFETY: each ioctl reads or writes one int that outlives the call; a driver without it answers with an error.
        let set = unsafe { ioctl::set_timeout(fd, &raw mut timeout) };
        if set.is_err() {
            // SAFETY: as above.
            let _ = unsafe { ioctl::get_timeout(fd, &raw mut timeout) };
        }
        // SAFETY: as above.
        let _ = unsafe { ioctl::boot_status(fd, &raw mut status) };
        let name = std::fs::read_to_string("/sys/class/watchdog/watchdog0/identity")
            .unwrap_or_default()
            .trim()
            .to_owned();
        let mut w = Watchdog {
            file,
            timeout: timeout.max(2),
            fed: 0,
            reset_us: status & CARD_RESET != 0,
            name,
        };
        w.feed(now);
        Some(w)
    }

    /// Goes on with one that an earlier image has armed.
    pub fn of(fd: OwnedFd, w: state::Watchdog) -> Watchdog {
        Watchdog {
            file: File::from(fd),
            timeout: w.timeout.max(2),
            // Fed at once: the time of the replacement is not to be counted.
            fed: 0,
            reset_us: w.reset_us,
            name: w.name,
        }
    }

    /// Whether a descriptor is a watchdog.
    pub fn is_one(fd: BorrowedFd<'_>) -> bool {
        let link = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd()));
        link.is_ok_and(|l| l.to_string_lossy().starts_with("/dev/watchdog"))
    }

    /// Goes on with one of which nothing else is known.
    pub fn found(fd: OwnedFd) -> Watchdog {
        let mut timeout = TIMEOUT;
        // SAFETY: as in `open`.
        let _ = unsafe { ioctl::get_timeout(fd.as_raw_fd(), &raw mut timeout) };
        let w = state::Watchdog {
            timeout,
            ..state::Watchdog::default()
        };
        Watchdog::of(fd, w)
    }

    /// As plain data.
    pub fn state(&self) -> state::Watchdog {
        state::Watchdog {
            fd: self.file.as_raw_fd(),
            timeout: self.timeout,
            fed: self.fed,
            reset_us: self.reset_us,
            name: self.name.clone(),
        }
    }

    /// Its time-out in seconds.
    pub fn timeout(&self) -> i32 {
        self.timeout
    }

    /// Feeds it if a quarter of its time-out has passed.
    pub fn feed(&mut self, now: Millis) {
        let quarter = u64::from(self.timeout.unsigned_abs()) * 250;
        if self.fed != 0 && now.saturating_sub(self.fed) < quarter {
            return;
        }
        self.fed = now.max(1);
        let mut dummy = 0;
        // SAFETY: WDIOC_KEEPALIVE takes no argument worth the name; the int outlives the call.
        if unsafe { ioctl::keep_alive(self.file.as_raw_fd(), &raw mut dummy) }.is_err() {
            let _ = self.file.write_all(b"\0");
        }
    }

    /// Gives an orderly end the time that it may take, which is more than there is between two feedings, and none is to come.
    pub fn lengthen_for_end(&mut self, now: Millis, end: Millis) {
        self.lengthen(now, &[i32::try_from(end / 1000).unwrap_or(TIMEOUT_REBOOT)]);
    }

    /// Gives the next boot time to get to its own PID 1, and stays armed.
    pub fn lengthen_for_reboot(&mut self) {
        self.lengthen(1, &[TIMEOUT_REBOOT, 60]);
    }

    /// The first of these times, in seconds, that the driver takes, and a feeding, from which it counts; else its own.
    fn lengthen(&mut self, now: Millis, times: &[i32]) {
        for seconds in times.iter().copied() {
            let mut taken = seconds;
            // SAFETY: as in `open`.
            if unsafe { ioctl::set_timeout(self.file.as_raw_fd(), &raw mut taken) }.is_ok() {
                self.timeout = taken.max(2);
                if taken < seconds {
                    log::warn(&format!(
                        "watchdog {:?}: {seconds} s were asked for, it takes {taken} s",
                        self.name
                    ));
                }
                break;
            }
        }
        self.fed = 0;
        self.feed(now);
    }

    /// Leaves it armed for the next boot: its descriptor stays open until the kernel ends this process.
    pub fn leave_armed(self) {
        let _ = self.file.into_raw_fd();
    }

    /// The magic character: only as the last act before power-off.
    pub fn disarm(mut self) {
        let _ = self.file.write_all(b"V");
    }
}
