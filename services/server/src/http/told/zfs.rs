//! ZFS as clients of existing Vigil servers read it: pools, devices, datasets and scans, made of each host's last report.
//!
//! What a report does not say is what those servers answer then: 0, an empty text that is left out, the year 1. Their
//! numbers of rows are made of the names here, so that they stay the same from report to report.

use health::pool;
use health::tables::Host;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use wire::Time;

/// Midnight of January 1st of the year 1: the time that existing servers write where they know none.
const NEVER: Time = Time::constant(-62_135_596_800, 0);

/// Longest text of a report that is handed on, in characters; a dataset's name has no more. Source: OpenZFS,
/// `ZFS_MAX_DATASET_NAME_LEN`.
const TEXT_MAX: usize = 255;

/// Most datasets of a host: what fits into the part of a report that is kept.
const DATASETS_MAX: usize = 1_000;

const SECONDS_A_DAY: i64 = 86_400;

/// A pool.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ZfsPool {
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
pub struct ZfsPoolListed {
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
pub struct ZfsDevice {
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
pub struct ZfsScan {
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
pub struct ZfsDataset {
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
pub struct ZfsPoolWhole {
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
pub struct ZfsSummary {
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
pub struct ZfsHealth {
    /// Pools in all.
    pub total_pools: usize,
    /// Those that do.
    pub needs_attention: usize,
    /// Them.
    pub pools: Vec<ZfsTrouble>,
}

/// A pool that wants somebody to look.
#[derive(Debug, Serialize, ToSchema)]
pub struct ZfsTrouble {
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
pub struct ZfsDeviceFound {
    /// The device.
    pub device: ZfsDevice,
    /// Its pool.
    pub pool: ZfsPool,
}

/// Whether a drive is in a pool, and how it is there; where it is in none, that is left out.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct ZfsDriveInfo {
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
pub enum ZfsLastScan {
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
pub struct ZfsPoolDeleted {
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

fn text(value: &Value) -> String {
    let text = value.as_str().unwrap_or("");
    text.chars().filter(|c| !c.is_control()).take(TEXT_MAX).collect()
}

fn whole(value: &Value) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "saturates; a fraction of a byte is none")]
    let of_float = || value.as_f64().map(|number| number as i64);
    value.as_i64().or_else(of_float).unwrap_or(0)
}

fn fraction(value: &Value) -> f64 {
    value.as_f64().unwrap_or(0.0)
}

fn time(value: &Value) -> Time {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or(NEVER)
}

/// The number of what has these names: 52 bits, which JavaScript holds, of their hash.
fn number(names: &[&str]) -> i64 {
    let mut hash = Sha256::new();
    for name in names {
        hash.update(name);
        hash.update([0]);
    }
    let bytes: [u8; 8] = hash.finalize()[..8].try_into().expect("a SHA-256 has 32 bytes");
    i64::try_from(u64::from_be_bytes(bytes) >> 12).expect("52 bits fit")
}

/// A pool of a report.
#[derive(Clone, Debug)]
pub struct Told<'h> {
    host: &'h Host,
    value: &'h Value,
    /// It, as clients read it.
    pub pool: ZfsPool,
}

/// The pools of a host's last report, by name.
pub fn pools(host: &Host) -> Vec<Told<'_>> {
    let list = host.zfs["pools"].as_array().into_iter().flatten().take(pool::POOLS_MAX);
    let mut all: Vec<Told<'_>> = list
        .filter_map(|value| Some(Told::of(host, value, pool::name(value)?)))
        .collect();
    all.sort_by(|a, b| a.pool.pool_name.cmp(&b.pool.pool_name));
    all
}

/// The file systems and volumes of those pools, by name.
pub fn datasets(host: &Host) -> Vec<ZfsDataset> {
    let pools = pools(host);
    let list = host.zfs["datasets"].as_array().into_iter().flatten().take(DATASETS_MAX);
    let mut all: Vec<ZfsDataset> = list
        .filter_map(|value| {
            let name = text(&value["name"]);
            let of = match text(&value["pool_name"]) {
                said if said.is_empty() => name.split('/').next().unwrap_or("").to_owned(),
                said => said,
            };
            let pool = &pools.iter().find(|told| told.pool.pool_name == of)?.pool;
            Some(ZfsDataset {
                id: number(&[&host.hostname, "dataset", &name]),
                pool_id: pool.id,
                hostname: host.hostname.clone(),
                pool_name: of,
                used_bytes: whole(&value["used_bytes"]),
                available_bytes: whole(&value["available_bytes"]),
                referenced_bytes: whole(&value["referenced_bytes"]),
                mountpoint: text(&value["mountpoint"]),
                compress_ratio: fraction(&value["compress_ratio"]),
                quota_bytes: whole(&value["quota_bytes"]),
                last_seen: host.last_seen,
                created_at: NEVER,
                dataset_name: name,
            })
        })
        .collect();
    all.sort_by(|a, b| (&a.pool_name, &a.dataset_name).cmp(&(&b.pool_name, &b.dataset_name)));
    all
}

impl<'h> Told<'h> {
    fn of(host: &'h Host, value: &'h Value, name: String) -> Self {
        let scan = &value["scan"];
        let pool = ZfsPool {
            id: number(&[&host.hostname, "pool", &name]),
            hostname: host.hostname.clone(),
            pool_name: name,
            pool_guid: text(&value["guid"]),
            status: text(&value["status"]),
            health: text(&value["health"]),
            size_bytes: whole(&value["size_bytes"]),
            allocated_bytes: whole(&value["allocated_bytes"]),
            free_bytes: whole(&value["free_bytes"]),
            fragmentation: whole(&value["fragmentation"]),
            capacity_pct: whole(&value["capacity_pct"]),
            dedup_ratio: fraction(&value["dedup_ratio"]),
            compress_ratio: fraction(&value["compress_ratio"]),
            altroot: text(&value["altroot"]),
            read_errors: whole(&value["read_errors"]),
            write_errors: whole(&value["write_errors"]),
            checksum_errors: whole(&value["checksum_errors"]),
            scan_function: text(&scan["function"]),
            scan_state: text(&scan["state"]),
            scan_progress: fraction(&scan["progress_pct"]),
            scan_speed: whole(&scan["rate_bytes_sec"]),
            scan_errors: whole(&scan["errors_found"]),
            scan_time_remaining: whole(&scan["time_remaining"]),
            last_scan_time: time(&scan["start_time"]),
            last_seen: host.last_seen,
            created_at: NEVER,
        };
        Self { host, value, pool }
    }

    /// Its devices, those of others behind them.
    pub fn devices(&self) -> Vec<ZfsDevice> {
        let mut all = Vec::new();
        pool::each_device(self.value, |device, parent| {
            let said = text(&device["vdev_parent"]);
            let index = all.len();
            all.push(ZfsDevice {
                id: number(&[&self.pool.hostname, "device", &self.pool.pool_name, &index.to_string()]),
                pool_id: self.pool.id,
                hostname: self.pool.hostname.clone(),
                pool_name: self.pool.pool_name.clone(),
                device_name: text(&device["name"]),
                device_path: text(&device["path"]),
                device_guid: text(&device["guid"]),
                serial_number: text(&device["serial_number"]),
                vdev_type: text(&device["vdev_type"]),
                vdev_parent: parent.map_or(said, |parent| text(&parent["name"])),
                vdev_index: index,
                state: text(&device["state"]),
                read_errors: whole(&device["read_errors"]),
                write_errors: whole(&device["write_errors"]),
                checksum_errors: whole(&device["checksum_errors"]),
                size_bytes: whole(&device["size_bytes"]),
                allocated_bytes: whole(&device["allocated_bytes"]),
                is_spare: device["is_spare"] == true,
                is_log: device["is_log"] == true,
                is_cache: device["is_cache"] == true,
                is_replacing: device["is_replacing"] == true,
                last_seen: self.host.last_seen,
                created_at: NEVER,
            });
        });
        all
    }

    /// The scan that the report tells; `None` where there was none.
    pub fn scan(&self) -> Option<ZfsScan> {
        let (scan, pool) = (&self.value["scan"], &self.pool);
        if matches!(pool.scan_function.as_str(), "" | "none") {
            return None;
        }
        Some(ZfsScan {
            id: number(&[
                &pool.hostname,
                "scan",
                &pool.pool_name,
                &pool.last_scan_time.to_string(),
            ]),
            pool_id: pool.id,
            hostname: pool.hostname.clone(),
            pool_name: pool.pool_name.clone(),
            scan_type: pool.scan_function.clone(),
            state: pool.scan_state.clone(),
            start_time: pool.last_scan_time,
            end_time: time(&scan["end_time"]),
            duration_secs: whole(&scan["duration_secs"]),
            data_examined: whole(&scan["data_examined"]),
            data_total: whole(&scan["data_total"]),
            errors_found: pool.scan_errors,
            bytes_repaired: whole(&scan["bytes_repaired"]),
            blocks_repaired: 0,
            progress_pct: pool.scan_progress,
            rate_bytes_sec: pool.scan_speed,
            time_remaining: pool.scan_time_remaining,
            created_at: NEVER,
        })
    }

    fn days(&self, now: Time) -> i64 {
        let then = self.pool.last_scan_time;
        if then == NEVER {
            return -1;
        }
        // A host's clock may be ahead of this one.
        (now.as_second() - then.as_second()).max(0) / SECONDS_A_DAY
    }

    /// It in the list of all, at `now`.
    pub fn listed(self, now: Time) -> ZfsPoolListed {
        let is_data =
            |device: &ZfsDevice| device.vdev_type == "disk" && !(device.is_spare || device.is_log || device.is_cache);
        ZfsPoolListed {
            device_count: self.devices().iter().filter(|device| is_data(device)).count(),
            days_since_last_scrub: self.days(now),
            pool: self.pool,
        }
    }

    /// It with everything, at `now`.
    pub fn whole(self, now: Time) -> ZfsPoolWhole {
        let mut datasets = datasets(self.host);
        datasets.retain(|dataset| dataset.pool_id == self.pool.id);
        ZfsPoolWhole {
            devices: self.devices(),
            datasets,
            scrub_history: self.scan().into_iter().collect(),
            days_since_last_scrub: self.days(now),
            pool: self.pool,
        }
    }
}

impl ZfsPool {
    fn errors(&self) -> i64 {
        [self.read_errors, self.write_errors, self.checksum_errors]
            .into_iter()
            .fold(0, i64::saturating_add)
    }

    /// Why somebody should look, if somebody should. Percents as existing servers draw them.
    pub fn trouble(&self) -> Option<ZfsTrouble> {
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
    pub fn of<'p>(hostname: &str, pools: impl Iterator<Item = &'p ZfsPool>) -> Self {
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
