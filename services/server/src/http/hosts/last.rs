//! The last report of each host, as it came.

use std::sync::Arc;

use axum::Json as Answered;
use axum::extract::State;
use health::tables::{Drive, Host};
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};

use super::fleet::known;
use super::smart::Of;
use crate::app::App;
use crate::http::Refusal;
use crate::http::doc::{LoggedIn, Stored};
use crate::http::people::person::Person;
use crate::http::task::blocking;
use crate::http::told::vigil::HostReported;

/// Most bytes of whole reports in one answer: those of 30 hosts with twenty drives each. The hosts after them are told with what
/// is known of their drives.
const WHOLE_MAX: usize = 16 << 20;

/// A report as it would have come, with what is known of the drives that are there.
fn made(host: &Host, drives: &[Drive]) -> Option<Box<RawValue>> {
    let here = drives
        .iter()
        .filter(|drive| drive.hostname == host.hostname && drive.present);
    let documents: Vec<serde_json::Value> = here.map(|drive| health::document(&drive.reading)).collect();
    to_raw_value(&json!({
        "hostname": host.hostname, "timestamp": host.last_report, "agent_version": host.agent_version,
        "capabilities": { "led_identify": host.led_identify }, "drives": documents,
    }))
    .ok()
}

/// The reports of all hosts.
fn all(app: &App) -> store::Result<Vec<HostReported>> {
    let drives = Of::default().drives(app)?;
    let mut room = WHOLE_MAX;
    let mut reports = Vec::new();
    for host in known(app)? {
        let whole = match room {
            0 => None,
            _ => app.fleet.book.last(&host.hostname)?,
        };
        let whole = whole
            .filter(|text| text.len() <= room)
            .and_then(|text| RawValue::from_string(text).ok());
        room = room.saturating_sub(whole.as_ref().map_or(0, |whole| whole.get().len()));
        if let Some(details) = whole.or_else(|| made(&host, &drives)) {
            reports.push(HostReported::of(&host, details));
        }
    }
    Ok(reports)
}

/// The last report of each host with its whole `smartctl` documents, as existing dashboards read them.
#[utoipa::path(get, path = "/api/history", operation_id = "hosts_last", tag = "hosts", responses((status = 200, body = Vec<HostReported>), LoggedIn, Stored))]
pub(super) async fn reports(State(app): State<Arc<App>>, _: Person) -> Result<Answered<Vec<HostReported>>, Refusal> {
    // To unpack megabytes takes longer than a request may hold a thread.
    Ok(Answered(blocking(move || all(&app)).await??))
}
