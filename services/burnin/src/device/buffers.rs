//! The buffers of one device: one piece of memory, on one huge page where the kernel gives one.
//!
//! Huge pages matter more than anything else here: pinning 512 small pages for every
//! access costs more than making the pattern (measured: `README.md`).

use std::io;
use std::ptr::NonNull;

/// Size and alignment of a huge page on x86-64, and on ARM64 with 4 KiB pages.
const HUGE: usize = 2 << 20;

/// Page-aligned memory cut into equal slots.
pub struct Arena {
    mapping: NonNull<libc::c_void>,
    mapped: usize,
    start: NonNull<u8>,
    slots: usize,
    block: usize,
}

impl std::fmt::Debug for Arena {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Arena")
            .field("slots", &self.slots)
            .field("block", &self.block)
            .finish_non_exhaustive()
    }
}

// SAFETY: the memory is plain bytes owned by the arena; who may touch a slot is decided by its user.
unsafe impl Send for Arena {}
// SAFETY: as above; a shared arena hands out only pointers.
unsafe impl Sync for Arena {}

impl Arena {
    /// `slots` buffers of `block` bytes, zeroed; `block` is a multiple of 4096.
    ///
    /// # Errors
    /// When the kernel has no memory, or the sizes make none.
    pub fn new(slots: usize, block: usize) -> io::Result<Self> {
        let bytes = slots
            .checked_mul(block)
            .filter(|b| *b > 0 && block.is_multiple_of(4096) && *b <= 1 << 30);
        let Some(bytes) = bytes else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{slots} buffers of {block} bytes: expected a multiple of 4096 and at most 1 GiB in all"),
            ));
        };
        let mapped = bytes + HUGE;
        // SAFETY: a fresh anonymous private mapping, no address asked for.
        let mapping = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                mapped,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        if mapping == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let offset = mapping.cast::<u8>().align_offset(HUGE);
        // SAFETY: offset < HUGE, and HUGE + bytes are mapped.
        let start = unsafe { mapping.cast::<u8>().add(offset) };
        // Where the kernel has no huge pages the advice fails, and small ones do.
        // SAFETY: advice on memory that this function just mapped.
        unsafe {
            libc::madvise(
                start.cast(),
                bytes.next_multiple_of(HUGE).min(mapped - offset),
                libc::MADV_HUGEPAGE,
            )
        };
        let (Some(mapping), Some(start)) = (NonNull::new(mapping), NonNull::new(start)) else {
            return Err(io::ErrorKind::OutOfMemory.into());
        };
        Ok(Self {
            mapping,
            mapped,
            start,
            slots,
            block,
        })
    }

    /// Number of slots.
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// Bytes of a slot.
    pub fn block(&self) -> usize {
        self.block
    }

    /// Where a slot's memory begins.
    ///
    /// # Panics
    /// When there is no such slot.
    pub fn slot(&self, slot: usize) -> *mut u8 {
        assert!(slot < self.slots, "slot {slot} of {}", self.slots);
        // SAFETY: within the mapping, by the assertion.
        unsafe { self.start.as_ptr().add(slot * self.block) }
    }

    /// A slot's memory.
    ///
    /// # Safety
    /// Nobody else, the kernel included, may touch the slot while the slice lives.
    #[expect(clippy::cast_ptr_alignment, reason = "slots are whole pages on a page boundary")]
    pub unsafe fn words(&mut self, slot: usize) -> &mut [u64] {
        let start = self.slot(slot).cast::<u64>();
        // SAFETY: `block` bytes from there are mapped, aligned to 4096, initialised to zero; unshared by contract.
        unsafe { std::slice::from_raw_parts_mut(start, self.block / 8) }
    }
}

/// Bytes of a cache line; where lines are longer, some are sent twice.
const LINE: usize = 64;

/// Sends words to memory and drops them from every cache.
pub(super) fn evict(words: &mut [u64]) {
    for line in words.chunks(LINE / 8) {
        evict_line(line.as_ptr().cast());
    }
    // The compiler, too, is to take what is read next for new.
    std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
    std::hint::black_box(words);
}

#[cfg(target_arch = "x86_64")]
fn evict_line(line: *const u8) {
    // SAFETY: every x86-64 processor has the instruction, and the line is part of a live slice.
    unsafe { std::arch::x86_64::_mm_clflush(line) }
}

#[cfg(target_arch = "aarch64")]
fn evict_line(line: *const u8) {
    // SAFETY: cleans and drops a line of a live slice; Linux allows the instruction to every program.
    unsafe { std::arch::asm!("dc civac, {}", "dsb sy", in(reg) line, options(nostack, preserves_flags)) }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn evict_line(line: *const u8) {
    std::hint::black_box(line);
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: the mapping made in `new`, unmapped once.
        unsafe { libc::munmap(self.mapping.as_ptr(), self.mapped) };
    }
}
