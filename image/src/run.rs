//! `kiln-image run`: the box in QEMU, with drives to burn in: good ones on each bus, and one that corrupts what it stores.
//!
//! The host's port goes to the box's port 80. Once the box answers, two lines are printed, `dashboard: URL` and
//! `claim: CODE`; then the box runs until SIGTERM or SIGINT. Each run starts from a fresh medium and blank drives.
//! The QEMU machine itself is `qemu`'s, the lying drive is `nbd`'s.

use crate::{
    assemble::{self, Options},
    board::{self, Board},
    error::{At, Error, Result},
    exec,
    nbd::{Disk, Fault, Plan, Server},
    qemu::{
        Arch, Bus, Drive, Machine, Source, Vm,
        machine::{blank_file, overlay},
    },
    workspace::Workspace,
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// Size of the medium: the image, and room for DATA to grow into.
const MEDIUM: &str = "2G";
/// Size of each drive in MiB: a whole burn-in takes a minute or two in emulation.
const DRIVE_MIB: u64 = 256;
/// Most drives: what the ports of the machine take.
const MOST_DRIVES: usize = 12;
/// How long the box may take to answer; a busy machine without hardware virtualisation is slow.
const PATIENCE: Duration = Duration::from_mins(10);
/// Pause between two looks at the signal flag.
const LOOK: Duration = Duration::from_millis(200);

/// What to run.
#[derive(Debug)]
pub struct Choice {
    /// Board.
    pub board: String,
    /// Port of this machine that leads to the dashboard.
    pub port: u16,
    /// Number of drives.
    pub drives: usize,
    /// Whether to leave the browser closed.
    pub headless: bool,
    /// A ready image instead of building one.
    pub image: Option<PathBuf>,
}

/// Builds the image, boots it, and returns when a signal says so.
///
/// # Errors
/// When the image cannot be built, or the box does not answer or ends by itself.
pub fn run(ws: &Workspace, choice: &Choice) -> Result<()> {
    if choice.drives > MOST_DRIVES {
        return Err(Error::Run(format!(
            "--drives {}: expected at most {MOST_DRIVES}",
            choice.drives
        )));
    }
    let board = Board::load(&ws.boards(), &choice.board)?;
    std::net::TcpListener::bind(("127.0.0.1", choice.port)).map_err(|e| {
        Error::Run(format!(
            "port {} of this machine cannot be used ({e}); choose another with --port",
            choice.port
        ))
    })?;
    let image = match &choice.image {
        Some(i) => i.clone(),
        None => built(ws, &board)?,
    };
    // From here on there is something to clean up; during the build a signal ends this program at once.
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [libc::SIGTERM, libc::SIGINT] {
        signal_hook::flag::register(signal, stop.clone()).at("catching", format!("signal {signal}"))?;
    }
    let folder = tempfile::Builder::new()
        .prefix("kiln-run-")
        .tempdir()
        .at("making", "a folder for the machine")?;
    let medium = folder.path().join("medium.qcow2");
    overlay(&image, &medium).map_err(failed)?;
    exec::run(Command::new("qemu-img").args(["resize", "-q"]).arg(&medium).arg(MEDIUM))?;

    let arch = match board.arch {
        board::Arch::X86_64 => Arch::X86_64,
        board::Arch::Aarch64 => Arch::Arm64,
    };
    let mut machine = Machine::new(arch)
        .port(choice.port)
        .boot(Bus::Usb, Source::Qcow2(medium), None);
    for (name, value) in environment() {
        machine = machine.fw_cfg(&format!("opt/kiln/env/{name}"), &value);
    }
    let mut servers = Vec::new();
    for n in 0..choice.drives {
        let (drive, server) = drive(n, folder.path())?;
        machine = machine.drive(drive);
        servers.extend(server);
    }
    let mut vm = machine.start(folder.path()).map_err(failed)?;
    eprintln!(
        "booting {}; its console: {}",
        board.title,
        folder.path().join("serial.log").display()
    );
    let answered = wait(&mut vm, &stop, |vm| vm.wait_http("/health", LOOK).is_ok())?;
    if answered {
        announce(&mut vm, &stop, choice)?;
        while !stop.load(Ordering::Relaxed) {
            alive(&mut vm, &stop)?;
            std::thread::sleep(LOOK);
        }
    }
    eprintln!("stopping");
    drop(vm);
    drop(servers);
    Ok(())
}

/// The image of the tree as it is now.
fn built(ws: &Workspace, board: &Board) -> Result<PathBuf> {
    let dir = ws.root().join(".kiln/images");
    fs::create_dir_all(&dir).at("making", &dir)?;
    let path = dir.join(format!("{}.img", board.name));
    assemble::build(ws, board, &path, &Options::default())?;
    Ok(path)
}

/// What is passed into the box: the credentials that claim it, for development and automation.
fn environment() -> Vec<(String, String)> {
    let names = ["ADMIN_PASSWORD", "ADMIN_USER"];
    names
        .iter()
        .filter_map(|n| Some(((*n).to_owned(), std::env::var(n).ok()?)))
        .collect()
}

/// Drive number `n`: SATA, SCSI, NVMe, then one that stores a flipped bit, then more good ones.
fn drive(n: usize, dir: &Path) -> Result<(Drive, Option<Server>)> {
    let serial = format!("KILN{:04}", n + 1);
    let bus = [Bus::Sata, Bus::Scsi, Bus::Nvme, Bus::Scsi][n % 4];
    if n == 3 {
        // One bit of one sector in the middle: the smallest lie that a burn-in must find.
        let sector = DRIVE_MIB * 2048 / 2 + 12_345;
        let plan = Plan::honest().with(Fault::FlipBit { sector, bit: 1_234 });
        let socket = dir.join("lying.sock");
        let disk = Disk::blank(DRIVE_MIB)
            .at("making", "the drive that corrupts")?
            .with_plan(plan);
        let server = Server::bind(&socket, disk).at("binding", &socket)?;
        let drive = Drive::new(bus, &serial, Source::Nbd(socket)).model("CORRUPTS");
        return Ok((drive, Some(server)));
    }
    let file = dir.join(format!("drive{n}.raw"));
    blank_file(&file, DRIVE_MIB).map_err(failed)?;
    let model = ["GOOD SATA", "GOOD SCSI", "GOOD NVME", "GOOD SCSI"][n % 4];
    Ok((Drive::new(bus, &serial, Source::Raw(file)).model(model), None))
}

/// Waits until `ready`, or until a signal says to stop (then `false`).
fn wait(vm: &mut Vm, stop: &AtomicBool, mut ready: impl FnMut(&mut Vm) -> bool) -> Result<bool> {
    let begun = std::time::Instant::now();
    while !stop.load(Ordering::Relaxed) {
        if ready(vm) {
            return Ok(true);
        }
        alive(vm, stop)?;
        if begun.elapsed() > PATIENCE {
            let console = vm.console();
            let lines: Vec<&str> = console.lines().collect();
            let end = lines[lines.len().saturating_sub(30)..].join("\n");
            return Err(Error::Run(format!(
                "the box did not answer within {} s; its console ends with:\n{end}",
                PATIENCE.as_secs()
            )));
        }
        std::thread::sleep(LOOK);
    }
    Ok(false)
}

/// That the box runs; a signal from the terminal ends QEMU too, which is no error then.
fn alive(vm: &mut Vm, stop: &AtomicBool) -> Result<()> {
    match vm.alive() {
        Err(e) => {
            std::thread::sleep(LOOK);
            if stop.load(Ordering::Relaxed) {
                Ok(())
            } else {
                Err(failed(e))
            }
        }
        Ok(()) => Ok(()),
    }
}

fn announce(vm: &mut Vm, stop: &AtomicBool, choice: &Choice) -> Result<()> {
    // The one that was taken: 0 asks for any.
    let url = format!("http://127.0.0.1:{}", vm.port());
    if std::env::var_os("ADMIN_PASSWORD").is_some() {
        let user = std::env::var("ADMIN_USER").unwrap_or_else(|_| "admin".into());
        println!("dashboard: {url}\nclaim: none needed, it is claimed for {user} with ADMIN_PASSWORD");
    } else {
        let mut code = None;
        if !wait(vm, stop, |vm| {
            code = claim_code(&vm.console());
            code.is_some()
        })? {
            return Ok(());
        }
        println!("dashboard: {url}\nclaim: {}", code.unwrap_or_default());
    }
    let screen = ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .any(|n| std::env::var_os(n).is_some());
    if !choice.headless && screen {
        // A browser that does not open is no reason to stop the box.
        let _ = Command::new("xdg-open").arg(&url).spawn();
    }
    Ok(())
}

/// The last claim code on the console: a new one replaces an old one.
fn claim_code(console: &str) -> Option<String> {
    console
        .lines()
        .filter_map(|l| l.split_once("claim: ")?.1.split_whitespace().next())
        .rfind(|c| c.len() == 8 && c.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()))
        .map(str::to_owned)
}

fn failed(e: crate::qemu::Error) -> Error {
    Error::Run(e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_claim_code_counts() {
        assert_eq!(
            claim_code("x\nclaim: ABCD1234\r\nclaim: 0000ZZZZ\r\n"),
            Some("0000ZZZZ".into())
        );
        assert_eq!(claim_code("claim: abc\nclaim: \nno"), None);
    }

    #[test]
    fn every_bus_and_a_liar_are_among_the_first_four() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let made: Vec<_> = (0..4).map(|n| drive(n, dir.path()).expect("a drive")).collect();
        let buses: Vec<Bus> = made.iter().map(|(d, _)| d.bus).collect();
        assert_eq!(buses, [Bus::Sata, Bus::Scsi, Bus::Nvme, Bus::Scsi]);
        assert_eq!(made.iter().filter(|(_, s)| s.is_some()).count(), 1);
    }
}
