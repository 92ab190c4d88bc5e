//! Operations of the kernel's filters of packets and of system calls, as `struct sock_filter` holds them.
//!
//! Source: linux/bpf_common.h, linux/filter.h. Used by `shell::sandbox` and by the program that answers mDNS.

/// Loads a byte at an offset.
pub const BYTE: u16 = code(libc::BPF_LD | libc::BPF_B | libc::BPF_ABS);
/// Loads two bytes, big-endian in a packet.
pub const HALF: u16 = code(libc::BPF_LD | libc::BPF_H | libc::BPF_ABS);
/// Loads four bytes, big-endian in a packet.
pub const WORD: u16 = code(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS);
/// Shifts what is loaded to the right.
pub const SHIFT: u16 = code(libc::BPF_ALU | libc::BPF_RSH | libc::BPF_K);
/// Jumps where what is loaded is this number.
pub const EQUAL: u16 = code(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K);
/// Jumps where it is this number or a larger one.
pub const AT_LEAST: u16 = code(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K);
/// Ends with this answer.
pub const RETURN: u16 = code(libc::BPF_RET | libc::BPF_K);

#[expect(clippy::cast_possible_truncation, reason = "found to be small while it is compiled")]
const fn code(parts: u32) -> u16 {
    assert!(parts < 1 << 16);
    parts as u16
}
