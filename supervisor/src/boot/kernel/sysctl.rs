//! What the kernel is told at the start: settings that close roads nobody needs, and a clock that is never absurd.

use std::fs;
use std::path::Path;

/// Settings below `/proc/sys`, and what each is for. One that the kernel does not have is passed over.
pub const SETTINGS: [(&str, &str, &str); 41] = [
    ("kernel/panic", "10", "a crashed kernel restarts the machine after 10 s"),
    (
        "kernel/panic_on_oops",
        "1",
        "no life after memory may be wrong: a drive must not be written by such a kernel",
    ),
    ("kernel/kptr_restrict", "2", "no addresses of the kernel for anybody"),
    (
        "kernel/dmesg_restrict",
        "1",
        "the kernel's log is the journal's, which asks for CAP_SYSLOG",
    ),
    (
        "kernel/unprivileged_bpf_disabled",
        "1",
        "no programs for the kernel from unprivileged processes",
    ),
    ("net/core/bpf_jit_harden", "2", "compiled filters are blinded"),
    (
        "kernel/yama/ptrace_scope",
        "2",
        "only CAP_SYS_PTRACE looks into other processes",
    ),
    (
        "kernel/perf_event_paranoid",
        "3",
        "no profiling by unprivileged processes",
    ),
    ("kernel/kexec_load_disabled", "1", "no other kernel takes over"),
    ("kernel/sysrq", "0", "keyboards have no road past PID 1"),
    ("kernel/randomize_va_space", "2", "addresses are random"),
    ("kernel/core_uses_pid", "1", "core files of two processes do not meet"),
    (
        "kernel/core_pattern",
        crate::crash::PATTERN,
        "what a service that crashed leaves is capped, and readable by root alone",
    ),
    ("vm/unprivileged_userfaultfd", "0", "page faults are the kernel's"),
    ("vm/mmap_min_addr", "65536", "a null pointer is never mapped"),
    (
        "user/max_user_namespaces",
        "0",
        "no user namespaces: they open code that root alone should reach",
    ),
    ("dev/tty/ldisc_autoload", "0", "no line disciplines on demand"),
    ("dev/tty/legacy_tiocsti", "0", "nobody types into another's terminal"),
    (
        "fs/protected_symlinks",
        "1",
        "links in shared folders are followed by their owner alone",
    ),
    ("fs/protected_hardlinks", "1", "no hard links to others' files"),
    (
        "fs/protected_fifos",
        "2",
        "pipes in shared folders belong to their owner",
    ),
    (
        "fs/protected_regular",
        "2",
        "files in shared folders belong to their owner",
    ),
    ("net/ipv4/ip_forward", "0", "the box is no router"),
    ("net/ipv6/conf/all/forwarding", "0", "the box is no router"),
    (
        "net/ipv4/conf/all/rp_filter",
        "2",
        "packets from addresses that no road leads to are dropped",
    ),
    ("net/ipv4/conf/default/rp_filter", "2", "the same on interfaces to come"),
    ("net/ipv4/conf/all/accept_redirects", "0", "nobody changes its roads"),
    (
        "net/ipv4/conf/default/accept_redirects",
        "0",
        "nobody changes its roads",
    ),
    ("net/ipv4/conf/all/secure_redirects", "0", "nobody changes its roads"),
    ("net/ipv4/conf/all/send_redirects", "0", "it changes nobody's roads"),
    ("net/ipv4/conf/default/send_redirects", "0", "it changes nobody's roads"),
    (
        "net/ipv4/conf/all/accept_source_route",
        "0",
        "senders do not choose the road",
    ),
    (
        "net/ipv4/conf/default/accept_source_route",
        "0",
        "senders do not choose the road",
    ),
    ("net/ipv6/conf/all/accept_redirects", "0", "nobody changes its roads"),
    (
        "net/ipv6/conf/default/accept_redirects",
        "0",
        "nobody changes its roads",
    ),
    (
        "net/ipv6/conf/all/accept_source_route",
        "0",
        "senders do not choose the road",
    ),
    (
        "net/ipv4/tcp_syncookies",
        "1",
        "a flood of openings does not fill memory",
    ),
    ("net/ipv4/icmp_echo_ignore_broadcasts", "1", "no part in floods"),
    (
        "net/ipv4/tcp_notsent_lowat",
        "16384",
        "who asks and does not read holds little of the kernel's memory",
    ),
    ("net/ipv4/tcp_rfc1337", "1", "old packets end no new connection"),
    (
        "net/unix/max_dgram_qlen",
        "1024",
        "bursts of logs wait while the journal restarts",
    ),
];

/// Sets them all, and the kernel's reserve of memory. Returns what was refused.
pub fn harden(root: &Path) -> Vec<String> {
    let mut refused = Vec::new();
    for (name, value, _) in SETTINGS {
        let path = root.join(name);
        if path.exists()
            && let Err(e) = fs::write(&path, format!("{value}\n"))
        {
            refused.push(format!("{name}: {e}"));
        }
    }
    if let Some(memory) = memory() {
        let _ = fs::write(
            root.join("vm/min_free_kbytes"),
            format!("{}\n", reserve_kib(memory >> 10)),
        );
    }
    refused
}

/// How often removable media are asked for, in milliseconds: as udev's rules have it, of which a box has none. The kernel asks
/// for none by itself, so a card that is put into a reader later would never be seen.
const MEDIA_EVERY: &str = "2000";

/// Has the kernel tell of cards and discs that come and go; `root`: `/sys`. One that has no such setting is let be.
///
/// # Errors
/// When it is refused.
pub fn ask_for_media(root: &Path) -> std::io::Result<()> {
    let path = root.join("module/block/parameters/events_dfl_poll_msecs");
    if !path.exists() {
        return Ok(());
    }
    fs::write(path, MEDIA_EVERY)
}

/// The box's memory in bytes, as far as the kernel uses it; `None` where it does not tell.
pub(in crate::boot) fn memory() -> Option<u64> {
    let told = fs::read_to_string("/proc/meminfo").ok()?;
    Some(total_kib(&told)? << 10)
}

fn total_kib(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|l| l.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// The kernel's own rule for its reserve, `4 √KiB` and at least 4 MiB here, before huge pages raise it to some 27 MiB
/// whatever the machine has (mm/page_alloc.c, mm/khugepaged.c): on 1 GiB those are two burn-ins' buffers.
fn reserve_kib(total_kib: u64) -> u64 {
    (total_kib * 16).isqrt().clamp(4_096, 65_536)
}

/// Puts the clock to `floor` (seconds since 1970) if it stands before that. Returns whether it did.
pub fn never_before(floor: i64) -> bool {
    if wire::Time::now().as_second() >= floor {
        return false;
    }
    let time = nix::sys::time::TimeSpec::new(floor, 0);
    nix::time::clock_settime(nix::time::ClockId::CLOCK_REALTIME, time).is_ok()
}

/// Whether a time server has set the clock since it was last put anywhere else: the kernel forgets it with every step.
pub fn is_synchronised() -> bool {
    // SAFETY: all of its fields are numbers, for which zero is a value; no mode: nothing is changed.
    let mut about: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes one `timex`, which outlives the call.
    let state = unsafe { libc::adjtimex(&raw mut about) };
    state >= 0 && state != libc::TIME_ERROR && about.status & libc::STA_UNSYNC == 0
}

/// What becomes of the banner of a clock that stood before this system was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// It is told.
    Is,
    /// It is taken back.
    No,
    /// It stays as it is.
    Stays,
}

/// `put`: the clock was put to the system's day just now; `synchronised`: a time server has set it since.
pub fn told(put: bool, synchronised: bool) -> Told {
    match (put, synchronised) {
        (true, _) => Told::Is,
        (false, true) => Told::No,
        (false, false) => Told::Stays,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clocks_banner_goes_when_a_time_server_has_set_it() {
        assert_eq!(told(true, false), Told::Is);
        assert_eq!(told(true, true), Told::Is, "what it was set to is not believed");
        assert_eq!(told(false, false), Told::Stays);
        assert_eq!(told(false, true), Told::No);
    }

    #[test]
    fn the_reserve_is_the_kernels_own_and_no_more_than_that() {
        assert_eq!(total_kib("MemTotal:         752000 kB\nMemFree: 1 kB\n"), Some(752_000));
        assert_eq!(reserve_kib(752_000), 4_096);
        assert_eq!(reserve_kib(8 << 20), 11_585);
        assert_eq!(reserve_kib(u64::from(u32::MAX)), 65_536);
    }

    #[test]
    fn removable_media_are_asked_for() -> std::io::Result<()> {
        let dir = tempfile::tempdir()?;
        ask_for_media(dir.path())?;
        let folder = dir.path().join("module/block/parameters");
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("events_dfl_poll_msecs"), "0\n")?;
        ask_for_media(dir.path())?;
        assert_eq!(fs::read_to_string(folder.join("events_dfl_poll_msecs"))?, "2000");
        Ok(())
    }

    #[test]
    fn each_setting_is_written_and_a_missing_one_is_passed_over() -> std::io::Result<()> {
        let dir = tempfile::tempdir()?;
        fs::create_dir_all(dir.path().join("kernel"))?;
        fs::write(dir.path().join("kernel/kptr_restrict"), "0\n")?;
        assert_eq!(harden(dir.path()), Vec::<String>::new());
        assert_eq!(fs::read_to_string(dir.path().join("kernel/kptr_restrict"))?, "2\n");
        assert!(!dir.path().join("net").exists());
        Ok(())
    }
}
