//! ZFS pools of a host's report: what is wrong with them, told once as of drives.
//!
//! The report's `zfs` part is `{"zfs_available", "pools": [{"name", "health", "read_errors", …, "scan", "devices": […]}]}`, with
//! devices in devices (mirrors, raidz). A pool that a report does not name is not told of: its alerts stay as they were.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

/// Most pools of a host that are judged.
pub const POOLS_MAX: usize = 64;

/// Most devices of a pool that are looked at, and how deep they may lie: a spare in a raidz is three deep.
const DEVICES_MAX: usize = 1_000;
const DEPTH_MAX: usize = 8;

/// Longest name in characters. Source: OpenZFS, `ZFS_MAX_DATASET_NAME_LEN`.
const NAME_MAX: usize = 255;

/// Percent from which a pool is too full to work well, and from which it is as good as full. Source: OpenZFS, Performance
/// and Tuning, "keep pool free space above 10 %".
const FULL: (u64, u64) = (90, 97);

/// What a report says of one pool. A field is `None` where it says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pool {
    /// Its name.
    pub name: String,
    /// `ONLINE`, `DEGRADED`, `FAULTED`, `UNAVAIL` and so on.
    pub health: Option<String>,
    /// Its devices, and those that they are made of; none where it tells of none.
    pub devices: Vec<Device>,
    /// Read, write and checksum errors of the pool and its devices.
    pub errors: Option<u64>,
    /// Errors that the newest scrub or resilver found; `None` also while one has found none and is not through.
    pub scan_errors: Option<u64>,
    /// Percent of it in use.
    pub used: Option<u64>,
}

/// A device of a pool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// Its name.
    pub name: String,
    /// `ONLINE`, `DEGRADED`, `FAULTED` and so on; empty where the report does not say.
    pub state: String,
}

impl Device {
    /// How much of it is lost: 0 nothing, 1 it serves in part, 2 it is out of service, whatever ZFS or its owner calls that.
    pub fn lost(&self) -> u8 {
        match self.state.as_str() {
            "DEGRADED" => 1,
            "FAULTED" | "OFFLINE" | "REMOVED" | "UNAVAIL" => 2,
            _ => 0,
        }
    }
}

impl Pool {
    /// Its devices, each under a name of its own: there may be a `replacing-0` in each mirror.
    pub fn named(&self) -> BTreeMap<String, &Device> {
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        let named = self.devices.iter().map(|device| {
            let time = times.entry(&device.name).or_default();
            *time += 1;
            let name = match *time {
                1 => device.name.clone(),
                more => format!("{} ({more})", device.name),
            };
            (name, device)
        });
        named.collect()
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.state)
    }
}

fn text(value: &Value) -> Option<String> {
    let text: String = value.as_str()?.chars().filter(|c| !c.is_control()).take(100).collect();
    (!text.is_empty()).then_some(text)
}

/// A pool's name; `None` where it has none.
pub fn name(pool: &Value) -> Option<String> {
    let name = pool["name"].as_str()?.chars().filter(|c| !c.is_control());
    let name: String = name.take(NAME_MAX).collect();
    (!name.is_empty()).then_some(name)
}

fn errors(of: &Value) -> Option<u64> {
    let counts = ["read_errors", "write_errors", "checksum_errors"].map(|key| of[key].as_u64());
    counts.iter().flatten().copied().reduce(u64::saturating_add)
}

/// The pools of a report's ZFS part.
pub fn pools(zfs: &Value) -> Vec<Pool> {
    let list = zfs["pools"].as_array().into_iter().flatten().take(POOLS_MAX);
    list.filter_map(pool).collect()
}

fn pool(value: &Value) -> Option<Pool> {
    let mut pool = Pool {
        name: name(value)?,
        health: text(&value["health"]).or_else(|| text(&value["status"])),
        errors: errors(value),
        scan_errors: scan_errors(&value["scan"]),
        used: value["capacity_pct"].as_u64().filter(|percent| *percent <= 100),
        ..Pool::default()
    };
    let mut of_devices = None;
    each_device(value, |device, _| {
        pool.devices.push(Device {
            name: text(&device["name"]).unwrap_or_default(),
            state: text(&device["state"]).unwrap_or_default(),
        });
        of_devices = of_devices.into_iter().chain(errors(device)).reduce(u64::saturating_add);
    });
    // A pool's own counters are those of its top; what a device counted may be lower down.
    pool.errors = pool.errors.into_iter().chain(of_devices).max();
    Some(pool)
}

/// Errors that a scan found. One that goes on, or was stopped, has not looked everywhere: that it found none says nothing.
fn scan_errors(scan: &Value) -> Option<u64> {
    let is_through = !matches!(scan["state"].as_str(), Some("scanning" | "canceled"));
    scan["errors_found"].as_u64().filter(|errors| *errors > 0 || is_through)
}

/// Hands out each device of a pool with the one that it is a part of, those of others behind them.
pub fn each_device<'p>(pool: &'p Value, mut each: impl FnMut(&'p Value, Option<&'p Value>)) {
    let mut room = DEVICES_MAX;
    devices(&pool["devices"], None, DEPTH_MAX, &mut room, &mut each);
}

fn devices<'p>(
    list: &'p Value,
    parent: Option<&'p Value>,
    depth: usize,
    room: &mut usize,
    each: &mut impl FnMut(&'p Value, Option<&'p Value>),
) {
    for device in list.as_array().into_iter().flatten() {
        if *room == 0 || depth == 0 {
            return;
        }
        *room -= 1;
        each(device, parent);
        devices(&device["children"], Some(device), depth - 1, room, each);
    }
}

/// How full a pool is: not at all, too full, as good as full.
pub(crate) fn fullness(used: u64) -> u8 {
    u8::from(used >= FULL.0) + u8::from(used >= FULL.1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    #[test]
    fn devices_below_devices_are_counted_and_what_is_missing_is_not_told() {
        let zfs = json!({ "zfs_available": true, "pools": [
            { "name": "tank", "health": "DEGRADED", "capacity_pct": 91, "read_errors": 0, "write_errors": 0, "checksum_errors": 1,
              "scan": { "function": "scrub", "state": "finished", "errors_found": 2 },
              "devices": [{ "name": "raidz1-0", "state": "DEGRADED", "read_errors": 0, "children": [
                  { "name": "sda", "state": "ONLINE", "read_errors": 3, "checksum_errors": 4 },
                  { "name": "sdb", "state": "FAULTED" } ] }] },
            { "name": "bare" }, { "health": "ONLINE" }, 7,
        ] });
        let all = pools(&zfs);
        assert_eq!(all.len(), 2);
        let told: Vec<_> = all[0].devices.iter().map(|d| (d.to_string(), d.lost())).collect();
        let want = [("raidz1-0 DEGRADED", 1), ("sda ONLINE", 0), ("sdb FAULTED", 2)];
        assert_eq!(told, want.map(|(words, lost)| (words.to_owned(), lost)));
        assert_eq!(
            (all[0].errors, all[0].scan_errors, all[0].used),
            (Some(7), Some(2), Some(91))
        );
        let bare = Pool {
            name: "bare".into(),
            ..Pool::default()
        };
        assert_eq!(all[1], bare);
        for nothing in [json!(null), json!({}), json!({ "pools": {} }), json!([])] {
            assert!(pools(&nothing).is_empty());
        }
    }

    #[test]
    fn a_tree_without_end_ends() {
        let mut device = json!({ "name": "d", "read_errors": 1 });
        for _ in 0..100 {
            device = json!({ "name": "d", "read_errors": 1, "children": [device] });
        }
        let zfs = json!({ "pools": [{ "name": "p", "devices": [device] }] });
        assert_eq!(pools(&zfs)[0].errors, Some(DEPTH_MAX as u64));
    }
}
