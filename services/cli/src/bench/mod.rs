//! `kiln burn` beside `badblocks` and `fio`: the same loop device, one run, alternating.
//!
//! Each tool writes the whole device once and reads it back with a comparison. CPU time is
//! that of the tool's whole process tree, by a cgroup of its own ([`group`]); the kernel's
//! loop threads are outside for all of them alike. Memory is the sum of the tree's peak
//! resident sizes. The loop device, its file and the cgroup are gone when this ends,
//! also by Ctrl-C.

mod group;
mod lab;
mod tool;

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, bail};
use serde::Serialize;

use lab::Loop;
use tool::{Tool, tools};

/// What `kiln-bench engine` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Writes one JSON object a run to this file; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Size of the loop device in MiB.
    #[arg(long, default_value_t = 2048)]
    pub size: u64,
    /// Rounds; every tool runs once in each.
    #[arg(long, default_value_t = 3)]
    pub rounds: u32,
    /// Where the loop device's file lies [default: /dev/shm if it has room, else the temporary directory].
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// The `kiln` to measure [default: the one beside this program].
    #[arg(long, value_name = "PROGRAM")]
    pub kiln: Option<PathBuf>,
}

/// One run of one tool.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Tool and options that matter.
    pub tool: &'static str,
    /// Round, from 1.
    pub round: u32,
    /// Size of the device in bytes.
    pub bytes: u64,
    /// Wall time in seconds, start and end of the process included.
    pub seconds: f64,
    /// Bytes written and read by wall time, in MB/s of 10^6.
    pub pair_mb_s: f64,
    /// Write phase alone, where the tool tells it.
    pub write_mb_s: Option<f64>,
    /// Verify phase alone, where the tool tells it.
    pub verify_mb_s: Option<f64>,
    /// CPU seconds of the process tree for each GiB of the device, written and verified.
    pub cpu_s_per_gib: f64,
    /// Peak resident memory of the process tree in MiB.
    pub peak_mib: f64,
    /// Exit code.
    pub exit: Option<i32>,
}

/// Runs the bench.
///
/// # Errors
/// When the machine cannot do it, or a tool does not do its work.
pub fn main(args: &Args) -> Result<()> {
    if args.size < 16 || args.rounds == 0 {
        bail!(
            "--size {} --rounds {}: expected at least 16 MiB and one round",
            args.size,
            args.rounds
        );
    }
    let asked = Arc::new(AtomicBool::new(false));
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&asked)).context("listening for signals")?;
    }
    let kiln = match &args.kiln {
        Some(kiln) => kiln.clone(),
        None => std::env::current_exe()
            .context("finding this program")?
            .with_file_name("kiln"),
    };
    let bytes = args.size << 20;
    let device = Loop::new(args.dir.as_deref(), bytes)?;
    let mut out: Option<Box<dyn Write>> = match &args.json {
        Some(path) if path.as_os_str() == "-" => Some(Box::new(std::io::stdout())),
        Some(path) => Some(Box::new(
            File::create(path).with_context(|| format!("creating {}", path.display()))?,
        )),
        None => None,
    };
    let mut rows: Vec<Row> = Vec::new();
    let tools = tools(&kiln, &device);
    for round in 1..=args.rounds {
        for tool in &tools {
            if !tool.is_here() {
                eprintln!("{}: NOT RUN, {} is not installed", tool.name, tool.program.display());
                continue;
            }
            let row = run(tool, &device, round, &asked)?;
            eprintln!(
                "round {round}: {:34} {:7.0} MB/s, {:.4} CPU s/GiB",
                row.tool, row.pair_mb_s, row.cpu_s_per_gib
            );
            if let Some(out) = &mut out {
                writeln!(out, "{}", serde_json::to_string(&row)?).context("writing --json")?;
            }
            rows.push(row);
        }
    }
    if args.json.as_deref() != Some(std::path::Path::new("-")) {
        table(&rows, &tools);
    }
    Ok(())
}

fn run(tool: &Tool, device: &Loop, round: u32, asked: &AtomicBool) -> Result<Row> {
    let done = group::measure(&tool.command(), asked).with_context(|| format!("running {}", tool.name))?;
    let (write, verify) = tool.speeds(&done.stdout);
    if done.exit != Some(0) || !tool.did_its_work(&done.stdout) {
        bail!(
            "{}: exit code {:?}: {}{}",
            tool.name,
            done.exit,
            done.stderr,
            String::from_utf8_lossy(&done.stdout)
        );
    }
    Ok(Row {
        tool: tool.name,
        round,
        bytes: device.bytes,
        seconds: done.seconds,
        pair_mb_s: 2.0 * device.bytes as f64 / 1e6 / done.seconds,
        write_mb_s: write,
        verify_mb_s: verify,
        cpu_s_per_gib: done.cpu_seconds / (device.bytes as f64 / (1_u64 << 30) as f64),
        peak_mib: done.peak_bytes as f64 / (1 << 20) as f64,
        exit: done.exit,
    })
}

fn table(rows: &[Row], tools: &[Tool]) {
    let best = |tool: &str, value: &dyn Fn(&Row) -> Option<f64>, least: bool| {
        let all = rows.iter().filter(|r| r.tool == tool).filter_map(value);
        if least {
            all.reduce(f64::min)
        } else {
            all.reduce(f64::max)
        }
    };
    let text = |value: Option<f64>, digits: usize| value.map_or_else(|| "–".to_owned(), |v| format!("{v:.digits$}"));
    println!("| tool | write MB/s | verify MB/s | pair MB/s | CPU s/GiB | peak MiB |");
    println!("|---|---|---|---|---|---|");
    for tool in tools.iter().filter(|tool| rows.iter().any(|row| row.tool == tool.name)) {
        println!(
            "| {} | {} | {} | {} | {} | {} |",
            tool.name,
            text(best(tool.name, &|r| r.write_mb_s, false), 0),
            text(best(tool.name, &|r| r.verify_mb_s, false), 0),
            text(best(tool.name, &|r| Some(r.pair_mb_s), false), 0),
            text(best(tool.name, &|r| Some(r.cpu_s_per_gib), true), 4),
            text(best(tool.name, &|r| Some(r.peak_mib), true), 1),
        );
    }
    println!("\nbest of the rounds; CPU and memory are of the tool's process tree, without the kernel's loop threads");
}
