//! At which temperatures a drive pauses and goes on: by its kind, and by what it names itself.

use drive::smart::{HEAT_LIMIT_MAX, HEAT_LIMIT_MIN, Snapshot};
use wire::Celsius;
use wire::drive::Rotation;

use super::{PATIENCE, Uncooled};
use crate::platters::spins;

/// Where a drive with platters pauses at the latest. Source: makers state 60 °C as the highest operating temperature of
/// most disks (e.g. WD Red and Seagate IronWolf data sheets).
pub const PLATTERS: Celsius = Celsius(60);

/// Where flash pauses at the latest when it names no warning temperature itself.
/// Source: SATA SSD data sheets state 70 °C of the case, which the sensor beside the controller exceeds by some degrees.
pub const FLASH: Celsius = Celsius(75);

/// How far below a limit that the drive itself names the pause begins.
pub const MARGIN: i32 = 5;

/// How far below an NVMe drive's warning temperature (WCTEMP) the pause begins: above WCTEMP it throttles by itself.
pub const WARNING_MARGIN: i32 = 2;

/// Degrees below the pause at which it goes on.
pub const HYSTERESIS: i32 = 7;

/// Limits that a drive names below this are ignored.
pub const NAMED_MIN: Celsius = Celsius(HEAT_LIMIT_MIN);

/// And above this.
pub const NAMED_MAX: Celsius = Celsius(HEAT_LIMIT_MAX);

/// No drive pauses below this, or is given up: one that names no more is at its limit here. Source: no maker sells a disk or flash for less
/// than 50 °C.
pub const COOL: Celsius = NAMED_MIN;

/// What a drive names as its own limits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// Highest operating temperatures: see [`Snapshot::heat_limits`].
    pub limits: Vec<Celsius>,
    /// NVMe warning composite temperature threshold.
    pub warning: Option<Celsius>,
}

impl Named {
    /// By the drive's SMART.
    pub fn of(smart: &Snapshot) -> Self {
        Self {
            limits: smart
                .heat_limits
                .iter()
                .filter_map(|limit| celsius(Some(*limit)))
                .collect(),
            warning: celsius(smart.heat_warning),
        }
    }
}

/// Degrees that SMART tells.
pub fn celsius(degrees: Option<i64>) -> Option<Celsius> {
    degrees.and_then(|degrees| i32::try_from(degrees).ok()).map(Celsius)
}

/// At which temperatures one drive pauses and goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// At this temperature and above it pauses.
    pub pause: Celsius,
    /// At this temperature and below it goes on.
    pub resume: Celsius,
}

impl Limits {
    /// The lowest of: each limit that the drive names less [`MARGIN`]; [`PLATTERS`] for a disk; for flash its warning
    /// temperature less [`WARNING_MARGIN`], or [`FLASH`] when it names none. Never below [`COOL`].
    ///
    /// A drive of which nobody knows whether it rotates counts as a disk.
    pub fn of(rotation: Rotation, named: &Named) -> Self {
        let sane = |told: Celsius| (NAMED_MIN..=NAMED_MAX).contains(&told);
        let kind = match rotation {
            Rotation::Spinning { .. } | Rotation::Unknown => PLATTERS,
            Rotation::SolidState => match named.warning.filter(|told| sane(*told)) {
                Some(warning) => Celsius(warning.0 - WARNING_MARGIN),
                None => FLASH,
            },
        };
        let own = named.limits.iter().filter(|told| sane(**told));
        let pause = own
            .map(|told| Celsius(told.0 - MARGIN))
            .fold(kind, Celsius::min)
            .max(COOL);
        Self {
            pause,
            resume: Celsius(pause.0 - HYSTERESIS),
        }
    }

    /// The same by what is known of a drive: how the kernel says that it rotates, and its SMART from before the job, which
    /// tells what a bridge hides from the kernel ([`spins`]).
    pub fn of_drive(rotation: Rotation, smart: Option<&Snapshot>) -> Self {
        let rotation = match spins(rotation, smart) {
            Some(false) => Rotation::SolidState,
            Some(true) => Rotation::Spinning { rpm: None },
            None => Rotation::Unknown,
        };
        Self::of(rotation, &smart.map(Named::of).unwrap_or_default())
    }

    /// Why a job is given up whose drive did not show that it cooled.
    pub fn gave_up(&self, last: Uncooled) -> String {
        self.silent(last).unwrap_or_else(|| {
            format!(
                "it stayed at {} for {} minutes without work and did not cool to {}",
                last.at,
                PATIENCE.as_secs() / 60,
                self.resume
            )
        })
    }

    /// The same where nobody knows whether it cooled: its sensor, or the bridge before it, tells nothing any more.
    pub fn silent(&self, last: Uncooled) -> Option<String> {
        last.is_silent().then(|| {
            format!(
                "its thermometer told nothing for {} minutes, after {}: nobody knows whether it cooled to {}",
                last.age.as_secs() / 60,
                last.at,
                self.resume
            )
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use drive::guard::Guard;
    use drive::probe::Prober;
    use drive::smart::NvmeHealth;
    use drive::system::System;

    use super::*;

    const DISK: Rotation = Rotation::Spinning { rpm: Some(7200) };

    pub(in crate::heat) fn named(limits: &[i32], warning: Option<i32>) -> Named {
        Named {
            limits: limits.iter().copied().map(Celsius).collect(),
            warning: warning.map(Celsius),
        }
    }

    #[test]
    fn the_lowest_sane_limit_counts() {
        for (rotation, limits, warning, pause) in [
            (DISK, &[][..], None, 60),
            (DISK, &[70], None, 60),
            (DISK, &[60], None, 55),
            (DISK, &[60, 65], None, 55),
            // Bogus trip temperatures.
            (DISK, &[40], None, 60),
            (DISK, &[49, 0, -5], None, 60),
            (DISK, &[50], None, 50),
            (DISK, &[54], None, 50),
            (DISK, &[55], None, 50),
            (Rotation::Unknown, &[], None, 60),
            (Rotation::SolidState, &[], None, 75),
            (Rotation::SolidState, &[70], None, 65),
            (Rotation::SolidState, &[], Some(84), 82),
            (Rotation::SolidState, &[], Some(70), 68),
            (Rotation::SolidState, &[80], Some(84), 75),
            (Rotation::SolidState, &[], Some(51), 50),
            (Rotation::SolidState, &[], Some(0), 75),
            (Rotation::SolidState, &[], Some(200), 75),
            (Rotation::SolidState, &[255], Some(118), 75),
        ] {
            let got = Limits::of(rotation, &named(limits, warning));
            assert_eq!(got.pause, Celsius(pause), "{rotation:?} {limits:?} {warning:?}");
            assert_eq!(got.resume, Celsius(pause - 7));
        }
    }

    /// As smartctl 7.4 tells of it, without a word of WCTEMP.
    #[test]
    fn flash_pauses_below_the_warning_temperature_that_the_kernel_alone_tells() {
        let root = tempfile::tempdir().unwrap();
        let sensor = root.path().join("sys/block/nvme0n1/device/hwmon1");
        std::fs::create_dir_all(&sensor).unwrap();
        let document = serde_json::json!({
            "smartctl": {"version": [7, 4], "exit_status": 0},
            "device": {"name": "/dev/nvme0", "type": "nvme", "protocol": "NVMe"},
            "smart_status": {"passed": true},
            "nvme_smart_health_information_log": {"critical_warning": 0, "temperature": 41, "available_spare": 100},
        });
        let guard = Guard {
            system: System::at(root.path()),
            prober: Prober::InProcess,
            ..Guard::default()
        };
        let read = |name: &str| {
            let mut told = drive::smart::parse(document.to_string().as_bytes()).unwrap();
            drive::temperature::add_warning(&guard, name, &mut told);
            told
        };
        for (millidegrees, warning, pause) in [("69850", 70, 68), ("70000", 70, 68), ("84850", 85, 83)] {
            std::fs::write(sensor.join("temp1_max"), millidegrees).unwrap();
            let told = read("nvme0n1");
            assert_eq!(told.heat_warning, Some(warning));
            let limits = Limits::of_drive(Rotation::SolidState, Some(&told));
            assert_eq!(limits.pause, Celsius(pause), "{millidegrees}");
        }
        assert_eq!(read("nvme1n1").heat_warning, None);
        // What SMART tells itself counts.
        let mut told = read("nvme1n1");
        told.heat_warning = Some(80);
        drive::temperature::add_warning(&guard, "nvme0n1", &mut told);
        assert_eq!(told.heat_warning, Some(80));
    }

    #[test]
    fn what_smart_alone_knows_pauses_as_what_it_is() {
        let told = |rpm, nvme: bool| Snapshot {
            rpm,
            nvme: nvme.then(NvmeHealth::default),
            ..Snapshot::default()
        };
        let of = |rotation, rpm, nvme| Limits::of_drive(rotation, Some(&told(rpm, nvme))).pause;
        assert_eq!(of(Rotation::Unknown, None, true), FLASH);
        assert_eq!(of(Rotation::Unknown, Some(0), false), FLASH);
        assert_eq!(of(Rotation::Unknown, Some(5400), false), PLATTERS);
        assert_eq!(of(Rotation::Unknown, None, false), PLATTERS);
        assert_eq!(of(DISK, Some(0), false), PLATTERS, "the kernel knows");
        assert_eq!(
            of(Rotation::SolidState, Some(5400), false),
            PLATTERS,
            "its bridge says flash"
        );
        assert_eq!(of(Rotation::SolidState, None, false), FLASH);
        assert_eq!(Limits::of_drive(Rotation::Unknown, None).pause, PLATTERS);
    }
}
