//! A self-test of ours that runs longer than any does: it is given up, and ended on the drive like one that is ended for heat.
//!
//! Left alone it would run on beside write and verify, and the next one would wait a day for it as for another's. A drive whose status
//! sticks at "in progress" may not take the order, or take it and change nothing: then it is remembered, for as long as this process
//! lives, that what runs is ours, and the next one waits for minutes. What was given up has failed where its entry says so by then, and has never
//! passed. Tested in `tests/self_test.rs`.

use std::path::Path;

use wire::job::{SelfTest, SelfTestOutcome};

use super::abort::{ABORT_TRIES, Ending, NotEnded, end_ours};
use super::{Running, ended};
use crate::identity::Identity;
use crate::smart::Smartctl;

/// Ends `running`, which was given up for the reason `told`, on the drive at `node`; its result, with what the drive made of it.
pub(super) fn give_up(
    smartctl: &Smartctl,
    node: &Path,
    expected: &Identity,
    running: &Running,
    told: &str,
) -> SelfTest {
    let over = match end_ours(smartctl, node, expected, running) {
        Ok(Ending::Over(entry)) => Ok(Some(running.told_by(&entry))),
        Ok(Ending::Ordered) => seen_to_end(smartctl, node, expected, running),
        Err(why) => Err(did_not(&why)),
    };
    smartctl.note_stuck_test(expected, over.is_err());
    let more = match over {
        Ok(Some(test)) if test.outcome == SelfTestOutcome::Failed => return test,
        Ok(Some(test)) if test.outcome == SelfTestOutcome::Passed => {
            format!("it ended too late to count: {}", test.told)
        }
        Ok(Some(_) | None) => "it was ended on the drive".to_owned(),
        Err(why) => why,
    };
    ended(running.kind, SelfTestOutcome::Unknown, format!("{told}; {more}"), None)
}

fn did_not(why: &NotEnded) -> String {
    format!("the drive did not end it: {why}")
}

/// Whether the drive shows that it ended by the order, which it may take a while for; its entry, where it has one by then.
fn seen_to_end(
    smartctl: &Smartctl,
    node: &Path,
    expected: &Identity,
    running: &Running,
) -> Result<Option<SelfTest>, String> {
    for _ in 0..ABORT_TRIES {
        std::thread::sleep(smartctl.patience / 10);
        if let Ok(now) = smartctl.read(node, expected) {
            if let Some(entry) = running.over(&now) {
                return Ok(Some(running.told_by(&entry)));
            }
            if now.protocol == running.protocol && now.self_test_remaining.is_none() {
                return Ok(None);
            }
        }
    }
    Err("the drive was ordered to end it and does not show that it did".to_owned())
}
