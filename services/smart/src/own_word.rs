//! What a drive says of itself in one word, from its document and from smartctl's exit status: both tell, and either may be
//! silent.

use std::borrow::Cow;

use crate::snapshot::{AtThreshold, Attribute, NvmeHealth, Snapshot};

/// Bits of smartctl's exit status. Source: `smartctl(8)`.
pub mod exit {
    /// The command line was not understood, or the device could not be opened or did not identify itself: nothing that was
    /// read is to be trusted.
    pub const NOT_ASKED: u8 = 0b11;
    /// A command failed, or a checksum was wrong. Some drives and bridges lack a log that smartctl asks for and set it with
    /// each reading.
    pub const IN_PART: u8 = 1 << 2;
    /// The drive says that it fails.
    pub const FAILING: u8 = 1 << 3;
    /// A value that announces the end is at its threshold.
    pub const THRESHOLD_NOW: u8 = 1 << 4;
    /// A value was at its threshold, or one of age is.
    pub const THRESHOLD_PAST: u8 = 1 << 5;
    /// The error log has entries.
    pub const ERROR_LOG: u8 = 1 << 6;
    /// The self-test log has failures.
    pub const SELF_TEST: u8 = 1 << 7;
}

/// The critical warning of NVMe that stands for heat alone.
const HEAT: u8 = 1 << 1;

impl NvmeHealth {
    /// How many critical warnings are set but for heat: spare, reliability, read-only, volatile backup, persistent memory.
    pub fn critical(&self) -> u32 {
        (self.critical_warning.unwrap_or(0) & 0b11_1101).count_ones()
    }

    /// Whether it warns of its temperature.
    pub fn is_hot(&self) -> bool {
        self.critical_warning.is_some_and(|bits| bits & HEAT != 0)
    }
}

/// Whether it counts use (starts, hours, power cycles, retracts, load cycles, hours of head flight) on a drive that does not call that a
/// sign of failure: at its threshold the drive is older than its maker meant it to get. Source: ATA8-ACS §7.52.5.7, flag bit 0, and
/// smartctl(8), exit status bit 5.
fn is_of_age(attribute: &Attribute) -> bool {
    !attribute.prefail && matches!(attribute.id, 4 | 9 | 12 | 192 | 193 | 225 | 240)
}

/// Whether the attribute of this number is a temperature: at its threshold it tells of heat, which is no fault.
pub fn is_heat(id: u16) -> bool {
    matches!(id, 190 | 194)
}

impl Snapshot {
    /// Whether one of these bits of smartctl's exit status is set.
    pub fn exited_with(&self, bits: u8) -> bool {
        self.exit_status.is_some_and(|status| status & bits != 0)
    }

    /// Whether the drive says that it fails, by its word or by smartctl's exit status: also where the document has no words
    /// for it (bridges that give no verdict). Of NVMe both stand for the health log's own bits, of which heat is no failure.
    pub fn is_failing(&self) -> bool {
        let says = self.passed == Some(false) || self.exited_with(exit::FAILING);
        let exception = self.scsi.as_ref().and_then(|scsi| scsi.exception.as_ref());
        if let Some(exception) = exception {
            return !exception.is_temperature() && !exception.blames_no_drive();
        }
        match &self.nvme {
            None => says,
            Some(nvme) => match nvme.critical_warning {
                Some(0) => self.passed == Some(false),
                Some(HEAT) => false,
                Some(_) | None => says,
            },
        }
    }

    /// How many attributes stand at their threshold, and how many did; a temperature there tells of heat, and a count of use of
    /// age: no fault. Heat that is past is [`Snapshot::hot`]. Where no row tells of what smartctl's exit status tells, that is one.
    pub fn at_threshold(&self) -> (usize, usize) {
        let count = |now: bool| {
            let is = |a: &&Attribute| match a.at_threshold() {
                AtThreshold::Now => now != (is_heat(a.id) || is_of_age(a)),
                AtThreshold::Past => !now && !is_heat(a.id),
                AtThreshold::Never => false,
            };
            self.attributes.iter().filter(is).count()
        };
        let (now, past) = self.untold_thresholds();
        (count(true) + usize::from(now), count(false) + usize::from(past))
    }

    /// How many temperatures stand at their threshold, and how many did.
    pub fn hot(&self) -> (usize, usize) {
        let count = |state| {
            let is = |a: &&Attribute| is_heat(a.id) && a.at_threshold() == state;
            self.attributes.iter().filter(is).count()
        };
        (count(AtThreshold::Now), count(AtThreshold::Past))
    }

    /// Whether smartctl's exit status tells of a value at its threshold, now and in the past, that no row tells of.
    pub fn untold_thresholds(&self) -> (bool, bool) {
        let any = |state| self.attributes.iter().any(|a| a.at_threshold() == state);
        let untold = |bit: u8, told: bool| self.exited_with(bit) && !told;
        let now = any(AtThreshold::Now);
        (
            untold(exit::THRESHOLD_NOW, now),
            untold(exit::THRESHOLD_PAST, now || any(AtThreshold::Past)),
        )
    }

    /// Whether the newest self-test that ended by itself failed, by the drive's status or by its log; `None` where both tell of none.
    pub fn newest_self_test_failed(&self) -> Option<bool> {
        if self.self_test_failed {
            return Some(true);
        }
        self.self_tests
            .iter()
            .find_map(|test| test.passed)
            .map(|passed| !passed)
    }

    /// Whether a self-test failed; by the exit status alone it is not told which.
    pub fn has_failed_a_test(&self) -> bool {
        let logged = self.self_tests.iter().any(|test| test.passed == Some(false));
        logged || self.self_test_failed || self.exited_with(exit::SELF_TEST)
    }

    /// Percent of the rated endurance that is used, and where it stands.
    pub fn percentage_used(&self) -> Option<(u64, &'static str)> {
        let nvme = self.nvme.as_ref().and_then(|nvme| nvme.percentage_used);
        let scsi = self.scsi.as_ref().and_then(|scsi| scsi.percentage_used);
        let mut statistics = self.statistics.iter();
        let ata = statistics.find(|s| s.name == "Percentage Used Endurance Indicator");
        let ata = ata.and_then(|statistic| u64::try_from(statistic.value).ok());
        let told = nvme.or(scsi).map(|used| (used, "percentage_used"));
        told.or_else(|| Some((ata?, "ATA statistic Percentage Used Endurance Indicator")))
            // One byte on the wire: more is no percentage.
            .filter(|(used, _)| *used <= 255)
    }

    /// Structures with a wrong checksum that hold values which rules compare: then no attribute is to be trusted.
    pub fn garbled_attributes(&self) -> impl Iterator<Item = &str> {
        let names = self.wrong_checksums.iter().map(String::as_str);
        names.filter(|name| name.starts_with("SMART Attribute"))
    }

    /// The reading without what its own checksum disowns: attributes, and what smartctl's exit status concludes from them.
    pub fn trusted(&self) -> Cow<'_, Self> {
        if self.garbled_attributes().next().is_none() {
            return Cow::Borrowed(self);
        }
        let mut trusted = self.clone();
        trusted.attributes.clear();
        trusted.exit_status = self
            .exit_status
            .map(|bits| bits & !(exit::THRESHOLD_NOW | exit::THRESHOLD_PAST));
        Cow::Owned(trusted)
    }
}
