//! A machine that runs.

use std::fs::File;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Error;
use super::drive::{Bus, Drive, Source};
use super::http::Request;
use super::ports::Ports;
use super::probe::Probe;
use super::qmp::Qmp;

/// How long QEMU may take to open its control socket.
const START: Duration = Duration::from_mins(1);
/// How long a guest may take to let go of a drive: a PCIe port waits five seconds for an objection.
const LET_GO: Duration = Duration::from_mins(1);
/// Time-out of one try to reach the guest: a connection made before its network is up hangs for ever.
const TRY: Duration = Duration::from_millis(1500);
/// Pause between two looks at the console log.
const LOOK: Duration = Duration::from_millis(50);

/// What the guest's kernel says of a processor that gets no timer interrupt any more: once also where this computer was only too
/// busy to run it, again and again where it is so.
const TIMER_LOST: &str = "Possible timer handling issue on cpu";
/// How long the rest of such a report may take to come.
const WHOLE: Duration = Duration::from_secs(10);
/// How long a guest that said so may take to prove that it was only slow: beyond the next report, which comes after three times
/// the 21 s of an RCU stall. Source: `print_other_cpu_stall` in `kernel/rcu/tree_stall.h`.
const PROVES: Duration = Duration::from_secs(75);

/// A running QEMU. Dropping it kills it.
#[derive(Debug)]
pub struct Vm {
    child: Child,
    qmp: Qmp,
    probe: Option<Probe>,
    dir: PathBuf,
    port: u16,
    /// Length of the console log when this run began.
    log_start: u64,
    drives: Vec<Drive>,
    ports: Ports,
}

impl Vm {
    pub(super) fn start(
        program: &'static str,
        arguments: &[String],
        dir: &Path,
        port: u16,
        drives: Vec<Drive>,
    ) -> Result<Self, Error> {
        let file = |what, name: &str, cause| Error::File {
            what,
            path: dir.join(name),
            cause,
        };
        let log_start = std::fs::metadata(dir.join("serial.log")).map_or(0, |m| m.len());
        for socket in ["qmp.sock", "probe.sock"] {
            match std::fs::remove_file(dir.join(socket)) {
                Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
                    return Err(file("removing", socket, cause));
                }
                _ => {}
            }
        }
        let errors = File::create(dir.join("qemu.err")).map_err(|cause| file("making", "qemu.err", cause))?;
        std::fs::write(dir.join("command"), super::machine::shell_line(program, arguments))
            .map_err(|cause| file("writing", "command", cause))?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors);
        let parent = std::process::id();
        let dies_with_us = move || {
            // SAFETY: plain numbers.
            if unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) } != 0 {
                return Err(std::io::Error::last_os_error());
            }
            // The parent may have died before the call above.
            // SAFETY: takes nothing.
            if u32::try_from(unsafe { libc::getppid() }) != Ok(parent) {
                return Err(std::io::Error::from_raw_os_error(libc::ESRCH));
            }
            Ok(())
        };
        // SAFETY: between fork and exec only prctl and getppid are called, both async-signal-safe; nothing allocates.
        unsafe { command.pre_exec(dies_with_us) };
        let mut child = command.spawn().map_err(|_| Error::Missing {
            what: "QEMU",
            path: Path::new("/usr/bin").join(program),
        })?;
        let qmp = match connect(&mut child, dir) {
            Ok(qmp) => qmp,
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(error);
            }
        };
        let mut ports = Ports::default();
        for drive in &drives {
            ports.take(drive)?;
        }
        Ok(Self {
            child,
            qmp,
            probe: None,
            dir: dir.to_owned(),
            port,
            log_start,
            drives,
            ports,
        })
    }

    /// The host's port that leads to port 80 of the box.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address that leads to port 80 of the box.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// QEMU's control socket, for what has no method here.
    pub fn qmp(&mut self) -> &mut Qmp {
        &mut self.qmp
    }

    /// What the box has written to its serial console since this start.
    #[must_use]
    pub fn console(&self) -> String {
        let bytes = std::fs::read(self.dir.join("serial.log")).unwrap_or_default();
        let from = usize::try_from(self.log_start).unwrap_or(0).min(bytes.len());
        String::from_utf8_lossy(&bytes[from..]).into_owned()
    }

    /// Length of the console text so far: what comes later is `console()[mark..]`.
    #[must_use]
    pub fn mark(&self) -> usize {
        self.console().len()
    }

    /// Waits until the console shows `text` after `mark`; gives the line that it stands in.
    pub fn wait_console_after(&mut self, mark: usize, text: &str, limit: Duration) -> Result<String, Error> {
        let deadline = Instant::now() + limit;
        let mut lost = Lost::default();
        loop {
            let console = self.console();
            let later = console.get(mark..).unwrap_or_default();
            // Only whole lines: the rest of the line may carry what the caller is after.
            if let Some(at) = later.find(text)
                && let Some(end) = later[at..].find('\n')
            {
                let start = later[..at].rfind('\n').map_or(0, |n| n + 1);
                return Ok(later[start..at + end].trim_end().to_owned());
            }
            self.alive()?;
            lost.look(later, Instant::now())?;
            if Instant::now() > deadline {
                return Err(self.late(format!("{text:?} on the console"), limit));
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Waits until the console shows `text`; gives the line that it stands in.
    pub fn wait_console(&mut self, text: &str, limit: Duration) -> Result<String, Error> {
        self.wait_console_after(0, text, limit)
    }

    /// Waits until `GET path` answers 200; gives the body.
    pub fn wait_http(&mut self, path: &str, limit: Duration) -> Result<String, Error> {
        let deadline = Instant::now() + limit;
        let (mark, mut lost) = (self.mark(), Lost::default());
        loop {
            if let Ok(response) = Request::new("GET", path).send(self.address(), TRY)
                && response.status == 200
            {
                return Ok(response.text());
            }
            self.alive()?;
            lost.look(self.console().get(mark..).unwrap_or_default(), Instant::now())?;
            if Instant::now() > deadline {
                return Err(self.late(format!("answer to GET {path}"), limit));
            }
            std::thread::sleep(LOOK);
        }
    }

    /// The helper in the guest; the first call waits for it.
    pub fn probe(&mut self) -> Result<&mut Probe, Error> {
        if self.probe.is_none() {
            self.probe = Some(Probe::connect(&self.dir.join("probe.sock"), Duration::from_mins(2))?);
        }
        self.probe.as_mut().ok_or_else(|| Error::Probe("not connected".into()))
    }

    /// Plugs a drive in.
    pub fn plug(&mut self, drive: Drive) -> Result<(), Error> {
        if drive.bus == Bus::Sata {
            return Err(Error::Impossible("QEMU's AHCI has no hot-plug; use SCSI".into()));
        }
        let port = self.ports.take(&drive)?;
        self.qmp.execute("object-add", drive.throttle_object())?;
        self.qmp.execute("blockdev-add", drive.blockdev())?;
        self.qmp.execute("device_add", drive.device(port))?;
        if let Some(namespace) = drive.namespace() {
            self.qmp.execute("device_add", namespace)?;
        }
        self.drives.push(drive);
        Ok(())
    }

    /// Pulls a drive out and waits until the guest has let go of it.
    pub fn pull(&mut self, id: &str) -> Result<(), Error> {
        self.qmp.execute("device_del", json!({ "id": id }))?;
        self.qmp.event("DEVICE_DELETED", |data| data["device"] == id, LET_GO)?;
        if let Some(at) = self.drives.iter().position(|d| d.id == id) {
            let drive = self.drives.remove(at);
            self.qmp.execute("blockdev-del", json!({ "node-name": drive.node() }))?;
            self.qmp
                .execute("object-del", json!({ "id": drive.throttle_group() }))?;
        }
        Ok(())
    }

    /// Takes the card out of a reader; the reader stays.
    pub fn take_out(&mut self, id: &str) -> Result<(), Error> {
        let slot = self.slot(id)?;
        self.qmp
            .execute("blockdev-open-tray", json!({ "id": slot, "force": true }))?;
        self.qmp.execute("blockdev-remove-medium", json!({ "id": slot }))?;
        Ok(())
    }

    /// Puts another card into an empty reader: these bytes, at the speed of the one before.
    pub fn put_in(&mut self, id: &str, source: Source) -> Result<(), Error> {
        let slot = self.slot(id)?;
        let before = self.drives.iter().find(|d| d.id == id);
        let mut card = before
            .cloned()
            .ok_or_else(|| Error::Impossible(format!("no reader {id}")))?;
        let group = card.throttle_group();
        card.source = source;
        card.id = format!("{id}-next");
        let mut node = card.blockdev();
        node["throttle-group"] = json!(group);
        self.qmp.execute("blockdev-add", node)?;
        self.qmp.execute(
            "blockdev-insert-medium",
            json!({ "id": slot, "node-name": card.node() }),
        )?;
        self.qmp.execute("blockdev-close-tray", json!({ "id": slot }))?;
        Ok(())
    }

    /// A reader's place for a card, which has a path and no name.
    fn slot(&mut self, id: &str) -> Result<Value, Error> {
        let all = self.qmp.execute("query-block", json!({}))?;
        let is_of = |told: &&Value| {
            told["qdev"]
                .as_str()
                .is_some_and(|path| path.split('/').any(|part| part == id))
        };
        let slot = all.as_array().and_then(|list| list.iter().find(is_of));
        slot.map(|told| told["qdev"].clone())
            .ok_or_else(|| Error::Impossible(format!("QEMU knows no reader {id}")))
    }

    /// Changes a drive's speed in bytes a second; 0: as fast as it goes.
    pub fn set_speed(&mut self, id: &str, bytes: u64) -> Result<(), Error> {
        let path = format!("/objects/speed-{id}");
        let limits = json!({ "bps-total": bytes });
        self.qmp.execute(
            "qom-set",
            json!({ "path": path, "property": "limits", "value": limits }),
        )?;
        Ok(())
    }

    /// What an NVMe drive warns of from now on: the bits of its health log's first byte.
    pub fn set_warnings(&mut self, id: &str, bits: u8) -> Result<(), Error> {
        let path = format!("/machine/peripheral/{id}");
        let property = "smart_critical_warning";
        self.qmp
            .execute("qom-set", json!({ "path": path, "property": property, "value": bits }))?;
        Ok(())
    }

    /// Bytes that the guest has written to a drive of this machine so far, as QEMU counts them.
    pub fn written(&mut self, id: &str) -> Result<u64, Error> {
        let all = self.qmp.execute("query-blockstats", json!({}))?;
        let missing = || Error::Impossible(format!("QEMU counts nothing for drive {id}"));
        let ends = |q: &str| q.split('/').any(|part| part == id);
        let of = all.as_array().and_then(|list| {
            list.iter()
                .find(|d| d["qdev"].as_str().is_some_and(ends) && d["stats"]["wr_bytes"].is_u64())
        });
        of.and_then(|d| d["stats"]["wr_bytes"].as_u64()).ok_or_else(missing)
    }

    /// Presses the reset button.
    pub fn reset(&mut self) -> Result<(), Error> {
        self.qmp.execute("system_reset", json!({}))?;
        self.probe = None;
        Ok(())
    }

    /// Waits for an event of QEMU, e.g. `WATCHDOG` or `RESET`.
    pub fn wait_event(&mut self, name: &str, limit: Duration) -> Result<Value, Error> {
        self.qmp.event(name, |_| true, limit)
    }

    /// Waits until the guest has switched the machine off by itself.
    pub fn wait_off(&mut self, limit: Duration) -> Result<(), Error> {
        self.qmp
            .event("SHUTDOWN", |data| data["reason"] == "guest-shutdown", limit)?;
        let deadline = Instant::now() + limit;
        while self.alive().is_ok() {
            if Instant::now() > deadline {
                return Err(self.late("the end of QEMU after the guest's power-off".into(), limit));
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Pulls the power cord: QEMU is killed, nothing is written any more.
    pub fn cut(mut self) {
        self.kill();
    }

    /// Whether QEMU still runs; when not, why it ended.
    pub fn alive(&mut self) -> Result<(), Error> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(ended(&self.dir, &status.to_string())),
            Err(cause) => Err(Error::File {
                what: "waiting for QEMU of",
                path: self.dir.clone(),
                cause,
            }),
        }
    }

    fn late(&self, what: String, limit: Duration) -> Error {
        let console = self.console();
        let tail: Vec<&str> = console.lines().rev().take(25).collect();
        let console = tail.into_iter().rev().collect::<Vec<_>>().join("\n");
        Error::Late {
            what,
            seconds: limit.as_secs(),
            console,
        }
    }

    fn kill(&mut self) {
        // It may have ended by itself; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a guest has said of a lost timer, and whether it goes on all the same.
#[derive(Debug, Default)]
struct Lost {
    /// How many reports there were when the last one was whole.
    reports: usize,
    /// When the one that it has to answer for was first seen, and how long the console was when it was whole.
    since: Option<(Instant, usize)>,
}

impl Lost {
    /// Looks at what the guest wrote, from the same place each time; an error once it has proven that it cannot come any more: it
    /// reports the same again, or has fallen silent.
    fn look(&mut self, console: &str, now: Instant) -> Result<(), Error> {
        let reports = console.matches(TIMER_LOST).count();
        let since = match self.since {
            Some((since, _)) => since,
            None if reports > self.reports => now,
            None => return Ok(()),
        };
        let after = now.saturating_duration_since(since);
        if after < WHOLE {
            self.reports = reports;
            self.since = Some((since, console.len()));
        } else if after > PROVES {
            let silent = self.since.is_some_and(|(_, whole)| whole == console.len());
            if silent || reports > self.reports {
                return Err(Error::Fault("a processor of the guest has lost its timer"));
            }
            self.since = None;
        }
        Ok(())
    }
}

fn connect(child: &mut Child, dir: &Path) -> Result<Qmp, Error> {
    let deadline = Instant::now() + START;
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Err(ended(dir, &status.to_string()));
        }
        match Qmp::connect(&dir.join("qmp.sock")) {
            Err(Error::Qmp(cause)) if Instant::now() > deadline => return Err(Error::Qmp(cause)),
            Err(Error::Qmp(_)) => std::thread::sleep(LOOK),
            other => return other,
        }
    }
}

fn ended(dir: &Path, status: &str) -> Error {
    let stderr = std::fs::read_to_string(dir.join("qemu.err")).unwrap_or_default();
    if stderr.contains("iotlb_to_section") {
        return Error::Fault("it aborted in iotlb_to_section, while the guest set its PCI up");
    }
    Error::Ended {
        status: status.to_owned(),
        stderr: stderr.trim().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a guest that says these, each so many seconds after the first, is given up within five minutes.
    fn is_lost(says: &[(u64, &str)]) -> bool {
        let (begun, mut lost, mut console) = (Instant::now(), Lost::default(), "booting\n".to_owned());
        assert!(lost.look(&console, begun).is_ok());
        (0..300).any(|second| {
            for (_, line) in says.iter().filter(|(at, _)| *at == second) {
                console.push_str(line);
            }
            lost.look(&console, begun + Duration::from_secs(second)).is_err()
        })
    }

    #[test]
    fn only_a_guest_that_reports_it_again_or_falls_silent_has_lost_its_timer() {
        let report = format!("rcu: \t{TIMER_LOST}=1 timer-softirq=1107\n");
        let report = report.as_str();
        let rest = "rcu: RCU grace-period kthread stack dump:\n";
        assert!(is_lost(&[(0, report), (1, rest), (63, report), (64, rest)]));
        assert!(is_lost(&[(0, report), (1, rest)]), "it says nothing more");
        assert!(!is_lost(&[(0, rest), (20, "kiln: ready\n")]), "it never said so");
        assert!(!is_lost(&[(0, report), (1, rest), (20, "kiln: ready\n")]), "it went on");
        // Starved a second time, long after it had gone on.
        let twice = [(0, report), (20, "kiln: up\n"), (150, report), (170, "kiln: ready\n")];
        assert!(!is_lost(&twice));
    }
}
