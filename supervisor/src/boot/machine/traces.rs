//! What the last boot left behind: why it ended is told, and reboots in a row are counted.

use wire::event::Severity;
use wire::supervisor::Medium;

use super::reset::not_done;
use super::{Machine, safe};
use crate::boot::end::pstore;
use crate::boot::end::record::{Record, Row, Traces};
use crate::core::{Input, REBOOTS_MAX};
use crate::shell::desk::Desk;
use crate::shell::helper::Task;
use crate::shell::log;

impl Machine {
    /// The keeper has found what the last boot left on the medium.
    pub(super) fn heard_traces(&mut self, json: &str, desk: &mut Desk) {
        #[derive(serde::Deserialize)]
        struct Told {
            record: Option<Record>,
            cut_short: bool,
            panic: Option<String>,
            older: Option<String>,
            since: Option<u64>,
            fault: Option<String>,
            #[serde(default)]
            row: Row,
        }
        if let Ok(t) = serde_json::from_str::<Told>(json) {
            self.facts.traces = Traces {
                record: t.record,
                cut_short: t.cut_short,
                panic: t.panic,
                older: t.older,
                since: t.since,
                fault: t.fault,
                row: t.row,
                has_state: true,
                watchdog: self.facts.traces.watchdog,
            };
            // Before DATA is there, and so before anything waits for it.
            self.count(desk);
            self.tell_dump(desk);
            if self.facts.traces.reset_undone() {
                not_done(
                    "the boot medium has not kept the mark that was written for it, and all that it held is still there. Ask again; if that does not help, destroy the medium and flash another",
                    desk,
                );
            }
        }
        desk.boot.reason = self.facts.traces.reason();
    }

    /// Once every driver has been loaded: has the keeper look for crash dumps again, where the kernel keeps them may have a
    /// driver that came late.
    pub(super) fn look_at_dumps(&mut self, desk: &Desk) {
        let f = &self.facts;
        if f.dumps_looked || !f.late_done || !f.was_on_disk || desk.boot.medium != Medium::Disk || f.moving.is_some() {
            return;
        }
        let since = f.traces.since.map(|s| s.to_string()).unwrap_or_default();
        let text = format!("pstore {since}");
        self.facts.dumps_looked = desk.helpers.iter().any(|h| h.task == Task::Medium && h.tell(&text));
    }

    /// Crash dumps that came late: they tell of the last boot's end as if they had been there at once.
    pub(super) fn heard_dumps(&mut self, json: &str, desk: &mut Desk) {
        let Ok(found) = serde_json::from_str::<pstore::Found>(json) else {
            return;
        };
        let traces = &mut self.facts.traces;
        traces.older = traces.older.take().or(found.older);
        if traces.panic.is_none() && found.last.is_some() {
            traces.panic = found.last;
            if self.facts.data_settled {
                desk.boot.reason = self.facts.traces.reason();
                log::warn(&format!(
                    "a crash dump that came late tells why the last boot ended: {}",
                    desk.boot.reason
                ));
            }
            self.count(desk);
        }
        self.tell_dump(desk);
    }

    /// Tells of a crash dump that says nothing of why the last boot ended.
    fn tell_dump(&self, desk: &mut Desk) {
        if let Some(line) = self.facts.traces.dump_beside() {
            desk.banner(
                "dump",
                Severity::Info,
                format!("In an earlier boot the kernel met a fault: {line}. The debug bundle has its dump."),
            );
        }
    }

    /// Counts reboots in a row: once it is known what the last boot left behind, and again should the watchdog, whose driver
    /// may come late, say only then that it reset the box.
    pub(super) fn count(&mut self, desk: &mut Desk) {
        let in_a_row = self.facts.traces.in_a_row(&self.cmdline.slot);
        if in_a_row >= REBOOTS_MAX && self.facts.in_a_row < REBOOTS_MAX {
            let why = match &self.facts.traces.record {
                Some(r) => r.why.clone(),
                None => self.facts.traces.reason(),
            };
            safe::enter(&why, in_a_row, desk);
        }
        self.facts.in_a_row = in_a_row;
        desk.inputs.push_back(Input::Reboots { in_a_row });
    }

    /// Has the medium keep where this boot stands in a row: the watchdog, should it reset the box, leaves no record.
    pub(super) fn keep_row(&mut self, desk: &Desk) {
        // What was just counted is known in the next turn.
        let counted = desk.inputs.iter().any(|i| matches!(i, Input::Reboots { .. }));
        if counted
            || !self.facts.was_on_disk
            || desk.boot.medium != Medium::Disk
            || self.facts.row_kept == Some(desk.reboots)
        {
            return;
        }
        let row = Row {
            reboots: desk.reboots,
            slot: self.cmdline.slot.clone(),
        };
        let text = format!("row {}", serde_json::to_string(&row).unwrap_or_default());
        if desk.helpers.iter().any(|h| h.task == Task::Medium && h.tell(&text)) {
            self.facts.row_kept = Some(desk.reboots);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::super::tests::machine;
    use super::*;
    use crate::boot::medium::said::Said;
    use crate::core::Milestone;

    fn counted(desk: &mut Desk) -> Vec<Input> {
        desk.inputs
            .drain(..)
            .filter(|i| matches!(i, Input::Reboots { .. } | Input::Milestone { .. }))
            .collect()
    }

    #[test]
    fn a_crash_dump_whose_driver_comes_late_tells_of_its_boot() {
        let (last, older) = ("Kernel panic - not syncing: new", "Kernel panic - not syncing: old");
        let found =
            |last: Option<&str>, older: Option<&str>| serde_json::json!({ "last": last, "older": older }).to_string();
        let told = |desk: &Desk| {
            desk.banners
                .iter()
                .any(|(k, b)| k == "dump" && b.text.contains("not syncing: "))
        };
        let row =
            r#"{"record":null,"cut_short":true,"panic":null,"fault":null,"since":100,"row":{"reboots":2,"slot":"a"}}"#;
        let mut desk = Desk::default();
        let mut m = machine();
        m.heard_traces(row, &mut desk);
        assert_eq!(m.facts.traces.since, Some(100));
        (m.facts.was_on_disk, m.facts.data_settled) = (true, true);
        counted(&mut desk);
        // One of an older boot says nothing of this one's end, and counts nothing.
        m.heard_medium(0, Said::Dumps(found(None, Some(older))), None, &mut desk);
        assert_eq!(counted(&mut desk), []);
        assert!(told(&desk) && m.facts.traces.reason().starts_with("the power was cut"));
        m.heard_medium(0, Said::Dumps(found(Some(last), None)), None, &mut desk);
        assert!(counted(&mut desk).contains(&Input::Reboots { in_a_row: 3 }));
        assert_eq!(desk.boot.reason, format!("the kernel crashed: {last}"));
        // After an orderly end it is told beside the reason.
        let orderly = r#"{"record":{"why":"asked for"},"cut_short":false,"panic":null,"fault":null}"#;
        let mut desk = Desk::default();
        let mut m = machine();
        m.heard_traces(orderly, &mut desk);
        assert!(!told(&desk));
        m.heard_medium(0, Said::Dumps(found(Some(last), None)), None, &mut desk);
        assert!(told(&desk) && m.facts.traces.reason() == "orderly end: asked for");
    }

    #[test]
    fn a_third_reset_by_the_watchdog_is_safe_mode_even_when_its_driver_comes_late() {
        let row = r#"{"record":null,"cut_short":true,"panic":null,"fault":null,"row":{"reboots":2,"slot":"a"}}"#;
        let reboots = |in_a_row| Input::Reboots { in_a_row };
        let safe = Input::Milestone {
            which: Milestone::Normal,
            holds: false,
        };
        for (early, before, after) in [
            (true, vec![safe.clone(), reboots(3)], vec![]),
            (false, vec![reboots(0)], vec![safe, reboots(3)]),
        ] {
            let mut desk = Desk::default();
            let mut m = machine();
            if early {
                m.watchdog_found(true, &mut desk);
            }
            m.heard_traces(row, &mut desk);
            assert_eq!(counted(&mut desk), before);
            (m.facts.was_on_disk, m.facts.data_settled) = (true, true);
            if !early {
                m.watchdog_found(true, &mut desk);
            }
            assert_eq!(counted(&mut desk), after);
            assert!(
                desk.banners
                    .iter()
                    .any(|(_, b)| b.text.contains("3 times in a row (the hardware watchdog"))
            );
        }
    }
}
