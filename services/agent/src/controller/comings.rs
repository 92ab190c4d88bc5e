//! Which comings and goings of drives are told: a drive with a bad contact goes and comes back for days, and its events would push
//! those of jobs out of the spool and of the server's log.
//!
//! Each drive has a [`Ration`]. What goes beyond it is counted; when there is something to tell with again the state of then is told,
//! with the count. Pure.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use wire::DriveId;
use wire::event::Severity;

use super::ration::Ration;
use crate::events::{self, Happening, Known};

/// Comings and goings of one drive that are told at once; after them one each [`EACH`]. As the server's changes of services.
const BURST: u32 = 20;
const EACH: Duration = Duration::from_mins(5);

/// Which place of a drive is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seat {
    /// Where it is.
    Present,
    /// Where it was last.
    Last,
}

/// What was told of the drives, and what was not.
#[derive(Debug)]
pub(super) struct Comings {
    /// The drives that are there, as it was told.
    told: BTreeMap<DriveId, Known>,
    /// The drives that are there.
    seen: BTreeMap<DriveId, Known>,
    /// Of drives that came or went.
    rations: BTreeMap<DriveId, Ration>,
    /// Drives that came or went without being told of, and how often.
    untold: BTreeMap<DriveId, (Known, u64)>,
}

impl Comings {
    /// With what an agent before this one told.
    pub(super) fn new(told: BTreeMap<DriveId, Known>) -> Self {
        Self {
            seen: told.clone(),
            told,
            rations: BTreeMap::new(),
            untold: BTreeMap::new(),
        }
    }

    /// The drives that are there, as it was told.
    pub(super) fn told(&self) -> &BTreeMap<DriveId, Known> {
        &self.told
    }

    /// The drives that are there.
    pub(super) fn seen(&self) -> &BTreeMap<DriveId, Known> {
        &self.seen
    }

    /// Takes the drives that are there `now`; what is to be told of it, and of what was not told before. `place`: where a drive sits,
    /// or sat, to follow a sentence.
    pub(super) fn are(
        &mut self,
        now: BTreeMap<DriveId, Known>,
        at: Instant,
        place: impl Fn(&DriveId, Seat) -> String,
    ) -> Vec<Happening> {
        let either = self.seen.iter().chain(&now);
        let changed = either.filter(|(id, _)| self.seen.contains_key(*id) != now.contains_key(*id));
        for (id, known) in changed {
            self.untold.entry(id.clone()).or_insert_with(|| (known.clone(), 0)).1 += 1;
        }
        self.seen = now;
        // One whose words alone changed is known by the new ones.
        for (id, known) in &mut self.told {
            if let Some(seen) = self.seen.get(id) {
                known.clone_from(seen);
            }
        }
        let mut happened = Vec::new();
        for (id, (known, times)) in std::mem::take(&mut self.untold) {
            let ration = self.rations.entry(id.clone());
            if ration.or_insert_with(|| Ration::new(BURST, EACH, at)).take(at) {
                happened.push(self.tell(known, times, &place));
            } else {
                self.untold.insert(id, (known, times));
            }
        }
        self.rations.retain(|_, ration| !ration.is_full(at));
        happened
    }

    /// When something is left to be told.
    pub(super) fn due(&self) -> Option<Instant> {
        let of = |id| self.rations.get(id).map(Ration::next);
        self.untold.keys().filter_map(of).min()
    }

    /// Tells how it is with a drive that came or went so many times since it was told last; also where it is as it was then, for of
    /// what was in between nobody heard.
    fn tell(&mut self, known: Known, times: u64, place: impl Fn(&DriveId, Seat) -> String) -> Happening {
        let mut told = if self.seen.contains_key(&known.id) {
            let told = events::came(&known, &place(&known.id, Seat::Present));
            self.told.insert(known.id.clone(), known);
            told
        } else {
            self.told.remove(&known.id);
            events::went(&known, &place(&known.id, Seat::Last))
        };
        if times > 1 {
            told.event.severity = Severity::Warning;
            told.event.data = serde_json::json!({ "times": times });
            told.event.message +=
                &format!("; it came and went {times} times meanwhile: look at its contact, cable and power");
        }
        told
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn drives(ids: &[&str]) -> BTreeMap<DriveId, Known> {
        let known = |id: &&str| {
            let id = DriveId::parse(id).unwrap();
            let words = "M S".to_owned();
            (id.clone(), Known { id, words })
        };
        ids.iter().map(known).collect()
    }

    const STEADY: &str = "wwn-aaaaaaaa";
    const FLAPS: &str = "wwn-bbbbbbbb";

    #[test]
    fn a_drive_that_comes_and_goes_is_told_by_its_beginning_and_then_with_a_count() {
        let begin = Instant::now();
        let mut comings = Comings::new(drives(&[STEADY, FLAPS]));
        let mut told = Vec::new();
        let mut take = |comings: &mut Comings, ids: &[&str], at| {
            let happened = comings.are(drives(ids), at, |_, _| String::new());
            told.extend(happened);
        };
        for n in 0..1000 {
            let ids: &[&str] = if n % 2 == 0 { &[STEADY] } else { &[STEADY, FLAPS] };
            take(&mut comings, ids, begin + Duration::from_millis(n * 100));
        }
        assert_eq!(
            comings.told(),
            &drives(&[STEADY, FLAPS]),
            "what is known is what was told"
        );
        // It is there now and stays; another drive that goes is told at once.
        let later = begin + Duration::from_secs(200);
        take(&mut comings, &[FLAPS], later);
        let due = comings.due().unwrap();
        assert!(due > later && due <= begin + EACH);
        take(&mut comings, &[FLAPS], due);
        take(&mut comings, &[FLAPS], due + EACH);
        assert_eq!(comings.due(), None);
        let of = |id: &str| -> Vec<&Happening> {
            let is = |told: &&Happening| told.event.drive.as_ref().unwrap().as_str() == id;
            told.iter().filter(is).collect()
        };
        assert_eq!(of(STEADY).len(), 1);
        let flaps = of(FLAPS);
        assert!(flaps.len() <= 22, "{}", flaps.len());
        let last = &flaps.last().unwrap().event;
        assert_eq!((last.kind.as_str(), last.severity), ("drive.added", Severity::Warning));
        assert_eq!(last.data["times"], 980, "{}", last.message);
        assert!(
            last.message.contains("it came and went 980 times meanwhile"),
            "{}",
            last.message
        );
        assert!(flaps[..20].iter().all(|told| told.event.severity == Severity::Info));
    }

    #[test]
    fn what_goes_while_nothing_may_be_told_is_told_as_gone_later() {
        let begin = Instant::now();
        let mut comings = Comings::new(drives(&[FLAPS]));
        for n in 0..21 {
            let ids: &[&str] = if n % 2 == 0 { &[] } else { &[FLAPS] };
            comings.are(drives(ids), begin, |_, _| String::new());
        }
        assert_eq!(comings.told(), &drives(&[FLAPS]), "the last going was not told");
        let told = comings.are(drives(&[]), comings.due().unwrap(), |_, seat| {
            assert_eq!(seat, Seat::Last);
            "; bay 3".to_owned()
        });
        assert_eq!(told.len(), 1);
        assert_eq!(
            (told[0].event.kind.as_str(), told[0].event.severity),
            ("drive.removed", Severity::Info)
        );
        assert_eq!(told[0].event.message, "M S is gone; bay 3");
        assert!(comings.told().is_empty() && comings.due().is_none());
    }

    #[test]
    fn drives_that_came_and_went_while_the_agent_was_away_are_told_once() {
        let begin = Instant::now();
        let mut comings = Comings::new(drives(&["wwn-aaaaaaaa", "wwn-bbbbbbbb"]));
        let now = || drives(&["wwn-bbbbbbbb", "wwn-cccccccc"]);
        let place = |id: &DriveId, seat| format!(", {id} {seat:?}");
        let told: Vec<_> = comings
            .are(now(), begin, place)
            .into_iter()
            .map(|told| told.event)
            .collect();
        let told: Vec<_> = told
            .iter()
            .map(|event| (event.kind.as_str(), event.message.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                ("drive.removed", "M S is gone, wwn-aaaaaaaa Last"),
                ("drive.added", "M S was plugged in, wwn-cccccccc Present"),
            ]
        );
        assert!(comings.are(now(), begin, place).is_empty());
    }
}
