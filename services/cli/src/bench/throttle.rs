//! A slow device: how much of its raw rate a burn-in reaches, write and verify each.
//!
//! The cgroup of the measured program is throttled on the loop device, fio's and Kiln's alike.

use std::fmt::Write;

use anyhow::{Context, Result, bail};
use serde::Serialize;

use super::group::{self, Run};
use super::lab::Loop;
use super::tool::{self, Kind, Told};
use super::{Bench, Sink, goal};

/// Least share of fio's raw rate, in percent.
const SHARE: f64 = 98.0;

/// fio's block. Its buffers lie on small pages; one of 1 MiB has more of them than the device takes at once, is split, and
/// the kernel charges both halves for the whole (seen with Linux 6.18: fio got half the rate).
const BLOCK: &str = "256k";

#[derive(Clone, Debug, Serialize)]
struct Row {
    tool: &'static str,
    seconds: f64,
    write_mb_s: Option<f64>,
    verify_mb_s: Option<f64>,
    cpu_s_per_gib: f64,
}

/// Measures and returns the table.
pub(super) fn part(bench: &Bench<'_>, sink: &mut Sink) -> Result<String> {
    let rate = bench.args.slow * 1_000_000;
    let bytes = (rate * bench.args.slow_seconds) >> 20 << 20;
    let device = Loop::new(bench.args.dir.as_deref(), bytes.max(16 << 20))?;
    let number = device.number()?;
    let tools = [
        tool::raw("fio raw write, 256 KiB", Kind::FioWrite, &device.node, BLOCK),
        tool::raw("fio raw read, 256 KiB", Kind::FioRead, &device.node, BLOCK),
        tool::burn("kiln burn surface, io_uring", &bench.kiln, &device.node, "uring"),
        tool::burn("kiln burn surface, sync", &bench.kiln, &device.node, "sync"),
    ];
    let mut rows = Vec::new();
    for tool in tools {
        if !tool.is_here() {
            eprintln!("NOT RUN: {}: {} is not installed", tool.name, tool.program.display());
            continue;
        }
        let run = Run {
            command: tool.command(),
            throttle: Some((&number, rate)),
            ..Run::default()
        };
        let done = group::measure(&run, &bench.asked).with_context(|| format!("running {}", tool.name))?;
        match tool.told(done.exit, &done.stdout, &done.stderr) {
            Told::Fine => {}
            Told::Wrong(why) | Told::Broken(why) => bail!("{}: {why}", tool.name),
        }
        let (write_mb_s, verify_mb_s) = tool.speeds(&done.stdout);
        eprintln!(
            "slow device: {:32} write {write_mb_s:.2?}, verify {verify_mb_s:.2?} MB/s",
            tool.name
        );
        let row = Row {
            tool: tool.name,
            seconds: done.seconds,
            write_mb_s,
            verify_mb_s,
            cpu_s_per_gib: done.cpu_seconds / (device.bytes as f64 / (1_u64 << 30) as f64),
        };
        sink.row("throttle", &row)?;
        rows.push(row);
    }
    Ok(table(bench, &rows))
}

fn table(bench: &Bench<'_>, rows: &[Row]) -> String {
    let mut out = format!(
        "a device of {} MB/s, {} s each way\n\n| tool | write MB/s | verify MB/s | CPU s/GiB |\n|---|---|---|---|\n",
        bench.args.slow, bench.args.slow_seconds
    );
    let text = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |v| format!("{v:.2}"));
    for row in rows {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {:.4} |",
            row.tool,
            text(row.write_mb_s),
            text(row.verify_mb_s),
            row.cpu_s_per_gib
        );
    }
    let raw = |value: &dyn Fn(&Row) -> Option<f64>| {
        rows.iter()
            .filter(|r| r.tool.starts_with("fio"))
            .filter_map(value)
            .reduce(f64::max)
    };
    out += "\n";
    for row in rows.iter().filter(|row| row.tool.starts_with("kiln")) {
        for (word, own, raw) in [
            ("write", row.write_mb_s, raw(&|r| r.write_mb_s)),
            ("verify", row.verify_mb_s, raw(&|r| r.verify_mb_s)),
        ] {
            if let (Some(own), Some(raw)) = (own, raw) {
                let share = 100.0 * own / raw;
                let text = format!(
                    "{}: {word} at {share:.1} % of fio's raw rate (goal {SHARE} %)",
                    row.tool
                );
                out += &goal(&text, share >= SHARE);
            }
        }
    }
    out
}
