//! ZFS of the hosts that report, on the paths of existing Vigil clients: what each host's last report tells, nothing older.

use std::sync::Arc;

use axum::Json as Answered;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use health::reading::plain_serial;
use health::tables::Host;
use serde::Deserialize;
use serde_json::json;
use wire::event::{NewEvent, Severity};

use crate::app::App;
use crate::http::Refusal;
use crate::http::doc::{LoggedIn, Stored};
use crate::http::people::person::Person;
use crate::http::told::zfs::read::{Told, datasets as datasets_of, pools as pools_of};
use crate::http::told::zfs::{
    ZfsDataset, ZfsDevice, ZfsDeviceFound, ZfsDriveInfo, ZfsHealth, ZfsLastScan, ZfsPoolDeleted, ZfsPoolListed,
    ZfsPoolWhole, ZfsScan, ZfsSummary,
};

/// Which host is meant.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct OfHost {
    /// Host name; all hosts where it is not said.
    pub hostname: Option<String>,
}

/// The query, as axum reads it.
pub(super) type Asked = Result<Query<OfHost>, QueryRejection>;

fn of(asked: Asked) -> Result<OfHost, Refusal> {
    let Query(of) = asked.map_err(|error| Refusal::bad_query(error.body_text()))?;
    Ok(of)
}

/// The hosts that are meant, by name.
fn hosts(app: &App, of: &OfHost) -> store::Result<Vec<Host>> {
    let mut hosts = app.fleet.book.hosts()?;
    hosts.retain(|host| {
        of.hostname
            .as_ref()
            .is_none_or(|name| name.is_empty() || *name == host.hostname)
    });
    hosts.sort_by(|a, b| a.hostname.cmp(&b.hostname));
    Ok(hosts)
}

fn host(app: &App, name: &str) -> store::Result<Option<Host>> {
    Ok(app.fleet.book.hosts()?.into_iter().find(|host| host.hostname == name))
}

fn unknown() -> Refusal {
    Refusal::new("pool-unknown", 404, "There is no such pool")
        .with("GET /api/zfs/pools lists what the hosts' last reports tell")
}

/// Answers from a pool of a host.
fn with<T>(
    app: &App,
    (hostname, poolname): &(String, String),
    answer: impl FnOnce(Told<'_>) -> T,
) -> Result<Answered<T>, Refusal> {
    let host = host(app, hostname)?.ok_or_else(unknown)?;
    let pool = pools_of(&host)
        .into_iter()
        .find(|told| told.pool.pool_name == *poolname);
    pool.map(|told| Answered(answer(told))).ok_or_else(unknown)
}

/// The device of a host with this serial number, and its pool.
fn by_serial(app: &App, hostname: &str, serial: &str) -> Result<Option<ZfsDeviceFound>, Refusal> {
    let Some(host) = host(app, hostname)? else {
        return Ok(None);
    };
    let wanted = plain_serial(serial);
    let found = pools_of(&host).into_iter().find_map(|told| {
        let mut devices = told.devices().into_iter();
        let device = devices.find(|device| !wanted.is_empty() && plain_serial(&device.serial_number) == wanted)?;
        Some(ZfsDeviceFound {
            device,
            pool: told.pool,
        })
    });
    Ok(found)
}

/// The pools of all hosts, or of one.
#[utoipa::path(get, path = "/api/zfs/pools", operation_id = "zfs_pools", tag = "hosts", params(OfHost),
    responses((status = 200, body = Vec<ZfsPoolListed>), LoggedIn, Stored, (status = 400, description = "`bad-query`")))]
pub(super) async fn pools(
    State(app): State<Arc<App>>,
    _: Person,
    asked: Asked,
) -> Result<Answered<Vec<ZfsPoolListed>>, Refusal> {
    let (hosts, now) = (hosts(&app, &of(asked)?)?, app.clock.now().wall);
    Ok(Answered(
        hosts.iter().flat_map(pools_of).map(|told| told.listed(now)).collect(),
    ))
}

/// A pool with its devices, its datasets and its newest scan.
#[utoipa::path(get, path = "/api/zfs/pools/{hostname}/{poolname}", operation_id = "zfs_pool", tag = "hosts", params(("hostname" = String, Path, description = "Host name"), ("poolname" = String, Path, description = "Its name")),
    responses((status = 200, body = ZfsPoolWhole), LoggedIn, Stored, (status = 404, description = "`pool-unknown`")))]
pub(super) async fn pool(
    State(app): State<Arc<App>>,
    _: Person,
    Path(names): Path<(String, String)>,
) -> Result<Answered<ZfsPoolWhole>, Refusal> {
    let now = app.clock.now().wall;
    with(&app, &names, |told| told.whole(now))
}

/// Takes a pool out of what its host's last report told. Does nothing to the pool: a later report may tell it again.
#[utoipa::path(delete, path = "/api/zfs/pools/{hostname}/{poolname}", operation_id = "zfs_pool_remove", tag = "hosts", params(("hostname" = String, Path, description = "Host name"), ("poolname" = String, Path, description = "Its name")),
    responses((status = 200, body = ZfsPoolDeleted), LoggedIn, Stored, (status = 404, description = "`pool-unknown`")))]
pub(super) async fn drop_pool(
    State(app): State<Arc<App>>,
    person: Person,
    Path((hostname, poolname)): Path<(String, String)>,
) -> Result<Answered<ZfsPoolDeleted>, Refusal> {
    // A name that no host can have is none of the medium's business.
    if health::report::check_host(&hostname).is_err()
        || !app.fleet.book.drop_pool(hostname.clone(), poolname.clone()).await?
    {
        return Err(unknown());
    }
    let message = format!(
        "{} took away what host {hostname} told of its ZFS pool {poolname}",
        person.name
    );
    app.record_done(
        NewEvent::new(
            "host.pool_removed",
            Severity::Info,
            message,
            json!({ "hostname": hostname, "pool": poolname }),
        ),
        &person.name,
    )
    .await;
    Ok(Answered(ZfsPoolDeleted {
        status: "deleted",
        pool: poolname,
        hostname,
    }))
}

/// A pool's devices.
#[utoipa::path(get, path = "/api/zfs/pools/{hostname}/{poolname}/devices", operation_id = "zfs_pool_devices", tag = "hosts", params(("hostname" = String, Path, description = "Host name"), ("poolname" = String, Path, description = "Its name")),
    responses((status = 200, body = Vec<ZfsDevice>), LoggedIn, Stored, (status = 404, description = "`pool-unknown`")))]
pub(super) async fn pool_devices(
    State(app): State<Arc<App>>,
    _: Person,
    Path(names): Path<(String, String)>,
) -> Result<Answered<Vec<ZfsDevice>>, Refusal> {
    with(&app, &names, |told| told.devices())
}

/// A pool's scans: the one that the last report tells, or none.
#[utoipa::path(get, path = "/api/zfs/pools/{hostname}/{poolname}/scrubs", operation_id = "zfs_pool_scrubs", tag = "hosts", params(("hostname" = String, Path, description = "Host name"), ("poolname" = String, Path, description = "Its name")),
    responses((status = 200, body = Vec<ZfsScan>), LoggedIn, Stored, (status = 404, description = "`pool-unknown`")))]
pub(super) async fn pool_scrubs(
    State(app): State<Arc<App>>,
    _: Person,
    Path(names): Path<(String, String)>,
) -> Result<Answered<Vec<ZfsScan>>, Refusal> {
    with(&app, &names, |told| told.scan().into_iter().collect())
}

/// A pool's newest scan.
#[utoipa::path(get, path = "/api/zfs/pools/{hostname}/{poolname}/scrubs/last", operation_id = "zfs_pool_last_scrub", tag = "hosts", params(("hostname" = String, Path, description = "Host name"), ("poolname" = String, Path, description = "Its name")),
    responses((status = 200, body = ZfsLastScan), LoggedIn, Stored, (status = 404, description = "`pool-unknown`")))]
pub(super) async fn pool_last_scrub(
    State(app): State<Arc<App>>,
    _: Person,
    Path(names): Path<(String, String)>,
) -> Result<Answered<ZfsLastScan>, Refusal> {
    with(&app, &names, |told| match told.scan() {
        Some(scan) => ZfsLastScan::Scan(Box::new(scan)),
        None => ZfsLastScan::None {
            message: "No scan of this pool is known",
        },
    })
}

/// The devices of all pools.
#[utoipa::path(get, path = "/api/zfs/devices", operation_id = "zfs_devices", tag = "hosts", params(OfHost),
    responses((status = 200, body = Vec<ZfsDevice>), LoggedIn, Stored, (status = 400, description = "`bad-query`")))]
pub(super) async fn devices(
    State(app): State<Arc<App>>,
    _: Person,
    asked: Asked,
) -> Result<Answered<Vec<ZfsDevice>>, Refusal> {
    let hosts = hosts(&app, &of(asked)?)?;
    Ok(Answered(
        hosts
            .iter()
            .flat_map(pools_of)
            .flat_map(|told| told.devices())
            .collect(),
    ))
}

/// The device with a serial number, and its pool.
#[utoipa::path(get, path = "/api/zfs/devices/serial/{hostname}/{serial}", operation_id = "zfs_device", tag = "hosts", params(("hostname" = String, Path, description = "Host name"), ("serial" = String, Path, description = "Serial number; blanks, signs and case do not matter")),
    responses((status = 200, body = ZfsDeviceFound), LoggedIn, Stored, (status = 404, description = "`device-unknown`")))]
pub(super) async fn device(
    State(app): State<Arc<App>>,
    _: Person,
    Path((hostname, serial)): Path<(String, String)>,
) -> Result<Answered<ZfsDeviceFound>, Refusal> {
    let found = by_serial(&app, &hostname, &serial)?;
    found
        .map(Answered)
        .ok_or_else(|| Refusal::new("device-unknown", 404, "No pool of this host has such a device"))
}

/// The file systems and volumes of all pools.
#[utoipa::path(get, path = "/api/zfs/datasets", operation_id = "zfs_datasets", tag = "hosts", params(OfHost),
    responses((status = 200, body = Vec<ZfsDataset>), LoggedIn, Stored, (status = 400, description = "`bad-query`")))]
pub(super) async fn datasets(
    State(app): State<Arc<App>>,
    _: Person,
    asked: Asked,
) -> Result<Answered<Vec<ZfsDataset>>, Refusal> {
    let hosts = hosts(&app, &of(asked)?)?;
    Ok(Answered(hosts.iter().flat_map(datasets_of).collect()))
}

/// The newest scan of each pool that has had one, the newest first.
#[utoipa::path(get, path = "/api/zfs/scrubs", operation_id = "zfs_scrubs", tag = "hosts", params(OfHost),
    responses((status = 200, body = Vec<ZfsScan>), LoggedIn, Stored, (status = 400, description = "`bad-query`")))]
pub(super) async fn scrubs(
    State(app): State<Arc<App>>,
    _: Person,
    asked: Asked,
) -> Result<Answered<Vec<ZfsScan>>, Refusal> {
    let hosts = hosts(&app, &of(asked)?)?;
    let mut scans: Vec<ZfsScan> = hosts.iter().flat_map(pools_of).filter_map(|told| told.scan()).collect();
    scans.sort_by_key(|scan| std::cmp::Reverse(scan.start_time));
    Ok(Answered(scans))
}

/// Numbers of all pools, or of those of one host.
#[utoipa::path(get, path = "/api/zfs/summary", operation_id = "zfs_summary", tag = "hosts", params(OfHost),
    responses((status = 200, body = ZfsSummary), LoggedIn, Stored, (status = 400, description = "`bad-query`")))]
pub(super) async fn summary(
    State(app): State<Arc<App>>,
    _: Person,
    asked: Asked,
) -> Result<Answered<ZfsSummary>, Refusal> {
    let of = of(asked)?;
    let hosts = hosts(&app, &of)?;
    let pools: Vec<Told<'_>> = hosts.iter().flat_map(pools_of).collect();
    let name = of.hostname.as_deref().filter(|name| !name.is_empty()).unwrap_or("all");
    Ok(Answered(ZfsSummary::of(name, pools.iter().map(|told| &told.pool))))
}

/// The pools that want somebody to look.
#[utoipa::path(get, path = "/api/zfs/health", operation_id = "zfs_health", tag = "hosts", params(OfHost),
    responses((status = 200, body = ZfsHealth), LoggedIn, Stored, (status = 400, description = "`bad-query`")))]
pub(super) async fn health(
    State(app): State<Arc<App>>,
    _: Person,
    asked: Asked,
) -> Result<Answered<ZfsHealth>, Refusal> {
    let hosts = hosts(&app, &of(asked)?)?;
    let all: Vec<Told<'_>> = hosts.iter().flat_map(pools_of).collect();
    let pools: Vec<_> = all.iter().filter_map(|told| told.pool.trouble()).collect();
    Ok(Answered(ZfsHealth {
        total_pools: all.len(),
        needs_attention: pools.len(),
        pools,
    }))
}

/// Whether a drive is in a pool.
#[utoipa::path(get, path = "/api/zfs/drive/{hostname}/{serial}", operation_id = "zfs_drive", tag = "hosts", params(("hostname" = String, Path, description = "Host name"), ("serial" = String, Path, description = "Serial number; blanks, signs and case do not matter")),
    responses((status = 200, body = ZfsDriveInfo), LoggedIn, Stored))]
pub(super) async fn drive(
    State(app): State<Arc<App>>,
    _: Person,
    Path((hostname, serial)): Path<(String, String)>,
) -> Result<Answered<ZfsDriveInfo>, Refusal> {
    let none = ZfsDriveInfo {
        hostname: hostname.clone(),
        serial: serial.clone(),
        ..ZfsDriveInfo::default()
    };
    let Some(ZfsDeviceFound { device, pool }) = by_serial(&app, &hostname, &serial)? else {
        return Ok(Answered(none));
    };
    Ok(Answered(ZfsDriveInfo {
        in_zfs_pool: true,
        pool_name: Some(device.pool_name),
        device_name: Some(device.device_name),
        vdev_type: Some(device.vdev_type),
        device_state: Some(device.state),
        read_errors: Some(device.read_errors),
        write_errors: Some(device.write_errors),
        checksum_errors: Some(device.checksum_errors),
        pool_health: Some(pool.health),
        pool_status: Some(pool.status),
        ..none
    }))
}
