//! Drivers: a module for every device that is there, and for every one that appears.

use std::collections::BTreeSet;
use std::path::Path;

use wire::event::Severity;
use wire::uevent::{Action, Uevent};

use super::work;
use super::{LISTEN_EVERY, Machine};
use crate::boot::kernel::controllers;
use crate::boot::kernel::modules::Modules;
use crate::boot::kernel::uevents::{Next, Uevents};
use crate::boot::medium::found::PULLED;
use crate::console::button;
use crate::core::{Input, Milestone, Millis};
use crate::network;
use crate::shell::desk::Desk;
use crate::shell::helper::{Helper, Task};
use crate::shell::log;

/// Modaliases remembered as served; a full box has a few hundred.
const SEEN_MAX: usize = 8_192;
/// Modaliases that one hot-plug helper takes.
const BATCH: usize = 128;
/// Hot-plug helpers at a time: a driver that hangs must not keep the others out.
const HOTPLUG_MAX: usize = 4;
/// How long the bus must be quiet before start-up counts as over, in milliseconds.
const QUIET: Millis = 700;
/// Longest wait for that, in milliseconds.
const SETTLE_MAX: Millis = 20_000;
/// From the start of the box until an interface that `kiln.toml` sets and that is not there is told, in milliseconds: a USB
/// adapter behind a hub with a driver of its own comes within ten to fifteen seconds.
const INTERFACES_WITHIN: Millis = 30_000;
/// From the start of the box until a controller that has no driver is told, in milliseconds. One whose driver is still at its start is
/// bound to it already (`really_probe` in drivers/base/dd.c), however long that takes.
const CONTROLLERS_WITHIN: Millis = 30_000;
/// The same where modules are still being loaded, each of which may wait for its device.
const CONTROLLERS_MAX: Millis = 300_000;
/// How long PCI must be quiet before controllers are looked at again, in milliseconds: a driver for what was plugged in is to be loaded.
const CONTROLLERS_QUIET: Millis = 10_000;

impl Machine {
    pub(super) fn read_uevents(&mut self, now: Millis, desk: &mut Desk) {
        for _ in 0..2_048 {
            match self.uevents.as_ref().map_or(Next::Empty, Uevents::next) {
                Next::Empty => return,
                Next::Lost => {
                    log::warn("uevents were lost: walking /sys again");
                    self.missed();
                }
                Next::Event(e) => {
                    self.facts.last_device = now;
                    if is_interface(&e) {
                        self.facts.interface_came |= e.action == Action::Add;
                        self.facts.interfaces_looked = false;
                    }
                    if e.subsystem == "pci" {
                        self.facts.controllers_changed = Some(now);
                    }
                    self.facts.button_came |= e.action == Action::Add && is_input(&e);
                    match (e.action, e.get("MODALIAS")) {
                        (Action::Add, Some(alias)) => self.want(alias),
                        (Action::Remove, _) if self.facts.disk_path.as_deref() == Some(e.devpath.as_str()) => {
                            self.medium_gone(now, PULLED, desk);
                        }
                        // At once, and not at its next look: until it has looked, DATA writes to whatever lies there.
                        (Action::Change, _)
                            if self.facts.disk_path.as_deref() == Some(e.devpath.as_str())
                                && e.get("DISK_MEDIA_CHANGE") == Some("1") =>
                        {
                            for h in desk.helpers.iter().filter(|h| h.task == Task::Medium) {
                                h.tell("look");
                            }
                        }
                        _ => {}
                    }
                }
            }
        }
    }

    /// Devices may have come without a word: all are looked at again.
    pub(super) fn missed(&mut self) {
        self.facts.walk_again = true;
        self.facts.interface_came = true;
        self.facts.interfaces_looked = false;
        self.facts.controllers_looked = false;
        self.facts.button_came = true;
    }

    /// Has a helper listen to the power button, once the server listens; it is told of input devices that come.
    pub(super) fn look_at_button(&mut self, now: Millis, desk: &mut Desk) {
        if !self.facts.listening || self.facts.ending {
            return;
        }
        if desk.runs(Task::Button) {
            let told = |h: &Helper| h.task == Task::Button && h.tell("look");
            if self.facts.button_came && desk.helpers.iter().any(told) {
                self.facts.button_came = false;
            }
            return;
        }
        // One that ends at once is not started without a pause.
        let begun = self.facts.button_begun;
        if begun.is_none_or(|at| now.saturating_sub(at) >= LISTEN_EVERY) {
            self.facts.button_begun = Some(now);
            self.facts.button_came = !desk.start(Task::Button, button::watch);
        }
    }

    /// Interfaces that `kiln.toml` sets: dhcpcd is told of one that has come, and everybody of one that does not come.
    pub(super) fn look_at_interfaces(&mut self, now: Millis, desk: &mut Desk) {
        if self.site.network.is_empty() || self.facts.ending {
            return;
        }
        if self.facts.interface_came && !desk.runs(Task::Network) {
            let site = self.site.clone();
            self.facts.interface_came = !desk.start(Task::Network, move |_| network::late::came(&site));
        }
        let due = self.facts.listening && now.saturating_sub(self.facts.begun) >= INTERFACES_WITHIN;
        if due && !self.facts.interfaces_looked {
            self.facts.interfaces_looked = true;
            let found = network::interfaces(Path::new(network::SYS));
            match network::absent(&self.site, &found) {
                Some(text) => {
                    let text = format!(
                        "{text}. Connect it, or correct kiln.toml on the boot partition: it is set up as soon as it is there."
                    );
                    desk.banner("network", Severity::Warning, text);
                }
                None => desk.unbanner("network"),
            }
            let wrong = network::contradictions(&self.site, &found);
            if wrong.is_empty() {
                desk.unbanner("cards");
            } else {
                let text = format!(
                    "A setting of the network is not used: {}. Correct it on the boot partition and restart the box.",
                    wrong.join("; ")
                );
                desk.banner("cards", Severity::Warning, text);
            }
        }
    }

    /// Controllers that no driver works, once those that come have had their time: told, and taken back when they do.
    pub(super) fn look_at_controllers(&mut self, now: Millis, desk: &mut Desk) {
        let f = &mut self.facts;
        let since = now.saturating_sub(f.begun);
        let loading = desk.runs(Task::Coldplug) || desk.runs(Task::Hotplug);
        let settled = f.whole_begun && since >= CONTROLLERS_WITHIN && (!loading || since >= CONTROLLERS_MAX);
        let due = match f.controllers_changed {
            Some(at) => now.saturating_sub(at) >= CONTROLLERS_QUIET,
            None => !f.controllers_looked,
        };
        if !settled || !due || f.ending {
            return;
        }
        (f.controllers_looked, f.controllers_changed) = (true, None);
        let troubles = controllers::look(Path::new(controllers::PCI), || Modules::read().ok());
        match controllers::banner(&troubles) {
            Some(text) => desk.banner("controllers", Severity::Warning, text),
            None => desk.unbanner("controllers"),
        }
    }

    pub(super) fn want(&mut self, modalias: &str) {
        if self.facts.seen.len() >= SEEN_MAX {
            self.facts.seen.clear();
        }
        if self.facts.seen.insert(modalias.to_owned()) && self.facts.queue.len() < SEEN_MAX {
            self.facts.queue.insert(modalias.to_owned());
        }
    }

    pub(super) fn load_modules(&mut self, now: Millis, desk: &mut Desk) {
        // The walk for the medium may hang in a driver: the whole one does not wait for it.
        let whole = self.facts.listening && !self.facts.whole_begun;
        let again = self.facts.walk_again && self.drivers_may_load() && !desk.runs(Task::Coldplug);
        if whole || again {
            self.facts.walk_again = false;
            self.start_coldplug(desk);
        }
        let busy = desk.helpers.iter().filter(|h| h.task == Task::Hotplug).count();
        if !self.facts.queue.is_empty() && busy < HOTPLUG_MAX && self.drivers_may_load() {
            let batch: BTreeSet<String> = self.facts.queue.iter().take(BATCH).cloned().collect();
            let mine = batch.clone();
            let whole = self.facts.whole_begun;
            if desk.start(Task::Hotplug, move |_| work::hotplug(&mine, whole)) {
                self.facts.queue.retain(|m| !batch.contains(m));
            }
        }
        let quiet = self.facts.queue.is_empty() && busy == 0 && now.saturating_sub(self.facts.last_device) >= QUIET;
        if self.facts.coldplug_done
            && !self.facts.modules_done
            && (quiet || now.saturating_sub(self.facts.begun) > SETTLE_MAX)
        {
            self.facts.modules_done = true;
            desk.inputs.push_back(Input::Milestone {
                which: Milestone::Modules,
                holds: true,
            });
            let board = self.board.clone();
            desk.start(Task::Late, move |_| work::late(&board));
        }
    }

    /// Whether the interfaces are there whose drivers come with the box, or were waited for long enough: a driver may hang.
    pub(super) fn interfaces_settled(&self, now: Millis) -> bool {
        self.facts.modules_done || now.saturating_sub(self.facts.begun) > SETTLE_MAX
    }

    /// Without a medium nobody waits for a driver before the server listens: neither for those that are there nor for those
    /// that have just come.
    pub(super) fn drivers_may_load(&self) -> bool {
        self.cmdline.part.is_some() || self.facts.listening
    }

    /// A walk over all devices; before the server listens only for what its medium may need.
    pub(super) fn start_coldplug(&mut self, desk: &mut Desk) {
        let whole = self.facts.listening;
        let extra = if self.facts.coldplug_done {
            Vec::new()
        } else {
            self.board.extra.clone()
        };
        if desk.start(Task::Coldplug, move |line| work::coldplug(line, &extra, whole)) {
            self.facts.whole_begun |= whole;
        }
    }
}

/// Whether an event is of a network interface itself: its queues have events, too.
fn is_interface(e: &Uevent) -> bool {
    e.subsystem == "net"
}

/// Whether an event is of an input device that programs can open.
fn is_input(e: &Uevent) -> bool {
    e.subsystem == "input" && e.get("DEVNAME").is_some_and(|n| n.starts_with("input/event"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::boot::config::board::Board;
    use crate::boot::config::cmdline::Cmdline;
    use crate::boot::config::site::Site;
    use crate::boot::machine::Facts;

    #[test]
    fn without_a_medium_no_driver_comes_before_the_server_listens() {
        let started = |cmdline: &str| Machine {
            cmdline: Cmdline::parse(cmdline),
            board: Board::default(),
            site: Site::default(),
            uevents: None,
            addresses: None,
            held: None,
            facts: Facts {
                system: true,
                walk_again: true,
                queue: BTreeSet::from(["pci:v00001AF4d00001004".to_owned()]),
                ..Facts::default()
            },
        };
        let mut desk = Desk::default();
        let mut m = started("kiln.slot=a");
        m.load_modules(0, &mut desk);
        assert!(desk.helpers.is_empty());
        assert!(m.facts.walk_again && m.facts.queue.len() == 1, "nothing is forgotten");
        m.facts.listening = true;
        assert!(m.drivers_may_load());
        assert!(started("kiln.part=0b1d").drivers_may_load());
    }

    #[test]
    fn an_input_device_that_comes_late_is_looked_at() {
        // As the kernel words it for ACPI's button once evdev is there; not recorded from one.
        let node = b"add@/devices/LNXSYSTM:00/LNXPWRBN:00/input/input0/event0\0ACTION=add\0DEVPATH=/devices/LNXSYSTM:00/LNXPWRBN:00/input/input0/event0\0SUBSYSTEM=input\0MAJOR=13\0MINOR=64\0DEVNAME=input/event0\0SEQNUM=2002\0";
        assert!(is_input(&Uevent::parse(node).unwrap()));
        let device = b"add@/devices/LNXSYSTM:00/LNXPWRBN:00/input/input0\0ACTION=add\0DEVPATH=/devices/LNXSYSTM:00/LNXPWRBN:00/input/input0\0SUBSYSTEM=input\0SEQNUM=2001\0";
        assert!(!is_input(&Uevent::parse(device).unwrap()), "it has no node yet");
    }

    #[test]
    fn the_buttons_helper_is_told_once_of_each_device_that_comes() {
        let (ours, theirs) = std::os::unix::net::UnixDatagram::pair().unwrap();
        theirs.set_nonblocking(true).unwrap();
        let heard = || {
            let mut buf = [0; 16];
            theirs.recv(&mut buf).map(|n| buf[..n].to_vec()).ok()
        };
        let mut desk = Desk::default();
        desk.helpers.push(Helper::of(Task::Button, 0, ours.into()));
        let mut m = Machine {
            cmdline: Cmdline::parse("kiln.slot=a"),
            board: Board::default(),
            site: Site::default(),
            uevents: None,
            addresses: None,
            held: None,
            facts: Facts {
                button_came: true,
                ..Facts::default()
            },
        };
        m.look_at_button(0, &mut desk);
        assert_eq!(heard(), None, "not before the server listens");
        m.facts.listening = true;
        m.look_at_button(1, &mut desk);
        m.look_at_button(2, &mut desk);
        assert_eq!((heard(), heard()), (Some(b"look".to_vec()), None));
        m.missed();
        m.facts.ending = true;
        m.look_at_button(3, &mut desk);
        m.facts.ending = false;
        assert_eq!(heard(), None);
        m.look_at_button(4, &mut desk);
        assert_eq!(heard(), Some(b"look".to_vec()));
        assert_eq!(desk.helpers.len(), 1);
    }

    #[test]
    fn an_interface_that_comes_is_known_by_the_kernels_own_event() {
        // As the kernel words it for a USB adapter (lib/kobject_uevent.c, net/core/net-sysfs.c); not recorded from one.
        let net = b"add@/devices/pci0000:00/0000:00:04.0/usb1/1-1/1-1:1.0/net/usb0\0ACTION=add\0DEVPATH=/devices/pci0000:00/0000:00:04.0/usb1/1-1/1-1:1.0/net/usb0\0SUBSYSTEM=net\0INTERFACE=usb0\0IFINDEX=4\0SEQNUM=2001\0";
        assert!(is_interface(&Uevent::parse(net).unwrap()));
        let queue = b"add@/devices/virtual/net/lo/queues/rx-0\0ACTION=add\0DEVPATH=/devices/virtual/net/lo/queues/rx-0\0SUBSYSTEM=queues\0SEQNUM=7\0";
        assert!(!is_interface(&Uevent::parse(queue).unwrap()));
    }
}
