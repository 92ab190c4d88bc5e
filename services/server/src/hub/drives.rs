//! The drives as the built-in agent told them, and of when that is where nobody watches the bus any more.
//!
//! After a start of the server, and while the agent is not connected, the list is what was told last: a drive in it may be
//! gone or be under another kernel name. Each of them says so (`as_of`) until the agent has told them again. How hot each
//! may be (`heat_limit`) is said here, too, so that page and alerts go by one table.

use std::time::Duration;

use health::alert::usual_limit;
use health::reading::Medium;
use wire::drive::Drive;
use wire::{Celsius, Time};

use super::{Effect, Hub, Now, Stream};

/// Longest that the list on the medium may lag behind in temperatures: a commit for each would be gigabytes a day on a stick, and
/// they are shown again only until the agent has told them anew.
const LAG: Duration = Duration::from_secs(600);

/// Says of each drive how hot it may be, by the limits that the alerts go by.
pub(super) fn limit(drives: &mut [Drive]) {
    for drive in drives {
        let limit = usual_limit(Medium::from(drive.rotation));
        drive.heat_limit = i32::try_from(limit).ok().map(Celsius);
    }
}

/// Marks drives as known from before; `heard`: when the agent was heard last.
fn date(drives: &mut [Drive], heard: Option<Time>) {
    // When the agent was heard is kept once a minute; a change of a drive that was told later is proof of a later time.
    let newest = drives.iter().map(|drive| drive.since).max();
    let as_of = heard.max(newest);
    for drive in drives {
        drive.as_of = as_of;
    }
}

/// The list as it was kept, at a start: dated, and without temperatures, which may be [`LAG`] older than the rest.
pub(super) fn recalled(drives: &mut [Drive], heard: Option<Time>) {
    date(drives, heard);
    for drive in drives {
        drive.temperature = None;
    }
}

/// What of the drives is written down at once: all but their temperatures, of which some change with every list.
fn lasting(drives: &[Drive]) -> Vec<Drive> {
    let without = |drive: &Drive| Drive {
        temperature: None,
        ..drive.clone()
    };
    drives.iter().map(without).collect()
}

impl Hub {
    /// Takes the agent's list; what it says of dates and limits is the server's to say. Temperatures alone are shown at once and
    /// written down seldom.
    pub(super) fn drives_told(&mut self, now: Now, mut drives: Vec<Drive>, out: &mut Vec<Effect>) {
        for drive in &mut drives {
            drive.as_of = None;
        }
        limit(&mut drives);
        if self.drives == drives {
            return;
        }
        let lags = self
            .drives_saved
            .is_none_or(|saved| now.mono.saturating_sub(saved) >= LAG);
        if lags || lasting(&self.drives) != lasting(&drives) {
            self.drives_saved = Some(now.mono);
            out.push(Effect::SaveDrives(drives.clone()));
        }
        out.push(Effect::Stream(Stream::Drives(drives.clone())));
        self.drives = drives;
        self.recall(out);
    }

    /// Nobody watches the bus any more; `heard`: when the agent was heard last.
    pub(super) fn unwatched(&mut self, heard: Option<Time>, out: &mut Vec<Effect>) {
        // One that was not told since the connection before stays of that time.
        if self.built_in && self.drives.iter().any(|drive| drive.as_of.is_none()) {
            date(&mut self.drives, heard);
            out.push(Effect::Stream(Stream::Drives(self.drives.clone())));
        }
    }

    /// The drives, as the agent told them last.
    pub fn drives(&self) -> &[Drive] {
        &self.drives
    }

    /// Whether the agent has told a drive that is here, in the connection that it has.
    pub fn sees_a_drive(&self) -> bool {
        self.drives.iter().any(|drive| drive.present && drive.as_of.is_none())
    }
}
