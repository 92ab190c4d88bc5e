//! The console: a screen on the first virtual terminal, and plain lines on every serial line.
//!
//! Drawn by a helper, since a terminal may stop its output for ever (Ctrl-S, a dead serial line); PID 1 drops what the
//! helper does not take. `dashboard: http://ADDRESS` and `claim: CODE` are printed on serial lines whenever they change.
//! Keys (`keys`) choose a page (`pages`), save a debug bundle, open the claim again, switch the box off, or reset it; none of
//! it needs a network or the server. The power button (`button`) is heard here, too. This file has the terminals.
//!
//! Until it draws, the kernel tells there what is wrong. Then what it says goes to its log alone, which the page of the log shows,
//! up to what ends it: one drive that answers with errors would push address and claim code off the screen, where nobody draws
//! them again, and drown them on a serial line, which is slow, and which whoever waits for a drive would wait for, too. What goes
//! wrong in the last writes comes there again: no other log of that is left.

mod asked;
pub(crate) mod button;
mod keys;
pub(crate) mod pages;
mod qr;
mod screen;
mod status;

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use asked::Asked;
use keys::{Keys, Page, Wish};
use rustix::event::{PollFd, PollFlags, Timespec};
use serde::{Deserialize, Serialize};
use status::{Disk, Size};
use wire::supervisor::{Status, UnitState};

use crate::boot::config::site::is_host;
use crate::shell::helper::Line;
use crate::shell::log;
use crate::shell::printable::Printable;
use crate::shell::sleep::sleep;

/// Width of a banner on the screen, in characters: what the smallest terminal has, less the margin.
const COLUMNS: usize = 74;
/// Rows and columns of the smallest terminal.
const LEAST: (u16, u16) = (25, 80);
/// Lines of the log that the smallest terminal has room for.
const ROWS: usize = 18;
/// How often a page that is not the status is drawn anew: three seconds.
const REFRESH: Timespec = Timespec { tv_sec: 3, tv_nsec: 0 };
/// How long a terminal that takes nothing is waited for: a slow line takes some hundred bytes in that time.
const PATIENCE: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };
/// What can be typed.
const HELP: [&str; 2] = [
    "1 status  2 network  3 log  b debug bundle  p power off or restart",
    "c lost password  g other system  r factory reset",
];

/// Where the kernel is told which of its messages come to its consoles: those below a level. Source: proc(5).
const LEVEL: &str = "/proc/sys/kernel/printk";
/// While a page stands there: emergencies. A crash tells all of itself: the kernel raises the level before.
const QUIET: &str = "1\n";
/// Where no page has to be kept: errors, too, as the boards' command line has it (`loglevel=4`).
const HEARD: &str = "4\n";

nix::ioctl_read_bad!(window_size, libc::TIOCGWINSZ, libc::winsize);

/// All that the console shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Screen {
    /// State of the box.
    pub status: Status,
    /// Claim code while the box is unclaimed.
    pub claim: Option<String>,
    /// SHA-256 of the server's TLS certificate.
    #[serde(default)]
    pub fingerprint: Option<String>,
    /// What takes long just now.
    pub progress: Option<String>,
}

/// The kernel's consoles besides the virtual terminal, e.g. `ttyS0`.
pub fn serial_devices() -> Vec<String> {
    let active = fs::read_to_string("/sys/class/tty/console/active").unwrap_or_default();
    active
        .split_whitespace()
        .filter(|t| *t != "tty0")
        .map(str::to_owned)
        .collect()
}

/// A keyboard with its screen, or a serial line.
#[derive(Debug)]
struct Terminal {
    out: File,
    /// `None` once it has ended or failed: it is not waited for again.
    keyboard: Option<File>,
    /// Draws whole screens; a serial line gets what has changed, and a page when somebody asks for one.
    screen: bool,
    /// It took nothing for [`PATIENCE`] (Scroll Lock, a dead serial line): what it missed is drawn once it goes on.
    stuck: bool,
    keys: Keys,
    page: Page,
    /// Who asks the kernel for what the page of the network shows.
    asked: Asked,
}

impl Terminal {
    fn open(name: &str, screen: bool) -> Option<Terminal> {
        let path = format!("/dev/{name}");
        let out = OpenOptions::new()
            .write(true)
            .custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK)
            .open(&path)
            .ok()?;
        let keyboard = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK)
            .open(&path)
            .ok()
            .filter(|k| raw(k).is_ok());
        Some(Terminal {
            out,
            keyboard,
            screen,
            stuck: false,
            keys: Keys::default(),
            page: Page::default(),
            asked: Asked::default(),
        })
    }

    /// What was typed, and whether anything was.
    fn typed(&mut self) -> (Vec<Wish>, bool) {
        let mut wishes = Vec::new();
        let mut any = false;
        let mut buf = [0u8; 64];
        while let Some(k) = &mut self.keyboard {
            match k.read(&mut buf) {
                Ok(n) if n > 0 => {
                    any = true;
                    wishes.extend(buf[..n].iter().filter_map(|b| self.keys.take(*b)));
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Ok(_) | Err(_) => self.keyboard = None,
            }
        }
        (wishes, any)
    }

    /// Draws the page it is on.
    fn draw(&mut self, screen: &Screen) {
        let help = || HELP.map(str::to_owned).to_vec();
        let help = self.keys.prompt().map_or_else(help, |p| wrapped(&p));
        let Size { rows, columns } = size(&self.out);
        // An empty row stands between the page and what can be typed.
        let room = rows.saturating_sub(help.len() + 1);
        let text = match self.page {
            Page::Status => status::render(
                screen,
                &drives(Path::new("/sys/class/block")),
                Size { rows: room, columns },
            ),
            Page::Network => pages::network(&mut self.asked),
            Page::Log => pages::log(ROWS, COLUMNS),
        };
        let page = text.lines().take(room).map(|l| Printable(l).to_string());
        let mut text: Vec<String> = page.collect();
        text.push(String::new());
        text.extend(help.iter().map(|l| format!("  {}", Printable(l))));
        let text = text.join("\n");
        let clear = if self.screen { "\x1b[H\x1b[2J" } else { "\n" };
        let end = if self.screen { "" } else { "\n" };
        self.put(&format!("{clear}{text}{end}").replace('\n', "\r\n"));
    }

    /// Says what has changed; everything, where it missed something.
    fn lines(&mut self, lines: &[String], screen: &Screen) {
        if self.stuck {
            self.draw(screen);
        } else {
            let text: String = lines.iter().map(|l| format!("{}\r\n", Printable(l))).collect();
            self.put(&text);
        }
    }

    /// Writes what the terminal takes: one that stands still must not keep the others from being drawn.
    fn put(&mut self, text: &str) {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            match self.out.write(rest) {
                Ok(n) if n > 0 => {
                    rest = &rest[n..];
                    self.stuck = false;
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    let mut fds = [PollFd::new(&self.out, PollFlags::OUT)];
                    let moves = !self.stuck && sleep(&mut fds, Some(&PATIENCE)).is_ok_and(|n| n > 0);
                    if !moves {
                        self.stuck = true;
                        return;
                    }
                }
                Ok(_) | Err(_) => return,
            }
        }
    }
}

/// What a terminal has room for: a serial line does not say, and is taken for the smallest.
fn size(out: &File) -> Size {
    let mut told = libc::winsize {
        ws_row: 0,
        ws_col: 0,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: TIOCGWINSZ writes one winsize that outlives the call; where it fails, it stays as it is.
    let _ = unsafe { window_size(out.as_raw_fd(), &raw mut told) };
    Size {
        rows: usize::from(told.ws_row.max(LEAST.0)),
        columns: usize::from(told.ws_col.max(LEAST.1)),
    }
}

/// Bytes as they are typed, without echo; output stays as it was.
fn raw(keyboard: &File) -> nix::Result<()> {
    use nix::sys::termios::{InputFlags, LocalFlags, SetArg, tcgetattr, tcsetattr};
    let mut t = tcgetattr(keyboard)?;
    t.local_flags
        .remove(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG | LocalFlags::IEXTEN);
    t.input_flags.remove(InputFlags::IXON | InputFlags::ICRNL);
    tcsetattr(keyboard, SetArg::TCSANOW, &t)
}

/// Gives the console up before the end: what is wrong comes to it again, since the power-off takes every other log along.
pub(crate) fn give_up() {
    if let Err(e) = fs::write(LEVEL, HEARD) {
        log::warn(&format!("what is wrong at the end comes to no console: {LEVEL}: {e}"));
    }
}

/// In a helper: draws every screen that PID 1 sends and hears what is typed, until PID 1 is gone.
pub fn draw(line: &Line, serial: &[String]) -> i32 {
    if let Err(e) = fs::write(LEVEL, QUIET) {
        log::warn(&format!(
            "what the kernel says comes between the console's lines: {LEVEL}: {e}"
        ));
    }
    let mut terminals: Vec<Terminal> = Terminal::open("tty1", true).into_iter().collect();
    terminals.extend(serial.iter().filter_map(|s| Terminal::open(s, false)));
    let mut before: Option<Screen> = None;
    loop {
        // A terminal that stood still does not say when it goes on.
        let moving = terminals.iter().any(|t| t.stuck || t.screen && t.page != Page::Status);
        let mut fds = vec![PollFd::from_borrowed_fd(line.as_fd(), PollFlags::IN)];
        let keyboards: Vec<usize> = (0..terminals.len())
            .filter(|t| terminals[*t].keyboard.is_some())
            .collect();
        fds.extend(
            terminals
                .iter()
                .filter_map(|t| Some(PollFd::new(t.keyboard.as_ref()?, PollFlags::IN))),
        );
        let woken = match sleep(&mut fds, moving.then_some(&REFRESH)) {
            Ok(n) => n,
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(_) => return 1,
        };
        let any = |f: &PollFd<'_>| !f.revents().is_empty();
        let told = any(&fds[0]);
        let typed: Vec<usize> = keyboards
            .into_iter()
            .zip(&fds[1..])
            .filter(|(_, f)| any(f))
            .map(|(t, _)| t)
            .collect();
        if told {
            let Some(text) = line.hear() else { return 0 };
            if let Ok(screen) = serde_json::from_str::<Screen>(&text) {
                let said = changes(before.as_ref(), &screen);
                for t in &mut terminals {
                    if t.screen {
                        t.draw(&screen);
                    } else {
                        t.lines(&said, &screen);
                    }
                }
                before = Some(screen);
            }
        }
        for t in typed {
            let (wishes, any) = terminals[t].typed();
            for wish in wishes {
                match wish {
                    Wish::Show(page) => terminals[t].page = page,
                    Wish::Bundle => line.say("bundle"),
                    Wish::Recover => line.say("recover"),
                    Wish::Back => line.say("back"),
                    Wish::PowerOff => line.say("power-off"),
                    Wish::Restart => line.say("restart"),
                    Wish::Reset => line.say("reset"),
                }
            }
            if let (true, Some(screen)) = (any, &before) {
                terminals[t].draw(screen);
            }
        }
        if let (true, 0, Some(screen)) = (moving, woken, &before) {
            let due = terminals.iter_mut().filter(|t| t.screen || t.stuck);
            due.for_each(|t| t.draw(screen));
        }
    }
}

/// Lines for the serial consoles: what has changed since the last screen.
fn changes(before: Option<&Screen>, now: &Screen) -> Vec<String> {
    let mut out = Vec::new();
    let old = |f: fn(&Screen) -> Option<String>| before.and_then(f);
    if old(url) != url(now)
        && let Some(u) = url(now)
    {
        out.push(format!("dashboard: {u}"));
    }
    if old(name) != name(now)
        && let Some(n) = name(now)
    {
        out.push(format!("name: http://{n}"));
    }
    if before.and_then(|b| b.fingerprint.clone()) != now.fingerprint
        && let Some(f) = &now.fingerprint
    {
        out.push(format!("certificate: SHA-256 {f}"));
    }
    let claim = before.and_then(|b| b.claim.clone()) != now.claim;
    if let Some(c) = now.claim.as_ref().filter(|_| claim) {
        out.push(format!("claim: {c}"));
    }
    // Whichever of the two comes last, and again with another address.
    if (claim || old(url) != url(now))
        && let (Some(_), Some(u)) = (&now.claim, url(now))
    {
        out.extend(qr::half_blocks(&u));
    }
    if before.is_none_or(|b| b.progress != now.progress)
        && let Some(p) = &now.progress
    {
        out.push(format!("kiln: {p}"));
    }
    let reason = |s: &Screen| s.status.boot.reason.clone();
    if before.map(reason) != Some(reason(now)) {
        out.push(format!("kiln: last boot ended by: {}", reason(now)));
    }
    for b in &now.status.banners {
        if !before.is_some_and(|s| s.status.banners.contains(b)) {
            out.push(format!("kiln: {}", b.text));
        }
    }
    for u in &now.status.units {
        let was = before.and_then(|s| s.status.units.iter().find(|o| o.name == u.name));
        if was.is_none_or(|w| w.state != u.state) {
            let rung = u
                .rung
                .map(|r| format!(" (rung {})", format!("{r:?}").to_lowercase()))
                .unwrap_or_default();
            let why = if u.reason.is_empty() {
                String::new()
            } else {
                format!(": {}", u.reason)
            };
            out.push(format!("kiln: unit {} is {}{rung}{why}", u.name, state(u.state)));
        }
    }
    out
}

fn state(s: UnitState) -> &'static str {
    match s {
        UnitState::Stopped => "stopped",
        UnitState::Starting => "starting",
        UnitState::Ready => "ready",
        UnitState::Degraded => "degraded",
        UnitState::Stopping => "stopping",
        UnitState::Backoff => "waiting to start again",
        UnitState::Quarantined => "in quarantine",
        UnitState::Done => "done",
        UnitState::Failed => "not usable",
    }
}

/// Address of the dashboard, for people and for the QR code.
fn url(screen: &Screen) -> Option<String> {
    let a = screen.status.addresses.first()?;
    Some(if a.contains(':') {
        format!("http://[{a}]")
    } else {
        format!("http://{a}")
    })
}

/// The name that the local network knows the box by, once nobody else has it: the status of the unit that sees to that.
fn name(screen: &Screen) -> Option<String> {
    let unit = screen.status.units.iter().find(|u| u.name == "mdns")?;
    let name = Some(&unit.status).filter(|n| n.ends_with(".local") && is_host(n))?;
    Some(name.clone())
}

/// Lines of at most [`COLUMNS`] characters, broken between words.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is always a line");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= COLUMNS {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// Disks by the kernel's own list in `block`: name, model, size, and serial number.
fn drives(block: &Path) -> Vec<Disk> {
    let mut out = Vec::new();
    for e in fs::read_dir(block).into_iter().flatten().flatten() {
        let name = e.file_name().to_string_lossy().into_owned();
        let read = |f: &str| {
            fs::read_to_string(e.path().join(f))
                .unwrap_or_default()
                .trim()
                .to_owned()
        };
        if e.path().join("partition").exists()
            || read("hidden") == "1"
            || ["loop", "ram", "zram", "nbd", "sr", "fd"]
                .iter()
                .any(|p| name.starts_with(p))
        {
            continue;
        }
        let mb = read("size").parse::<u64>().unwrap_or(0) * 512 / 1_000_000;
        let size = match mb {
            0..1000 => format!("{mb} MB"),
            _ => format!("{} GB", mb / 1000),
        };
        out.push(Disk {
            words: format!("{name}  {}  {size}", read("device/model")),
            serial: serial(&e.path()),
        });
    }
    out.sort();
    out
}

/// The serial number of the disk in `dir` by what the kernel keeps of it, for NVMe and cards, SATA and SAS, and USB; that of a virtual
/// disk it would ask the disk for, which may hang.
fn serial(dir: &Path) -> String {
    let printed = |bytes: Vec<u8>| {
        String::from_utf8_lossy(&bytes)
            .trim_matches([' ', '\0', '\n'])
            .to_owned()
    };
    let own = fs::read(dir.join("device/serial")).ok();
    // SPC-5 §7.7: four bytes of header.
    let page = || fs::read(dir.join("device/vpd_pg80")).ok()?.get(4..).map(<[u8]>::to_vec);
    let bridge = || {
        let dir = fs::canonicalize(dir).ok()?;
        let bridge = dir.ancestors().find(|at| at.join("idVendor").exists())?;
        fs::read(bridge.join("serial")).ok()
    };
    own.or_else(page).or_else(bridge).map(printed).unwrap_or_default()
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use wire::supervisor::{BootView, UnitView};

    pub(crate) fn screen() -> Screen {
        let boot = BootView {
            slot: "a".into(),
            reason: "power-on".into(),
            ..BootView::default()
        };
        let status = Status {
            host: "kiln".into(),
            addresses: vec!["192.0.2.7".into()],
            units: vec![],
            boot,
            recovery: 0,
            update: wire::update::UpdateView::default(),
            watchdog: None,
            banners: vec![],
        };
        Screen {
            status,
            claim: Some("ABCD1234".into()),
            fingerprint: None,
            progress: None,
        }
    }

    #[test]
    fn drives_of_one_model_are_told_apart_and_small_ones_have_a_size() {
        let root = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &[u8]| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put("block/sda/size", b"7814037168\n");
        put("block/sda/device/model", b"WDC WD40EFRX-68W\n");
        put("block/sda/device/vpd_pg80", b"\0\x80\0\x14     WD-WCC4E1234567");
        put("block/nvme0n1/size", b"131072\n");
        put("block/nvme0n1/device/model", b"QEMU NVMe Ctrl\n");
        put("block/nvme0n1/device/serial", b"one \n");
        put("usb/idVendor", b"152d\n");
        put("usb/serial", b"SC1\n");
        put("usb/sdb/size", b"1953125\n");
        put("block/loop0/size", b"9\n");
        std::os::unix::fs::symlink(root.path().join("usb/sdb"), root.path().join("block/sdb")).unwrap();
        let told: Vec<String> = drives(&root.path().join("block"))
            .into_iter()
            .map(|disk| format!("{}|{}", disk.words, disk.serial))
            .collect();
        assert_eq!(
            told,
            [
                "nvme0n1  QEMU NVMe Ctrl  67 MB|one",
                "sda  WDC WD40EFRX-68W  4000 GB|WD-WCC4E1234567",
                "sdb    1 GB|SC1"
            ]
        );
    }

    #[test]
    fn the_two_lines_come_once_and_again_on_change() {
        let s = screen();
        let first = changes(None, &s);
        assert_eq!(&first[..2], ["dashboard: http://192.0.2.7", "claim: ABCD1234"]);
        assert_eq!(changes(Some(&s), &s), Vec::<String>::new());
        let mut t = s.clone();
        t.status.addresses = vec!["2001:db8::1".into()];
        t.claim = None;
        assert_eq!(changes(Some(&s), &t), ["dashboard: http://[2001:db8::1]"]);
    }

    #[test]
    fn the_code_of_an_unclaimed_box_comes_with_claim_and_address_whichever_is_first() {
        let code = |s: &Screen| qr::half_blocks(&url(s).unwrap());
        let whole = screen();
        let mut alone = whole.clone();
        alone.status.addresses.clear();
        let later = changes(Some(&alone), &whole);
        assert_eq!(
            later,
            [vec!["dashboard: http://192.0.2.7".to_owned()], code(&whole)].concat()
        );
        let mut early = whole.clone();
        early.claim = None;
        let later = changes(Some(&early), &whole);
        assert_eq!(later, [vec!["claim: ABCD1234".to_owned()], code(&whole)].concat());
        let mut moved = whole.clone();
        moved.status.addresses = vec!["192.0.2.8".into()];
        assert!(changes(Some(&whole), &moved).ends_with(&code(&moved)));
        assert_ne!(code(&moved), code(&whole));
        assert_eq!(
            changes(Some(&whole), &alone),
            Vec::<String>::new(),
            "no address, no code"
        );
    }

    #[test]
    fn what_others_say_moves_no_cursor_and_makes_no_line() {
        let mut s = screen();
        let unit = |name: &str, status: &str, reason: &str| UnitView {
            name: name.into(),
            state: UnitState::Degraded,
            rung: None,
            reason: reason.into(),
            status: status.into(),
            restarts: 0,
            pid: None,
            since: wire::Time::now(),
        };
        s.status.units = vec![
            unit("mdns", "x\r\nclaim: EVIL\u{1b}[2J.local", ""),
            unit("other", "", "\u{9b}2J\nclaim: EVIL"),
        ];
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tty");
        let mut terminal = Terminal {
            out: File::create(&path).unwrap(),
            keyboard: None,
            screen: false,
            stuck: false,
            keys: Keys::default(),
            page: Page::default(),
            asked: Asked::default(),
        };
        terminal.draw(&s);
        terminal.lines(&changes(None, &s), &s);
        terminal.lines(&["\u{1b}[2J\nclaim: EVIL".into()], &s);
        let seen = fs::read_to_string(&path).unwrap();
        assert!(seen.contains("ABCD1234") && seen.contains("other is"), "{seen:?}");
        assert!(!seen.lines().any(|l| l.trim().starts_with("claim: EVIL")), "{seen:?}");
        assert!(seen.chars().all(|c| !c.is_control() || "\r\n".contains(c)), "{seen:?}");
        assert_eq!(name(&s), None);
        s.status.units[0].status = "kiln-2.local".into();
        assert_eq!(name(&s).as_deref(), Some("kiln-2.local"));
    }

    #[test]
    fn a_terminal_that_stands_still_is_left_and_drawn_again_when_it_goes_on() {
        let (reader, writer) = nix::unistd::pipe2(nix::fcntl::OFlag::O_NONBLOCK).unwrap();
        let mut reader = File::from(reader);
        let mut terminal = Terminal {
            out: File::from(writer),
            keyboard: None,
            screen: false,
            stuck: false,
            keys: Keys::default(),
            page: Page::default(),
            asked: Asked::default(),
        };
        let s = screen();
        // More than any pipe takes.
        terminal.lines(&["x".repeat(2 << 20)], &s);
        assert!(terminal.stuck);
        terminal.lines(&["missed".into()], &s);
        assert!(terminal.stuck, "it does not wait again");
        let mut seen = Vec::new();
        let _ = reader.read_to_end(&mut seen);
        terminal.lines(&["next".into()], &s);
        assert!(!terminal.stuck);
        seen.clear();
        let _ = reader.read_to_end(&mut seen);
        let seen = String::from_utf8_lossy(&seen).into_owned();
        assert!(seen.contains("Claim code  ABCD1234"), "{seen}");
    }

    #[test]
    fn long_sentences_are_broken_between_words() {
        let lines = wrapped(&"word ".repeat(40));
        assert!(
            lines.len() == 3 && lines.iter().all(|l| l.len() <= COLUMNS && !l.ends_with(' ')),
            "{lines:?}"
        );
        assert_eq!(wrapped(""), [""]);
    }
}
