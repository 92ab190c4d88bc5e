//! The tools that are measured, and how to read what they print.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// One tool with its options.
#[derive(Clone, Debug)]
pub(super) struct Tool {
    /// As in the table.
    pub name: &'static str,
    pub program: PathBuf,
    args: Vec<String>,
    kind: Kind,
}

/// Which program it is, and which half of the work it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `kiln burn`, and the engine alone.
    Kiln,
    Badblocks,
    /// fio with its verify.
    Fio,
    /// fio that only writes: the raw rate.
    FioWrite,
    /// fio that only reads.
    FioRead,
    Nwipe,
}

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Everything was done and found right.
    Fine,
    /// It found something wrong; in its own words.
    Wrong(String),
    /// It did not work.
    Broken(String),
}

/// Everything whose speed is measured, Kiln first.
pub(super) fn fast(kiln: &Path, bench: &Path, node: &str) -> Vec<Tool> {
    vec![
        burn("kiln burn surface, io_uring", kiln, node, "uring"),
        burn("kiln burn surface, sync", kiln, node, "sync"),
        engine("kiln engine alone, AVX-512", bench, node, &["--kernel", "avx512"]),
        engine("kiln engine alone, AVX2 forced", bench, node, &["--kernel", "avx2"]),
        engine(
            "kiln engine alone, portable (SSE2 or NEON)",
            bench,
            node,
            &["--kernel", "portable"],
        ),
        badblocks(
            "badblocks -w 0xaa -b 4096 -c 64",
            node,
            &["-t", "0xaa", "-b", "4096", "-c", "64"],
        ),
        badblocks(
            "badblocks -w 0xaa -b 4096 -c 256",
            node,
            &["-t", "0xaa", "-b", "4096", "-c", "256"],
        ),
        badblocks(
            "badblocks -w 0xaa -b 4096 -c 1024",
            node,
            &["-t", "0xaa", "-b", "4096", "-c", "1024"],
        ),
        badblocks(
            "badblocks -w 0xaa -b 4096 -c 4096",
            node,
            &["-t", "0xaa", "-b", "4096", "-c", "4096"],
        ),
        badblocks(
            "badblocks -w 0xaa -b 32768 -c 512 (bht)",
            node,
            &["-t", "0xaa", "-b", "32768", "-c", "512"],
        ),
        badblocks(
            "badblocks -w random -b 4096 -c 1024",
            node,
            &["-t", "random", "-b", "4096", "-c", "1024"],
        ),
        badblocks("badblocks -w 0xaa, its defaults", node, &["-t", "0xaa"]),
        fio(
            "fio io_uring 1M x 8, crc32c",
            Kind::Fio,
            node,
            &[&VERIFY[..], &["--verify=crc32c"]].concat(),
        ),
        fio(
            "fio io_uring 1M x 8, xxhash",
            Kind::Fio,
            node,
            &[&VERIFY[..], &["--verify=xxhash"]].concat(),
        ),
        raw("fio raw write, fixed buffers", Kind::FioWrite, node, "1M"),
        raw("fio raw read, fixed buffers", Kind::FioRead, node, "1M"),
        nwipe(node),
    ]
}

/// Everything that is lied to: only what reads and writes by plain calls, between which a lie can stand.
pub(super) fn lied_to(kiln: &Path, node: &str) -> Vec<Tool> {
    let psync = ["--ioengine=psync", "--iodepth=1"];
    let check = |name, how: &[&str]| fio(name, Kind::Fio, node, &[&VERIFY[..], &psync[..], how].concat());
    vec![
        burn("kiln burn surface, sync", kiln, node, "sync"),
        badblocks("badblocks -w, its four patterns", node, &["-b", "4096", "-c", "256"]),
        badblocks(
            "badblocks -w random",
            node,
            &["-t", "random", "-b", "4096", "-c", "256"],
        ),
        check("fio crc32c", &["--verify=crc32c"]),
        check(
            "fio crc32c, 4 KiB intervals",
            &["--verify=crc32c", "--verify_interval=4096", "--verify_fatal=0"],
        ),
        check("fio pattern with offset", &["--verify=pattern", "--verify_pattern=%o"]),
        check(
            "fio constant pattern",
            &["--verify=pattern", "--verify_pattern=0xdeadbeef"],
        ),
        nwipe(node),
    ]
}

/// Everything that meets a device that compresses.
pub(super) fn compressed(bench: &Path, node: &str) -> Vec<Tool> {
    let check = |name, how: &[&str]| fio(name, Kind::Fio, node, &[&VERIFY[..], how].concat());
    vec![
        engine("kiln engine alone", bench, node, &[]),
        badblocks("badblocks -w 0xaa", node, &["-t", "0xaa", "-b", "4096", "-c", "256"]),
        badblocks(
            "badblocks -w random",
            node,
            &["-t", "random", "-b", "4096", "-c", "256"],
        ),
        check("fio crc32c", &["--verify=crc32c"]),
        check("fio pattern with offset", &["--verify=pattern", "--verify_pattern=%o"]),
        check(
            "fio constant pattern",
            &["--verify=pattern", "--verify_pattern=0xdeadbeef"],
        ),
    ]
}

/// `kiln burn` for the slow device.
pub(super) fn burn(name: &'static str, kiln: &Path, node: &str, io: &str) -> Tool {
    let state = std::env::temp_dir()
        .join("kiln-bench-state")
        .to_string_lossy()
        .into_owned();
    let args = [
        "burn",
        node,
        "--yes-erase",
        node,
        "--allow-loop",
        "--playbook",
        "surface",
        "--json",
        "--io",
        io,
    ];
    tool(name, Kind::Kiln, kiln, &[&args[..], &["--state", &state]].concat())
}

/// fio that only writes or only reads, as fast as it can: registered buffers and file.
pub(super) fn raw(name: &'static str, kind: Kind, node: &str, block: &str) -> Tool {
    let way = if kind == Kind::FioWrite {
        "--rw=write"
    } else {
        "--rw=read"
    };
    let block = format!("--bs={block}");
    fio(name, kind, node, &[way, &block, "--fixedbufs", "--registerfiles"])
}

/// fio's verify: stops at the first difference and tells.
const VERIFY: [&str; 4] = [
    "--rw=write",
    "--do_verify=1",
    "--verify_fatal=1",
    "--verify_state_save=0",
];

fn tool(name: &'static str, kind: Kind, program: &Path, args: &[&str]) -> Tool {
    Tool {
        name,
        program: program.to_owned(),
        args: args.iter().map(|a| (*a).to_owned()).collect(),
        kind,
    }
}

fn engine(name: &'static str, bench: &Path, node: &str, args: &[&str]) -> Tool {
    tool(name, Kind::Kiln, bench, &[&["run", node], args].concat())
}

fn badblocks(name: &'static str, node: &str, args: &[&str]) -> Tool {
    tool(
        name,
        Kind::Badblocks,
        &installed("badblocks"),
        &[&["-w"], args, &[node]].concat(),
    )
}

fn fio(name: &'static str, kind: Kind, node: &str, args: &[&str]) -> Tool {
    let file = format!("--filename={node}");
    let common = ["--name=bench", &file, "--bs=1M", "--direct=1", "--output-format=json"];
    let queue = ["--ioengine=io_uring", "--iodepth=8"];
    tool(name, kind, &installed("fio"), &[&common[..], &queue, args].concat())
}

/// In a mount namespace whose /dev holds this one device: nwipe without a device would take every disk it sees.
fn nwipe(node: &str) -> Tool {
    const ALONE: &str = "set -e; numbers=$(stat -c '0x%t 0x%T' \"$0\"); mount -t tmpfs kiln /dev; \
        mknod \"$0\" b $numbers; mknod -m 666 /dev/null c 1 3; mknod -m 666 /dev/random c 1 8; mknod -m 666 /dev/urandom c 1 9; \
        exec \"$@\" --autonuke --nogui --nowait --noblank --method=prng --rounds=1 --verify=last --logfile=/dev/nwipe.log \"$0\"";
    let program = installed("nwipe");
    let path = program.to_string_lossy().into_owned();
    Tool {
        name: "nwipe prng (Debian's buffered 0.34)",
        args: ["--mount", "sh", "-c", ALONE, node, &path].map(str::to_owned).to_vec(),
        // Not there, it is told as not run.
        program: if program.exists() {
            installed("unshare")
        } else {
            program
        },
        kind: Kind::Nwipe,
    }
}

/// Where a program is installed; its bare name when nowhere.
fn installed(name: &str) -> PathBuf {
    ["/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/bin"]
        .iter()
        .map(|dir| Path::new(dir).join(name))
        .find(|path| path.exists())
        .unwrap_or_else(|| PathBuf::from(name))
}

impl Tool {
    pub(super) fn is_here(&self) -> bool {
        self.program.exists()
    }

    /// Whether one round is enough: it takes minutes and its figures lie far from all others.
    pub(super) fn is_slow(&self) -> bool {
        self.kind == Kind::Nwipe
    }

    /// Whether it is badblocks.
    pub(super) fn is_badblocks(&self) -> bool {
        self.kind == Kind::Badblocks
    }

    /// Passes over the device: write and verify are two.
    pub(super) fn passes(&self) -> f64 {
        match self.kind {
            Kind::FioWrite | Kind::FioRead => 1.0,
            Kind::Kiln | Kind::Badblocks | Kind::Fio | Kind::Nwipe => 2.0,
        }
    }

    /// Program and arguments.
    pub(super) fn command(&self) -> Vec<String> {
        std::iter::once(self.program.to_string_lossy().into_owned())
            .chain(self.args.iter().cloned())
            .collect()
    }

    /// What its output and exit code say; an exit code of 0 does not mean "fine" with all of them.
    pub(super) fn told(&self, exit: Option<i32>, stdout: &[u8], stderr: &str) -> Told {
        let text = String::from_utf8_lossy(stdout);
        let broken = || Told::Broken(format!("exit code {exit:?}: {} {}", stderr.trim(), text.trim()));
        match self.kind {
            Kind::Kiln => {
                let told = json(stdout);
                match told["verdict"]["outcome"].as_str() {
                    Some("PASSED") => Told::Fine,
                    Some("FAILED") => Told::Wrong(findings(&told)),
                    Some(_) | None => broken(),
                }
            }
            // It lists bad blocks on standard output and exits 0.
            Kind::Badblocks if exit != Some(0) => broken(),
            Kind::Badblocks if text.is_empty() => Told::Fine,
            Kind::Badblocks => Told::Wrong(format!("{} blocks", text.lines().count())),
            Kind::Fio if stderr.contains("verify:") || text.contains("verify:") => Told::Wrong("verify".to_owned()),
            Kind::Fio if json(stdout)["jobs"][0]["error"].as_i64().is_some_and(|e| e != 0) => {
                Told::Wrong(format!("error {}", json(stdout)["jobs"][0]["error"]))
            }
            Kind::Fio | Kind::FioWrite | Kind::FioRead if exit == Some(0) => Told::Fine,
            Kind::Fio | Kind::FioWrite | Kind::FioRead => broken(),
            Kind::Nwipe if exit == Some(0) && text.contains("| Erased |") => Told::Fine,
            Kind::Nwipe if text.contains("Error Summary") => Told::Wrong("errors".to_owned()),
            Kind::Nwipe => broken(),
        }
    }

    /// Speed of write and of verify in MB/s, where the output tells them.
    pub(super) fn speeds(&self, stdout: &[u8]) -> (Option<f64>, Option<f64>) {
        let told = json(stdout);
        match self.kind {
            Kind::Kiln => {
                let speed = |name: &str| {
                    let phase = told["phases"].as_array()?.iter().find(|p| p["phase"] == name)?;
                    Some(phase["bytes"].as_f64()? / 1e6 / phase["seconds"].as_f64().filter(|s| *s > 0.0)?)
                };
                (speed("write"), speed("verify"))
            }
            Kind::Badblocks | Kind::Nwipe => (None, None),
            Kind::Fio | Kind::FioWrite | Kind::FioRead => {
                let speed = |way: &str| Some(told["jobs"][0][way]["bw_bytes"].as_f64()? / 1e6).filter(|mb| *mb > 0.0);
                (speed("write"), speed("read"))
            }
        }
    }
}

/// The kinds of findings that Kiln told, each once, with the place of the first; without any, the rules that fired.
fn findings(told: &Value) -> String {
    let mut kinds: Vec<String> = Vec::new();
    for finding in told["findings"].as_array().into_iter().flatten() {
        let kind = finding["kind"].as_str().unwrap_or("?");
        if !kinds.iter().any(|known| known.starts_with(kind)) {
            let lba = finding["lba"]
                .as_u64()
                .map(|lba| format!(" at {lba}"))
                .unwrap_or_default();
            kinds.push(format!("{kind}{lba}"));
        }
    }
    let rules = told["verdict"]["rules"].as_array().into_iter().flatten();
    if kinds.is_empty() {
        kinds.extend(rules.filter_map(|rule| rule["id"].as_str().map(str::to_owned)));
    }
    kinds.join(", ")
}

/// The JSON object in an output; fio may print notes before it.
fn json(stdout: &[u8]) -> Value {
    let start = stdout.iter().position(|b| *b == b'{').unwrap_or(0);
    serde_json::from_slice(&stdout[start..]).unwrap_or(Value::Null)
}
