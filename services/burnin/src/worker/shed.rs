//! Gives back the pages of the program that were needed only to start.
//!
//! A worker is the agent's binary started anew, and the kernel maps sixteen pages around each one that is touched: four
//! MiB of code are mapped by the time the job begins, and a few hundred KiB are ever touched again. They are the file's
//! own pages and shared with the agent, but they count as the worker's resident memory. Shown by `scripts/bench engine`.

unsafe extern "C" {
    /// Where the program begins in memory. Source: GNU ld and lld define it.
    static __executable_start: u8;
    /// Where its code ends. Source: end(3).
    static etext: u8;
}

/// Lets go of all pages from the program's start to the end of its code; what is needed again comes back by itself.
pub(super) fn shed() {
    // SAFETY: a plain question for a number.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    let Ok(page @ 1..) = usize::try_from(page) else { return };
    let from = (&raw const __executable_start).addr().next_multiple_of(page);
    let to = (&raw const etext).addr() / page * page;
    if from < to {
        // SAFETY: these pages hold headers and code, mapped from the file and never written (relocated data lies behind
        // the code); dropped ones are read from the file again. Advice that is refused changes nothing.
        unsafe { libc::madvise(std::ptr::without_provenance_mut(from), to - from, libc::MADV_DONTNEED) };
    }
}
