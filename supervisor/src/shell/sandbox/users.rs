//! Whom a unit of root's may become: `CAP_SETUID` alone would let it be every user, and so look through `/proc/PID/root` of
//! another unit's process, whose mounts are as they are.
//!
//! dhcpcd's own helpers are of a user of their own, so the capability cannot go. A filter of system calls bounds it:
//! `seccomp(2)`, `Documentation/userspace-api/seccomp_filter.rst`. Group numbers are free: who looks into another's process
//! has to have both.

use std::io;

use super::Machine;
use crate::bpf::{AT_LEAST, EQUAL, RETURN, WORD};
use crate::unit::CAPABILITIES;

/// The calls that change the user, and how many numbers each takes.
const CALLS: [(libc::c_long, u32); 4] = [
    (libc::SYS_setuid, 1),
    (libc::SYS_setfsuid, 1),
    (libc::SYS_setreuid, 2),
    (libc::SYS_setresuid, 3),
];

/// Source: linux/audit.h.
#[cfg(target_arch = "x86_64")]
const ARCH: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCH: u32 = 0xc000_00b7;
/// Numbers from here on are another table of x86-64's (`__X32_SYSCALL_BIT`); no call has such a number elsewhere.
const OTHER_TABLE: u32 = 0x4000_0000;

/// Offsets in `struct seccomp_data`: number, architecture, low half of the first argument (little-endian, 8 bytes each).
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const FIRST: u32 = 16;

/// The filter, made before the fork.
#[derive(Debug)]
pub struct Users(Vec<libc::sock_filter>);

impl Users {
    /// For a unit of root's that may change its user, and does not see the machine as it is.
    pub fn of(machine: Machine, capabilities: u64, becomes: &[u32]) -> Option<Self> {
        let setuid = CAPABILITIES.iter().position(|c| *c == "CAP_SETUID");
        let may = setuid.is_some_and(|n| capabilities & 1 << n != 0);
        (may && machine != Machine::AsItIs).then(|| Self(program(becomes)))
    }

    /// Bounds the calling thread, and all that it starts. Needs `no_new_privs`.
    ///
    /// # Errors
    /// The kernel refused; the process must end then.
    pub fn confine(&self) -> io::Result<()> {
        let filter = libc::sock_fprog {
            len: u16::try_from(self.0.len()).map_err(io::Error::other)?,
            filter: self.0.as_ptr().cast_mut(),
        };
        // SAFETY: the kernel copies the program, which lives until the call is over, and writes nothing to it.
        let done = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter) };
        if done == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }
}

/// The filter as the kernel runs it: root, those users, and the number that means no change.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "at most ten users and three arguments; numbers of calls are small and positive"
)]
fn program(becomes: &[u32]) -> Vec<libc::sock_filter> {
    let op = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let refuse = op(RETURN, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32);
    let allow = op(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW);
    // A jump is a byte; dhcpcd has one user.
    let users: Vec<u32> = [0, u32::MAX].iter().chain(becomes.iter().take(8)).copied().collect();
    let of_argument = users.len() as u8 + 2;
    let mut program = vec![
        op(WORD, 0, 0, ARCHITECTURE),
        op(EQUAL, 1, 0, ARCH),
        refuse,
        op(WORD, 0, 0, NUMBER),
        op(AT_LEAST, 0, 1, OTHER_TABLE),
        refuse,
    ];
    for (call, arguments) in CALLS {
        program.push(op(EQUAL, 0, of_argument * arguments as u8 + 1, call as u32));
        for n in 0..arguments {
            program.push(op(WORD, 0, 0, FIRST + 8 * n));
            for (i, user) in users.iter().enumerate() {
                // Past the rest of the users, and the refusal.
                program.push(op(EQUAL, (users.len() - i) as u8, 0, *user));
            }
            program.push(refuse);
        }
        program.push(allow);
    }
    program.push(allow);
    program
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::unit::Devices;

    #[test]
    fn a_unit_of_roots_becomes_the_users_of_its_file_and_no_other() {
        const KEEP: u32 = u32::MAX;
        let confined = std::thread::spawn(|| {
            // SAFETY: a one-way flag of this thread.
            assert_eq!(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, 0);
            Users(program(&[901])).confine().unwrap();
            // By their numbers: the C library would change every thread's user. -1 is an error without a change of user.
            let call = |nr, a: u32, b: u32, c: u32| {
                // SAFETY: plain numbers.
                let r = unsafe { libc::syscall(nr, a, b, c) };
                if r == 0 {
                    0
                } else {
                    io::Error::last_os_error().raw_os_error().unwrap()
                }
            };
            let mut told = Vec::new();
            for (a, b, c) in [(900, KEEP, KEEP), (KEEP, 900, KEEP), (KEEP, KEEP, 903)] {
                told.push(call(libc::SYS_setresuid, a, b, c));
            }
            told.push(call(libc::SYS_setreuid, KEEP, 903, 0));
            told.push(call(libc::SYS_setuid, 900, 0, 0));
            told.push(call(libc::SYS_setfsuid, 900, 0, 0));
            let same = call(libc::SYS_setresuid, KEEP, KEEP, KEEP);
            // SAFETY: a plain call.
            let root = unsafe { libc::geteuid() } == 0;
            let own = if root {
                call(libc::SYS_setresuid, 901, 901, 901)
            } else {
                0
            };
            (told, same, own)
        });
        let (told, same, own) = confined.join().unwrap();
        assert_eq!((told, same, own), (vec![libc::EPERM; 6], 0, 0));
    }

    #[test]
    fn only_a_unit_of_roots_that_may_change_its_user_is_bounded() {
        let setuid = 1 << CAPABILITIES.iter().position(|c| *c == "CAP_SETUID").unwrap();
        let bounded = |uid, capabilities, devices| {
            Users::of(Machine::of(uid, capabilities, devices), capabilities, &[]).is_some()
        };
        assert!(bounded(0, setuid, Devices::None));
        assert!(!bounded(0, 0, Devices::None) && !bounded(0, setuid, Devices::Block));
        assert!(!bounded(900, setuid, Devices::None));
    }
}
