//! ZFS as clients of existing Vigil servers read it: pools, devices, datasets and scans, and what is counted and complained of
//! over them. [`read`] makes them of a host's last report.

pub(crate) mod read;

use serde::Serialize;
use utoipa::ToSchema;
use wire::Time;

/// A pool.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ZfsPool {
    /// Made of host and name.
    pub id: i64,
    /// Its host.
    pub hostname: String,
    /// Its name.
    pub pool_name: String,
    /// Its GUID.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    pub pool_guid: String,
    /// As `zpool status` says it.
    pub status: String,
    /// `ONLINE`, `DEGRADED`, `FAULTED` and so on.
    pub health: String,
    /// Bytes.
    pub size_bytes: i64,
    /// Bytes in use.
    pub allocated_bytes: i64,
    /// Bytes that are free.
    pub free_bytes: i64,
    /// Percent.
    pub fragmentation: i64,
    /// Percent in use.
    pub capacity_pct: i64,
    /// How often what is deduplicated is there.
    pub dedup_ratio: f64,
    /// How much smaller it is for being compressed.
    pub compress_ratio: f64,
    /// Where it is mounted beside its own place.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    pub altroot: String,
    /// Since they were cleared last.
    pub read_errors: i64,
    /// Since they were cleared last.
    pub write_errors: i64,
    /// Since they were cleared last.
    pub checksum_errors: i64,
    /// `scrub`, `resilver`.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    pub scan_function: String,
    /// `scanning`, `finished`, `canceled`.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    pub scan_state: String,
    /// Percent.
    pub scan_progress: f64,
    /// Bytes a second.
    #[serde(skip_serializing_if = "is_zero")]
    #[schema(required = false)]
    pub scan_speed: i64,
    /// Errors that it found.
    pub scan_errors: i64,
    /// Seconds.
    #[serde(skip_serializing_if = "is_zero")]
    #[schema(required = false)]
    pub scan_time_remaining: i64,
    /// When the newest scan began; the year 1 while none is known of.
    #[schema(value_type = String, format = DateTime)]
    pub last_scan_time: Time,
    /// When its host reported last.
    #[schema(value_type = String, format = DateTime)]
    pub last_seen: Time,
    /// Not kept: the year 1.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Time,
}

/// A pool in the list of all.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ZfsPoolListed {
    /// The pool.
    #[serde(flatten)]
    pub pool: ZfsPool,
    /// Its disks without spares, logs and caches.
    pub device_count: usize,
    /// Since its newest scan began; -1 while none is known of.
    pub days_since_last_scrub: i64,
}

/// A device of a pool: a disk, or what disks are put together to.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ZfsDevice {
    /// Made of host, pool and place.
    pub id: i64,
    /// Its pool.
    pub pool_id: i64,
    /// Its host.
    pub hostname: String,
    /// Its pool's name.
    pub pool_name: String,
    /// As `zpool status` names it.
    pub device_name: String,
    /// Where it is.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    pub device_path: String,
    /// Its GUID.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    pub device_guid: String,
    /// Serial number of the disk.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    pub serial_number: String,
    /// `disk`, `mirror`, `raidz1` and so on.
    pub vdev_type: String,
    /// What it is a part of.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    pub vdev_parent: String,
    /// Its place among the pool's devices, those of others behind them.
    pub vdev_index: usize,
    /// `ONLINE`, `FAULTED` and so on.
    pub state: String,
    /// Since they were cleared last.
    pub read_errors: i64,
    /// Since they were cleared last.
    pub write_errors: i64,
    /// Since they were cleared last.
    pub checksum_errors: i64,
    /// Bytes.
    pub size_bytes: i64,
    /// Bytes in use.
    pub allocated_bytes: i64,
    /// Stands by.
    pub is_spare: bool,
    /// Holds the intent log.
    pub is_log: bool,
    /// Holds a second cache.
    pub is_cache: bool,
    /// Is being replaced.
    pub is_replacing: bool,
    /// When its host reported last.
    #[schema(value_type = String, format = DateTime)]
    pub last_seen: Time,
    /// Not kept: the year 1.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Time,
}

/// A scrub or a resilver.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ZfsScan {
    /// Made of host, pool and begin.
    pub id: i64,
    /// Its pool.
    pub pool_id: i64,
    /// Its host.
    pub hostname: String,
    /// Its pool's name.
    pub pool_name: String,
    /// `scrub`, `resilver`.
    pub scan_type: String,
    /// `scanning`, `finished`, `canceled`.
    pub state: String,
    /// The year 1 where the report does not say it.
    #[schema(value_type = String, format = DateTime)]
    pub start_time: Time,
    /// The year 1 while it runs.
    #[schema(value_type = String, format = DateTime)]
    pub end_time: Time,
    /// Seconds.
    pub duration_secs: i64,
    /// Bytes.
    pub data_examined: i64,
    /// Bytes.
    pub data_total: i64,
    /// Errors.
    pub errors_found: i64,
    /// Bytes.
    pub bytes_repaired: i64,
    /// No report says it: 0.
    pub blocks_repaired: i64,
    /// Percent.
    pub progress_pct: f64,
    /// Bytes a second.
    pub rate_bytes_sec: i64,
    /// Seconds.
    #[serde(skip_serializing_if = "is_zero")]
    #[schema(required = false)]
    pub time_remaining: i64,
    /// Not kept: the year 1.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Time,
}

/// A file system or a volume of a pool.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ZfsDataset {
    /// Made of host and name.
    pub id: i64,
    /// Its pool.
    pub pool_id: i64,
    /// Its host.
    pub hostname: String,
    /// Its pool's name.
    pub pool_name: String,
    /// Its name.
    pub dataset_name: String,
    /// Bytes.
    pub used_bytes: i64,
    /// Bytes.
    pub available_bytes: i64,
    /// Bytes.
    pub referenced_bytes: i64,
    /// Where it is mounted.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    pub mountpoint: String,
    /// How much smaller it is for being compressed.
    pub compress_ratio: f64,
    /// Bytes that it may take.
    #[serde(skip_serializing_if = "is_zero")]
    #[schema(required = false)]
    pub quota_bytes: i64,
    /// When its host reported last.
    #[schema(value_type = String, format = DateTime)]
    pub last_seen: Time,
    /// Not kept: the year 1.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Time,
}

/// A pool with everything that is known of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ZfsPoolWhole {
    /// The pool.
    pub pool: ZfsPool,
    /// Its devices.
    pub devices: Vec<ZfsDevice>,
    /// Its file systems and volumes.
    pub datasets: Vec<ZfsDataset>,
    /// The scan that the last report tells, where it tells one.
    pub scrub_history: Vec<ZfsScan>,
    /// Since its newest scan began; -1 while none is known of.
    pub days_since_last_scrub: i64,
}

/// Numbers of all pools, or of those of one host.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct ZfsSummary {
    /// The host; `all` for all.
    pub hostname: String,
    /// Pools.
    pub total_pools: usize,
    /// `ONLINE` ones.
    pub healthy_pools: usize,
    /// `DEGRADED` ones.
    pub degraded_pools: usize,
    /// `FAULTED` ones.
    pub faulted_pools: usize,
    /// Bytes.
    pub total_size_bytes: i64,
    /// Bytes in use.
    pub total_used_bytes: i64,
    /// Bytes that are free.
    pub total_free_bytes: i64,
    /// Read, write and checksum errors.
    pub total_errors: i64,
    /// Pools that are scanned at this moment.
    pub active_scrubs: usize,
}

/// Which pools want somebody to look.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ZfsHealth {
    /// Pools in all.
    pub total_pools: usize,
    /// Those that do.
    pub needs_attention: usize,
    /// Them.
    pub pools: Vec<ZfsTrouble>,
}

/// A pool that wants somebody to look.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ZfsTrouble {
    /// Its host.
    pub hostname: String,
    /// Its name.
    pub pool_name: String,
    /// `ONLINE`, `DEGRADED`, `FAULTED` and so on.
    pub health: String,
    /// Percent in use.
    pub capacity: i64,
    /// Why, in words.
    pub issues: Vec<String>,
    /// Read, write and checksum errors.
    pub total_errors: i64,
}

/// A device with its pool.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ZfsDeviceFound {
    /// The device.
    pub device: ZfsDevice,
    /// Its pool.
    pub pool: ZfsPool,
}

/// Whether a drive is in a pool, and how it is there; where it is in none, that is left out.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct ZfsDriveInfo {
    /// Whether it is.
    pub in_zfs_pool: bool,
    /// Its host.
    pub hostname: String,
    /// Its serial number, as it was asked for.
    pub serial: String,
    /// The pool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool_name: Option<String>,
    /// As `zpool status` names the drive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_name: Option<String>,
    /// `disk`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vdev_type: Option<String>,
    /// `ONLINE`, `FAULTED` and so on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_state: Option<String>,
    /// Since they were cleared last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_errors: Option<i64>,
    /// Since they were cleared last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write_errors: Option<i64>,
    /// Since they were cleared last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksum_errors: Option<i64>,
    /// How the pool is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool_health: Option<String>,
    /// As `zpool status` says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool_status: Option<String>,
}

/// The newest scan, or that none is known of.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum ZfsLastScan {
    /// The scan.
    Scan(Box<ZfsScan>),
    /// None.
    None {
        /// That none is known of.
        message: &'static str,
    },
}

/// A pool was taken away.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ZfsPoolDeleted {
    /// `deleted`.
    pub status: &'static str,
    /// The pool.
    pub pool: String,
    /// Its host.
    pub hostname: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

impl ZfsPool {
    fn errors(&self) -> i64 {
        [self.read_errors, self.write_errors, self.checksum_errors]
            .into_iter()
            .fold(0, i64::saturating_add)
    }

    /// Why somebody should look, if somebody should. Percents as existing servers draw them.
    pub(crate) fn trouble(&self) -> Option<ZfsTrouble> {
        let mut issues = Vec::new();
        if self.health != "ONLINE" {
            issues.push(format!(
                "Pool is {}",
                if self.health.is_empty() {
                    "in an unknown state"
                } else {
                    &self.health
                }
            ));
        }
        for (count, what) in [
            (self.read_errors, "Read"),
            (self.write_errors, "Write"),
            (self.checksum_errors, "Checksum"),
        ] {
            if count > 0 {
                issues.push(format!("{what} errors: {count}"));
            }
        }
        if self.capacity_pct >= 80 {
            issues.push(format!("{} % in use", self.capacity_pct));
        }
        if self.fragmentation >= 75 {
            issues.push(format!("Fragmentation: {} %", self.fragmentation));
        }
        (!issues.is_empty()).then(|| ZfsTrouble {
            hostname: self.hostname.clone(),
            pool_name: self.pool_name.clone(),
            health: self.health.clone(),
            capacity: self.capacity_pct,
            issues,
            total_errors: self.errors(),
        })
    }
}

impl ZfsSummary {
    /// Of these pools, under this name.
    pub(crate) fn of<'p>(hostname: &str, pools: impl Iterator<Item = &'p ZfsPool>) -> Self {
        let mut sum = Self {
            hostname: hostname.to_owned(),
            ..Self::default()
        };
        for pool in pools {
            sum.total_pools += 1;
            sum.healthy_pools += usize::from(pool.health == "ONLINE");
            sum.degraded_pools += usize::from(pool.health == "DEGRADED");
            sum.faulted_pools += usize::from(pool.health == "FAULTED");
            sum.total_size_bytes = sum.total_size_bytes.saturating_add(pool.size_bytes);
            sum.total_used_bytes = sum.total_used_bytes.saturating_add(pool.allocated_bytes);
            sum.total_free_bytes = sum.total_free_bytes.saturating_add(pool.free_bytes);
            sum.total_errors = sum.total_errors.saturating_add(pool.errors());
            sum.active_scrubs += usize::from(pool.scan_state == "scanning");
        }
        sum
    }
}
