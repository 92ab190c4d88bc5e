//! From a death, or a deadline, to the kill and the new process: no memory is asked for, neither by the supervisor nor by
//! the child up to its exec. An allocator that counts, in a page that both share, is the judge.
//!
//! A program of its own (no test harness): the supervisor forks, which needs a process of one thread.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use supervisor::core::Millis;
use supervisor::shell::desk::Desk;
use supervisor::shell::paths::Paths;
use supervisor::shell::run::Shell;
use supervisor::shell::{clock, process};

/// Counts while it is armed.
struct Counting;

static ARMED: AtomicBool = AtomicBool::new(false);
static COUNT: AtomicPtr<AtomicU64> = AtomicPtr::new(ptr::null_mut());

// SAFETY: everything is handed to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if ARMED.load(Ordering::Relaxed) {
            // SAFETY: armed only after the page was mapped, which is never unmapped.
            unsafe { (*COUNT.load(Ordering::Relaxed)).fetch_add(1, Ordering::Relaxed) };
        }
        // SAFETY: the caller's contract.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations of this process and its children while `f` ran.
fn counted(f: impl FnOnce()) -> u64 {
    // SAFETY: mapped by `main`, for ever.
    let count = unsafe { &*COUNT.load(Ordering::Relaxed) };
    let before = count.load(Ordering::Relaxed);
    ARMED.store(true, Ordering::Relaxed);
    f();
    ARMED.store(false, Ordering::Relaxed);
    count.load(Ordering::Relaxed) - before
}

/// One turn of the loop; what it allocated on the way to kills and restarts.
fn turn(shell: &mut Shell, now: &mut Millis) -> u64 {
    shell.wait(*now).unwrap();
    *now = clock::now();
    let mut n = counted(|| shell.bury(*now));
    shell.listen(*now);
    n += counted(|| shell.judge(*now));
    shell.tell(*now);
    n
}

/// Children whose command line contains `word`.
fn children(word: &str) -> Vec<i32> {
    let me = i32::try_from(std::process::id()).unwrap();
    let mut found = Vec::new();
    process::each(|pid| {
        let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        if process::parent(pid).is_some_and(|(p, state)| p == me && state != 'Z') && line.contains(word) {
            found.push(pid);
        }
    });
    found
}

fn main() {
    // SAFETY: a fresh page, shared with children, never unmapped.
    let page = unsafe {
        let (access, kind) = (
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
        );
        libc::mmap(ptr::null_mut(), 4096, access, kind, -1, 0)
    };
    assert_ne!(page, libc::MAP_FAILED);
    COUNT.store(page.cast(), Ordering::Relaxed);
    assert!(
        counted(|| drop(std::hint::black_box(Box::new(1)))) == 1,
        "the judge is blind"
    );

    let dir = tempfile::tempdir().unwrap();
    let units = dir.path().join("etc/kiln/units");
    std::fs::create_dir_all(&units).unwrap();
    let write = |name: &str, text: &str| std::fs::write(units.join(name), text).unwrap();
    write(
        "dies.toml",
        "exec = [\"/bin/sleep\", \"1001\"]\nstart_limit_burst = 1000\nrestart_sec = 0.01\nlisten = [{ name = \"x\", stream = \"/run/x\" }]",
    );
    // Never ready and deaf to SIGABRT: it goes up the ladder to the kill.
    write(
        "deaf.toml",
        "exec = [\"/bin/sh\", \"-c\", \"trap '' ABRT; while :; do sleep 1; done\"]\ntype = \"notify\"\nwatchdog_sec = 0.1\nstart_timeout_sec = 0.1\nrestart_sec = 0.01\nstart_limit_burst = 1000",
    );
    write("other.toml", "exec = [\"/bin/sleep\", \"1003\"]\nafter = [\"dies\"]");
    let paths = Paths::new(Some(dir.path().canonicalize().unwrap()));
    let mut shell = Shell::new(paths, None, Desk::below_root(), 0).unwrap();
    let mut now = clock::now();
    let begun = Instant::now();
    let patience = |what: &str| assert!(begun.elapsed() < Duration::from_mins(2), "waited in vain for: {what}");
    // The first start prepares everything and may ask for memory.
    while ["1001", "trap", "1003"].iter().any(|w| children(w).is_empty()) {
        turn(&mut shell, &mut now);
        patience("the first start");
    }
    let mut asked = 0;
    // Deaths and restarts.
    for n in 0..8 {
        let old = children("1001");
        for pid in &old {
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(*pid), nix::sys::signal::Signal::SIGKILL).unwrap();
        }
        while children("1001").iter().all(|pid| old.contains(pid)) {
            asked += turn(&mut shell, &mut now);
            patience(&format!("restart {n}"));
        }
    }
    println!("8 restarts: {asked} allocations");
    // The whole ladder, twice: late, degraded, SIGABRT, the kill of everything in it, restart.
    for n in 0..2 {
        let old = children("trap");
        while children("trap").iter().all(|pid| old.contains(pid)) {
            asked += turn(&mut shell, &mut now);
            patience(&format!("the ladder, {n}"));
        }
    }
    println!("2 ladders: {asked} allocations in all");
    for pid in children("100") {
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
    }
    assert_eq!(asked, 0, "the path from a death to the restart asks for memory");
    println!("test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
}
