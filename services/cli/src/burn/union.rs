//! What is kept of a burn-in, and of a later one that had not written yet (`.begun`): which of both is shown, and how they become one.
//! Pure: [`super::state`] reads the files and does the acts, in their order. After a kill or a power cut between any two of them
//! they are decided anew, and come to the same: nothing that was found is lost, and nothing counts twice.
//!
//! | earlier \ later | nothing | begun | begun, counted before | anything else |
//! |---|---|---|---|---|
//! | nothing, or its verdict | earlier | later; it moves up | later; it moves up | cannot be read |
//! | a place, or begun | earlier | earlier; what the later found is added | earlier; the later is forgotten | cannot be read |
//! | damaged | earlier | earlier; both become one, in place of what is set aside | the same | cannot be read |
//! | cannot be read | earlier | earlier; both stay | earlier; both stay | earlier; both stay |

use super::remains::Remains;
use super::saved::Saved;
use super::state::Found;

/// Which of both is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    Earlier,
    Later,
    /// The later one is no burn-in before its first write, or cannot be read: it may tell of a fault.
    Neither,
}

/// What is done to the files.
#[derive(Debug)]
pub(super) enum Act {
    /// A second name for the earlier one, which cannot be used; it stays where it is, too.
    SetAside,
    /// This takes the earlier one's place, at once and whole.
    Keep(Box<Saved>),
    /// The later one takes the earlier one's place, at once and whole.
    MoveUp,
    /// The later one is removed: it counts in what is kept.
    Forget,
}

/// Which of both is shown.
pub(super) fn shown(earlier: &Found, later: &Found) -> Shown {
    match (earlier, later) {
        (_, Found::Nothing) | (Found::Unreadable(_), _) => Shown::Earlier,
        (_, Found::Good(_) | Found::Ended(_) | Found::Bad(..) | Found::Unreadable(_)) => Shown::Neither,
        (Found::Nothing | Found::Ended(_), Found::Begun(_)) => Shown::Later,
        (Found::Good(_) | Found::Begun(_) | Found::Bad(..), Found::Begun(_)) => Shown::Earlier,
    }
}

/// How both become one; nothing where the later one is none, or the earlier one cannot be read.
pub(super) fn acts(earlier: &Found, later: &Found) -> Vec<Act> {
    let Found::Begun(later) = later else {
        return Vec::new();
    };
    match earlier {
        Found::Nothing | Found::Ended(_) => vec![Act::MoveUp],
        Found::Good(found) => into(&found.0, later),
        Found::Begun(saved) => into(saved, later),
        Found::Bad(_, left) => vec![Act::SetAside, Act::Keep(instead(left.as_deref(), later)), Act::Forget],
        Found::Unreadable(_) => Vec::new(),
    }
}

fn into(earlier: &Saved, later: &Saved) -> Vec<Act> {
    if earlier.took_in == Some(later.job) {
        return vec![Act::Forget];
    }
    let mut one = Saved {
        took_in: Some(later.job),
        ..earlier.clone()
    };
    one.add(&Remains::of(later));
    vec![Act::Keep(Box::new(one)), Act::Forget]
}

/// The later one with what is left of the earlier one.
fn instead(earlier: Option<&Remains>, later: &Saved) -> Box<Saved> {
    let mut one = Saved {
        took_in: Some(later.job),
        ..later.clone()
    };
    if let Some(earlier) = earlier {
        // Whose header the drive carries is the earlier one's to tell.
        one.job = earlier.job.unwrap_or(one.job);
        one.key = earlier.key;
        one.started = earlier.started.unwrap_or(one.started);
        one.resumes.clone_from(&earlier.resumes);
        one.add(earlier);
    } else {
        // Nothing of it can be read.
        one.torn = true;
    }
    Box::new(one)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::burn::state::tests::each;

    /// The table in this module's head, all pairs of it.
    #[test]
    fn every_pair_is_shown_and_united_as_the_table_says() {
        for (earlier, state) in each() {
            for (later, now) in each() {
                let pair = format!("{earlier}, then {later}");
                let wanted = match (earlier, later) {
                    (_, "nothing") | ("unreadable", _) => (Shown::Earlier, ""),
                    ("nothing" | "ended", "begun") => (Shown::Later, "up"),
                    ("begun" | "a place", "begun") => (Shown::Earlier, "keep, forget"),
                    ("damaged", "begun") => (Shown::Earlier, "aside, keep, forget"),
                    _ => (Shown::Neither, ""),
                };
                let acts = acts(&state, &now);
                let words: Vec<&str> = acts.iter().map(word).collect();
                assert_eq!((shown(&state, &now), words.join(", ").as_str()), wanted, "{pair}");
                // Whoever is cut off behind what is kept finds that the later one is in it.
                if let Some(Act::Keep(one)) = acts.into_iter().find(|act| matches!(act, Act::Keep(_))) {
                    let again = super::acts(&Found::Begun(one), &now);
                    assert_eq!(again.iter().map(word).collect::<Vec<_>>(), ["forget"], "{pair}");
                }
            }
        }
    }

    fn word(act: &Act) -> &'static str {
        match act {
            Act::SetAside => "aside",
            Act::Keep(_) => "keep",
            Act::MoveUp => "up",
            Act::Forget => "forget",
        }
    }
}
