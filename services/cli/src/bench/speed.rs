//! Speed, CPU time and memory of every tool on one loop device, in alternating rounds.

use std::fmt::Write;

use anyhow::{Context, Result, bail};
use serde::Serialize;

use super::group::{self, Run};
use super::lab::Loop;
use super::tool::{self, Told, Tool};
use super::{Bench, Sink, goal};

/// Most CPU seconds a GiB, written and verified, with 512-bit registers.
const AVX512: f64 = 0.035;

/// The same with 256-bit registers.
const AVX2: f64 = 0.055;

/// One run of one tool.
#[derive(Clone, Debug, Serialize)]
struct Row {
    /// Tool and options that matter.
    tool: &'static str,
    /// Round, from 1.
    round: u32,
    /// Size of the device in bytes.
    bytes: u64,
    /// Passes over it: write and verify are two.
    passes: f64,
    /// Wall time in seconds, start and end of the process included.
    seconds: f64,
    /// Bytes written and read by wall time, in MB/s of 10^6.
    mb_s: f64,
    /// Write phase alone, where the tool tells it.
    write_mb_s: Option<f64>,
    /// Verify phase alone, where the tool tells it.
    verify_mb_s: Option<f64>,
    /// CPU seconds of the process tree for each GiB of the device, over all passes.
    cpu_s_per_gib: f64,
    /// Peak resident memory of the process tree in MiB.
    peak_mib: f64,
    /// Exit code.
    exit: Option<i32>,
}

/// Measures and returns the table.
pub(super) fn part(bench: &Bench<'_>, sink: &mut Sink) -> Result<String> {
    let device = Loop::new(bench.args.dir.as_deref(), bench.args.size << 20)?;
    let mut rows: Vec<Row> = Vec::new();
    let mut tools = tool::fast(&bench.kiln, &bench.own, &device.node);
    tools.retain(|tool| tool.name.contains(&bench.args.only));
    for round in 1..=bench.args.rounds {
        for tool in tools.iter().filter(|tool| round == 1 || !tool.is_slow()) {
            if !tool.is_here() {
                eprintln!("NOT RUN: {}: {} is not installed", tool.name, tool.program.display());
                continue;
            }
            let Some(row) = run(bench, tool, &device, round)? else {
                continue;
            };
            eprintln!(
                "round {round}: {:42} {:7.0} MB/s, {:.4} CPU s/GiB",
                row.tool, row.mb_s, row.cpu_s_per_gib
            );
            sink.row("speed", &row)?;
            rows.push(row);
        }
    }
    Ok(table(&rows, &tools) + &goals(&rows, &tools))
}

fn run(bench: &Bench<'_>, tool: &Tool, device: &Loop, round: u32) -> Result<Option<Row>> {
    let run = Run {
        command: tool.command(),
        ..Run::default()
    };
    let done = group::measure(&run, &bench.asked).with_context(|| format!("running {}", tool.name))?;
    match tool.told(done.exit, &done.stdout, &done.stderr) {
        Told::Fine => {}
        Told::Broken(why) if why.contains("this processor has no") => {
            eprintln!("NOT RUN: {}: this processor has no such registers", tool.name);
            return Ok(None);
        }
        Told::Wrong(why) | Told::Broken(why) => bail!("{}: {why}", tool.name),
    }
    let (write, verify) = tool.speeds(&done.stdout);
    Ok(Some(Row {
        tool: tool.name,
        round,
        bytes: device.bytes,
        passes: tool.passes(),
        seconds: done.seconds,
        mb_s: tool.passes() * device.bytes as f64 / 1e6 / done.seconds,
        write_mb_s: write,
        verify_mb_s: verify,
        cpu_s_per_gib: done.cpu_seconds / (device.bytes as f64 / (1_u64 << 30) as f64),
        peak_mib: done.peak_bytes as f64 / f64::from(1 << 20),
        exit: done.exit,
    }))
}

fn best(rows: &[Row], tool: &str, value: impl Fn(&Row) -> Option<f64>, least: bool) -> Option<f64> {
    let all = rows.iter().filter(|r| r.tool == tool).filter_map(value);
    all.reduce(if least { f64::min } else { f64::max })
}

fn least_cpu(rows: &[Row], tool: &str) -> Option<f64> {
    best(rows, tool, |row| Some(row.cpu_s_per_gib), true)
}

fn table(rows: &[Row], tools: &[Tool]) -> String {
    let text = |value: Option<f64>, digits: usize| value.map_or_else(|| "–".to_owned(), |v| format!("{v:.digits$}"));
    let mut out =
        "| tool | write MB/s | verify MB/s | all MB/s | CPU s/GiB | peak MiB |\n|---|---|---|---|---|---|\n".to_owned();
    for name in tools
        .iter()
        .map(|tool| tool.name)
        .filter(|name| rows.iter().any(|row| row.tool == *name))
    {
        let _ = writeln!(
            out,
            "| {name} | {} | {} | {} | {} | {} |",
            text(best(rows, name, |r| r.write_mb_s, false), 0),
            text(best(rows, name, |r| r.verify_mb_s, false), 0),
            text(best(rows, name, |r| Some(r.mb_s), false), 0),
            text(least_cpu(rows, name), 4),
            text(best(rows, name, |r| Some(r.peak_mib), true), 1),
        );
    }
    out + "best of the rounds; CPU and memory are of the tool's process tree, without the kernel's loop threads; fio raw is one pass\n\n"
}

fn goals(rows: &[Row], tools: &[Tool]) -> String {
    let mut out = String::new();
    let cpu = |of: &dyn Fn(&&Tool) -> bool| {
        let all = tools.iter().filter(of).filter_map(|tool| least_cpu(rows, tool.name));
        all.reduce(f64::min)
    };
    let kiln = least_cpu(rows, "kiln burn surface, io_uring");
    if let (Some(kiln), Some(other)) = (kiln, cpu(&|tool| tool.is_badblocks())) {
        let share = 100.0 * kiln / other;
        let text = format!(
            "kiln burn takes {kiln:.4} CPU s/GiB, {share:.0} % of badblocks' best mode ({other:.4}; goal 50 %)"
        );
        out += &goal(&text, share <= 50.0);
    }
    let has_512 = rows.iter().any(|row| row.tool == "kiln engine alone, AVX-512");
    if let Some(kiln) = kiln.filter(|_| has_512) {
        let text = format!("with AVX-512 {kiln:.4} CPU s/GiB, the whole program (goal {AVX512})");
        out += &goal(&text, kiln <= AVX512);
    }
    if let Some(forced) = least_cpu(rows, "kiln engine alone, AVX2 forced") {
        out += &goal(
            &format!("with AVX2 {forced:.4} CPU s/GiB (goal {AVX2})"),
            forced <= AVX2,
        );
    }
    out
}
