//! PID 1's own program text and free memory, given back while it sleeps.
//!
//! The pages belong to the file in memory, which stays; only this process's claim to them goes, and comes back page by page
//! with what a turn of the loop really runs. The kernel maps 16 pages around each that is touched, so without this most of the
//! start-up code would count as PID 1's for years.

use std::ffi::c_int;
use std::sync::atomic::{AtomicU32, Ordering};

/// Sleeps between two looks at the heap.
const HEAP_EVERY: u32 = 16;

/// Lets go of every part of the program that is never written, and now and then of what the heap does not need.
pub fn give_back() {
    static SLEEPS: AtomicU32 = AtomicU32::new(0);
    if SLEEPS.fetch_add(1, Ordering::Relaxed).is_multiple_of(HEAP_EVERY) {
        trim();
    }
    // SAFETY: the callback below only reads what it is given, and lets go of pages that are read from the file again.
    unsafe { libc::dl_iterate_phdr(Some(segment), std::ptr::null_mut()) };
}

#[cfg(target_env = "gnu")]
fn trim() {
    // SAFETY: gives free pages of the heap back to the kernel; nothing that is in use moves.
    unsafe { libc::malloc_trim(0) };
}

#[cfg(not(target_env = "gnu"))]
fn trim() {}

/// One loaded object.
extern "C" fn segment(info: *mut libc::dl_phdr_info, _: libc::size_t, _: *mut libc::c_void) -> c_int {
    // SAFETY: the loader gives a valid description for the time of this call.
    let (base, headers) = unsafe {
        let info = &*info;
        (
            info.dlpi_addr,
            std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)),
        )
    };
    let page = 4096;
    for h in headers
        .iter()
        .filter(|h| h.p_type == libc::PT_LOAD && h.p_flags & libc::PF_W == 0)
    {
        let from = (base + h.p_vaddr) / page * page;
        let to = (base + h.p_vaddr + h.p_memsz).next_multiple_of(page);
        // SAFETY: the range is this object's own, mapped from its file without write permission, so no page of it is lost.
        unsafe { libc::madvise(from as *mut libc::c_void, (to - from) as usize, libc::MADV_DONTNEED) };
    }
    0
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_program_goes_on_after_that() {
        let before = resident();
        super::give_back();
        let after = resident();
        assert!(after < before, "{before} KiB, then {after} KiB");
        let words: Vec<String> = (0..100).map(|n| format!("{n}")).collect();
        assert_eq!(words.concat().len(), 190);
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
