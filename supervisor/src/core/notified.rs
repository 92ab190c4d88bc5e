//! Tables of what a service may say of itself besides being ready and alive (sd_notify(3)).

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a failed unwrap is a failed test"
)]

use super::tests::{World, unit};
use super::*;

fn ready(more: &str) -> World {
    let mut w = World::new(vec![unit("a", &format!("type='notify'\n{more}"))]);
    w.step(Input::Ready { unit: 0 });
    w
}

fn reason(w: &World) -> String {
    w.core.view(0).unwrap().reason.to_owned()
}

#[test]
fn who_reports_its_own_failure_climbs_at_once_from_wherever_it_is() {
    for (passed, rung) in [(0, None), (4_100, Some(Rung::Late)), (1_100, Some(Rung::Degraded))] {
        let mut w = ready("watchdog_sec=4");
        if rung == Some(Rung::Degraded) {
            w.tick(4_100);
        }
        w.tick(passed);
        assert_eq!(w.core.view(0).unwrap().rung, rung, "after {passed} ms");
        w.step(Input::Trigger { unit: 0 });
        assert!(
            matches!(w.core.state(0), State::Aborting { .. }),
            "{:?}",
            w.core.state(0)
        );
        // A heartbeat of another of its threads takes nothing back.
        w.step(Input::Heartbeat { unit: 0 });
        assert!(matches!(w.core.state(0), State::Aborting { .. }));
        assert_eq!(w.seen.iter().filter(|a| **a == Action::Abort(0)).count(), 1);
        w.exit(0, Exit::Signal(6));
        assert!(w.core.view(0).unwrap().restarts <= 1);
        if passed == 0 {
            assert!(reason(&w).contains("it reports its own failure"), "{}", reason(&w));
        }
    }
    let mut w = World::new(vec![unit("a", "type='notify'")]);
    w.step(Input::Trigger { unit: 0 });
    assert!(
        matches!(w.core.state(0), State::Aborting { .. }),
        "while it starts, too"
    );
    w.step(Input::Trigger { unit: 0 });
    w.step(Input::Trigger { unit: 7 });
}

#[test]
fn a_service_chooses_its_heartbeat_for_one_run_and_within_bounds() {
    let mut w = ready("watchdog_sec=60");
    w.step(Input::Interval { unit: 0, every: 1_000 });
    assert_eq!(w.core.next_deadline(), Some(1_001));
    w.tick(1_100);
    assert!(matches!(w.core.state(0), State::Late { .. }));
    assert!(reason(&w).contains("allowed 1 s"), "{}", reason(&w));
    w.exit(0, Exit::Signal(9));
    w.step(Input::Ready { unit: 0 });
    w.tick(59_000);
    assert!(matches!(w.core.state(0), State::Ready { .. }), "its file's time again");
    // One that its file does not watch may ask to be; nobody is let off for ever.
    let mut w = ready("");
    w.step(Input::Interval {
        unit: 0,
        every: u64::MAX,
    });
    w.tick(600_001);
    assert!(matches!(w.core.state(0), State::Late { .. }));
    let mut w = ready("watchdog_sec=60");
    w.step(Input::Interval { unit: 0, every: 1 });
    w.tick(90);
    assert!(matches!(w.core.state(0), State::Ready { .. }), "not faster than 0.1 s");
}

#[test]
fn who_reloads_stays_ready_and_has_the_time_of_a_start() {
    let mut w = ready("start_timeout_sec=5\nwatchdog_sec=60");
    w.step(Input::Reloading { unit: 0 });
    assert_eq!(w.core.next_deadline(), Some(5_000));
    w.tick(4_900);
    w.step(Input::Ready { unit: 0 });
    w.tick(4_900);
    assert!(matches!(w.core.state(0), State::Ready { .. }), "it was done in time");
    w.step(Input::Reloading { unit: 0 });
    w.step(Input::Extend { unit: 0, by: 20_000 });
    w.tick(19_000);
    assert!(matches!(w.core.state(0), State::Ready { .. }), "it asked for more");
    w.tick(1_100);
    assert!(matches!(w.core.state(0), State::Late { .. }));
    assert!(reason(&w).contains("after it began to reload"), "{}", reason(&w));
}

#[test]
fn who_has_reloaded_a_little_late_is_back_and_lives() {
    for (late, rung) in [(1_000, Rung::Late), (5_500, Rung::Degraded)] {
        let mut w = ready("start_timeout_sec=2");
        w.step(Input::Reloading { unit: 0 });
        w.tick(2_000);
        w.tick(late);
        assert_eq!(w.core.view(0).unwrap().rung, Some(rung));
        w.step(Input::Ready { unit: 0 });
        assert!(matches!(w.core.state(0), State::Ready { .. }), "{:?}", w.core.state(0));
        w.tick(600_000);
        assert!(matches!(w.core.state(0), State::Ready { .. }));
        assert!(w.alive.contains(&0) && !w.seen.contains(&Action::Abort(0)));
    }
    // Of one that has only its heartbeat to be late with, that is what is waited for.
    let mut w = ready("watchdog_sec=4");
    w.tick(4_100);
    w.step(Input::Ready { unit: 0 });
    assert!(matches!(w.core.state(0), State::Late { .. }));
}

#[test]
fn who_reloads_without_end_is_told_a_few_times_and_then_how_often() {
    let mut w = ready("");
    for _ in 0..5_000 {
        w.step(Input::Reloading { unit: 0 });
        w.step(Input::Ready { unit: 0 });
    }
    let told = |w: &World| {
        let lines = w.seen.iter().filter_map(|a| match a {
            Action::Log { text, .. } if text.starts_with("reloading") => Some(text.to_string()),
            _ => None,
        });
        lines.collect::<Vec<_>>()
    };
    assert_eq!(told(&w).len(), 10);
    w.tick(60_000);
    w.step(Input::Reloading { unit: 0 });
    assert_eq!(
        told(&w).last().unwrap(),
        "reloading, and 4990 times before that was not told"
    );
}

#[test]
fn what_a_service_says_of_its_failure_is_told_with_its_end_and_once() {
    let mut w = ready("");
    w.step(Input::Said {
        unit: 0,
        what: "it said: errno 5, Input/output error".into(),
    });
    w.exit(0, Exit::Code(1));
    let told = "ended with exit status 1 (it said: errno 5, Input/output error)";
    assert!(reason(&w).starts_with(told), "{}", reason(&w));
    w.tick(1_000);
    w.step(Input::Ready { unit: 0 });
    w.exit(0, Exit::Code(2));
    assert!(!reason(&w).contains("errno"), "{}", reason(&w));
}
