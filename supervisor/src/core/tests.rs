//! Tables and properties of the core: a model of the world answers its actions and checks what must always hold.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a failed unwrap is a failed test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proptest::prelude::*;

use super::*;

thread_local! {
    static MOVES: std::cell::RefCell<BTreeSet<(state::Place, state::Place)>> = const { std::cell::RefCell::new(BTreeSet::new()) };
}

/// Notes that a unit has moved; called by the core in tests.
pub(super) fn moved(from: State, to: State) {
    MOVES.with(|m| m.borrow_mut().insert((from.place(), to.place())));
}

/// Every move that this test has made so far.
pub(super) fn moves_seen() -> BTreeSet<(state::Place, state::Place)> {
    MOVES.with(|m| m.borrow().clone())
}

pub(super) fn unit(name: &str, more: &str) -> Unit {
    Unit::from_toml(Path::new(&format!("/u/{name}.toml")), &format!("exec = ['/x']\n{more}")).unwrap()
}

/// Runs a core against a made-up world: which units have a process, and since when.
#[derive(Clone)]
pub(super) struct World {
    pub core: Core,
    pub units: Vec<Unit>,
    pub now: Millis,
    pub alive: BTreeSet<UnitId>,
    pub seen: Vec<Action>,
    pub ended: Option<(Ending, bool)>,
    limits: Vec<Limit>,
}

/// What is needed to judge whether a unit is restarted too fast.
#[derive(Clone, Default)]
struct Limit {
    /// Starts since it was last ready for [`STABLE`], sat out a quarantine, or was started on request.
    starts: u32,
    /// When it was ready last, while it runs.
    ready_at: Option<Millis>,
    /// How its last run ended: when, and whether it had been ready for [`HAD_BEEN_READY`].
    ended: Option<(Millis, bool)>,
    /// The next start was asked for.
    asked: bool,
}

impl World {
    pub(super) fn new(units: Vec<Unit>) -> World {
        Self::after_reboots(units, 0)
    }

    fn after_reboots(units: Vec<Unit>, reboots: u32) -> World {
        let core = Core::new(0, &units, reboots, 7);
        let mut w = World {
            core,
            units,
            now: 0,
            alive: BTreeSet::new(),
            seen: Vec::new(),
            ended: None,
            limits: Vec::new(),
        };
        w.limits = w.units.iter().map(|_| Limit::default()).collect();
        w.step(Input::Tick { pressure: 0 });
        w
    }

    /// A process of the unit is there although the core did not start it.
    pub(super) fn find(&mut self, unit: UnitId) {
        self.alive.insert(unit);
        self.limits[unit] = Limit::default();
        let mut out = Vec::new();
        self.core.adopt(self.now, unit, false, &mut out);
        self.step(Input::Tick { pressure: 0 });
    }

    /// The process could not be made after all.
    pub(super) fn fails_to_start(&mut self, unit: UnitId) {
        if self.alive.remove(&unit) {
            self.note_end(unit);
            self.step(Input::SpawnFailed {
                unit,
                why: "no memory".into(),
            });
        }
    }

    fn note_end(&mut self, unit: UnitId) {
        let l = &mut self.limits[unit];
        let was = l.ready_at.take().map(|at| self.now - at);
        l.ended = Some((self.now, was.is_some_and(|t| t >= HAD_BEEN_READY)));
        if was.is_some_and(|t| t >= STABLE) {
            l.starts = 1;
        }
    }

    /// Never faster than its limit: a pause unless it had been ready, and quarantine after so many failures in a row.
    fn judge_start(&mut self, unit: UnitId) {
        let (now, u) = (self.now, &self.units[unit]);
        let l = &mut self.limits[unit];
        if std::mem::take(&mut l.asked) {
            l.starts = 0;
        } else if let Some((at, had_been_ready)) = l.ended {
            if now - at >= QUARANTINE_CRITICAL {
                l.starts = l.starts.min(u.burst);
            }
            let least = u.restart - u.restart / 10;
            assert!(
                had_been_ready || now - at >= least.min(BACKOFF_MAX),
                "{} again after {} ms",
                u.name,
                now - at
            );
        }
        l.starts += 1;
        assert!(
            l.starts <= u.burst + 1,
            "{} was started {} times in a row",
            u.name,
            l.starts
        );
    }

    pub(super) fn step(&mut self, input: Input) {
        let mut out = Vec::new();
        if let Input::Restart { unit, .. } = &input {
            self.limits[*unit].asked = true;
        }
        let fell = |c: &Core, u: usize| c.units[u].again;
        let again: Vec<bool> = (0..self.units.len()).map(|u| fell(&self.core, u)).collect();
        let was_fed = self.core.feeds_watchdog();
        self.core.step(self.now, input, &mut out);
        for a in &out {
            match a {
                Action::Spawn(u) => {
                    assert!(self.ended.is_none(), "spawned after the end");
                    assert!(!self.core.is_stopping(), "spawned while stopping");
                    assert!(self.alive.insert(*u), "unit {} runs twice", self.units[*u].name);
                    self.limits[*u].asked |= again[*u];
                    self.judge_start(*u);
                    for dep in &self.units[*u].requires {
                        if let Some(m) = Milestone::named(dep) {
                            assert!(self.core.milestones[m as usize]);
                            continue;
                        }
                        let d = self.units.iter().position(|x| x.name == *dep);
                        assert!(
                            d.is_some_and(|d| self.core.is_up(d)),
                            "{} started without {dep}",
                            self.units[*u].name
                        );
                    }
                    for dep in &self.units[*u].after {
                        if let Some(d) = self.units.iter().position(|x| x.name == *dep) {
                            let r = &self.core.units[d];
                            assert!(
                                self.core.is_up(d) || r.fails + r.restarts > 0,
                                "{} started before {dep}",
                                self.units[*u].name
                            );
                        }
                    }
                }
                Action::Abandon(u) => {
                    assert!(self.alive.remove(u), "abandoned what does not run");
                    self.note_end(*u);
                }
                Action::Terminate(u) | Action::Abort(u) | Action::Kill(u) | Action::Dump(u) => {
                    assert!(self.alive.contains(u), "signalled what does not run");
                }
                Action::Log { text, .. } => assert!(text.len() <= TEXT_MAX),
                Action::Verdict => {}
                Action::End { ending, hard, .. } => {
                    assert!(self.ended.replace((*ending, *hard)).is_none(), "ended twice");
                    assert!(*hard || self.alive.is_empty(), "orderly end with units alive");
                }
            }
        }
        for (u, r) in self.core.units.iter().enumerate() {
            // Its end was asked for, and it must wait for something before it starts again.
            self.limits[u].asked |= again[u] && !r.state.runs();
            assert_eq!(
                r.state.runs(),
                self.alive.contains(&u),
                "state and process of {} differ",
                self.units[u].name
            );
            // No unit is ever lost: it runs, it will be tried again at a time, or it says what it waits for.
            match r.state {
                State::Backoff { until } => assert!(until - self.now <= BACKOFF_MAX),
                State::Quarantine { until } => assert!(until - self.now <= QUARANTINE),
                State::Waiting => assert!(self.core.is_stopping() || r.reason.starts_with("waits for "), "{r:?}"),
                State::Done => assert_eq!(self.units[u].kind, Kind::Oneshot),
                State::Stopped => assert!(self.core.is_stopping()),
                State::Ready { since } => drop(self.limits[u].ready_at.get_or_insert(since)),
                _ => {}
            }
        }
        assert_eq!(self.core.feeds_watchdog(), self.core.verdict().is_none());
        let last_fed = out.iter().filter(|a| **a == Action::Verdict).count();
        assert_eq!(
            last_fed,
            usize::from(was_fed && !self.core.feeds_watchdog()),
            "once, and only as part of the decision"
        );
        assert!(
            was_fed || !self.core.feeds_watchdog(),
            "a decided reboot was taken back"
        );
        self.seen.extend(out);
    }

    pub(super) fn exit(&mut self, unit: UnitId, exit: Exit) {
        if self.alive.remove(&unit) {
            self.note_end(unit);
            self.step(Input::Exited { unit, exit });
        }
    }

    pub(super) fn tick(&mut self, ms: Millis) {
        self.now += ms;
        self.step(Input::Tick { pressure: 0 });
    }

    fn states(&self) -> BTreeMap<&str, State> {
        self.units
            .iter()
            .enumerate()
            .map(|(i, u)| (u.name.as_str(), self.core.state(i)))
            .collect()
    }
}

#[test]
fn a_silent_unit_climbs_every_rung_and_comes_back() {
    let mut w = World::new(vec![unit("a", "type='notify'\nwatchdog_sec=4")]);
    w.step(Input::Ready { unit: 0 });
    let mut rungs = Vec::new();
    for _ in 0..400 {
        w.tick(100);
        let rung = w.core.view(0).unwrap().rung;
        if rungs.last() != Some(&rung) {
            rungs.push(rung);
        }
        // SIGABRT does not help; the kill does.
        if matches!(w.seen.last(), Some(Action::Kill(0))) {
            w.exit(0, Exit::Signal(9));
            break;
        }
    }
    assert_eq!(
        rungs,
        [
            None,
            Some(Rung::Late),
            Some(Rung::Degraded),
            Some(Rung::Abort),
            Some(Rung::Kill)
        ]
    );
    let acts: Vec<_> = w.seen.iter().filter(|a| !matches!(a, Action::Log { .. })).collect();
    assert_eq!(
        acts,
        [
            &Action::Spawn(0),
            &Action::Dump(0),
            &Action::Abort(0),
            &Action::Kill(0),
            &Action::Spawn(0)
        ]
    );
    assert_eq!(w.core.view(0).unwrap().restarts, 1);
    assert!(
        w.core.view(0).unwrap().reason.contains("no heartbeat for"),
        "{}",
        w.core.view(0).unwrap().reason
    );
}

#[test]
fn a_heartbeat_that_an_earlier_image_hands_on_is_understood() {
    let handed = serde_json::from_str::<Input>(r#"{"Beat":{"unit":3}}"#).unwrap();
    assert_eq!(handed, Input::Heartbeat { unit: 3 });
}

#[test]
fn a_late_heartbeat_is_forgiven_before_the_abort() {
    let mut w = World::new(vec![unit("a", "type='notify'\nwatchdog_sec=4")]);
    w.step(Input::Ready { unit: 0 });
    w.tick(4_100);
    assert!(matches!(w.core.state(0), State::Late { .. }));
    w.tick(1_100);
    assert!(matches!(w.core.state(0), State::Degraded { .. }));
    w.step(Input::Heartbeat { unit: 0 });
    assert!(matches!(w.core.state(0), State::Ready { .. }));
    assert_eq!(w.core.view(0).unwrap().rung, None);
}

#[test]
fn pressure_lengthens_the_deadline_to_three_times_at_most() {
    let mut w = World::new(vec![unit("a", "type='notify'\nwatchdog_sec=4")]);
    w.step(Input::Ready { unit: 0 });
    w.now = 11_900;
    w.step(Input::Tick { pressure: 100 });
    assert!(matches!(w.core.state(0), State::Ready { .. }));
    w.now = 12_100;
    w.step(Input::Tick { pressure: 100 });
    assert!(matches!(w.core.state(0), State::Late { .. }));
}

#[test]
fn under_pressure_the_next_look_is_when_something_may_have_to_be_done() {
    for pressure in [0, 50, 100] {
        let mut w = World::new(vec![unit("a", "type='notify'\nwatchdog_sec=20")]);
        w.step(Input::Ready { unit: 0 });
        // Not busy: whoever sleeps until the deadline gets on each time.
        let (mut looks, begun) = (0, w.now);
        while matches!(w.core.state(0), State::Ready { .. }) {
            let due = w.core.next_deadline().unwrap();
            w.now = due.max(w.now).min(w.now + 1_000);
            w.step(Input::Tick { pressure });
            looks += 1;
            assert!(looks < 100, "it does not sleep, {} ms after the start", w.now - begun);
        }
        assert_eq!(w.now - begun, 20_000 * (100 + 2 * u64::from(pressure)) / 100 + 1);
    }
}

#[test]
fn who_says_that_it_stops_is_given_the_time_of_a_stop() {
    let text = "type='notify'\nwatchdog_sec=1\nstop_timeout_sec=5";
    let mut w = World::new(vec![unit("a", text)]);
    w.step(Input::Ready { unit: 0 });
    w.step(Input::Stopping { unit: 0 });
    w.step(Input::Heartbeat { unit: 0 });
    w.tick(5_900);
    assert!(matches!(w.core.state(0), State::Ready { .. }), "{:?}", w.core.state(0));
    // Not for ever.
    w.tick(200);
    assert!(matches!(w.core.state(0), State::Late { .. }), "{:?}", w.core.state(0));
}

#[test]
fn what_survives_sigkill_is_abandoned_and_replaced() {
    let mut w = World::new(vec![unit("a", "type='notify'\nwatchdog_sec=1")]);
    w.step(Input::Ready { unit: 0 });
    for _ in 0..300 {
        w.tick(100);
    }
    let at = w.seen.iter().position(|a| *a == Action::Abandon(0)).unwrap();
    assert!(
        w.seen[at..].contains(&Action::Spawn(0)),
        "nothing was started in its place"
    );
}

#[test]
fn how_a_run_has_ended_is_told_as_a_sentence() {
    for (exit, told) in [
        (Exit::Code(3), "ended with exit status 3"),
        (Exit::Signal(9), "ended with SIGKILL"),
        (Exit::Code(203), "could not run its program (the log has why)"),
        (Exit::Code(226), "could not set up its surroundings (the log has why)"),
    ] {
        let mut w = World::new(vec![unit("a", "")]);
        w.exit(0, exit);
        let reason = w.core.view(0).unwrap().reason.to_owned();
        assert!(reason.starts_with(&format!("{told}; started again")), "{reason}");
    }
}

#[test]
fn a_critical_unit_that_keeps_failing_reboots_the_box() {
    let mut w = World::new(vec![
        unit("a", "critical=true\nstart_limit_burst=3\nrestart_sec=0.1"),
        unit("b", ""),
    ]);
    for _ in 0..100 {
        w.exit(0, Exit::Code(1));
        w.tick(500);
        if w.core.is_stopping() {
            break;
        }
    }
    assert!(!w.core.feeds_watchdog());
    assert!(w.core.verdict().unwrap().contains("unit a ended with exit status 1"));
    w.exit(1, Exit::Signal(15));
    assert_eq!(w.ended, Some((Ending::Reboot, false)));
}

#[test]
fn no_reboot_while_the_medium_is_absent_or_after_three_that_did_not_help() {
    for (reboots, present) in [(0, false), (REBOOTS_MAX, true)] {
        let mut w = World::after_reboots(
            vec![unit("a", "critical=true\nstart_limit_burst=1\nrestart_sec=0.1")],
            reboots,
        );
        w.step(Input::Medium { present });
        for _ in 0..200 {
            w.exit(0, Exit::Code(1));
            w.tick(1000);
        }
        assert!(w.core.feeds_watchdog() && !w.core.is_stopping());
        assert!(
            w.seen.iter().filter(|a| **a == Action::Spawn(0)).count() > 3,
            "it must go on trying"
        );
    }
}

/// A box that was healthy for months between three incidents is no box that reboots again and again.
#[test]
fn reboots_of_long_ago_are_not_in_a_row_with_the_next() {
    let a = unit("a", "critical=true\nstart_limit_burst=2\nrestart_sec=0.1");
    let mut w = World::after_reboots(vec![a, unit("b", "type='notify'")], REBOOTS_MAX);
    for _ in 0..HEALTHY / 1000 - 1 {
        w.tick(1000);
    }
    assert_eq!(w.core.reboots(), REBOOTS_MAX, "not yet");
    w.tick(2000);
    assert_eq!(w.core.reboots(), 0);
    for _ in 0..100 {
        w.exit(0, Exit::Code(1));
        w.tick(500);
    }
    assert!(!w.core.feeds_watchdog() && w.core.is_stopping());
    // One that fails now and then is never well for so long.
    let mut w = World::after_reboots(vec![unit("a", "critical=true")], 1);
    for _ in 0..4 {
        for _ in 0..HEALTHY / 2000 {
            w.tick(1000);
        }
        w.exit(0, Exit::Code(1));
    }
    assert_eq!(w.core.reboots(), 1);
}

#[test]
fn a_medium_that_hangs_reboots_but_one_that_answers_with_an_error_does_not() {
    let mut w = World::new(vec![]);
    w.step(Input::MediumSilent {
        for_ms: MEDIUM_SILENCE_MAX - 1,
    });
    assert!(w.core.feeds_watchdog() && w.core.medium_silent());
    w.step(Input::Medium { present: false });
    w.step(Input::MediumSilent {
        for_ms: MEDIUM_SILENCE_MAX,
    });
    assert!(w.core.feeds_watchdog());
    w.step(Input::Medium { present: true });
    w.step(Input::MediumSilent {
        for_ms: MEDIUM_SILENCE_MAX,
    });
    assert!(!w.core.feeds_watchdog());
}

#[test]
fn a_unit_that_had_been_ready_is_started_at_once_else_later_and_later() {
    let mut w = World::new(vec![unit("a", "type='notify'\nrestart_sec=1\nstart_limit_burst=9")]);
    w.step(Input::Ready { unit: 0 });
    w.tick(2_000);
    w.exit(0, Exit::Signal(9));
    assert!(w.alive.contains(&0), "at once");
    let mut pauses = Vec::new();
    for _ in 0..4 {
        w.exit(0, Exit::Code(1));
        let State::Backoff { until } = w.core.state(0) else {
            panic!("{:?}", w.core.state(0))
        };
        pauses.push(until - w.now);
        w.tick(until - w.now);
    }
    assert!(pauses.windows(2).all(|p| p[1] > p[0] + p[0] / 2), "{pauses:?}");
}

#[test]
fn dependencies_order_start_and_stop() {
    let mut w = World::new(vec![
        unit("agent", "type='notify'\nafter=['server']\nrequires=['system']"),
        unit("server", "type='notify'\nafter=['journal', 'data', 'unknown']"),
        unit("journal", "type='notify'"),
        unit("lost", "requires=['nobody']"),
    ]);
    assert_eq!(w.alive, [2].into());
    w.step(Input::Ready { unit: 2 });
    assert_eq!(w.alive, [2].into());
    w.step(Input::Milestone {
        which: Milestone::Data,
        holds: true,
    });
    assert_eq!(w.alive, [1, 2].into());
    w.step(Input::Ready { unit: 1 });
    w.step(Input::Milestone {
        which: Milestone::System,
        holds: true,
    });
    assert_eq!(w.alive, [0, 1, 2].into());
    assert_eq!(w.core.view(3).unwrap().reason, "waits for nobody, which is not there");
    w.step(Input::Shutdown {
        ending: Ending::PowerOff,
        why: "test".into(),
    });
    for u in [0, 1, 2] {
        let stopped: Vec<_> = w.seen.iter().filter(|a| matches!(a, Action::Terminate(_))).collect();
        assert_eq!(stopped.last(), Some(&&Action::Terminate(u)));
        w.exit(u, Exit::Signal(15));
    }
    assert_eq!(w.ended, Some((Ending::PowerOff, false)));
}

#[test]
fn a_hard_end_names_who_still_runs_and_lets_the_log_say_its_last_words() {
    let mut w = World::new(vec![
        unit("journal", ""),
        unit("stubborn", "after=['journal']\nstop_timeout_sec=3600"),
        unit("good", "after=['journal']"),
    ]);
    let why = "test".to_owned();
    w.step(Input::Shutdown {
        ending: Ending::PowerOff,
        why,
    });
    w.exit(2, Exit::Signal(15));
    let deadline = |w: &World| w.core.next_deadline().unwrap() - w.now;
    assert_eq!(deadline(&w), SHUTDOWN_MAX - LAST_WORDS);
    w.tick(SHUTDOWN_MAX - LAST_WORDS - 1);
    assert!(!w.seen.contains(&Action::Terminate(0)));
    w.tick(1);
    let told = |w: &World, words: &str| w.seen.iter().position(|a| format!("{a:?}").contains(words));
    let named = told(&w, "still running: journal, stubborn");
    let stopped = w.seen.iter().position(|a| *a == Action::Terminate(0));
    assert!(named.is_some() && named < stopped, "{:?}", w.seen);
    w.exit(0, Exit::Code(0));
    assert_eq!(deadline(&w), LAST_WORDS);
    w.tick(LAST_WORDS);
    assert_eq!(w.ended, Some((Ending::PowerOff, true)));
    assert!(told(&w, "test; did not end: stubborn").is_some(), "{:?}", w.seen.last());
}

#[test]
fn a_quarantined_requirement_takes_its_users_along_and_back() {
    let mut w = World::new(vec![
        unit("a", "start_limit_burst=1\nrestart_sec=0.1"),
        unit("b", "requires=['a']"),
    ]);
    assert_eq!(w.alive, [0, 1].into());
    for _ in 0..2 {
        w.exit(0, Exit::Code(1));
        if !matches!(w.core.state(0), State::Quarantine { .. }) {
            w.tick(1000);
        }
    }
    assert!(matches!(w.core.state(1), State::Stopping { .. }));
    w.exit(1, Exit::Signal(15));
    assert_eq!(w.alive, [].into());
    w.tick(QUARANTINE);
    assert_eq!(w.alive, [0, 1].into());
}

#[test]
fn safe_mode_that_begins_late_stops_who_must_not_run_in_it() {
    let normal = |holds| Input::Milestone {
        which: Milestone::Normal,
        holds,
    };
    let mut w = World::new(vec![
        unit("agent", "type='notify'\nrequires=['normal']"),
        unit("server", "type='notify'"),
    ]);
    w.step(normal(true));
    w.step(Input::Ready { unit: 0 });
    assert_eq!(w.alive, [0, 1].into());
    w.step(normal(false));
    assert!(matches!(w.core.state(0), State::Stopping { .. }));
    assert!(!matches!(w.core.state(1), State::Stopping { .. }));
    w.exit(0, Exit::Signal(15));
    w.tick(60_000);
    assert!(!w.alive.contains(&0), "it waits");
    w.step(normal(true));
    assert!(w.alive.contains(&0));
}

#[test]
fn safe_mode_stops_who_is_late_or_degraded_too() {
    let normal = |holds| Input::Milestone {
        which: Milestone::Normal,
        holds,
    };
    for degraded in [false, true] {
        let mut w = World::new(vec![unit(
            "agent",
            "type='notify'\nwatchdog_sec=1\nrequires=['normal']",
        )]);
        w.step(normal(true));
        w.step(Input::Ready { unit: 0 });
        let there = |w: &World| match w.core.state(0) {
            State::Late { .. } => !degraded,
            State::Degraded { .. } => degraded,
            _ => false,
        };
        while !there(&w) {
            assert!(w.now < 60_000, "{:?}", w.core.state(0));
            w.tick(50);
        }
        w.step(normal(false));
        assert!(
            matches!(w.core.state(0), State::Stopping { .. }),
            "{:?}",
            w.core.state(0)
        );
        w.exit(0, Exit::Signal(15));
        w.tick(60_000);
        assert!(!w.alive.contains(&0), "it waits");
    }
}

#[test]
fn a_oneshot_is_done_and_a_failed_one_is_tried_again() {
    let mut w = World::new(vec![unit("a", "type='oneshot'"), unit("b", "requires=['a']")]);
    w.exit(0, Exit::Code(3));
    assert_eq!(w.alive, [].into());
    w.tick(1000);
    w.exit(0, Exit::Code(0));
    assert_eq!(w.core.state(0), State::Done);
    assert_eq!(w.alive, [1].into());
}

#[derive(Debug, Clone)]
enum Event {
    Pass(u16),
    Exit(u8, bool),
    Ready(u8),
    Heartbeat(u8),
    Restart(u8),
    Medium(bool),
    Silent(u32),
    Milestone(u8, bool),
    Extend(u8, u32),
    Interval(u8, u32),
    Trigger(u8),
    Reloading(u8),
    SpawnFails(u8),
    Found(u8),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let e = prop_oneof![
        6 => any::<u16>().prop_map(Event::Pass),
        4 => (any::<u8>(), any::<bool>()).prop_map(|(u, ok)| Event::Exit(u, ok)),
        4 => any::<u8>().prop_map(Event::Ready),
        3 => any::<u8>().prop_map(Event::Heartbeat),
        1 => any::<u8>().prop_map(Event::Restart),
        1 => any::<bool>().prop_map(Event::Medium),
        1 => (0u32..200_000).prop_map(Event::Silent),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(m, b)| Event::Milestone(m, b)),
        1 => (any::<u8>(), any::<u32>()).prop_map(|(u, b)| Event::Extend(u, b)),
        1 => (any::<u8>(), any::<u32>()).prop_map(|(u, b)| Event::Interval(u, b)),
        1 => any::<u8>().prop_map(Event::Trigger),
        1 => any::<u8>().prop_map(Event::Reloading),
        1 => any::<u8>().prop_map(Event::SpawnFails),
        1 => any::<u8>().prop_map(Event::Found),
    ];
    proptest::collection::vec(e, 0..120)
}

fn units() -> impl Strategy<Value = Vec<Unit>> {
    let one = (0u8..3, any::<bool>(), 0u8..4, any::<u8>(), any::<u8>(), 1u32..4);
    proptest::collection::vec(one, 1..6).prop_map(|v| {
        v.iter()
            .enumerate()
            .map(|(i, (kind, critical, wd, after, requires, burst))| {
                // Only earlier units are named, so there is no cycle, as `unit::load` guarantees.
                let deps = |mask: u8| (0..i).filter(|j| mask >> j & 1 == 1).map(|j| format!("'u{j}'")).collect::<Vec<_>>().join(",");
                let kind = ["simple", "notify", "oneshot"][usize::from(*kind)];
                let wd = if kind == "notify" { *wd } else { 0 };
                unit(
                    &format!("u{i}"),
                    &format!(
                        "type='{kind}'\ncritical={critical}\nwatchdog_sec={wd}\nafter=[{}]\nrequires=[{}]\nstart_limit_burst={burst}\nstart_timeout_sec=5\nstop_timeout_sec=3",
                        deps(*after), deps(*requires)
                    ),
                )
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// `World::step` asserts at every step: no unit twice, dependencies respected, watchdog fed iff no reboot decided,
    /// back-off bounded, one end. Whatever has happened, a shutdown then terminates, and in time.
    #[test]
    fn whatever_happens_the_rules_hold_and_shutdown_terminates(us in units(), evs in events(), stubborn: bool) {
        let n = us.len();
        let mut w = World::new(us);
        let pick = |u: u8| usize::from(u) % n;
        for e in evs {
            match e {
                Event::Pass(ms) => w.tick(u64::from(ms)),
                Event::Exit(u, ok) => w.exit(pick(u), Exit::Code(i32::from(!ok))),
                Event::Ready(u) if w.alive.contains(&pick(u)) && w.units[pick(u)].kind == Kind::Notify => w.step(Input::Ready { unit: pick(u) }),
                Event::Ready(_) => {}
                Event::Heartbeat(u) => w.step(Input::Heartbeat { unit: pick(u) }),
                Event::Restart(u) => w.step(Input::Restart { unit: pick(u), why: "test".into() }),
                Event::Medium(present) => w.step(Input::Medium { present }),
                Event::Silent(ms) => w.step(Input::MediumSilent { for_ms: u64::from(ms) }),
                Event::Milestone(m, holds) => w.step(Input::Milestone { which: Milestone::ALL[usize::from(m) % Milestone::ALL.len()].1, holds }),
                Event::Extend(u, by) => w.step(Input::Extend { unit: pick(u), by: u64::from(by) }),
                Event::Interval(u, every) => w.step(Input::Interval { unit: pick(u), every: u64::from(every) }),
                Event::Trigger(u) => w.step(Input::Trigger { unit: pick(u) }),
                Event::Reloading(u) => w.step(Input::Reloading { unit: pick(u) }),
                Event::SpawnFails(u) => w.fails_to_start(pick(u)),
                Event::Found(u) => if !w.alive.contains(&pick(u)) { w.find(pick(u)); },
            }
        }
        let fed = w.core.feeds_watchdog();
        w.step(Input::Shutdown { ending: Ending::PowerOff, why: "test".into() });
        let begun = w.now;
        while w.ended.is_none() {
            prop_assert!(w.now - begun <= SHUTDOWN_MAX + 100, "shutdown does not terminate: {:?}", w.states());
            w.tick(100);
            if !stubborn {
                let last = w.alive.iter().copied().find(|u| matches!(w.core.state(*u), State::Stopping { .. }));
                if let Some(u) = last {
                    w.exit(u, Exit::Signal(15));
                }
            }
        }
        prop_assert_eq!(w.core.feeds_watchdog(), fed, "a shutdown by hand must not starve the watchdog");
    }

    /// A unit that stops beating never stays Ready: it climbs, whatever its deadline and whoever else runs.
    #[test]
    fn every_late_unit_climbs(us in units(), dies_at in 0u8..4) {
        let mut w = World::new(us);
        for _ in 0..4 {
            for u in 0..w.units.len() {
                if w.units[u].kind == Kind::Notify && w.alive.contains(&u) { w.step(Input::Ready { unit: u }); }
                if w.units[u].kind == Kind::Oneshot { w.exit(u, Exit::Code(0)); }
            }
        }
        let watched: Vec<_> = (0..w.units.len()).filter(|u| w.units[*u].watchdog > 0 && w.alive.contains(u)).collect();
        let mut highest = BTreeMap::new();
        for _ in 0..400 {
            w.tick(100);
            for u in &watched {
                let facts = w.core.view(*u).unwrap();
                let (rung, restarts) = (facts.rung, facts.restarts);
                highest.entry(*u).and_modify(|h: &mut (Option<Rung>, u32)| *h = (h.0.max(rung), h.1.max(restarts))).or_insert((rung, restarts));
                let state = w.core.state(*u);
                let gone = match dies_at { 0 => matches!(state, State::Aborting { .. }), 1 => matches!(state, State::Killing { .. }), _ => false };
                if gone { w.exit(*u, Exit::Signal(9)); }
            }
        }
        for (u, (rung, restarts)) in highest {
            prop_assert!(rung >= Some(Rung::Abort) && (restarts > 0 || w.core.is_stopping() || rung >= Some(Rung::Quarantine)), "u{u}: {rung:?}");
        }
    }
}
