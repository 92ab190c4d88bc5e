//! What people and other processes see of a drive.

use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;

use crate::event::Severity;
use crate::{Bytes, Celsius, DriveId, Time};

/// One drive that is, or was, plugged into the box.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct Drive {
    /// Identity; `None` where the device has none that could be trusted. Such a drive is shown and never offered.
    pub id: Option<DriveId>,
    /// A key for lists that is unique among present devices: the identity, else the kernel's device path.
    pub key: String,
    /// Kernel name at this moment, e.g. `sda`; never used to address a drive.
    pub kernel_name: String,
    /// Model as the drive tells it; empty when it tells none.
    pub model: String,
    /// Serial number as printed on the label; empty when unknown.
    pub serial: String,
    /// World wide name in hexadecimal digits, where the drive has one.
    pub wwn: Option<String>,
    /// Capacity that the drive claims.
    pub capacity: Bytes,
    /// Logical sector size in bytes: 512 or 4096, rarely another.
    pub logical_sector: u32,
    /// Physical sector size in bytes.
    pub physical_sector: u32,
    /// How it is attached.
    pub bus: Bus,
    /// Speed of its link as it was negotiated, in megabits a second: 6,000 for SATA's third generation, 480 for USB 2; absent where
    /// nothing tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub link_mbps: Option<u32>,
    /// Rotation: spinning at so many rpm, or solid state.
    pub rotation: Rotation,
    /// Where it sits: controller and port in words, e.g. `PCI 00:1f.2, port 3`.
    pub location: String,
    /// Name that a person gave to the bay where it sits, or sat last; it stays with the bay when the drive is exchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub bay: Option<String>,
    /// Temperature from the kernel's sensors; `None` where there is no sensor.
    pub temperature: Option<Celsius>,
    /// What is on it now.
    pub content: Content,
    /// Why it is not offered for a burn-in; `None` when it is offered.
    pub refused: Option<Refused>,
    /// Whether the kernel sees it now.
    pub present: bool,
    /// Since when it is present, or gone.
    #[schema(value_type = String, format = DateTime)]
    pub since: Time,
    /// Of when all this is, where nobody watches the bus now: the agent has not told its drives since the server's start or
    /// since its connection ended, and the drive may be under another kernel name or gone. The server alone sets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub as_of: Option<Time>,
    /// The highest temperature that counts as well for it; above, its alert comes and it needs a person. A burn-in pauses at a limit
    /// of its own, which is another one. The server alone sets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub heat_limit: Option<Celsius>,
    /// What its own SMART says against it; `None` while nothing does, or nobody has read it. The server alone sets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub ill: Option<Ill>,
    /// Until when it is made findable for the eye; `None` while nobody looks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub shown_until: Option<Time>,
}

impl Drive {
    /// Where it sits, in words: its bay's name, then controller and port.
    pub fn place(&self) -> String {
        match &self.bay {
            Some(bay) if self.location.is_empty() => bay.clone(),
            Some(bay) => format!("{bay} ({})", self.location),
            None => self.location.clone(),
        }
    }
}

/// How a drive is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Bus {
    /// Serial ATA.
    Sata,
    /// Parallel SCSI or SAS.
    Scsi,
    /// NVM Express.
    Nvme,
    /// USB mass storage.
    Usb,
    /// A virtual machine's paravirtual disk.
    Virtio,
    /// SD card or eMMC.
    Mmc,
    /// A loop device; only the command line burns one, and only when told to.
    Loop,
    /// None of the others.
    Other,
}

impl Bus {
    /// As add-ons tell it in tables of drives; nothing where no one word says it.
    pub fn transport(self) -> &'static str {
        match self {
            Self::Sata => "SATA",
            Self::Scsi => "SAS",
            Self::Nvme => "NVMe",
            Self::Usb => "USB",
            Self::Virtio => "virtio",
            Self::Mmc => "MMC",
            Self::Loop => "loop",
            Self::Other => "",
        }
    }
}

/// What a drive's SMART says against it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct Ill {
    /// That of its gravest alert.
    pub severity: Severity,
    /// In words, the gravest first: `300 reallocated sectors; it says itself that it fails`.
    pub says: String,
    /// When the newest of it began or got worse: no earlier test has weighed that. `None` where an earlier version kept it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Time>,
}

/// How a drive stores: on spinning platters or in flash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Rotation {
    /// Spinning platters; revolutions per minute where the drive tells them.
    Spinning {
        /// Revolutions per minute, 4,000 to 15,000; `None` when not told.
        rpm: Option<u32>,
    },
    /// Flash.
    SolidState,
    /// Neither the drive nor the kernel says.
    Unknown,
}

/// What stands on a drive, read through libblkid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Content {
    /// Not looked at yet.
    Unknown,
    /// No signature that libblkid knows.
    Empty,
    /// One signature or more.
    Found {
        /// Whole disk first, then the partitions in order.
        signatures: Vec<Signature>,
        /// In words: `GPT, 2 partitions: ext4 "photos", swap`.
        summary: String,
    },
    /// The drive does not let its start be read; that is a finding, and no reason not to test it.
    Unreadable {
        /// The kernel's error.
        why: String,
    },
}

/// One file system, RAID member, volume or partition table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct Signature {
    /// Partition number; 0 for the whole disk.
    pub partition: u32,
    /// libblkid's TYPE or PTTYPE: `ext4`, `linux_raid_member`, `LVM2_member`, `gpt` …; `192 more` for so many further ones that are
    /// not told one by one, from this partition on: their sum is the UUID.
    pub kind: String,
    /// Label, where it has one.
    pub label: Option<String>,
    /// UUID, where it has one.
    pub uuid: Option<String>,
    /// Partition's name (GPT), where it has one.
    pub name: Option<String>,
    /// Bytes that files take in it, as a file system itself counts them; `None` where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub used: Option<Bytes>,
    /// When it was last mounted, as it says itself by the clock of that computer; `None` where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub mounted: Option<Time>,
}

impl Signature {
    /// Whether it is the same one, however full either is: what a job has begun to write over counts otherwise than before.
    pub fn is_same(&self, other: &Self) -> bool {
        self.uncounted() == other.uncounted()
    }

    /// This, without how full it is.
    #[must_use]
    pub fn uncounted(&self) -> Self {
        Self {
            used: None,
            mounted: None,
            ..self.clone()
        }
    }
}

/// Why a drive is not offered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct Refused {
    /// A stable word: `mounted`, `swap`, `md-member`, `boot-disk`, `no-identity`, `same-identity` …
    pub kind: String,
    /// In a sentence that names the place: "mounted at /mnt/data".
    pub reason: String,
}

impl Content {
    /// Whether the same stands there, however full it is.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Found { signatures: one, .. }, Self::Found { signatures: two, .. }) => {
                one.len() == two.len() && one.iter().zip(two).all(|(one, two)| one.is_same(two))
            }
            _ => self == other,
        }
    }

    /// Whether something else stands there than `then`, or so much more or less: what one of both did not count is no change.
    pub fn has_changed_since(&self, then: &Self) -> bool {
        if !self.is_same(then) {
            return true;
        }
        let (Self::Found { signatures: now, .. }, Self::Found { signatures: then, .. }) = (self, then) else {
            return false;
        };
        let counts = |it: &Signature| (it.used, it.mounted);
        let none = (None, None);
        now.iter()
            .zip(then)
            .any(|(now, then)| counts(now) != none && counts(then) != none && counts(now) != counts(then))
    }

    /// Without how full it is, and without its words, which tell that.
    #[must_use]
    pub fn uncounted(&self) -> Self {
        match self {
            Self::Found { signatures, .. } => Self::Found {
                signatures: signatures.iter().map(Signature::uncounted).collect(),
                summary: String::new(),
            },
            Self::Unknown | Self::Empty | Self::Unreadable { .. } => self.clone(),
        }
    }

    /// This, with what was counted `before` where nothing could be counted now: that a busy drive left no time for it is no change.
    #[must_use]
    pub fn counting(self, before: &Self) -> Self {
        let (Self::Found { signatures: now, .. }, Self::Found { signatures: then, .. }) = (&self, before) else {
            return self;
        };
        let counts = |it: &Signature| (it.used, it.mounted);
        let is_kept = |(now, then)| counts(now) == (None, None) || counts(now) == counts(then);
        match self.is_same(before) && now.iter().zip(then).all(is_kept) {
            true => before.clone(),
            false => self,
        }
    }

    /// In words, for a plan, a log line or a label.
    pub fn words(&self) -> String {
        match self {
            Self::Unknown => "not looked at yet".to_owned(),
            Self::Empty => "no known content".to_owned(),
            Self::Found { summary, .. } => summary.clone(),
            Self::Unreadable { why } => format!("what stands on it cannot be read ({why})"),
        }
    }

    /// Why it could not be read, where that is so; in the kernel's words.
    pub fn unreadable(&self) -> Option<&str> {
        match self {
            Self::Unreadable { why } => Some(why),
            Self::Unknown | Self::Empty | Self::Found { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn photos(used: Option<u64>, mounted: Option<i64>, uuid: &str) -> Content {
        let signature = Signature {
            partition: 1,
            kind: "ext4".into(),
            label: Some("photos".into()),
            uuid: Some(uuid.into()),
            name: None,
            used: used.map(Bytes),
            mounted: mounted.and_then(|at| Time::from_second(at).ok()),
        };
        Content::Found {
            summary: format!("{used:?}"),
            signatures: vec![signature],
        }
    }

    #[test]
    fn what_was_not_counted_now_is_what_it_was_and_other_counts_are_a_change() {
        let before = photos(Some(7), Some(1), "a");
        assert_eq!(photos(None, None, "a").counting(&before), before);
        assert_eq!(before.clone().counting(&before), before);
        for other in [
            photos(Some(8), Some(1), "a"),
            photos(Some(7), Some(2), "a"),
            photos(None, None, "b"),
            Content::Empty,
        ] {
            assert_eq!(other.clone().counting(&before), other);
        }
        assert_eq!(before.clone().counting(&Content::Empty), before);
        for uncounted in [photos(None, None, "a"), before.clone()] {
            assert!(!uncounted.has_changed_since(&before) && !before.has_changed_since(&uncounted));
        }
        for other in [photos(Some(8), Some(1), "a"), photos(None, None, "b"), Content::Empty] {
            assert!(other.has_changed_since(&before) && before.has_changed_since(&other));
        }
        assert_eq!(before.uncounted(), photos(None, None, "a").uncounted());
    }

    #[test]
    fn what_an_earlier_version_kept_against_a_drive_is_read() {
        let kept = r#"{"severity":"critical","says":"300 reallocated sectors"}"#;
        let ill: Ill = serde_json::from_str(kept).unwrap();
        assert_eq!(
            (ill.since, serde_json::to_string(&ill).unwrap()),
            (None, kept.to_owned())
        );
    }

    #[test]
    fn how_full_it_is_makes_nothing_another() {
        assert!(photos(Some(7), Some(1), "a").is_same(&photos(None, None, "a")));
        assert!(!photos(Some(7), Some(1), "a").is_same(&photos(Some(7), Some(1), "b")));
        assert!(Content::Empty.is_same(&Content::Empty));
        assert!(!Content::Empty.is_same(&photos(None, None, "a")));
    }
}
