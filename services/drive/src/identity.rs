//! Who a drive is, wherever it is plugged in.

use serde::{Deserialize, Serialize};
use wire::drive::Bus;
use wire::{Bytes, DriveId};

/// What names a drive and what must not change under a job.
///
/// The `id` is the world wide name, else model + serial + capacity ([`DriveId`]). Serial, capacity and sector size are
/// compared besides, so that a bridge that answers with another drive's name does not pass; the model is not, since a
/// bridge may put its own in front of a drive that it names rightly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The identity; `None` where the device has none that could be trusted.
    pub id: Option<DriveId>,
    /// Model as the drive tells it; empty when it tells none.
    pub model: String,
    /// Serial number as printed on the label; empty when unknown.
    pub serial: String,
    /// World wide name in lower-case hexadecimal digits, where the drive has one.
    pub wwn: Option<String>,
    /// Capacity that the drive claims, in bytes.
    pub capacity: Bytes,
    /// Logical sector size in bytes.
    pub logical_sector: u32,
    /// How it is attached now. Not part of who it is: a drive may move from SATA to USB.
    pub bus: Bus,
}

/// What differs between an expected and a found identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} is {found}, expected {expected}")]
pub struct Differs {
    /// Which part: `identity`, `serial`, `capacity`, `sector size`.
    pub what: &'static str,
    /// What the plan says.
    pub expected: String,
    /// What the device says.
    pub found: String,
}

impl Identity {
    /// Whether `found` is the same drive.
    ///
    /// # Errors
    /// The first part that differs. A missing identity on either side differs from everything.
    pub fn same_drive(&self, found: &Identity) -> Result<(), Differs> {
        let id = |id: &Option<DriveId>| id.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
        let differs = |what, expected: String, found: String| Err(Differs { what, expected, found });
        if self.id.is_none() || self.id != found.id {
            return differs("identity", id(&self.id), id(&found.id));
        }
        if self.serial != found.serial {
            return differs("serial", self.serial.clone(), found.serial.clone());
        }
        if self.capacity != found.capacity {
            return differs(
                "capacity",
                format!("{} bytes", self.capacity.0),
                format!("{} bytes", found.capacity.0),
            );
        }
        if self.logical_sector != found.logical_sector {
            return differs(
                "sector size",
                self.logical_sector.to_string(),
                found.logical_sector.to_string(),
            );
        }
        Ok(())
    }

    /// The drive in words, for a message: model, serial and size.
    pub fn words(&self) -> String {
        let model = if self.model.is_empty() { "drive" } else { &self.model };
        let serial = if self.serial.is_empty() {
            "without serial"
        } else {
            &self.serial
        };
        format!("{model} {serial} ({})", self.capacity)
    }
}
