//! Whether the slot that does not run may be overwritten: a pure table.
//!
//! What must stay is a system to fall back to. That is the running one where it has proven itself; where it has not, it is the
//! other one, if that has. Where neither has (safe mode after both were marked bad) there is nothing to lose, and an update is
//! the way out.
//!
//! | running | other good | other trying, bad or empty |
//! |---|---|---|
//! | good | yes | yes |
//! | trying | no: it is decided in minutes | no |
//! | bad, or its files are gone or damaged | no: it is the only proven one | yes |
//! | not known: no block | no: the block is written anew in minutes | no |

use wire::update::SlotState;

use super::slots::{Slots, other};
use super::writer::Refusal;

/// What the environment block says of the running slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Runs {
    Good,
    Trying,
    Bad,
    Unknown,
}

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Not {
    /// The running system is on trial.
    OnTrial,
    /// The other system is the only one that has proven itself.
    OnlyProven,
    /// The environment block is not readable.
    NoBlock,
}

fn judge(runs: Runs, other: SlotState) -> Result<(), Not> {
    match (runs, other) {
        (Runs::Good, _) | (Runs::Bad, SlotState::Trying | SlotState::Bad | SlotState::Empty) => Ok(()),
        (Runs::Trying, _) => Err(Not::OnTrial),
        (Runs::Bad, SlotState::Good) => Err(Not::OnlyProven),
        (Runs::Unknown, _) => Err(Not::NoBlock),
    }
}

/// Whether the slot beside the running one may be overwritten.
///
/// # Errors
/// Why not, and what to do.
pub(super) fn may_write(slots: &Slots, running: &str) -> Result<(), Refusal> {
    let runs = match (slots.variable(running), slots.state(running)) {
        _ if slots.env.is_err() => Runs::Unknown,
        ("trying", _) => Runs::Trying,
        ("good", SlotState::Good) => Runs::Good,
        _ => Runs::Bad,
    };
    let (this, that) = (running.to_uppercase(), other(running).to_uppercase());
    judge(runs, slots.state(other(running))).map_err(|not| {
        let text = match not {
            Not::OnTrial => format!("slot {this}, which runs, is not proven yet; wait until it is kept (a minute or two)"),
            Not::OnlyProven => format!(
                "slot {this}, which runs, is marked bad or damaged on the boot medium, and the system in slot {that} is the only one that has proven itself; go back to that one first"
            ),
            Not::NoBlock => format!(
                "the boot loader's environment block cannot be read, so nobody knows which system has proven itself; it is written anew once slot {this}, which runs, has (a minute or two)"
            ),
        };
        Refusal::new("on-trial", text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_proven_system_is_never_given_away_and_where_there_is_none_an_update_is_taken() {
        use SlotState::{Bad, Empty, Good, Trying};
        let others = [Good, Trying, Bad, Empty];
        for (runs, wanted) in [
            (Runs::Good, [Ok(()); 4]),
            (Runs::Trying, [Err(Not::OnTrial); 4]),
            (Runs::Bad, [Err(Not::OnlyProven), Ok(()), Ok(()), Ok(())]),
            (Runs::Unknown, [Err(Not::NoBlock); 4]),
        ] {
            assert_eq!(others.map(|other| judge(runs, other)), wanted, "{runs:?}");
        }
    }
}
