//! A drive's temperature from the kernel's sensors (hwmon: `drivetemp` for ATA and SCSI, `nvme`), else from its SMART.
//!
//! Reading one sends a command to the drive, so it can block as long as the drive does: [`crate::watch`] gives each drive
//! a thread of its own for it, and a child reads it. A thread of ours that the drive holds would keep the whole process from ending,
//! with all that it holds of other drives.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use wire::Celsius;
use wire::drive::Bus;

use crate::child::{self, Failed};
use crate::guard::Guard;
use crate::smart::{Protocol, Smartctl, Snapshot, Unreadable};
use crate::sysfs::{self, Device};
use crate::system::{System, names, number};

/// How often a drive without a sensor is asked through smartctl: a process and a handful of commands each time.
const ASK_PERIOD: Duration = Duration::from_secs(300);

/// The same behind USB: the commands hold the drive's queue for a moment, which counts in its latencies.
const USB_ASK_PERIOD: Duration = Duration::from_secs(600);

/// How often at most a drive that is held for heat is woken to tell its temperature.
const WAKE_PERIOD: Duration = Duration::from_secs(300);

/// How often one that is held for heat and awake is asked beside its [`Thermometer`]: half an hour without cooling ends its job, and
/// three answers in it are no watch. It does no work that this would hold up.
const HELD_PERIOD: Duration = Duration::from_secs(60);

/// First argument of a child that reads a sensor: `PROGRAM drive-heat ATTRIBUTE`.
const ARGUMENT: &str = "drive-heat";

/// Longest answer of that child in bytes.
const ANSWER_MAX: usize = 64;

/// The thermometer of one drive: the kernel's sensor, else what the drive's SMART tells now and then.
#[derive(Debug)]
pub struct Thermometer {
    device: Device,
    /// When to ask next; `None` where asking is of no use.
    ask: Option<Instant>,
    told: Option<Celsius>,
    /// Whether it ever told one.
    tells: bool,
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
            let later = late || matches!(answer, Err(Unreadable::Asleep)) || (usb && answer.is_err());
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

/// How often a [`Thermometer`] asks a drive without a sensor on this bus.
fn ask_period(bus: Bus) -> Duration {
    match bus {
        Bus::Usb => USB_ASK_PERIOD,
        Bus::Sata | Bus::Scsi | Bus::Nvme | Bus::Virtio | Bus::Mmc | Bus::Loop | Bus::Other => ASK_PERIOD,
    }
}

/// Readings of a drive that is held for heat, beside those of its [`Thermometer`], which are up to [`USB_ASK_PERIOD`] old and leave a
/// drive asleep: one that its enclosure put to standby would never show that it cooled, and its job would be given up.
#[derive(Clone, Debug)]
pub struct Waking {
    /// How often the thermometer reads.
    period: Duration,
    last: Option<Duration>,
    /// What the thermometer tells, and when it first did.
    told: (Option<Celsius>, Duration),
    /// A reading of that moment, and what the thermometer told at it.
    fresh: Option<(Celsius, Option<Celsius>)>,
}

impl Waking {
    /// Of a drive on this bus.
    pub fn of(bus: Bus) -> Self {
        Self {
            period: ask_period(bus),
            last: None,
            told: (None, Duration::ZERO),
            fresh: None,
        }
    }

    /// Whether to read it at `now`, on any clock that never goes back, in a way that wakes it. `hot`: whether it is held for heat;
    /// `told`: by its thermometer. To be asked each time that this was looked at.
    pub fn is_due(&mut self, now: Duration, hot: bool, told: Option<Celsius>) -> bool {
        if self.told.0 != told {
            self.told = (told, now);
        }
        let period = if told.is_some() { HELD_PERIOD } else { WAKE_PERIOD };
        let due = hot && self.last.is_none_or(|last| now.saturating_sub(last) >= period);
        if due {
            self.last = Some(now);
        }
        due
    }

    /// Takes what it was found to have when that [was due](Self::is_due), `told` by its thermometer meanwhile.
    pub fn took(&mut self, fresh: Option<Celsius>, told: Option<Celsius>) {
        self.fresh = fresh.map(|fresh| (fresh, told));
    }

    /// What counts at `now`: the fresh reading until the thermometer tells something else, or must have been read since, a whole number of
    /// its periods after it first told this; else what it tells. An old one would hold a drive again that has just cooled, and a
    /// fresh one that has become old would let it go on as hot as before.
    pub fn newest(&self, now: Duration, told: Option<Celsius>) -> Option<Celsius> {
        let readings = |until: Duration| {
            let told_for = until.checked_sub(self.told.1)?;
            Some(told_for.as_secs() / self.period.as_secs())
        };
        let is_new = self
            .last
            .and_then(readings)
            .is_some_and(|then| Some(then) == readings(now));
        match self.fresh {
            Some((fresh, then)) if is_new && then == told => Some(fresh),
            Some(_) | None => told,
        }
    }
}

/// The temperature of the drive with this kernel name; `None` where there is no sensor or it tells nothing. May block as long as the
/// drive does, up to the deadline of `guard` for each sensor.
///
/// # Errors
/// When the child that reads it came to nothing, as beside a drive that hangs.
pub fn sensed(guard: &Guard, name: &str) -> Result<Option<Celsius>, Failed> {
    value(guard, name, "temp1_input")
}

/// The temperature from which the drive with this kernel name warns: NVMe's WCTEMP (a command to the drive, too), SCT's highest in
/// service for ATA.
fn warning(guard: &Guard, name: &str) -> Option<Celsius> {
    value(guard, name, "temp1_max").ok()?.filter(|degrees| degrees.0 > 0)
}

/// Adds what the kernel tells of the temperature from which an NVMe drive warns, where its SMART does not: smartctl tells
/// it since 7.5. May block as [`sensed`] does.
pub fn add_warning(guard: &Guard, name: &str, told: &mut Snapshot) {
    if told.protocol == Protocol::Nvme && told.heat_warning.is_none() {
        told.heat_warning = warning(guard, name).map(|degrees| i64::from(degrees.0));
    }
}

/// What a sensor of the drive tells: what may hang on the drive hangs in a child.
fn value(guard: &Guard, name: &str, attribute: &str) -> Result<Option<Celsius>, Failed> {
    let node = sysfs::node(&guard.system, name);
    for path in sensors(&guard.system, name, attribute) {
        let told = match guard.prober.program() {
            None => number(&path),
            Some(program) => {
                let mut command = Command::new(program);
                let output = child::run(command.arg(ARGUMENT).arg(path), &node, guard.deadline, ANSWER_MAX)?;
                String::from_utf8_lossy(&output.stdout).trim().parse().ok()
            }
        };
        if let Some(degrees) = told.and_then(degrees) {
            return Ok(Some(degrees));
        }
    }
    Ok(None)
}

/// See [`crate::answer_child`].
pub(crate) fn answer() {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_none_or(|first| first != ARGUMENT) {
        return;
    }
    let Some(path) = arguments.next() else { return };
    // What tells nothing is answered with nothing.
    if let Some(millidegrees) = number::<i32>(Path::new(&path)) {
        println!("{millidegrees}");
    }
    std::process::exit(0);
}

/// Where sensors of the drive tell `attribute`. Listing them asks the kernel alone.
fn sensors(system: &System, name: &str, attribute: &str) -> Vec<PathBuf> {
    let device = system.path("sys/block").join(name).join("device");
    // The sensor hangs below the SCSI device, the NVMe controller (which a multipath namespace's subsystem links to), or
    // the controller itself.
    let mut places = vec![
        device.join("hwmon"),
        device.clone(),
        device.join("device/hwmon"),
        device.join("device"),
    ];
    places.extend(
        names(&device)
            .iter()
            .filter(|entry| entry.starts_with("nvme"))
            .map(|entry| device.join(entry)),
    );
    let is_sensor = |entry: &String| {
        entry
            .strip_prefix("hwmon")
            .is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()) && !n.is_empty())
    };
    let of = |place: &PathBuf| {
        let entries = names(place).into_iter().filter(is_sensor);
        let paths = entries.map(|entry| place.join(entry).join(attribute));
        paths.filter(|path| path.exists()).collect::<Vec<_>>()
    };
    places.iter().flat_map(of).collect()
}

/// A sensor's answer in thousandths; those that are not there answer with absolute zero or 255 °C.
fn degrees(millidegrees: i32) -> Option<Celsius> {
    let degrees = (millidegrees + 500).div_euclid(1000);
    (-60..=150).contains(&degrees).then_some(Celsius(degrees))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use wire::drive::Rotation;
    use wire::{Bytes, DriveId};

    use super::*;
    use crate::identity::Identity;
    use crate::probe::Prober;
    use crate::sysfs::DevNum;

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

    #[test]
    fn a_drive_held_for_heat_that_tells_nothing_is_woken_once_in_five_minutes() {
        let mut waking = Waking::of(Bus::Usb);
        let at = Duration::from_secs;
        assert!(!waking.is_due(at(0), false, None), "it works");
        assert!(waking.is_due(at(20), true, None));
        assert!(!waking.is_due(at(319), true, None));
        assert!(waking.is_due(at(320), true, None));
        assert!(!waking.is_due(at(400), false, None));
        assert!(!waking.is_due(at(410), true, None), "also not in another pause");
        assert!(waking.is_due(at(620), true, None));
    }

    #[test]
    fn a_drive_held_for_heat_is_read_each_minute_and_an_older_reading_does_not_count_beside_that() {
        let mut waking = Waking::of(Bus::Usb);
        let (at, told) = (Duration::from_secs, Some(Celsius(60)));
        assert!(!waking.is_due(at(0), false, told), "it works");
        assert_eq!(waking.newest(at(0), told), told);
        assert!(waking.is_due(at(10), true, told));
        waking.took(Some(Celsius(57)), told);
        assert_eq!(waking.newest(at(10), told), Some(Celsius(57)));
        assert!(!waking.is_due(at(69), true, told));
        assert!(waking.is_due(at(70), true, told));
        waking.took(Some(Celsius(52)), told);
        assert_eq!(
            waking.newest(at(80), Some(Celsius(61))),
            Some(Celsius(61)),
            "it was read since"
        );
        assert!(waking.is_due(at(540), true, told));
        waking.took(Some(Celsius(52)), told);
        assert!(!waking.is_due(at(550), false, told), "it goes on");
        assert_eq!(waking.newest(at(599), told), Some(Celsius(52)));
        assert!(!waking.is_due(at(600), false, told));
        assert_eq!(
            waking.newest(at(600), told),
            told,
            "it was read again meanwhile, and is as hot"
        );
        assert!(waking.is_due(at(610), true, told));
        waking.took(Some(Celsius(52)), told);
        assert_eq!(waking.newest(at(1199), told), Some(Celsius(52)));
        assert_eq!(waking.newest(at(1200), told), told);
        assert!(
            !waking.is_due(at(630), true, Some(Celsius(61))),
            "it tells something else"
        );
        assert!(!waking.is_due(at(650), true, told), "and the same again");
        assert_eq!(waking.newest(at(650), told), told, "it was read since");
        assert!(waking.is_due(at(710), true, told));
        waking.took(None, told);
        assert_eq!(waking.newest(at(710), told), told, "it did not answer");
    }

    /// Its thermometer reads it twice as often as one behind USB.
    #[test]
    fn a_fresh_reading_of_a_sas_drive_ends_with_its_own_thermometers_next() {
        let mut waking = Waking::of(Bus::Scsi);
        let (at, told) = (Duration::from_secs, Some(Celsius(60)));
        assert!(!waking.is_due(at(0), false, told));
        assert!(waking.is_due(at(240), true, told));
        waking.took(Some(Celsius(52)), told);
        assert_eq!(waking.newest(at(299), told), Some(Celsius(52)));
        assert_eq!(waking.newest(at(300), told), told);
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
            shingled: None,
            beside: Bytes(0),
            host_managed: false,
            location: String::new(),
            removable: false,
            read_only: false,
            partitions: Vec::new(),
        }
    }

    #[test]
    fn sensors_of_ata_and_nvme_are_found_and_absurd_ones_ignored() {
        let root = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = root.path().join("sys/block").join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        put("sda/device/hwmon/hwmon3/temp1_input", "34600\n");
        put("nvme0n1/device/hwmon1/temp1_input", "41000\n");
        put("nvme0n1/device/hwmon1/temp1_max", "81850\n");
        put("nvme1n1/device/nvme1/hwmon2/temp1_input", "-5000\n");
        put("sdb/device/hwmon/hwmon4/temp1_input", "-273150\n");
        put("sdc/device/model", "x");
        let guard = guard(System::at(root.path()));
        let all: Vec<Option<i32>> = ["sda", "nvme0n1", "nvme1n1", "sdb", "sdc", "sdz"]
            .map(|n| sensed(&guard, n).unwrap().map(|c| c.0))
            .into();
        assert_eq!(warning(&guard, "nvme0n1"), Some(Celsius(82)));
        assert_eq!(warning(&guard, "sda"), None);
        assert_eq!(all, [Some(35), Some(41), Some(-5), None, None, None]);
    }
}
