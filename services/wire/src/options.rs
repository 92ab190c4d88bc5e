//! What a person chooses beside drives and playbook, and what formatting came to.

use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;

use crate::{Bytes, DriveId};

/// What a person chose beside drives and playbook; part of the plan's digest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PlanOptions {
    /// Which limits judge it.
    pub profile: Profile,
    /// Partition and format afterwards; only where the verdict is PASSED or WARN.
    pub format: Option<FormatRequest>,
    /// Drives whose inactive members of arrays, volumes, pools or encrypted containers are given up by name.
    pub give_up: Vec<DriveId>,
    /// Repeat the playbook's repeatable steps for this many hours instead of what it says; 1–720.
    pub soak_hours: Option<u32>,
    /// End a drive's job as FAILED at the first fault that fails it, and leave the rest of it untested.
    // Told only where it was chosen: a version that does not know it refuses such options alone, and reads all others.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    #[ts(optional, as = "Option<bool>")]
    pub stop_at_first: bool,
}

/// Which limits judge a drive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Second-hand, or in service for a while.
    #[default]
    Used,
    /// Sold as new.
    New,
}

/// What is to be made on a drive that passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FormatRequest {
    /// Partition table; by capacity where it is `auto`.
    #[serde(default)]
    pub table: Table,
    /// File system of the one partition.
    #[serde(default)]
    pub filesystem: FileSystem,
    /// ext4: share kept back for root in percent, 0–50 (`mke2fs -m`).
    #[serde(default)]
    pub reserved_percent: u8,
    /// Volume label; the file system's own limit holds.
    #[serde(default)]
    pub label: String,
}

/// A partition table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Table {
    /// MBR up to 2 TiB, GPT above.
    #[default]
    Auto,
    /// DOS table.
    Mbr,
    /// GUID partition table.
    Gpt,
}

/// A file system that can be made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileSystem {
    /// mke2fs -t ext4.
    #[default]
    Ext4,
    /// mkfs.xfs.
    Xfs,
    /// mkfs.btrfs.
    Btrfs,
    /// mkfs.exfat.
    Exfat,
    /// mkswap.
    Swap,
    /// A partition without a file system.
    Raw,
}

/// What came of partitioning and formatting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct Formatted {
    /// The table that was written.
    pub table: Table,
    /// The file system, where one was made.
    pub filesystem: FileSystem,
    /// Its label.
    pub label: String,
    /// Its UUID, where it has one.
    pub uuid: Option<String>,
    /// Size of the partition.
    pub size: Bytes,
    /// Each check that was done, in words: "table read again: equal".
    pub checks: Vec<String>,
    /// What went wrong; then nothing above may be relied on.
    pub problem: Option<String>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// The version in the other slot reads what was begun by this one, and this one what that one has begun.
    #[test]
    fn an_end_at_the_first_fault_is_told_only_where_it_was_chosen() {
        let plain = r#"{"profile":"used","format":null,"give_up":[],"soak_hours":null}"#;
        assert_eq!(serde_json::to_string(&PlanOptions::default()).unwrap(), plain);
        assert_eq!(
            serde_json::from_str::<PlanOptions>(plain).unwrap(),
            PlanOptions::default()
        );
        let chosen = PlanOptions {
            stop_at_first: true,
            ..PlanOptions::default()
        };
        let text = serde_json::to_string(&chosen).unwrap();
        assert!(text.ends_with(r#","stop_at_first":true}"#), "{text}");
        assert_eq!(serde_json::from_str::<PlanOptions>(&text).unwrap(), chosen);
    }
}
