//! Rows of the built-in agent's own pages, with the keys that its manifest names (`services/agent/src/vigil/manifest.rs`). Pure.
//!
//! The agent tells this box drives and jobs whole, and answers under those keys to other servers alone: what the box knows, after a
//! restart as well, is put into them here.

use serde_json::{Value, json};
use wire::drive::Drive;
use wire::job::Job;

/// A drive, for the source `agent_drives`.
pub(super) fn drive(drive: &Drive) -> Value {
    json!({
        "id": drive.id, "model": drive.model, "serial": drive.serial, "capacity_bytes": drive.capacity, "transport": drive.bus.transport(),
        "temperature": drive.temperature, "content": drive.content.words(),
        "refused": drive.refused.as_ref().map_or("", |refused| refused.reason.as_str()),
        "path": format!("/dev/{}", drive.kernel_name),
    })
}

/// A job that ended, for the source `job_history`.
pub(super) fn job(job: &Job) -> Value {
    let verdict = job.verdict.as_ref();
    let elapsed = job
        .ended
        .map(|ended| (ended.as_second() - job.started.as_second()).max(0));
    json!({
        "job_id": job.id, "model": job.model, "serial": job.serial, "started_at": job.started, "elapsed": elapsed,
        "verdict": verdict.map_or("", |verdict| verdict.outcome.word()),
        "summary": verdict.map_or("", |verdict| verdict.summary.as_str()),
    })
}
