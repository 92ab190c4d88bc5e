//! The drives as the built-in agent told them, and of when that is where nobody watches the bus any more.
//!
//! After a start of the server, and while the agent is not connected, the list is what was told last: a drive in it may be
//! gone or be under another kernel name. Each of them says so (`as_of`) until the agent has told them again. How hot each
//! may be (`heat_limit`) is said here, too: the limit at which its alert comes, [`health::alert::limit`] of its newest SMART.
//! A burn-in pauses at a limit of its own (`burnin::heat`), which is no alert's.

use std::collections::BTreeMap;
use std::time::Duration;

use health::alert::usual_limit;
use health::reading::{Medium, plain_serial};
use wire::drive::Drive;
use wire::{Celsius, Time};

use super::{Effect, Hub, Now, Stream};

/// Longest that the list on the medium may lag behind in temperatures: a commit for each would be gigabytes a day on a stick, and
/// they are shown again only until the agent has told them anew.
const LAG: Duration = Duration::from_mins(10);

/// Most limits that are remembered; past it those of drives that are not listed go. The book of SMART has 256 drives of this box.
const LIMITS: usize = 1024;

/// Above which temperature each drive has its alert, by the SMART that it told last.
#[derive(Clone, Debug, Default)]
pub struct HeatLimits(BTreeMap<String, Celsius>);

impl HeatLimits {
    /// Notes the limit of the drive with this serial; false where it is known already, or the drive has no serial.
    pub fn note(&mut self, serial: &str, limit: i64) -> bool {
        let (serial, Ok(limit)) = (plain_serial(serial), i32::try_from(limit).map(Celsius)) else {
            return false;
        };
        if serial.is_empty() || self.0.get(&serial) == Some(&limit) {
            return false;
        }
        self.0.insert(serial, limit);
        true
    }

    /// The limit of a drive; of one that has told no SMART, that of its kind.
    fn of(&self, drive: &Drive) -> Option<Celsius> {
        let usual = || {
            i32::try_from(usual_limit(Medium::from(drive.rotation)))
                .ok()
                .map(Celsius)
        };
        self.0.get(&plain_serial(&drive.serial)).copied().or_else(usual)
    }

    /// Lets those go that are of none of these drives, where there are too many.
    fn make_room(&mut self, drives: &[Drive]) {
        if self.0.len() > LIMITS {
            let listed: Vec<String> = drives.iter().map(|drive| plain_serial(&drive.serial)).collect();
            self.0.retain(|serial, _| listed.contains(serial));
        }
    }

    /// Says of each drive how hot it may be.
    pub(super) fn tell(&self, drives: &mut [Drive]) {
        for drive in drives {
            drive.heat_limit = self.of(drive);
        }
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
        self.heat_limits.tell(&mut drives);
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

    /// Takes the limit that a drive's SMART names.
    pub(super) fn heat_limit(&mut self, serial: &str, limit: i64, out: &mut Vec<Effect>) {
        if !self.heat_limits.note(serial, limit) {
            return;
        }
        self.heat_limits.make_room(&self.drives);
        let mut drives = self.drives.clone();
        self.heat_limits.tell(&mut drives);
        if self.drives != drives {
            out.push(Effect::SaveDrives(drives.clone()));
            out.push(Effect::Stream(Stream::Drives(drives.clone())));
            self.drives = drives;
        }
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
