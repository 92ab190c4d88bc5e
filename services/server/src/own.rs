//! SMART of the box's own drives: what the built-in agent read of them goes into the same book as the reports of other
//! computers, so that histories, trends, wear, scores and alerts are the same for both.

use health::tables::drive_id;
use health::{Book, Own, THIS_BOX, alert};
use serde::Deserialize;
use serde_json::Value;
use wire::{Celsius, DriveId, Time};

use crate::app::App;
use crate::hub::{Input, SmartWord, SmartWords};

/// Type of the agent's frame.
pub const KIND: &str = "smart_report";

/// Payload of the frame.
#[derive(Debug, Deserialize)]
struct Report {
    drive: DriveId,
    at: Time,
    document: Value,
}

/// How hot the box's own drives may be by their newest SMART, as it stands in the book. What speaks against a drive it keeps by model and
/// serial, which may be another one's, too: that is told by the list of drives as it was kept, and by the next reading.
///
/// # Errors
/// The medium.
pub fn smart_words(book: &Book) -> store::Result<SmartWords> {
    let mut words = SmartWords::default();
    for drive in book.drives(|drive| drive.hostname == THIS_BOX)? {
        words.note_limit(&drive.reading.serial, celsius(alert::limit(&drive.reading)));
    }
    Ok(words)
}

fn celsius(limit: i64) -> Option<Celsius> {
    i32::try_from(limit).ok().map(Celsius)
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
        let (serial, limit) = (reading.serial.clone(), celsius(alert::limit(&reading)));
        let kept = drive_id(THIS_BOX, &reading);
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
        self.tell_of_smart(drive.clone(), &kept, serial, limit).await;
        match taken {
            Ok(true) => {}
            Ok(false) => tracing::warn!(%drive, "there is no room for one more drive's history"),
            Err(error) => {
                tracing::error!(%drive, error = &error as &dyn std::error::Error, "a drive's history was not kept");
            }
        }
    }

    /// Shows what this drive, which the book has as `kept`, says of itself; of one for which it has no room, how hot it may be.
    async fn tell_of_smart(&self, drive: DriveId, kept: &str, serial: String, limit: Option<Celsius>) {
        let alerts = match self.fleet.book.drives(|drive| drive.id == kept) {
            Ok(mut drives) => drives.pop().map(|drive| drive.alerts).unwrap_or_default(),
            Err(error) => return tracing::error!(%error, "what a drive's SMART says of it could not be read"),
        };
        let word = SmartWord {
            limit,
            ill: alert::ill(&alerts),
        };
        self.feed(Input::Smart { drive, serial, word }).await;
    }
}
