//! `kiln burn` beside `badblocks`, `fio` and `nwipe`: the same devices, one run, one machine.
//!
//! | part | what |
//! |---|---|
//! | [`speed`] | MB/s, CPU seconds a GiB of the whole process tree, peak memory; every kernel of the pattern |
//! | [`detection`] | every tool before the same lying device: what it sees, what it misses, its exit code |
//! | [`throttle`] | a device of 40 MB/s, a minute each way: how much of fio's raw rate is reached |
//! | [`memory`] | 24 workers and the agent at once |
//!
//! [`server`] is a bench of its own: the server under thousands of add-ons.
//!
//! CPU time is that of a tool's process tree, by a cgroup of its own ([`group`]); the kernel's loop threads are outside
//! for all of them alike. Devices, files and cgroups are gone when this ends, also by Ctrl-C.

mod detection;
mod engine;
mod group;
mod lab;
mod memory;
pub mod server;
mod speed;
mod throttle;
mod tool;

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, bail};
use serde::Serialize;

pub use engine::{RunArgs, run};

/// What `kiln-bench engine` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Writes one JSON object a row to this file; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Size of the loop device in MiB.
    #[arg(long, default_value_t = 4096)]
    pub size: u64,
    /// Rounds; every tool runs once in each.
    #[arg(long, default_value_t = 3)]
    pub rounds: u32,
    /// Which parts.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Part::Speed, Part::Detection, Part::Throttle, Part::Memory])]
    pub parts: Vec<Part>,
    /// Only tools whose name contains this.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub only: String,
    /// Rate of the slow device in MB/s.
    #[arg(long, default_value_t = 40)]
    pub slow: u64,
    /// For how long the slow device is written, and read, in seconds.
    #[arg(long, default_value_t = 60)]
    pub slow_seconds: u64,
    /// Where the loop device's file lies [default: /dev/shm if it has room, else the temporary directory].
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// The `kiln` to measure [default: the one beside this program].
    #[arg(long, value_name = "PROGRAM")]
    pub kiln: Option<PathBuf>,
    /// The `kiln-agent` to measure [default: the one beside this program].
    #[arg(long, value_name = "PROGRAM")]
    pub agent: Option<PathBuf>,
}

/// One part of the bench.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// Speed, CPU, memory beside the others.
    Speed,
    /// What each tool finds.
    Detection,
    /// The slow device.
    Throttle,
    /// 24 workers and the agent.
    Memory,
}

/// What every part needs.
#[derive(Debug)]
struct Bench<'a> {
    args: &'a Args,
    kiln: PathBuf,
    agent: PathBuf,
    /// This program, for the engine alone.
    own: PathBuf,
    asked: Arc<AtomicBool>,
}

/// Where the rows go: JSON lines, or tables on standard output.
struct Sink(Option<Box<dyn Write>>);

impl Sink {
    fn row(&mut self, part: &str, row: &impl Serialize) -> Result<()> {
        let Some(out) = &mut self.0 else { return Ok(()) };
        let mut line = serde_json::to_value(row).context("writing a row")?;
        line["part"] = part.into();
        writeln!(out, "{line}").context("writing --json")
    }
}

/// Runs the bench.
///
/// # Errors
/// When the machine cannot do it, or a tool does not do its work.
pub fn main(args: &Args) -> Result<()> {
    if args.size < 16 || args.rounds == 0 || args.slow == 0 || args.slow_seconds == 0 {
        bail!(
            "--size {} --rounds {} --slow {} --slow-seconds {}: expected at least 16 MiB and 1 of each other",
            args.size,
            args.rounds,
            args.slow,
            args.slow_seconds
        );
    }
    let asked = Arc::new(AtomicBool::new(false));
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&asked)).context("listening for signals")?;
    }
    let own = std::env::current_exe().context("finding this program")?;
    let beside = |given: &Option<PathBuf>, name: &str| given.clone().unwrap_or_else(|| own.with_file_name(name));
    let bench = Bench {
        args,
        kiln: beside(&args.kiln, "kiln"),
        agent: beside(&args.agent, "kiln-agent"),
        own: own.clone(),
        asked,
    };
    let mut sink = Sink(match &args.json {
        Some(path) if path.as_os_str() == "-" => Some(Box::new(std::io::stdout())),
        Some(path) => Some(Box::new(
            File::create(path).with_context(|| format!("creating {}", path.display()))?,
        )),
        None => None,
    });
    let quiet = args.json.as_deref() == Some(std::path::Path::new("-"));
    let mut text = format!("load before: {}\n", load());
    for part in &args.parts {
        let told = match part {
            Part::Speed => speed::part(&bench, &mut sink),
            Part::Detection => detection::part(&bench, &mut sink),
            Part::Throttle => throttle::part(&bench, &mut sink),
            Part::Memory => memory::part(&bench, &mut sink),
        };
        text += &format!("\n{}", told.with_context(|| format!("part {part:?}"))?);
    }
    text += &format!("\nload after: {}\n", load());
    if !quiet {
        print!("{text}");
    }
    Ok(())
}

/// The machine's load averages: other programs take cache and memory bandwidth from the measured one.
fn load() -> String {
    std::fs::read_to_string("/proc/loadavg")
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// Whether a goal is met, in words.
fn goal(text: &str, met: bool) -> String {
    format!("{}: {text}\n", if met { "met" } else { "NOT MET" })
}
