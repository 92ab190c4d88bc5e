//! How the C library keeps memory.

/// Pieces of so many bytes and more are got from the kernel, and given back to it at once: chosen, above all but what a password costs
/// ([`crate::auth::password`]) and a few large bodies.
const APART: i32 = 1 << 20;

/// Has large pieces of memory given back as soon as they are free.
///
/// glibc learns from the first one of 19 MiB that is freed to keep such pieces for the thread that had it, and each of many threads
/// hashes a password at some time: wrong logins alone took the server to the limit that a box sets it. Call it before other threads begin.
pub fn gives_back_large_pieces() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes two numbers and keeps them.
    let taken = unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, APART) };
    #[cfg(target_env = "gnu")]
    if taken == 0 {
        tracing::warn!("the C library keeps memory as it likes");
    }
}
