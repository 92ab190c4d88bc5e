//! The system calls that a worker has left: memory, threads, its ring, its pipes, its drive. All others fail with EPERM.
//!
//! Paths are closed by landlock and rights by the lost capabilities; what remains is the kernel's own surface, which this
//! makes small. The ring itself is restricted to fixed reads, writes and flushes by the engine. A call that is refused
//! fails like any other error: it is told, and never takes a drive's evidence with it. Source of the numbers: `libc`; of
//! the program: `seccomp(2)`, `Documentation/userspace-api/seccomp_filter.rst`.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the kernel's numbers of calls have 32 bits here, BPF's codes 16, and the jump over the ioctls is a short one"
)]

use std::io;

/// What the engine, the runtime and both C libraries (glibc, musl) call.
const ALLOWED: &[libc::c_long] = &[
    // Its pipes and its drive.
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_lseek,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_fallocate,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_fcntl,
    libc::SYS_dup,
    libc::SYS_close,
    libc::SYS_ppoll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    // Its ring.
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_eventfd2,
    // Memory.
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_mlock,
    libc::SYS_mlock2,
    libc::SYS_munlock,
    // Threads and time.
    libc::SYS_clone,
    libc::SYS_clone3,
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_set_tid_address,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_restart_syscall,
    libc::SYS_getrandom,
    libc::SYS_prctl,
    libc::SYS_getrlimit,
    libc::SYS_prlimit64,
    libc::SYS_getrusage,
    libc::SYS_sysinfo,
    // Signals, and the end.
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_tgkill,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// The ioctls of its drive: size, sector sizes, discard, the count of its medium. Source: linux/fs.h.
const IOCTLS: [u32; 5] = [0x8008_1272, 0x1268, 0x127b, 0x1277, 0x8008_1280];

/// Source: linux/audit.h.
#[cfg(target_arch = "x86_64")]
const ARCH: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCH: u32 = 0xc000_00b7;

/// Offsets in `struct seccomp_data`: number, architecture, low half of the second argument (both are little-endian).
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const SECOND: u32 = 24;

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

/// Confines the calling thread, and all that it starts, to these calls. Needs `no_new_privs`.
pub(super) fn confine() -> io::Result<()> {
    let mut program = program();
    let filter = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(io::Error::other)?,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: the kernel copies the program, which lives until the call is over.
    let done = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter) };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// The filter as the kernel runs it.
fn program() -> Vec<libc::sock_filter> {
    let op = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let refuse = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
    let mut program = vec![
        op(LOAD, 0, 0, ARCHITECTURE),
        op(EQUAL, 1, 0, ARCH),
        op(RETURN, 0, 0, refuse),
        op(LOAD, 0, 0, NUMBER),
    ];
    for call in ALLOWED {
        program.push(op(EQUAL, 0, 1, *call as u32));
        program.push(op(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW));
    }
    let ioctl = IOCTLS.len() as u8 * 2 + 1;
    program.push(op(EQUAL, 0, ioctl, libc::SYS_ioctl as u32));
    program.push(op(LOAD, 0, 0, SECOND));
    for command in IOCTLS {
        program.push(op(EQUAL, 0, 1, command));
        program.push(op(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW));
    }
    program.push(op(RETURN, 0, 0, refuse));
    program
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// Runs the filter as the kernel does: only the instructions that it is made of.
    fn verdict(arch: u32, call: u32, second: u32) -> u32 {
        let (program, mut at, mut held) = (program(), 0, 0);
        loop {
            let op = program[at];
            at += 1;
            match op.code {
                LOAD => {
                    held = match op.k {
                        NUMBER => call,
                        ARCHITECTURE => arch,
                        _ => second,
                    }
                }
                EQUAL => at += usize::from(if held == op.k { op.jt } else { op.jf }),
                _ => return op.k,
            }
        }
    }

    #[test]
    fn what_is_not_listed_is_refused() {
        let refuse = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
        for call in ALLOWED {
            assert_eq!(verdict(ARCH, *call as u32, 0), libc::SECCOMP_RET_ALLOW, "{call}");
            assert_eq!(
                verdict(ARCH + 1, *call as u32, 0),
                refuse,
                "{call} of another architecture"
            );
        }
        for call in [
            libc::SYS_openat,
            libc::SYS_execve,
            libc::SYS_socket,
            libc::SYS_ptrace,
            libc::SYS_mount,
            libc::SYS_bpf,
            libc::SYS_kill,
            libc::SYS_process_vm_writev,
        ] {
            assert_eq!(verdict(ARCH, call as u32, 0), refuse, "{call}");
        }
        for command in IOCTLS {
            assert_eq!(verdict(ARCH, libc::SYS_ioctl as u32, command), libc::SECCOMP_RET_ALLOW);
        }
        // SG_IO, BLKRRPART: commands past the block layer are no business of a worker.
        for command in [0x2285, 0x125f] {
            assert_eq!(verdict(ARCH, libc::SYS_ioctl as u32, command), refuse, "{command:#x}");
        }
        // The 32-bit calls of x86-64 bear bit 30.
        assert_eq!(verdict(ARCH, libc::SYS_write as u32 | 0x4000_0000, 0), refuse);
    }
}
