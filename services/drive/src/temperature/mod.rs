//! A drive's temperature: from the kernel's `sensor`, else from its SMART now and then ([`Thermometer`]), and more often where it is
//! held for heat ([`Waking`]).
//!
//! Reading it sends commands to the drive, so it can block as long as the drive does: [`crate::watch`] gives each drive a thread of its
//! own for it.

mod sensor;
mod waking;

use std::time::{Duration, Instant};

use wire::Celsius;
use wire::drive::Bus;

use crate::child::Failed;
use crate::guard::Guard;
use crate::smart::{Smartctl, Unreadable};
use crate::sysfs::{self, Device};

pub(crate) use sensor::answer;
pub use sensor::{add_warning, sensed};
pub use waking::Waking;

/// How often a drive without a sensor is asked through smartctl: a process and a handful of commands each time.
const ASK_PERIOD: Duration = Duration::from_mins(5);

/// The same behind USB: the commands hold the drive's queue for a moment, which counts in its latencies.
const USB_ASK_PERIOD: Duration = Duration::from_mins(10);

/// The thermometer of one drive: the kernel's sensor, else what the drive's SMART tells now and then.
#[derive(Debug)]
pub struct Thermometer {
    device: Device,
    /// When to ask next; `None` where asking is of no use.
    ask: Option<Instant>,
    told: Option<Celsius>,
    /// Whether it ever told one.
    tells: bool,
    /// How often it answered nothing at all.
    unanswered: u32,
}

impl Thermometer {
    /// Of a drive that was plugged in at `now`.
    pub fn new(device: Device, now: Instant) -> Self {
        let answers = match device.identity.bus {
            Bus::Sata | Bus::Scsi | Bus::Usb => true,
            // NVMe has its sensor; the others have no SMART.
            Bus::Nvme | Bus::Virtio | Bus::Mmc | Bus::Loop | Bus::Other => false,
        };
        Self {
            device,
            ask: answers.then_some(now),
            told: None,
            tells: false,
            unanswered: 0,
        }
    }

    /// The temperature now, or the one last told; `None` while the drive does not answer. May block as long as the drive does, up to
    /// the deadlines of `guard` and smartctl.
    pub fn read(&mut self, guard: &Guard, smartctl: &Smartctl, now: Instant) -> Option<Celsius> {
        let node = sysfs::node(&guard.system, &self.device.name);
        match sensed(guard, &self.device.name) {
            Ok(Some(degrees)) => return Some(degrees),
            Ok(None) => {}
            // smartctl would hang there, too.
            Err(why) => {
                tracing::debug!(node = %node.display(), %why, "a drive's sensor was not read");
                return None;
            }
        }
        let identity = &self.device.identity;
        let usb = identity.bus == Bus::Usb;
        // A bridge would have to be tried in ten ways, under load: whoever read its drive's SMART before has found the one.
        if usb && !smartctl.knows(identity) {
            self.told = None;
            return None;
        }
        if self.ask.is_some_and(|when| when <= now) {
            let answer = smartctl.glance(&node, identity);
            // Standing still it is cool, and waking it only to ask would wear it. The way through a bridge is known from a good
            // reading: where it fails the bridge may be busy.
            let late = matches!(answer, Err(Unreadable::Run(Failed::Late(_) | Failed::Held)));
            let asleep = matches!(answer, Err(Unreadable::Asleep));
            // A job may switch it on at any time.
            let off = matches!(answer, Err(Unreadable::SwitchedOff { .. }));
            // One that spins up, or is busy, answers nothing at first; one that has no SMART never will.
            let nothing = answer.is_err() && !off && !matches!(answer, Err(Unreadable::OtherDrive { .. }));
            self.unanswered += u32::from(nothing);
            let later = late || asleep || off || (usb && answer.is_err()) || (nothing && self.unanswered <= TRIES);
            self.told = answer
                .ok()
                .and_then(|snapshot| snapshot.temperature)
                .and_then(|degrees| i32::try_from(degrees).ok())
                // A drive without a sensor tells 0.
                .filter(|degrees| (1..=150).contains(degrees))
                .map(Celsius);
            // What does not tell its temperature at first never will; what did may fail to answer once.
            self.tells |= self.told.is_some();
            self.ask = (self.tells || later).then_some(now + ask_period(identity.bus));
        }
        self.told
    }
}

/// How often a drive is asked that answers nothing.
const TRIES: u32 = 10;

/// How often a [`Thermometer`] asks a drive without a sensor on this bus.
fn ask_period(bus: Bus) -> Duration {
    match bus {
        Bus::Usb => USB_ASK_PERIOD,
        Bus::Sata | Bus::Scsi | Bus::Nvme | Bus::Virtio | Bus::Mmc | Bus::Loop | Bus::Other => ASK_PERIOD,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::unchecked_time_subtraction, reason = "tests")]
    use wire::drive::Rotation;
    use wire::{Bytes, DriveId};

    use super::sensor::warning;
    use super::*;
    use crate::identity::Identity;
    use crate::probe::Prober;
    use crate::smart::Snapshot;
    use crate::sysfs::DevNum;
    use crate::system::System;

    #[test]
    fn a_drive_without_a_sensor_is_asked_now_and_then() {
        let root = tempfile::tempdir().unwrap();
        let system = System::at(root.path());
        let program = root.path().join("smartctl");
        let asked = root.path().join("asked");
        let script = format!(
            "case \"$*\" in *-x*|*farm*) exit 3;; esac\necho x >> {}\n[ -e {} ] && exit 77\necho '{}'\n",
            asked.display(),
            root.path().join("asleep").display(),
            r#"{"smartctl":{"exit_status":0},"device":{"type":"sat","protocol":"ATA"},"serial_number":"S1","smart_status":{"passed":true},"temperature":{"current":37}}"#
        );
        crate::common::script(&program, &script);
        let guard = guard(system);
        let smartctl = Smartctl {
            program,
            deadline: Duration::from_secs(30),
            ..Smartctl::default()
        };
        let times = || std::fs::read_to_string(&asked).map_or(0, |text| text.lines().count());
        let now = Instant::now();
        let mut thermometer = Thermometer::new(device(Bus::Sata), now);
        assert_eq!(thermometer.read(&guard, &smartctl, now), Some(Celsius(37)));
        assert_eq!(
            thermometer.read(&guard, &smartctl, now + Duration::from_secs(299)),
            Some(Celsius(37))
        );
        assert_eq!(times(), 1);
        assert_eq!(thermometer.read(&guard, &smartctl, now + ASK_PERIOD), Some(Celsius(37)));
        assert_eq!(times(), 2);
        std::fs::write(root.path().join("asleep"), "").unwrap();
        assert_eq!(
            thermometer.read(&guard, &smartctl, now + 2 * ASK_PERIOD),
            None,
            "it sleeps"
        );
        std::fs::remove_file(root.path().join("asleep")).unwrap();
        assert_eq!(
            thermometer.read(&guard, &smartctl, now + 3 * ASK_PERIOD),
            Some(Celsius(37)),
            "it is asked again"
        );
        assert_eq!(times(), 4);
        let mut virtual_disk = Thermometer::new(device(Bus::Virtio), now);
        assert_eq!(virtual_disk.read(&guard, &smartctl, now), None);
        let mut another = Thermometer::new(
            Device {
                identity: Identity {
                    serial: "S2".into(),
                    ..device(Bus::Sata).identity
                },
                ..device(Bus::Sata)
            },
            now,
        );
        assert_eq!(
            another.read(&guard, &smartctl, now),
            None,
            "the answer is of another drive"
        );
        assert_eq!(another.read(&guard, &smartctl, now + ASK_PERIOD), None);
        assert_eq!(times(), 5);
    }

    #[test]
    fn a_drive_behind_usb_is_asked_once_the_way_to_it_is_known_and_in_no_other() {
        let root = tempfile::tempdir().unwrap();
        let system = System::at(root.path());
        let [program, asked, busy, mute] = ["smartctl", "asked", "busy", "mute"].map(|name| root.path().join(name));
        let script = format!(
            "echo \"$*\" >> {}\n[ -e {} ] && exit 2\n[ -e {} ] && echo '{}' && exit 0\n\
             case \"$*\" in *-d\\ sntrealtek*) echo '{}';; *) exit 2;; esac\n",
            asked.display(),
            busy.display(),
            mute.display(),
            r#"{"smartctl":{"exit_status":0},"device":{"type":"sntrealtek","protocol":"NVMe"},"serial_number":"S1","smart_status":{"passed":true}}"#,
            r#"{"smartctl":{"exit_status":0},"device":{"type":"sntrealtek","protocol":"NVMe"},"serial_number":"S1","smart_status":{"passed":true},"temperature":{"current":58}}"#
        );
        crate::common::script(&program, &script);
        let guard = guard(system);
        let smartctl = Smartctl {
            program,
            ..Smartctl::default()
        };
        let times = || std::fs::read_to_string(&asked).map_or(0, |text| text.lines().count());
        let now = Instant::now();
        let mut thermometer = Thermometer::new(device(Bus::Usb), now);
        assert_eq!(thermometer.read(&guard, &smartctl, now), None);
        let mut read = Snapshot {
            device_type: "sat --set=security-freeze".into(),
            ..Snapshot::default()
        };
        smartctl.recall(&device(Bus::Usb).identity, &read);
        assert_eq!(thermometer.read(&guard, &smartctl, now), None, "no type of ours");
        assert_eq!(times(), 0);
        read.device_type = "sntrealtek".into();
        smartctl.recall(&device(Bus::Usb).identity, &read);
        assert_eq!(thermometer.read(&guard, &smartctl, now), Some(Celsius(58)));
        let soon = now + USB_ASK_PERIOD - Duration::from_secs(1);
        assert_eq!(thermometer.read(&guard, &smartctl, soon), Some(Celsius(58)));
        assert_eq!(times(), 1, "each time costs its drive a moment");
        std::fs::write(&busy, "").unwrap();
        assert_eq!(thermometer.read(&guard, &smartctl, now + USB_ASK_PERIOD), None);
        assert_eq!(times(), 2, "no other way is tried");
        std::fs::remove_file(&busy).unwrap();
        let later = now + 2 * USB_ASK_PERIOD;
        assert_eq!(
            thermometer.read(&guard, &smartctl, later),
            Some(Celsius(58)),
            "it told one before and is asked again"
        );
        let forgetful = Smartctl {
            program: smartctl.program.clone(),
            ..Smartctl::default()
        };
        assert_eq!(
            thermometer.read(&guard, &forgetful, later),
            None,
            "the way is not known any more: what it told may be hours old"
        );
        assert_eq!(times(), 3);
        std::fs::write(&mute, "").unwrap();
        let mut mute_one = Thermometer::new(device(Bus::Usb), now);
        assert_eq!(mute_one.read(&guard, &smartctl, now), None);
        assert_eq!(mute_one.read(&guard, &smartctl, later), None);
        assert_eq!(times(), 4, "it answered without a temperature: it has none");
    }

    #[test]
    fn a_bridge_that_is_busy_at_first_is_asked_again() {
        let root = tempfile::tempdir().unwrap();
        let system = System::at(root.path());
        let [program, busy] = ["smartctl", "busy"].map(|name| root.path().join(name));
        let script = format!(
            "[ -e {} ] && exit 2\necho '{}'\n",
            busy.display(),
            r#"{"smartctl":{"exit_status":0},"device":{"type":"sat","protocol":"ATA"},"serial_number":"S1","smart_status":{"passed":true},"temperature":{"current":41}}"#
        );
        crate::common::script(&program, &script);
        let guard = guard(system);
        let smartctl = Smartctl {
            program,
            ..Smartctl::default()
        };
        let read = Snapshot {
            device_type: "sat".into(),
            ..Snapshot::default()
        };
        smartctl.recall(&device(Bus::Usb).identity, &read);
        std::fs::write(&busy, "").unwrap();
        let now = Instant::now();
        let mut thermometer = Thermometer::new(device(Bus::Usb), now);
        assert_eq!(thermometer.read(&guard, &smartctl, now), None);
        std::fs::remove_file(&busy).unwrap();
        assert_eq!(
            thermometer.read(&guard, &smartctl, now + USB_ASK_PERIOD),
            Some(Celsius(41))
        );
    }

    /// A SAS drive has no sensor of the kernel's, and is not ready for seconds after it was plugged in.
    #[test]
    fn a_drive_that_is_not_ready_at_first_is_asked_again_and_one_without_smart_not_for_ever() {
        let root = tempfile::tempdir().unwrap();
        let [program, busy, asked] = ["smartctl", "busy", "asked"].map(|name| root.path().join(name));
        let script = format!(
            "echo x >> {}\n[ -e {} ] && exit 2\necho '{}'\n",
            asked.display(),
            busy.display(),
            r#"{"smartctl":{"exit_status":0},"device":{"type":"scsi","protocol":"SCSI"},"serial_number":"S1","smart_status":{"passed":true},"temperature":{"current":41}}"#
        );
        crate::common::script(&program, &script);
        let guard = guard(System::at(root.path()));
        let smartctl = Smartctl {
            program,
            ..Smartctl::default()
        };
        std::fs::write(&busy, "").unwrap();
        let now = Instant::now();
        let mut thermometer = Thermometer::new(device(Bus::Scsi), now);
        assert_eq!(thermometer.read(&guard, &smartctl, now), None);
        std::fs::remove_file(&busy).unwrap();
        let later = now + ASK_PERIOD;
        assert_eq!(thermometer.read(&guard, &smartctl, later), Some(Celsius(41)));
        std::fs::write(&busy, "").unwrap();
        let mut silent = Thermometer::new(device(Bus::Scsi), now);
        let mut when = now;
        for _ in 0..TRIES + 3 {
            assert_eq!(silent.read(&guard, &smartctl, when), None);
            when += ASK_PERIOD;
        }
        std::fs::remove_file(&busy).unwrap();
        assert_eq!(silent.read(&guard, &smartctl, when), None, "it is taken to have none");
    }

    /// It waits in the box for hours, and the job that switches its SMART on is to hold it for heat.
    #[test]
    fn a_drive_whose_smart_is_off_is_asked_until_it_is_switched_on() {
        let root = tempfile::tempdir().unwrap();
        let [program, on] = ["smartctl", "on"].map(|name| root.path().join(name));
        let script = format!(
            "[ -e {} ] && echo '{}' || echo '{}'\n",
            on.display(),
            r#"{"smartctl":{"exit_status":0},"device":{"type":"sat","protocol":"ATA"},"serial_number":"S1","smart_status":{"passed":true},"temperature":{"current":41}}"#,
            r#"{"smartctl":{"exit_status":0},"device":{"type":"sat","protocol":"ATA"},"serial_number":"S1","smart_support":{"available":true,"enabled":false}}"#
        );
        crate::common::script(&program, &script);
        let guard = guard(System::at(root.path()));
        let smartctl = Smartctl {
            program,
            ..Smartctl::default()
        };
        let mut when = Instant::now();
        let mut thermometer = Thermometer::new(device(Bus::Sata), when);
        for _ in 0..TRIES + 3 {
            assert_eq!(thermometer.read(&guard, &smartctl, when), None);
            when += ASK_PERIOD;
        }
        std::fs::write(&on, "").unwrap();
        assert_eq!(thermometer.read(&guard, &smartctl, when), Some(Celsius(41)));
    }

    fn guard(system: System) -> Guard {
        Guard {
            system,
            prober: Prober::InProcess,
            ..Guard::default()
        }
    }

    /// A drive that hangs holds what reads its sensor, and nothing of it is asked meanwhile.
    #[test]
    fn a_sensor_that_does_not_answer_is_read_by_a_child_that_is_given_up() {
        let root = tempfile::tempdir().unwrap();
        let place = root.path().join("sys/block/sda/device/hwmon/hwmon3");
        std::fs::create_dir_all(&place).unwrap();
        std::fs::write(place.join("temp1_input"), "34600\n").unwrap();
        std::fs::write(place.join("temp1_max"), "70000\n").unwrap();
        let [prober, hangs, program, asked] =
            ["prober", "hangs", "smartctl", "asked"].map(|name| root.path().join(name));
        let script = format!("[ -e {} ] && exec sleep 300\ncat \"$2\"\n", hangs.display());
        crate::common::script(&prober, &script);
        crate::common::script(&program, &format!("echo x >> {}; exit 2", asked.display()));
        let guard = Guard {
            prober: Prober::Program(prober),
            deadline: Duration::from_secs(30),
            ..guard(System::at(root.path()))
        };
        let smartctl = Smartctl {
            program,
            ..Smartctl::default()
        };
        let now = Instant::now();
        let mut thermometer = Thermometer::new(device(Bus::Sata), now);
        assert_eq!(thermometer.read(&guard, &smartctl, now), Some(Celsius(35)));
        assert_eq!(warning(&guard, "sda"), Some(Celsius(70)));
        std::fs::write(&hangs, "").unwrap();
        let hasty = Guard {
            deadline: Duration::from_millis(100),
            ..guard.clone()
        };
        assert_eq!(thermometer.read(&hasty, &smartctl, now), None);
        assert_eq!(warning(&hasty, "sda"), None);
        assert!(!asked.exists(), "smartctl would hang there, too");
        std::fs::remove_file(&hangs).unwrap();
        assert_eq!(thermometer.read(&guard, &smartctl, now), Some(Celsius(35)));
    }

    fn device(bus: Bus) -> Device {
        Device {
            name: "sda".into(),
            syspath: "devices/x/block/sda".into(),
            number: DevNum { major: 8, minor: 0 },
            sequence: 1,
            identity: Identity {
                id: DriveId::from_serial("M", "S1", 1_000_000),
                model: "M".into(),
                serial: "S1".into(),
                wwn: None,
                capacity: Bytes(1_000_000),
                logical_sector: 512,
                bus,
            },
            physical_sector: 512,
            rotation: Rotation::Unknown,
            link_mbps: None,
            shingled: None,
            beside: Bytes(0),
            host_managed: false,
            location: String::new(),
            removable: false,
            read_only: false,
            partitions: Vec::new(),
        }
    }
}
