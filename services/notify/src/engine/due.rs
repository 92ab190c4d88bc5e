//! Which of the messages that wait may be tried now. Pure.

use std::collections::{BTreeMap, BTreeSet};

use wire::Time;

use super::FARTHEST;

/// What waits, in memory: number → channel and next attempt.
pub(super) type Index = BTreeMap<u64, (u64, Time)>;

/// Channels whose service asked for a wait, and until when: a message that is sent before only earns the next one.
pub(super) type Quiet = BTreeMap<u64, Time>;

/// Numbers and channels of what may be tried now, one a channel, the oldest first; and when there will be more.
pub(super) fn due(waiting: &Index, quiet: &Quiet, busy: &BTreeSet<u64>, now: Time) -> (Vec<(u64, u64)>, Option<Time>) {
    // A time that far ahead was written before the clock was set back.
    let odd = |at: Time| now.checked_add(FARTHEST).is_ok_and(|farthest| at > farthest);
    let mut taken = busy.clone();
    let mut due = Vec::new();
    let mut next: Option<Time> = None;
    for (id, (service, at)) in waiting {
        let until = quiet.get(service).copied().filter(|until| !odd(*until));
        let at = until.map_or(*at, |until| until.max(*at));
        if at <= now || odd(at) {
            if taken.insert(*service) {
                due.push((*id, *service));
            }
        } else if next.is_none_or(|next| at < next) {
            next = Some(at);
        }
    }
    (due, next)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn at(second: i64) -> Time {
        Time::from_second(second).unwrap()
    }

    #[test]
    fn one_a_channel_is_tried_and_the_oldest_first() {
        let waiting = Index::from([(1, (7, at(10))), (2, (7, at(0))), (3, (8, at(0))), (4, (9, at(50)))]);
        let (found, next) = due(&waiting, &Quiet::new(), &BTreeSet::new(), at(10));
        assert_eq!((found, next), (vec![(1, 7), (3, 8)], Some(at(50))));
        let (found, _) = due(&waiting, &Quiet::new(), &BTreeSet::from([7]), at(10));
        assert_eq!(found, [(3, 8)]);
    }

    #[test]
    fn a_channel_whose_service_asked_for_a_wait_gets_it_for_all_its_messages() {
        let waiting = Index::from([(1, (7, at(0))), (2, (7, at(90))), (3, (8, at(0)))]);
        let quiet = Quiet::from([(7, at(60))]);
        let (found, next) = due(&waiting, &quiet, &BTreeSet::new(), at(10));
        assert_eq!((found, next), (vec![(3, 8)], Some(at(60))));
        let (found, next) = due(&waiting, &quiet, &BTreeSet::new(), at(60));
        assert_eq!((found, next), (vec![(1, 7), (3, 8)], Some(at(90))));
    }

    #[test]
    fn a_clock_that_was_set_back_holds_nothing_for_ever() {
        let years = at(10 * 365 * 86_400);
        let waiting = Index::from([(1, (7, years)), (2, (8, at(0)))]);
        let (found, _) = due(&waiting, &Quiet::from([(8, years)]), &BTreeSet::new(), at(10));
        assert_eq!(found, [(1, 7), (2, 8)]);
    }
}
