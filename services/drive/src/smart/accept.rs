//! Whether what smartctl told is of the drive that was asked for. Pure.
//!
//! | serial numbers | world wide names | |
//! |---|---|---|
//! | equal | | it is |
//! | cannot be compared | equal | it is |
//! | differ | equal | another one; behind USB it is: the kernel may know the bridge's serial alone |
//! | differ, or cannot be compared | differ, or not told | another one |
//!
//! The same name with another serial is another drive, since whole batches were made with one name. Serials cannot be compared where
//! one is missing, or has bytes that are no text: some SAS disks have twenty of any kind. The name of a SCSI drive is that of its
//! logical unit, as the kernel's is; behind USB it may be the bridge's own.

use wire::drive::Bus;

use super::{Protocol, Snapshot, Unreadable};
use crate::identity::Identity;

/// The snapshot, if it carries the expected serial or world wide name.
pub(super) fn accept(snapshot: Snapshot, expected: &Identity) -> Result<Snapshot, Unreadable> {
    let serials = Serials::of(snapshot.serial.as_deref().unwrap_or_default(), &expected.serial);
    let unit = snapshot
        .logical_unit
        .as_ref()
        .filter(|_| snapshot.protocol == Protocol::Scsi && expected.bus != Bus::Usb);
    let is_name = |told: &String| expected.wwn.as_ref().is_some_and(|wwn| wwn.eq_ignore_ascii_case(told));
    let same_name = snapshot.wwn.as_ref().is_some_and(is_name) || unit.is_some_and(is_name);
    let other_serial = serials == Serials::Differ && expected.bus != Bus::Usb;
    if serials == Serials::Equal || (same_name && !other_serial) {
        return Ok(snapshot);
    }
    let other_name = match (&snapshot.wwn, &expected.wwn) {
        (Some(found), Some(expected)) if found != expected => Some((found.clone(), expected.clone())),
        _ => None,
    };
    let certain = other_name.is_some() || other_serial;
    let (found, expected) = match other_name {
        Some(names) if !other_serial => names,
        _ => (snapshot.serial.unwrap_or_default(), expected.serial.clone()),
    };
    Err(Unreadable::OtherDrive {
        expected,
        found,
        certain,
    })
}

/// How two serial numbers of one drive, or two, go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Serials {
    Equal,
    Differ,
    /// One is missing, or what can be read of both says nothing against the other.
    Unclear,
}

impl Serials {
    /// By smartctl, and by the kernel. Both put `?` for each byte that is no text, or cut it off at an end; smartctl ends at the first
    /// NUL. Source: smartmontools `scsicmds.cpp`, `scsi_format_id_string`, and `json.cpp`.
    fn of(told: &str, known: &str) -> Self {
        // Serials are padded and cased differently on the way through translation layers.
        let plain = |text: &str| -> String {
            text.chars()
                .filter(char::is_ascii_alphanumeric)
                .map(|c| c.to_ascii_uppercase())
                .collect()
        };
        let (found, expected) = (plain(told), plain(known));
        let is_cut = |(at, _)| known.get(..at).is_some_and(|head| plain(head) == found);
        if found.is_empty() || expected.is_empty() {
            Self::Unclear
        } else if found == expected {
            Self::Equal
        } else if known.match_indices('?').any(is_cut) {
            Self::Unclear
        } else {
            Self::Differ
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use wire::Bytes;

    use super::*;

    const NAME: &str = "5000c500a1b2c3d4";

    fn disk(serial: &str, bus: Bus) -> Identity {
        Identity {
            id: None,
            model: "M".into(),
            serial: serial.into(),
            wwn: Some(NAME.into()),
            capacity: Bytes(1000),
            logical_sector: 512,
            bus,
        }
    }

    fn sas(serial: &str, unit: &str) -> Snapshot {
        Snapshot {
            protocol: Protocol::Scsi,
            serial: Some(serial.to_owned()).filter(|serial| !serial.is_empty()),
            logical_unit: Some(unit.to_owned()).filter(|unit| !unit.is_empty()),
            ..Snapshot::default()
        }
    }

    /// `None`: accepted; else whether another drive is certain.
    fn refused(told: Snapshot, expected: &Identity) -> Option<bool> {
        match accept(told, expected) {
            Ok(_) => None,
            Err(Unreadable::OtherDrive { certain, .. }) => Some(certain),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn a_sas_disk_whose_serial_is_no_text_is_known_by_its_name() {
        for (told, known) in [
            // All of it garbage, or blank: the kernel cuts it off at both ends.
            ("????????????????????", ""),
            ("", ""),
            ("", "Z1Z5DWJK"),
            ("Z1Z5DWJK", ""),
            ("????", "?"),
            // A NUL in its middle, where smartctl ends.
            ("Z1Z5", "Z1Z5?DWJK"),
            ("Z1?Z5", "Z1?Z5?DWJK"),
        ] {
            assert_eq!(
                refused(sas(told, NAME), &disk(known, Bus::Scsi)),
                None,
                "{told} {known}"
            );
            // By its name alone.
            for unit in ["5000c500ffffffff", ""] {
                assert_eq!(
                    refused(sas(told, unit), &disk(known, Bus::Scsi)),
                    Some(false),
                    "{told} {known}"
                );
            }
        }
        // What is left of it is compared as ever.
        assert_eq!(refused(sas("?Z1?Z5??", ""), &disk("Z1?Z5", Bus::Scsi)), None);
    }

    #[test]
    fn a_serial_that_can_be_read_and_differs_is_another_drive_whatever_its_name() {
        for (told, known) in [
            ("Z1Z5DWJK", "Z1Z5DWJL"),
            ("Z1Z5", "Z1Z5DWJK"),
            ("Z1Z5DWJK", "Z1Z5"),
            ("Z1Z5DWJK", "Z1Z5?DWJL"),
            ("Z1Z5DW", "Z1Z5?DWJL"),
            ("??A??", "??B??"),
        ] {
            let named = |wwn: Option<&str>, unit| Snapshot {
                wwn: wwn.map(str::to_owned),
                ..sas(told, unit)
            };
            for snapshot in [named(None, NAME), named(Some(NAME), ""), named(None, "")] {
                assert_eq!(refused(snapshot, &disk(known, Bus::Scsi)), Some(true), "{told} {known}");
            }
            // The bridge's serial.
            assert_eq!(refused(named(Some(NAME), ""), &disk(known, Bus::Usb)), None);
        }
    }

    /// It would be believed before the way to its drive was tried.
    #[test]
    fn a_bridges_logical_unit_is_not_its_drives() {
        assert_eq!(refused(sas("", NAME), &disk("", Bus::Usb)), Some(false));
        let ata = Snapshot {
            protocol: Protocol::Ata,
            ..sas("", NAME)
        };
        assert_eq!(refused(ata, &disk("", Bus::Scsi)), Some(false));
    }

    /// A serial as the kernel shows it ([`crate::vpd`]), and as smartctl does.
    fn shown(bytes: &[u8]) -> (String, String) {
        let mut page = vec![0, 0x80, 0, u8::try_from(bytes.len()).expect("short")];
        page.extend(bytes);
        let until_nul = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        let printed: String = until_nul
            .iter()
            .map(|byte| {
                if (b' '..=b'~').contains(byte) {
                    char::from(*byte)
                } else {
                    '?'
                }
            })
            .collect();
        (crate::vpd::serial(&page).unwrap_or_default(), printed.trim().to_owned())
    }

    proptest! {
        /// Of any bytes, and of two drives of one name whose serials are text and differ.
        #[test]
        fn a_drive_is_always_itself_and_never_another_that_can_be_told(
            bytes in prop::collection::vec(prop_oneof![Just(0_u8), Just(0xff), Just(b' '), b'0'..b'Z', any::<u8>()], 0..21),
            one in "[0-9A-Z]{8}",
            other in "[0-9A-Z]{8}",
        ) {
            let (known, told) = shown(&bytes);
            prop_assert_eq!(refused(sas(&told, NAME), &disk(&known, Bus::Scsi)), None, "{} {}", known, told);
            let ((known, _), (_, told)) = (shown(one.as_bytes()), shown(other.as_bytes()));
            let want = (one != other).then_some(true);
            prop_assert_eq!(refused(sas(&told, NAME), &disk(&known, Bus::Scsi)), want);
        }
    }
}
