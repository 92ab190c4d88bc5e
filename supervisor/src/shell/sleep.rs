//! PID 1's own program text and free memory, given back while it sleeps.
//!
//! The pages of the program belong to the file in memory, which stays; only this process's claim to them goes, and comes back
//! with what a turn of the loop really runs. The kernel maps 16 pages around each that is touched, so without this most of the
//! start-up code would count as PID 1's for years. What is to be given is found out once: looking would touch pages again.

use std::ffi::{c_int, c_void};
use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::event::{PollFd, Timespec, poll};
use rustix::mm::{Advice, madvise};

/// Sleeps between two looks at the heap.
const HEAP_EVERY: u32 = 16;
const PAGE: usize = 4096;
/// Pages of relocated constants that are looked at; ours has 28.
const CONSTANTS_MAX: usize = 256;

/// Parts of the address space, from and to.
type Ranges = Vec<(usize, usize)>;

/// Sleeps until one of `fds` has something to tell, or `at_most` is over; gives back before what is not needed meanwhile.
///
/// rustix's calls are compiled into this very function. So a sleeper holds the pages around one place of its program; by the C
/// library's it would be those around four, 192 KiB more (measured by `kiln-image race`).
///
/// # Errors
/// What the kernel says; [`io::ErrorKind::Interrupted`] after a signal.
#[inline(never)]
pub fn sleep(fds: &mut [PollFd<'_>], at_most: Option<&Timespec>) -> io::Result<usize> {
    for (from, to) in prepare() {
        // Where it fails nothing is given back, and nothing else is different.
        // SAFETY: our own, mapped from the program's file and equal to it, so that no page is lost.
        let _ = unsafe { madvise(*from as *mut c_void, to - from, Advice::LinuxDontNeed) };
    }
    Ok(poll(fds, at_most)?)
}

/// Now and then lets go of what the heap does not need; answers with every part of the program that is never written.
fn prepare() -> &'static [(usize, usize)] {
    static SLEEPS: AtomicU32 = AtomicU32::new(0);
    static RANGES: OnceLock<Ranges> = OnceLock::new();
    if SLEEPS.fetch_add(1, Ordering::Relaxed).is_multiple_of(HEAP_EVERY) {
        trim();
    }
    RANGES.get_or_init(ranges)
}

fn ranges() -> Ranges {
    let mut found = Found::default();
    // SAFETY: the callback below only reads what it is given, and has the structure to itself for the time of the call.
    unsafe { libc::dl_iterate_phdr(Some(segment), (&raw mut found).cast()) };
    let mut all = found.text;
    if let Some((from, to)) = found.constants.and_then(read_only) {
        all.extend(clean(from, to));
    }
    all
}

/// What the program's headers tell.
#[derive(Default)]
struct Found {
    /// Never written.
    text: Ranges,
    /// Constants with addresses in them, of the program itself: written by the loader, where it is not linked to a fixed
    /// address, and read-only from then on.
    constants: Option<(usize, usize)>,
}

/// The part of `(from, to)` that is mapped read-only by now: what may still be written is never given back.
fn read_only((from, to): (usize, usize)) -> Option<(usize, usize)> {
    let maps = fs::read_to_string("/proc/self/maps").ok()?;
    let line = maps.lines().find(|l| l.starts_with(&format!("{from:08x}-")))?;
    let mut words = line.split(' ');
    let end = usize::from_str_radix(words.next()?.split_once('-')?.1, 16).ok()?;
    (words.next()? == "r--p").then_some((from, to.min(end)))
}

/// Runs of pages that are still the file's: the loader has written into the others.
fn clean(from: usize, to: usize) -> Ranges {
    /// Documentation/admin-guide/mm/pagemap.rst: present; of a file.
    const PRESENT: u64 = 1 << 63;
    const OF_FILE: u64 = 1 << 61;
    let pages = ((to - from) / PAGE).min(CONSTANTS_MAX);
    let mut entries = vec![0u8; pages * 8];
    let read =
        fs::File::open("/proc/self/pagemap").and_then(|f| f.read_exact_at(&mut entries, (from / PAGE * 8) as u64));
    let mut runs = Ranges::new();
    if read.is_err() {
        return runs;
    }
    for (n, entry) in entries.as_chunks::<8>().0.iter().enumerate() {
        let flags = u64::from_ne_bytes(*entry);
        let at = from + n * PAGE;
        match runs.last_mut() {
            _ if flags & PRESENT != 0 && flags & OF_FILE == 0 => {}
            Some((_, end)) if *end == at => *end += PAGE,
            _ => runs.push((at, at + PAGE)),
        }
    }
    runs
}

#[cfg(target_env = "gnu")]
fn trim() {
    // SAFETY: gives free pages of the heap back to the kernel; nothing that is in use moves.
    unsafe { libc::malloc_trim(0) };
}

#[cfg(not(target_env = "gnu"))]
fn trim() {}

/// One loaded object.
extern "C" fn segment(info: *mut libc::dl_phdr_info, _: libc::size_t, found: *mut c_void) -> c_int {
    // SAFETY: `ranges` passes this, and nobody else has it meanwhile.
    let found = unsafe { &mut *found.cast::<Found>() };
    // SAFETY: the loader gives a valid description for the time of this call.
    let info = unsafe { &*info };
    // SAFETY: so many headers are there.
    let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
    let part = |h: &libc::Elf64_Phdr| {
        let at = |n: u64| usize::try_from(info.dlpi_addr + n).unwrap_or(0);
        (at(h.p_vaddr) / PAGE * PAGE, at(h.p_vaddr + h.p_memsz))
    };
    for h in headers {
        let (from, to) = part(h);
        if h.p_type == libc::PT_LOAD && h.p_flags & libc::PF_W == 0 {
            found.text.push((from, to.next_multiple_of(PAGE)));
        } else if h.p_type == libc::PT_GNU_RELRO && found.constants.is_none() {
            // The program itself comes first. The last page may have other things on it.
            found.constants = Some((from, to / PAGE * PAGE));
        }
    }
    0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::os::fd::AsFd;
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, Timespec};

    fn sleep() -> usize {
        let (quiet, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        let mut fds = [PollFd::from_borrowed_fd(quiet.as_fd(), PollFlags::IN)];
        super::sleep(&mut fds, Some(&Timespec::try_from(Duration::from_millis(1)).unwrap())).unwrap()
    }

    #[test]
    fn the_program_goes_on_after_that() {
        let before = resident();
        assert_eq!(sleep(), 0, "nothing to tell");
        let after = resident();
        assert!(after < before, "{before} KiB, then {after} KiB");
        let words: Vec<String> = (0..100).map(|n| format!("{n}")).collect();
        assert_eq!(words.concat().len(), 190);
    }

    #[test]
    fn constants_that_the_loader_has_written_stay() {
        // A constant with an address in it, which the test program, not being linked to a fixed place, has had to relocate.
        static WORDS: [&str; 3] = ["first", "second", "third"];
        for _ in 0..3 {
            sleep();
            assert_eq!(std::hint::black_box(&WORDS).concat(), "firstsecondthird");
        }
        let (from, to) = (0x1000, 0x1000);
        assert!(super::clean(from, to).is_empty());
        assert_eq!(super::read_only((0x1000, 0x2000)), None, "nothing is mapped there");
    }

    /// File-backed memory of this process, in KiB.
    fn resident() -> u64 {
        let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = text
            .lines()
            .find_map(|l| l.strip_prefix("RssFile:"))
            .unwrap_or_default();
        line.trim().trim_end_matches(" kB").trim().parse().unwrap_or(0)
    }
}
