//! Burn-in: drives, playbooks, the two gates, jobs, and the certificates that they end in.
//!
//! ```text
//!  drives + playbooks ─► plans (plan, arm, start) ─► jobs ─► certificates
//! ```

mod acknowledge;
mod answer;
mod certificates;
mod drives;
mod jobs;
mod plans;
mod playbooks;

use crate::http::doc::routes::{Routes, routes};

/// Those below `/api/v1`.
pub(super) fn v1() -> Routes {
    Routes::default()
        .routes(routes!(drives::drives))
        .routes(routes!(drives::locate))
        .routes(routes!(drives::name_bay))
        .routes(routes!(drives::scan))
        .routes(routes!(jobs::jobs))
        .routes(routes!(jobs::job))
        .routes(routes!(jobs::job_log))
        .routes(routes!(jobs::job_progress))
        .routes(routes!(jobs::job_timeline))
        .routes(routes!(jobs::abort))
        .routes(routes!(jobs::pause))
        .routes(routes!(jobs::resume))
        .routes(routes!(acknowledge::acknowledge, acknowledge::unacknowledge))
        .routes(routes!(certificates::json))
        .routes(routes!(certificates::html))
        .routes(routes!(certificates::pdf))
        .routes(routes!(certificates::list))
        .routes(routes!(certificates::check))
        .routes(routes!(playbooks::playbooks))
        .routes(routes!(playbooks::save, playbooks::forget))
        .routes(routes!(plans::plan))
        .routes(routes!(plans::arm))
        .routes(routes!(plans::start))
}
