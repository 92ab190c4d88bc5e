//! What helpers say, and what their end means.

use std::os::fd::OwnedFd;
use std::path::Path;

use wire::event::Severity;
use wire::supervisor::Medium;

use super::{Facts, Machine, name};
use crate::boot::bundle;
use crate::boot::config::site;
use crate::boot::medium::said::Said;
use crate::core::{Ending, Exit, Input, Milestone, Millis};
use crate::shell::desk::Desk;
use crate::shell::helper::Task;
use crate::shell::log;

/// From the end of one debug bundle until a key at the console begins the next, in milliseconds: a line that brings noise, or its
/// own echo, would else have the boot partition written to for as long as the box runs.
const BUNDLE_EVERY: Millis = 60_000;

impl Facts {
    /// Whether the console may have a debug bundle made.
    fn may_bundle(&self, now: Millis) -> bool {
        self.bundled
            .is_none_or(|ended| now.saturating_sub(ended) >= BUNDLE_EVERY)
    }
}

impl Machine {
    /// A helper said something.
    pub fn heard(&mut self, now: Millis, task: Task, line: &str, fd: Option<OwnedFd>, desk: &mut Desk) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match (task, word) {
            (Task::Early, "system") => {
                self.facts.system = true;
                desk.inputs.push_back(Input::Milestone {
                    which: Milestone::System,
                    holds: true,
                });
                if self.drivers_may_load() {
                    self.start_coldplug(desk);
                }
                self.start_keeper(desk);
            }
            (Task::Early, "env") => {
                if let Some((k, v)) = rest.split_once('=').filter(|(k, _)| site::is_variable(k)) {
                    desk.env.retain(|(old, _)| old != k);
                    desk.env.push((k.to_owned(), v.to_owned()));
                    desk.env_changed = true;
                }
            }
            (Task::Early, "broken") => {
                desk.banner("system", Severity::Critical, broken(&self.cmdline.slot, rest));
                self.start_keeper(desk);
            }
            (Task::Coldplug, "seen") => {
                self.facts.seen.extend(rest.split('\n').map(str::to_owned));
            }
            (Task::Console, "recover") => {
                desk.recovery += 1;
                log::warn("a person at the console asks for a new claim code");
            }
            (Task::Console, "reset") => desk.reset = Some("asked for at the console".into()),
            (Task::Console, "back") => desk.back = Some("asked for at the console".into()),
            (Task::Console, "power-off") => end(Ending::PowerOff, "power-off, asked for at the console", desk),
            (Task::Console, "restart") => end(Ending::Reboot, "restart, asked for at the console", desk),
            (Task::Button, "power") => end(Ending::PowerOff, "power-off, asked for by the power button", desk),
            (Task::Console, "bundle") if !desk.runs(Task::Bundle) && self.facts.may_bundle(now) => {
                let part = self.cmdline.part.clone();
                let secrets: Vec<String> = desk.env.iter().map(|(_, v)| v.clone()).collect();
                desk.banner("bundle", Severity::Info, "A debug bundle is being saved.".into());
                desk.start(Task::Bundle, move |line| bundle::save(line, part.as_deref(), &secrets));
            }
            (Task::Bundle, "said") => desk.banner("bundle", Severity::Info, rest.to_owned()),
            (Task::Fence, "stands") => desk.banner(
                "fence",
                Severity::Warning,
                format!("The reader that the boot medium was in stays switched off: {rest}. A card in it is not seen; restart the box once its jobs have ended."),
            ),
            (Task::Addresses, "are") => {
                let found: Vec<String> = rest.split_whitespace().map(str::to_owned).collect();
                if found != desk.addresses {
                    desk.inputs.push_back(Input::Milestone {
                        which: Milestone::Network,
                        holds: !found.is_empty(),
                    });
                    desk.addresses = found;
                }
                name(&self.site, self.interfaces_settled(now), desk);
            }
            (Task::Medium, _) => match Said::parse(line) {
                Some(said) => self.heard_medium(now, said, fd, desk),
                None => log::error(&format!("the boot medium's keeper said what nobody knows: {line}")),
            },
            _ => {}
        }
    }

    /// A helper has ended.
    pub fn ended(&mut self, now: Millis, task: Task, exit: Exit, desk: &mut Desk) {
        if exit != Exit::Code(0) {
            log::info(&format!("{task:?} {exit}"));
        }
        if self.facts.ending {
            return;
        }
        if task == Task::Medium {
            self.mark_again();
        }
        match task {
            Task::Early if !self.facts.system && !desk.is_told("system") => {
                self.heard(now, Task::Early, "broken it could not be mounted", None, desk);
            }
            Task::Coldplug => self.facts.coldplug_done = self.facts.whole_begun && !desk.runs(Task::Coldplug),
            Task::Late => {
                self.facts.late_done = true;
                if !Path::new("/dev/watchdog").exists() {
                    desk.banner(
                        "watchdog",
                        Severity::Warning,
                        "No hardware watchdog was found: a box that hangs will not restart by itself.".into(),
                    );
                }
            }
            Task::ToRam => {
                desk.boot.medium = Medium::Ram;
                self.settled("ram", desk);
            }
            Task::Medium
                if self.facts.moving.is_none()
                    && !self.facts.data_settled
                    && !desk.runs(Task::ToRam)
                    && desk.boot.medium == Medium::Ram =>
            {
                self.go_to_ram("the keeper of the boot medium ended", desk);
            }
            Task::Medium
                if self.facts.disk_path.is_some()
                    && desk.boot.medium == Medium::Disk
                    && self.facts.moving.is_none() =>
            {
                // It ends by itself only when PID 1 wants it to; this was a mishap.
                self.facts.heard_at = Some(now);
                self.watch_on(desk);
            }
            Task::Console => self.start_console(desk),
            Task::Bundle => self.facts.bundled = Some(now),
            Task::Fence if exit == Exit::Code(0) => desk.unbanner("fence"),
            Task::Early
            | Task::Medium
            | Task::Fence
            | Task::Button
            | Task::Hotplug
            | Task::Network
            | Task::Addresses
            | Task::Farewell
            | Task::Faults
            | Task::Update
            | Task::Slots => {}
        }
    }
}

/// What a person reads on the console of a box that has nothing else: PID 1 can write no sector of the medium then, so nothing
/// changes the slot by itself, and GRUB cannot tell such a start from one that the power was cut of.
fn broken(slot: &str, why: &str) -> String {
    let other = if slot == "a" { "b" } else { "a" };
    format!(
        "The system in slot {} cannot be used: {why}. Without it there are no drivers, no network and no dashboard. Switch the box off and on once: it may have been misread. If this comes again, let another computer start slot {}, if it holds a system: grub-editenv EFI/debian/grubenv set prefer={other} on the stick's boot partition; an update then mends this one. Else write the image to the stick again.",
        slot.to_uppercase(),
        other.to_uppercase()
    )
}

/// The box ends in order, as if the server had asked: services stop first, and with them jobs write down where they are.
fn end(ending: Ending, why: &str, desk: &mut Desk) {
    let why = why.to_owned();
    desk.inputs.push_back(Input::Shutdown { ending, why });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::super::tests::machine;
    use super::*;
    use crate::boot::config::cmdline::Cmdline;
    use crate::shell::desk::HELPERS_MAX;
    use crate::shell::helper::Helper;

    #[test]
    fn addresses_are_those_that_a_helper_has_told() {
        let (mut m, mut desk) = (machine(), Desk::default());
        desk.host = "named".into();
        let network = |holds| Input::Milestone {
            which: Milestone::Network,
            holds,
        };
        for (told, addresses, inputs) in [
            ("are 192.0.2.7 2001:db8::1", 2, vec![network(true)]),
            ("are 192.0.2.7 2001:db8::1", 2, vec![]),
            ("are ", 0, vec![network(false)]),
        ] {
            m.heard(0, Task::Addresses, told, None, &mut desk);
            assert_eq!(desk.addresses.len(), addresses);
            assert_eq!(desk.inputs.drain(..).collect::<Vec<_>>(), inputs, "{told}");
        }
    }

    #[test]
    fn a_system_that_cannot_be_mounted_is_told_once_with_its_cause_and_the_way_out() {
        // No place is left for helpers: one would mount.
        let full = || {
            let helper = || {
                let (ours, _) = std::os::unix::net::UnixDatagram::pair().unwrap();
                Helper::of(Task::Hotplug, 0, ours.into())
            };
            Desk {
                helpers: std::iter::repeat_with(helper).take(HELPERS_MAX).collect(),
                ..Desk::default()
            }
        };
        let (mut m, mut desk) = (machine(), full());
        m.cmdline = Cmdline::parse("kiln.slot=a kiln.part=0b1d kiln.state=good");
        let why = "system.erofs: EUCLEAN: Structure needs cleaning";
        m.heard(0, Task::Early, &format!("broken {why}"), None, &mut desk);
        m.ended(1, Task::Early, Exit::Code(1), &mut desk);
        let told: Vec<&str> = desk
            .banners
            .iter()
            .filter(|(k, _)| *k == "system")
            .map(|(_, b)| b.text.as_str())
            .collect();
        let [told] = told[..] else { panic!("{told:?}") };
        for words in [why, "slot A", "set prefer=b", "write the image"] {
            assert!(told.contains(words), "{words}: {told}");
        }
        let mut desk = full();
        m.ended(1, Task::Early, Exit::Code(1), &mut desk);
        assert!(desk.is_told("system"), "a helper that ended without a word");
    }

    #[test]
    fn console_and_power_button_end_the_box_in_order() {
        let (mut m, mut desk) = (machine(), Desk::default());
        for (task, word, ended) in [
            (Task::Console, "power-off", Some((Ending::PowerOff, "at the console"))),
            (Task::Console, "restart", Some((Ending::Reboot, "at the console"))),
            (Task::Button, "power", Some((Ending::PowerOff, "by the power button"))),
            (Task::Addresses, "power", None),
            (Task::Console, "power", None),
        ] {
            m.heard(0, task, word, None, &mut desk);
            match (desk.inputs.pop_front(), ended) {
                (Some(Input::Shutdown { ending, why }), Some((wanted, by))) => {
                    assert!(ending == wanted && why.ends_with(by), "{word}: {ending:?} {why}");
                }
                (None, None) => {}
                (input, _) => panic!("{word}: {input:?}"),
            }
            assert!(desk.inputs.is_empty());
        }
    }

    #[test]
    fn a_console_that_asks_without_end_gets_a_bundle_a_minute() {
        let (mut m, mut desk) = (machine(), Desk::default());
        // Nothing can be saved without a medium; how many helpers were started is all that counts.
        let mut begun = |m: &mut Machine, now| {
            m.heard(now, Task::Console, "bundle", None, &mut desk);
            let helpers = desk.helpers.len();
            for h in desk.helpers.drain(..) {
                h.kill();
                m.ended(now, h.task, Exit::Signal(9), &mut Desk::default());
            }
            helpers
        };
        assert_eq!(begun(&mut m, 1_000), 1);
        assert_eq!([1_001, 30_000, 60_999].map(|now| begun(&mut m, now)), [0, 0, 0]);
        assert_eq!(begun(&mut m, 62_000), 1);
    }
}
