//! A drive's temperature from the kernel's sensors (hwmon: `drivetemp` for ATA and SCSI, `nvme`).
//!
//! Reading one sends a command to the drive, so it can block as long as the drive does: [`crate::watch`] gives each drive
//! a thread of its own for it.

use std::path::{Path, PathBuf};

use wire::Celsius;

use crate::system::{System, names, number};

/// The temperature of the drive with this kernel name; `None` where there is no sensor or it does not answer.
pub fn read(system: &System, name: &str) -> Option<Celsius> {
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
    places.iter().find_map(|place| sensor(place))
}

/// Temperature of the first sensor in `place`.
fn sensor(place: &Path) -> Option<Celsius> {
    names(place)
        .iter()
        .filter(|entry| {
            entry
                .strip_prefix("hwmon")
                .is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()) && !n.is_empty())
        })
        .find_map(|entry| {
            let millidegrees: i32 = number(&PathBuf::from(place).join(entry).join("temp1_input"))?;
            // Sensors that are not there answer with absolute zero or 255 °C.
            let degrees = (millidegrees + 500).div_euclid(1000);
            (-60..=150).contains(&degrees).then_some(Celsius(degrees))
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

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
        put("nvme1n1/device/nvme1/hwmon2/temp1_input", "-5000\n");
        put("sdb/device/hwmon/hwmon4/temp1_input", "-273150\n");
        put("sdc/device/model", "x");
        let system = System::at(root.path());
        let all: Vec<Option<i32>> = ["sda", "nvme0n1", "nvme1n1", "sdb", "sdc", "sdz"]
            .map(|n| read(&system, n).map(|c| c.0))
            .into();
        assert_eq!(all, [Some(35), Some(41), Some(-5), None, None, None]);
    }
}
