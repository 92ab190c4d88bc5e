//! The life of the box: backup and restore, update, reset, power, and what helpers are given.
//!
//! ```text
//!  backup ─► a file ─► arriving ─► restore ─► the next start
//!  backups: the same by the paths of Vigil clients, with the files kept here
//! ```

mod arriving;
mod aside;
mod backup;
mod backups;
mod contents;
mod debug;
mod end;
mod file;
mod refused;
mod restore;
mod update;

use crate::http::doc::routes::{Routes, routes};

pub(super) use restore::may_start;

/// Those below `/api/v1`.
pub(super) fn v1() -> Routes {
    Routes::default()
        .routes(routes!(end::power_off))
        .routes(routes!(backup::make))
        .routes(routes!(restore::bring, restore::restore))
        .routes(routes!(end::reset))
        .routes(routes!(debug::debug_bundle))
        .routes(routes!(contents::sbom))
        .routes(routes!(update::state, update::take, update::give_up))
        .routes(routes!(update::begin))
        .routes(routes!(update::chunk))
        .routes(routes!(update::finish))
        .routes(routes!(update::reboot))
        .routes(routes!(update::back))
        .routes(routes!(aside::list, aside::remove))
}

/// Those on the paths of existing Vigil clients.
pub(super) fn vigil() -> Routes {
    Routes::default()
        .routes(routes!(backups::list))
        .routes(routes!(backups::make))
        .routes(routes!(backups::remove))
        .routes(routes!(backups::download))
        .routes(routes!(backups::restore))
        .routes(routes!(backups::restore_brought))
}
