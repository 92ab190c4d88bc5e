//! What others see: the status line, and what stands on the console.

use std::path::Path;

use wire::supervisor::{Status, UnitState, UnitView};

use super::Shell;
use crate::core::{Input, Millis};
use crate::shell::control::Wish;
use crate::shell::{log, users};
use crate::unit;
use crate::update::{Facts, Known};

impl Shell {
    pub(super) fn publish(&mut self, now: Millis) {
        let status = self.status(now);
        let known = self.known();
        Facts::turn(now, &mut self.desk, &self.paths, &status, known.as_ref());
        // What is told has been kept: a fault in the next instant must not take it back.
        self.keep_snapshot();
        let line = serde_json::to_string(&status).unwrap_or_default();
        let changed = line != self.status_line && line.len() < wire::supervisor::LINE_MAX;
        if changed {
            self.status_line = line;
            self.control.publish(&self.status_line);
        }
        if let Some(m) = &mut self.machine
            && (changed || m.is_unshown())
        {
            m.show(
                &status,
                (self.claim.as_deref(), self.fingerprint.as_deref()),
                &self.desk,
            );
        }
        for wish in self.control.serve(&self.status_line) {
            match wish {
                Wish::Screen { code, fingerprint, uid } if self.is_servers(uid, "show a claim code") => {
                    self.show_screen(code, fingerprint, &status);
                }
                Wish::Reset(uid) if self.is_servers(uid, "reset the box") => {
                    self.desk.reset = Some("asked for in the dashboard".into());
                }
                Wish::Update(uid) if self.is_servers(uid, "update the box") => self.start_writer(),
                Wish::Back { why, uid } if self.is_servers(uid, "go back to the other system") => {
                    self.desk.back = Some(why.chars().filter(|c| !c.is_control()).take(100).collect());
                }
                Wish::End { ending, why, uid } if self.is_servers(uid, "reboot the box or switch it off") => {
                    let why = why.chars().filter(|c| !c.is_control()).take(200).collect();
                    self.desk.inputs.push_back(Input::Shutdown { ending, why });
                }
                Wish::Proof { missing, uid } if self.is_servers(uid, "vouch for the box") => {
                    let missing = missing.map(|m| m.chars().filter(|c| !c.is_control()).take(200).collect());
                    self.desk.update.proof(now, missing);
                }
                Wish::Screen { .. }
                | Wish::Reset(_)
                | Wish::Update(_)
                | Wish::Back { .. }
                | Wish::End { .. }
                | Wish::Proof { .. } => {}
                Wish::Replace => self.replace = true,
            }
        }
    }

    /// What an update has to know of this start; `None` below a root.
    fn known(&self) -> Option<Known> {
        self.machine.as_ref().map(|m| m.known(self.desk.boot.medium))
    }

    /// Starts the helper that writes updates; the server may talk to it.
    fn start_writer(&mut self) {
        let passwd = self.paths.at(Path::new("/etc/passwd"));
        let servers = self.units.iter().filter(|u| u.critical);
        let uids = servers
            .filter_map(|u| users::find(&passwd, &u.user))
            .map(|u| u.uid)
            .collect();
        let known = self.known();
        Facts::asked(&mut self.desk, &self.paths, known, uids);
    }

    /// Whether a process of this user may command the box: root, the server, and whoever we run as.
    pub(super) fn is_servers(&mut self, uid: Option<u32>, what: &str) -> bool {
        let mine = nix::unistd::getuid().as_raw();
        let mut servers = self
            .units
            .iter()
            .filter(|u| u.critical)
            .filter_map(|u| users::find(&self.paths.at(Path::new("/etc/passwd")), &u.user));
        let may = uid == Some(0) || uid == Some(mine) || servers.any(|u| uid == Some(u.uid));
        if !may {
            self.complain(None, format_args!("a process of user {uid:?} wanted to {what}"));
        }
        may
    }

    /// Puts what the server says on the console.
    fn show_screen(&mut self, code: Option<String>, fingerprint: Option<String>, status: &Status) {
        let plain =
            |extra: u8| move |c: &String| c.len() <= 128 && c.bytes().all(|b| b.is_ascii_alphanumeric() || b == extra);
        let code = code.filter(plain(b'-')).filter(|c| c.len() <= 32);
        let fingerprint = fingerprint.filter(plain(b':'));
        if self.claim == code && self.fingerprint == fingerprint {
            return;
        }
        (self.claim, self.fingerprint) = (code, fingerprint);
        if let Some(m) = &mut self.machine {
            m.show(status, (self.claim.as_deref(), self.fingerprint.as_deref()), &self.desk);
        } else if let Some(code) = &self.claim {
            log::info(&format!("claim: {code}"));
        }
    }

    pub(super) fn status(&mut self, now: Millis) -> Status {
        let mut units = Vec::with_capacity(self.units.len());
        for (id, u) in self.units.iter().enumerate() {
            let Some(facts) = self.core.view(id) else { continue };
            let p = &mut self.processes[id];
            let since = match p.shown_since {
                Some((ms, at)) if ms == facts.since => at,
                _ => {
                    let ago = i64::try_from(now.saturating_sub(facts.since)).unwrap_or(0);
                    let at = wire::Time::from_millisecond(wire::Time::now().as_millisecond() - ago).unwrap_or_default();
                    p.shown_since = Some((facts.since, at));
                    at
                }
            };
            units.push(UnitView {
                name: u.name.clone(),
                state: facts.state.view(),
                rung: facts.rung,
                reason: facts.reason.to_owned(),
                status: facts.status.to_owned(),
                restarts: facts.restarts,
                pid: p.pid,
                since,
            });
        }
        // The log has them all; what is told has to fit into a line.
        for e in self.malformed.iter().take(unit::UNITS_MAX) {
            units.push(UnitView {
                name: e.file.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
                state: UnitState::Failed,
                rung: None,
                reason: e.to_string(),
                status: String::new(),
                restarts: 0,
                pid: None,
                since: wire::Time::UNIX_EPOCH,
            });
        }
        units.sort_by(|a, b| a.name.cmp(&b.name));
        Status {
            host: self.desk.host.clone(),
            addresses: self.desk.addresses.clone(),
            units,
            boot: self.desk.boot.clone(),
            recovery: self.desk.recovery,
            update: self.desk.update.view.clone(),
            watchdog: self.watchdog.as_ref().map(|w| w.timeout().unsigned_abs()),
            banners: self.desk.banners.iter().map(|(_, b)| b.clone()).collect(),
        }
    }
}
