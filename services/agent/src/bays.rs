//! Where each drive is, or was last: bay and path, kept over restarts.
//!
//! So a drive that was pulled can still be looked for: where it is missed, people are told where it sat. A person names a bay
//! by the drive in it; what a bay is called then is `drive::locate`'s.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use drive::locate::{Bays, Place};
use store::{Pending, Store, Table};
use wire::DriveId;

/// All bays, under `bays`.
pub const BAYS: Table<String, Bays> = Table::new("bays");

/// The bays of this box; clones share them.
#[derive(Clone, Debug)]
pub struct BayBook {
    store: Store,
    bays: Arc<Mutex<Bays>>,
}

impl BayBook {
    /// What was known.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn open(store: Store) -> store::Result<Self> {
        let bays = store.read(|r| BAYS.get(r, "bays"))?.unwrap_or_default();
        let bays = Arc::new(Mutex::new(bays));
        Ok(Self { store, bays })
    }

    /// A drive was seen at a place; news are written down.
    pub fn saw(&self, place: &Place, drive: &DriveId) {
        let mut bays = self.bays();
        if bays.saw(place, drive) {
            self.keep(&bays).forget();
        }
    }

    /// Names the bay where the drive is or was last; an empty name takes the name away. `None` where nobody knows the bay.
    pub fn name(&self, drive: &DriveId, name: &str) -> Option<Pending<()>> {
        let mut bays = self.bays();
        let path = bays.of(drive)?.0.to_owned();
        bays.name(&path, name);
        Some(self.keep(&bays))
    }

    /// What a person called the bay where the drive is or was last.
    pub fn named(&self, drive: &DriveId) -> Option<String> {
        let bays = self.bays();
        let (_, bay) = bays.of(drive)?;
        bay.name.clone().filter(|_| bay.by_person)
    }

    /// Where the drive is or was last, to follow a sentence; empty where nobody knows.
    pub fn words(&self, drive: &DriveId) -> String {
        match self.bays().of(drive) {
            Some((path, bay)) => match &bay.name {
                Some(name) => format!("; it was last seen in bay {name} ({path})"),
                None => format!("; it was last seen at {path}"),
            },
            None => String::new(),
        }
    }

    /// A place where a drive came to, to follow a sentence; empty where nothing tells one.
    pub fn words_at(&self, place: &Place) -> String {
        let path = &place.path;
        let bays = self.bays();
        let named = bays
            .at(path)
            .filter(|bay| bay.by_person)
            .and_then(|bay| bay.name.as_ref());
        match named.or(place.bay.as_ref()) {
            _ if path.is_empty() => String::new(),
            Some(name) => format!(" at bay {name} ({path})"),
            None => format!(" at {path}"),
        }
    }

    /// Under the lock, so that what was said last is written last.
    fn keep(&self, bays: &Bays) -> Pending<()> {
        let bays = bays.clone();
        self.store.write(move |w| BAYS.put(w, "bays", &bays))
    }

    fn bays(&self) -> MutexGuard<'_, Bays> {
        self.bays.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use store::{Check, Options};

    use super::*;

    fn book(dir: &std::path::Path) -> BayBook {
        let options = Options {
            check: Check::InProcess,
            ..Options::new(&["bays"])
        };
        BayBook::open(store::open(dir, &options).unwrap().store).unwrap()
    }

    #[test]
    fn a_drive_that_was_pulled_is_known_by_its_bay_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let open = || book(dir.path());
        let drive = DriveId::parse("wwn-5000c500a1b2c3d4").unwrap();
        let place = Place {
            path: "pci-0000:03:00.0-sas-phy3".into(),
            bay: Some("Slot 03".into()),
        };
        let book = open();
        assert_eq!(book.words(&drive), "");
        assert_eq!(book.words_at(&place), " at bay Slot 03 (pci-0000:03:00.0-sas-phy3)");
        book.saw(&place, &drive);
        drop(book);
        assert_eq!(
            open().words(&drive),
            "; it was last seen in bay Slot 03 (pci-0000:03:00.0-sas-phy3)"
        );
    }

    #[test]
    fn a_bay_that_a_person_named_keeps_its_name_over_an_exchange_and_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let open = || book(dir.path());
        let [old, new] = ["wwn-5000c500a1b2c3d4", "wwn-5000c500a1b2c3d5"].map(|id| DriveId::parse(id).unwrap());
        let place = Place {
            path: "pci-0000:00:1f.2-ata-3".into(),
            bay: None,
        };
        let book = open();
        assert!(book.name(&old, "front").is_none(), "nobody knows where it sits");
        book.saw(&place, &old);
        assert_eq!(book.named(&old), None);
        assert_eq!(book.words_at(&place), " at pci-0000:00:1f.2-ata-3");
        book.name(&old, "front, second").unwrap().wait().unwrap();
        assert_eq!(
            book.words_at(&place),
            " at bay front, second (pci-0000:00:1f.2-ata-3)",
            "who comes there comes to the bay that a person named"
        );
        let nowhere = Place {
            path: String::new(),
            bay: None,
        };
        assert_eq!(book.words_at(&nowhere), "");
        book.saw(&place, &new);
        drop(book);
        let book = open();
        assert_eq!(book.named(&new).as_deref(), Some("front, second"));
        assert_eq!(book.named(&old), None);
        book.name(&new, "").unwrap().wait().unwrap();
        assert_eq!(book.named(&new), None);
    }
}
