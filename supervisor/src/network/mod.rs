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
    let prepared = fs::create_dir_all(LEARNT)
        .and_then(|()| fs::write(CONFIG, config::dhcpcd(&site.network, &present(site.network.keys()))));
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
        let there = |w: &String| found.iter().any(|(name, mac)| w.is_empty() || name == w || mac == w);
        if wanted.clone().all(there) || begun.elapsed() > APPEARS_WITHIN {
            return found;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
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
