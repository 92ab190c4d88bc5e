//! Starting a unit: its sockets, its surroundings, its process.

use std::io;
use std::path::Path;

use super::{Shell, unread};
use crate::core::UnitId;
use crate::shell::cgroup::Group;
use crate::shell::spawn::{Prepared, Surroundings};
use crate::shell::{log, sockets, users};

impl Shell {
    pub(super) fn spawn(&mut self, unit: UnitId) -> io::Result<()> {
        self.open_sockets(unit);
        if self.processes[unit].prepared.is_none() {
            self.processes[unit].prepared = Some(self.prepare(unit)?);
        }
        let p = &mut self.processes[unit];
        if self.paths.is_box() && p.group.is_none() {
            p.group = Some(Group::make(&self.units[unit], p.generation)?);
        }
        if let Some(prepared) = &p.prepared {
            p.pid = Some(prepared.start(p.group.as_ref(), p.store.entries())?);
            (p.leader, p.foreign) = (p.pid, false);
        }
        Ok(())
    }

    pub(super) fn prepare(&mut self, unit: UnitId) -> io::Result<Prepared> {
        let u = &self.units[unit];
        let passwd = self.paths.at(Path::new("/etc/passwd"));
        let user = users::find(&passwd, &u.user).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::NotFound,
                format!("user {:?} is not in {}", u.user, passwd.display()),
            )
        })?;
        let owner = self.paths.is_box().then_some(user);
        let mut env: Vec<(String, String)> = vec![("NOTIFY_SOCKET".into(), self.paths.notify().display().to_string())];
        if let Some(dir) = self.credentials.provide(&self.paths.run(), u, owner)? {
            env.push(("CREDENTIALS_DIRECTORY".into(), dir.display().to_string()));
        }
        let state = u.state_directory.as_ref().map(|d| self.paths.state().join(d));
        if let Some(dir) = &state {
            env.push(("STATE_DIRECTORY".into(), dir.display().to_string()));
        }
        let runtime = u.runtime_directory.as_ref().map(|d| self.paths.run().join(d));
        if let Some(dir) = &runtime {
            env.push(("RUNTIME_DIRECTORY".into(), dir.display().to_string()));
        }
        let mut becomes = Vec::with_capacity(u.becomes.len());
        for name in &u.becomes {
            match users::find(&passwd, name) {
                Some(user) => becomes.push(user.uid),
                None => log::warn_of(
                    &u.name,
                    format_args!(
                        "becomes: user {name:?} is not in {}: it cannot become that one",
                        passwd.display()
                    ),
                ),
            }
        }
        env.push(("KILN_CONTROL_SOCKET".into(), self.paths.control().display().to_string()));
        env.extend(u.environment.iter().map(|(k, v)| (k.clone(), v.clone())));
        env.extend(self.desk.env.iter().cloned());
        let mut listen = Vec::with_capacity(u.listen.len());
        for (l, fd) in u.listen.iter().zip(&self.sockets[unit]) {
            match fd {
                Some(fd) => listen.push(fd.try_clone()?),
                None => {
                    return Err(io::Error::new(
                        io::ErrorKind::AddrNotAvailable,
                        format!("socket {:?} could not be opened", l.name),
                    ));
                }
            }
        }
        let stdout = self.paths.stdout();
        if let Err(e) = sockets::make_outputs(&stdout) {
            log::warn(&format!("{}: {e}", sockets::outputs(&stdout).display()));
        }
        // Whoever reads that socket must not write to it. Below a root there may be nobody who does.
        let reads_it = unread::reads_output(u, &self.paths);
        let read = self.paths.is_box() || self.units.iter().any(|u| unread::reads_output(u, &self.paths));
        Prepared::new(
            u,
            Surroundings {
                env,
                listen,
                user,
                state,
                runtime,
                becomes,
                stdout: (!reads_it && read).then_some(stdout.as_path()),
                sandbox: self.paths.is_box(),
            },
        )
    }

    pub(super) fn open_sockets(&mut self, unit: UnitId) {
        for (l, slot) in self.units[unit].listen.iter().zip(&mut self.sockets[unit]) {
            if slot.is_none() {
                match sockets::open(l, &self.paths) {
                    Ok(fd) => *slot = Some(fd),
                    Err(e) => log::error(&format!("{}: socket {:?}: {e}", self.units[unit].name, l.name)),
                }
            }
        }
    }
}
