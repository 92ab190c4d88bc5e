//! One reading of a drive's health.

use serde::{Deserialize, Serialize};

/// Which command set the drive speaks, as smartctl found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// ATA, also behind a SCSI or USB translation.
    Ata,
    /// NVM Express.
    Nvme,
    /// SCSI or SAS.
    Scsi,
    /// smartctl does not say.
    Unknown,
}

/// What a drive said at one moment. A field is `None` where it said nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Command set.
    pub protocol: Protocol,
    /// smartctl's `-d` type that worked, as `sat` or `nvme`.
    pub device_type: String,
    /// Model.
    pub model: Option<String>,
    /// Serial number as the drive itself (not a bridge) tells it.
    pub serial: Option<String>,
    /// Firmware version.
    pub firmware: Option<String>,
    /// World wide name in 16 lower-case hexadecimal digits.
    pub wwn: Option<String>,
    /// Capacity in bytes.
    pub capacity: Option<u64>,
    /// Revolutions per minute; 0 for flash.
    pub rpm: Option<u32>,
    /// The drive's own word on its health.
    pub passed: Option<bool>,
    /// Degrees Celsius.
    pub temperature: Option<i64>,
    /// Hours it has been on.
    pub power_on_hours: Option<u64>,
    /// Times it was switched on.
    pub power_cycles: Option<u64>,
    /// ATA attributes; empty for others.
    pub attributes: Vec<Attribute>,
    /// NVMe health log.
    pub nvme: Option<NvmeHealth>,
    /// SCSI counters.
    pub scsi: Option<ScsiHealth>,
    /// Self-test log, newest first.
    pub self_tests: Vec<SelfTest>,
    /// Percent left of a self-test that is running now.
    pub self_test_remaining: Option<u8>,
    /// Entries the drive has counted in its error log.
    pub error_log_count: Option<u64>,
    /// Bytes the drive itself counts as written by hosts over its life.
    pub bytes_written: Option<u64>,
    /// smartctl's exit status: bits 0 command line, 1 open, 2 a command failed, 3 failing, 4 at threshold, 5 was at
    /// threshold, 6 error log, 7 self-test log. Source: `smartctl(8)`.
    pub exit_status: u8,
    /// What smartctl wanted to say besides.
    pub messages: Vec<SnapshotMessage>,
}

impl Snapshot {
    /// Whether anything about health is in it; a bridge may answer with an identity alone.
    pub fn tells_health(&self) -> bool {
        self.passed.is_some() || !self.attributes.is_empty() || self.nvme.is_some() || self.scsi.is_some()
    }

    /// The ATA attribute with number `id`.
    pub fn attribute(&self, id: u16) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.id == id)
    }
}

/// A message of smartctl's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotMessage {
    /// `information`, `warning` or `error`.
    pub severity: String,
    /// The text.
    pub text: String,
}

/// One ATA attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    /// Number, 1 to 255.
    pub id: u16,
    /// Name from smartctl's database.
    pub name: String,
    /// Normalised value; higher is better.
    pub value: Option<u8>,
    /// Lowest normalised value so far.
    pub worst: Option<u8>,
    /// The maker's threshold; at or below it the drive says that it fails. 0: none.
    pub threshold: Option<u8>,
    /// Whether falling to the threshold means imminent failure rather than age.
    pub prefail: bool,
    /// `now`, `past` or empty: whether the value is or was at its threshold.
    pub when_failed: String,
    /// All 48 raw bits.
    pub raw: u64,
    /// The count in the raw bits, unpacked where makers pack several numbers into them.
    pub count: u64,
    /// Raw value as smartctl writes it.
    pub text: String,
}

/// NVMe health log, page 2. Source: NVMe base specification 2.0, §5.16.1.3.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NvmeHealth {
    /// Bits 0 spare, 1 temperature, 2 reliability, 3 read-only, 4 volatile backup, 5 persistent memory.
    pub critical_warning: u8,
    /// Spare capacity in percent.
    pub available_spare: Option<u8>,
    /// Below this spare the drive warns.
    pub available_spare_threshold: Option<u8>,
    /// Wear in percent; may pass 100.
    pub percentage_used: Option<u64>,
    /// Thousand-sector units (512,000 bytes) read.
    pub data_units_read: Option<u64>,
    /// Thousand-sector units (512,000 bytes) written.
    pub data_units_written: Option<u64>,
    /// Unrecovered data integrity errors.
    pub media_errors: Option<u64>,
    /// Entries of the error log over the drive's life; many drives count harmless commands.
    pub num_err_log_entries: Option<u64>,
    /// Power losses without a shutdown.
    pub unsafe_shutdowns: Option<u64>,
    /// Minutes above the warning temperature.
    pub warning_temp_time: Option<u64>,
    /// Minutes above the critical temperature.
    pub critical_comp_time: Option<u64>,
}

/// SCSI counters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScsiHealth {
    /// Sectors in the grown defect list.
    pub grown_defects: Option<u64>,
    /// Error counters of reads.
    pub read: Option<ErrorCounters>,
    /// Error counters of writes.
    pub write: Option<ErrorCounters>,
    /// Error counters of verifies.
    pub verify: Option<ErrorCounters>,
    /// Errors that are not the medium's.
    pub non_medium: Option<u64>,
}

/// SCSI error counter log page of one kind of access.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorCounters {
    /// Corrected by reading or writing again.
    pub rereads_rewrites: Option<u64>,
    /// Corrected in any way.
    pub corrected: Option<u64>,
    /// Not corrected.
    pub uncorrected: Option<u64>,
}

/// One entry of the self-test log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelfTest {
    /// `Short offline`, `Extended offline` …
    pub kind: String,
    /// The drive's words for the result.
    pub status: String,
    /// Whether it passed; `None` for one that was aborted, interrupted or is running.
    pub passed: Option<bool>,
    /// Power-on hours when it ended.
    pub hours: Option<u64>,
    /// First sector that could not be read.
    pub lba: Option<u64>,
}
