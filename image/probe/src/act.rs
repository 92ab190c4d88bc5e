//! One function an operation.

use std::collections::HashMap;
use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::ptrace;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use probe::Op;
use serde_json::{Value, json};

use crate::{Out, dm, module, stack, uevent, within};

/// Most of a file or of a program's output that is sent, in bytes.
const TEXT_MAX: usize = 1 << 20;

/// What is kept between requests.
pub(crate) struct State {
    out: Out,
    open: HashMap<u64, File>,
    next: u64,
    listening: bool,
}

impl State {
    pub(crate) fn new(out: Out) -> Self {
        Self {
            out,
            open: HashMap::new(),
            next: 1,
            listening: false,
        }
    }

    pub(crate) fn carry_out(&mut self, op: Op) -> io::Result<Value> {
        match op {
            Op::Ping {} => Ok(Value::Null),
            Op::Run { argv, limit_s } => run(&argv, Duration::from_secs(limit_s)),
            Op::Ask { socket, line } => ask(&socket, &line),
            Op::Signal { pid, signal } => {
                let signal = Signal::try_from(signal)?;
                kill(Pid::from_raw(pid), signal)?;
                Ok(Value::Null)
            }
            Op::Freeze { pid } => {
                let pid = Pid::from_raw(pid);
                ptrace::seize(pid, ptrace::Options::empty())?;
                ptrace::interrupt(pid)?;
                Ok(Value::Null)
            }
            Op::Thaw { pid } => {
                ptrace::detach(Pid::from_raw(pid), None)?;
                Ok(Value::Null)
            }
            Op::Read { path } => {
                let mut bytes = Vec::new();
                File::open(&path)
                    .map_err(|e| about(&path, &e))?
                    .take(TEXT_MAX as u64)
                    .read_to_end(&mut bytes)?;
                Ok(json!(String::from_utf8_lossy(&bytes)))
            }
            Op::Write { path, text } => {
                let mut file = File::options()
                    .write(true)
                    .create(true)
                    .truncate(true)
                    .open(&path)
                    .map_err(|e| about(&path, &e))?;
                file.write_all(text.as_bytes()).map_err(|e| about(&path, &e))?;
                Ok(Value::Null)
            }
            Op::Fill { path } => fill(&path).map(|bytes| json!(bytes)),
            Op::Remove { path } => {
                fs::remove_file(&path).map_err(|e| about(&path, &e))?;
                Ok(Value::Null)
            }
            Op::List { path } => list(&path).map(Value::Array),
            Op::Processes {} => Ok(Value::Array(processes())),
            Op::Open { path, write, exclusive } => {
                let flags = if exclusive { libc::O_EXCL } else { 0 };
                let file = File::options().read(true).write(write).custom_flags(flags).open(&path);
                self.open.insert(self.next, file.map_err(|e| about(&path, &e))?);
                self.next += 1;
                Ok(json!(self.next - 1))
            }
            Op::Close { handle } => match self.open.remove(&handle) {
                Some(_) => Ok(Value::Null),
                None => Err(io::Error::other(format!("nothing is open as {handle}"))),
            },
            Op::Mount {
                source,
                target,
                kind,
                read_only,
            } => {
                fs::create_dir_all(&target)?;
                let flags = if read_only {
                    MsFlags::MS_RDONLY
                } else {
                    MsFlags::empty()
                };
                mount(
                    Some(source.as_str()),
                    target.as_str(),
                    Some(kind.as_str()),
                    flags,
                    None::<&str>,
                )?;
                Ok(Value::Null)
            }
            Op::MountElsewhere { source, target, kind } => Ok(json!(stack::mount_elsewhere(&source, &target, &kind)?)),
            Op::Within { pid, act, path } => Ok(json!(within::attempt(pid, &act, &path)?)),
            Op::LoopOver { path } => Ok(json!(stack::loop_over(&path)?)),
            Op::BtrfsScan { path } => stack::btrfs_scan(&path).map(|()| Value::Null),
            Op::Unmount { target } => {
                umount2(target.as_str(), MntFlags::empty())?;
                Ok(Value::Null)
            }
            Op::Swapon { path } => swap(libc::SYS_swapon, &path),
            Op::Swapoff { path } => swap(libc::SYS_swapoff, &path),
            Op::Module { name } => module::load(&name).map(|()| Value::Null),
            Op::DmCreate { name, uuid, device } => dm::create(&name, &uuid, &device).map(|()| Value::Null),
            Op::DmRemove { name } => dm::remove(&name).map(|()| Value::Null),
            Op::Uevents {} => {
                if !self.listening {
                    uevent::listen(Arc::clone(&self.out))?;
                    self.listening = true;
                }
                Ok(Value::Null)
            }
            Op::Sync {} => {
                nix::unistd::sync();
                Ok(Value::Null)
            }
        }
    }
}

fn about(path: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{path}: {error}"))
}

/// Zeros into a new file until no block is left.
fn fill(path: &str) -> io::Result<u64> {
    let mut file = File::create(path).map_err(|e| about(path, &e))?;
    let (zeros, mut written) = (vec![0; 1 << 20], 0);
    for step in [1 << 20, 4096] {
        loop {
            match file.write(&zeros[..step]) {
                Ok(n) => written += n as u64,
                Err(e) if e.kind() == io::ErrorKind::StorageFull => break,
                Err(e) => return Err(about(path, &e)),
            }
        }
    }
    file.sync_all().map_err(|e| about(path, &e))?;
    Ok(written)
}

fn list(path: &str) -> io::Result<Vec<Value>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path).map_err(|e| about(path, &e))? {
        let entry = entry?;
        let meta = entry.metadata()?;
        let name = entry.file_name().to_string_lossy().into_owned();
        found.push((name, meta.len(), meta.permissions().mode() & 0o7777));
    }
    found.sort();
    let rows = found.into_iter();
    Ok(rows
        .map(|(name, bytes, mode)| json!({ "name": name, "bytes": bytes, "mode": mode }))
        .collect())
}

/// One line there, one line back, within a minute.
fn ask(socket: &str, line: &str) -> io::Result<Value> {
    let mut stream = UnixStream::connect(socket).map_err(|e| about(socket, &e))?;
    stream.set_read_timeout(Some(Duration::from_mins(1)))?;
    stream.write_all(format!("{line}\n").as_bytes())?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    Ok(json!(answer.trim_end()))
}

/// Runs a program to its end or its limit. Its output is read by threads, so that a full pipe never stops it.
fn run(argv: &[String], limit: Duration) -> io::Result<Value> {
    let (program, arguments) = argv.split_first().ok_or_else(|| io::Error::other("no program named"))?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| about(program, &e))?;
    let collect = |pipe: Option<Box<dyn Read + Send>>| {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(pipe) = pipe {
                let _ = pipe.take(TEXT_MAX as u64).read_to_end(&mut bytes);
            }
            String::from_utf8_lossy(&bytes).into_owned()
        })
    };
    let stdout = collect(child.stdout.take().map(|p| Box::new(p) as Box<dyn Read + Send>));
    let stderr = collect(child.stderr.take().map(|p| Box::new(p) as Box<dyn Read + Send>));
    let deadline = Instant::now() + limit;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status.code().unwrap_or(-1);
        }
        if Instant::now() > deadline {
            child.kill()?;
            child.wait()?;
            return Err(io::Error::other(format!(
                "{program} ran longer than {} s",
                limit.as_secs()
            )));
        }
        thread::sleep(Duration::from_millis(20));
    };
    let text = |t: thread::JoinHandle<String>| t.join().unwrap_or_default();
    Ok(json!({ "status": status, "stdout": text(stdout), "stderr": text(stderr) }))
}

fn swap(call: libc::c_long, path: &str) -> io::Result<Value> {
    let path = CString::new(path)?;
    // SAFETY: `path` is a string with an end; swapon's flags are 0 and swapoff ignores them.
    if unsafe { libc::syscall(call, path.as_ptr(), 0) } == 0 {
        Ok(Value::Null)
    } else {
        Err(io::Error::last_os_error())
    }
}

fn processes() -> Vec<Value> {
    let mut list = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse::<i32>().ok()) else {
            continue;
        };
        let dir = entry.path();
        // A process may end while we look: then it is left out.
        let (Ok(stat), Ok(argv)) = (fs::read_to_string(dir.join("stat")), fs::read(dir.join("cmdline"))) else {
            continue;
        };
        let Some((head, rest)) = stat.rsplit_once(") ") else {
            continue;
        };
        let comm = head.split_once('(').map_or("", |(_, c)| c);
        let mut fields = rest.split(' ');
        let state = fields.next().unwrap_or_default();
        let parent = fields.next().and_then(|p| p.parse::<i32>().ok());
        let argv: Vec<_> = argv
            .split(|b| *b == 0)
            .filter(|a| !a.is_empty())
            .map(|a| String::from_utf8_lossy(a).into_owned())
            .collect();
        list.push(json!({ "pid": pid, "parent": parent, "comm": comm, "state": state, "argv": argv }));
    }
    list
}
