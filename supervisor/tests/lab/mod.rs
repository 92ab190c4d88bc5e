//! `kiln-init --root DIR` over real children, and what those children do.

#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::exit, clippy::mem_forget, clippy::unused_self, reason = "tests")]

use std::io::{BufRead, BufReader, IoSlice, Write};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::socket::{ControlMessage, MsgFlags, UnixAddr, sendmsg};
use wire::supervisor::{Status, UnitState};

pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) struct Init {
    pub dir: tempfile::TempDir,
    pub child: Child,
    pub lines: Option<BufReader<UnixStream>>,
}

impl Init {
    pub(crate) fn start(units: &[(&str, &str)]) -> Init {
        Init::start_in(tempfile::tempdir().unwrap(), units)
    }

    pub(crate) fn start_in(dir: tempfile::TempDir, units: &[(&str, &str)]) -> Init {
        let folder = dir.path().join("etc/kiln/units");
        std::fs::create_dir_all(&folder).unwrap();
        for (name, text) in units {
            std::fs::write(
                folder.join(format!("{name}.toml")),
                text.replace("DIR", dir.path().to_str().unwrap()),
            )
            .unwrap();
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_kiln-init"));
        command.arg("--root").arg(dir.path());
        Init::run(dir, command)
    }

    /// Starts it by a command of the test's own.
    pub(crate) fn run(dir: tempfile::TempDir, mut command: Command) -> Init {
        let child = command.stdin(Stdio::null()).spawn().unwrap();
        Init {
            dir,
            child,
            lines: None,
        }
    }

    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// Asks for a fresh image of the supervisor, and returns its answer.
    pub(crate) fn replace(&self) -> String {
        let mut s = UnixStream::connect(self.path("run/kiln/control.sock")).unwrap();
        s.set_read_timeout(Some(PATIENCE)).unwrap();
        s.write_all(b"{\"reexec\":{}}\n").unwrap();
        let mut line = String::new();
        BufReader::new(s).read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Waits until something is so.
    pub(crate) fn until(&self, what: &str, so: impl Fn() -> bool) {
        let begun = Instant::now();
        while !so() {
            assert!(begun.elapsed() < PATIENCE, "waited in vain for: {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Waits until the status satisfies `wanted`.
    pub(crate) fn wait(&mut self, what: &str, wanted: impl Fn(&Status) -> bool) -> Status {
        let begun = Instant::now();
        let mut last = None;
        while begun.elapsed() < PATIENCE {
            if self.lines.is_none() {
                let Ok(mut s) = UnixStream::connect(self.path("run/kiln/control.sock")) else {
                    std::thread::sleep(Duration::from_millis(20));
                    continue;
                };
                s.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
                s.write_all(b"{\"watch\":{}}\n").unwrap();
                self.lines = Some(BufReader::new(s));
            }
            let mut line = String::new();
            match self.lines.as_mut().unwrap().read_line(&mut line) {
                Ok(0) => self.lines = None,
                Ok(_) => {
                    let status: Status = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
                    if wanted(&status) {
                        return status;
                    }
                    last = Some(status);
                }
                Err(_) => {}
            }
        }
        panic!("waited in vain for: {what}\n{last:#?}");
    }

    pub(crate) fn wait_state(&mut self, unit: &str, state: UnitState) -> Status {
        self.wait(&format!("{unit} {state:?}"), |s| {
            s.units.iter().any(|u| u.name == unit && u.state == state)
        })
    }

    /// SIGTERM; returns how long the end took.
    pub(crate) fn stop(&mut self) -> Duration {
        let begun = Instant::now();
        kill(i32::try_from(self.child.id()).unwrap(), libc::SIGTERM);
        while self.child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < PATIENCE, "shutdown does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
        begun.elapsed()
    }
}

impl Drop for Init {
    fn drop(&mut self) {
        // In order first, so that no unit outlives a test; what does not end so is killed.
        if matches!(self.child.try_wait(), Ok(None)) {
            kill(i32::try_from(self.child.id()).unwrap(), libc::SIGTERM);
        }
        let begun = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn kill(pid: i32, signal: i32) {
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(pid),
        nix::sys::signal::Signal::try_from(signal).unwrap(),
    )
    .unwrap();
}

pub(crate) fn pid_of(status: &Status, unit: &str) -> i32 {
    status
        .units
        .iter()
        .find(|u| u.name == unit)
        .and_then(|u| u.pid)
        .unwrap()
}

pub(crate) fn alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')')
        .is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

/// A unit that runs this test binary as a well-behaved or silent service.
pub(crate) fn service(mode: &str, more: &str) -> String {
    let me = std::env::current_exe().unwrap();
    format!(
        "exec = [{:?}, \"helper_notify\", \"--exact\", \"--nocapture\"]\ntype = \"notify\"\nenvironment = {{ MODE = {mode:?}, MARK = \"DIR\" }}\n{more}\n",
        me.to_str().unwrap()
    )
}

/// What `service` units run, as test `helper_notify` of the same binary; without `MODE` it has nothing to do.
pub(crate) fn helper() {
    let Ok(mode) = std::env::var("MODE") else { return };
    let s = UnixDatagram::unbound().unwrap();
    s.connect(std::env::var("NOTIFY_SOCKET").unwrap()).unwrap();
    let say = |t: &str| s.send(t.as_bytes()).unwrap();
    match mode.as_str() {
        "beats" => {
            let every: u64 = std::env::var("WATCHDOG_USEC").unwrap().parse().unwrap();
            say("READY=1\nSTATUS=at work");
            loop {
                say("WATCHDOG=1");
                std::thread::sleep(Duration::from_micros(every / 4));
            }
        }
        "ready" => {
            say("READY=1");
            std::thread::sleep(Duration::from_hours(1));
        }
        "sockets" => {
            let n: i32 = std::env::var("LISTEN_FDS").unwrap().parse().unwrap();
            assert_eq!(std::env::var("LISTEN_PID").unwrap(), std::process::id().to_string());
            let token = std::fs::read_to_string(
                Path::new(&std::env::var("CREDENTIALS_DIRECTORY").unwrap()).join("agent-token"),
            )
            .unwrap();
            say(&format!(
                "READY=1\nSTATUS={n} {} {}",
                std::env::var("LISTEN_FDNAMES").unwrap(),
                token.len()
            ));
            std::thread::sleep(Duration::from_hours(1));
        }
        // Lets connections pile up until the file `go` is there, then serves each.
        "accepts" => {
            // SAFETY: descriptor 3 is the socket that the supervisor has passed.
            let listener = unsafe { std::os::unix::net::UnixListener::from_raw_fd(3) };
            say("READY=1");
            while !Path::new(&std::env::var("MARK").unwrap()).join("go").exists() {
                std::thread::sleep(Duration::from_millis(20));
            }
            for stream in listener.incoming() {
                stream.unwrap().write_all(b"served").unwrap();
            }
        }
        // Starts a child that stays, names it as the main process, and ends.
        "forks" => {
            let mark = PathBuf::from(std::env::var("MARK").unwrap());
            std::fs::write(mark.join("first"), std::process::id().to_string()).unwrap();
            #[allow(clippy::zombie_processes, reason = "the supervisor reaps it")]
            let child = Command::new(std::env::current_exe().unwrap())
                .args(["helper_notify", "--exact", "--nocapture"])
                .env("MODE", "beats on")
                .spawn()
                .unwrap();
            say(&format!("MAINPID={0}\nREADY=1\nSTATUS=child {0}", child.id()));
        }
        "beats on" => loop {
            say("WATCHDOG=1");
            std::thread::sleep(Duration::from_millis(200));
        },
        // Names a main process that is none, again and again, and is well all the while.
        "babbles" => {
            say("READY=1");
            let begun = Instant::now();
            for n in 0.. {
                if n < 5_000 {
                    say("MAINPID=2\nRELOADING=1");
                }
                say("READY=1\nWATCHDOG=1");
                if n == 5_000 {
                    say("STATUS=said");
                }
                if n > 5_000 {
                    std::thread::sleep(Duration::from_millis(200));
                }
                if begun.elapsed() > PATIENCE * 10 {
                    break;
                }
            }
        }
        // Writes a line in pieces, as an unbuffered standard error does, the other way round with the next unit of this kind.
        "pieces" => {
            let name = std::env::var("KILN_UNIT").unwrap();
            for piece in ["\n", &name, " a ", "b", " c\n"] {
                let mut out = std::io::stderr();
                out.write_all(piece.as_bytes()).unwrap();
                std::thread::sleep(Duration::from_millis(20));
            }
            say("READY=1");
            std::thread::sleep(Duration::from_hours(1));
        }
        "names" => {
            let mark = PathBuf::from(std::env::var("MARK").unwrap());
            let victim = loop {
                let text = std::fs::read_to_string(mark.join("victim")).unwrap_or_default();
                if text.ends_with('\n') {
                    break text.trim().to_owned();
                }
                std::thread::sleep(Duration::from_millis(10));
            };
            let parent = nix::unistd::getppid();
            for other in [victim, parent.to_string(), "1".into(), "2".into()] {
                say(&format!("MAINPID={other}"));
            }
            say("READY=1\nSTATUS=said");
            std::thread::sleep(Duration::from_hours(1));
        }
        // Fails once, and says why; the next run is well.
        "errs" | "trips" => {
            let failed = PathBuf::from(std::env::var("MARK").unwrap()).join(format!("{mode}-once"));
            say("READY=1");
            if !failed.exists() {
                std::fs::write(failed, "").unwrap();
                if mode == "errs" {
                    say("ERRNO=5\nSTATUS=cannot go on");
                    std::process::exit(1);
                }
                say("WATCHDOG=trigger");
            }
            std::thread::sleep(Duration::from_hours(1));
        }
        "stores" => stores(&s),
        "parts" => parts(&s),
        "swaps" => swaps(&s),
        "hoards" => {
            for _ in 0..64 {
                let another = UnixDatagram::unbound().unwrap();
                carry(&s, "FDSTORE=1\nFDPOLL=0", &[another.as_raw_fd()]);
            }
            say("READY=1");
            std::thread::sleep(Duration::from_hours(1));
        }
        other => panic!("{other}"),
    }
}

/// At its first run it stores a file at the very end, once the file `go` is there; at the next it tells what it got back.
fn parts(s: &UnixDatagram) {
    let mark = PathBuf::from(std::env::var("MARK").unwrap());
    if mark.join("parted").exists() {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_else(|_| "nothing".into());
        s.send(format!("READY=1\nSTATUS={names}").as_bytes()).unwrap();
        std::thread::sleep(Duration::from_hours(1));
    }
    s.send(b"READY=1").unwrap();
    while !mark.join("go").exists() {
        std::thread::sleep(Duration::from_millis(20));
    }
    let file = std::fs::File::create_new(mark.join("parted")).unwrap();
    carry(s, "FDSTORE=1\nFDNAME=last", &[file.as_raw_fd()]);
}

/// Stores a connection; once the file `go` is there, that hangs up and makes place for another. At the next run it tells what it
/// got back.
fn swaps(s: &UnixDatagram) {
    let mark = PathBuf::from(std::env::var("MARK").unwrap());
    if mark.join("swapped").exists() {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_else(|_| "nothing".into());
        s.send(format!("READY=1\nSTATUS={names}").as_bytes()).unwrap();
        std::thread::sleep(Duration::from_hours(1));
    }
    let (old, end) = UnixStream::pair().unwrap();
    let (new, _end) = UnixStream::pair().unwrap();
    carry(s, "FDSTORE=1\nFDNAME=old", &[old.as_raw_fd()]);
    s.send(b"READY=1").unwrap();
    while !mark.join("go").exists() {
        std::thread::sleep(Duration::from_millis(20));
    }
    drop((old, end));
    s.send(b"FDSTOREREMOVE=1\nFDNAME=old").unwrap();
    carry(s, "FDSTORE=1\nFDNAME=new", &[new.as_raw_fd()]);
    std::fs::write(mark.join("swapped"), "").unwrap();
    std::thread::sleep(Duration::from_hours(1));
}

/// Sends a notification with descriptors.
pub(crate) fn carry(s: &UnixDatagram, text: &str, fds: &[RawFd]) {
    let iov = [IoSlice::new(text.as_bytes())];
    let rights = [ControlMessage::ScmRights(fds)];
    let control = if fds.is_empty() { &[][..] } else { &rights[..] };
    sendmsg::<UnixAddr>(s.as_raw_fd(), &iov, control, MsgFlags::empty(), None).unwrap();
}

/// At its first start it stores a file, a connection whose other end stays open in the test, one whose other end dies with
/// it, and one too many; at the next it tells what it got back.
fn stores(s: &UnixDatagram) {
    let mark = PathBuf::from(std::env::var("MARK").unwrap());
    let say = |text: &str, fds: &[RawFd]| carry(s, text, fds);
    let names = std::env::var("LISTEN_FDNAMES").unwrap();
    let names: Vec<&str> = names.split(':').collect();
    if names.len() == 1 {
        let file = std::fs::File::create_new(mark.join("kept")).unwrap();
        std::fs::write(mark.join("kept"), "what was kept").unwrap();
        let alive = UnixStream::connect(mark.join("peer.sock")).unwrap();
        let (dies, other) = UnixStream::pair().unwrap();
        let gone = std::fs::File::open("/dev/null").unwrap();
        say("FDSTORE=1\nFDNAME=file", &[file.as_raw_fd()]);
        // A second time: kept once.
        say("FDSTORE=1\nFDNAME=again", &[file.as_raw_fd()]);
        say("FDSTORE=1\nFDNAME=alive", &[alive.as_raw_fd()]);
        say("FDSTORE=1\nFDNAME=dies", &[dies.as_raw_fd()]);
        say("FDSTORE=1\nFDNAME=removed", &[gone.as_raw_fd()]);
        say("FDSTOREREMOVE=1\nFDNAME=removed", &[]);
        say("FDSTORE=1", &[gone.as_raw_fd()]);
        let more = std::fs::File::open("/dev/zero").unwrap();
        say("FDSTORE=1\nFDNAME=too-many", &[more.as_raw_fd()]);
        drop(dies);
        say("READY=1\nSTATUS=stored", &[]);
        std::mem::forget(other);
    } else {
        let at = |name: &str| 3 + RawFd::try_from(names.iter().position(|n| *n == name).unwrap()).unwrap();
        // SAFETY: the supervisor has passed a connection under that number.
        let mut alive = unsafe { UnixStream::from_raw_fd(at("alive")) };
        alive.write_all(b"still here").unwrap();
        let kept = std::fs::metadata(format!("/proc/self/fd/{}", at("file")))
            .unwrap()
            .len();
        say(&format!("READY=1\nSTATUS={} {kept}", names.join(" ")), &[]);
    }
    std::thread::sleep(Duration::from_hours(1));
}
