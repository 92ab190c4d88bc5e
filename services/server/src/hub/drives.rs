//! The drives as the built-in agent told them, and of when that is where nobody watches the bus any more.
//!
//! After a start of the server, and while the agent is not connected, the list is what was told last: a drive in it may be
//! gone or be under another kernel name. Each of them says so (`as_of`) until the agent has told them again. How hot each
//! may be (`heat_limit`) is said here, too: the limit at which its alert comes, [`health::alert::limit`] of its newest SMART; and
//! what that says against it (`ill`), so that nobody gives hours to a drive that is broken already.
//! A burn-in pauses at a limit of its own (`burnin::heat`), which is no alert's.

use std::collections::BTreeMap;
use std::time::Duration;

use health::alert::usual_limit;
use health::reading::{Medium, plain_serial};
use wire::drive::{Drive, Ill};
use wire::{Celsius, DriveId, Time};

use super::{Effect, Hub, Now, Stream};

/// Longest that the list on the medium may lag behind in temperatures: a commit for each would be gigabytes a day on a stick, and
/// they are shown again only until the agent has told them anew.
const LAG: Duration = Duration::from_mins(10);

/// Most drives whose SMART is remembered; past it those that are not listed go. The book of SMART has 256 drives of this box.
const WORDS: usize = 1024;

/// What a drive's newest SMART says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmartWord {
    /// Above which temperature it has its alert; `None` where that is no temperature.
    pub limit: Option<Celsius>,
    /// What speaks against it.
    pub ill: Option<Ill>,
}

/// The same of all drives.
#[derive(Clone, Debug, Default)]
pub struct SmartWords {
    /// How hot each may be, by its serial, which is all that the book has of it at a start.
    limits: BTreeMap<String, Option<Celsius>>,
    /// What speaks against each, by the id under which the agent read it: a serial may be a twin's or a bridge's, too.
    ill: BTreeMap<DriveId, Ill>,
}

impl SmartWords {
    /// Notes how hot the drive with this serial may be; false where that is known already, or the drive has no serial.
    pub fn note_limit(&mut self, serial: &str, limit: Option<Celsius>) -> bool {
        let serial = plain_serial(serial);
        if serial.is_empty() || self.limits.get(&serial) == Some(&limit) {
            return false;
        }
        self.limits.insert(serial, limit);
        true
    }

    /// Notes what speaks against this drive; false where that is known already.
    fn note_ill(&mut self, drive: DriveId, ill: Option<Ill>) -> bool {
        if self.ill.get(&drive) == ill.as_ref() {
            return false;
        }
        match ill {
            Some(ill) => self.ill.insert(drive, ill),
            None => self.ill.remove(&drive),
        };
        true
    }

    /// What was said of drives as they were kept holds until they are read again. The book could not tell which drive it means.
    pub(super) fn recall(&mut self, drives: &[Drive]) {
        for drive in drives {
            if let Some(id) = &drive.id {
                self.note_ill(id.clone(), drive.ill.clone());
            }
        }
    }

    /// Lets those go that are of none of these drives, where there are too many.
    fn make_room(&mut self, drives: &[Drive]) {
        if self.limits.len() > WORDS {
            let listed: Vec<String> = drives.iter().map(|drive| plain_serial(&drive.serial)).collect();
            self.limits.retain(|serial, _| listed.contains(serial));
        }
        if self.ill.len() > WORDS {
            self.ill
                .retain(|id, _| drives.iter().any(|drive| drive.id.as_ref() == Some(id)));
        }
    }

    /// Says of each drive how hot it may be, by its kind where it has told no SMART, and what speaks against it.
    pub(super) fn tell(&self, drives: &mut [Drive]) {
        for drive in drives {
            let limit = self.limits.get(&plain_serial(&drive.serial)).copied().flatten();
            let usual = || {
                i32::try_from(usual_limit(Medium::from(drive.rotation)))
                    .ok()
                    .map(Celsius)
            };
            drive.heat_limit = limit.or_else(usual);
            drive.ill = drive.id.as_ref().and_then(|id| self.ill.get(id).cloned());
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
        self.smart_words.tell(&mut drives);
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

    /// Takes what a drive's SMART says of it.
    pub(super) fn smart_word(&mut self, drive: DriveId, serial: &str, word: SmartWord, out: &mut Vec<Effect>) {
        let limit_is_new = self.smart_words.note_limit(serial, word.limit);
        let ill_is_new = self.smart_words.note_ill(drive, word.ill);
        if !limit_is_new && !ill_is_new {
            return;
        }
        self.smart_words.make_room(&self.drives);
        let mut drives = self.drives.clone();
        self.smart_words.tell(&mut drives);
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
