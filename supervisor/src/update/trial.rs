//! When a slot on trial is kept, and when it has failed: a pure rule.
//!
//! It is kept once, for a minute without a break, server and agent are ready, no unit stands on a rung of the ladder, and the
//! server says that it answers itself, that its store was written and read, and that the agent sees the bus. Where that minute
//! has not begun three minutes after the kernel started (two after the first look), or is broken after that, the start has failed: the box restarts, and
//! GRUB counts. While state is not on the medium nobody looks; after it, the first look is one anew.

use serde::{Deserialize, Serialize};
use wire::supervisor::{Status, UnitState};

use crate::core::Millis;

/// Units without which the box is none.
const NEEDED: [&str; 2] = ["server", "agent"];
/// Units that must not stand on a rung of the ladder: without these a far box is out of reach, or says nothing of itself.
const CALM_UNITS: [&str; 4] = ["server", "agent", "network", "journal"];
/// How long all must be well, in milliseconds.
const CALM: Millis = 60_000;
/// By when that must have begun, in milliseconds since the kernel started. The slowest board was measured at 50 s to a ready
/// agent; a shelf of drives takes two minutes to spin up.
const BEGINS_WITHIN: Millis = 180_000;
/// For how long it is looked at least, in milliseconds from the first look: DATA may have been checked for minutes before.
const LOOKED_AT: Millis = 120_000;
/// Pause after a verdict that could not be carried out, in milliseconds.
const PAUSE: Millis = 30_000;
/// A word of the server counts for this long, in milliseconds; it says it every ten seconds.
const WORD: Millis = 30_000;

/// Why a start on trial has failed that never had its state on the medium it came from, and so can neither prove itself nor
/// write a word: a driver or a tool is missing, most likely. A medium that was there and was pulled is no fault of the system's.
pub(super) fn lost(now: Millis, lost: bool) -> Option<String> {
    (lost && now >= BEGINS_WITHIN).then(|| {
        format!(
            "the system on trial could not use its boot medium within {} s",
            BEGINS_WITHIN / 1000
        )
    })
}

/// What a start on trial is at before its trial can begin, and since when.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Step {
    what: String,
    since: Millis,
}

impl Step {
    /// Why a start on trial has failed that gets no further: it hangs in the kernel or in a tool. `what`: what it is at; that
    /// it takes ever longer is nothing new, all else is, so a long repair that gets on is not cut off.
    pub(super) fn stuck(&mut self, now: Millis, what: &str) -> Option<String> {
        if without_time(&self.what) != without_time(what) {
            (self.what, self.since) = (what.to_owned(), now);
        }
        (now >= BEGINS_WITHIN.max(self.since + LOOKED_AT))
            .then(|| format!("the system on trial got no further than: {}", self.what))
    }
}

/// What is said of a step, before and after the seconds that it has taken.
fn without_time(what: &str) -> (&str, &str) {
    match what.split_once(" s so far") {
        Some((before, after)) => (before.trim_end_matches(|c: char| c.is_ascii_digit()), after),
        None => (what, ""),
    }
}

/// What is known of a trial.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// When the server last spoke, and what it has not proven yet.
    word: Option<(Millis, Option<String>)>,
    /// Since when all is well.
    since: Option<Millis>,
    /// The verdict has been given.
    over: bool,
    /// When it was looked at first.
    #[serde(default)]
    first: Option<Millis>,
    /// A verdict was not carried out, and the pause after it has not begun.
    #[serde(default)]
    pausing: bool,
    /// No verdict before this.
    #[serde(default)]
    not_before: Millis,
}

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing yet; what is waited for.
    Wait(String),
    /// It is kept.
    Keep,
    /// It has failed, and why.
    Failed(String),
    /// The verdict has been given before.
    Given,
}

impl Trial {
    /// The server has spoken: what it has not proven yet.
    pub fn heard(&mut self, now: Millis, missing: Option<String>) {
        self.word = Some((now, missing));
    }

    /// The verdict could not be carried out: it is given again, after a pause.
    pub fn again(&mut self) {
        self.over = false;
        self.pausing = true;
    }

    /// Looks at the units.
    pub fn step(&mut self, now: Millis, status: &Status) -> Verdict {
        if self.over {
            return Verdict::Given;
        }
        if std::mem::take(&mut self.pausing) {
            self.not_before = now + PAUSE;
        }
        if now < self.not_before {
            return Verdict::Wait("the verdict could not be written; tried again in half a minute".into());
        }
        let first = *self.first.get_or_insert(now);
        let Some(missing) = self.missing(now, status) else {
            let since = *self.since.get_or_insert(now);
            let calm = now.saturating_sub(since);
            if calm >= CALM {
                self.over = true;
                return Verdict::Keep;
            }
            // In tens: whoever watches is not told every second.
            let left = (CALM - calm).div_ceil(10_000) * 10;
            return Verdict::Wait(format!("all is well; kept in {left} s"));
        };
        self.since = None;
        if now >= BEGINS_WITHIN.max(first + LOOKED_AT) {
            self.over = true;
            return Verdict::Failed(format!("{missing} in {} s", now / 1000));
        }
        Verdict::Wait(missing)
    }

    /// What is not well.
    fn missing(&self, now: Millis, status: &Status) -> Option<String> {
        for name in NEEDED {
            match status.units.iter().find(|u| u.name == name) {
                Some(u) if u.state == UnitState::Ready => {}
                Some(u) if u.reason.is_empty() => return Some(format!("{name} not READY")),
                Some(u) => return Some(format!("{name} not READY ({})", u.reason)),
                None => return Some(format!("there is no unit {name}")),
            }
        }
        if let Some(u) = status
            .units
            .iter()
            .find(|u| u.rung.is_some() && CALM_UNITS.contains(&u.name.as_str()))
        {
            return Some(format!("{} stands on the ladder ({})", u.name, u.reason));
        }
        match &self.word {
            Some((at, None)) if now.saturating_sub(*at) <= WORD => None,
            Some((at, Some(missing))) if now.saturating_sub(*at) <= WORD => Some(missing.clone()),
            _ => Some("no word from the server".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::wildcard_enum_match_arm,
        reason = "a failed unwrap is a failed test"
    )]
    use super::*;
    use proptest::prelude::*;
    use wire::supervisor::{Rung, UnitView};

    fn status(server: UnitState, agent: UnitState, rung: Option<Rung>) -> Status {
        let unit = |name: &str, state, rung| UnitView {
            name: name.into(),
            state,
            rung,
            reason: String::new(),
            status: String::new(),
            restarts: 0,
            pid: None,
            since: wire::Time::UNIX_EPOCH,
        };
        let units = vec![unit("agent", agent, rung), unit("server", server, None)];
        let json = serde_json::json!({ "host": "", "addresses": [], "units": units,
            "boot": wire::supervisor::BootView::default(), "banners": [] });
        serde_json::from_value(json).unwrap()
    }

    fn well() -> Status {
        status(UnitState::Ready, UnitState::Ready, None)
    }

    #[test]
    fn a_system_that_never_finds_its_medium_fails_its_trial() {
        assert_eq!(lost(179_999, true), None);
        assert!(lost(180_000, true).unwrap().contains("boot medium"));
        assert_eq!(lost(1_000_000, false), None);
    }

    #[test]
    fn a_start_on_trial_that_hangs_before_its_trial_fails_and_one_that_gets_on_does_not() {
        let mut step = Step::default();
        assert_eq!(step.stuck(1_000, "mounting the system image"), None);
        assert_eq!(step.stuck(179_999, "mounting the system image"), None);
        let why = step.stuck(180_000, "mounting the system image").unwrap();
        assert_eq!(
            why,
            "the system on trial got no further than: mounting the system image"
        );
        let mut step = Step::default();
        let told = |s: u64, mib: u64| format!("repairing DATA, {s} s so far, {mib} MiB read and written");
        for s in (5..1_000).step_by(5) {
            assert_eq!(step.stuck(100_000 + s * 1000, &told(s, s / 60)), None, "{s}");
        }
        // From its last MiB on; that it takes ever longer is nothing new.
        for s in (1_000..1_080).step_by(5) {
            assert_eq!(step.stuck(100_000 + s * 1000, &told(s, 16)), None, "{s}");
        }
        let why = step.stuck(100_000 + 1_080 * 1000, &told(1_080, 16)).unwrap();
        assert!(
            why.ends_with("repairing DATA, 960 s so far, 16 MiB read and written"),
            "{why}"
        );
    }

    #[test]
    fn a_minute_of_calm_is_kept_once() {
        let mut t = Trial::default();
        assert_eq!(t.step(10_000, &well()), Verdict::Wait("no word from the server".into()));
        for s in 20..80 {
            t.heard(s * 1000, None);
            assert!(
                matches!(t.step(s * 1000, &well()), Verdict::Wait(w) if w.starts_with("all is well")),
                "{s}"
            );
        }
        t.heard(80_000, None);
        assert_eq!(t.step(80_000, &well()), Verdict::Keep);
        assert_eq!(t.step(81_000, &well()), Verdict::Given);
        t.again();
        assert!(
            matches!(t.step(82_000, &well()), Verdict::Wait(_)),
            "not as fast as it turns"
        );
        t.heard(111_999, None);
        assert!(matches!(t.step(111_999, &well()), Verdict::Wait(_)));
        assert_eq!(t.step(112_000, &well()), Verdict::Keep);
    }

    #[test]
    fn a_start_fails_with_what_was_missing() {
        for (status, word, told) in [
            (
                status(UnitState::Starting, UnitState::Ready, None),
                None,
                "server not READY in 180 s",
            ),
            (
                status(UnitState::Ready, UnitState::Backoff, None),
                None,
                "agent not READY in 180 s",
            ),
            (
                status(UnitState::Ready, UnitState::Ready, Some(Rung::Late)),
                None,
                "agent stands on the ladder () in 180 s",
            ),
            (
                well(),
                Some("the agent has not looked at the bus".to_owned()),
                "the agent has not looked at the bus in 180 s",
            ),
        ] {
            let mut t = Trial::default();
            assert!(matches!(t.step(10_000, &status), Verdict::Wait(_)));
            t.heard(179_000, word);
            assert!(matches!(t.step(179_999, &status), Verdict::Wait(_)));
            assert_eq!(t.step(180_000, &status), Verdict::Failed(told.into()));
            assert_eq!(t.step(180_001, &status), Verdict::Given);
        }
        let mut t = Trial::default();
        assert!(
            matches!(t.step(200_000, &well()), Verdict::Wait(_)),
            "a long check of DATA costs no try"
        );
        assert_eq!(
            t.step(320_000, &well()),
            Verdict::Failed("no word from the server in 320 s".into())
        );
        let lost = |name: &str| {
            let mut status = well();
            status.units[0].name = name.to_owned();
            status.units[0].rung = Some(Rung::Quarantine);
            status.units.extend(well().units);
            let mut t = Trial::default();
            t.heard(10_000, None);
            t.step(10_000, &status)
        };
        assert!(matches!(lost("network"), Verdict::Wait(w) if w.starts_with("network stands")));
        assert!(matches!(lost("mdns"), Verdict::Wait(w) if w.starts_with("all is well")));
    }

    #[test]
    fn calm_that_begins_in_time_may_end_later_and_a_break_begins_it_anew() {
        let mut t = Trial::default();
        t.heard(170_000, None);
        assert!(matches!(t.step(170_000, &well()), Verdict::Wait(_)));
        t.heard(229_000, None);
        assert!(matches!(t.step(229_000, &well()), Verdict::Wait(_)));
        t.heard(230_000, None);
        assert_eq!(t.step(230_000, &well()), Verdict::Keep);
        let mut t = Trial::default();
        t.heard(100_000, None);
        assert!(matches!(t.step(100_000, &well()), Verdict::Wait(_)));
        assert!(matches!(
            t.step(110_000, &status(UnitState::Degraded, UnitState::Ready, None)),
            Verdict::Wait(_)
        ));
        t.heard(160_000, None);
        assert!(
            matches!(t.step(160_000, &well()), Verdict::Wait(_)),
            "the minute has begun anew"
        );
    }

    proptest! {
        #[test]
        fn nothing_is_kept_that_was_not_well_for_a_minute(turns in proptest::collection::vec((1_u64..20_000, any::<bool>(), any::<bool>()), 1..60)) {
            let (mut t, mut now, mut since) = (Trial::default(), 0, None);
            for (by, ready, word) in turns {
                now += by;
                if word {
                    t.heard(now, None);
                }
                let s = if ready { well() } else { status(UnitState::Ready, UnitState::Backoff, None) };
                let before = since;
                let verdict = t.step(now, &s);
                if !ready { since = None } else if since.is_none() && t.since.is_some() { since = Some(now) }
                match verdict {
                    Verdict::Keep => prop_assert!(now - before.or(since).unwrap() >= CALM),
                    Verdict::Failed(_) => prop_assert!(now >= BEGINS_WITHIN),
                    _ => {}
                }
            }
        }
    }
}
