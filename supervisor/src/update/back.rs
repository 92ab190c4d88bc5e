//! Back to the system in the other slot: because a person wants it, or as the ladder's step when this one has restarted itself
//! three times in a row.
//!
//! Only a system that has proven itself is gone back to. What the ladder leaves is marked bad, so that two systems that both
//! fail do not take turns for ever: then the box stays in safe mode. The switch is the write of one sector; the restart after it
//! is an ordinary one.

use serde::{Deserialize, Serialize};
use wire::event::Severity;
use wire::supervisor::Medium;
use wire::update::{SlotState, UpdateView};

use crate::core::{Ending, Input, REBOOTS_MAX};
use crate::shell::desk::Desk;
use crate::shell::helper::Task;

/// How far it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Back {
    /// The ladder has tried it in this boot.
    by_ladder: bool,
    /// It is written: why the box restarts.
    done: Option<String>,
    /// It was not done, and why.
    refused: Option<String>,
    /// A helper is at it, and has not said yet what came of it.
    #[serde(default)]
    ordered: bool,
}

/// What a helper is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Order {
    /// Who wants it, or what is wrong with the system that is left, in words.
    pub why: String,
    /// The slot that is left is marked bad.
    pub bad: bool,
}

/// Whether the box may go back to its other system, as far as its status tells.
///
/// # Errors
/// Why not, in a sentence.
fn may(view: &UpdateView, medium: Medium, writing: bool) -> Result<(), String> {
    if medium != Medium::Disk {
        return Err("the boot medium is not in use".into());
    }
    let Some(other) = view.slots.iter().find(|s| !s.running) else {
        return Err("its slots are not known".into());
    };
    let name = other.name.to_uppercase();
    match other.state {
        _ if writing => Err("an update is being written".into()),
        SlotState::Good => Ok(()),
        SlotState::Trying => Err(format!(
            "the system in slot {name} has not proven itself; a restart tries it"
        )),
        SlotState::Bad => Err(format!("the system in slot {name} has failed, or is not whole")),
        SlotState::Empty => Err(format!("there is no system in slot {name}")),
    }
}

impl Back {
    /// A helper has done it, or not.
    pub(super) fn heard(&mut self, word: &str, rest: &str) {
        self.ordered = false;
        match word {
            "back" => self.done = Some(rest.to_owned()),
            _ => self.refused = Some(rest.to_owned()),
        }
    }

    /// The helper has ended, or could not be started. One that was killed, as when the boot medium leaves, has not said what came of it.
    pub(super) fn ended(&mut self) {
        if std::mem::take(&mut self.ordered) {
            let why = "who wrote that has ended before it was done, as when the boot medium leaves. The next start may be of the other system all the same";
            self.refused = Some(why.to_owned());
        }
    }

    /// Looks at what is asked for, and says what a helper is to do. `in_a_row`: reboots by the ladder of this slot.
    pub(super) fn turn(desk: &mut Desk, in_a_row: u32) -> Option<Order> {
        let order = Self::due(desk, in_a_row);
        desk.update.back.ordered |= order.is_some();
        order
    }

    fn due(desk: &mut Desk, in_a_row: u32) -> Option<Order> {
        if let Some(why) = desk.update.back.done.take() {
            let ending = Ending::Reboot;
            desk.inputs.push_back(Input::Shutdown { ending, why });
            return None;
        }
        if let Some(why) = desk.update.back.refused.take() {
            let text = format!("The box does not go back to its other system: {why}.");
            desk.banner("back", Severity::Warning, text);
        }
        if desk.runs(Task::Slots) {
            return None;
        }
        let writing = desk.update.view.writing.is_some();
        let judged = |desk: &Desk| may(&desk.update.view, desk.boot.medium, writing);
        if let Some(why) = desk.back.take() {
            return match judged(desk) {
                Ok(()) => Some(Order { why, bad: false }),
                Err(refused) => {
                    desk.update.back.refused = Some(refused);
                    None
                }
            };
        }
        // Where GRUB counts starts, it decides.
        let looked = !desk.update.view.slots.is_empty() && desk.update.trial.is_none();
        if in_a_row >= REBOOTS_MAX && looked && !desk.update.back.by_ladder {
            desk.update.back.by_ladder = true;
            return judged(desk).ok().map(|()| Order {
                why: format!("this one restarted itself {in_a_row} times in a row"),
                bad: true,
            });
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::update::SlotView;

    fn desk(other: SlotState) -> Desk {
        let slot = |name: &str, state, running| SlotView {
            name: name.into(),
            state,
            version: None,
            running,
            next: running,
            tries_left: 0,
        };
        let mut desk = Desk::default();
        desk.boot.medium = Medium::Disk;
        desk.update.view.slots = vec![slot("a", SlotState::Good, true), slot("b", other, false)];
        desk
    }

    fn told(desk: &Desk) -> String {
        desk.banners.iter().map(|(_, b)| b.text.as_str()).collect()
    }

    #[test]
    fn only_a_system_that_has_proven_itself_is_gone_back_to() {
        let asked = |desk: &mut Desk| {
            desk.back = Some("asked for by ada".into());
            let order = Back::turn(desk, 0);
            assert_eq!(Back::turn(desk, 0), None, "asked for once");
            order
        };
        let mut good = desk(SlotState::Good);
        let order = asked(&mut good);
        assert_eq!(
            order,
            Some(Order {
                why: "asked for by ada".into(),
                bad: false
            })
        );
        assert_eq!(told(&good), "");
        for (state, why) in [
            (SlotState::Empty, "no system in slot B"),
            (SlotState::Bad, "has failed, or is not whole"),
            (SlotState::Trying, "has not proven itself"),
        ] {
            let mut desk = desk(state);
            assert_eq!(asked(&mut desk), None);
            assert!(told(&desk).contains(why), "{}", told(&desk));
            assert!(desk.inputs.is_empty(), "nothing restarts");
        }
        let mut away = desk(SlotState::Good);
        away.boot.medium = Medium::Ram;
        assert_eq!(asked(&mut away), None);
        assert!(told(&away).contains("boot medium"), "{}", told(&away));
        let mut unknown = Desk::default();
        unknown.boot.medium = Medium::Disk;
        assert_eq!(asked(&mut unknown), None);
    }

    #[test]
    fn an_order_whose_helper_ends_without_a_word_is_told() {
        let mut desk = desk(SlotState::Good);
        for said in [None, Some("back"), Some("noback")] {
            desk.back = Some("asked for by ada".into());
            assert!(Back::turn(&mut desk, 0).is_some());
            if let Some(word) = said {
                desk.update.back.heard(word, "so");
            }
            desk.update.ended(Task::Slots, true);
            assert_eq!(Back::turn(&mut desk, 0), None);
            let told = std::mem::take(&mut desk.banners).pop().map(|(_, banner)| banner.text);
            let text = told.unwrap_or_default();
            let word = match said {
                None => "as when the boot medium leaves",
                Some("back") => "",
                Some(_) => ": so.",
            };
            assert!(
                text.contains(word) && text.is_empty() == word.is_empty(),
                "{said:?}: {text}"
            );
        }
        desk.update.ended(Task::Slots, false);
        assert_eq!(Back::turn(&mut desk, 0), None);
        assert_eq!(told(&desk), "", "a look that failed is no order");
    }

    #[test]
    fn the_ladder_goes_back_once_at_the_third_reboot_in_a_row() {
        for (state, in_a_row, goes) in [
            (SlotState::Good, 3, true),
            (SlotState::Good, 7, true),
            (SlotState::Good, 2, false),
            (SlotState::Bad, 3, false),
            (SlotState::Empty, 3, false),
            (SlotState::Trying, 3, false),
        ] {
            let mut desk = desk(state);
            let order = Back::turn(&mut desk, in_a_row);
            assert_eq!(order.is_some_and(|o| o.bad), goes, "{state:?} {in_a_row}");
            assert_eq!(Back::turn(&mut desk, in_a_row), None);
            assert_eq!(told(&desk), "", "safe mode tells");
        }
        let mut desk = desk(SlotState::Good);
        desk.update.trial = Some(super::super::Trial::default());
        assert_eq!(Back::turn(&mut desk, 3), None, "GRUB counts the starts of a trial");
    }

    #[test]
    fn what_is_written_restarts_the_box_with_its_reason() {
        let mut desk = desk(SlotState::Good);
        desk.update
            .back
            .heard("back", "back to the system in slot B, asked for by ada");
        assert_eq!(Back::turn(&mut desk, 0), None);
        let why = "back to the system in slot B, asked for by ada".to_owned();
        assert_eq!(
            desk.inputs.pop_back(),
            Some(Input::Shutdown {
                ending: Ending::Reboot,
                why
            })
        );
    }
}
