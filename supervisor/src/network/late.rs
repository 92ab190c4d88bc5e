//! In a helper of PID 1, when an interface has come: dhcpcd's configuration is brought up to date, and dhcpcd told of what has
//! changed. It goes on with every other interface as if nothing had been.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{CONFIG, LEARNT, RESOLVER, SYS, config, hook, interfaces, read, replace};
use crate::boot::config::site::Site;
use crate::shell::{cgroup, log, process};

/// The unit that becomes dhcpcd.
const UNIT: &str = "network";

/// What dhcpcd is told of one interface.
#[derive(Debug, PartialEq, Eq)]
enum Tell {
    /// Read the configuration of it again, and begin anew with it.
    Rebind(String),
    /// Leave it alone from now on.
    Exit(String),
}

/// Does it; nothing while dhcpcd has no configuration yet, which is made of what is there then.
pub fn came(site: &Site) -> i32 {
    let Ok(before) = read(Path::new(CONFIG)) else {
        return 0;
    };
    let present = interfaces(Path::new(SYS));
    let (cards, _) = config::cards(&site.network, &present, &before);
    // Its name servers count from now on, whether or not it gets an address.
    if let Err(e) = hook::own(Path::new(LEARNT), Path::new(RESOLVER), &config::own_servers(&cards)) {
        log::warn(&format!("{RESOLVER}: {e}"));
    }
    let now = config::dhcpcd(&site.network, &present, &before);
    let changes = changes(&before, &now, &present);
    if changes.is_empty() {
        return 0;
    }
    if let Err(e) = replace(Path::new(CONFIG), &now) {
        log::error(&format!("{CONFIG}: {e}"));
        return 1;
    }
    // Without one that runs it would become a second one, outside its unit; the next to start reads the file.
    if !runs() {
        return 0;
    }
    let mut failed = 0;
    for tell in changes {
        let (how, name) = match &tell {
            Tell::Rebind(name) => ("--rebind", name),
            Tell::Exit(name) => ("--exit", name),
        };
        log::info(&format!("interface {name} is here: its settings are used from now on"));
        // The running one reads its own file. Should it have ended just now, this becomes one with PID 1's rights, which must
        // not go by a file that the network can write.
        let status = Command::new("/usr/sbin/dhcpcd")
            .args([
                "--quiet",
                "--config",
                "/dev/null",
                "--script",
                "/kiln/dhcp-hook",
                how,
                name,
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status();
        if !status.as_ref().is_ok_and(std::process::ExitStatus::success) {
            log::warn(&format!("dhcpcd {how} {name}: {status:?}"));
            failed = 1;
        }
    }
    failed
}

/// Whether the unit's dhcpcd is there to be told.
fn runs() -> bool {
    let mut found = false;
    process::each(|pid| {
        found |= fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe.ends_with("dhcpcd"))
            && cgroup::unit_of(pid).is_some_and(|unit| unit == UNIT);
    });
    found
}

/// What differs for the interfaces that are there.
fn changes(before: &str, now: &str, present: &[(String, String)]) -> Vec<Tell> {
    let tell = |(name, _): &(String, String)| {
        let section = config::of(now, name);
        let changed = section != config::of(before, name);
        changed.then(|| match section.starts_with("denyinterfaces") {
            true => Tell::Exit(name.clone()),
            false => Tell::Rebind(name.clone()),
        })
    };
    present.iter().filter_map(tell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_interface_that_came_is_told_of() {
        let (site, wrong) = Site::parse(
            "[network.eth0]\naddress='192.0.2.4/24'\n[network.\"52:54:00:00:00:09\"]\naddress='192.0.2.9/24'\n[network.\"52:54:00:00:00:0a\"]\noff=true\n",
        );
        assert_eq!(wrong, Vec::<String>::new());
        let is = |name: &str, mac: &str| (name.to_owned(), mac.to_owned());
        let mut present = vec![is("eth0", "52:54:00:00:00:01")];
        let before = config::dhcpcd(&site.network, &present, "");
        assert_eq!(changes(&before, &before, &present), []);
        present.push(is("usb0", "52:54:00:00:00:09"));
        present.push(is("usb1", "52:54:00:00:00:0a"));
        present.push(is("usb2", "52:54:00:00:00:0b"));
        let now = config::dhcpcd(&site.network, &present, &before);
        assert_eq!(
            changes(&before, &now, &present),
            [Tell::Rebind("usb0".into()), Tell::Exit("usb1".into())]
        );
        assert_eq!(changes(&now, &now, &present), []);
    }

    #[test]
    fn the_first_interface_stays_the_first_when_another_comes_before_it_by_name() {
        let (site, _) = Site::parse("[network]\naddress='192.0.2.4/24'\n");
        let is = |name: &str| (name.to_owned(), format!("52:54:00:00:00:0{}", &name[3..]));
        let before = config::dhcpcd(&site.network, &[is("eth1")], "");
        let present = [is("eth0"), is("eth1")];
        let now = config::dhcpcd(&site.network, &present, &before);
        assert_eq!(changes(&before, &now, &present), []);
        let none = config::dhcpcd(&site.network, &[], "");
        let now = config::dhcpcd(&site.network, &present, &none);
        assert_eq!(changes(&none, &now, &present), [Tell::Rebind("eth0".into())]);
    }
}
