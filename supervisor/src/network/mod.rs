//! `kiln-init network`: dhcpcd with a configuration made from `kiln.toml`, and [`hook`], its script.
//!
//! dhcpcd does the work on every interface: DHCP with a link-local address where nobody answers, router advertisements and
//! DHCPv6, fixed addresses. This process only writes its configuration and becomes it, so that one program owns all
//! addresses. [`time`] is the same for chrony. Tested: the texts here; the whole of it on wires of its own in
//! `image/tests/boot/network.rs`.
//!
//! An interface that comes later (a USB adapter) is dhcpcd's, too, which reads its configuration anew for each one: what
//! `kiln.toml` names by name stands there from the start. One that is named by its hardware address gets its name only when it
//! is there; a helper of PID 1 then writes it into the configuration ([`late`]) and has dhcpcd look at that interface alone.

mod card;
pub mod config;
pub mod hook;
pub mod late;
pub mod time;

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use crate::boot::config::site::Site;

/// What the hook has learnt, one file for each interface and protocol.
pub const LEARNT: &str = "/run/kiln/network/net";
/// Where name servers stand; `/etc/resolv.conf` leads there.
pub const RESOLVER: &str = "/run/kiln/network/resolv.conf";
/// Where the kernel lists interfaces.
pub const SYS: &str = "/sys/class/net";
/// dhcpcd's configuration.
const CONFIG: &str = "/run/kiln/network/dhcpcd.conf";
/// How long any interface is waited for, where `kiln.toml` sets the first one without naming it.
const APPEARS_WITHIN: Duration = Duration::from_secs(10);

/// Becomes dhcpcd.
pub fn main() -> ExitCode {
    let (site, _) = Site::read();
    // What an earlier run has learnt is not known to hold.
    let _ = fs::remove_dir_all(LEARNT);
    let present = present(site.network.contains_key(""));
    if let Some(text) = absent(&site, &present) {
        eprintln!("network: {text}");
    }
    let (cards, wrong) = config::cards(&site.network, &present, "");
    for text in wrong {
        eprintln!("network: {text}");
    }
    let text = config::dhcpcd(&site.network, &present, "");
    let prepared = fs::create_dir_all(LEARNT).and_then(|()| replace(Path::new(CONFIG), &text));
    if let Err(e) = prepared {
        eprintln!("network: {CONFIG}: {e}");
        return ExitCode::FAILURE;
    }
    // Before anybody has answered, and where nobody does.
    if let Err(e) = hook::own(Path::new(LEARNT), Path::new(RESOLVER), &config::own_servers(&cards)) {
        eprintln!("network: {RESOLVER}: {e}");
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

/// Name and hardware address of the interfaces of this machine, by name. `first`: waits until there is one.
fn present(first: bool) -> Vec<(String, String)> {
    let begun = Instant::now();
    loop {
        let found = interfaces(Path::new(SYS));
        if !first || !found.is_empty() || begun.elapsed() > APPEARS_WITHIN {
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

/// What `kiln.toml` sets and is not there, and which interfaces are; `None` where all of it is.
pub fn absent(site: &Site, found: &[(String, String)]) -> Option<String> {
    let wanted: Vec<&str> = site
        .network
        .keys()
        .filter(|w| !is_there(w, found))
        .map(|w| {
            if w.is_empty() {
                "the first interface"
            } else {
                w.as_str()
            }
        })
        .collect();
    if wanted.is_empty() {
        return None;
    }
    let there: Vec<String> = found.iter().map(|(name, mac)| format!("{name} ({mac})")).collect();
    let there = if there.is_empty() {
        "none".to_owned()
    } else {
        there.join(", ")
    };
    Some(format!(
        "kiln.toml sets {}, which is not there, so these settings are not used; there is: {there}",
        wanted.join(", ")
    ))
}

/// Where sections of `kiln.toml` that are for one interface contradict each other.
pub fn contradictions(site: &Site, found: &[(String, String)]) -> Vec<String> {
    let before = read(Path::new(CONFIG)).unwrap_or_default();
    config::cards(&site.network, found, &before).1
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

/// Longest configuration that is read, in bytes.
const CONFIG_MAX: u64 = 1 << 20;

/// Reads a file of the network's folder: PID 1 must not wait at a pipe there, nor fill its memory.
fn read(path: &Path) -> io::Result<String> {
    let file = File::options()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW)
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut text = String::new();
    file.take(CONFIG_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// Writes a file whole or not at all; the hook and a helper of PID 1 may do so at the same time. The folder is the network's,
/// who must not lead that helper elsewhere by a link.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension(format!("{}.new", std::process::id()));
    let _ = fs::remove_file(&new);
    File::create_new(&new)?.write_all(text.as_bytes())?;
    fs::rename(new, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_that_is_not_there_is_told_with_those_that_are() {
        let found = [("eth0".to_owned(), "52:54:00:00:00:01".to_owned())];
        let site = |text: &str| Site::parse(text).0;
        let all = site(
            "[network]\ngateway='10.0.0.1'\n[network.eth0]\noff=true\n[network.\"52:54:00:00:00:01\"]\noff=true\n[network.enp3s0]\noff=true\n",
        );
        assert_eq!(
            absent(&all, &found).as_deref(),
            Some(
                "kiln.toml sets enp3s0, which is not there, so these settings are not used; there is: eth0 (52:54:00:00:00:01)"
            )
        );
        let told = absent(&all, &[]).unwrap_or_default();
        assert!(
            told.contains("the first interface, 52:54:00:00:00:01, enp3s0, eth0") && told.ends_with("there is: none"),
            "{told}"
        );
        assert_eq!(absent(&site("[network.eth0]\noff=true\n"), &found), None);
        assert_eq!(absent(&Site::default(), &[]), None);
    }

    #[test]
    fn what_is_no_file_in_the_networks_folder_is_not_waited_for() {
        let dir = tempfile::tempdir().expect("a folder");
        let (file, pipe) = (dir.path().join("dhcpcd.conf"), dir.path().join("pipe"));
        fs::write(&file, "interface eth0\n").expect("a file");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
        assert_eq!(read(&file).expect("a file"), "interface eth0\n");
        assert!(read(&pipe).is_err());
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&file, &link).expect("a link");
        assert!(read(&link).is_err());
    }

    #[test]
    fn a_link_in_the_networks_folder_leads_nobody_elsewhere() {
        let dir = tempfile::tempdir().expect("a folder");
        let (file, other) = (dir.path().join("dhcpcd.conf"), dir.path().join("boot-disk"));
        fs::write(&other, "8:0\n").expect("writing");
        let new = file.with_extension(format!("{}.new", std::process::id()));
        std::os::unix::fs::symlink(&other, new).expect("a link");
        replace(&file, "new").expect("replaced");
        assert_eq!(fs::read_to_string(&file).expect("read"), "new");
        assert_eq!(fs::read_to_string(&other).expect("read"), "8:0\n");
    }
}
