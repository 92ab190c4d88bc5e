//! The race of inits: boot to a listening server, restart of a killed one, and memory, by instruction count.
//!
//! Every contestant gets the same kernel, modules, little server ([`racer`](../../probe/src/racer.rs)) and machine; only PID 1
//! and its files differ. QEMU counts instructions (`-icount shift=0,sleep=off`: one guest nanosecond is one instruction), so
//! figures repeat to about 2 % whatever else this machine does. Others are Debian's packages, taken by name.
//!
//! "kernel alone" loads the same modules and turns the machine off. "floor" is a loop of fork and wait: what the server itself
//! needs to start again. Memory is proportional (PSS): PID 1, and all other processes but the server.

mod field;
mod shipped;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::board::Board;
use crate::cpio::{Archive, Node};
use crate::cross::Binaries;
use crate::error::{At, Error, Result};
use crate::tree;
use crate::workspace::Workspace;
use field::{Contestant, FIELD, node};
pub use shipped::{Shipped, shipped};

/// Modules that everybody loads: those that the box loads before its system is mounted.
const MODULES: [&str; 3] = ["crc32c_generic", "libcrc32c", "erofs"];
/// The contestant that is the kernel alone.
const LIMIT_NAME: &str = "kernel alone";
/// The word for the image itself beside the contestants.
pub const SHIPPED: &str = "shipped";
/// Longest run of one contestant.
const LIMIT: Duration = Duration::from_mins(5);

/// What was measured of one contestant, instructions in millions.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Measured {
    /// Who.
    pub name: String,
    /// Its archive, in KiB.
    pub archive_kib: u64,
    /// Kernel's start to listening (kernel alone: to its PID 1), the least of the rounds.
    pub boot: Option<f64>,
    /// Killed to listening again, the median.
    pub restart: Option<f64>,
    /// PSS of PID 1, in KiB.
    pub pid1_kib: Option<u64>,
    /// PSS of all other processes but the server, in KiB, and how many they are.
    pub others_kib: Option<(u64, u64)>,
}

/// Runs the race; `rounds` boots each. Prints a table, and returns it.
///
/// # Errors
/// A package cannot be had, or a program is not there. A contestant that does not come to its end has gaps in the table.
pub fn run(ws: &Workspace, board: &Board, rounds: usize, only: &[String]) -> Result<Vec<Measured>> {
    let (vmlinuz, modules) = tree::kernel(ws, board)?;
    let early = modules.in_order(&MODULES.map(str::to_owned))?;
    let ours = Binaries::build_these(
        ws,
        board,
        false,
        &[("probe", "kiln-racer"), ("supervisor", "kiln-init")],
    )?;
    let racer = fs::read(ours.path("kiln-racer")).at("reading", ours.path("kiln-racer"))?;
    let init = fs::read(ours.path("kiln-init")).at("reading", ours.path("kiln-init"))?;
    let dir = tempfile::tempdir().map_err(|e| Error::Incomplete(format!("a folder for the race: {e}")))?;

    let mut results = Vec::new();
    for c in FIELD
        .iter()
        .filter(|c| only.is_empty() || only.iter().any(|o| o == c.name))
    {
        let trees = tree::unpack(ws, board, c.packages)?;
        let archive = archive(c, &trees, &early, &racer, &init)?;
        let file = dir.path().join("initrd");
        fs::write(&file, &archive).at("writing", &file)?;
        let mut result = Measured {
            name: c.name.to_owned(),
            archive_kib: archive.len() as u64 >> 10,
            ..Measured::default()
        };
        let mut restarts = Vec::new();
        for round in 0..rounds {
            let serial = dir.path().join("serial");
            let lines = boot(&vmlinuz, &file, QUIET, &[], &serial)?;
            read(&lines, &mut result, &mut restarts);
            eprintln!("{} round {}: {}", c.name, round + 1, lines.join(" | "));
        }
        restarts.sort_by(f64::total_cmp);
        result.restart = restarts.get(restarts.len() / 2).copied();
        results.push(result);
    }
    print!("{}", table(&results));
    Ok(results)
}

/// Takes what the racer said.
fn read(lines: &[String], result: &mut Measured, restarts: &mut Vec<f64>) {
    for l in lines {
        let words: Vec<&str> = l.split_whitespace().collect();
        let number = |n: usize| words.get(n).and_then(|w| w.parse::<u64>().ok()).unwrap_or(0);
        let millions = |n: usize| number(n) as f64 / 1e6;
        match words.first() {
            Some(&("listen" | "limit")) => {
                let now = millions(1);
                result.boot = Some(result.boot.map_or(now, |b| b.min(now)));
            }
            Some(&"restart") => restarts.push(millions(1)),
            Some(&"memory") => {
                result.pid1_kib = Some(number(1));
                result.others_kib = Some((number(2), number(3)));
            }
            _ => {}
        }
    }
}

/// The table for people; gaps are told as such.
#[must_use]
pub fn table(results: &[Measured]) -> String {
    let of = |name: &str| results.iter().find(|r| r.name == name);
    let kernel = of(LIMIT_NAME).and_then(|r| r.boot);
    let floor = of("floor").and_then(|r| r.restart);
    let mut t = format!(
        "{:<13} {:>9} {:>10} {:>7} {:>12} {:>12} {:>9} {:>14}\n",
        "init", "files KiB", "boot M", "x", "restart M", "over floor", "PID1 KiB", "others KiB (n)"
    );
    let show = |v: Option<f64>, digits: usize| v.map_or_else(|| "-".to_owned(), |v| format!("{v:.digits$}"));
    for r in results {
        let ratio = r.boot.zip(kernel).map(|(b, k)| b / k);
        let over = r.restart.zip(floor).map(|(r, f)| r - f);
        t.push_str(&format!(
            "{:<13} {:>9} {:>10} {:>7} {:>12} {:>12} {:>9} {:>14}\n",
            r.name,
            r.archive_kib,
            show(r.boot, 1),
            show(ratio, 3),
            show(r.restart, 2),
            show(over, 2),
            r.pid1_kib.map_or_else(|| "-".into(), |k| k.to_string()),
            r.others_kib.map_or_else(|| "-".into(), |(k, n)| format!("{k} ({n})")),
        ));
    }
    t.push_str("Instructions in millions. dinit is in no Debian suite; recorded earlier: boot 1.10 x, restart 1.01 M, PID 1 1698 KiB.\n");
    t
}

/// A contestant's initramfs.
fn archive(c: &Contestant, trees: &[PathBuf], early: &[PathBuf], racer: &[u8], init: &[u8]) -> Result<Vec<u8>> {
    let mut a = Archive::default();
    for dir in [
        "dev",
        "proc",
        "sys",
        "run",
        "tmp",
        "etc",
        "var/lib/kiln",
        "system",
        "var/run",
        "root",
    ] {
        a.add(dir, Node::Dir(0o755));
    }
    a.add("dev/console", Node::Char(0o600, 5, 1));
    a.add("init", Node::File(0o755, racer.to_vec()));
    a.add("race/server", Node::File(0o755, racer.to_vec()));
    a.add("race/next", Node::File(0o644, c.next.as_bytes().to_vec()));
    let mut list = String::new();
    for path in early {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        a.add(
            &format!("race/{name}"),
            Node::File(0o644, fs::read(path).at("reading", path)?),
        );
        list.push_str(&format!("/race/{name}\n"));
    }
    a.add("race/modules", Node::File(0o644, list.into_bytes()));
    if c.name == "kiln" {
        a.add("kiln-init", Node::File(0o755, init.to_vec()));
    }
    tree::add_usr(&mut a);
    tree::add_programs(&mut a, trees, c.programs).map_err(|e| Error::Incomplete(format!("{}: {e}", c.name)))?;
    for (path, executable, text) in c.files {
        a.add(path, node(*executable, text, racer));
    }
    Ok(a.bytes())
}

/// What the race's kernels are told.
const QUIET: &str = "console=ttyS0 quiet rootfstype=ramfs panic=-1";

/// One boot of a machine with these devices; the racer's lines.
fn boot(vmlinuz: &Path, initrd: &Path, cmdline: &str, devices: &[&str], serial: &Path) -> Result<Vec<String>> {
    let _ = fs::remove_file(serial);
    let mut qemu = Command::new("qemu-system-x86_64");
    qemu.args([
        "-nodefaults",
        "-no-reboot",
        "-display",
        "none",
        "-accel",
        "tcg",
        "-icount",
        "shift=0,sleep=off",
    ])
    .args(["-M", "q35", "-cpu", "max", "-smp", "1", "-m", "512"])
    .arg("-kernel")
    .arg(vmlinuz)
    .arg("-initrd")
    .arg(initrd)
    .args(["-append", cmdline])
    .args(devices)
    .arg("-serial")
    .arg(format!("file:{}", serial.display()))
    .stdin(Stdio::null())
    .stdout(Stdio::null())
    .stderr(Stdio::inherit());
    let mut child = qemu
        .spawn()
        .map_err(|e| Error::Incomplete(format!("qemu-system-x86_64: {e}")))?;
    let begun = Instant::now();
    loop {
        let lines = lines(&fs::read_to_string(serial).unwrap_or_default());
        let over = lines
            .iter()
            .any(|l| l == "end" || l.starts_with("failed") || l.starts_with("limit"));
        let gone = child.try_wait().is_ok_and(|s| s.is_some());
        if over || gone || begun.elapsed() > LIMIT {
            let _ = child.kill();
            let _ = child.wait();
            return Ok(lines);
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn lines(serial: &str) -> Vec<String> {
    serial
        .lines()
        .filter_map(|l| l.trim().strip_prefix("R "))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_racer_says_becomes_a_table() {
        let mut kernel = Measured {
            name: "kernel alone".into(),
            ..Measured::default()
        };
        let mut floor = Measured {
            name: "floor".into(),
            ..Measured::default()
        };
        let mut kiln = Measured {
            name: "kiln".into(),
            ..Measured::default()
        };
        let mut restarts = Vec::new();
        read(&lines("noise\n\r\nR limit 1400000000\r\n"), &mut kernel, &mut restarts);
        read(
            &lines("R listen 1410000000\nR restart 500000 1\n"),
            &mut floor,
            &mut restarts,
        );
        floor.restart = restarts.pop();
        read(
            &lines("R listen 1470000000\nR listen 1460000000\nR memory 250 80 2\n"),
            &mut kiln,
            &mut restarts,
        );
        let t = table(&[kernel, floor, kiln]);
        assert!(
            t.contains("1.043") && t.contains("80 (2)") && t.contains(" 250 "),
            "{t}"
        );
        assert!(
            t.lines().any(|l| l.starts_with("kiln") && l.contains(" - ")),
            "a gap is told: {t}"
        );
    }
}
