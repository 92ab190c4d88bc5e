//! Where a drive sits: a name of the path to it that stays the same over reboots and drives, and its bay.

use super::{means, slot};
use crate::multipath;
use crate::sysfs::Device;
use crate::system::{System, names, number, text};

/// Where a drive sits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The path, named as udev's `/dev/disk/by-path` does: `pci-0000:00:1f.2-ata-3`. Empty where nothing is known.
    pub path: String,
    /// The bay by the enclosure's own name, where an enclosure tells one.
    pub bay: Option<String>,
}

/// Where `device` sits, from `/sys`.
pub fn place(system: &System, device: &Device) -> Place {
    let slot = means::slot(system, &device.name);
    let bay = slot.map(|(name, dir)| match text(&dir.join("slot")) {
        Some(slot) if !name.contains(&slot) => format!("{name} (slot {slot})"),
        Some(_) | None => name,
    });
    Place {
        path: path(system, &device.syspath).unwrap_or_default(),
        bay,
    }
}

fn path(system: &System, syspath: &str) -> Option<String> {
    if multipath::is_shared(syspath) {
        // By the first of its controllers; over a network it sits nowhere here.
        let controllers = multipath::controllers(system, syspath);
        let pci = controllers
            .iter()
            .filter_map(|at| at.split('/').rfind(|part| is_pci(part)))
            .min()?;
        return Some(format!("pci-{pci}-nvme-{}", namespace(syspath.rsplit('/').next()?)));
    }
    let parts: Vec<&str> = syspath.split('/').collect();
    let pci = parts.iter().rev().find(|part| is_pci(part));
    let pci = pci.map(|pci| format!("pci-{pci}-")).unwrap_or_default();
    let numbered = |prefix: &str| {
        parts
            .iter()
            .position(|part| part.strip_prefix(prefix).is_some_and(digits))
            .map(|at| (at, parts[at]))
    };
    // `6:0:0:1`: host, channel, target, unit.
    let address = parts
        .iter()
        .find(|part| part.split(':').count() == 4 && part.bytes().all(|b| b == b':' || b.is_ascii_digit()));
    let address = address.and_then(|address| Some(address.split_once(':')?.1));
    // Several behind one port: units of a dock, drives behind a multiplier. The first is named by the port alone, as most are.
    let unit = address.filter(|address| *address != "0:0:0");
    let unit = unit.map(|address| format!("-scsi-0:{address}")).unwrap_or_default();
    // `1-2.4:1.0`: the interface of a USB device; the bus number is not part of the name.
    let usb = parts.iter().rev().find_map(|part| {
        let (device, interface) = part.split_once(':')?;
        let (bus, ports) = device.split_once('-')?;
        (digits(bus) && interface.contains('.')).then(|| format!("{pci}usb-0:{ports}:{interface}{unit}"))
    });
    if usb.is_some() {
        return usb;
    }
    if let Some((at, ata)) = numbered("ata") {
        // The port of its controller, which a number over all controllers of the box is not.
        let port = format!("sys/{}/{ata}/ata_port/{ata}/port_no", parts[..at].join("/"));
        let own = number::<u32>(&system.path(port));
        let port = own.map_or_else(|| ata.trim_start_matches("ata").to_owned(), |port| port.to_string());
        return Some(format!("{pci}ata-{port}{unit}"));
    }
    if let Some(end) = parts.iter().position(|part| part.starts_with("end_device-")) {
        let attribute = |name: &str| sas(system, &parts, end, name);
        let bay = attribute("bay_identifier").and_then(|bay| bay.parse::<u32>().ok());
        let bay = shelf(system, &parts, end).zip(bay);
        let bay = bay.map(|(shelf, bay)| format!("{shelf}-bay{bay}"));
        // Never by the drive's own address, which goes with it; by the numbers of host and port only where nothing else is told.
        let place = bay.or_else(|| phy(system, &parts, end));
        let place = place.or_else(|| parts[end].strip_prefix("end_device-").map(str::to_owned))?;
        return Some(format!("{pci}sas-{place}"));
    }
    if let Some(nvme) = parts
        .iter()
        .rev()
        .find(|part| part.starts_with("nvme") && part.contains('n'))
    {
        return Some(format!("{pci}nvme-{}", namespace(nvme)));
    }
    if let Some(address) = address {
        return Some(format!("{pci}scsi-0:{address}"));
    }
    (!pci.is_empty()).then(|| pci.trim_end_matches('-').to_owned())
}

/// An attribute of the SAS device whose directory is `parts[at]`. Source: Linux `drivers/scsi/scsi_transport_sas.c`.
fn sas(system: &System, parts: &[&str], at: usize, attribute: &str) -> Option<String> {
    let (dir, name) = (parts[..=at].join("/"), parts[at]);
    text(&system.path(format!("sys/{dir}/sas_device/{name}/{attribute}")))
}

/// Which shelf the bays of the drive at `parts[end]` are counted in, as the beginning of a name: two behind one controller
/// both have a bay 3. By the enclosure's own identity, else by the expander that the drive hangs on. A controller that tells neither may
/// tell bay 0 of each drive, as QEMU's mptsas does: there a bay says nothing.
fn shelf(system: &System, parts: &[&str], end: usize) -> Option<String> {
    let told = sas(system, parts, end, "enclosure_identifier").and_then(|id| slot::identity(&id));
    let enclosure = told.map(|id| format!("enc-{id}"));
    enclosure.or_else(|| expander(system, parts, expander_above(parts, end)?))
}

/// Where in the path the expander stands that the drive at `parts[end]` hangs on.
fn expander_above(parts: &[&str], end: usize) -> Option<usize> {
    parts[..end].iter().rposition(|part| part.starts_with("expander-"))
}

/// The expander at `parts[at]`, by its address.
fn expander(system: &System, parts: &[&str], at: usize) -> Option<String> {
    let address = sas(system, parts, at, "sas_address").and_then(|id| slot::identity(&id))?;
    Some(format!("exp-{address}"))
}

/// Which phy of its controller or expander the drive at `parts[end]` is at, as the end of a name: hosts are numbered in the order
/// in which drivers come up, and most controllers count their ports on with each drive that is plugged in. A controller that
/// tells the same phy of several drives may tell it of all of them: there a phy says nothing.
fn phy(system: &System, parts: &[&str], end: usize) -> Option<String> {
    let (port, above) = parts[..end].split_last()?;
    let dir = system.path(format!("sys/{}", above.join("/")));
    let told = |port: &str, device: &str| {
        let attribute = dir
            .join(port)
            .join(device)
            .join("sas_device")
            .join(device)
            .join("phy_identifier");
        number::<u32>(&attribute)
    };
    let own = told(port, parts[end])?;
    let mut ports = names(&dir).into_iter().filter(|name| name.starts_with("port-"));
    let shared = ports.any(|other| {
        let mut devices = names(&dir.join(&other)).into_iter();
        devices.any(|device| {
            device.starts_with("end_device-") && device != parts[end] && told(&other, &device) == Some(own)
        })
    });
    if shared {
        return None;
    }
    let above = match expander_above(parts, end) {
        Some(at) => Some(expander(system, parts, at)?),
        None => host(system, parts),
    };
    let above = above.map(|above| format!("{above}-")).unwrap_or_default();
    Some(format!("{above}phy{own}"))
}

/// Which of its controller's hosts a drive is at, counted from 0, where there are several: each has phys of its own.
fn host(system: &System, parts: &[&str]) -> Option<String> {
    let number = |name: &str| name.strip_prefix("host").and_then(|number| number.parse::<u32>().ok());
    let (at, own) = parts
        .iter()
        .enumerate()
        .find_map(|(at, part)| Some((at, number(part)?)))?;
    let all = names(&system.path(format!("sys/{}", parts[..at].join("/"))));
    let mut hosts: Vec<u32> = all.iter().filter_map(|name| number(name)).collect();
    hosts.sort_unstable();
    let place = hosts.iter().position(|host| *host == own)?;
    (hosts.len() > 1).then(|| format!("host{place}"))
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// `2` of `nvme0n2`.
fn namespace(name: &str) -> &str {
    name.rsplit('n').next().filter(|rest| digits(rest)).unwrap_or("1")
}

fn is_pci(part: &str) -> bool {
    let bytes = part.as_bytes();
    bytes.len() == 12 && bytes[4] == b':' && bytes[7] == b':' && bytes[10] == b'.'
}
