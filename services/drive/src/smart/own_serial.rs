//! The serial number by which a drive names itself, and no dock. Pure; tested where jobs tell it, and are compared by it.

use wire::drive::Bus;

use super::{Protocol, Snapshot};

/// The serial in what smartctl told of a drive that is attached so; `None` where it is blank, or may be a dock's.
///
/// A dock that translates no SMART answers SCSI's own question by one serial for both of its bays, and smartctl prints that like a drive's.
pub fn own_serial(told: &Snapshot, bus: Bus) -> Option<&str> {
    let is_docks = bus == Bus::Usb && told.protocol == Protocol::Scsi;
    let serial = told.serial.as_deref().filter(|_| !is_docks).map(str::trim);
    serial.filter(|serial| !serial.is_empty())
}
