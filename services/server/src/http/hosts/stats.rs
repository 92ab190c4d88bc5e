//! Numbers of everything that is kept of hosts, and of what is taken in and told.

use std::sync::Arc;

use axum::Json as Answered;
use axum::extract::State;
use notify::engine::Status;

use super::smart::Of;
use crate::app::App;
use crate::fleet::Counted;
use crate::http::Refusal;
use crate::http::doc::{LoggedIn, Stored};
use crate::http::people::person::Person;
use crate::http::told::drive::HealthTotals;
use crate::http::told::smart::HostStats;
use crate::http::told::vigil::{Counters, ReportTimes};

/// The times of reports, from the shortest to the longest, in milliseconds.
fn times(took: &[f64]) -> ReportTimes {
    let ([min, ..], [.., max]) = (took, took) else {
        return ReportTimes::default();
    };
    let rank = (took.len() * 95).div_ceil(100).saturating_sub(1);
    ReportTimes {
        avg: took.iter().sum::<f64>() / took.len() as f64,
        max: *max,
        min: *min,
        p95: took.get(rank).copied().unwrap_or(*max),
        samples: took.len(),
    }
}

/// Numbers of everything that is kept of hosts.
#[utoipa::path(get, path = "/api/stats", operation_id = "stats", tag = "hosts", responses((status = 200, body = HostStats), LoggedIn, Stored))]
pub(super) async fn stats(State(app): State<Arc<App>>, _: Person) -> Result<Answered<HostStats>, Refusal> {
    let (hosts, drives) = (app.fleet.book.hosts()?, Of::default().drives(&app)?);
    let active: usize = drives
        .iter()
        .map(|d| d.alerts.len())
        .chain(hosts.iter().map(|h| h.alerts.len()))
        .sum();
    Ok(Answered(HostStats {
        totals: HealthTotals::of(&drives),
        hosts: hosts.len(),
        reports: hosts.iter().map(|host| host.reports).sum(),
        alerts: active,
        agents: app.fleet.book.agents()?.len(),
        addons: app.addons.list().len(),
        uptime_seconds: app.clock.now().mono.as_secs(),
        counters: counters(&app).await?,
    }))
}

async fn counters(app: &App) -> Result<Counters, Refusal> {
    let lines = app.alerts.engine.history(None, usize::MAX)?;
    let told = |status: Status| lines.iter().filter(|line| line.status == status).count();
    let Counted {
        under_way,
        taken,
        dropped,
        took_ms,
    } = app.fleet.intake.counted();
    Ok(Counters {
        active_agents: app.fleet.book.agents()?.len(),
        db_size_bytes: tokio::fs::metadata(app.store.path()).await.map_or(0, |file| file.len()),
        notifications_failed_total: told(Status::Failed),
        notifications_sent_total: told(Status::Sent),
        report_processing_ms: times(&took_ms),
        report_queue_depth: under_way,
        reports_dropped_total: dropped,
        reports_processed_total: taken,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "tests")]
    use super::*;

    #[test]
    fn ninety_five_of_a_hundred_are_not_longer() {
        let took: Vec<f64> = (1..=100).map(f64::from).collect();
        let told = times(&took);
        assert_eq!(
            (told.min, told.max, told.avg, told.p95, told.samples),
            (1.0, 100.0, 50.5, 95.0, 100)
        );
        assert_eq!(times(&[7.0]).p95, 7.0);
        assert_eq!(times(&[]), ReportTimes::default());
    }
}
