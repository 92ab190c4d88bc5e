//! Loop devices and played boxes, and `kiln` over them.
#![allow(clippy::unwrap_used, dead_code, reason = "tests")]

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longest wait for a burn-in to come to what is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// A playbook that comes to its smartctl before it writes.
pub(crate) const TEST_FIRST: &str = r#"
name = "first"
about = "a self-test before the first write"
[[step]]
do = "self_test_short"
[[step]]
do = "write"
[[step]]
do = "verify"
"#;

pub(crate) const TEST_LAST: &str = r#"
name = "last"
about = "a self-test after the last read"
[[step]]
do = "write"
[[step]]
do = "verify"
[[step]]
do = "self_test_short"
"#;

/// A loop device over a file, and where what `kiln` keeps of it lies; detached when dropped, before both are removed.
pub(crate) struct Loop {
    pub node: String,
    device: rig::Loop,
    dir: tempfile::TempDir,
}

impl Loop {
    /// `None`, and told, where the kernel or the user cannot make one.
    pub(crate) fn new(bytes: u64) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        File::create(dir.path().join("drive")).unwrap().set_len(bytes).unwrap();
        match rig::Loops::default().direct_io().over(&dir.path().join("drive")) {
            Ok(device) => Some(Self {
                node: device.node.to_str().unwrap().to_owned(),
                device,
                dir,
            }),
            Err(why) => {
                rig::not_run(&format!("no loop device: {why}"));
                None
            }
        }
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.dir.path().join("drive")
    }

    /// Whether a partition table stands on it.
    pub(crate) fn has_table(&self) -> bool {
        std::fs::read(self.file()).unwrap()[510..512] == [0x55, 0xaa]
    }

    /// Lets the kernel forget its partitions.
    pub(crate) fn no_partitions(&self) {
        let _ = Command::new("partx").args(["-d", &self.node]).output();
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// `kiln burn` of this device with everything that agrees, and `more`.
    pub(crate) fn command(&self, more: &[&str]) -> Command {
        let mut command = kiln(&["burn", &self.node, "--yes-erase", &self.node, "--allow-loop", "--json"]);
        command.arg("--state").arg(self.state()).args(more);
        command
    }

    pub(crate) fn burn(&self, more: &[&str]) -> Output {
        self.command(more).output().unwrap()
    }
}

pub(crate) fn kiln(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kiln"));
    command.args(args).stdin(Stdio::null());
    command
}

/// The same command where each file that is written down takes seconds, as on a slow medium.
pub(crate) fn slow_medium(command: &Command) -> Command {
    let mut slow = Command::new("strace");
    let calls = ["-e", "trace=fsync", "-e", "inject=fsync:delay_enter=700000"];
    slow.args(["-fqqo", "/dev/null"]).args(calls);
    slow.arg(command.get_program())
        .args(command.get_args())
        .stdin(Stdio::null());
    slow
}

/// Waits until it is written down that this drive is formatted, or the burn-in ends; whether it is.
pub(crate) fn until_written_down(drive: &Loop, child: &mut Child) -> bool {
    while !is_written_down(drive) && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(5));
    }
    is_written_down(drive)
}

/// Whether it is written down that this drive is being formatted.
pub(crate) fn is_written_down(drive: &Loop) -> bool {
    let files = std::fs::read_dir(drive.state()).into_iter().flatten().flatten();
    let texts = files.filter_map(|file| std::fs::read_to_string(file.path()).ok());
    texts
        .into_iter()
        .any(|text| text.contains("while the drive was formatted"))
}

/// What a command comes to that might wait without an end.
pub(crate) fn in_time(command: &mut Command) -> Output {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.unwrap();
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("it still waits: {command:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.wait_with_output().unwrap()
}

/// A certificate that this drive has from another day.
pub(crate) fn earlier_certificate(drive: &Loop, dir: &Path) -> PathBuf {
    let cert = dir.join("earlier.json");
    let mut scan = kiln(&["burn", &drive.node, "--allow-loop", "--playbook", "scan", "--cert"]);
    let scan = scan
        .arg(&cert)
        .arg("--state")
        .arg(dir.join("earlier"))
        .output()
        .unwrap();
    assert_eq!(code(&scan), 1, "{}", text(&scan));
    cert
}

/// Lets it hear SIGHUP, which whoever runs the tests may ignore.
pub(crate) fn heed_hang_ups(command: &mut Command) {
    let heed = || {
        // SAFETY: the default is no function of ours.
        unsafe { libc::signal(libc::SIGHUP, libc::SIG_DFL) };
        Ok(())
    };
    // SAFETY: signal(2) alone between fork and exec, which is async-signal-safe.
    unsafe { command.pre_exec(heed) };
}

/// A FIFO that nobody writes to.
pub(crate) fn fifo(path: &Path) {
    nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).unwrap();
}

pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

pub(crate) fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn object(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(output)))
}

/// A smartctl that says by a file that it was called, and then waits for `go`; it never knows a drive. It ends with
/// the directory, too: it outlives whoever was killed.
pub(crate) fn waiting_smartctl(dir: &Path) {
    let text = format!(
        "#!/bin/sh\n: > {0}/called\nwhile [ -e {0}/smartctl ] && [ ! -e {0}/go ]; do sleep 0.05; done\nexit 1\n",
        dir.display()
    );
    let program = dir.join("smartctl");
    std::fs::write(&program, text).unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
}

/// Waits until the smartctl of [`waiting_smartctl`] was called.
pub(crate) fn until_called(dir: &Path) {
    let begun = Instant::now();
    while !dir.join("called").exists() {
        assert!(begun.elapsed() < PATIENCE, "it did not come to its smartctl");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What a bare dm-crypt looks like: no signature, and nowhere zero.
pub(crate) fn foreign_data(bytes: u64) -> Vec<u8> {
    let mut state = 88_172_645_463_325_252_u64;
    let mut data = Vec::new();
    while (data.len() as u64) < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        data.extend_from_slice(&(state | 1).to_le_bytes());
    }
    data
}

/// Waits for this line of a burn-in of a drive that is slow enough to be caught in a phase.
pub(crate) fn until(child: &mut Child, line: &str) {
    let stderr = child.stderr.take().unwrap();
    let deadline = Instant::now() + PATIENCE;
    let mut seen = String::new();
    let mut lines = BufReader::new(stderr).lines();
    while let Some(text) = lines.next() {
        let text = text.unwrap();
        let found = text.contains(line);
        seen += &text;
        if found {
            // What follows is read away, so that the child never waits for a reader.
            std::thread::spawn(move || lines.for_each(drop));
            return;
        }
        assert!(Instant::now() < deadline, "{seen}");
    }
    panic!("it ended before {line:?}: {seen}");
}

/// Tries something that has to happen in the middle of a burn-in: a fast machine may be through before it happens.
pub(crate) fn caught<T>(mut attempt: impl FnMut() -> Option<T>) -> T {
    (0..10)
        .find_map(|_| attempt())
        .expect("ten burn-ins ended before they could be disturbed: use larger drives")
}

/// Starts a burn-in.
pub(crate) fn start(drive: &Loop, more: &[&str]) -> Child {
    drive
        .command(more)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits until whoever was killed has let go of the drive: what it had in flight ends behind it.
pub(crate) fn let_go(drive: &Loop) {
    use std::os::unix::fs::OpenOptionsExt;
    let begun = Instant::now();
    let mut exclusive = File::options();
    exclusive.read(true).write(true).custom_flags(libc::O_EXCL);
    while let Err(error) = exclusive.open(&drive.node) {
        assert!(begun.elapsed() < PATIENCE, "{}: {error}", drive.node);
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Sends it a signal.
pub(crate) fn signal(child: &Child, signal: i32) {
    // SAFETY: a signal to a child of this process that has not been waited for.
    unsafe { libc::kill(child.id().cast_signed(), signal) };
}

/// A burn-in that a signal ended while it wrote.
pub(crate) fn interrupted(drive: &Loop) -> (Output, Value) {
    interrupted_by(drive, libc::SIGINT)
}

/// The same by any signal.
pub(crate) fn interrupted_by(drive: &Loop, which: i32) -> (Output, Value) {
    interrupted_in(drive, which, &["--playbook", "surface"])
}

/// The same with other arguments.
pub(crate) fn interrupted_in(drive: &Loop, which: i32, line: &[&str]) -> (Output, Value) {
    interrupted_past(drive, which, line, 0)
}

/// The same once a checkpoint has so many sectors behind it.
pub(crate) fn interrupted_past(drive: &Loop, which: i32, line: &[&str], sectors: u64) -> (Output, Value) {
    caught(|| {
        let mut command = drive.command(&[line, &["--io", "sync"]].concat());
        heed_hang_ups(&mut command);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        until(&mut child, "Write");
        // Before its first checkpoint there is nothing to go on from.
        while !has_checkpoint(drive, sectors) && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(2));
        }
        signal(&child, which);
        let output = child.wait_with_output().unwrap();
        let told = object(&output);
        (code(&output) != 0).then_some((output, told))
    })
}

/// A smartctl that tells nothing of any drive, and of this one only once there is a file `go` beside it.
pub(crate) fn smartctl_that_waits(dir: &Path, node: &str) -> String {
    let path = dir.join("smartctl");
    let go = dir.join("go");
    let text = format!(
        "#!/bin/sh\nfor word; do [ \"$word\" = {node} ] && while [ ! -e {} ]; do sleep 0.05; done; done\nexit 1\n",
        go.display()
    );
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Whether a checkpoint of this drive's burn-in is kept that has so many sectors behind it.
pub(crate) fn has_checkpoint(drive: &Loop, sectors: u64) -> bool {
    let files = std::fs::read_dir(drive.state()).into_iter().flatten().flatten();
    files.filter_map(|file| std::fs::read(file.path()).ok()).any(|text| {
        let kept: Value = serde_json::from_slice(&text).unwrap_or_default();
        let kept = kept["checkpoint"]
            .as_str()
            .and_then(|text| burnin::Checkpoint::decode(text).ok());
        kept.is_some_and(|kept| kept.frontier >= sectors)
    })
}

/// A box that answers each request by `answer`; `None`: the connection breaks.
pub(crate) fn played(mut answer: impl FnMut(&str) -> Option<Value> + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let (mut first, mut length) = (String::new(), 0);
            stream.read_line(&mut first).unwrap();
            loop {
                let mut line = String::new();
                stream.read_line(&mut line).unwrap();
                if line.trim().is_empty() {
                    break;
                }
                if let Some(n) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = n.trim().parse().unwrap();
                }
            }
            stream.read_exact(&mut vec![0; length]).unwrap();
            if let Some(value) = answer(first.trim_end_matches(" HTTP/1.1\r\n")) {
                let text = value.to_string();
                let head = format!(
                    "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                    text.len()
                );
                stream.get_mut().write_all((head + &text).as_bytes()).unwrap();
            }
        }
    });
    address
}

/// Inverts one bit of the file.
pub(crate) fn damage(file: &Path, at: u64) {
    use std::os::unix::fs::FileExt;
    let file = File::options().read(true).write(true).open(file).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 4], at).unwrap();
    file.sync_all().unwrap();
}

/// Gives the device another capacity.
pub(crate) fn resize(drive: &Loop, bytes: u64) {
    let file = File::options().write(true).open(drive.file()).unwrap();
    file.set_len(bytes).unwrap();
    drive.device.resized();
}
