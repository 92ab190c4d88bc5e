//! The scan of its surface that a SCSI drive makes by itself, from smartctl's JSON.
//!
//! Source: SBC-4 §6.4.2 (background scan log page); smartmontools `scsiprint.cpp`, `scsiPrintBackgroundResults`.

use serde_json::Value;

use crate::parse::{number, text};
use crate::snapshot::BackgroundScan;

/// Most results that smartctl tells. Source: SBC-4, parameter codes 1 to 800h.
const RESULTS_MAX: usize = 2048;

/// What a document tells of it; `None` where it tells no state.
pub(crate) fn of(json: &Value) -> Option<BackgroundScan> {
    let log = json["scsi_background_scan"].as_object()?;
    let status = log.get("status")?;
    let results = log.iter().filter(|(key, _)| key.starts_with("result_"));
    let results: Vec<&Value> = results.map(|(_, result)| result).take(RESULTS_MAX).collect();
    let count = |is: fn(&Value) -> bool| results.iter().filter(|result| is(result)).count() as u64;
    Some(BackgroundScan {
        status: number(&status["value"]).and_then(|value| u8::try_from(value).ok())?,
        text: text(&status["string"]).unwrap_or_default(),
        // 3: medium error.
        errors: count(|result| result["sense_key"]["value"] == 3),
        // 4 by the drive, 8 by the host.
        not_reassigned: count(|result| matches!(result["reassign_status"]["value"].as_u64(), Some(4 | 8))),
    })
}
