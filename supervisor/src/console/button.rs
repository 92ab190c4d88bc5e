//! The power button: every input device of the kernel with a power key. ACPI's button (a hypervisor's orderly shutdown presses
//! it), a board's `gpio_keys`, a keyboard's key.
//!
//! A helper listens, since opening a device may wake hardware that hangs. It tells PID 1 of a press and decides nothing; what a
//! long press does is the firmware's. A device that comes later is opened when PID 1 has heard of it. Tested: here with pipes in
//! place of devices; with QEMU's button in `image/tests/boot/console.rs`.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::event::{PollFd, PollFlags};

use crate::shell::helper::Line;
use crate::shell::sleep::sleep;

/// Where the kernel lists input devices with what each can tell.
const CLASS: &str = "/sys/class/input";
/// Where they are opened.
const NODES: &str = "/dev/input";
/// `EV_KEY` and `KEY_POWER` (linux/input-event-codes.h), and the value of a key that goes down (2 repeats, 0 goes up).
const KEY: u16 = 1;
const POWER: u16 = 116;
const DOWN: i32 = 1;
/// Bytes of the kernel's `long` on this machine.
const LONG: usize = size_of::<libc::c_ulong>();
/// Most devices that are listened to: a box has one or two with this key.
const DEVICES_MAX: usize = 32;
/// Events that are read at once, and how often in one turn: a device that babbles keeps no other one from being heard.
const EVENTS: usize = 64;
const READS_MAX: usize = 4;

/// Bytes of one `input_event` (linux/input.h): two longs of time, type and code of 16 bits each, a value of 32.
const fn event_size(long: usize) -> usize {
    2 * long + 8
}

/// Whether the power key goes down in these events; what is cut off at the end counts for nothing. `long`: bytes of the kernel's.
fn is_pressed(events: &[u8], long: usize) -> bool {
    events.chunks_exact(event_size(long)).any(|e| {
        let short = |at: usize| u16::from_ne_bytes([e[at], e[at + 1]]);
        let at = 2 * long;
        let value = i32::from_ne_bytes([e[at + 4], e[at + 5], e[at + 6], e[at + 7]]);
        (short(at), short(at + 2), value) == (KEY, POWER, DOWN)
    })
}

/// Whether a device has the power key: `capabilities/key` of it, hexadecimal longs, the highest first.
fn has_power_key(capabilities: &str, long: usize) -> bool {
    let bits = 8 * long;
    let word = capabilities.split_whitespace().rev().nth(usize::from(POWER) / bits);
    word.and_then(|w| u64::from_str_radix(w, 16).ok())
        .is_some_and(|w| w >> (usize::from(POWER) % bits) & 1 == 1)
}

/// A device that is listened to.
#[derive(Debug)]
struct Device {
    name: String,
    file: File,
}

impl Device {
    /// Whether it was pressed; `None` where the device is gone.
    fn read(&mut self) -> Option<bool> {
        let mut buf = [0u8; EVENTS * event_size(LONG)];
        let mut pressed = false;
        for _ in 0..READS_MAX {
            match self.file.read(&mut buf) {
                Ok(n) if n > 0 => pressed |= is_pressed(&buf[..n], LONG),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                // A press that was still told counts.
                Ok(_) | Err(_) => return pressed.then_some(true),
            }
        }
        Some(pressed)
    }
}

/// Opens what has the key and is not open yet.
fn look(open: &mut Vec<Device>, class: &Path, nodes: &Path) {
    for e in fs::read_dir(class).into_iter().flatten().flatten() {
        let name = e.file_name().to_string_lossy().into_owned();
        if !name.starts_with("event") || open.len() >= DEVICES_MAX || open.iter().any(|d| d.name == name) {
            continue;
        }
        let can = fs::read_to_string(e.path().join("device/capabilities/key")).unwrap_or_default();
        if !has_power_key(&can, LONG) {
            continue;
        }
        let node = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
            .open(nodes.join(&name));
        if let Ok(file) = node {
            open.push(Device { name, file });
        }
    }
}

/// Reads those that have something to tell, and lets go of those that are gone; whether one was pressed.
fn read(open: &mut Vec<Device>, due: &[bool]) -> bool {
    let mut pressed = false;
    let mut due = due.iter();
    open.retain_mut(|d| match due.next() {
        Some(true) => d.read().inspect(|p| pressed |= p).is_some(),
        Some(false) | None => true,
    });
    pressed
}

/// In a helper: says `power` for each press, and looks for devices again when PID 1 says anything, until PID 1 is gone.
pub(crate) fn watch(line: &Line) -> i32 {
    let mut open = Vec::new();
    look(&mut open, Path::new(CLASS), Path::new(NODES));
    loop {
        // The line first: whoever is heard to have a new device's name is seen to be gone in the same turn.
        let mut fds = vec![PollFd::from_borrowed_fd(line.as_fd(), PollFlags::IN)];
        fds.extend(open.iter().map(|d| PollFd::new(&d.file, PollFlags::IN)));
        match sleep(&mut fds, None) {
            Ok(_) => {}
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(_) => return 1,
        }
        let due: Vec<bool> = fds.iter().map(|f| !f.revents().is_empty()).collect();
        drop(fds);
        if read(&mut open, &due[1..]) {
            line.say("power");
        }
        if due[0] {
            if line.hear().is_none() {
                return 0;
            }
            look(&mut open, Path::new(CLASS), Path::new(NODES));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use std::io::Write;

    /// An event as a kernel with longs of so many bytes writes it.
    fn event(long: usize, kind: u16, code: u16, value: i32) -> Vec<u8> {
        let time = vec![0xff; 2 * long];
        [
            time.as_slice(),
            &kind.to_ne_bytes(),
            &code.to_ne_bytes(),
            &value.to_ne_bytes(),
        ]
        .concat()
    }

    #[test]
    fn only_a_power_key_that_goes_down_counts_in_either_layout() {
        for long in [4, 8] {
            assert_eq!(event(long, 1, 116, 1).len(), event_size(long));
            for (kind, code, value, pressed) in [
                (1, 116, 1, true),
                (1, 116, 0, false),
                (1, 116, 2, false),
                (1, 115, 1, false),
                (0, 116, 1, false),
                (4, 116, 1, false),
            ] {
                let all = [
                    event(long, 0, 3, 0),
                    event(long, kind, code, value),
                    event(long, 0, 0, 0),
                ]
                .concat();
                assert_eq!(is_pressed(&all, long), pressed, "{kind} {code} {value}");
            }
            let press = event(long, 1, 116, 1);
            for cut in 0..press.len() {
                assert!(!is_pressed(&press[..cut], long), "{cut} bytes are no event");
            }
        }
        // The two layouts are not taken for each other.
        assert!(!is_pressed(&event(8, 1, 116, 1), 4));
    }

    #[test]
    fn a_device_with_the_key_is_known_by_what_it_can_tell() {
        // ACPI's button, gpio-keys with the same key, and an AT keyboard, as 64-bit kernels word them; then 32-bit ones.
        for (text, long, has) in [
            ("10000000000000 0\n", 8, true),
            ("402000000 3803078f800d001 feffffdfffefffff fffffffffffffffe\n", 8, true),
            ("70000 0 0 0 0\n", 8, false),
            ("0\n", 8, false),
            ("", 8, false),
            ("x 0\n", 8, false),
            ("fffffffffffffffff 0\n", 8, false),
            ("100000 0 0 0\n", 4, true),
            ("10000000 0\n", 4, false),
        ] {
            assert_eq!(has_power_key(text, long), has, "{text:?}");
        }
    }

    #[test]
    fn a_device_that_comes_late_is_heard_and_one_that_is_gone_is_let_go() {
        let dir = tempfile::tempdir().unwrap();
        let (class, nodes) = (dir.path().join("class"), dir.path().join("dev"));
        fs::create_dir_all(&nodes).unwrap();
        let comes = |name: &str, can: &str| {
            let at = class.join(name).join("device/capabilities");
            fs::create_dir_all(&at).unwrap();
            fs::write(at.join("key"), can).unwrap();
            nix::unistd::mkfifo(&nodes.join(name), nix::sys::stat::Mode::S_IRWXU).unwrap();
        };
        // The power key in longs of this machine's size.
        let bits = 8 * LONG;
        let with = format!("{:x}{}", 1u64 << (116 % bits), " 0".repeat(116 / bits));
        comes("event0", "0");
        comes("input1", &with);
        comes("event2", &with);
        let mut open = Vec::new();
        look(&mut open, &class, &nodes);
        assert_eq!(open.iter().map(|d| d.name.as_str()).collect::<Vec<_>>(), ["event2"]);
        comes("event3", &with);
        look(&mut open, &class, &nodes);
        look(&mut open, &class, &nodes);
        assert_eq!(open.len(), 2, "each once");

        let mut node = OpenOptions::new().write(true).open(nodes.join("event3")).unwrap();
        node.write_all(&event(LONG, 1, 30, 1)).unwrap();
        let late = open.iter().position(|d| d.name == "event3").unwrap();
        let due: Vec<bool> = (0..2).map(|n| n == late).collect();
        assert!(!read(&mut open, &due), "another key");
        node.write_all(&[event(LONG, 1, 116, 1), event(LONG, 1, 116, 0)].concat())
            .unwrap();
        assert!(read(&mut open, &due));
        assert_eq!(open.len(), 2);
        drop(node);
        assert!(!read(&mut open, &due));
        assert_eq!(open.iter().map(|d| d.name.as_str()).collect::<Vec<_>>(), ["event2"]);
    }

    proptest::proptest! {
        #[test]
        fn whatever_a_device_tells_is_read(bytes: Vec<u8>, text in "[0-9a-f x]{0,80}") {
            for long in [4, 8] {
                let _ = (is_pressed(&bytes, long), has_power_key(&text, long));
            }
        }
    }
}
