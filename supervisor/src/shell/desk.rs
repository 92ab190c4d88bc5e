//! What the loop and the machine hand each other: inputs to come, helpers that run, facts for the status.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::os::fd::{AsFd, AsRawFd};

use wire::boxes::Banner;
use wire::event::Severity;
use wire::supervisor::BootView;

use super::helper::{Helper, Task};
use super::log;
use crate::core::{Input, Milestone};
use crate::handover::fds::Inherited;
use crate::handover::state;

/// Most helpers at a time.
pub(crate) const HELPERS_MAX: usize = 16;

/// The desk between loop and machine.
#[derive(Debug, Default)]
pub struct Desk {
    /// Inputs that wait for the core.
    pub inputs: VecDeque<Input>,
    /// Helpers that run.
    pub helpers: Vec<Helper>,
    /// What everybody has to know, by a key so that it can be taken back.
    pub banners: Vec<(Cow<'static, str>, Banner)>,
    /// How the box came up.
    pub boot: BootView,
    /// Host name.
    pub host: String,
    /// Addresses without loopback.
    pub addresses: Vec<String>,
    /// Environment for every unit, from `kiln.toml`.
    pub env: Vec<(String, String)>,
    /// Set when `env` has changed.
    pub env_changed: bool,
    /// Units that keep state must start afresh.
    pub state_moved: Option<String>,
    /// Whether any unit that keeps state has a process.
    pub stateful_run: bool,
    /// Whether every critical unit's first start is over.
    pub served: bool,
    /// Reboots in a row that still count.
    pub reboots: u32,
    /// How often a person at the console has asked to get in without a password.
    pub recovery: u32,
    /// Slots and updates.
    pub update: crate::update::Facts,
    /// Who has asked for a factory reset; taken in the same turn.
    pub reset: Option<String>,
    /// Why the box is to go back to the system in the other slot, in words; taken as soon as nobody writes to the boot partition.
    pub back: Option<String>,
}

/// What the kernel calls this machine.
pub fn hostname() -> String {
    nix::unistd::gethostname()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

impl Desk {
    /// Below a root everything that a box has to bring up is there from the start.
    pub fn below_root() -> Desk {
        let mut desk = Desk {
            host: hostname(),
            ..Desk::default()
        };
        for (_, which) in Milestone::ALL {
            desk.inputs.push_back(Input::Milestone { which, holds: true });
        }
        desk.boot.medium = wire::supervisor::Medium::Disk;
        desk.boot.reason = "an ordinary process".into();
        desk
    }

    /// As plain data.
    pub fn state(&self) -> state::Desk {
        state::Desk {
            inputs: self.inputs.iter().cloned().collect(),
            helpers: self
                .helpers
                .iter()
                .map(|h| (h.task, h.pid, h.as_fd().as_raw_fd()))
                .collect(),
            banners: self.banners.iter().map(|(k, b)| (k.to_string(), b.clone())).collect(),
            boot: self.boot.clone(),
            host: self.host.clone(),
            addresses: self.addresses.clone(),
            env: self.env.clone(),
            env_changed: self.env_changed,
            state_moved: self.state_moved.clone(),
            recovery: self.recovery,
            update: self.update.clone(),
        }
    }

    /// From plain data. A helper whose line is gone is killed: whoever has use for it starts another.
    pub fn of(s: state::Desk, fds: &mut Inherited) -> Desk {
        let mut helpers = Vec::new();
        for (task, pid, fd) in s.helpers {
            match fds.take(fd) {
                Ok(line) => helpers.push(Helper::of(task, pid, line)),
                Err(e) => {
                    log::error(&format!("{task:?}: {e}"));
                    let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
                }
            }
        }
        Desk {
            inputs: s.inputs.into(),
            helpers,
            banners: s.banners.into_iter().map(|(k, b)| (Cow::Owned(k), b)).collect(),
            boot: s.boot,
            host: s.host,
            addresses: s.addresses,
            env: s.env,
            env_changed: s.env_changed,
            state_moved: s.state_moved,
            stateful_run: false,
            served: false,
            reboots: 0,
            recovery: s.recovery,
            update: s.update,
            reset: None,
            back: None,
        }
    }

    /// Starts a helper; a failure is logged and told by `false`. The last one is never one too many.
    pub fn start(&mut self, task: Task, work: impl FnOnce(&super::helper::Line) -> i32) -> bool {
        if self.helpers.len() >= HELPERS_MAX && task != Task::Farewell {
            return false;
        }
        match Helper::start(task, work) {
            Ok(h) => {
                self.helpers.push(h);
                true
            }
            Err(e) => {
                log::error(&format!("starting {task:?}: {e}"));
                false
            }
        }
    }

    /// Whether such a helper runs.
    pub fn runs(&self, task: Task) -> bool {
        self.helpers.iter().any(|h| h.task == task)
    }

    /// Shows or replaces a banner.
    pub fn banner(&mut self, key: &'static str, severity: Severity, text: String) {
        if self.banners.iter().any(|(k, b)| *k == key && b.text == text) {
            return;
        }
        log::warn(&text);
        self.banners.retain(|(k, _)| *k != key);
        self.banners.push((Cow::Borrowed(key), Banner { severity, text }));
    }

    /// Whether there is such a banner.
    pub fn is_told(&self, key: &str) -> bool {
        self.banners.iter().any(|(k, _)| k == key)
    }

    /// Takes a banner back.
    pub fn unbanner(&mut self, key: &'static str) {
        self.banners.retain(|(k, _)| *k != key);
    }
}
