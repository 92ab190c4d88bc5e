//! Hosts whose agents report: enrolment and reports, and what is read of them, on the paths of Vigil.
//!
//! ```text
//!  agents (register, report) ─► (crate::fleet) ─► fleet, last, smart, stats, wearout, zfs; groups and settings beside them
//! ```

mod agents;
mod fleet;
mod groups;
mod identify;
mod last;
mod settings;
mod smart;
mod stats;
mod wearout;
mod zfs;

use crate::http::doc::routes::{Routes, routes};

/// Those on the paths of existing Vigil clients.
pub(super) fn vigil() -> Routes {
    Routes::default()
        .routes(routes!(groups::list, groups::make))
        .routes(routes!(groups::assignments))
        .routes(routes!(groups::show, groups::change, groups::remove))
        .routes(routes!(groups::assign))
        .routes(routes!(groups::unassign))
        .routes(routes!(agents::register))
        .routes(routes!(agents::authenticate))
        .routes(routes!(agents::pubkey))
        .routes(routes!(agents::report))
        .routes(routes!(agents::agents))
        .routes(routes!(agents::drop_agent))
        .routes(routes!(agents::blink))
        .routes(routes!(agents::tokens, agents::new_token))
        .routes(routes!(agents::drop_token))
        .routes(routes!(fleet::rows))
        .routes(routes!(fleet::hosts))
        .routes(routes!(fleet::drop_host))
        .routes(routes!(fleet::drop_drive))
        .routes(routes!(last::reports))
        .routes(routes!(fleet::history))
        .routes(routes!(fleet::score))
        .routes(routes!(fleet::health_page))
        .routes(routes!(stats::stats))
        .routes(routes!(fleet::version))
        .routes(routes!(fleet::version_check))
        .routes(routes!(fleet::auth_status))
        .routes(routes!(fleet::aliases, fleet::name))
        .routes(routes!(fleet::active))
        .routes(routes!(settings::interval, settings::set_interval))
        .routes(routes!(settings::of_category))
        .routes(routes!(settings::set))
        .routes(routes!(zfs::pools))
        .routes(routes!(zfs::pool, zfs::drop_pool))
        .routes(routes!(zfs::pool_devices))
        .routes(routes!(zfs::pool_scrubs))
        .routes(routes!(zfs::pool_last_scrub))
        .routes(routes!(zfs::devices))
        .routes(routes!(zfs::device))
        .routes(routes!(zfs::datasets))
        .routes(routes!(zfs::scrubs))
        .routes(routes!(zfs::summary))
        .routes(routes!(zfs::health))
        .routes(routes!(zfs::drive))
        .routes(routes!(smart::attributes))
        .routes(routes!(smart::history))
        .routes(routes!(smart::trends))
        .routes(routes!(smart::critical))
        .routes(routes!(smart::summary))
        .routes(routes!(smart::health_all))
        .routes(routes!(smart::issues))
        .routes(routes!(smart::temperature))
        .routes(routes!(smart::cleanup))
        .routes(routes!(wearout::drive))
        .routes(routes!(wearout::all))
        .routes(routes!(wearout::history))
        .routes(routes!(wearout::trend))
        .routes(routes!(wearout::specs, wearout::put_spec, wearout::drop_spec))
}
