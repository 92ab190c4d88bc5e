//! A host's last report, as the shapes that clients know.
//!
//! What a report does not say is what existing servers answer then: 0, an empty text that is left out, the year 1. Their
//! numbers of rows are made of the names here, so that they stay the same from report to report.

use health::pool;
use health::tables::Host;
use serde_json::Value;
use sha2::{Digest, Sha256};
use wire::Time;

use super::super::NEVER;
use super::{ZfsDataset, ZfsDevice, ZfsPool, ZfsPoolListed, ZfsPoolWhole, ZfsScan};

/// Longest text of a report that is handed on, in characters; a dataset's name has no more. Source: OpenZFS,
/// `ZFS_MAX_DATASET_NAME_LEN`.
const TEXT_MAX: usize = 255;

/// Most datasets of a host: what fits into the part of a report that is kept.
const DATASETS_MAX: usize = 1_000;

const SECONDS_A_DAY: i64 = 86_400;

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
pub(crate) struct Told<'h> {
    host: &'h Host,
    value: &'h Value,
    /// It, as clients read it.
    pub pool: ZfsPool,
}

/// The pools of a host's last report, by name.
pub(crate) fn pools(host: &Host) -> Vec<Told<'_>> {
    let list = host.zfs["pools"].as_array().into_iter().flatten().take(pool::POOLS_MAX);
    let mut all: Vec<Told<'_>> = list
        .filter_map(|value| Some(Told::of(host, value, pool::name(value)?)))
        .collect();
    all.sort_by(|a, b| a.pool.pool_name.cmp(&b.pool.pool_name));
    all
}

/// The file systems and volumes of those pools, by name.
pub(crate) fn datasets(host: &Host) -> Vec<ZfsDataset> {
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
    pub(crate) fn devices(&self) -> Vec<ZfsDevice> {
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
    pub(crate) fn scan(&self) -> Option<ZfsScan> {
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
    pub(crate) fn listed(self, now: Time) -> ZfsPoolListed {
        let is_data =
            |device: &ZfsDevice| device.vdev_type == "disk" && !(device.is_spare || device.is_log || device.is_cache);
        ZfsPoolListed {
            device_count: self.devices().iter().filter(|device| is_data(device)).count(),
            days_since_last_scrub: self.days(now),
            pool: self.pool,
        }
    }

    /// It with everything, at `now`.
    pub(crate) fn whole(self, now: Time) -> ZfsPoolWhole {
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
