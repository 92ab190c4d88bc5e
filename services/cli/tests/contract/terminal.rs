//! `kiln burn` on a terminal: what it asks there, what it shows, and what becomes of it once nobody is there any more.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};

use crate::common::{self, Loop, PATIENCE, code, interrupted_by, kiln, text};

/// A burn-in that asks on a terminal, and what that showed until then.
struct Asked {
    child: Child,
    screen: ChildStdout,
    shown: Vec<u8>,
}

impl Asked {
    fn of(drive: &Loop) -> Self {
        let node = &drive.node;
        let burn = format!(
            "{} burn {node} --allow-loop --yes-erase {node} --playbook surface --json --state {}",
            env!("CARGO_BIN_EXE_kiln"),
            drive.state().display()
        );
        // `script` gives it the terminal on which it asks.
        let mut script = Command::new("script");
        script.args(["-qefc", &burn, "/dev/null"]);
        common::heed_hang_ups(&mut script);
        let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut asked = Self {
            screen: child.stdout.take().unwrap(),
            child,
            shown: Vec::new(),
        };
        while !String::from_utf8_lossy(&asked.shown).contains("to erase it: ") {
            let mut byte = [0];
            let read = asked.screen.read(&mut byte).unwrap();
            assert_eq!(read, 1, "{}", String::from_utf8_lossy(&asked.shown));
            asked.shown.push(byte[0]);
        }
        asked
    }

    /// Its exit code, and all that was shown.
    fn end(mut self) -> (Option<i32>, String) {
        self.screen.read_to_end(&mut self.shown).unwrap();
        let code = self.child.wait().unwrap().code();
        (code, String::from_utf8_lossy(&self.shown).into_owned())
    }
}

/// While a person types, the drive may be exchanged in its dock. What is erased is what they were told of, or nothing.
#[test]
fn what_came_while_the_prompt_stood_stays_and_is_refused() {
    let Some(drive) = Loop::new(64 << 20) else { return };
    let mut asked = Asked::of(&drive);
    let made = Command::new("mkfs.ext4")
        .args(["-q", "-F", "-L", "photos"])
        .arg(drive.file())
        .status();
    assert!(made.unwrap().success());
    let before = fs::read(drive.file()).unwrap();
    writeln!(asked.child.stdin.take().unwrap(), "{}", drive.node).unwrap();
    let (code, shown) = asked.end();
    assert_eq!(code, Some(4), "{shown}");
    assert!(
        shown.contains("photos") && shown.contains("nothing was written"),
        "{shown}"
    );
    assert!(fs::read(drive.file()).unwrap() == before, "it was written to");
}

/// An archive, or a volume that hides what it is: nothing that the guard knows.
#[test]
fn what_came_without_a_signature_while_the_prompt_stood_stays_and_is_refused() {
    let Some(drive) = Loop::new(64 << 20) else { return };
    let mut asked = Asked::of(&drive);
    let mut below = File::options().write(true).open(drive.file()).unwrap();
    below.write_all(&common::foreign_data(24 << 20)).unwrap();
    below.sync_all().unwrap();
    let before = fs::read(drive.file()).unwrap();
    writeln!(asked.child.stdin.take().unwrap(), "{}", drive.node).unwrap();
    let (code, shown) = asked.end();
    assert!(fs::read(drive.file()).unwrap() == before, "it was written to: {shown}");
    assert_eq!(code, Some(4), "{shown}");
    assert!(
        shown.contains("something wrote to") && shown.contains("nothing was written"),
        "{shown}"
    );
    assert!(!shown.contains("--resume"), "{shown}");
}

#[test]
fn what_was_not_confirmed_is_refused() {
    let Some(drive) = Loop::new(4 << 20) else { return };
    let mut asked = Asked::of(&drive);
    writeln!(asked.child.stdin.take().unwrap(), "no").unwrap();
    let (code, shown) = asked.end();
    assert_eq!(code, Some(4), "{shown}");
    assert!(shown.contains(r#""kind":"not-confirmed""#), "{shown}");
    assert!(fs::read(drive.file()).unwrap().iter().all(|b| *b == 0));
}

/// Who does not agree after all is told that nothing happened, and a script that runs it ends as it would by any other program.
#[test]
fn a_signal_before_anything_is_begun_ends_it_with_nothing_written() {
    let Some(drive) = Loop::new(4 << 20) else { return };
    for (signal, name) in [
        (libc::SIGINT, "SIGINT"),
        (libc::SIGTERM, "SIGTERM"),
        (libc::SIGHUP, "SIGHUP"),
    ] {
        let asked = Asked::of(&drive);
        // SAFETY: a signal to a child of `script`, which waits for it.
        unsafe { libc::kill(burning(&drive.node), signal) };
        let (code, shown) = asked.end();
        assert_eq!(code, Some(3), "{shown}");
        assert!(
            shown.contains(&format!("ended by {name}")) && shown.contains("nothing was written"),
            "{shown}"
        );
    }
    assert!(fs::read(drive.file()).unwrap().iter().all(|b| *b == 0));
    assert!(!drive.state().exists(), "nothing is kept of what was not begun");
}

/// The process that burns this drive in.
fn burning(node: &str) -> i32 {
    let is = |pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut words = line.split(|byte| *byte == 0);
        words.nth(1) == Some(b"burn") && words.next() == Some(node.as_bytes())
    };
    let names = fs::read_dir("/proc").unwrap().flatten();
    let mut pids = names.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.find(is).unwrap()
}

/// A terminal that is closed or a connection that is cut is no reason to lose what was done.
#[test]
fn a_hang_up_is_heard_as_ctrl_c_is() {
    let Some(drive) = Loop::new(600 << 20) else { return };
    let (output, told) = interrupted_by(&drive, libc::SIGHUP);
    assert_eq!(code(&output), 3, "{told}");
    assert_eq!(told["state"]["kind"], "aborted");
}

/// Begins a burn-in on a terminal of its own that takes a hang-up so, agrees to it, and closes the terminal once it writes.
fn hung_up(drive: &Loop, on_hang_up: libc::sighandler_t, more: &[&str]) -> Child {
    let node = &drive.node;
    let mut burn = kiln(&["burn", node, "--yes-erase", node, "--allow-loop"]);
    burn.args(["--playbook", "surface", "--state"]).arg(drive.state());
    burn.args(more).env("TERM", "xterm");
    let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let mut terminal = File::options();
    let terminal = terminal.read(true).write(true).custom_flags(libc::O_NOCTTY);
    let terminal = terminal.open(ptsname_r(&master).unwrap()).unwrap();
    let side = || Stdio::from(terminal.try_clone().unwrap());
    burn.stdin(side()).stdout(side()).stderr(side());
    let of_its_own = move || {
        // SAFETY: the child is no leader of its group yet.
        unsafe { libc::setsid() };
        // SAFETY: standard input is the terminal, and the order takes a number.
        unsafe { libc::ioctl(0, libc::TIOCSCTTY, 0) };
        // SAFETY: to ignore it or the default, neither of which is a function of ours.
        unsafe { libc::signal(libc::SIGHUP, on_hang_up) };
        Ok(())
    };
    // SAFETY: setsid(2), ioctl(2) and signal(2) alone between fork and exec, which are async-signal-safe.
    unsafe { burn.pre_exec(of_its_own) };
    let child = burn.spawn().unwrap();
    drop((burn, terminal));
    let master = File::from(std::os::fd::OwnedFd::from(master));
    let mut shown = Vec::new();
    let mut until = |part: &str| {
        while !String::from_utf8_lossy(&shown).contains(part) {
            let mut some = [0; 4096];
            let read = (&master).read(&mut some).unwrap();
            shown.extend(&some[..read]);
        }
    };
    until("to erase it: ");
    writeln!(&master, "{node}").unwrap();
    until("Write");
    child
}

/// Nobody sees its bars any more; what they are drawn on is no reason to lose what was done.
#[test]
fn a_terminal_that_is_closed_costs_no_certificate_and_no_file_system() {
    let Some(drive) = Loop::new(200 << 20) else { return };
    let cert = drive.file().with_file_name("c.json");
    let cert = cert.to_str().unwrap();
    let mut burn = hung_up(&drive, libc::SIG_DFL, &["--soak", "1", "--cert", cert]);
    assert_eq!(burn.wait().unwrap().code(), Some(3));
    let verified = kiln(&["cert", "verify", cert]).output().unwrap();
    assert_eq!(
        code(&verified),
        1,
        "signed, by a key that nobody knows: {}",
        text(&verified)
    );

    let mut burn = hung_up(&drive, libc::SIG_IGN, &["--format", "ext4", "--table", "gpt"]);
    assert_eq!(burn.wait().unwrap().code(), Some(0));
    let image = drive.file();
    let mut probe = Command::new("blkid");
    // The first partition begins at 1 MiB.
    let probe = probe.args(["--probe", "--offset", "1048576", "-s", "TYPE", "-o", "value"]);
    let found = probe.arg(image).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout).trim(), "ext4");
}

/// Bars need a terminal that can move its cursor; on any other one lines tell how far it is.
#[test]
fn a_terminal_without_a_cursor_is_told_lines() {
    let Some(drive) = Loop::new(16 << 20) else { return };
    let name = drive.node.trim_start_matches("/dev/").to_owned();
    let burn = format!(
        "{} burn {} --allow-loop --playbook scan --state {}",
        env!("CARGO_BIN_EXE_kiln"),
        drive.node,
        drive.state().display()
    );
    let mut script = Command::new("script");
    script.args(["-qefc", &burn, "/dev/null"]).env("TERM", "dumb");
    let output = script.stdin(Stdio::null()).output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(shown.contains(&format!("{name}: Read scan")), "{shown}");
}

/// Whoever reads its messages has stopped, as a pager does: it waits with its first word, and ends nonetheless.
#[test]
fn signals_are_heard_though_nobody_reads_what_is_told() {
    let Some(drive) = Loop::new(16 << 20) else { return };
    for signals in [&[libc::SIGINT][..], &[libc::SIGTERM, libc::SIGINT]] {
        let (_reader, writer) = std::io::pipe().unwrap();
        let size = nix::fcntl::fcntl(&writer, nix::fcntl::FcntlArg::F_GETPIPE_SZ).unwrap();
        (&writer)
            .write_all(&vec![b'x'; usize::try_from(size).unwrap()])
            .unwrap();
        let mut burn = drive.command(&["--playbook", "surface"]);
        let mut burn = burn.stdout(Stdio::null()).stderr(writer).spawn().unwrap();
        // Until it stands there: it writes to the pipe in the main thread.
        let stands = format!("/proc/{}/syscall", burn.id());
        let begun = Instant::now();
        while !fs::read_to_string(&stands).is_ok_and(|text| text.starts_with("1 0x2 ")) {
            assert!(begun.elapsed() < PATIENCE, "it told nothing");
            std::thread::sleep(Duration::from_millis(10));
        }
        for which in signals {
            common::signal(&burn, *which);
            // Two of them at once may be heard as one.
            std::thread::sleep(Duration::from_millis(300));
        }
        let begun = Instant::now();
        let ended = loop {
            match burn.try_wait().unwrap() {
                Some(ended) => break Some(ended),
                None if begun.elapsed() > Duration::from_secs(20) => break None,
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        if ended.is_none() {
            burn.kill().unwrap();
            burn.wait().unwrap();
        }
        assert_eq!(ended.and_then(|status| status.code()), Some(3), "{signals:?}");
        assert!(fs::read(drive.file()).unwrap().iter().all(|byte| *byte == 0));
    }
}
