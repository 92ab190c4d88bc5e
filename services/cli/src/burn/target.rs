//! From what a person typed to devices: a path, a serial number, a WWN, or a model that exactly one drive has.

use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use drive::System;
use drive::guard::Refusal;
use drive::no_size::NoSize;
use drive::sysfs::{self, DevNum, Device};

use super::Stop;

/// One device that was asked for.
#[derive(Debug)]
pub(super) struct Target {
    /// The word that asked for it.
    pub word: String,
    /// Its node.
    pub node: PathBuf,
    /// The device as the kernel describes it, or why it cannot be one.
    pub device: Result<Device, NoDevice>,
}

/// Why a path is no drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoDevice {
    NotABlockDevice,
    Partition(DevNum),
    Unknown(DevNum),
    NoSize(DevNum, NoSize),
}

impl NoDevice {
    pub(super) fn refusal(self, node: &Path) -> Refusal {
        match self {
            Self::NotABlockDevice => Refusal::NotABlockDevice { node: node.to_owned() },
            Self::Partition(number) => Refusal::NotAWholeDisk { number },
            Self::Unknown(number) => Refusal::Gone { number },
            Self::NoSize(number, why) => Refusal::NoSize { number, why },
        }
    }
}

impl Target {
    /// Whether `id` names this drive: serial or WWN; a loop device by its path.
    pub(super) fn is_named(&self, id: &str) -> bool {
        let Ok(device) = &self.device else {
            return Path::new(id) == self.node;
        };
        is_named(device, id)
    }

    /// What to give to `--yes-erase`.
    pub(super) fn id(&self) -> String {
        match &self.device {
            Ok(device) if !device.identity.serial.is_empty() => device.identity.serial.clone(),
            Ok(device) => device
                .identity
                .wwn
                .clone()
                .unwrap_or_else(|| self.node.display().to_string()),
            Err(_) => self.node.display().to_string(),
        }
    }
}

/// Whether `id` is this drive's serial or WWN; of a loop device its path.
pub(super) fn is_named(device: &Device, id: &str) -> bool {
    let identity = &device.identity;
    let wwn = identity.wwn.as_deref().is_some_and(|wwn| same_wwn(wwn, id));
    // A path is one as it is written.
    let serial = match identity.serial.starts_with('/') {
        true => identity.serial == id,
        false => !identity.serial.is_empty() && identity.serial.eq_ignore_ascii_case(id.trim()),
    };
    wwn || serial
}

/// A drive that was asked for by this word.
#[cfg(test)]
pub(super) fn made_up(word: &str, model: &str, serial: &str, wwn: &str) -> Target {
    use wire::drive::{Bus, Rotation};
    let capacity = wire::Bytes(1 << 30);
    let device = Device {
        name: "sdx".into(),
        syspath: String::new(),
        number: DevNum { major: 8, minor: 16 },
        sequence: 1,
        identity: drive::Identity {
            id: wire::DriveId::from_wwn(wwn),
            model: model.into(),
            serial: serial.into(),
            wwn: Some(wwn.into()),
            capacity,
            logical_sector: 512,
            bus: Bus::Sata,
        },
        physical_sector: 512,
        rotation: Rotation::Unknown,
        link_mbps: None,
        shingled: None,
        beside: wire::Bytes(0),
        host_managed: false,
        location: String::new(),
        removable: false,
        read_only: false,
        partitions: Vec::new(),
    };
    Target {
        word: word.into(),
        node: "/dev/sdx".into(),
        device: Ok(device),
    }
}

/// Also as the name that udev gives it in `/dev/disk/by-id`: `wwn-0x5000c500a1b2c3d4`.
fn same_wwn(wwn: &str, typed: &str) -> bool {
    let typed = typed.strip_prefix("wwn-").unwrap_or(typed);
    wire::DriveId::from_wwn(typed).is_some_and(|id| Some(id) == wire::DriveId::from_wwn(wwn))
}

/// Finds each target; an unknown, ambiguous or repeated one is a usage error.
pub(super) fn resolve(system: &System, names: &[String]) -> Result<Vec<Target>, Stop> {
    let mut all = None;
    let mut targets: Vec<Target> = Vec::new();
    for name in names {
        let target = if is_path(name) {
            by_path(system, name)?
        } else {
            by_name(system, name, all.get_or_insert_with(|| sysfs::walk(system)))?
        };
        let same = |other: &Target| match (&other.device, &target.device) {
            (Ok(a), Ok(b)) => a.number == b.number,
            _ => other.node == target.node,
        };
        if targets.iter().any(same) {
            return Err(Stop::Usage(format!("{name} is named twice")));
        }
        targets.push(target);
    }
    Ok(targets)
}

/// Whether this word is a path and no name: card readers call themselves `SD/MMC`.
pub(super) fn is_path(name: &str) -> bool {
    name.contains('/') && (name.starts_with(['/', '.']) || Path::new(name).exists())
}

fn by_path(system: &System, name: &str) -> Result<Target, Stop> {
    let node = PathBuf::from(name);
    let meta = std::fs::metadata(&node).map_err(|e| Stop::Usage(format!("{name}: {e}")))?;
    let number = DevNum::from_raw(meta.rdev());
    let device = if !meta.file_type().is_block_device() {
        Err(NoDevice::NotABlockDevice)
    } else if sysfs::is_partition(system, number) {
        Err(NoDevice::Partition(number))
    } else {
        sysfs::read_number(system, number).ok_or_else(|| match NoSize::of_number(system, number) {
            Some(why) => NoDevice::NoSize(number, why),
            None => NoDevice::Unknown(number),
        })
    };
    Ok(Target {
        word: name.to_owned(),
        node,
        device,
    })
}

fn by_name(system: &System, name: &str, all: &[Device]) -> Result<Target, Stop> {
    // A variable of the shell's that is not set: each model contains nothing.
    if name.trim().is_empty() {
        return Err(Stop::Usage("a drive's name is empty".to_owned()));
    }
    let pick = |matches: &dyn Fn(&Device) -> bool| all.iter().filter(|d| matches(d)).collect::<Vec<_>>();
    let exact = pick(&|d| is_named(d, name));
    let lower = name.to_lowercase();
    let whole = || pick(&|d| d.identity.model.to_lowercase() == lower);
    let part = || pick(&|d| d.identity.model.to_lowercase().contains(&lower));
    let found = [exact, whole(), part()].into_iter().find(|found| !found.is_empty());
    let found = found.unwrap_or_default();
    match found.as_slice() {
        [] => Err(Stop::Usage(format!(
            "no drive has the serial number, WWN or model {name:?}; {}",
            present(all)
        ))),
        // Several of one identity are refused by the guard, which says so.
        [device, twins @ ..] if twins.iter().all(|twin| is_twin(device, twin)) => Ok(Target {
            word: name.to_owned(),
            node: sysfs::node(system, &device.name),
            device: Ok((*device).clone()),
        }),
        several => {
            let names: Vec<String> = several.iter().map(|device| words(device)).collect();
            Err(Stop::Usage(format!(
                "{name:?} fits {} drives: {}; name one by its serial number",
                several.len(),
                names.join(", ")
            )))
        }
    }
}

fn is_twin(device: &Device, other: &Device) -> bool {
    device.identity.id.is_some() && device.identity.id == other.identity.id
}

/// Drives that are listed where none has the name: more fill the screen, and the word that was mistyped leaves it.
const LISTED: usize = 10;

/// What drives there are.
fn present(all: &[Device]) -> String {
    if all.is_empty() {
        return "there is none here at all".to_owned();
    }
    let names: Vec<String> = all.iter().take(LISTED).map(words).collect();
    let more = match all.len() - names.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("there is: {}{more}", names.join(", "))
}

/// A drive by what names it, and where it is.
fn words(device: &Device) -> String {
    format!("{} {}", device.identity.words(), device.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drive(model: &str, serial: &str, wwn: &str, number: u32) -> Device {
        let made_up = made_up("", model, serial, wwn).device;
        let device = made_up.unwrap_or_else(|no| panic!("{no:?}"));
        Device {
            name: format!("sd{number}"),
            number: DevNum {
                major: 8,
                minor: number,
            },
            ..device
        }
    }

    /// The serial of the drive that a word names, or what is told instead.
    fn named(word: &str, all: &[Device]) -> Result<String, String> {
        match by_name(&System::default(), word, all) {
            Ok(target) => {
                assert_eq!(target.word, word);
                let device = target.device.map_err(|no| format!("{no:?}"))?;
                assert!(target.node.ends_with(&device.name));
                Ok(device.identity.serial)
            }
            Err(Stop::Usage(why)) => Err(why),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_drive_is_named_by_serial_wwn_or_a_model_that_no_other_has() {
        let all = [
            drive("HGST HUS726040ALE610", "K3G1AB", "5000cca2aabbccd0", 0),
            drive("ST4000VN008-2DR166", "ZDH1111A", "5000c500aaaaaaa1", 1),
            drive("ST4000VN008-2DR166", "ZDH2222B", "5000c500aaaaaaa2", 2),
            // Its model is the beginning of another's, and its serial a part of one.
            drive("ST4000VN008", "1111A", "5000c500aaaaaaa3", 3),
        ];
        for (word, serial) in [
            ("K3G1AB", "K3G1AB"),
            ("k3g1ab", "K3G1AB"),
            (" ZDH1111A ", "ZDH1111A"),
            ("1111A", "1111A"),
            ("5000c500aaaaaaa2", "ZDH2222B"),
            ("0x5000C500AAAAAAA2", "ZDH2222B"),
            ("wwn-0x5000c500aaaaaaa2", "ZDH2222B"),
            ("HGST HUS726040ALE610", "K3G1AB"),
            ("hus726040", "K3G1AB"),
            ("ST4000VN008", "1111A"),
        ] {
            assert_eq!(named(word, &all), Ok(serial.to_owned()), "{word}");
        }
        for word in ["ST4000VN008-2DR166", "ST4000", "st4000vn008-"] {
            let why = named(word, &all).expect_err(word);
            assert!(why.contains("name one by its serial number"), "{why}");
            assert!(why.contains("ZDH1111A") && why.contains("ZDH2222B"), "{why}");
        }
        // A part of a serial or of a WWN names nothing: the next drive may have it, too.
        for word in ["ZDH1111", "5000c500aaaaaaa", "K3G1ABC"] {
            assert!(
                named(word, &all).is_err_and(|why| why.starts_with("no drive has")),
                "{word}"
            );
        }
        assert!(named(" ", &all).is_err_and(|why| why.contains("empty")));
    }

    #[test]
    fn a_model_with_a_slash_is_no_path() {
        for (word, want) in [
            ("Generic- SD/MMC", false),
            ("sm/xd-picture", false),
            ("ST4000VN008", false),
            // Also where nothing is there: it tells so.
            ("/dev/no-such-disk", true),
            ("./no/such/image", true),
            ("../no/such/image", true),
            ("src/burn", true),
        ] {
            assert_eq!(is_path(word), want, "{word}");
        }
        let all = [
            drive("Generic- SD/MMC", "058F63666485", "5000c500aaaaaaa1", 0),
            drive("Generic- MS/MS-Pro", "058F63666486", "5000c500aaaaaaa2", 1),
        ];
        assert_eq!(named("Generic- SD/MMC", &all), Ok("058F63666485".to_owned()));
        assert_eq!(named("ms/ms-pro", &all), Ok("058F63666486".to_owned()));
    }

    /// Two paths to one drive, or a forged twin: whoever guards them says so, with all that it knows of them.
    #[test]
    fn of_two_devices_with_one_identity_the_first_is_handed_on() {
        let twins = [1, 2].map(|n| drive("HGST HUS726040ALE610", "K3G1AB", "5000cca2aabbccd0", n));
        assert_eq!(named("K3G1AB", &twins), Ok("K3G1AB".to_owned()));
        let strangers = [
            drive("HGST HUS726040ALE610", "K3G1AB", "5000cca2aabbccd0", 1),
            drive("WDC WD40EFRX", "K3G1AB", "50014ee2aabbccd0", 2),
        ];
        let why = named("K3G1AB", &strangers).expect_err("two drives");
        assert!(why.starts_with("\"K3G1AB\" fits 2 drives"), "{why}");
    }

    #[test]
    fn a_name_that_no_drive_has_is_told_with_those_that_there_are() {
        let told = |count: u32| {
            let all: Vec<Device> = (0..count)
                .filter_map(|n| {
                    made_up("", "HGST HUS726040", &format!("V{n}"), "5000c500a1b2c3d4")
                        .device
                        .ok()
                })
                .collect();
            match by_name(&System::default(), "V6X", &all) {
                Err(Stop::Usage(why)) => why,
                other => panic!("{other:?}"),
            }
        };
        assert!(
            told(0).ends_with("model \"V6X\"; there is none here at all"),
            "{}",
            told(0)
        );
        assert!(
            told(2).ends_with("there is: HGST HUS726040 V0 (1.07 GB) sdx, HGST HUS726040 V1 (1.07 GB) sdx"),
            "{}",
            told(2)
        );
        assert!(told(10).contains("V9") && !told(10).contains("more"), "{}", told(10));
        assert!(
            !told(13).contains("V10") && told(13).ends_with(" and 3 more"),
            "{}",
            told(13)
        );
    }
}
