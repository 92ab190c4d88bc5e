//! Replacing PID 1 while everything runs: its own fault or an upgrade is an `execve` of the same process.
//!
//! What it knows goes into a sealed memory file ([`state::State`] in an [`envelope`]); every descriptor stays open. The new
//! image reads the file, takes its descriptors over by number and closes the rest ([`fds`]); children, sockets, deadlines
//! and counts are as they were. A file that is damaged, of another version or of another process is refused, and the new
//! image looks around instead: units' processes by cgroup or environment, sockets by address (`shell::run::succeed`).
//!
//! Ways in: a panic in the loop (state as it is), a fatal signal (state as at the end of the last turn, [`fatal`]), a
//! request of root over the control socket. More than [`faults::FAULTS_MAX`] faults within a minute are a hard reboot.
//! Tests: beside each file, and `tests/reexec.rs` over real children.

pub mod envelope;
pub mod exec;
pub mod fatal;
pub mod faults;
pub mod fds;
pub mod memfd;
pub mod state;

use std::fmt;
use std::io;
use std::os::fd::RawFd;
use std::path::Path;

use crate::core::Ending;
use crate::shell::paths::Paths;
use crate::shell::run::Shell;
use crate::shell::{clock, log};
use faults::Faults;
use fds::Inherited;

/// Why a memory file is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused(pub String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

/// What an earlier image says in its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heir {
    /// The memory file; `None`: it could not make one.
    pub fd: Option<RawFd>,
    /// Recent faults.
    pub faults: Faults,
}

impl Heir {
    /// Reads the arguments after the root; none at all: this is a first start.
    ///
    /// # Errors
    /// They are not what [`exec::replace`] passes.
    pub fn parse(words: &[&str]) -> Result<Option<Heir>, Refused> {
        let wrong = || {
            Refused(format!(
                "arguments {words:?}: expected {} FD {} TIMES",
                exec::HEIR,
                exec::FAULTS
            ))
        };
        match words {
            [] => Ok(None),
            [exec::HEIR, fd, exec::FAULTS, times] => {
                let mut faults = Faults::default();
                for (to, from) in faults.0.iter_mut().zip(times.split(',')) {
                    *to = from.parse().map_err(|_| wrong())?;
                }
                let fd = match *fd {
                    "-" => None,
                    n => Some(n.parse().map_err(|_| wrong())?),
                };
                Ok(Some(Heir { fd, faults }))
            }
            _ => Err(wrong()),
        }
    }
}

/// The supervisor's whole life in this image: `fresh` starts one that inherits nothing.
///
/// # Errors
/// It could not start, or failed too often.
pub fn begin(
    root: Option<&Path>,
    paths: Paths,
    heir: Option<Heir>,
    fresh: impl FnOnce(Paths) -> io::Result<Shell>,
) -> io::Result<Ending> {
    // The loop survives a panic (see `Shell::run`); what happened must be in the log either way.
    std::panic::set_hook(Box::new(|info| {
        log::error(&format!("PID 1 panicked: {info}"));
        fatal::note(&info.to_string().replace('\n', ": "));
    }));
    exec::remember(root)?;
    fatal::install()?;
    let Some(heir) = heir else {
        return fresh(paths)?.run();
    };
    fatal::set_faults(heir.faults);
    // SAFETY: this image has opened nothing so far that it keeps.
    let fds = unsafe { Inherited::all() }?;
    if paths.is_box() {
        log::use_kmsg();
    }
    let taken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| Shell::succeed(paths, heir.fd, fds)));
    match taken {
        Ok(shell) => shell?.run(),
        // With this state it cannot go on; without it, it can.
        Err(_) if fatal::again(clock::now()) => Err(io::Error::from_raw_os_error(exec::replace(
            false,
            None,
            &fatal::faults(),
        ))),
        Err(_) => Err(io::Error::other(
            "taking over from an earlier image failed again and again",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_an_earlier_image_passes_is_understood() {
        let faults = Faults([0, 0, 5, 99]);
        assert_eq!(Heir::parse(&[]), Ok(None));
        let heir = |fd| Ok(Some(Heir { fd, faults }));
        assert_eq!(Heir::parse(&["--heir", "7", "--faults", "0,0,5,99"]), heir(Some(7)));
        assert_eq!(Heir::parse(&["--heir", "-", "--faults", "0,0,5,99"]), heir(None));
        for wrong in [
            &["x"][..],
            &["--heir", "7"],
            &["--heir", "a", "--faults", "1"],
            &["--heir", "1", "--faults", ""],
        ] {
            assert!(Heir::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
