//! `kiln-init network`: dhcpcd with a configuration made from `kiln.toml`, and [`hook`], its script.
//!
//! dhcpcd does the work on every interface: DHCP with a link-local address where nobody answers, router advertisements and
//! DHCPv6, fixed addresses. This process only writes its configuration and becomes it, so that one program owns all
//! addresses. [`time`] is the same for chrony. Tested: the texts here; the whole of it on wires of its own in
//! `image/tests/boot/network.rs`.

pub mod config;
pub mod hook;
pub mod time;

use std::fs;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use crate::boot::site::Site;

/// What the hook has learnt, one file for each interface and protocol.
pub const LEARNT: &str = "/run/kiln/net";
/// dhcpcd's configuration.
const CONFIG: &str = "/run/kiln/dhcpcd.conf";
/// How long an interface that `kiln.toml` names is waited for.
const APPEARS_WITHIN: Duration = Duration::from_secs(10);

/// Becomes dhcpcd.
pub fn main() -> ExitCode {
    let (site, _) = Site::read();
    // What an earlier run has learnt is not known to hold.
    let _ = fs::remove_dir_all(LEARNT);
    let present = present(site.network.keys());
    for absent in site.network.keys().filter(|w| !is_there(w, &present)) {
        eprintln!("network: {}", missing(absent, &present));
    }
    let prepared = fs::create_dir_all(LEARNT).and_then(|()| fs::write(CONFIG, config::dhcpcd(&site.network, &present)));
    if let Err(e) = prepared {
        eprintln!("network: {CONFIG}: {e}");
        return ExitCode::FAILURE;
    }
    let args = [
        "--nobackground",
        "--quiet",
        "--config",
        CONFIG,
        "--script",
        "/kiln/dhcp-hook",
    ];
    let e = Command::new("/usr/sbin/dhcpcd").args(args).exec();
    eprintln!("network: dhcpcd: {e}");
    ExitCode::FAILURE
}

/// Name and hardware address of the interfaces of this machine, by name; waits until those that are `wanted` are there.
fn present<'a>(wanted: impl Iterator<Item = &'a String> + Clone) -> Vec<(String, String)> {
    let begun = Instant::now();
    loop {
        let found = interfaces(Path::new("/sys/class/net"));
        if wanted.clone().all(|w| is_there(w, &found)) || begun.elapsed() > APPEARS_WITHIN {
            return found;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Whether an interface that `kiln.toml` names is among those found; under the empty name any one is.
fn is_there(wanted: &str, found: &[(String, String)]) -> bool {
    found
        .iter()
        .any(|(name, mac)| wanted.is_empty() || name == wanted || mac == wanted)
}

/// That it is not, and which ones are.
fn missing(wanted: &str, found: &[(String, String)]) -> String {
    let wanted = if wanted.is_empty() {
        "the first interface"
    } else {
        wanted
    };
    let there: Vec<String> = found.iter().map(|(name, mac)| format!("{name} ({mac})")).collect();
    let there = if there.is_empty() {
        "none".to_owned()
    } else {
        there.join(", ")
    };
    format!("kiln.toml sets {wanted}, which is not there, so its settings are not used; there is: {there}")
}

/// Name and hardware address of each interface that is a device, in the order of the names.
pub fn interfaces(sys: &Path) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = fs::read_dir(sys)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|e| e.path().join("device").exists())
        .map(|e| {
            let mac = fs::read_to_string(e.path().join("address")).unwrap_or_default();
            (
                e.file_name().to_string_lossy().into_owned(),
                mac.trim().to_ascii_lowercase(),
            )
        })
        .collect();
    found.sort();
    found
}

/// Writes a file whole or not at all.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    fs::write(&new, text)?;
    fs::rename(new, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_that_is_not_there_is_told_with_those_that_are() {
        let found = [("eth0".to_owned(), "52:54:00:00:00:01".to_owned())];
        let wanted = ["", "eth0", "52:54:00:00:00:01", "enp3s0"];
        let absent: Vec<&str> = wanted.into_iter().filter(|w| !is_there(w, &found)).collect();
        assert_eq!(absent, ["enp3s0"]);
        assert_eq!(
            missing("enp3s0", &found),
            "kiln.toml sets enp3s0, which is not there, so its settings are not used; there is: eth0 (52:54:00:00:00:01)"
        );
        assert!(!is_there("", &[]) && missing("", &[]).ends_with("there is: none"));
    }
}
