//! The kernel's sensors of a drive (hwmon: `drivetemp` for ATA and SCSI, `nvme`).
//!
//! Reading one sends a command to the drive. A child does it: a thread of ours that the drive holds would keep the whole process from
//! ending, with all that it holds of other drives.

use std::path::{Path, PathBuf};
use std::process::Command;

use wire::Celsius;

use crate::child::{self, Failed};
use crate::guard::Guard;
use crate::smart::{Protocol, Snapshot};
use crate::sysfs;
use crate::system::{System, names, number};

/// First argument of a child that reads a sensor: `PROGRAM drive-heat ATTRIBUTE`.
const ARGUMENT: &str = "drive-heat";

/// Longest answer of that child in bytes.
const ANSWER_MAX: usize = 64;

/// A byte of all ones, in thousandths of a degree.
const ALL_ONES: i32 = -1000;

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
pub(super) fn warning(guard: &Guard, name: &str) -> Option<Celsius> {
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
#[expect(clippy::exit, reason = "a child answers and does nothing of what its program is for")]
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

/// A sensor's answer in thousandths; those that are not there answer with absolute zero or 255 °C, and a disk without one with 0, as
/// in its SMART, or with all bits of its signed byte set, which `drivetemp` tells as whole degrees and NVMe's sensor, in kelvin, never
/// does.
fn degrees(millidegrees: i32) -> Option<Celsius> {
    let degrees = millidegrees.saturating_add(500).div_euclid(1000);
    (degrees != 0 && millidegrees != ALL_ONES && (-60..=150).contains(&degrees)).then_some(Celsius(degrees))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::probe::Prober;

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
        put("sdd/device/hwmon/hwmon5/temp1_input", "0\n");
        put("sde/device/hwmon/hwmon6/temp1_input", "-1000\n");
        put("sdf/device/hwmon/hwmon7/temp1_input", "-2000\n");
        put("nvme2n1/device/hwmon8/temp1_input", "-1150\n");
        let guard = Guard {
            system: System::at(root.path()),
            prober: Prober::InProcess,
            ..Guard::default()
        };
        let all: Vec<Option<i32>> = [
            "sda", "nvme0n1", "nvme1n1", "sdb", "sdc", "sdd", "sde", "sdf", "nvme2n1", "sdz",
        ]
        .map(|n| sensed(&guard, n).unwrap().map(|c| c.0))
        .into();
        assert_eq!(warning(&guard, "nvme0n1"), Some(Celsius(82)));
        assert_eq!(warning(&guard, "sda"), None);
        assert_eq!(
            all,
            [
                Some(35),
                Some(41),
                Some(-5),
                None,
                None,
                None,
                None,
                Some(-2),
                Some(-1),
                None
            ]
        );
    }
}
