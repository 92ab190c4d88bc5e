//! ZFS of the hosts that report, as clients of existing Vigil servers read it: shapes, what is not known, one taken away.

use std::collections::BTreeMap;

use notify::kinds::{self, KINDS};
use serde_json::{Value, json};
use wire::event::Event;

use crate::box_::Box_;
use crate::client::Client;
use crate::hosts::Host;

/// A report of a host with a mirror that lost a disk, a spare beside it, and a scrub that has ended.
fn ill() -> Value {
    let disk = |name: &str, state: &str, serial: &str, errors: u64| {
        json!({ "name": name, "path": format!("/dev/{name}"), "serial_number": serial, "vdev_type": "disk", "vdev_index": 9,
            "state": state, "read_errors": errors, "write_errors": 2 * errors, "checksum_errors": 0, "is_spare": false })
    };
    let mut spare = disk("sdc", "AVAIL", "WD-3", 0);
    spare["is_spare"] = true.into();
    json!({ "zfs_available": true, "pools": [{
        "hostname": "somebody else", "name": "tank", "guid": "635275192531615609", "status": "DEGRADED", "health": "DEGRADED",
        "size_bytes": 7_988_639_170_560_u64, "allocated_bytes": 3_806_516_764_672_u64, "free_bytes": 4_182_122_405_888_u64,
        "fragmentation": 3, "capacity_pct": 83, "dedup_ratio": 1.0, "compress_ratio": 1.25, "read_errors": 2, "write_errors": 4, "checksum_errors": 0,
        "scan": { "function": "scrub", "state": "finished", "start_time": "2026-01-02T03:04:05Z", "end_time": "2026-01-02T04:04:05Z",
            "duration_secs": 3600, "data_examined": 100, "data_total": 100, "errors_found": 1, "bytes_repaired": 7, "progress_pct": 100.0, "rate_bytes_sec": 5 },
        "devices": [{ "name": "mirror-0", "vdev_type": "mirror", "state": "DEGRADED",
            "children": [disk("sda", "ONLINE", "WD-1", 0), disk("sdb", "FAULTED", " wd-2", 2)] }, spare] },
        { "name": "empty", "health": "ONLINE" }],
        "datasets": [{ "name": "tank/media", "pool_name": "tank", "used_bytes": 5, "available_bytes": 6, "referenced_bytes": 4, "mountpoint": "/tank/media", "compress_ratio": 1.5 },
            { "name": "tank", "used_bytes": 9 }, { "name": "gone/x", "pool_name": "gone" }] })
}

async fn with_zfs(made: &Box_, admin: &mut Client, host: &str, zfs: Value) -> Host {
    let mut nas = Host::enrol(made, admin, host, 1).await;
    let body = json!({ "hostname": host, "drives": [], "zfs": zfs });
    assert_eq!(nas.client.post("/api/report", &body).await.status, 200);
    nas
}

const NEVER: &str = "0001-01-01T00:00:00Z";

#[tokio::test]
async fn a_box_that_nobody_told_of_zfs_says_so_in_the_shapes_of_existing_servers() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let none = json!({ "hostname": "all", "total_pools": 0, "healthy_pools": 0, "degraded_pools": 0, "faulted_pools": 0,
        "total_size_bytes": 0, "total_used_bytes": 0, "total_free_bytes": 0, "total_errors": 0, "active_scrubs": 0 });
    for (path, want) in [
        ("pools", json!([])),
        ("pools?hostname=nas", json!([])),
        ("devices", json!([])),
        ("datasets", json!([])),
        ("scrubs?limit=5", json!([])),
        ("summary", none),
        ("health", json!({ "total_pools": 0, "needs_attention": 0, "pools": [] })),
        (
            "drive/nas/WD-1",
            json!({ "in_zfs_pool": false, "hostname": "nas", "serial": "WD-1" }),
        ),
    ] {
        let answer = admin.get(&format!("/api/zfs/{path}")).await;
        assert_eq!((answer.status, answer.json()), (200, want), "{path}");
    }
    for (path, word) in [
        ("pools/nas/tank", "pool-unknown"),
        ("pools/nas/tank/devices", "pool-unknown"),
        ("pools/nas/tank/scrubs", "pool-unknown"),
        ("pools/nas/tank/scrubs/last", "pool-unknown"),
        ("devices/serial/nas/WD-1", "device-unknown"),
    ] {
        let answer = admin.get(&format!("/api/zfs/{path}")).await;
        assert_eq!((answer.status, answer.problem().as_str()), (404, word), "{path}");
    }
    let long = "x".repeat(600);
    for host in ["nas", "this%20box", &long] {
        let gone = admin.delete(&format!("/api/zfs/pools/{host}/tank")).await;
        assert_eq!((gone.status, gone.problem().as_str()), (404, "pool-unknown"), "{host}");
    }
}

#[tokio::test]
async fn what_a_report_tells_of_zfs_is_answered_and_nothing_is_made_up() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let _nas = with_zfs(&made, &mut admin, "nas", ill()).await;
    let of = async |admin: &mut Client, path: &str| {
        let answer = admin.get(&format!("/api/zfs/{path}")).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json()
    };
    let pools = of(&mut admin, "pools").await;
    let seen = pools[1]["last_seen"].clone();
    let id = pools[1]["id"].clone();
    assert!(
        id.as_i64().is_some_and(|id| (0..1 << 52).contains(&id)) && id != pools[0]["id"],
        "{pools}"
    );
    let days = (made.app.clock.now().wall.as_second()
        - "2026-01-02T03:04:05Z".parse::<wire::Time>().unwrap().as_second())
        / 86_400;
    let mut tank = json!({ "id": id, "hostname": "nas", "pool_name": "tank", "pool_guid": "635275192531615609", "status": "DEGRADED",
        "health": "DEGRADED", "size_bytes": 7_988_639_170_560_u64, "allocated_bytes": 3_806_516_764_672_u64, "free_bytes": 4_182_122_405_888_u64,
        "fragmentation": 3, "capacity_pct": 83, "dedup_ratio": 1.0, "compress_ratio": 1.25, "read_errors": 2, "write_errors": 4,
        "checksum_errors": 0, "scan_function": "scrub", "scan_state": "finished", "scan_progress": 100.0, "scan_speed": 5, "scan_errors": 1,
        "last_scan_time": "2026-01-02T03:04:05Z", "last_seen": seen, "created_at": NEVER });
    let whole = of(&mut admin, "pools/nas/tank").await;
    assert_eq!(whole["pool"], tank);
    tank["device_count"] = 2.into();
    tank["days_since_last_scrub"] = days.into();
    assert_eq!(pools[1], tank);
    let empty = json!({ "id": pools[0]["id"], "hostname": "nas", "pool_name": "empty", "status": "", "health": "ONLINE", "size_bytes": 0,
        "allocated_bytes": 0, "free_bytes": 0, "fragmentation": 0, "capacity_pct": 0, "dedup_ratio": 0.0, "compress_ratio": 0.0,
        "read_errors": 0, "write_errors": 0, "checksum_errors": 0, "scan_progress": 0.0, "scan_errors": 0, "last_scan_time": NEVER,
        "last_seen": seen, "created_at": NEVER, "device_count": 0, "days_since_last_scrub": -1 });
    assert_eq!(pools[0], empty, "what is not told is left out, 0 or the year 1");

    let devices = of(&mut admin, "pools/nas/tank/devices").await;
    let told: Vec<Value> = devices
        .as_array()
        .unwrap()
        .iter()
        .map(|d| {
            json!([
                d["device_name"],
                d["vdev_type"],
                d["vdev_parent"],
                d["vdev_index"],
                d["state"],
                d["read_errors"],
                d["is_spare"]
            ])
        })
        .collect();
    assert_eq!(
        json!(told),
        json!([
            ["mirror-0", "mirror", null, 0, "DEGRADED", 0, false],
            ["sda", "disk", "mirror-0", 1, "ONLINE", 0, false],
            ["sdb", "disk", "mirror-0", 2, "FAULTED", 2, false],
            ["sdc", "disk", null, 3, "AVAIL", 0, true]
        ])
    );
    assert_eq!(devices[2]["pool_id"], id);
    assert_eq!(whole["devices"], devices);
    assert_eq!(of(&mut admin, "devices").await, devices);
    let found = of(&mut admin, "devices/serial/nas/WD2").await;
    assert_eq!(
        (&found["device"], &found["pool"]),
        (&devices[2], &whole["pool"]),
        "however the serial is written"
    );
    assert_eq!(
        of(&mut admin, "drive/nas/WD-2").await,
        json!({ "in_zfs_pool": true, "hostname": "nas", "serial": "WD-2", "pool_name": "tank", "device_name": "sdb", "vdev_type": "disk",
            "device_state": "FAULTED", "read_errors": 2, "write_errors": 4, "checksum_errors": 0, "pool_health": "DEGRADED", "pool_status": "DEGRADED" })
    );
    assert_eq!(of(&mut admin, "drive/nas/WD-9").await["in_zfs_pool"], false);
    for nobody in ["devices/serial/nas/--", "devices/serial/other/WD-1"] {
        assert_eq!(
            admin.get(&format!("/api/zfs/{nobody}")).await.problem(),
            "device-unknown",
            "{nobody}"
        );
    }

    let scans = of(&mut admin, "pools/nas/tank/scrubs").await;
    let scan = json!({ "id": scans[0]["id"], "pool_id": id, "hostname": "nas", "pool_name": "tank", "scan_type": "scrub", "state": "finished",
        "start_time": "2026-01-02T03:04:05Z", "end_time": "2026-01-02T04:04:05Z", "duration_secs": 3600, "data_examined": 100, "data_total": 100,
        "errors_found": 1, "bytes_repaired": 7, "blocks_repaired": 0, "progress_pct": 100.0, "rate_bytes_sec": 5, "created_at": NEVER });
    assert_eq!(scans, json!([scan]));
    assert_eq!(whole["scrub_history"], scans);
    assert_eq!(of(&mut admin, "pools/nas/tank/scrubs/last").await, scan);
    assert_eq!(of(&mut admin, "scrubs").await, scans);
    assert_eq!(of(&mut admin, "pools/nas/empty/scrubs").await, json!([]));
    assert!(of(&mut admin, "pools/nas/empty/scrubs/last").await["message"].is_string());

    let datasets = of(&mut admin, "datasets?hostname=nas").await;
    let names: Vec<&Value> = datasets
        .as_array()
        .unwrap()
        .iter()
        .map(|d| &d["dataset_name"])
        .collect();
    assert_eq!(
        json!(names),
        json!(["tank", "tank/media"]),
        "those of a pool that is not told of are nobody's"
    );
    assert_eq!(datasets[1]["mountpoint"], "/tank/media");
    assert_eq!(whole["datasets"], datasets);
    assert_eq!(of(&mut admin, "datasets?hostname=other").await, json!([]));

    assert_eq!(
        of(&mut admin, "summary").await,
        json!({ "hostname": "all", "total_pools": 2, "healthy_pools": 1, "degraded_pools": 1, "faulted_pools": 0,
            "total_size_bytes": 7_988_639_170_560_u64, "total_used_bytes": 3_806_516_764_672_u64, "total_free_bytes": 4_182_122_405_888_u64,
            "total_errors": 6, "active_scrubs": 0 })
    );
    let health = of(&mut admin, "health?hostname=nas").await;
    assert_eq!(
        (&health["total_pools"], &health["needs_attention"]),
        (&json!(2), &json!(1))
    );
    let pool = &health["pools"][0];
    assert_eq!(
        (
            &pool["pool_name"],
            &pool["capacity"],
            &pool["total_errors"],
            pool["issues"].as_array().unwrap().len()
        ),
        (&json!("tank"), &json!(83), &json!(6), 4),
        "{pool}"
    );
}

#[tokio::test]
async fn a_pool_that_is_taken_away_is_forgotten_until_it_is_told_again() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let mut nas = with_zfs(&made, &mut admin, "nas", ill()).await;
    let stranger = made.client().delete("/api/zfs/pools/nas/tank").await;
    assert_eq!(stranger.problem(), "not-logged-in");
    let gone = admin.delete("/api/zfs/pools/nas/tank").await;
    assert_eq!(
        gone.json(),
        json!({ "status": "deleted", "pool": "tank", "hostname": "nas" })
    );
    assert_eq!(admin.delete("/api/zfs/pools/nas/tank").await.problem(), "pool-unknown");
    let left = admin.get("/api/zfs/pools").await.json();
    assert_eq!(
        (left.as_array().unwrap().len(), &left[0]["pool_name"]),
        (1, &json!("empty"))
    );
    assert_eq!(admin.get("/api/zfs/datasets").await.json(), json!([]));
    let events = admin.get("/api/v1/events").await.text;
    assert!(events.contains("host.pool_removed"), "{events}");
    let body = json!({ "hostname": "nas", "drives": [], "zfs": ill() });
    assert_eq!(nas.client.post("/api/report", &body).await.status, 200);
    assert_eq!(admin.get("/api/zfs/pools").await.json().as_array().unwrap().len(), 2);
}

/// Rules, and dashboards that exist, say these names, and the page offers them.
#[tokio::test]
async fn a_rule_by_the_name_of_a_pools_trouble_is_for_it_and_for_no_other() {
    let pool = |name: &str, health: &str, used: u64, errors: u64, found: u64| json!({ "name": name, "health": health, "capacity_pct": used, "read_errors": errors, "scan": { "errors_found": found } });
    let pools = json!({ "zfs_available": true, "pools": [
        pool("worn", "DEGRADED", 10, 0, 0), pool("dead", "FAULTED", 10, 0, 0), pool("wide", "ONLINE", 92, 0, 0),
        pool("full", "ONLINE", 99, 0, 0), pool("torn", "ONLINE", 10, 3, 0), pool("scrubbed", "ONLINE", 10, 0, 5)] });
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    with_zfs(&made, &mut admin, "nas", pools).await;
    let events: Vec<Event> = serde_json::from_value(admin.get("/api/v1/events?limit=1000").await.json()).unwrap();
    let told = events.iter().filter(|event| event.kind == "drive.alert").map(|event| {
        let name = event.data["event_type"].as_str().unwrap();
        let listed = KINDS.iter().find(|kind| kind.name == name).unwrap();
        assert_eq!(kinds::label(&event.kind, &event.data), listed.label);
        assert_eq!(kinds::names(event), ["drive.alert", name]);
        (event.data["pool"].as_str().unwrap(), name)
    });
    let told: BTreeMap<_, _> = told.collect();
    let want = [
        ("dead", "zfs_pool_faulted"),
        ("full", "zfs_capacity_critical"),
        ("scrubbed", "zfs_vdev_errors"),
        ("torn", "zfs_vdev_errors"),
        ("wide", "zfs_capacity_warning"),
        ("worn", "zfs_pool_degraded"),
    ];
    assert_eq!(told, BTreeMap::from(want));
}

/// Whatever an agent writes there is answered, never a panic.
#[tokio::test]
async fn nonsense_in_a_report_is_answered_as_nothing() {
    let made = Box_::claimed().await;
    let mut admin = made.admin().await;
    let wild = json!({ "pools": [7, { "name": 7 }, { "name": "" }, { "name": "a\nb", "size_bytes": -1e300, "dedup_ratio": "x", "read_errors": u64::MAX,
        "scan": { "function": "scrub", "start_time": "9999-99-99" }, "devices": [1, { "children": [[], { "name": "d" }] }] }], "datasets": [1, {}, { "name": "ab/c" }] });
    let _nas = with_zfs(&made, &mut admin, "nas", wild).await;
    for path in [
        "pools",
        "devices",
        "datasets",
        "scrubs",
        "summary",
        "health",
        "pools/nas/ab",
        "pools/nas/ab/scrubs/last",
    ] {
        let answer = admin.get(&format!("/api/zfs/{path}")).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
    assert_eq!(admin.get("/api/zfs/pools").await.json()[0]["pool_name"], "ab");
    assert_eq!(admin.delete("/api/zfs/pools/nas/ab").await.status, 200);
    assert_eq!(admin.get("/api/zfs/pools").await.json(), json!([]));
}
