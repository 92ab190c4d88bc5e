//! Every tool before the same lying device: what it finds, what it misses, and with which exit code it says so.
//!
//! The lies stand between the tool's calls and the device (`lie.c`, by `LD_PRELOAD`), so Kiln and fio run with plain
//! calls here. A device that compresses is a real one: zram that claims eight times what it can keep.

use std::fmt::Write;
use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Serialize;

use super::group::{self, Run};
use super::lab::{Loop, Zram};
use super::tool::{self, Told, Tool};
use super::{Bench, Sink, goal};

/// Size of the lying device: big enough for several blocks of every tool on each side of a lie.
const BYTES: u64 = 64 << 20;

/// Where it lies: no power of two, in the second half of nothing, on a physical sector.
const AT: u64 = (21 << 20) + 12_288;

/// What the compressing device claims, and what it can keep.
const CLAIMS: u64 = 512 << 20;
const KEEPS: u64 = 64 << 20;

/// The lies, and what they are called in the table.
const LIES: [(&str, &str); 8] = [
    ("none", "none: quiet?"),
    ("flip", "bit flip"),
    ("lost", "lost write"),
    ("misdirected-write", "misdirected write"),
    ("misdirected-read", "misdirected read"),
    ("swapped", "swapped sectors"),
    ("wrap", "wrap-around"),
    ("limbo", "truncated"),
];

/// One tool before one lie.
#[derive(Clone, Debug, Serialize)]
struct Row {
    tool: &'static str,
    lie: &'static str,
    /// Whether the tool said that something is wrong.
    found: bool,
    /// In its own words.
    told: String,
    exit: Option<i32>,
}

/// Measures and returns the table.
pub(super) fn part(bench: &Bench<'_>, sink: &mut Sink) -> Result<String> {
    let folder = Folder::new()?;
    let mut rows = Vec::new();
    match folder.shim()? {
        Some(shim) => lies(bench, sink, &folder, &shim, &mut rows)?,
        None => eprintln!("NOT RUN: the detection table: there is no C compiler for the lying device"),
    }
    compressing(bench, sink, &mut rows)?;
    Ok(table(&rows))
}

fn lies(bench: &Bench<'_>, sink: &mut Sink, folder: &Folder, shim: &str, rows: &mut Vec<Row>) -> Result<()> {
    let device = Loop::new(bench.args.dir.as_deref(), BYTES)?;
    let mut content = vec![0; usize::try_from(BYTES)?];
    fs::File::open("/dev/urandom")
        .and_then(|mut f| f.read_exact(&mut content))
        .context("making old data")?;
    let number = device.number()?;
    let log = folder.0.join("told");
    for tool in tool::lied_to(&bench.kiln, &device.node) {
        if !tool.name.contains(&bench.args.only) {
            continue;
        }
        if !tool.is_here() {
            eprintln!("NOT RUN: {}: {} is not installed", tool.name, tool.program.display());
            continue;
        }
        for (lie, _) in LIES {
            device.refill(&content)?;
            fs::write(&log, "").context("emptying the log of lies")?;
            let run = Run {
                command: tool.command(),
                env: vec![
                    ("LD_PRELOAD", shim.to_owned()),
                    ("KILN_LIE", lie.to_owned()),
                    ("KILN_LIE_DEVICE", number.clone()),
                    ("KILN_LIE_AT", AT.to_string()),
                    ("KILN_LIE_SIZE", BYTES.to_string()),
                    ("KILN_LIE_LOG", log.to_string_lossy().into_owned()),
                ],
                throttle: None,
            };
            let row = one(bench, &tool, lie, &run)?;
            let lied = fs::metadata(&log).is_ok_and(|m| m.len() > 0);
            if lied != (lie != "none") {
                bail!("{}: the device was to lie ({lie}), and did not come to it", tool.name);
            }
            sink.row("detection", &row)?;
            rows.push(row);
        }
    }
    Ok(())
}

fn compressing(bench: &Bench<'_>, sink: &mut Sink, rows: &mut Vec<Row>) -> Result<()> {
    for tool in tool::compressed(&bench.own, "") {
        if !tool.name.contains(&bench.args.only) {
            continue;
        }
        let zram = match Zram::new(CLAIMS, KEEPS) {
            Ok(zram) => zram,
            Err(why) => {
                eprintln!("NOT RUN: the compressing device: {why:#}");
                return Ok(());
            }
        };
        let Some(tool) = tool::compressed(&bench.own, &zram.node)
            .into_iter()
            .find(|t| t.name == tool.name)
        else {
            continue;
        };
        if !tool.is_here() {
            continue;
        }
        let run = Run {
            command: tool.command(),
            ..Run::default()
        };
        let mut row = one(bench, &tool, "compressing", &run)?;
        let _ = write!(row.told, " ({} KiB kept of {} MiB)", zram.kept() >> 10, CLAIMS >> 20);
        sink.row("detection", &row)?;
        rows.push(row);
    }
    Ok(())
}

fn one(bench: &Bench<'_>, tool: &Tool, lie: &'static str, run: &Run<'_>) -> Result<Row> {
    let done = group::measure(run, &bench.asked).with_context(|| format!("running {}", tool.name))?;
    let (found, told) = match tool.told(done.exit, &done.stdout, &done.stderr) {
        Told::Fine => (false, String::new()),
        Told::Wrong(told) => (true, told),
        Told::Broken(why) => bail!("{} before {lie}: {why}", tool.name),
    };
    eprintln!(
        "{lie:18} {:36} {} (exit code {}) {told}",
        tool.name,
        if found { "found " } else { "silent" },
        done.exit.unwrap_or(-1)
    );
    Ok(Row {
        tool: tool.name,
        lie,
        found,
        told,
        exit: done.exit,
    })
}

fn table(rows: &[Row]) -> String {
    let mut out = String::from("| tool |");
    for (_, title) in &LIES {
        out += &format!(" {title} |");
    }
    out += " exit code when found |\n|---|";
    out += &"---|".repeat(LIES.len() + 1);
    out += "\n";
    let mut tools: Vec<&str> = Vec::new();
    for row in rows.iter().filter(|row| row.lie != "compressing") {
        if !tools.contains(&row.tool) {
            tools.push(row.tool);
        }
    }
    for tool in &tools {
        let of = |lie: &str| rows.iter().find(|row| row.tool == *tool && row.lie == lie);
        let _ = write!(out, "| {tool} |");
        for (lie, _) in LIES {
            let cell = match of(lie) {
                Some(row) if lie == "none" => if row.found { "✗ false alarm" } else { "yes" }.to_owned(),
                Some(row) if row.found && tool.starts_with("kiln") => format!("● {}", row.told),
                Some(row) if row.found => "●".to_owned(),
                Some(_) => "**✗**".to_owned(),
                None => "–".to_owned(),
            };
            let _ = write!(out, " {cell} |");
        }
        let mut exits: Vec<i32> = rows
            .iter()
            .filter(|r| r.tool == *tool && r.found)
            .filter_map(|r| r.exit)
            .collect();
        exits.sort_unstable();
        exits.dedup();
        let exits: Vec<String> = exits.iter().map(i32::to_string).collect();
        let _ = writeln!(out, " {} |", exits.join(", "));
    }
    out += "● found, ✗ missed; badblocks' findings are the blocks it prints\n\n";
    for row in rows.iter().filter(|row| row.lie == "compressing") {
        let word = if row.found { "●" } else { "**✗** passed" };
        let _ = writeln!(
            out,
            "compressing device, {}: {word}, exit code {}, {}",
            row.tool,
            row.exit.unwrap_or(-1),
            row.told
        );
    }
    let mut ours = rows.iter().filter(|row| row.tool.starts_with("kiln")).peekable();
    if ours.peek().is_some() {
        let all = ours.all(|row| row.found == (row.lie != "none"));
        out += &format!(
            "\n{}",
            goal("kiln finds every lie, and is quiet where there is none", all)
        );
    }
    out
}

/// A folder for the shim and its log, removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self> {
        let folder = Self(std::env::temp_dir().join(format!("kiln-bench-lie-{}", std::process::id())));
        fs::create_dir_all(&folder.0).with_context(|| format!("making {}", folder.0.display()))?;
        Ok(folder)
    }

    /// Compiles the lying device; `None` where there is no compiler.
    fn shim(&self) -> Result<Option<String>> {
        let (source, library) = (self.0.join("lie.c"), self.0.join("lie.so"));
        fs::write(&source, include_str!("lie.c")).context("writing lie.c")?;
        let built = Command::new("cc")
            .args(["-O2", "-shared", "-fPIC", "-U_FORTIFY_SOURCE", "-o"])
            .args([&library, &source])
            .arg("-ldl")
            .output();
        match built {
            Err(_) => Ok(None),
            Ok(out) if out.status.success() => Ok(Some(library.to_string_lossy().into_owned())),
            Ok(out) => bail!("compiling lie.c: {}", String::from_utf8_lossy(&out.stderr)),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
