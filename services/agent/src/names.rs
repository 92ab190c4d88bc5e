//! How the names of servers are looked up by the released program, which is static against glibc and runs anywhere.
//!
//! What the host's `nsswitch.conf` names beyond files and DNS (`mdns4_minimal`, `resolve`, `mymachines`) are libraries of the
//! host's own glibc. A static program would load them, and with them a second libc of another version: it may get no answer, or
//! die of it. So it asks `/etc/hosts` and the name servers of `/etc/resolv.conf`, which are linked in, and nobody else. A name that
//! only mDNS knows is then known where the host's resolver listens as a name server, as systemd-resolved does.

/// Keeps glibc from loading libraries of the host. Called before there are threads; a program that is not static loads them as
/// every other on its host does.
pub fn keep_to_what_is_linked_in() {
    #[cfg(all(target_env = "gnu", target_feature = "crt-static"))]
    let _refused = configure();
}

/// Whether lookups load nothing of the host.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[cfg_attr(
    not(any(test, target_feature = "crt-static")),
    expect(dead_code, reason = "of the static program alone")
)]
#[allow(unsafe_code, reason = "glibc has no other way to say it")]
fn configure() -> bool {
    use std::ffi::{c_char, c_int};
    // Source: nss/nss.h of glibc: the call is there for programs that choose their own sources, in the static library, too.
    unsafe extern "C" {
        fn __nss_configure_lookup(database: *const c_char, line: *const c_char) -> c_int;
    }
    // SAFETY: both are texts that end in NUL, and glibc copies what it keeps of them; nobody else is looking names up yet.
    unsafe { __nss_configure_lookup(c"hosts".as_ptr(), c"files dns".as_ptr()) == 0 }
}

#[cfg(all(test, target_env = "gnu"))]
mod tests {
    #[test]
    fn glibc_takes_the_sources_and_still_knows_who_it_is() {
        assert!(super::configure());
        let found = std::net::ToSocketAddrs::to_socket_addrs(&("localhost", 80));
        assert!(found.is_ok_and(|mut all| all.any(|at| at.ip().is_loopback())));
    }
}
