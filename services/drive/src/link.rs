//! How fast a drive's link was negotiated: what port, cable and bridge allow, which is no merit of the drive and no fault.
//!
//! | bus | told by |
//! |---|---|
//! | SATA | `ataN/linkN/ata_link/linkN/sata_spd`: `6.0 Gbps` |
//! | SAS | `port-…/phy-…/sas_phy/phy-…/negotiated_linkrate`: `12.0 Gbit` |
//! | USB | `speed` of the nearest USB device, in megabits: `480` |
//! | NVMe | the PCI function's `current_link_speed` and `current_link_width`: `8.0 GT/s PCIe`, `4` |
//!
//! Source: Linux `Documentation/ABI/testing/` `sysfs-ata`, `sysfs-bus-usb`, `sysfs-bus-pci`; `drivers/scsi/scsi_transport_sas.c`.

use std::path::Path;

use wire::drive::Bus;

use crate::system::{names, number, text};

/// Megabits a second of the link of the drive whose directory this is; `None` where nothing tells it.
pub(crate) fn megabits(drive: &Path, bus: Bus) -> Option<u32> {
    let told = |told: fn(&Path) -> Option<f64>| drive.ancestors().find_map(told);
    let megabits = match bus {
        Bus::Sata | Bus::Scsi => told(of_port),
        Bus::Usb => told(|at| first_number(&at.join("speed"))),
        Bus::Nvme => told(of_function),
        Bus::Virtio | Bus::Mmc | Bus::Loop | Bus::Other => None,
    }?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float beyond the range becomes its end"
    )]
    Some(megabits.round() as u32).filter(|megabits| *megabits > 0)
}

/// Of a SATA port, or of a SAS port of one phy or more.
fn of_port(at: &Path) -> Option<f64> {
    let name = at.file_name()?.to_str()?;
    if let Some(port) = name.strip_prefix("ata") {
        // Behind a port multiplier this is the way to it, which all its drives take.
        return gigabits(&at.join(format!("link{port}/ata_link/link{port}/sata_spd")));
    }
    name.strip_prefix("port-")?;
    let phys = names(at).into_iter().filter(|phy| phy.starts_with("phy-"));
    phys.filter_map(|phy| gigabits(&at.join(&phy).join("sas_phy").join(&phy).join("negotiated_linkrate")))
        .reduce(f64::max)
}

/// Of a PCI function: transfers times lanes, without what the line code takes.
fn of_function(at: &Path) -> Option<f64> {
    let transfers = first_number(&at.join("current_link_speed"))?;
    let lanes: u32 = number(&at.join("current_link_width"))?;
    // 8b/10b below the third generation, 128b/130b from it on. Source: PCI Express Base 6.0, §4.2.
    let code = if transfers < 8.0 { 0.8 } else { 128.0 / 130.0 };
    Some(transfers * 1e3 * f64::from(lanes) * code)
}

fn gigabits(path: &Path) -> Option<f64> {
    first_number(path).map(|gigabits| gigabits * 1e3)
}

/// The number that an attribute begins with; `None` for `Unknown`, `<unknown>` and the like.
fn first_number(path: &Path) -> Option<f64> {
    let told = text(path)?.split_ascii_whitespace().next()?.parse::<f64>().ok()?;
    (told.is_finite() && told > 0.0).then_some(told)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn told(drive: &str, bus: Bus, attributes: &[(&str, &str)]) -> Option<u32> {
        let sys = tempfile::tempdir().unwrap();
        for (path, value) in attributes {
            let path = sys.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, value).unwrap();
        }
        megabits(&sys.path().join(drive), bus)
    }

    #[test]
    fn each_bus_tells_its_links_speed() {
        let sata = "1f.2/ata3/host2/target2:0:0/2:0:0:0/block/sda";
        let spd = "1f.2/ata3/link3/ata_link/link3/sata_spd";
        let sas = "01.0/host3/port-3:0/end_device-3:0/target3:0:0/3:0:0:0/block/sdb";
        let phy = |n: u8| format!("01.0/host3/port-3:0/phy-3:{n}/sas_phy/phy-3:{n}/negotiated_linkrate");
        let usb = "14.0/usb2/2-1/2-1.4/2-1.4:1.0/host4/target4:0:0/4:0:0:0/block/sdc";
        let nvme = "05.0/nvme/nvme0/nvme0n1";
        let pci = ("05.0/current_link_speed", "05.0/current_link_width");
        for (drive, bus, attributes, megabits) in [
            (sata, Bus::Sata, vec![(spd, "6.0 Gbps\n")], Some(6000)),
            (sata, Bus::Sata, vec![(spd, "1.5 Gbps\n")], Some(1500)),
            (sata, Bus::Sata, vec![(spd, "<unknown>\n")], None),
            (sata, Bus::Sata, vec![], None),
            (sas, Bus::Scsi, vec![(&*phy(0), "12.0 Gbit\n")], Some(12_000)),
            // A path of a wide port that is out.
            (
                sas,
                Bus::Scsi,
                vec![(&*phy(0), "Unknown\n"), (&*phy(1), "6.0 Gbit\n")],
                Some(6000),
            ),
            // The drive's own, not its hub's.
            (
                usb,
                Bus::Usb,
                vec![
                    ("14.0/usb2/2-1/speed", "5000\n"),
                    ("14.0/usb2/2-1/2-1.4/speed", "480\n"),
                ],
                Some(480),
            ),
            (
                nvme,
                Bus::Nvme,
                vec![(pci.0, "8.0 GT/s PCIe\n"), (pci.1, "4\n")],
                Some(31_508),
            ),
            (
                nvme,
                Bus::Nvme,
                vec![(pci.0, "5.0 GT/s PCIe\n"), (pci.1, "2\n")],
                Some(8000),
            ),
            (nvme, Bus::Nvme, vec![(pci.0, "Unknown\n"), (pci.1, "4\n")], None),
            (nvme, Bus::Nvme, vec![(pci.0, "8.0 GT/s PCIe\n"), (pci.1, "0\n")], None),
            // Its controller's PCI link is not a SATA drive's.
            (
                "05.0/ata3/host2/block/sda",
                Bus::Sata,
                vec![(pci.0, "8.0 GT/s PCIe\n"), (pci.1, "4\n")],
                None,
            ),
            (
                nvme,
                Bus::Nvme,
                vec![(pci.0, "9e300 GT/s\n"), (pci.1, "4\n")],
                Some(u32::MAX),
            ),
        ] {
            assert_eq!(told(drive, bus, &attributes), megabits, "{drive} {attributes:?}");
        }
    }
}
