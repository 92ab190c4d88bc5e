//! `kiln-racer`: what every contestant of the race of inits has in common, one static program known by its name.
//!
//! | name or argument | what it does |
//! |---|---|
//! | `/init` | mounts, loads the modules of `/race/modules`, then becomes what `/race/next` says |
//! | `limit` | tells how far the kernel has come, and turns the machine off: what no init can be faster than |
//! | `floor` | starts the server and starts it again: the least that a supervisor can do |
//! | `server`, `run` | the little server: listens, tells when; at rest tells who uses how much memory; then kills itself, again and again |
//! | `answered` | in the image itself: tells when the server had said that it listens, asks it once, tells when it answered and which modules are loaded |
//! | `1`, `2` | runit's stages |
//! | `mount`, `swapon` | what finit wants to be there: nothing |
//!
//! Times are nanoseconds of `CLOCK_BOOTTIME`, which under QEMU's `-icount shift=0` are instructions. Lines go to the serial
//! line as `R WORD …`. Not part of any image; `race` in the crate `image` reads them.

use std::ffi::CString;
use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::process::Command;

use nix::mount::{MsFlags, mount};

/// How often the little server kills itself.
const KILLS: u32 = 7;
/// Where it notes when it did: instructions, and how often.
const NOTE: &str = "/run/race";

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let name = args[0].rsplit('/').next().unwrap_or_default();
    let word = args.get(1).map_or(name, String::as_str);
    match if name == "kiln-racer" { word } else { name } {
        "init" => bring_up(),
        "limit" => {
            say(&format!("limit {}", now()));
            let _ = nix::sys::reboot::reboot(nix::sys::reboot::RebootMode::RB_POWER_OFF);
        }
        "floor" => loop {
            let _ = Command::new("/race/server").status();
        },
        "answered" => answered(),
        "1" | "mount" | "swapon" => {}
        "2" => become_it(&["/usr/bin/runsvdir".into(), "/service".into()]),
        _ => serve(),
    }
}

/// Nanoseconds since the kernel's start.
fn now() -> i64 {
    let t = nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME).map(|t| (t.tv_sec(), t.tv_nsec()));
    t.map_or(0, |(s, n)| s * 1_000_000_000 + n)
}

fn say(text: &str) {
    if let Ok(mut f) = OpenOptions::new().write(true).open("/dev/ttyS0") {
        let _ = f.write_all(format!("\r\nR {text}\r\n").as_bytes());
    }
}

fn bring_up() {
    for (kind, at) in [
        ("devtmpfs", "/dev"),
        ("proc", "/proc"),
        ("sysfs", "/sys"),
        ("tmpfs", "/run"),
    ] {
        let _ = mount(Some(kind), at, Some(kind), MsFlags::MS_NOSUID, None::<&str>);
    }
    for module in fs::read_to_string("/race/modules").unwrap_or_default().lines() {
        if let Ok(f) = fs::File::open(module) {
            // SAFETY: an open descriptor and an empty text; the kernel reads both.
            unsafe { libc::syscall(libc::SYS_finit_module, f.as_raw_fd(), c"".as_ptr(), 0) };
        }
    }
    let next = fs::read_to_string("/race/next").unwrap_or_default();
    let words: Vec<String> = next.split_whitespace().map(str::to_owned).collect();
    become_it(&words);
}

/// Becomes another program; its first word may be `PATH:NAME`, where it must be called by another name.
fn become_it(words: &[String]) {
    let (path, name) = words[0].split_once(':').unwrap_or((&words[0], &words[0]));
    let c = |s: &str| CString::new(s).unwrap_or_default();
    let argv: Vec<CString> = std::iter::once(c(name))
        .chain(words[1..].iter().map(|w| c(w)))
        .collect();
    let e = nix::unistd::execv(&c(path), &argv);
    say(&format!("failed {path} {e:?}"));
}

fn serve() {
    let listening = TcpListener::bind("0.0.0.0:80");
    let at = now();
    let ready = std::env::var_os("NOTIFY_SOCKET").map(|path| {
        let s = std::os::unix::net::UnixDatagram::unbound();
        s.and_then(|s| s.send_to(b"READY=1", path))
    });
    if ready.is_none() && std::env::args().next().is_some_and(|a| a.ends_with("run")) {
        // s6's way, where descriptor 3 is asked for.
        // SAFETY: writes one byte to a descriptor that may not be open; then nothing happens.
        unsafe { libc::write(3, c"\n".as_ptr().cast(), 1) };
    }
    let note = fs::read_to_string(NOTE).unwrap_or_default();
    let mut words = note.split_whitespace().filter_map(|w| w.parse::<i64>().ok());
    match (words.next(), words.next()) {
        (Some(killed), count) => say(&format!("restart {} {}", at - killed, count.unwrap_or(0))),
        (None, _) => say(&format!("listen {at}")),
    }
    if let Err(e) = &listening {
        say(&format!("failed listening {e}"));
    }
    let count = note
        .split_whitespace()
        .nth(1)
        .and_then(|w| w.parse::<u32>().ok())
        .unwrap_or(0);
    std::thread::sleep(std::time::Duration::from_secs(4));
    if count == 0 {
        memory();
    }
    if count >= KILLS {
        say("end");
        loop {
            std::thread::sleep(std::time::Duration::from_mins(1));
        }
    }
    if let Ok(mut f) = fs::File::create(NOTE) {
        let _ = f.write_all(format!("{:>20} {:>4}\n", now(), count + 1).as_bytes());
    }
    let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL);
}

/// Asks the box's own server as a browser does.
fn answered() {
    let ask = || -> std::io::Result<String> {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", 80))?;
        stream.write_all(b"GET /api/v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
        let mut head = [0; 12];
        stream.read_exact(&mut head)?;
        Ok(String::from_utf8_lossy(&head).into_owned())
    };
    // A unit that waits for the server is started once it has said that it listens.
    let listening = now();
    match ask() {
        Ok(head) if head == "HTTP/1.1 200" => {
            let answered = now();
            say(&format!("listening {listening}"));
            say(&format!("answered {answered}"));
        }
        other => say(&format!("failed {other:?}")),
    }
    let loaded = fs::read_to_string("/proc/modules").unwrap_or_default();
    let live = loaded.lines().filter(|l| l.contains(" Live "));
    let mut names: Vec<&str> = live.filter_map(|l| l.split(' ').next()).collect();
    // The kernel lists the newest first.
    names.reverse();
    say(&format!("modules {}", names.join(",")));
    say("end");
}

/// Tells PSS of PID 1, and of all that is neither PID 1 nor we nor the kernel's.
fn memory() {
    let mut others = Vec::new();
    let mut first = 0;
    for e in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let name = e.file_name().to_string_lossy().into_owned();
        let Ok(pid) = name.parse::<u32>() else { continue };
        let mut text = String::new();
        let _ = fs::File::open(e.path().join("smaps_rollup")).and_then(|mut f| f.read_to_string(&mut text));
        let pss = text.lines().find_map(|l| {
            l.strip_prefix("Pss:")?
                .trim()
                .strip_suffix("kB")?
                .trim()
                .parse::<u64>()
                .ok()
        });
        let Some(pss) = pss.filter(|_| pid != std::process::id()) else {
            continue;
        };
        if pid == 1 {
            first = pss;
        } else {
            others.push(pss);
        }
    }
    say(&format!(
        "memory {first} {} {}",
        others.iter().sum::<u64>(),
        others.len()
    ));
}
