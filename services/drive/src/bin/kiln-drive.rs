//! `kiln-drive`: what this crate says about the drives of this machine, read-only.
//!
//! - `kiln-drive list` prints every drive with what is on it and why it would be refused, as JSON lines.
//! - `kiln-drive smart NODE` prints a SMART snapshot of the drive at NODE.
//! - `kiln-drive guard NODE` does what a job does before it writes (opens exclusively, asks the guard on the descriptor),
//!   closes again, and prints `free` or the refusal's word and reason as JSON. Nothing is written.
//! - `kiln-drive self-test short|extended NODE` starts the drive's own self-test and follows it to its end; prints its
//!   result as JSON. The drive reads itself; nothing is written.

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use drive::guard::{Guard, Usage};
use drive::no_size::NoSize;
use drive::selftest::{self, Kind, Step};
use drive::smart::Smartctl;
use drive::sysfs::Device;
use drive::{System, probe, sysfs};
use wire::job::SelfTestOutcome;
use wire::shown;

fn main() -> ExitCode {
    drive::answer_child();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["list"] => list(),
        ["smart", node] => smart(Path::new(node)),
        ["guard", node] => guard(Path::new(node)),
        ["self-test", kind @ ("short" | "extended"), node] => self_test(kind, Path::new(node)),
        _ => {
            eprintln!("usage: kiln-drive list | smart NODE | guard NODE | self-test short|extended NODE");
            ExitCode::from(64)
        }
    }
}

/// One line of JSON. What a drive tells gives a terminal no commands.
fn print(value: &serde_json::Value) {
    println!("{}", shown::json(&value.to_string()));
}

fn list() -> ExitCode {
    let guard = Guard::default();
    let usage = Usage::collect(&guard.system);
    for device in usage.drives() {
        let node = sysfs::node(&guard.system, &device.name);
        let look = probe::probe_with_deadline(&guard.prober, (&node, &node), Some(device.number), guard.deadline);
        let refused = guard.view(&usage, device, look.as_ref().ok());
        print(&serde_json::json!({
            "name": device.name,
            "identity": device.identity,
            "location": device.location,
            "rotation": device.rotation,
            "temperature": drive::temperature::sensed(&guard, &device.name).ok().flatten(),
            "content": look.map_or_else(|error| error.to_string(), |look| look.content.words()),
            "refused": refused.map(|refusal| refusal.view()),
        }));
    }
    ExitCode::SUCCESS
}

/// The drive at `node`, or what is said of it instead.
fn device(node: &Path) -> Result<Device, ExitCode> {
    let system = System::default();
    let name = node.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    sysfs::read(&system, name).ok_or_else(|| {
        let why = NoSize::of(&system, name).map_or_else(|| "it is not a drive".to_owned(), |why| why.to_string());
        eprintln!("{}: {why}", node.display());
        ExitCode::FAILURE
    })
}

fn smart(node: &Path) -> ExitCode {
    let device = match device(node) {
        Ok(device) => device,
        Err(code) => return code,
    };
    match Smartctl::default().read(node, &device.identity) {
        Ok(snapshot) => match serde_json::to_string_pretty(&snapshot) {
            Ok(text) => text.lines().for_each(|line| println!("{}", shown::json(line))),
            Err(error) => eprintln!("{error}"),
        },
        Err(error) => {
            eprintln!("{}", shown::line(&format!("{}: {error}", device.identity.words())));
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn guard(node: &Path) -> ExitCode {
    let device = match device(node) {
        Ok(device) => device,
        Err(code) => return code,
    };
    match drive::guard::open_for_erase(&device.identity, node, &[]) {
        Ok(_opened) => {
            print(&serde_json::json!({ "kind": "free", "reason": "nothing uses it" }));
            ExitCode::SUCCESS
        }
        Err(refusal) => {
            print(&serde_json::json!(refusal.view()));
            // As `kiln burn` does: refused by the guard.
            ExitCode::from(4)
        }
    }
}

fn self_test(kind: &str, node: &Path) -> ExitCode {
    let kind = if kind == "short" { Kind::Short } else { Kind::Extended };
    let device = match device(node) {
        Ok(device) => device,
        Err(code) => return code,
    };
    let (smartctl, begun) = (Smartctl::default(), Instant::now());
    let test = match selftest::start(&smartctl, node, &device.identity, kind) {
        Err(error) => error.told(kind),
        Ok(mut running) => loop {
            match selftest::poll(&smartctl, node, &device.identity, &mut running, begun.elapsed()) {
                Step::Ended(test) => break test,
                Step::Running { percent } => {
                    eprintln!("{percent:.0} %");
                    std::thread::sleep(running.limits.every);
                }
            }
        },
    };
    print(&serde_json::json!(test));
    match test.outcome {
        SelfTestOutcome::Passed => ExitCode::SUCCESS,
        SelfTestOutcome::Failed => ExitCode::from(2),
        SelfTestOutcome::Aborted | SelfTestOutcome::Unsupported | SelfTestOutcome::Unknown => ExitCode::from(3),
    }
}
