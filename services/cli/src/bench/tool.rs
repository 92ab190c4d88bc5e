//! The tools that are measured, and how to read what they print.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::lab::Loop;

/// One tool with its options.
#[derive(Debug)]
pub(super) struct Tool {
    /// As in the table.
    pub name: &'static str,
    pub program: PathBuf,
    args: Vec<String>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Kiln,
    Badblocks,
    Fio,
}

/// Everything that is measured, Kiln first.
pub(super) fn tools(kiln: &Path, device: &Loop) -> Vec<Tool> {
    let node = device.node.as_str();
    let state = std::env::temp_dir().join("kiln-bench-state");
    let state = state.to_string_lossy().into_owned();
    let tool = |name, kind, program: &Path, args: &[&str]| Tool {
        name,
        program: program.to_owned(),
        args: args.iter().map(|a| (*a).to_owned()).collect(),
        kind,
    };
    let burn = |name, io| {
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
    };
    let badblocks = |name, args: &[&str]| {
        tool(
            name,
            Kind::Badblocks,
            &installed("badblocks"),
            &[&["-w"], args, &[node]].concat(),
        )
    };
    let fio = |name, verify: &str| {
        let verify = format!("--verify={verify}");
        let file = format!("--filename={node}");
        tool(
            name,
            Kind::Fio,
            &installed("fio"),
            &[
                "--name=bench",
                &file,
                "--rw=write",
                "--bs=1M",
                "--ioengine=io_uring",
                "--iodepth=8",
                "--direct=1",
                &verify,
                "--do_verify=1",
                "--verify_fatal=1",
                // Else it leaves a file behind in the current folder.
                "--verify_state_save=0",
                "--output-format=json",
            ],
        )
    };
    vec![
        burn("kiln burn surface, io_uring", "uring"),
        burn("kiln burn surface, sync", "sync"),
        badblocks(
            "badblocks -w 0xaa -b 4096 -c 1024",
            &["-t", "0xaa", "-b", "4096", "-c", "1024"],
        ),
        badblocks(
            "badblocks -w random -b 4096 -c 1024",
            &["-t", "random", "-b", "4096", "-c", "1024"],
        ),
        badblocks("badblocks -w 0xaa, its defaults", &["-t", "0xaa"]),
        fio("fio io_uring 1M x 8, crc32c", "crc32c"),
        fio("fio io_uring 1M x 8, xxhash", "xxhash"),
    ]
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
    pub fn is_here(&self) -> bool {
        self.program.exists()
    }

    /// Program and arguments.
    pub fn command(&self) -> Vec<String> {
        std::iter::once(self.program.to_string_lossy().into_owned())
            .chain(self.args.iter().cloned())
            .collect()
    }

    /// Whether the output says that everything was written and found equal; an exit code of 0 does not with all of them.
    pub fn did_its_work(&self, stdout: &[u8]) -> bool {
        match self.kind {
            Kind::Kiln => json(stdout)["verdict"]["outcome"] == "PASSED",
            // It lists bad blocks on standard output and exits 0.
            Kind::Badblocks => stdout.is_empty(),
            Kind::Fio => json(stdout)["jobs"][0]["error"] == 0,
        }
    }

    /// Speed of write and of verify in MB/s, where the output tells them.
    pub fn speeds(&self, stdout: &[u8]) -> (Option<f64>, Option<f64>) {
        match self.kind {
            Kind::Kiln => {
                let told = json(stdout);
                let speed = |name: &str| {
                    let phase = told["phases"].as_array()?.iter().find(|p| p["phase"] == name)?;
                    Some(phase["bytes"].as_f64()? / 1e6 / phase["seconds"].as_f64().filter(|s| *s > 0.0)?)
                };
                (speed("write"), speed("verify"))
            }
            Kind::Badblocks => (None, None),
            Kind::Fio => {
                let told = json(stdout);
                let speed = |way: &str| Some(told["jobs"][0][way]["bw_bytes"].as_f64()? / 1e6);
                (speed("write"), speed("read"))
            }
        }
    }
}

/// The JSON object in an output; fio may print notes before it.
fn json(stdout: &[u8]) -> Value {
    let start = stdout.iter().position(|b| *b == b'{').unwrap_or(0);
    serde_json::from_slice(&stdout[start..]).unwrap_or(Value::Null)
}
