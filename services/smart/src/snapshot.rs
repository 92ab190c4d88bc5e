//! One reading of a drive's health.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which command set the drive speaks, as smartctl found it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = HostDriveProtocol)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// ATA, also behind a SCSI or USB translation.
    Ata,
    /// NVM Express.
    Nvme,
    /// SCSI or SAS.
    Scsi,
    /// smartctl does not say.
    #[default]
    Unknown,
}

/// Whether an ATA drive keeps its own record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Switch {
    /// SMART is on, or nothing tells whether it is.
    #[default]
    On,
    /// It is switched off, by the drive's IDENTIFY DEVICE: smartctl then reads nothing else.
    Off,
    /// It was off, and a job switched it on before this reading.
    SwitchedOn,
}

impl Switch {
    /// What is told of it where an `earlier` reading of the same job told that: that it was switched on stays so.
    #[must_use]
    pub fn after(self, earlier: Self) -> Self {
        match (self, earlier) {
            (Self::On, Self::SwitchedOn) => Self::SwitchedOn,
            (now, Self::On | Self::Off | Self::SwitchedOn) => now,
        }
    }
}

/// How documents are read now: raised when a value is read that was not before, or otherwise than before.
pub(crate) const READING: u16 = 7;

/// What a drive said at one moment. A field is `None` where it said nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Snapshot {
    /// How its document was read; 0 of a version that did not note it. A baseline may be older than the program that judges it.
    pub reading: u16,
    /// Name by which smartctl was asked for it, as `/dev/sda`: of the computer that asked, and no address.
    pub device: String,
    /// Command set.
    pub protocol: Protocol,
    /// smartctl's `-d` type that worked, as `sat` or `nvme`.
    pub device_type: String,
    /// Model.
    pub model: Option<String>,
    /// Model family, from smartctl's database.
    pub family: Option<String>,
    /// Serial number as the drive itself tells it; a bridge that is asked as SCSI may tell its own.
    pub serial: Option<String>,
    /// Firmware version.
    pub firmware: Option<String>,
    /// World wide name in 16 lower-case hexadecimal digits.
    pub wwn: Option<String>,
    /// The same of a SCSI drive's logical unit: EUI-64 or NAA, 16 to 32 digits. Kept apart, since a bridge may tell its own here.
    pub logical_unit: Option<String>,
    /// Capacity in bytes of the whole drive, as itself tells it: of NVMe all name spaces, and what none of them has.
    pub capacity: Option<u64>,
    /// Revolutions per minute; 0 for flash.
    pub rpm: Option<u32>,
    /// Whether its SMART is on.
    pub switch: Switch,
    /// The drive's own word on its health; that of smartctl, which goes by attributes where the drive's got lost, only if it fails.
    pub passed: Option<bool>,
    /// Degrees Celsius.
    pub temperature: Option<i64>,
    /// Hours it has been on.
    pub power_on_hours: Option<u64>,
    /// Times it was switched on.
    pub power_cycles: Option<u64>,
    /// Start-stop cycles by its own count (SCSI, log page 0Eh): one more where it was without power. Some tell none.
    pub start_stop_cycles: Option<u64>,
    /// ATA attributes; empty for others.
    pub attributes: Vec<Attribute>,
    /// NVMe health log.
    pub nvme: Option<NvmeHealth>,
    /// SCSI counters.
    pub scsi: Option<ScsiHealth>,
    /// Self-test log, newest first.
    pub self_tests: Vec<SelfTest>,
    /// Which of an ATA drive's logs `self_tests` is, where that one alone was told and is as long as it counts itself: an empty one was
    /// read then, and is empty. `None`: not known, as of other command sets and of snapshots that an older version kept.
    pub self_test_log: Option<SelfTestLog>,
    /// Percent left of a self-test that is running now.
    pub self_test_remaining: Option<u8>,
    /// Whether it says beside its log that the last self-test failed (ATA): the log may lack the entry.
    pub self_test_failed: bool,
    /// What its self-tests can do.
    pub self_test: SelfTestAbility,
    /// Entries the drive has counted in its error log.
    pub error_log_count: Option<u64>,
    /// Logical sectors in the log of those that could not be read and were not written since (ATA, ACS-4, log 0Ch).
    pub pending_defects: Option<u64>,
    /// What the drive itself counts as written by hosts over its life.
    pub written: Option<WriteCounter>,
    /// Seagate's field log, which counts hours apart from SMART.
    pub farm: Farm,
    /// Whether it is Seagate's, by model or family.
    pub seagate: bool,
    /// ATA device statistics that are valid (ACS-5 §9.5): name and value.
    pub statistics: Vec<Statistic>,
    /// Temperatures by SCT (ATA): this life's lowest and highest, and the drive's own limit.
    pub sct: Option<SctTemperature>,
    /// The highest temperature that it allows itself, in degrees Celsius: one at most; several of a snapshot that an older version kept.
    pub heat_limits: Vec<i64>,
    /// The highest temperature that it recommends (ATA, SCT temperature history), in degrees Celsius: no limit.
    pub heat_recommended: Option<i64>,
    /// NVMe's warning temperature (WCTEMP), where smartctl tells it (7.5); a burn-in takes it from the kernel else.
    pub heat_warning: Option<i64>,
    /// Whether an ATA password is set, with which it locks itself when it was without power.
    pub password: Option<bool>,
    /// Whether it takes trim commands; a disk that does is shingled.
    pub trim: Option<bool>,
    /// Zones as the drive declares them: `host_aware`, `device_managed` …
    pub zoned: Option<String>,
    /// Version of the smartctl that asked.
    pub smartctl: Option<(u64, u64)>,
    /// smartctl's exit status: bits 0 command line, 1 open, 2 a command failed, 3 failing, 4 at threshold, 5 was at
    /// threshold, 6 error log, 7 self-test log; `None` where nothing told it. Source: `smartctl(8)`.
    pub exit_status: Option<u8>,
    /// What the document says that cannot be true, in words; it is in no other field.
    pub strange: Vec<String>,
    /// Structures that came with a wrong checksum, in smartctl's words: `SMART Attribute Data Structure`. They stand in no
    /// field of its JSON.
    pub wrong_checksums: Vec<String>,
    /// What smartctl's database of drives warns of for this model and firmware.
    pub warning: Option<String>,
    /// What smartctl wanted to say besides.
    pub messages: Vec<SnapshotMessage>,
}

impl Snapshot {
    /// Whether an older version read it, which may have counted otherwise.
    pub fn is_of_older(&self, than: &Self) -> bool {
        self.reading < than.reading
    }

    /// Whether a version read it that knew no log of pending defects and took smartctl's word for the drive's.
    pub fn is_of_first(&self) -> bool {
        self.reading == 0
    }

    /// Whether anything about health is in it; a bridge may answer with an identity alone.
    pub fn tells_health(&self) -> bool {
        self.passed.is_some() || self.tells_counters()
    }

    /// Whether it tells nothing about health for its SMART is switched off.
    pub fn is_switched_off(&self) -> bool {
        self.switch == Switch::Off && !self.tells_health()
    }

    /// Whether more than one word on health is in it, so that two readings can be compared.
    pub fn tells_counters(&self) -> bool {
        !self.attributes.is_empty() || self.nvme.is_some() || self.scsi.is_some()
    }

    /// Whether it has platters, as far as it tells.
    pub fn spins(&self) -> Option<bool> {
        match (self.rpm, &self.nvme) {
            (_, Some(_)) | (Some(0), None) => Some(false),
            (Some(_), None) => Some(true),
            (None, None) => None,
        }
    }

    /// Bytes the drive itself counts as written by hosts over its life; `None` where its unit is not known: what smartctl calls sectors of
    /// flash that it has no entry for may as well be 32 MiB (Silicon Motion).
    pub fn bytes_written(&self) -> Option<u64> {
        let written = self.written.as_ref()?;
        let is_known = self.family.is_some() || self.rpm.is_some_and(|rpm| rpm > 1) || written.units.len() == 1;
        is_known.then(|| written.bytes())?
    }

    /// The ATA attribute with number `id`.
    pub fn attribute(&self, id: u16) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.id == id)
    }
}

/// What a drive says of its self-tests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SelfTestAbility {
    /// Whether it has any; `None` where it does not say.
    pub supported: Option<bool>,
    /// Whether a self-test log was in the document, be it empty.
    pub log_told: bool,
    /// Minutes that it announces for a short test.
    pub short_minutes: Option<u32>,
    /// Minutes that it announces for an extended one.
    pub extended_minutes: Option<u32>,
}

/// Seagate's Field Accessible Reliability Metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Farm {
    /// Nobody asked, or this smartctl (before 7.4) cannot ask.
    #[default]
    NotAsked,
    /// smartctl found none, of any other maker's drive as well: only a Seagate disk lacks it.
    Absent,
    /// It was read.
    Told {
        /// Power-on hours by this log.
        hours: u64,
        /// Errors by this log.
        #[serde(default)]
        errors: FarmErrors,
    },
}

/// Errors over a drive's life by its field log, which it counts apart from SMART. `None` where it tells none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FarmErrors {
    /// Sectors that were replaced.
    pub reallocated: Option<u64>,
    /// Sectors that wait for it.
    pub candidates: Option<u64>,
    /// Reads and writes that could not be corrected.
    pub unrecoverable: Option<u64>,
}

/// One of the drive's own counters of what hosts wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteCounter {
    /// Where it stands: `NVMe data units`, `attribute 241 Total_LBAs_Written` …
    pub source: String,
    /// The count.
    pub count: u64,
    /// Bytes that one count may stand for, likeliest first; more than one where makers differ.
    pub units: Vec<u64>,
}

impl WriteCounter {
    /// Bytes written, by the likeliest unit.
    pub fn bytes(&self) -> Option<u64> {
        self.count.checked_mul(*self.units.first()?)
    }
}

/// One ATA device statistic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statistic {
    /// The standard's name for it.
    pub name: String,
    /// Its value.
    pub value: i64,
    /// Whether the value is a normalised one and no count.
    #[serde(default)]
    pub normalized: bool,
}

/// SCT temperatures in degrees Celsius. Source: ACS-5 §8.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SctTemperature {
    /// Lowest of the drive's life.
    pub lifetime_min: Option<i64>,
    /// Highest of the drive's life.
    pub lifetime_max: Option<i64>,
    /// Highest that the maker allows in service.
    pub limit: Option<i64>,
    /// Times it was above that.
    pub over_limit: Option<u64>,
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
    /// Whether the drive flags it as a rate of errors.
    #[serde(default)]
    pub is_rate: bool,
    /// `now`, `past` or empty: whether the value is or was at its threshold.
    pub when_failed: String,
    /// All 48 raw bits.
    pub raw: u64,
    /// The count in the raw bits, unpacked where makers pack several numbers into them.
    pub count: u64,
    /// Raw value as smartctl writes it.
    pub text: String,
}

/// Where an attribute's normalised value stands, and stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtThreshold {
    /// Above the maker's threshold, or there is none.
    Never,
    /// It was at or below it once.
    Past,
    /// It is at or below it.
    Now,
}

impl Attribute {
    /// Where it stands by smartctl's word or by its own figures, whichever is worse: a document may lack the word.
    ///
    /// Source: smartmontools `atacmds.cpp`, `ata_get_attr_state`; a threshold of 0 never fails.
    pub fn at_threshold(&self) -> AtThreshold {
        let threshold = self.threshold.filter(|threshold| *threshold > 0);
        let fell = |value: Option<u8>| {
            value
                .zip(threshold)
                .is_some_and(|(value, threshold)| value <= threshold)
        };
        if self.when_failed == "now" || fell(self.value) {
            AtThreshold::Now
        } else if self.when_failed == "past" || fell(self.worst) {
            AtThreshold::Past
        } else {
            AtThreshold::Never
        }
    }
}

/// NVMe health log, page 2. Source: NVMe base specification 2.0, §5.16.1.3.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NvmeHealth {
    /// Bits 0 spare, 1 temperature, 2 reliability, 3 read-only, 4 volatile backup, 5 persistent memory.
    pub critical_warning: Option<u8>,
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
    /// The numbers, from 1, of those that are still listed and tell of a command which the drive does not know, asked of it by whoever reads
    /// its health.
    #[serde(default)]
    pub refused_commands: Vec<u64>,
    /// The number of the oldest entry that is listed, where the list is as full as smartctl asks for: older ones fell out of it.
    #[serde(default)]
    pub oldest_listed: Option<u64>,
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
    /// Invalid double words, lost synchronisations and the like on all phys.
    #[serde(default)]
    pub phy_errors: Option<u64>,
    /// Share of rated endurance used, in percent (flash).
    #[serde(default)]
    pub percentage_used: Option<u64>,
    /// Sectors that could not be read and wait for being written or reassigned (SBC-4 §6.4.8).
    #[serde(default)]
    pub pending_defects: Option<u64>,
    /// The informational exception that it tells, where it tells one (SPC-5 §7.3.9).
    #[serde(default)]
    pub exception: Option<ScsiException>,
    /// Its own scan of the surface (SBC-4 §6.4.2).
    #[serde(default)]
    pub scan: Option<BackgroundScan>,
}

/// The scan of its surface that a SCSI drive makes by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackgroundScan {
    /// 0 none active, 1 and 2 active, 3 to 7 halted, 8 waiting for its interval.
    pub status: u8,
    /// smartctl's words for it.
    pub text: String,
    /// Results that tell a medium error.
    pub errors: u64,
    /// Results that tell of a sector that could not be reassigned.
    pub not_reassigned: u64,
}

impl BackgroundScan {
    /// Whether errors halted it: fatal, or a pattern of them.
    pub fn is_halted_by_errors(&self) -> bool {
        matches!(self.status, 3 | 4)
    }

    /// Whether something else did: no list of defects from the factory, a cause of the maker's, heat or cold.
    pub fn is_halted_otherwise(&self) -> bool {
        matches!(self.status, 5..=7)
    }
}

/// Why a SCSI drive says that it is not well: additional sense code and qualifier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScsiException {
    /// Additional sense code: 0x5d a failure is predicted, 0x0b a warning.
    pub asc: u8,
    /// Its qualifier.
    pub ascq: u8,
    /// smartctl's words for both.
    pub text: String,
}

impl ScsiException {
    /// Whether it tells of the temperature alone: "warning, specified temperature exceeded", and its high and low critical and
    /// operating limits. Source: SPC-5 annex F, 0Bh/01h and 0Bh/0Ah to 0Dh.
    pub fn is_temperature(&self) -> bool {
        self.asc == 0x0b && matches!(self.ascq, 0x01 | 0x0a..=0x0d)
    }

    /// Whether it is a warning that does not say that the drive fails: of enclosure, power, statistics, humidity or microcode, or one
    /// that its maker alone knows. Source: SPC-5 annex F, 0Bh/02h, 08h, 09h, 0Eh to 13h, 80h and above; smartmontools ticket 326, healthy
    /// disks that tell 96h and 97h.
    pub fn blames_no_drive(&self) -> bool {
        self.asc == 0x0b && matches!(self.ascq, 0x02 | 0x08 | 0x09 | 0x0e..=0x13 | 0x80..)
    }

    /// Whether a scan or a read of the drive's own met sectors that it could not read, which a write may cure. Source: SPC-5 annex F,
    /// 0Bh/04h and 05h.
    pub fn is_of_sectors(&self) -> bool {
        self.asc == 0x0b && matches!(self.ascq, 0x04 | 0x05)
    }
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

/// One of the two logs in which an ATA drive keeps its self-tests. `smartctl -x` shows the standard one where it cannot read the
/// extended one. Source: smartctl(8), `-l xselftest` and `-x`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SelfTestLog {
    /// General purpose log 07h: 19 entries in each of its sectors, of which `smartctl -x` shows the newest 25.
    Extended,
    /// SMART log 06h: 21 entries.
    Standard,
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
