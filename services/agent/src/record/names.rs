//! Every name by which a drive was known in a job: what the kernel read, and what smartctl was told. Pure.
//!
//! A bridge hides the world wide name, and a drive that is plugged in directly has one: its id differs, its serial does not.

use std::collections::BTreeSet;

use certificate::revoke::have_two_names;
use drive::smart::own_serial;
use wire::DriveId;

use super::Record;

impl Record {
    /// Whether both jobs are of one drive, by any name that both know. Of two world wide names the serial that the kernel knows may be the
    /// dock's, unless the other drive told the same itself: as in the lists of certificates ([`have_two_names`]).
    pub fn is_of_the_drive_of(&self, other: &Record) -> bool {
        let share = |mine, theirs| !self.names(mine).is_disjoint(&other.names(theirs));
        match have_two_names(&self.job.drive, &other.job.drive) {
            true => share(false, true) || share(true, false),
            false => share(true, true),
        }
    }

    /// `by_kernel`: also by the serial that the kernel was told.
    fn names(&self, by_kernel: bool) -> BTreeSet<DriveId> {
        let snapshots = || [&self.smart_before, &self.smart_after].into_iter().flatten();
        let mut names = BTreeSet::from([self.job.drive.clone()]);
        names.extend(self.identity.id.clone());
        let wwns = snapshots().filter_map(|told| told.wwn.as_deref());
        names.extend(wwns.chain(self.identity.wwn.as_deref()).filter_map(DriveId::from_wwn));
        let capacities: BTreeSet<u64> = snapshots()
            .filter_map(|told| told.capacity)
            .chain([self.job.capacity.0])
            .collect();
        let serials = snapshots().filter_map(|told| own_serial(told, self.identity.bus));
        // What a dock tells by its own number is no name of the drive in it, once the drive has told another one.
        let told: Vec<&str> = serials.collect();
        let kernel = [self.identity.serial.as_str(), self.job.serial.as_str()];
        let kernel = kernel.into_iter().filter(|serial| {
            let same = |other: &&str| other.trim().eq_ignore_ascii_case(serial.trim());
            by_kernel && told.is_empty() || told.iter().any(same)
        });
        for serial in told.iter().copied().chain(kernel) {
            // Bridges tell models of their own. A serial that says nothing is no name.
            let name = |capacity: &u64| DriveId::from_serial("", &serial.to_ascii_uppercase(), *capacity);
            names.extend(capacities.iter().filter_map(name));
        }
        names
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use drive::smart::{Protocol, Snapshot};
    use wire::drive::Bus;

    use super::*;
    use crate::record::tests::record;

    #[test]
    fn a_drive_is_the_same_one_behind_a_bridge() {
        let mut direct = record();
        direct.job.drive = DriveId::parse("wwn-5000c500a1b2c3d4").unwrap();
        direct.identity.id = Some(direct.job.drive.clone());
        direct.identity.wwn = Some("5000c500a1b2c3d4".into());
        (direct.identity.serial, direct.job.serial) = ("ZCT0ABCD".into(), "ZCT0ABCD".into());
        let bridged = |serial: &str, smart: Option<Snapshot>| {
            let mut record = record();
            record.job.model = "USB Bridge".into();
            record.identity.serial = serial.to_owned();
            record.job.serial = serial.to_owned();
            record.identity.id = DriveId::from_serial("USB Bridge", serial, record.job.capacity.0);
            record.job.drive = DriveId::parse("sn-USB_Bridge-1-2").unwrap();
            record.smart_before = smart;
            record
        };
        let told = |wwn: Option<&str>, serial: Option<&str>| {
            Some(Snapshot {
                wwn: wwn.map(Into::into),
                serial: serial.map(Into::into),
                ..Snapshot::default()
            })
        };
        for (other, want) in [
            (bridged("ZCT0ABCD", None), true),
            (bridged("zct0abcd", None), true),
            (bridged("000000000001", told(None, Some("ZCT0ABCD"))), true),
            (bridged("000000000001", told(Some("5 000c50 0a1b2c3d4"), None)), true),
            (bridged("ZCT0ABCE", None), false),
            (bridged("000000000001", told(None, None)), false),
        ] {
            assert_eq!(direct.is_of_the_drive_of(&other), want, "{:?}", other.identity);
            assert_eq!(other.is_of_the_drive_of(&direct), want);
        }
        let docked = |model: &str, serial: &str| {
            let mut record = bridged("DOCK12345678", told(None, Some(serial)));
            record.job.drive = DriveId::parse(&format!("sn-{model}-1-2")).unwrap();
            record.identity.id = Some(record.job.drive.clone());
            record
        };
        let (one, other) = (docked("WD", "WX11A1"), docked("ST", "ZCT0ABCE"));
        assert!(!one.is_of_the_drive_of(&other), "a dock's serial is no drive's name");
        assert!(one.is_of_the_drive_of(&docked("WD", "wx11a1")));
        let named = |wwn: &str, serial: Option<&str>| {
            let mut record = bridged("DOCK12345678", serial.and_then(|serial| told(None, Some(serial))));
            record.job.drive = DriveId::from_wwn(wwn).unwrap();
            record.identity.id = Some(record.job.drive.clone());
            record
        };
        let (one, other) = ("5000c500a1b2c3d4", "5000c500a1b2c3d5");
        assert!(!named(one, None).is_of_the_drive_of(&named(other, None)));
        assert!(!named(one, Some("WX11A1")).is_of_the_drive_of(&named(other, Some("WX11A2"))));
        assert!(named(one, Some("WX11A1")).is_of_the_drive_of(&named(other, Some("WX11A1"))));
        // As smartctl prints it where the dock translates no SMART: its own, of both bays.
        let translated = |wwn: &str, bus: Bus| {
            let mut record = named(wwn, Some("DOCK12345678"));
            record.identity.bus = bus;
            record.smart_after = record.smart_before.take().map(|told| Snapshot {
                protocol: Protocol::Scsi,
                ..told
            });
            record
        };
        assert!(!translated(one, Bus::Usb).is_of_the_drive_of(&translated(other, Bus::Usb)));
        assert!(translated(one, Bus::Scsi).is_of_the_drive_of(&translated(other, Bus::Scsi)));
        // A bridge with a name of its own that tells no SMART, and repeats the serial that the drive told elsewhere.
        let mut bridge = named(other, None);
        (bridge.identity.serial, bridge.job.serial) = ("WX11A1".into(), "WX11A1".into());
        for (one, want) in [(named(one, Some("wx11a1")), true), (named(one, Some("WX11A2")), false)] {
            assert_eq!(one.is_of_the_drive_of(&bridge), want, "{:?}", one.smart_before);
            assert_eq!(bridge.is_of_the_drive_of(&one), want, "{:?}", one.smart_before);
        }
        let mut smaller = bridged("ZCT0ABCD", None);
        smaller.job.capacity.0 += 1;
        assert!(!direct.is_of_the_drive_of(&smaller), "makers count their serials anew");
        let silent = |model: &str| {
            let mut record = bridged("0000000000", None);
            record.job.drive = DriveId::parse(&format!("sn-{model}-1-2")).unwrap();
            record.identity.id = None;
            record
        };
        assert!(
            !silent("a").is_of_the_drive_of(&silent("b")),
            "a serial that says nothing"
        );
    }
}
