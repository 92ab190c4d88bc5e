//! A factory reset that was asked for: DATA is marked while everything runs, and only then does the box restart.
//!
//! The keeper of the boot medium writes the mark (`boot::data::reset`), since that may hang. A medium that does not take it is told
//! to whoever has asked, and nothing is stopped: nobody hands on a box that only says that it was reset. Once the mark stands,
//! the reset is done at the next start, however this boot ends.

use serde::{Deserialize, Serialize};
use wire::event::Severity;
use wire::supervisor::Medium;

use super::Machine;
use crate::boot::data::reset::MARK_IT;
use crate::core::{Ending, Input};
use crate::shell::desk::Desk;
use crate::shell::helper::Task;

/// Key of the banner about a reset.
pub(super) const RESET: &str = "reset";

/// A reset on its way to the medium; with who has asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Marking {
    /// The keeper is to be told.
    Asked(String),
    /// The keeper was told, and has not answered.
    Told(String),
}

impl Machine {
    /// Takes a wish for a reset, and has the keeper mark DATA for it.
    pub(super) fn look_at_reset(&mut self, desk: &mut Desk) {
        if let Some(by) = desk.reset.take()
            && !self.facts.reset
            && self.facts.marking.is_none()
        {
            self.facts.marking = Some(Marking::Asked(by));
        }
        let Some(Marking::Asked(by)) = self.facts.marking.clone() else {
            return;
        };
        if self.cmdline.part.is_none() {
            // Without a medium of its own, a reboot erases everything.
            return self.reset(&by, desk);
        }
        if desk.boot.medium != Medium::Disk || self.facts.moving.is_some() {
            self.facts.marking = None;
            return not_done(
                "the boot medium is not in use, so what is on it cannot be erased. Put it back, or restart the box, and ask again",
                desk,
            );
        }
        desk.banner(
            RESET,
            Severity::Info,
            "A factory reset was asked for: the boot medium is being marked for it, then the box restarts.".into(),
        );
        // A keeper that has just ended is followed by another.
        if desk.helpers.iter().any(|h| h.task == Task::Medium && h.tell(MARK_IT)) {
            self.facts.marking = Some(Marking::Told(by));
        }
    }

    /// The mark is on the medium.
    pub(super) fn marked(&mut self, desk: &mut Desk) {
        if let Some(Marking::Asked(by) | Marking::Told(by)) = self.facts.marking.take() {
            self.reset(&by, desk);
        }
    }

    /// The medium does not take the mark.
    pub(super) fn unmarked(&mut self, why: &str, desk: &mut Desk) {
        if self.facts.marking.take().is_some() {
            not_done(
                &format!(
                    "the boot medium does not take the mark for it ({why}). All that it holds is still there; to be rid of that, ask again, or destroy the medium and flash another"
                ),
                desk,
            );
        }
    }

    /// The keeper has ended, with or without having marked DATA: the next one is told, a second mark is like the first.
    pub(super) fn mark_again(&mut self) {
        if let Some(Marking::Told(by)) = &self.facts.marking {
            self.facts.marking = Some(Marking::Asked(by.clone()));
        }
    }

    fn reset(&mut self, by: &str, desk: &mut Desk) {
        self.facts.marking = None;
        self.facts.reset = true;
        desk.inputs.push_back(Input::Shutdown {
            ending: Ending::Reboot,
            why: format!("factory reset, {by}"),
        });
    }
}

/// Tells that a reset was asked for and not done; `why`: without a full stop.
pub(super) fn not_done(why: &str, desk: &mut Desk) {
    desk.banner(
        RESET,
        Severity::Critical,
        format!("The factory reset was not done: {why}."),
    );
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::os::unix::net::UnixDatagram;

    use super::super::tests::machine;
    use super::*;
    use crate::boot::config::cmdline::Cmdline;
    use crate::boot::medium::said::Said;
    use crate::core::Exit;
    use crate::shell::helper::Helper;

    /// A box whose state is on its medium, and the keeper's end of its line.
    fn in_use(desk: &mut Desk) -> (Machine, UnixDatagram) {
        let mut m = machine();
        m.cmdline = Cmdline::parse("kiln.part=aa");
        desk.boot.medium = Medium::Disk;
        (m, keeper(desk))
    }

    fn keeper(desk: &mut Desk) -> UnixDatagram {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        theirs.set_nonblocking(true).unwrap();
        desk.helpers.push(Helper::of(Task::Medium, 0, ours.into()));
        theirs
    }

    fn heard(keeper: &UnixDatagram) -> Option<String> {
        let mut buf = [0; 64];
        let n = keeper.recv(&mut buf).ok()?;
        Some(String::from_utf8_lossy(&buf[..n]).into_owned())
    }

    fn told(desk: &Desk) -> (Severity, &str) {
        let (_, banner) = desk.banners.iter().find(|(k, _)| k == RESET).unwrap();
        (banner.severity, &banner.text)
    }

    #[test]
    fn nothing_stops_for_a_reset_before_the_medium_has_taken_the_mark() {
        let mut desk = Desk::default();
        let (mut m, keeper) = in_use(&mut desk);
        for _ in 0..2 {
            desk.reset = Some("asked for at the console".into());
            m.look_at_reset(&mut desk);
        }
        assert_eq!(heard(&keeper).as_deref(), Some(MARK_IT));
        assert_eq!((heard(&keeper), desk.inputs.len()), (None, 0), "once, and nothing else");
        m.heard_medium(0, Said::Marked, None, &mut desk);
        let why = "factory reset, asked for at the console".to_owned();
        let ending = Ending::Reboot;
        assert_eq!(desk.inputs.pop_back(), Some(Input::Shutdown { ending, why }));
        assert!(m.facts.reset);
    }

    #[test]
    fn a_medium_that_does_not_take_the_mark_is_told_and_the_box_goes_on() {
        let mut desk = Desk::default();
        let (mut m, keeper) = in_use(&mut desk);
        desk.reset = Some("asked for in the dashboard".into());
        m.look_at_reset(&mut desk);
        m.heard_medium(
            0,
            Said::Unmarked("Input/output error (os error 5)".into()),
            None,
            &mut desk,
        );
        assert_eq!((desk.inputs.len(), m.facts.reset), (0, false));
        let (severity, text) = told(&desk);
        assert!(severity == Severity::Critical && text.contains("was not done") && text.contains("os error 5"));
        // Asked again, it is tried again.
        assert!(heard(&keeper).is_some());
        desk.reset = Some("asked for in the dashboard".into());
        m.look_at_reset(&mut desk);
        assert_eq!(heard(&keeper).as_deref(), Some(MARK_IT));
    }

    #[test]
    fn a_reset_that_the_medium_has_forgotten_is_told_at_the_next_boot() {
        for (reset, is_told) in [(true, true), (false, false)] {
            let (mut m, mut desk) = (machine(), Desk::default());
            let record = serde_json::json!({ "why": "factory reset, asked for in the dashboard", "reset": reset });
            let found = serde_json::json!({ "record": record, "cut_short": false, "panic": null, "fault": null });
            m.heard_medium(0, Said::Traces(found.to_string()), None, &mut desk);
            assert_eq!(desk.is_told(RESET), is_told);
            assert_eq!(desk.boot.reason.ends_with("; it was not done"), is_told);
            if is_told {
                assert_eq!(told(&desk).0, Severity::Critical);
            }
        }
    }

    #[test]
    fn a_keeper_that_ends_with_the_order_is_followed_by_one_that_gets_it() {
        let mut desk = Desk::default();
        let (mut m, first) = in_use(&mut desk);
        desk.reset = Some("asked for at the console".into());
        m.look_at_reset(&mut desk);
        assert!(heard(&first).is_some());
        desk.helpers.clear();
        m.ended(0, Task::Medium, Exit::Code(1), &mut desk);
        m.look_at_reset(&mut desk);
        let second = keeper(&mut desk);
        m.look_at_reset(&mut desk);
        assert_eq!(heard(&second).as_deref(), Some(MARK_IT));
    }

    #[test]
    fn a_reset_that_would_erase_nothing_is_refused_and_told() {
        for (part, medium, done) in [("aa", Medium::Ram, false), ("", Medium::Ram, true)] {
            let mut desk = Desk::default();
            let (mut m, keeper) = in_use(&mut desk);
            m.cmdline.part = Some(part.to_owned()).filter(|p| !p.is_empty());
            desk.boot.medium = medium;
            desk.reset = Some("asked for at the console".into());
            m.look_at_reset(&mut desk);
            assert_eq!((m.facts.reset, desk.inputs.len()), (done, usize::from(done)));
            assert_eq!((m.facts.marking.is_none(), heard(&keeper)), (true, None));
            assert_eq!(desk.banners.iter().any(|(_, b)| b.text.contains("was not done")), !done);
        }
    }
}
