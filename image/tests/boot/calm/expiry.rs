//! What was armed and not started within 120 seconds is void.

use std::time::Duration;

use super::{KEPT, calm, untouched};

/// How long a plan is good for, and a little: the agent counts by its own clock.
const VOID_AFTER: Duration = Duration::from_secs(125);

#[test]
fn an_armed_plan_of_two_minutes_ago_starts_nothing() {
    calm(|it| {
        let (made, plan, armed) = &it.armed;
        std::thread::sleep(VOID_AFTER.saturating_sub(made.elapsed()));
        let refused = it.bench.fire(plan, armed).unwrap_err();
        println!("after {} s: {refused}", made.elapsed().as_secs());
        assert_eq!(refused.kind, "plan-expired", "{refused}");
        assert!(it.bench.jobs().is_empty() && untouched(&it.lab, KEPT));
    });
}
