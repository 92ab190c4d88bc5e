//! One drive of the machine, as data, and what QEMU must be told to have it.
//!
//! The same two JSON objects (block node, device) serve the command line and hot-plug, so a drive that is plugged in
//! later is exactly the drive that would have been there from the start.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// How a drive is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bus {
    /// AHCI; cannot be plugged in or out while the machine runs.
    Sata,
    /// virtio-scsi: what SAS drives look like to the kernel.
    Scsi,
    /// One controller a drive, on a PCIe port of its own.
    Nvme,
    /// Mass storage on xHCI.
    Usb,
    /// virtio-blk, on a PCIe port of its own. No identity but the serial.
    Virtio,
}

/// Where the bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A raw file.
    Raw(PathBuf),
    /// A qcow2 file, an overlay as a rule.
    Qcow2(PathBuf),
    /// A socket of [`crate::nbd::Server`].
    Nbd(PathBuf),
}

/// A sector at which QEMU's `blkdebug` lets accesses fail with `EIO`: each that covers it, of this kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Defect {
    /// Writes fail instead of reads.
    pub writes: bool,
    /// The sector, of 512 bytes.
    pub sector: u64,
    /// Only the first access fails.
    pub once: bool,
}

/// What a trim does to a drive's bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trims {
    /// Nothing: SATA and SCSI drives say that they take none, NVMe and virtio ones acknowledge it.
    #[default]
    Unknown,
    /// Nothing, and it is acknowledged.
    Ignored,
    /// They read as zeros afterwards.
    Done,
}

/// A drive of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drive {
    /// Name in QEMU; letters, digits, `-`.
    pub id: String,
    /// How it is attached.
    pub bus: Bus,
    /// Where its bytes are.
    pub source: Source,
    /// Serial number as the guest reads it; at most 20 characters on every bus.
    pub serial: String,
    /// World-wide name; SATA and SCSI only.
    pub wwn: Option<u64>,
    /// Model, where the bus has one of its own (SATA, SCSI: at most 16 characters there).
    pub model: Option<String>,
    /// Bytes a second, both ways together; `None`: as fast as it goes. Can be changed while the machine runs.
    pub speed: Option<u64>,
    /// Bytes a second of writes alone; `None`: as `speed` says.
    pub write_speed: Option<u64>,
    /// Where its accesses fail.
    pub defects: Vec<Defect>,
    /// Write-protected.
    pub read_only: bool,
    /// A card in a reader: USB only.
    pub removable: bool,
    /// What it does with trims.
    pub trims: Trims,
    /// It says that it does not rotate: SATA and SCSI, of which other drives say 7,200 a minute.
    pub flash: bool,
    /// Bytes of a zone, of which each is only written in sequence: NVMe only.
    pub zones: Option<u64>,
    /// Position in the firmware's boot order, lowest first.
    pub boot_index: Option<u32>,
}

impl Drive {
    /// A drive with `serial` on `bus`, as fast as it goes. SATA and SCSI get a WWN made of the serial.
    #[must_use]
    pub fn new(bus: Bus, serial: &str, source: Source) -> Self {
        Self {
            id: serial.to_ascii_lowercase(),
            bus,
            source,
            serial: serial.to_owned(),
            wwn: matches!(bus, Bus::Sata | Bus::Scsi).then(|| wwn_of(serial)),
            model: None,
            speed: None,
            write_speed: None,
            defects: Vec::new(),
            read_only: false,
            removable: false,
            trims: Trims::default(),
            flash: false,
            zones: None,
            boot_index: None,
        }
    }

    /// The drive, limited to `bytes` a second.
    #[must_use]
    pub fn speed(mut self, bytes: u64) -> Self {
        self.speed = Some(bytes);
        self
    }

    /// The drive, which takes `bytes` a second and gives as fast as it goes.
    #[must_use]
    pub fn write_speed(mut self, bytes: u64) -> Self {
        self.write_speed = Some(bytes);
        self
    }

    /// The drive with one more defect.
    #[must_use]
    pub fn defect(mut self, defect: Defect) -> Self {
        self.defects.push(defect);
        self
    }

    /// The drive, write-protected.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// The drive as a card in a reader, where another one can be put in its place ([`super::Vm::take_out`], [`super::Vm::put_in`]).
    #[must_use]
    pub fn removable(mut self) -> Self {
        self.removable = true;
        self
    }

    /// The drive, which takes trims: flash does, and a disk that does so is a shingled one.
    #[must_use]
    pub fn trims(mut self, trims: Trims) -> Self {
        self.trims = trims;
        self
    }

    /// The drive, which does not rotate.
    #[must_use]
    pub fn flash(mut self) -> Self {
        self.flash = true;
        self
    }

    /// The drive in zones of so many bytes, host-managed.
    #[must_use]
    pub fn zones(mut self, bytes: u64) -> Self {
        self.zones = Some(bytes);
        self
    }

    /// The drive with this model.
    #[must_use]
    pub fn model(mut self, model: &str) -> Self {
        self.model = Some(model.to_owned());
        self
    }

    /// Name of the throttle group that holds the drive's speed.
    #[must_use]
    pub fn throttle_group(&self) -> String {
        format!("speed-{}", self.id)
    }

    /// The throttle group as QEMU's `object-add` wants it; without a speed it limits nothing.
    #[must_use]
    pub fn throttle_object(&self) -> Value {
        json!({ "qom-type": "throttle-group", "id": self.throttle_group(),
                "limits": { "bps-total": self.speed.unwrap_or(0), "bps-write": self.write_speed.unwrap_or(0) } })
    }

    /// Name of the drive's topmost block node.
    #[must_use]
    pub fn node(&self) -> String {
        format!("node-{}", self.id)
    }

    /// The block node as `blockdev-add` wants it.
    #[must_use]
    pub fn blockdev(&self) -> Value {
        let path = |p: &Path| p.display().to_string();
        let cache = json!({ "no-flush": true });
        let discard = self.discard();
        let bytes = match &self.source {
            // A file's flushes stop at the host's page cache: the host does not lose power in a test.
            Source::Raw(p) => json!({ "driver": "raw", "read-only": self.read_only, "cache": cache, "discard": discard,
                "file": { "driver": "file", "filename": path(p), "read-only": self.read_only, "cache": cache,
                    "discard": discard } }),
            Source::Qcow2(p) => {
                json!({ "driver": "qcow2", "read-only": self.read_only, "cache": cache, "discard": discard,
                "file": { "driver": "file", "filename": path(p), "read-only": self.read_only, "cache": cache,
                    "discard": discard } })
            }
            Source::Nbd(p) => json!({ "driver": "nbd", "read-only": self.read_only, "discard": discard,
                "server": { "type": "unix", "path": path(p) } }),
        };
        json!({ "driver": "throttle", "node-name": self.node(), "read-only": self.read_only,
                "discard": discard, "throttle-group": self.throttle_group(), "file": self.failing(bytes) })
    }

    /// What each of its block nodes does with a trim: one that ignores it passes none on.
    fn discard(&self) -> &'static str {
        match self.trims {
            Trims::Done => "unmap",
            Trims::Unknown | Trims::Ignored => "ignore",
        }
    }

    /// These bytes below the drive's defects; without any, as they are.
    fn failing(&self, bytes: Value) -> Value {
        if self.defects.is_empty() {
            return bytes;
        }
        let rule = |defect: &Defect| {
            json!({ "event": "none", "iotype": if defect.writes { "write" } else { "read" },
                "sector": defect.sector, "errno": libc::EIO, "once": defect.once })
        };
        let rules: Vec<Value> = self.defects.iter().map(rule).collect();
        json!({ "driver": "blkdebug", "read-only": self.read_only, "discard": self.discard(), "image": bytes,
                "inject-error": rules })
    }

    /// The namespace of an NVMe drive in zones as `device_add` wants it, behind its device; other drives have theirs in that.
    #[must_use]
    pub fn namespace(&self) -> Option<Value> {
        let zone = self.zones?;
        let namespace = json!({ "driver": "nvme-ns", "id": format!("{}-zones", self.id), "bus": self.id,
            "drive": self.node(), "zoned": true, "zoned.zone_size": zone });
        Some(namespace)
    }

    /// The device as `device_add` wants it, on port `port` of its bus (SATA, NVMe and virtio have one drive a port).
    #[must_use]
    pub fn device(&self, port: usize) -> Value {
        let mut device = match self.bus {
            Bus::Sata => json!({ "driver": "ide-hd", "bus": format!("ahci.{port}") }),
            Bus::Scsi => json!({ "driver": "scsi-hd", "bus": "scsi.0", "rerror": "report", "werror": "report" }),
            Bus::Nvme => json!({ "driver": "nvme", "bus": format!("port{port}") }),
            Bus::Usb => json!({ "driver": "usb-storage", "bus": "xhci.0" }),
            Bus::Virtio => json!({ "driver": "virtio-blk-pci", "bus": format!("port{port}"),
                                   "rerror": "report", "werror": "report" }),
        };
        device["id"] = json!(self.id);
        if self.zones.is_none() {
            device["drive"] = json!(self.node());
        }
        if matches!(self.bus, Bus::Sata | Bus::Scsi) {
            device["rotation_rate"] = json!(if self.flash { NO_ROTATION } else { 7200 });
            if self.trims == Trims::Unknown {
                device["discard_granularity"] = json!(0);
            }
        }
        device["serial"] = json!(self.serial);
        if let (Some(wwn), Bus::Sata | Bus::Scsi) = (self.wwn, self.bus) {
            device["wwn"] = json!(wwn);
        }
        match (self.bus, &self.model) {
            (Bus::Sata, Some(model)) => device["model"] = json!(model),
            (Bus::Scsi, Some(model)) => device["product"] = json!(model),
            _ => {}
        }
        if self.removable {
            device["removable"] = json!(true);
        }
        if let Some(index) = self.boot_index {
            device["bootindex"] = json!(index);
        }
        device
    }
}

/// The nominal rotation rate of what does not rotate. Source: ACS-5 §7.13.6, SBC-4 §6.6.2.
const NO_ROTATION: u16 = 1;

/// A world-wide name for a serial: NAA 5, a vendor of our own, FNV-1a of the serial.
fn wwn_of(serial: &str) -> u64 {
    let hash = serial.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
        (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
    });
    0x5001_b440_0000_0000 | (hash & 0xf_ffff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(bus: Bus) -> Drive {
        Drive::new(bus, "ST0001", Source::Raw("/x".into()))
    }

    #[test]
    fn a_wwn_is_a_naa_5_name_and_differs_between_serials() {
        let (a, b) = (wwn_of("A"), wwn_of("B"));
        assert_eq!((a >> 60, b >> 60), (5, 5));
        assert_ne!(a, b);
    }

    #[test]
    fn only_the_buses_that_know_one_carry_a_wwn() {
        for (bus, has) in [
            (Bus::Sata, true),
            (Bus::Scsi, true),
            (Bus::Nvme, false),
            (Bus::Usb, false),
            (Bus::Virtio, false),
        ] {
            assert_eq!(raw(bus).device(0).get("wwn").is_some(), has, "{bus:?}");
        }
    }

    #[test]
    fn a_trim_reaches_every_layer_or_none_and_a_disk_takes_none_unless_it_is_said() {
        let discards = |drive: &Drive| {
            let node = drive.blockdev();
            [&node, &node["file"], &node["file"]["file"]].map(|layer| layer["discard"].clone())
        };
        let plain = raw(Bus::Sata);
        assert_eq!(discards(&plain), [json!("ignore"), json!("ignore"), json!("ignore")]);
        assert_eq!(plain.device(0)["discard_granularity"], 0);
        let takes = raw(Bus::Sata).trims(Trims::Done);
        assert_eq!(discards(&takes), [json!("unmap"), json!("unmap"), json!("unmap")]);
        let [takes, flash] = [takes.clone(), takes.flash()].map(|drive| drive.device(0));
        assert_eq!(
            (takes.get("discard_granularity"), &takes["rotation_rate"]),
            (None, &json!(7200))
        );
        assert_eq!(flash["rotation_rate"], NO_ROTATION);
    }

    #[test]
    fn a_drive_in_zones_has_its_bytes_in_its_namespace() {
        let drive = raw(Bus::Nvme).zones(4 << 20);
        assert_eq!((drive.device(0).get("drive"), raw(Bus::Nvme).namespace()), (None, None));
        let space = drive
            .namespace()
            .map(|space| (space["bus"].clone(), space["drive"].clone()));
        assert_eq!(space, Some((json!("st0001"), json!("node-st0001"))));
    }

    #[test]
    fn write_protection_reaches_every_layer() {
        let node = raw(Bus::Scsi).read_only().blockdev();
        assert_eq!(
            (
                &node["read-only"],
                &node["file"]["read-only"],
                &node["file"]["file"]["read-only"]
            ),
            (&json!(true), &json!(true), &json!(true))
        );
    }
}
