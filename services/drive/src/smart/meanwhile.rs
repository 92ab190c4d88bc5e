//! What a drive said of its health between the two readings that are compared: it may come and go.

use serde::{Deserialize, Serialize};

use super::Snapshot;

/// The worst that readings told of a drive's health.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meanwhile {
    /// Whether one of them said that the drive fails.
    pub failing: bool,
    /// How many of NVMe's critical warnings stood in one of them, the most, but for heat, of which the temperature tells.
    pub critical: u32,
}

impl Meanwhile {
    /// Takes note of one more reading. A SAS drive's warning of sectors is left out: a write may clear it, and one that stays is told at
    /// the end.
    pub fn heed(&mut self, told: &Snapshot) {
        let told = told.trusted();
        let exception = told.scsi.as_ref().and_then(|scsi| scsi.exception.as_ref());
        let of_sectors = exception.is_some_and(|exception| exception.is_of_sectors());
        self.add(Self {
            failing: told.is_failing() && !of_sectors,
            critical: told.nvme.as_ref().map_or(0, |nvme| nvme.critical()),
        });
    }

    /// Takes note of what others told.
    pub fn add(&mut self, other: Self) {
        self.failing |= other.failing;
        self.critical = self.critical.max(other.critical);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smart::{NvmeHealth, ScsiException, ScsiHealth};

    fn nvme(critical_warning: u8) -> Snapshot {
        Snapshot {
            passed: Some(critical_warning == 0),
            nvme: Some(NvmeHealth {
                critical_warning: Some(critical_warning),
                ..NvmeHealth::default()
            }),
            ..Snapshot::default()
        }
    }

    fn sas(asc: u8, ascq: u8) -> Snapshot {
        let exception = ScsiException {
            asc,
            ascq,
            text: String::new(),
        };
        Snapshot {
            scsi: Some(ScsiHealth {
                exception: Some(exception),
                ..ScsiHealth::default()
            }),
            ..Snapshot::default()
        }
    }

    #[test]
    fn the_worst_of_all_readings_stays() {
        let ata = |passed| Snapshot {
            passed: Some(passed),
            ..Snapshot::default()
        };
        let heat = 0b10;
        for (readings, failing, critical) in [
            (vec![], false, 0),
            (vec![ata(true), ata(false), ata(true)], true, 0),
            (vec![nvme(0), nvme(0b1101), nvme(0b1), nvme(0)], true, 3),
            (vec![nvme(0), nvme(heat), nvme(0)], false, 0),
            (vec![sas(0x5d, 0x10), Snapshot::default()], true, 0),
            (vec![sas(0x0b, 0x04), Snapshot::default()], false, 0),
        ] {
            let mut meanwhile = Meanwhile::default();
            for told in &readings {
                meanwhile.heed(told);
            }
            assert_eq!(meanwhile, Meanwhile { failing, critical }, "{readings:?}");
        }
    }
}
