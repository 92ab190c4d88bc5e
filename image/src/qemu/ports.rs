//! Ports that drives are plugged into, and which of them are taken.

use super::Error;
use super::drive::{Bus, Drive};

/// PCIe ports for NVMe and virtio drives, those plugged in later included.
pub const PCIE_PORTS: usize = 8;
/// Ports of the AHCI controller.
const SATA_PORTS: usize = 6;

/// Which ports are taken.
#[derive(Clone, Debug, Default)]
pub struct Ports {
    sata: usize,
    pcie: usize,
}

impl Ports {
    /// The next free port for a drive.
    pub fn take(&mut self, drive: &Drive) -> Result<usize, Error> {
        let (used, limit) = match drive.bus {
            Bus::Sata => (&mut self.sata, SATA_PORTS),
            Bus::Nvme | Bus::Virtio => (&mut self.pcie, PCIE_PORTS),
            Bus::Scsi | Bus::Usb => return Ok(0),
        };
        if *used == limit {
            return Err(Error::Impossible(format!(
                "no free port for drive {}: {limit} are taken",
                drive.id
            )));
        }
        *used += 1;
        Ok(*used - 1)
    }
}
