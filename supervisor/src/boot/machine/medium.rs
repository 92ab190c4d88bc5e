//! What the boot medium's keeper says of the medium, and what the medium is called from then on.

use std::fs;
use std::os::fd::OwnedFd;

use wire::event::Severity;
use wire::supervisor::Medium;

use super::reset::not_done;
use super::{Facts, Machine, Moving};
use crate::boot::medium::known::Known;
use crate::boot::medium::said::Said;
use crate::boot::{bundle, keeper};
use crate::core::Millis;
use crate::shell::desk::Desk;
use crate::shell::helper::Task;
use crate::shell::log;

/// Where other programs read the boot disk's device number.
pub(super) const BOOT_DISK: &str = "/run/kiln/boot-disk";
/// Where a PID 1 that has lost its notes reads the names that the medium was given since the boot loader told them.
pub(super) const BOOT_NAMES: &str = "/run/kiln/boot-names";

impl Facts {
    /// The medium's own names, a line each.
    fn names(&self) -> String {
        let line =
            |word: &str, name: &Option<String>| name.as_ref().map(|n| format!("{word} {n}\n")).unwrap_or_default();
        line("part", &self.part) + &line("mark", &self.mark)
    }

    /// Takes the names from such lines.
    pub(super) fn renamed_at(&mut self, names: &str) {
        for l in names.lines() {
            match l.split_once(' ') {
                Some(("part", name)) => self.part = Some(name.to_owned()),
                Some(("mark", name)) => self.mark = Some(name.to_owned()),
                Some(_) | None => {}
            }
        }
    }
}

impl Machine {
    /// Starts the medium's keeper; state goes to memory where there can be none.
    pub(super) fn start_keeper(&mut self, desk: &mut Desk) {
        match &self.cmdline.part {
            Some(part) if self.facts.system => {
                let (part, mark, reset) = (part.clone(), self.cmdline.mark.clone(), self.site.factory_reset);
                self.facts.heard_at = None;
                if desk.start(Task::Medium, move |line| {
                    keeper::keep(line, &part, mark.as_deref(), reset)
                }) {
                    return;
                }
                self.go_to_ram("no process for the boot medium", desk);
            }
            Some(_) => self.go_to_ram("without the system image there are no tools for the boot medium", desk),
            None => self.go_to_ram("the box was started without a boot medium of its own", desk),
        }
    }

    /// Has another keeper go on with a medium that is in use.
    pub(super) fn watch_on(&self, desk: &mut Desk) {
        let (Some(path), Some(part)) = (self.facts.disk_path.clone(), self.cmdline.part.clone()) else {
            return;
        };
        let known = Known {
            part,
            mark: self.cmdline.mark.clone(),
            same: self.facts.same.clone(),
        };
        desk.start(Task::Medium, move |line| keeper::watch(line, &path, &known));
    }

    /// What the boot loader told of the medium is no longer so: it has a name or a mark of its own by now.
    pub(super) fn renamed(&mut self) {
        for (told, now) in [
            (&mut self.cmdline.part, &self.facts.part),
            (&mut self.cmdline.mark, &self.facts.mark),
        ] {
            if let Some(now) = now {
                *told = Some(now.clone()).filter(|name| !name.is_empty());
            }
        }
    }

    /// The boot medium's keeper, or who waits for the medium, said something.
    pub(super) fn heard_medium(&mut self, now: Millis, said: Said, fd: Option<OwnedFd>, desk: &mut Desk) {
        if self.facts.heard_at.is_some() {
            self.facts.heard_at = Some(now);
        }
        match said {
            Said::Progress(text) => {
                log::warn(&text);
                self.facts.progress = Some(text);
            }
            Said::Part(name) => {
                log::info(&format!("the boot partition is {name} from now on"));
                self.facts.part = Some(name);
                let _ = fs::write(BOOT_NAMES, self.facts.names());
                self.renamed();
            }
            Said::Mark(mark) => {
                self.facts.mark = Some(mark);
                let _ = fs::write(BOOT_NAMES, self.facts.names());
                self.renamed();
            }
            Said::Disk(told) => {
                if let Some((number, path)) = told.split_once(' ') {
                    log::info(&format!("boot disk {number} {path}"));
                    self.facts.disk_path = Some(path.strip_prefix("/sys").unwrap_or(path).to_owned());
                    let _ = fs::write(BOOT_DISK, format!("{number}\n"));
                }
                if fd.is_none() {
                    desk.banner(
                        "held",
                        Severity::Warning,
                        "The boot disk could not be locked against erasing; the agent still refuses it by its number."
                            .into(),
                    );
                }
                self.held = fd;
            }
            Said::Traces(json) => self.heard_traces(&json, desk),
            Said::Mounted(how) => {
                log::info(&format!("DATA is mounted ({how})"));
                self.facts.progress = None;
                if how == "remade" {
                    desk.banner("data", Severity::Warning, "The DATA partition could not be repaired and was made anew: history and settings of this box are lost.".into());
                } else if how == "reset" {
                    desk.banner(
                        "data",
                        Severity::Info,
                        "This box was reset: history, settings and owner are gone; kiln.toml stays on its boot partition, with whatever passwords are in it. Claim the box with the code on its console.".into(),
                    );
                } else if how == "repaired" {
                    desk.banner(
                        "data",
                        Severity::Info,
                        "The DATA partition was repaired at this start.".into(),
                    );
                }
                if let Some(told) = how.strip_prefix("returned ") {
                    self.returned(told, desk);
                }
                desk.boot.medium = Medium::Disk;
                self.facts.was_on_disk = true;
                self.facts.heard_at = Some(now);
                self.settled("disk", desk);
            }
            Said::Crash(told) => {
                log::warn(&format!("in an earlier boot: {told}"));
                desk.banner(
                    "crash",
                    Severity::Info,
                    format!("In an earlier boot {told}. The debug bundle has the report."),
                );
            }
            Said::Dumps(json) => self.heard_dumps(&json, desk),
            Said::Unwritten(told) => {
                log::warn(&format!("factory reset: {told}"));
                desk.banner(
                    "unwritten",
                    Severity::Warning,
                    format!("Of the factory reset: {told}. Whoever gets this medium may read the rest with a recovery program; if that matters, destroy it."),
                );
            }
            Said::NoReset(why) => not_done(&why, desk),
            Said::Bundle(why) => desk.banner(
                "unwritten-bundle",
                Severity::Warning,
                format!("Of the factory reset: the debug bundle {} on the boot partition, if one was saved, could not be erased ({why}). Remove it with another computer; whoever gets this medium may read it with a recovery program.", bundle::NAME),
            ),
            Said::Marked => self.marked(desk),
            Said::Unmarked(why) => self.unmarked(&why, desk),
            Said::Ram(why) => self.go_to_ram(&why, desk),
            Said::Alive => {}
            Said::Gone(why) => {
                self.medium_gone(now, &why, desk);
                self.left_again(&why, desk);
            }
            Said::Unfenced(why) => {
                log::error(&format!("the boot medium's place could not be fenced: {why}"));
                desk.banner(
                    "unfenced",
                    Severity::Warning,
                    format!("The reader that the boot medium was in could not be switched off ({why}): what DATA still had to write may have gone to a card that was put in its place. Check that card before its content is used."),
                );
            }
            Said::Faulty(why) => self.medium_faulty(now, &why, desk),
            Said::Same(text) => self.facts.same = Some(text),
            Said::Room(percent) => self.room(percent, desk),
            Said::Back => self.medium_back(now, desk),
            Said::Stays(why) => self.stays(&why, desk),
            Said::Saved(told) => {
                // Else its time is up, and the services have begun without it.
                if matches!(self.facts.moving, Some(Moving::Saving(_))) {
                    self.saved(&told, desk);
                }
            }
            // It ends with that, and services start afresh (`move_state`).
            Said::Failed(why) => log::error(&format!("state could not move into memory: {why}")),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::super::tests::machine;
    use super::*;
    use crate::boot::config::cmdline::Cmdline;

    #[test]
    fn the_mediums_own_name_and_mark_outlive_pid_1s_replacement() {
        let (mut m, mut desk) = (machine(), Desk::default());
        m.cmdline = Cmdline::parse("kiln.part=AA kiln.mark=2");
        m.renamed();
        assert_eq!(
            (m.cmdline.part.as_deref(), m.cmdline.mark.as_deref()),
            (Some("aa"), Some("2"))
        );
        m.heard_medium(0, Said::Part("bb".into()), None, &mut desk);
        m.heard_medium(0, Said::Mark("2beef".into()), None, &mut desk);
        let mut lost = Facts::default();
        lost.renamed_at(&m.facts.names());
        assert_eq!(
            (&lost.part, &lost.mark),
            (&m.facts.part, &m.facts.mark),
            "without its notes, too"
        );
        let handed = serde_json::to_string(&m.facts).unwrap();
        // The new PID 1 reads the boot loader's words again.
        let mut new = machine();
        new.cmdline = Cmdline::parse("kiln.part=AA kiln.mark=2");
        new.facts = serde_json::from_str(&handed).unwrap();
        new.renamed();
        assert_eq!(
            (new.cmdline.part.as_deref(), new.cmdline.mark.as_deref()),
            (Some("bb"), Some("2beef"))
        );
        // A mark that nobody can tell.
        m.heard_medium(0, Said::Mark(String::new()), None, &mut desk);
        new.facts.renamed_at(&m.facts.names());
        new.renamed();
        assert_eq!((m.cmdline.mark, new.cmdline.mark), (None, None));
    }

    #[test]
    fn what_a_reset_did_not_write_over_is_told_after_it() {
        let (mut m, mut desk) = (machine(), Desk::default());
        m.heard_medium(
            0,
            Said::Unwritten("2 files of DATA were written over, 1 (7 MiB) removed".into()),
            None,
            &mut desk,
        );
        m.heard_medium(0, Said::Progress("making DATA".into()), None, &mut desk);
        let (name, banner) = &desk.banners[0];
        assert!(
            *name == "unwritten" && banner.text.contains("(7 MiB)"),
            "{}",
            banner.text
        );
    }

    #[test]
    fn a_bundle_that_a_reset_could_not_erase_is_told_beside_what_it_left_of_data() {
        let (mut m, mut desk) = (machine(), Desk::default());
        m.heard_medium(
            0,
            Said::Bundle("Read-only file system (os error 30)".into()),
            None,
            &mut desk,
        );
        m.heard_medium(0, Said::Unwritten("1 (7 MiB) removed".into()), None, &mut desk);
        assert_eq!(desk.banners.len(), 2);
        assert!(desk.banners[0].1.text.contains("KILNDBG.TGZ"), "{:?}", desk.banners);
    }
}
