//! Every short schedule: all sequences of a few events over small worlds, each followed by a world that fails for ever and
//! by one that behaves. What must hold at each step is asserted by `World::step` (see `tests.rs`).

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a failed unwrap is a failed test"
)]

use super::tests::{World, moves_seen, unit};
use super::*;
use state::{LEGAL, Place};

/// What can happen next.
#[derive(Debug, Clone, Copy)]
enum Step {
    Ready,
    Heartbeat,
    Fails,
    Succeeds,
    NextDeadline,
    AMinute,
    Restart,
    MediumAway,
    MediumBack,
    Found,
    CannotStart,
    ShutDown,
    Trigger,
}

const ALL: [Step; 13] = [
    Step::Ready,
    Step::Heartbeat,
    Step::Fails,
    Step::Succeeds,
    Step::NextDeadline,
    Step::AMinute,
    Step::Restart,
    Step::MediumAway,
    Step::MediumBack,
    Step::Found,
    Step::CannotStart,
    Step::ShutDown,
    Step::Trigger,
];

/// Does it to unit 0, where it can happen; `false` where it cannot.
fn take(w: &mut World, step: Step) -> bool {
    let runs = w.alive.contains(&0);
    match step {
        Step::Ready if runs && w.units[0].kind == Kind::Notify => w.step(Input::Ready { unit: 0 }),
        Step::Heartbeat if runs && w.units[0].watchdog > 0 => w.step(Input::Heartbeat { unit: 0 }),
        Step::Fails if runs => w.exit(0, Exit::Code(1)),
        Step::Succeeds if runs => w.exit(0, Exit::Code(0)),
        Step::NextDeadline => match w.core.next_deadline() {
            Some(at) => w.tick((at + 1).saturating_sub(w.now)),
            None => return false,
        },
        Step::AMinute => w.tick(STABLE),
        Step::Restart => w.step(Input::Restart {
            unit: 0,
            why: "asked".into(),
        }),
        Step::MediumAway if w.core.medium_present => w.step(Input::Medium { present: false }),
        Step::MediumBack if !w.core.medium_present => w.step(Input::Medium { present: true }),
        // After a replacement of PID 1: a process that the old one had just started.
        Step::Found if !runs && w.ended.is_none() => w.find(0),
        Step::Trigger if runs && w.units[0].watchdog > 0 => w.step(Input::Trigger { unit: 0 }),
        Step::CannotStart if runs => w.fails_to_start(0),
        Step::ShutDown if w.ended.is_none() && !w.core.is_stopping() => w.step(Input::Shutdown {
            ending: Ending::PowerOff,
            why: "asked".into(),
        }),
        _ => return false,
    }
    true
}

/// From here on nothing ever works: the unit must come to quarantine, to a reboot or to the end of a shutdown.
fn all_fails(mut w: World) {
    let before = w.now;
    for _ in 0..600 {
        let over = matches!(w.core.state(0), State::Quarantine { .. } | State::Done);
        if over || w.ended.is_some() || w.core.verdict().is_some() {
            return;
        }
        if w.alive.contains(&0) && !w.core.is_stopping() {
            w.exit(0, Exit::Code(1));
        } else {
            w.tick(1_000);
        }
        assert!(w.now - before < 3_600_000);
    }
    panic!("a unit that always fails is at {:?}", w.core.state(0));
}

/// From here on all goes well: the unit must come to be ready (a one-shot: done), unless the box is on its way down.
fn all_works(mut w: World) {
    for _ in 0..700 {
        if w.ended.is_some() {
            return;
        }
        let stopping = w.core.is_stopping();
        match w.core.state(0) {
            State::Ready { .. } if !stopping => return,
            State::Done if !stopping => return,
            State::Starting { .. } | State::Late { .. } | State::Degraded { .. } if !stopping => {
                match w.units[0].kind {
                    Kind::Notify => {
                        w.step(Input::Ready { unit: 0 });
                        w.step(Input::Heartbeat { unit: 0 });
                    }
                    Kind::Oneshot => w.exit(0, Exit::Code(0)),
                    Kind::Simple => w.tick(1_000),
                }
            }
            State::Stopping { .. } | State::Aborting { .. } | State::Killing { .. } => w.exit(0, Exit::Signal(15)),
            _ => w.tick(1_000),
        }
    }
    panic!("a unit that works is at {:?}", w.core.state(0));
}

fn explore(w: &World, depth: usize, leaves: &mut usize) {
    if depth == 0 {
        *leaves += 1;
        // Every tenth leaf is followed up both ways: their states are few and repeat.
        let waits_for_ever = w.units[0].requires == ["gone"];
        if leaves.is_multiple_of(10) && !waits_for_ever {
            all_fails(w.clone());
            all_works(w.clone());
        }
        return;
    }
    for step in ALL {
        let mut next = w.clone();
        if take(&mut next, step) {
            explore(&next, depth - 1, leaves);
        }
    }
}

#[test]
fn every_short_schedule_keeps_the_rules_and_uses_every_legal_move() {
    let worlds: [(&[&str], usize); 6] = [
        (
            &["type='notify'\nwatchdog_sec=4\ncritical=true\nstart_limit_burst=1\nrestart_sec=1\nstart_timeout_sec=5"],
            5,
        ),
        (
            &["type='notify'\nwatchdog_sec=4\nstart_limit_burst=2\nrestart_sec=0.1\nstart_timeout_sec=5"],
            5,
        ),
        (&["type='simple'\nstart_limit_burst=1\nrestart_sec=1"], 5),
        (
            &["type='oneshot'\nstart_limit_burst=1\nrestart_sec=1\nstart_timeout_sec=5"],
            5,
        ),
        // One that another needs, so that a shutdown waits for that one first.
        (
            &[
                "type='notify'\nwatchdog_sec=4\nstart_limit_burst=1\nrestart_sec=1\nstart_timeout_sec=5",
                "after=['u0']",
            ],
            4,
        ),
        (&["requires=['gone']"], 3),
    ];
    let mut leaves = 0;
    for (files, depth) in worlds {
        let fresh = || {
            World::new(
                files
                    .iter()
                    .enumerate()
                    .map(|(n, more)| unit(&format!("u{n}"), more))
                    .collect(),
            )
        };
        explore(&fresh(), depth, &mut leaves);
        // Deeper where it gets interesting: up the ladder, in quarantine, without a medium.
        let mut w = fresh();
        for n in 0..12 {
            take(&mut w, Step::NextDeadline);
            explore(&w, if n < 4 { depth - 2 } else { 1 }, &mut leaves);
        }
        let mut w = fresh();
        take(&mut w, Step::Ready);
        for _ in 0..4 {
            take(&mut w, Step::NextDeadline);
            explore(&w, depth - 2, &mut leaves);
        }
        let mut w = fresh();
        w.step(Input::Medium { present: false });
        for _ in 0..3 {
            take(&mut w, Step::Fails);
            take(&mut w, Step::NextDeadline);
            explore(&w, depth - 2, &mut leaves);
        }
    }
    println!("{leaves} schedules");
    assert!(leaves > 50_000, "{leaves} schedules are too few");
    let seen = moves_seen();
    let unused: Vec<(Place, Place)> = LEGAL
        .iter()
        .flat_map(|(from, to)| to.iter().map(move |t| (*from, *t)))
        .filter(|m| !seen.contains(m))
        .collect();
    assert_eq!(unused, [], "the table allows what never happens");
}
