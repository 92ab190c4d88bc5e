//! Resets of a drive and its hidden area, as the kernel's log tells them: nothing in `/sys` does.
//!
//! A line names the way to a drive (`ata3`, `sd 2:0:0:0`, `usb 2-1.4`, `nvme nvme0`), and the drive's directory below
//! `/sys` is that very way. Reading the log needs `CAP_SYSLOG` where `kernel.dmesg_restrict` is set.

mod account;
mod event;
mod follower;
mod records;
mod rescan;

use std::ffi::{c_char, c_int};
use std::io;
use std::time::Duration;

pub use account::Account;
pub use follower::{Follower, Told, Unheard};

/// Most bytes of the log that are read: the kernel's ring is no larger by default (`CONFIG_LOG_BUF_SHIFT`, 18 to 20).
const RING: usize = 1 << 20;

/// `SYSLOG_ACTION_READ_ALL` of `syslog(2)`: the last bytes of the ring, which stay there.
const READ_ALL: i32 = 3;

/// Words by which the kernel tells that it resets a device, or that one was. Sources: `drivers/ata/libata-eh.c`,
/// `drivers/scsi/scsi_error.c`, `scsi_lib.c`, `drivers/usb/core/hub.c`, `drivers/usb/storage/uas.c`,
/// `drivers/message/mpt3sas_scsih.c`, `drivers/nvme/host/pci.c`.
const WORDS: [&str; 9] = [
    "hard resetting link",
    "soft resetting link",
    "Power-on or device reset occurred",
    "attempting device reset",
    "attempting target reset",
    "uas_eh_device_reset_handler start",
    "reset controller",
    "controller is down; will reset",
    "resetting controller",
];

/// Words by which the kernel tells that a drive announced another capacity, of which it does nothing else. Source:
/// `drivers/scsi/scsi_error.c`, `scsi_report_sense`.
const RESIZED: &str = "Capacity data has changed";

/// Words by which it tells that a drive announced to be another one, or to call itself so; from there, too.
const RENAMED: &str = "Inquiry data has changed";

/// The names that the kernel's log has for the way to one drive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Way(Vec<String>);

impl Way {
    /// From a drive's directory below `/sys`, as `/sys/devices/pci0000:00/0000:00:1f.2/ata3/host2/target2:0:0/2:0:0:0/block/sda`.
    pub fn of(syspath: &str) -> Self {
        // Drives over the network have no other way: `block nbd0: Connection timed out`.
        let mut names: Vec<String> = syspath
            .split_once("/virtual/block/")
            .map(|(_, name)| format!("block {name}"))
            .into_iter()
            .collect();
        let mut usb = None;
        for part in syspath.split('/') {
            let number = |prefix: &str| {
                let rest = part.strip_prefix(prefix)?;
                (!rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit())).then_some(part)
            };
            if let Some(ata) = number("ata") {
                names.push(ata.to_owned());
            } else if let Some(nvme) = number("nvme") {
                names.push(format!("nvme {nvme}"));
            } else if is_address(part) {
                names.push(format!("sd {part}"));
            } else if is_usb(part) {
                // Hubs lie on the way; the drive is the last.
                usb = Some(format!("usb {part}"));
            } else if let Some(host) = number("host").filter(|_| usb.is_some()) {
                // A bridge has a host of its own, a controller's is shared.
                names.push(format!("scsi {host}"));
            }
        }
        names.extend(usb);
        Self(names)
    }

    /// Whether this line of the log is a reset of that drive.
    pub fn is_reset(&self, text: &str) -> bool {
        self.reset(text).is_some()
    }

    /// Whether by this line of the log that drive announced another capacity.
    fn is_resized(&self, text: &str) -> bool {
        self.behind(text).is_some_and(|(_, rest)| rest.contains(RESIZED))
    }

    /// Whether by this line of the log that drive announced not to be as it was, by which an array or a dock tells that it has another.
    fn is_changed(&self, text: &str) -> bool {
        self.is_resized(text) || self.behind(text).is_some_and(|(_, rest)| rest.contains(RENAMED))
    }

    /// What this line of the log resets, and by which words it tells it. That is the NVMe controller, of which a drive may have
    /// several, each with resets of its own; whatever else is on the way to a drive is reset with it, and has no name here.
    fn reset<'a>(&self, text: &'a str) -> Option<(&'a str, &'static str)> {
        let (name, rest) = self.behind(text)?;
        if text.starts_with("usb ") && rest.starts_with(": reset ") {
            return Some(("", "reset"));
        }
        let words = WORDS.into_iter().find(|word| rest.contains(word))?;
        Some((if name.starts_with("nvme ") { name } else { "" }, words))
    }

    /// How many sectors of 512 bytes this line says are hidden behind a host protected area. The kernel tells it once,
    /// when it finds the drive (`drivers/ata/libata-core.c`, `ata_hpa_resize`).
    pub fn hidden(&self, text: &str) -> Option<u64> {
        let (_, sizes) = self.behind(text)?.1.split_once("HPA detected: current ")?;
        let (current, native) = sizes.split_once(", native ")?;
        native.trim().parse::<u64>().ok()?.checked_sub(current.parse().ok()?)
    }

    /// The name and what stands behind it, if the line names something on this way.
    fn behind<'a>(&self, text: &'a str) -> Option<(&'a str, &'a str)> {
        self.0.iter().find_map(|name| {
            let (start, rest) = text.split_at_checked(name.len()).filter(|(start, _)| start == name)?;
            // `nvme1` begins as `nvme10` does, which may be on the way, too.
            (rest.starts_with(':') || rest.starts_with('.')).then_some((start, rest))
        })
    }
}

/// `2:0:0:0`: host, channel, target, unit.
fn is_address(part: &str) -> bool {
    let numbers: Vec<&str> = part.split(':').collect();
    numbers.len() == 4
        && numbers
            .iter()
            .all(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// `2-1.4`: bus and ports; `2-1.4:1.0` is an interface of it.
fn is_usb(part: &str) -> bool {
    let Some((bus, ports)) = part.split_once('-') else {
        return false;
    };
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    number(bus) && ports.split('.').all(number)
}

/// The lines about resets and changes in the kernel's log after `since`, in its own words and time; one reset may have several.
fn news(log: &str, way: &Way, since: Duration) -> Vec<(Duration, String)> {
    log.lines()
        .filter_map(stamped)
        .filter(|(at, text)| *at > since && (way.is_reset(text) || way.is_changed(text)))
        .map(|(at, text)| (at, text.to_owned()))
        .collect()
}

/// The sectors of 512 bytes that are hidden, by the log's last word on that drive.
pub fn hidden(log: &str, way: &Way) -> u64 {
    let mut told = log.lines().rev().filter_map(stamped);
    told.find_map(|(_, text)| way.hidden(text)).unwrap_or(0)
}

/// The last line's time: what comes later is new. `None` for an empty log, or one without times.
pub fn newest(log: &str) -> Option<Duration> {
    log.lines().rev().find_map(stamped).map(|(at, _)| at)
}

/// The first line's time.
fn oldest(log: &str) -> Option<Duration> {
    log.lines().find_map(stamped).map(|(at, _)| at)
}

/// `<6>[   12.345678] text`: seconds since the kernel started, and the text. Some kernels put a thread behind the time
/// (`[   12.345678][  T123] text`, `CONFIG_PRINTK_CALLER`).
fn stamped(line: &str) -> Option<(Duration, &str)> {
    let line = line
        .strip_prefix('<')
        .and_then(|rest| rest.split_once('>'))
        .map_or(line, |(_, rest)| rest);
    let (stamp, text) = line.strip_prefix('[')?.split_once("] ")?;
    let (stamp, _) = stamp.split_once("][").unwrap_or((stamp, ""));
    let seconds: f64 = stamp.trim().parse().ok()?;
    Some((Duration::try_from_secs_f64(seconds).ok()?, text))
}

/// The kernel's log as it stands.
///
/// # Errors
/// When it may not be read.
pub fn read() -> io::Result<String> {
    let mut ring = vec![0_u8; RING];
    let room = c_int::try_from(RING).map_err(io::Error::other)?;
    // SAFETY: the kernel writes at most as many bytes as the buffer is long and returns their number.
    let length = unsafe { libc::klogctl(READ_ALL, ring.as_mut_ptr().cast::<c_char>(), room) };
    let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
    ring.truncate(length);
    Ok(String::from_utf8_lossy(&ring).into_owned())
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    pub(super) const SATA: &str = "/sys/devices/pci0000:00/0000:00:1f.2/ata3/host2/target2:0:0/2:0:0:0/block/sda";
    pub(super) const USB: &str =
        "/sys/devices/pci0000:00/0000:00:14.0/usb2/2-1/2-1.4/2-1.4:1.0/host6/target6:0:0/6:0:0:0/block/sdb";
    const SAS: &str =
        "/sys/devices/pci0000:00/0000:01:00.0/host0/port-0:3/end_device-0:3/target0:0:3/0:0:3:0/block/sdc";
    pub(super) const NVME: &str = "/sys/devices/pci0000:00/0000:02:00.0/nvme/nvme0/nvme0n1";

    #[test]
    fn a_reset_is_told_of_the_drive_that_the_line_names() {
        for (line, path) in [
            ("ata3: hard resetting link", SATA),
            ("ata3.00: soft resetting link", SATA),
            ("sd 2:0:0:0: Power-on or device reset occurred", SATA),
            ("usb 2-1.4: reset SuperSpeed USB device number 3 using xhci_hcd", USB),
            ("scsi host6: uas_eh_device_reset_handler start", USB),
            ("sd 0:0:3:0: attempting device reset! scmd(0x00000000a1b2c3d4)", SAS),
            ("nvme nvme0: I/O 12 QID 3 timeout, reset controller", NVME),
            (
                "nvme nvme0: controller is down; will reset: CSTS=0xffffffff, PCI_STATUS=0xffff",
                NVME,
            ),
        ] {
            for other in [SATA, USB, SAS, NVME] {
                assert_eq!(Way::of(other).is_reset(line), other == path, "{line} {other}");
            }
        }
        for line in [
            "ata3.00: configured for UDMA/133",
            "ata31: hard resetting link",
            "usb 2-1: reset SuperSpeed USB device number 2 using xhci_hcd",
            "usb 2-1.4: new SuperSpeed USB device number 3 using xhci_hcd",
            "sd 2:0:0:0: [sda] Attached SCSI disk",
            "nvme nvme0: 8/0/0 default/read/poll queues",
        ] {
            for path in [SATA, USB, SAS, NVME] {
                assert!(!Way::of(path).is_reset(line), "{line} {path}");
            }
        }
        assert!(Way::of("/sys/devices/virtual/block/nbd0").is_reset("block nbd0: hard resetting link"));
    }

    #[test]
    fn a_hidden_area_is_told_in_sectors() {
        let log = "[    1.000000] ata3.00: HPA detected: current 78165360, native 78168448\n\
                   [    1.000001] ata4.00: HPA detected: current 10, native 20\n\
                   [    9.000000] ata3.00: HPA detected: current 78165000, native 78168448\n";
        assert_eq!(hidden(log, &Way::of(SATA)), 3448, "the last word counts");
        assert_eq!(hidden(log, &Way::of(NVME)), 0);
        for line in [
            "ata3.00: HPA detected: current x, native 5",
            "ata3.00: HPA detected: current 9, native 5",
            "ata3.00: HPA unlocked: 9 -> 12, native 12",
        ] {
            assert_eq!(Way::of(SATA).hidden(line), None, "{line}");
        }
    }

    #[test]
    fn only_what_came_since_counts() {
        let log = "<6>[    1.500000] ata3: hard resetting link\n\
                   [   12.000001] ata3: hard resetting link\n\
                   [   13.000000] ata4: hard resetting link\n\
                   <3>[   99.000000] ata3: soft resetting link\nno stamp\n[x] bad\n";
        let found = news(log, &Way::of(SATA), Duration::from_millis(1_500));
        assert_eq!(found.len(), 2);
        assert_eq!(
            found[1],
            (Duration::from_secs(99), "ata3: soft resetting link".to_owned())
        );
        assert_eq!(newest(log), Some(Duration::from_secs(99)));
        assert_eq!(newest(""), None);
    }

    #[test]
    fn the_kernels_own_log_is_read() {
        match read() {
            Ok(log) => assert!(log.is_empty() || newest(&log).is_some(), "{log}"),
            Err(error) => assert_eq!(error.raw_os_error(), Some(libc::EPERM), "{error}"),
        }
    }
}
