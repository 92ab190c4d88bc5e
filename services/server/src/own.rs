//! SMART of the box's own drives: what the built-in agent read of them goes into the same book as the reports of other
//! computers, so that histories, trends, wear, scores and alerts are the same for both.

use health::{Book, Own, THIS_BOX, alert};
use serde::Deserialize;
use serde_json::Value;
use wire::{DriveId, Time};

use crate::app::App;
use crate::hub::{HeatLimits, Input};

/// Type of the agent's frame.
pub const KIND: &str = "smart_report";

/// Payload of the frame.
#[derive(Debug, Deserialize)]
struct Report {
    drive: DriveId,
    at: Time,
    document: Value,
}

/// How hot the box's own drives may be, as their newest SMART in the book has it.
///
/// # Errors
/// The medium.
pub fn heat_limits(book: &Book) -> store::Result<HeatLimits> {
    let mut limits = HeatLimits::default();
    for drive in book.drives(|drive| drive.hostname == THIS_BOX)? {
        limits.note(&drive.reading.serial, alert::limit(&drive.reading));
    }
    Ok(limits)
}

impl App {
    /// Takes a reading from the agent's frame; what cannot be taken is told in the log.
    pub async fn take_own_drive(&self, payload: &str) {
        let report: Report = match serde_json::from_str(payload) {
            Ok(report) => report,
            Err(error) => return tracing::warn!(%error, "the agent's SMART report could not be read"),
        };
        let drive = report.drive.clone();
        let reading = match health::read(&report.document) {
            Ok(reading) => reading,
            Err(why) => return tracing::warn!(%drive, %why, "a drive's SMART stands in no history"),
        };
        let present = self.hub(|hub| {
            let here = hub.drives().iter().filter(|drive| drive.present);
            here.map(|drive| drive.serial.clone()).collect()
        });
        let (serial, limit) = (reading.serial.clone(), alert::limit(&reading));
        self.feed(Input::HeatLimit { serial, limit }).await;
        let now = self.clock.now().wall;
        let own = Own {
            reading,
            drive: Some(report.drive),
            // A clock that was put back must not keep new readings from counting.
            at: report.at.min(now),
            present,
        };
        let taken = match self.fleet.book.take_own(own, now).await {
            Ok(taken) => self.tell_of_drives().await.map(|()| taken),
            Err(error) => Err(error),
        };
        match taken {
            Ok(true) => {}
            Ok(false) => tracing::warn!(%drive, "there is no room for one more drive's history"),
            Err(error) => {
                tracing::error!(%drive, error = &error as &dyn std::error::Error, "a drive's history was not kept");
            }
        }
    }
}
