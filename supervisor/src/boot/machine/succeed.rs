//! The machine of a replaced PID 1: handed on as plain data, or, where that was lost, read off from what there is.

use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::Path;

use wire::event::Severity;
use wire::supervisor::Medium;

use super::medium::{BOOT_DISK, BOOT_NAMES};
use super::work;
use super::{Facts, LISTEN_EVERY, Machine, safe};
use crate::boot::kernel::net;
use crate::boot::kernel::uevents::Uevents;
use crate::core::{Input, Milestone, Millis};
use crate::handover::fds::Inherited;
use crate::handover::state;
use crate::shell::desk::{self, Desk};
use crate::shell::helper::Task;
use crate::shell::log;

impl Machine {
    /// As plain data.
    pub fn state(&self) -> state::Machine {
        state::Machine {
            uevents: self.uevents.as_ref().map(|u| u.as_fd().as_raw_fd()),
            addresses: self.addresses.as_ref().map(|a| a.as_fd().as_raw_fd()),
            held: self.held.as_ref().map(AsRawFd::as_raw_fd),
            facts: self.facts.clone(),
        }
    }

    /// From plain data. What the image says is read again; what is wrong with it has been told.
    pub fn of(s: state::Machine, fds: &mut Inherited) -> Machine {
        let mut machine = Machine::new(&mut named_desk(&desk::hostname()));
        let mut take = |fd: Option<i32>| fd.and_then(|fd| fds.take(fd).ok());
        machine.facts = s.facts;
        machine.renamed();
        machine.held = take(s.held);
        machine.uevents = take(s.uevents).map(Uevents::from);
        machine.addresses = take(s.addresses).map(net::Watch::from);
        // Who was asked for them may have been lost on the way.
        machine.facts.addresses_changed = true;
        if let Err(why) = machine.listen() {
            log::error(&why);
        }
        machine
    }

    /// Opens what tells of devices and addresses, where it is not open; something may have been missed then.
    ///
    /// # Errors
    /// What could not be opened, and why.
    pub(super) fn listen(&mut self) -> Result<(), String> {
        let mut deaf = Vec::new();
        if self.uevents.is_none() {
            self.missed();
            self.uevents = Uevents::listen().map_err(|e| deaf.push(format!("devices ({e})"))).ok();
        }
        if self.addresses.is_none() {
            self.facts.addresses_changed = true;
            self.addresses = net::Watch::listen()
                .map_err(|e| deaf.push(format!("addresses ({e})")))
                .ok();
        }
        match deaf.is_empty() {
            true => Ok(()),
            false => Err(format!("The kernel cannot be heard of {}", deaf.join(" and "))),
        }
    }

    /// Tries again, now and then, to hear what could not be heard.
    pub(super) fn listen_again(&mut self, now: Millis, desk: &mut Desk) {
        let deaf = self.uevents.is_none() || self.addresses.is_none();
        if !deaf || now.saturating_sub(self.facts.listened) < LISTEN_EVERY {
            return;
        }
        self.facts.listened = now;
        match self.listen() {
            Ok(()) => desk.unbanner("deaf"),
            Err(why) => {
                let every = LISTEN_EVERY / 1000;
                let text = format!("{why}: what comes and goes is looked for every {every} s instead, and seen later.");
                desk.banner("deaf", Severity::Warning, text);
            }
        }
    }

    /// Without any data: what is mounted and written down tells how far the box had come.
    pub fn look_around(now: Millis, desk: &mut Desk, fds: &mut Inherited) -> Machine {
        desk.host = named_desk(&desk::hostname()).host;
        let mut m = Machine::new(desk);
        m.facts = Facts {
            begun: now,
            ..Facts::default()
        };
        m.facts.renamed_at(&fs::read_to_string(BOOT_NAMES).unwrap_or_default());
        m.renamed();
        if let Err(why) = m.listen() {
            log::error(&why);
        }
        safe::begin(desk);
        desk.boot.reason = "not known any more: PID 1 has lost its notes".into();
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        m.facts.system = mounted(&mounts, "/system").is_some();
        if !m.facts.system {
            let board = m.board.clone();
            desk.start(Task::Early, move |line| work::early(line, &board));
            return m;
        }
        desk.inputs.push_back(Input::Milestone {
            which: Milestone::System,
            holds: true,
        });
        m.start_coldplug(desk);
        m.held = fds.find(is_block_device);
        let Some(kind) = mounted(&mounts, "/var/lib/kiln") else {
            m.start_keeper(desk);
            return m;
        };
        if kind == "tmpfs" {
            desk.boot.medium = Medium::Ram;
            desk.inputs.push_back(Input::Medium { present: false });
        } else {
            desk.boot.medium = Medium::Disk;
            m.facts.was_on_disk = true;
            let number = fs::read_to_string(BOOT_DISK).unwrap_or_default();
            let path = fs::canonicalize(Path::new("/sys/dev/block").join(number.trim())).ok();
            m.facts.disk_path = path.and_then(|p| Some(p.to_str()?.strip_prefix("/sys")?.to_owned()));
            m.facts.heard_at = Some(now);
            m.watch_on(desk);
        }
        m.facts.data_settled = true;
        desk.inputs.push_back(Input::Milestone {
            which: Milestone::Data,
            holds: true,
        });
        m
    }
}

/// A desk that knows the name which an earlier image has given the box: others in the network know it by that, and by what it
/// is named may have changed since. The kernel's own words for none are none.
pub(super) fn named_desk(kernels: &str) -> Desk {
    let named = !["(none)", "localhost"].contains(&kernels);
    Desk {
        host: if named { kernels.to_owned() } else { String::new() },
        ..Desk::default()
    }
}

/// Kind of the file system that is mounted at a place, the topmost one.
fn mounted<'a>(mounts: &'a str, at: &str) -> Option<&'a str> {
    mounts
        .lines()
        .filter_map(|l| {
            let mut words = l.split(' ').skip(1);
            (words.next() == Some(at)).then(|| words.next()).flatten()
        })
        .next_back()
}

fn is_block_device(fd: BorrowedFd<'_>) -> bool {
    nix::sys::stat::fstat(fd).is_ok_and(|s| s.st_mode & libc::S_IFMT == libc::S_IFBLK)
}

#[cfg(test)]
mod tests {
    use super::super::tests::machine;
    use super::*;

    #[test]
    fn where_the_kernel_could_not_be_listened_to_it_is_tried_again_and_looked_in_the_meantime() {
        let (mut m, mut desk) = (machine(), Desk::default());
        // No helper is to be started here.
        (m.facts.ending, m.facts.listening) = (true, true);
        m.turn(9_000, &mut desk);
        assert_eq!((m.facts.addresses_changed, m.facts.walk_again), (false, false));
        m.turn(10_000, &mut desk);
        assert_eq!((m.facts.addresses_changed, m.facts.walk_again), (true, true));
        assert!(
            m.facts.interface_came,
            "one that kiln.toml sets may be among what was missed"
        );
        assert_eq!(m.fds().count(), 2);
        assert_eq!(desk.banners.len(), 0);
    }

    #[test]
    fn the_topmost_mount_counts() {
        let text = "none / ramfs rw 0 0\n/dev/sda3 /var/lib/kiln ext4 rw 0 0\ntmpfs /var/lib/kiln tmpfs rw 0 0\n";
        assert_eq!(mounted(text, "/var/lib/kiln"), Some("tmpfs"));
        assert_eq!(mounted(text, "/system"), None);
    }
}
