//! What was done and seen beside the engine: the look before the job, self-tests, formatting, and the heat meanwhile.

use wire::job::{Phase, SelfTest, SelfTestOutcome};

use super::Metrics;
use crate::evidence::Stop;
use crate::verdict::{Case, heat};

pub(super) fn put(case: &Case<'_>, metrics: &mut Metrics) {
    let told = |tests: &[&SelfTest]| tests.iter().map(|t| t.told.as_str()).collect::<Vec<_>>().join("; ");
    for (name, outcomes) in [
        ("self_test.failed", &[SelfTestOutcome::Failed][..]),
        ("self_test.unsupported", &[SelfTestOutcome::Unsupported]),
        (
            "self_test.unfinished",
            &[SelfTestOutcome::Aborted, SelfTestOutcome::Unknown],
        ),
    ] {
        let these: Vec<&SelfTest> = case
            .self_tests
            .iter()
            .filter(|t| outcomes.contains(&t.outcome))
            .collect();
        match these.len() {
            0 => metrics.put(name, 0.0),
            n => metrics.say(name, n as f64, told(&these)),
        }
    }
    // An ended job has not come to all of them; that it was ended is told already.
    let missing = missing(case.self_tests_due, case.self_tests);
    metrics.put(
        "self_test.missing",
        if case.evidence.stopped.is_none() {
            missing as f64
        } else {
            0.0
        },
    );
    match case.formatted {
        Some(formatted) if case.wants_format => match &formatted.problem {
            Some(problem) => metrics.say("format.failed", 1.0, problem.clone()),
            None => metrics.put("format.failed", 0.0),
        },
        Some(_) => metrics.put("format.failed", 0.0),
        None => metrics.flag("format.failed", case.wants_format),
    }
    // What a drive refuses while another computer has it reserved tells nothing of its medium; by the page cache that is an error like others.
    let reserved = case.evidence.stopped == Some(Stop::Reserved);
    match case.unreadable.filter(|_| !reserved) {
        Some(why) => metrics.say("content.unreadable", 1.0, why.to_owned()),
        None => metrics.put("content.unreadable", 0.0),
    }
    match case.too_hot {
        Some(why) => metrics.say("heat.gave_up", 1.0, why.to_owned()),
        None => metrics.put("heat.gave_up", 0.0),
    }
    limits(case, metrics);
    if let Some((limit, over)) = heat::over_warning(case) {
        metrics.say("nvme.hot_meanwhile", over as f64, format!("warning at {limit} °C"));
    }
    if let Some(mean) = heat::mean(case) {
        let mean = (mean * 10.0).round() / 10.0;
        let name = if case.spins() == Some(false) {
            "heat.mean_flash"
        } else {
            "heat.mean_disk"
        };
        metrics.put(name, mean);
    }
}

/// How often, when and how far it reached the limit at which it pauses, and whether it stood there at the end: self-tests
/// cannot be paused, and nobody saw such a drive cool.
fn limits(case: &Case<'_>, metrics: &mut Metrics) {
    let limit = heat::limits(case).pause;
    let hot = heat::over_limit(case, limit);
    match (hot.first(), hot.last()) {
        (Some(first), Some(last)) => {
            let highest = hot.iter().filter_map(|point| point.temperature).max().unwrap_or(limit);
            let figures = format!("limit {limit}, highest {highest}, from {} to {}", first.at, last.at);
            metrics.say("heat.over_limit", hot.len() as f64, figures);
        }
        (None, _) | (_, None) => metrics.put("heat.over_limit", 0.0),
    }
    metrics.flag("heat.paused", case.paused_for_heat);
    if let Some(end) = heat::at_the_end(case) {
        if end >= limit {
            metrics.say("heat.hot_at_end", 1.0, format!("{end}, limit {limit}"));
        } else {
            metrics.put("heat.hot_at_end", 0.0);
        }
    }
}

/// How many self-tests that are due were not begun; one of another kind stands for none of them.
fn missing(due: &[Phase], ran: &[SelfTest]) -> usize {
    let mut left: Vec<Phase> = ran.iter().map(|test| test.phase).collect();
    let mut begun = |phase: &Phase| match left.iter().position(|ran| ran == phase) {
        Some(at) => {
            left.swap_remove(at);
            true
        }
        None => false,
    };
    due.len() - due.iter().filter(|phase| begun(phase)).count()
}
