//! What the loop and the machine hand each other: inputs to come, helpers that run, facts for the status.

use std::collections::VecDeque;

use wire::boxes::Banner;
use wire::event::Severity;
use wire::supervisor::BootView;

use super::helper::{Helper, Task};
use super::log;
use crate::core::{Input, Milestone};

/// Most helpers at a time.
const HELPERS_MAX: usize = 16;

/// The desk between loop and machine.
#[derive(Debug, Default)]
pub struct Desk {
    /// Inputs that wait for the core.
    pub inputs: VecDeque<Input>,
    /// Helpers that run.
    pub helpers: Vec<Helper>,
    /// What everybody has to know, by a key so that it can be taken back.
    pub banners: Vec<(&'static str, Banner)>,
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
    /// Units that the owner's settings make needless.
    pub left_out: Vec<String>,
}

impl Desk {
    /// Below a root everything that a box has to bring up is there from the start.
    pub fn below_root() -> Desk {
        let mut desk = Desk {
            host: nix::unistd::gethostname()
                .map(|h| h.to_string_lossy().into_owned())
                .unwrap_or_default(),
            ..Desk::default()
        };
        for which in [
            Milestone::System,
            Milestone::Data,
            Milestone::Modules,
            Milestone::Network,
        ] {
            desk.inputs.push_back(Input::Milestone { which, holds: true });
        }
        desk.boot.medium = wire::supervisor::Medium::Disk;
        desk.boot.reason = "an ordinary process".into();
        desk
    }

    /// Starts a helper; a failure is logged and told by `false`.
    pub fn start(&mut self, task: Task, work: impl FnOnce(&super::helper::Line) -> i32) -> bool {
        if self.helpers.len() >= HELPERS_MAX {
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
        self.banners.push((key, Banner { severity, text }));
    }

    /// Takes a banner back.
    pub fn unbanner(&mut self, key: &'static str) {
        self.banners.retain(|(k, _)| *k != key);
    }
}
