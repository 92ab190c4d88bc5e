//! One block device as the kernel describes it in `/sys/block`.
//!
//! No udev: model, serial and world wide name come from the attributes that the kernel itself keeps (SCSI VPD pages,
//! NVMe's `wwid`, virtio's `serial`, an SD card's `cid`, the USB bridge's descriptor).

use std::path::{Path, PathBuf};

use wire::drive::{Bus, Rotation};
use wire::{Bytes, DriveId};

use crate::identity::Identity;
use crate::link;
use crate::multipath;
use crate::no_size::NoSize;
use crate::system::{System, bytes, names, number, text};
use crate::vpd::{self, Rate};

/// A device number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DevNum {
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
}

impl std::fmt::Display for DevNum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.major, self.minor)
    }
}

impl DevNum {
    /// Reads `MAJ:MIN`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::parse_in(10, text)
    }

    /// Reads `MAJ:MIN` in hexadecimal, as some of the kernel's tables have it.
    pub(crate) fn parse_hexadecimal(text: &str) -> Option<Self> {
        Self::parse_in(16, text)
    }

    fn parse_in(radix: u32, text: &str) -> Option<Self> {
        let (major, minor) = text.trim().split_once(':')?;
        let number = |text| u32::from_str_radix(text, radix).ok();
        Some(DevNum {
            major: number(major)?,
            minor: number(minor)?,
        })
    }

    /// From what `stat` gives.
    pub fn from_raw(raw: u64) -> Self {
        DevNum {
            major: libc::major(raw),
            minor: libc::minor(raw),
        }
    }
}

/// A partition that the kernel knows of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelPartition {
    /// Kernel name, `sda1`.
    pub name: String,
    /// Device number.
    pub number: DevNum,
}

/// A whole disk as the kernel describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Kernel name, `sda`: where it happens to be now.
    pub name: String,
    /// Its directory below `/sys`, resolved: `devices/pci0000:00/…/block/sda`.
    pub syspath: String,
    /// Device number.
    pub number: DevNum,
    /// Kernel's count of disks, another one after each plugging in; 0 on kernels without it.
    pub sequence: u64,
    /// Who it is.
    pub identity: Identity,
    /// Physical sector size in bytes.
    pub physical_sector: u32,
    /// Platters or flash.
    pub rotation: Rotation,
    /// Megabits a second of its link, as negotiated when it was looked at; `None` where nothing tells it.
    pub link_mbps: Option<u32>,
    /// By what it declares itself shingled, in words; `None` where it declares nothing, which most such disks do.
    pub shingled: Option<String>,
    /// Whether it can only be written in sequence, zone by zone.
    pub host_managed: bool,
    /// Where it sits, in words.
    pub location: String,
    /// Whether the kernel calls it removable.
    pub removable: bool,
    /// Whether the kernel refuses writes to it.
    pub read_only: bool,
    /// Bytes of the other parts of the same drive: logical units that each of its actuators has. 0 where it is all of it.
    pub beside: Bytes,
    /// Partitions, in order.
    pub partitions: Vec<KernelPartition>,
}

/// Names of block devices that are not drives: virtual ones, volumes on top of drives, optical and floppy.
const NOT_DRIVES: [&str; 11] = [
    "loop", "ram", "zram", "nbd", "dm-", "md", "bcache", "drbd", "sr", "fd", "mtdblock",
];

/// Whether a kernel name belongs to a kind of device that is never a drive. Loop devices are admitted only by the guard,
/// when the command line says so.
pub fn is_noise(name: &str) -> bool {
    NOT_DRIVES.iter().any(|prefix| {
        name.strip_prefix(prefix)
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    }) || name.starts_with("mmcblk") && (name.contains("boot") || name.contains("rpmb"))
}

/// All drives that the kernel shows now, by name.
pub fn walk(system: &System) -> Vec<Device> {
    each(system, read)
}

/// All that people are shown: see [`shown`].
pub fn walk_shown(system: &System) -> Vec<Device> {
    each(system, shown)
}

fn each(system: &System, read: fn(&System, &str) -> Option<Device>) -> Vec<Device> {
    names(&system.path("sys/block"))
        .iter()
        .filter(|name| !is_noise(name))
        .filter_map(|name| read(system, name))
        .collect()
}

/// The device called `name`; `None` if it is gone, has no medium, is hidden (a path of a multipath NVMe namespace) or is
/// no disk (optical, enclosure). Why one that is there has no size: [`crate::no_size`].
pub fn read(system: &System, name: &str) -> Option<Device> {
    describe(system, name).filter(|device| device.identity.capacity.0 > 0)
}

/// The device called `name` as it is shown to people: one whose sectors Linux does not take, too, with a capacity of 0 and no identity.
pub fn shown(system: &System, name: &str) -> Option<Device> {
    let mut device = describe(system, name)?;
    if device.identity.capacity.0 == 0 {
        NoSize::of(system, name).filter(|why| *why == NoSize::Sectors)?;
        device.identity.id = None;
    }
    Some(device)
}

fn describe(system: &System, name: &str) -> Option<Device> {
    let dir = disk(system, name)?;
    let attribute = |path: &str| dir.join(path);
    let capacity = number::<u64>(&attribute("size"))?.checked_mul(512)?;
    let logical_sector = number(&attribute("queue/logical_block_size")).unwrap_or(512);
    let sys = std::fs::canonicalize(system.path("sys")).ok()?;
    let syspath = dir.strip_prefix(&sys).ok()?.to_str()?.to_owned();
    let bus = bus(name, &syspath);
    let told = told(&dir, name, bus);
    let id = told.id(capacity);
    let rotating = number::<u8>(&attribute("queue/rotational"));
    let rotation = match (told.rate, rotating, bus) {
        (Some(Rate::Rpm(rpm)), _, _) => Rotation::Spinning { rpm: Some(rpm) },
        (Some(Rate::SolidState), _, _) | (None, Some(0), Bus::Sata | Bus::Scsi | Bus::Nvme | Bus::Mmc) => {
            Rotation::SolidState
        }
        (None, Some(1), Bus::Sata | Bus::Scsi) => Rotation::Spinning { rpm: None },
        // Bridges and virtual disks leave the kernel's default in place.
        (None, _, _) => Rotation::Unknown,
    };
    let partitions = names(&dir)
        .into_iter()
        .filter(|entry| entry.starts_with(name) && dir.join(entry).join("partition").exists())
        .filter_map(|entry| {
            let number = DevNum::parse(&text(&dir.join(&entry).join("dev"))?)?;
            Some(KernelPartition { name: entry, number })
        })
        .collect();
    Some(Device {
        name: name.to_owned(),
        number: DevNum::parse(&text(&attribute("dev"))?)?,
        sequence: count(&dir),
        identity: Identity {
            id,
            model: told.model,
            serial: told.serial,
            wwn: told.wwn,
            capacity: Bytes(capacity),
            logical_sector,
            bus,
        },
        physical_sector: number(&attribute("queue/physical_block_size")).unwrap_or(logical_sector),
        link_mbps: link::megabits(&dir, bus),
        shingled: shingled(&dir, rotation),
        host_managed: text(&attribute("queue/zoned")).as_deref() == Some("host-managed"),
        rotation,
        location: match (bay(&dir), location(&seat(system, &syspath))) {
            (Some(Bay { enclosure, name }), location) => format!("{location}{enclosure}, bay {name}"),
            (None, location) => location,
        },
        removable: number::<u8>(&attribute("removable")) == Some(1),
        read_only: number::<u8>(&attribute("ro")) == Some(1),
        beside: beside(&dir, bus),
        partitions,
        syspath,
    })
}

/// The directory of the disk called `name`, resolved; `None` as for [`read`], but that it may have no medium.
pub(crate) fn disk(system: &System, name: &str) -> Option<PathBuf> {
    if name.contains('/') {
        return None;
    }
    let dir = std::fs::canonicalize(system.path("sys/block").join(name)).ok()?;
    let attribute = |path: &str| number::<u8>(&dir.join(path));
    // SCSI peripheral types: 0 disk, 14 simplified disk, 20 host-managed zoned disk.
    let is_disk = attribute("device/type").is_none_or(|kind| [0, 14, 20].contains(&kind));
    (is_disk && attribute("hidden") != Some(1)).then_some(dir)
}

/// By what a disk declares itself shingled: zones, or that it takes trim commands though it rotates. Flash has both for
/// reasons of its own; a disk that only looks like one (no revolutions told) proves nothing.
fn shingled(dir: &Path, rotation: Rotation) -> Option<String> {
    let zoned = text(&dir.join("queue/zoned")).filter(|zoned| zoned != "none");
    match (zoned, rotation) {
        (_, Rotation::SolidState) => None,
        (Some(zoned), _) => Some(format!("zoned={zoned}")),
        (None, Rotation::Spinning { rpm: Some(_) }) => {
            let discard = number::<u64>(&dir.join("queue/discard_max_hw_bytes"))? > 0;
            discard.then(|| "a disk that takes trim commands".to_owned())
        }
        (None, Rotation::Spinning { rpm: None } | Rotation::Unknown) => None,
    }
}

/// Bytes of the other disks below the SCSI target of the one at `dir` that tell its serial number: a disk with two actuators
/// has a logical unit for each, with names of their own and one label. Units of a bridge are several drives, which it may give one number.
fn beside(dir: &Path, bus: Bus) -> Bytes {
    let serial = |unit: &Path| bytes(&unit.join("vpd_pg80")).as_deref().and_then(vpd::serial);
    // `target0:0:1/0:0:1:0/block/sda`.
    let unit = dir.ancestors().nth(2).filter(|_| bus == Bus::Scsi);
    let Some((unit, target)) = unit.and_then(|unit| Some((unit, unit.parent()?))) else {
        return Bytes(0);
    };
    let Some(own) = serial(unit) else { return Bytes(0) };
    let others = names(target).into_iter().map(|name| target.join(name));
    let disks = others
        .filter(|other| other != unit && serial(other).as_ref() == Some(&own))
        .flat_map(|other| {
            names(&other.join("block"))
                .into_iter()
                .map(move |name| other.join("block").join(name))
        });
    let sectors = disks.filter_map(|disk| number::<u64>(&disk.join("size")));
    Bytes(sectors.fold(0, |all, sectors| all.saturating_add(sectors.saturating_mul(512))))
}

/// The whole disk with device number `number`; `None` if there is none or it is a partition.
pub fn read_number(system: &System, number: DevNum) -> Option<Device> {
    let device = read(system, &name_of(system, number)?)?;
    (device.number == number).then_some(device)
}

/// Kernel name of the block device with this number.
pub(crate) fn name_of(system: &System, number: DevNum) -> Option<String> {
    let dir = std::fs::canonicalize(system.path(format!("sys/dev/block/{number}"))).ok()?;
    Some(dir.file_name()?.to_str()?.to_owned())
}

/// Whether `number` is a partition.
pub fn is_partition(system: &System, number: DevNum) -> bool {
    system.path(format!("sys/dev/block/{number}/partition")).exists()
}

/// Whether the disk with device number `number` takes ATA commands behind a translation to SCSI: the one that libata makes, or
/// a SAS controller for a SATA disk. A bridge may tell the same of itself; [`Bus::Usb`] knows it.
pub fn speaks_ata(system: &System, number: DevNum) -> bool {
    let device = system.path(format!("sys/dev/block/{number}/device"));
    // SAT-4 §10.3.2: the vendor of a translated device is `ATA`.
    text(&device.join("vendor")).as_deref() == Some("ATA")
        || bytes(&device.join("vpd_pg89")).as_deref().and_then(vpd::ata).is_some()
}

pub(crate) fn bus(name: &str, syspath: &str) -> Bus {
    let has = |prefix: &str| {
        syspath.split('/').any(|part| {
            part.strip_prefix(prefix)
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        })
    };
    match () {
        () if name.starts_with("nvme") => Bus::Nvme,
        () if name.starts_with("mmcblk") => Bus::Mmc,
        () if name.starts_with("loop") => Bus::Loop,
        () if has("usb") => Bus::Usb,
        () if has("ata") => Bus::Sata,
        // virtio-blk; a virtio-scsi host also lies below virtioN, but carries SCSI disks.
        () if has("virtio") && !has("host") => Bus::Virtio,
        () if has("host") => Bus::Scsi,
        () => Bus::Other,
    }
}

/// What a device tells of itself.
#[derive(Debug, Default)]
struct Told {
    model: String,
    serial: String,
    wwn: Option<String>,
    rate: Option<Rate>,
    /// NVMe name space, where a controller has more than one.
    namespace: Option<u32>,
}

impl Told {
    fn id(&self, capacity: u64) -> Option<DriveId> {
        let by_name = self.wwn.as_deref().and_then(DriveId::from_wwn);
        by_name.or_else(|| match self.namespace {
            Some(n) => DriveId::from_serial(&self.model, &format!("{}-n{n}", self.serial), capacity),
            None => DriveId::from_serial(&self.model, &self.serial, capacity),
        })
    }
}

fn told(dir: &Path, name: &str, bus: Bus) -> Told {
    match bus {
        Bus::Nvme => nvme(dir),
        Bus::Virtio => Told {
            model: "Virtio disk".to_owned(),
            serial: text(&dir.join("serial")).unwrap_or_default(),
            ..Told::default()
        },
        Bus::Mmc => Told {
            model: text(&dir.join("device/name")).unwrap_or_default(),
            // The card's whole identification register: manufacturer, product, revision, serial, date.
            serial: text(&dir.join("device/cid"))
                .or_else(|| text(&dir.join("device/serial")))
                .unwrap_or_default(),
            ..Told::default()
        },
        Bus::Loop => Told {
            model: "Loop device".to_owned(),
            serial: format!("/dev/{name}"),
            ..Told::default()
        },
        Bus::Sata | Bus::Scsi | Bus::Usb | Bus::Other => scsi(dir, bus),
    }
}

fn nvme(dir: &Path) -> Told {
    let controller = |attribute: &str| text(&dir.join("device").join(attribute));
    let hex = |name: &str| {
        let digits: String = text(&dir.join(name))?.chars().filter(char::is_ascii_hexdigit).collect();
        DriveId::from_wwn(&digits).map(|_| digits.to_lowercase())
    };
    let wwid = || {
        // `eui.` covers both EUI-64 and NGUID; `uuid.` is as good. `nvme.` is the kernel's makeshift from the serial.
        let wwid = text(&dir.join("wwid"))?;
        let digits = wwid.strip_prefix("eui.").or_else(|| wwid.strip_prefix("uuid."))?;
        let digits: String = digits.chars().filter(char::is_ascii_hexdigit).collect();
        DriveId::from_wwn(&digits).map(|_| digits.to_lowercase())
    };
    Told {
        model: controller("model").unwrap_or_default(),
        serial: controller("serial").unwrap_or_default(),
        wwn: hex("nguid").or_else(|| hex("eui")).or_else(wwid),
        rate: Some(Rate::SolidState),
        namespace: number::<u32>(&dir.join("nsid")).filter(|n| *n > 1),
    }
}

fn scsi(dir: &Path, bus: Bus) -> Told {
    let device = dir.join("device");
    let page = |name: &str| bytes(&device.join(name));
    let ata = page("vpd_pg89").as_deref().and_then(vpd::ata);
    let vendor = text(&device.join("vendor")).filter(|vendor| vendor != "ATA");
    let model = text(&device.join("model"));
    let inquiry = match (vendor, model) {
        (Some(vendor), Some(model)) => Some(format!("{vendor} {model}")),
        (vendor, model) => model.or(vendor),
    };
    let rate = ata
        .as_ref()
        .and_then(|ata| ata.rotation)
        .or_else(|| page("vpd_pgb1").as_deref().and_then(vpd::rotation));
    let serial = page("vpd_pg80").as_deref().and_then(vpd::serial);
    let wwn = page("vpd_pg83").as_deref().and_then(vpd::wwn).or_else(|| {
        let wwid = text(&device.join("wwid"))?;
        let digits = wwid.strip_prefix("naa.").or_else(|| wwid.strip_prefix("eui."))?;
        DriveId::from_wwn(digits).map(|_| digits.to_lowercase())
    });
    let (ata_model, ata_serial, ata_wwn) = ata.map_or((None, None, None), |ata| (ata.model, ata.serial, ata.wwn));
    let bridge = || if bus == Bus::Usb { usb_serial(dir) } else { None };
    Told {
        model: ata_model.or(inquiry).unwrap_or_default(),
        serial: ata_serial.or(serial).or_else(bridge).unwrap_or_default(),
        wwn: ata_wwn.or(wwn),
        rate,
        namespace: None,
    }
}

/// Serial number of the USB device that carries the disk at `dir`.
fn usb_serial(dir: &Path) -> Option<String> {
    dir.ancestors()
        .find(|at| at.join("idVendor").exists())
        .and_then(|at| text(&at.join("serial")))
}

/// The path that tells where the device at `syspath` sits: of an NVMe drive to which one controller leads its own, which its place
/// in the subsystem does not name.
fn seat(system: &System, syspath: &str) -> String {
    match (
        multipath::controllers(system, syspath).as_slice(),
        syspath.rsplit_once('/'),
    ) {
        ([controller], Some((_, name))) => format!("{controller}/{name}"),
        (_, _) => syspath.to_owned(),
    }
}

/// Where a device sits, in words: its controller's PCI address, then port, USB path or SCSI address.
fn location(syspath: &str) -> String {
    let parts: Vec<&str> = syspath.split('/').collect();
    let is_pci = |part: &&&str| {
        let b = part.as_bytes();
        b.len() == 12 && b[4] == b':' && b[7] == b':' && b[10] == b'.'
    };
    let mut words = Vec::new();
    if let Some(pci) = parts.iter().rev().find(is_pci) {
        words.push(format!("PCI {}", pci.strip_prefix("0000:").unwrap_or(pci)));
    }
    let numbered = |prefix: &str| {
        parts.iter().find_map(|part| {
            part.strip_prefix(prefix)
                .filter(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
        })
    };
    let usb = parts.iter().rev().find(|part| {
        part.starts_with(|c: char| c.is_ascii_digit())
            && part.contains('-')
            && part.bytes().all(|b| b.is_ascii_digit() || b == b'-' || b == b'.')
    });
    let address = parts
        .iter()
        .find(|part| part.split(':').count() == 4 && part.bytes().all(|b| b.is_ascii_digit() || b == b':'));
    if let Some(usb) = usb {
        words.push(format!("USB {usb}"));
    } else if let Some(port) = numbered("ata") {
        words.push(format!("SATA port {port}"));
    } else if let Some(phy) = parts.iter().find_map(|part| part.strip_prefix("end_device-")) {
        words.push(format!("SAS {phy}"));
    } else if let Some(address) = address {
        words.push(format!("SCSI {address}"));
    } else if let Some(n) = numbered("mmc") {
        words.push(format!("card slot {n}"));
    } else if let Some(nvme) = parts.iter().rev().nth(1).filter(|part| part.starts_with("nvme")) {
        words.push((*nvme).to_owned());
    }
    words.join(", ")
}

/// A bay by its enclosure's own name; see [`crate::locate`].
struct Bay {
    /// Which of several shelves, as `, enclosure 7:0:24:0` by its SCSI address in this boot; empty where that is not told.
    enclosure: String,
    name: String,
}

fn bay(dir: &Path) -> Option<Bay> {
    let device = dir.join("device");
    let entries = names(&device);
    let (entry, name) = entries
        .iter()
        .find_map(|entry| Some((entry, entry.strip_prefix("enclosure_device:")?.trim())))
        .filter(|(_, name)| !name.is_empty())?;
    let slot = std::fs::canonicalize(device.join(entry)).ok();
    let enclosure = slot.and_then(|slot| {
        let of = slot.parent()?.file_name()?.to_str()?.to_owned();
        (of.split(':').count() == 4).then(|| format!(", enclosure {of}"))
    });
    Some(Bay {
        enclosure: enclosure.unwrap_or_default(),
        name: name.to_owned(),
    })
}

/// Kernel's count of the disk called `name` now; 0 where it tells none, or has no such disk.
pub(crate) fn sequence(system: &System, name: &str) -> u64 {
    disk(system, name).map_or(0, |dir| count(&dir))
}

fn count(disk: &Path) -> u64 {
    number(&disk.join("diskseq")).unwrap_or(0)
}

/// The device's node: `/dev/sda`.
pub fn node(system: &System, name: &str) -> PathBuf {
    system.path("dev").join(name)
}
