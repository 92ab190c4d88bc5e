//! All that PID 1 knows, as plain data; descriptors are numbers, which an exec keeps.

use std::collections::BTreeMap;
use std::os::fd::RawFd;

use serde::{Deserialize, Serialize};
use wire::boxes::Banner;
use wire::supervisor::BootView;

use super::envelope::{self, HEAD};
use super::{Refused, faults::Faults};
use crate::boot::Facts;
use crate::core::{Core, Ending, Input, Millis};
use crate::shell::helper::Task;
use crate::unit::{Unit, UnitError};

/// One unit's process and descriptors.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Main process.
    pub pid: Option<i32>,
    /// The process that was started, where the main one is another.
    #[serde(default)]
    pub leader: Option<i32>,
    /// The main process is another's child.
    #[serde(default)]
    pub foreign: bool,
    /// Cgroups that had to be left behind.
    pub generation: u32,
    /// Whether it has a cgroup.
    pub group: bool,
    /// Its listening sockets, in the file's order; `None`: could not be opened yet.
    pub sockets: Vec<Option<RawFd>>,
    /// What it has stored: name, descriptor, whether a hang-up drops it.
    pub store: Vec<(String, RawFd, bool)>,
    /// When its state was last seen to change: the core's time and the wall clock's.
    pub shown_since: Option<(Millis, wire::Time)>,
}

/// One client of the control socket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// Its connection.
    pub fd: RawFd,
    /// Who it is.
    pub uid: Option<u32>,
    /// A request that has not ended yet.
    pub input: Vec<u8>,
    /// Whether it wants each new status.
    pub watching: bool,
    /// The line being sent, from the first byte that is not out.
    pub sending: Vec<u8>,
    /// The line after that.
    pub next: Option<String>,
    /// It has asked for the replacement and waits for an answer.
    pub asked: bool,
}

/// The hardware watchdog.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watchdog {
    /// Its device, which must never be closed.
    pub fd: RawFd,
    /// Seconds.
    pub timeout: i32,
    /// When it was fed last.
    pub fed: Millis,
    /// Whether it ended the last boot.
    pub reset_us: bool,
    /// What it calls itself.
    pub name: String,
}

/// The desk between loop and machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields are those of `shell::desk::Desk`")]
pub struct Desk {
    pub inputs: Vec<Input>,
    /// Task, process, and our end of its line.
    pub helpers: Vec<(Task, i32, RawFd)>,
    pub banners: Vec<(String, Banner)>,
    pub boot: BootView,
    pub host: String,
    pub addresses: Vec<String>,
    pub env: Vec<(String, String)>,
    pub env_changed: bool,
    pub state_moved: Option<String>,
    pub recovery: u32,
    pub update: crate::update::Facts,
}

/// What only PID 1 has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The kernel's events.
    pub uevents: Option<RawFd>,
    /// Changes of addresses.
    pub addresses: Option<RawFd>,
    /// What keeps the boot disk from being erased.
    pub held: Option<RawFd>,
    /// The rest.
    pub facts: Facts,
}

/// Everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Definitions, as they were read at the start.
    pub units: Vec<Unit>,
    /// Files that were left out.
    pub malformed: Vec<UnitError>,
    /// Units' lives, deadlines, counts; milestones; a decided reboot.
    pub core: Core,
    /// In the order of `units`.
    pub processes: Vec<Process>,
    /// Values by name.
    pub credentials: BTreeMap<String, String>,
    /// The notify socket.
    pub notify: RawFd,
    /// The control socket.
    pub control: RawFd,
    /// Its clients.
    pub clients: Vec<Client>,
    /// The desk.
    pub desk: Desk,
    /// In the box.
    pub machine: Option<Machine>,
    /// The watchdog, once it is open.
    pub watchdog: Option<Watchdog>,
    /// Claim code on the console.
    pub claim: Option<String>,
    /// Fingerprint of the server's certificate on the console.
    pub fingerprint: Option<String>,
    /// The end that is under way: how, and by when.
    pub end: Option<(Ending, Millis)>,
    /// Faults of PID 1 itself.
    pub faults: Faults,
}

impl State {
    /// Writes it into `bytes`, sealed for process `pid`.
    ///
    /// # Errors
    /// It cannot be written down (no memory).
    pub fn write(&self, pid: u32, bytes: &mut Vec<u8>) -> Result<(), Refused> {
        bytes.clear();
        bytes.resize(HEAD, 0);
        serde_json::to_writer(&mut *bytes, self).map_err(|e| Refused(e.to_string()))?;
        envelope::seal(bytes, pid);
        Ok(())
    }

    /// Reads what [`State::write`] has written.
    ///
    /// # Errors
    /// Why it is not used.
    pub fn read(bytes: &[u8], pid: u32) -> Result<State, Refused> {
        let body = envelope::open(bytes, pid)?;
        let state: State = serde_json::from_slice(body).map_err(|e| Refused(format!("it does not fit: {e}")))?;
        if state.processes.len() != state.units.len() || state.core.units() != state.units.len() {
            return Err(Refused("it does not have one process for each unit".into()));
        }
        Ok(state)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use proptest::prelude::*;
    use std::path::Path;
    use wire::event::Severity;

    fn core(units: &[Unit], steps: &[(u16, u8, u8)]) -> Core {
        let mut core = Core::new(5, units, 1, 99);
        let (mut now, mut out) = (5, Vec::new());
        for (pass, what, which) in steps {
            now += Millis::from(*pass);
            let unit = usize::from(*which) % units.len();
            let input = match what % 6 {
                0 => Input::Ready { unit },
                1 => Input::Heartbeat { unit },
                2 if core.state(unit).runs() => Input::Exited {
                    unit,
                    exit: crate::core::Exit::Signal(9),
                },
                3 => Input::Status {
                    unit,
                    text: format!("at \u{1f525} {now}\n\0"),
                },
                4 => Input::MediumSilent { for_ms: now },
                _ => Input::Tick { pressure: *which },
            };
            core.step(now, input, &mut out);
        }
        core
    }

    prop_compose! {
        fn process()(pid: Option<i32>, generation: u32, group: bool, sockets in proptest::collection::vec(any::<Option<i32>>(), 0..4),
                     store in proptest::collection::vec(("\\PC{0,20}", any::<i32>(), any::<bool>()), 0..4), at: Option<u64>) -> Process {
            let shown_since = at.map(|ms| (ms, wire::Time::from_millisecond(i64::try_from(ms % 4_000_000_000_000).unwrap()).unwrap()));
            Process { pid, leader: pid.map(|p| p ^ 1), foreign: group, generation, group, sockets, store, shown_since }
        }
    }

    prop_compose! {
        fn client()(fd: i32, uid: Option<u32>, input: Vec<u8>, watching: bool, sending: Vec<u8>, next in proptest::option::of("\\PC{0,40}"), asked: bool) -> Client {
            Client { fd, uid, input, watching, sending, next, asked }
        }
    }

    prop_compose! {
        fn desk()(texts in proptest::collection::vec("\\PC{0,30}", 6), pid: i32, fd: i32, env_changed: bool, moved: bool) -> Desk {
            let t = |n: usize| texts[n].clone();
            Desk {
                inputs: vec![Input::Restart { unit: 3, why: t(0) }, Input::Milestone { which: crate::core::Milestone::Data, holds: moved }],
                helpers: vec![(Task::Medium, pid, fd), (Task::Console, fd, pid)],
                banners: vec![(t(1), Banner { severity: Severity::Critical, text: t(2) })],
                boot: BootView { slot: t(3), ..BootView::default() },
                host: t(4),
                addresses: vec![t(5)],
                env: vec![(t(0), t(5))],
                env_changed,
                state_moved: moved.then(|| t(1)),
                recovery: 3,
                update: crate::update::Facts::default(),
            }
        }
    }

    prop_compose! {
        fn state()(steps in proptest::collection::vec(any::<(u16, u8, u8)>(), 0..40), processes in proptest::collection::vec(process(), 3),
                   clients in proptest::collection::vec(client(), 0..3), desk in desk(), numbers: [i32; 4], claim in proptest::option::of("\\PC{0,9}"),
                   end: Option<u64>, watchdog: Option<(i32, i32, u64, bool)>, machine: Option<(Option<i32>, Option<i32>, Option<i32>)>, faults: [u64; 4],
                   credentials in proptest::collection::btree_map("[a-z]{1,8}", "[0-9a-f]{0,64}", 0..3)) -> State {
            let unit = |n: &str, t: &str| Unit::from_toml(Path::new(n), t).unwrap();
            let units = vec![
                unit("/u/a.toml", "exec=['/a', 'ü \\n']\ntype='notify'\nwatchdog_sec=2\ncritical=true\nlisten=[{name='x', stream='[::1]:8080'}, {name='y', datagram='/run/y'}]\nfd_store_max=4"),
                unit("/u/b.toml", "exec=['/b']\nrequires=['a']\nmemory_max='1G'\n[environment]\nK='v'"),
                unit("/u/c.toml", "exec=['/c']\ntype='oneshot'\nafter=['network', 'gone']"),
            ];
            State {
                core: core(&units, &steps),
                malformed: vec![UnitError { file: "/u/d.toml".into(), line: Some(3), field: None, what: "expected".into() }],
                units,
                processes,
                credentials,
                notify: numbers[0],
                control: numbers[1],
                clients,
                desk,
                machine: machine.map(|(uevents, addresses, held)| Machine { uevents, addresses, held, facts: Facts::default() }),
                watchdog: watchdog.map(|(fd, timeout, fed, reset_us)| Watchdog { fd, timeout, fed, reset_us, name: "iTCO".into() }),
                fingerprint: claim.clone(),
                claim,
                end: end.map(|at| (Ending::Reboot, at)),
                faults: Faults(faults),
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn state_to_bytes_to_state_is_identity_and_any_flipped_byte_is_refused(state in state(), at: usize, flip in 1u8..) {
            let mut bytes = Vec::new();
            state.write(77, &mut bytes).unwrap();
            prop_assert_eq!(State::read(&bytes, 77).unwrap(), state);
            let at = at % bytes.len();
            bytes[at] ^= flip;
            prop_assert!(State::read(&bytes, 77).is_err());
        }
    }

    #[test]
    fn a_state_that_does_not_fit_together_is_refused() {
        let units = vec![Unit::from_toml(Path::new("/u/a.toml"), "exec=['/a']").unwrap()];
        let mut state = State {
            core: core(&units, &[]),
            units,
            malformed: vec![],
            processes: vec![],
            credentials: BTreeMap::new(),
            notify: 3,
            control: 4,
            clients: vec![],
            desk: Desk::default(),
            machine: None,
            watchdog: None,
            claim: None,
            fingerprint: None,
            end: None,
            faults: Faults::default(),
        };
        let mut bytes = Vec::new();
        state.write(1, &mut bytes).unwrap();
        assert!(State::read(&bytes, 1).is_err());
        state.processes.push(Process::default());
        state.write(1, &mut bytes).unwrap();
        assert_eq!(State::read(&bytes, 1), Ok(state));
    }
}
