//! Where each drive is, or was last: bay and path, kept over restarts.
//!
//! So a drive that was pulled can still be looked for. What a bay is called is `drive::locate`'s.

use drive::locate::{Bays, Place};
use store::{Store, Table};
use wire::DriveId;

/// All bays, under `bays`.
pub const BAYS: Table<String, Bays> = Table::new("bays");

/// The bays of this box.
#[derive(Debug)]
pub struct BayBook {
    store: Store,
    bays: Bays,
}

impl BayBook {
    /// What was known.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn open(store: Store) -> store::Result<Self> {
        let bays = store.read(|r| BAYS.get(r, "bays"))?.unwrap_or_default();
        Ok(Self { store, bays })
    }

    /// A drive was seen at a place; news are written down.
    pub fn saw(&mut self, place: &Place, drive: &DriveId) {
        if self.bays.saw(place, drive) {
            let bays = self.bays.clone();
            self.store.write(move |w| BAYS.put(w, "bays", &bays)).forget();
        }
    }

    /// Where the drive is or was last, as a sentence with a blank before it; empty where nobody knows.
    pub fn words(&self, drive: &DriveId) -> String {
        match self.bays.of(drive) {
            Some((path, bay)) => match &bay.name {
                Some(name) => format!(" It was last seen in bay {name} ({path})."),
                None => format!(" It was last seen at {path}."),
            },
            None => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use store::{Check, Options};

    use super::*;

    #[test]
    fn a_drive_that_was_pulled_is_known_by_its_bay_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let options = Options {
            check: Check::InProcess,
            ..Options::new(&["bays"])
        };
        let open = || BayBook::open(store::open(dir.path(), &options).unwrap().store).unwrap();
        let drive = DriveId::parse("wwn-5000c500a1b2c3d4").unwrap();
        let place = Place {
            path: "pci-0000:03:00.0-sas-phy3".into(),
            bay: Some("Slot 03".into()),
        };
        let mut book = open();
        assert_eq!(book.words(&drive), "");
        book.saw(&place, &drive);
        drop(book);
        assert_eq!(
            open().words(&drive),
            " It was last seen in bay Slot 03 (pci-0000:03:00.0-sas-phy3)."
        );
    }
}
