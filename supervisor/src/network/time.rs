//! `kiln-init time`: chrony with a configuration made from `kiln.toml`.
//!
//! Servers are the owner's alone; else those that DHCP names, which are preferred, and Debian's pool beside them: many a router
//! names itself and answers nobody. The hook writes these, each time that an interface tells something. The first three measurements may step the clock,
//! later ones slew it; the kernel then keeps the hardware clock in step by itself (`rtcsync`). It runs as a user of its
//! own, with `CAP_SYS_TIME` alone, and answers only on a socket of its own folder, which the DHCP hook uses.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};

use crate::boot::config::site::Site;

/// What the DHCP hook writes, and chrony reads: files `*.sources` of this folder.
pub(super) const LEARNT: &str = "/run/kiln/network/ntp/dhcp.sources";
/// Where chrony listens for `reload sources`.
pub(super) const SOCKET: &str = "/run/kiln/time/chronyd.sock";
/// Asked unless the owner names servers.
const POOL: &str = "pool 2.debian.pool.ntp.org iburst maxsources 4\n";

/// Becomes chronyd.
pub fn main() -> ExitCode {
    let (site, _) = Site::read();
    let state = std::env::var("STATE_DIRECTORY").unwrap_or_else(|_| "/var/lib/kiln/time".into());
    let file = Path::new(&state).join("chrony.conf");
    // chrony refuses a folder for its socket that others may look into.
    let private = || std::fs::Permissions::from_mode(0o700);
    let own = [Some(Path::new(&state)), Path::new(SOCKET).parent()];
    let prepared = own
        .into_iter()
        .flatten()
        .try_for_each(|dir| std::fs::set_permissions(dir, private()))
        .and_then(|()| std::fs::write(&file, config(&site.ntp, &state)));
    if let Err(e) = prepared {
        eprintln!("time: {}: {e}", file.display());
        return ExitCode::FAILURE;
    }
    let e = Command::new("/usr/sbin/chronyd")
        .args(["-d", "-U", "-u", "chrony", "-f"])
        .arg(&file)
        .exec();
    eprintln!("time: chronyd: {e}");
    ExitCode::FAILURE
}

/// chrony's configuration.
fn config(servers: &[String], state: &str) -> String {
    let mut text: String = servers.iter().map(|s| format!("server {s} iburst\n")).collect();
    if servers.is_empty() {
        text.push_str("sourcedir /run/kiln/network/ntp\n");
    }
    // Slewing bends the monotonic clock too, by which drives are timed: 500 ppm at most, where chrony's own limit is 8 %.
    text.push_str(&format!(
        "makestep 1.0 3\nmaxslewrate 500\nrtcsync\nport 0\ncmdport 0\npidfile /\nbindcmdaddress {SOCKET}\ndriftfile {state}/drift\nmaxupdateskew 100\n"
    ));
    text
}

/// Lines for chrony from what the hook has learnt. Of servers that agree chrony follows those that are preferred.
pub(super) fn sources(lines: &[String]) -> String {
    let mut servers: Vec<&str> = lines.iter().filter_map(|l| l.strip_prefix("ntp ")).collect();
    servers.sort_unstable();
    servers.dedup();
    let named = servers.iter().take(4).map(|s| format!("server {s} iburst prefer\n"));
    named.chain([POOL.to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pool_is_asked_beside_a_server_that_dhcp_names_and_may_never_answer() {
        assert_eq!(sources(&["nameserver 10.0.0.1".into()]), POOL);
        let named = sources(&["ntp 10.0.0.2".into(), "ntp 10.0.0.2".into()]);
        assert_eq!(named, format!("server 10.0.0.2 iburst prefer\n{POOL}"));
    }

    #[test]
    fn the_owners_servers_come_before_all_others() {
        let own = config(&["ntp.example".into()], "/s");
        assert!(own.starts_with("server ntp.example iburst\nmakestep"), "{own}");
        assert!(!own.contains("pool") && own.contains("driftfile /s/drift\n"), "{own}");
        let none = config(&[], "/s");
        assert!(none.starts_with("sourcedir /run/kiln/network/ntp\nmakestep"), "{none}");
        assert!(
            none.contains("\nmaxslewrate 500\n"),
            "the clock that measures drives keeps its pace: {none}"
        );
        // Nobody on the network can ask it for anything.
        assert!(none.contains("\nport 0\n") && none.contains("\ncmdport 0\n"), "{none}");
    }
}
