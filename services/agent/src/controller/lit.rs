//! Whose locate light this box may have on, kept over restarts: an agent that was killed put none out, and a shelf with a supply of its
//! own shines on while the box is without one. What an earlier agent left on is put out once its drive is seen. How is
//! [`super::locate`]'s.

use std::collections::BTreeSet;

use store::{Pending, Store, Table};
use wire::DriveId;
use wire::drive::Drive;

/// Drives whose light was turned on and not out again.
pub(crate) const LIT: Table<String, ()> = Table::new("lit");

/// Whose light may be on.
#[derive(Debug)]
pub(super) struct Lit {
    store: Store,
    /// Of an earlier agent, and not touched since.
    left: BTreeSet<DriveId>,
}

impl Lit {
    /// What an earlier agent left on.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(super) fn open(store: Store) -> store::Result<Self> {
        let rows = store.read(|r| LIT.all(r))?;
        let left = rows.iter().filter_map(|(key, ())| DriveId::parse(key).ok()).collect();
        Ok(Self { store, left })
    }

    /// A drive's light is about to be turned, on or out; what is on is written down before.
    pub(super) fn turns(&mut self, drive: &DriveId, on: bool) -> Option<Pending<()>> {
        self.left.remove(drive);
        let key = drive.to_string();
        on.then(|| self.store.write(move |w| LIT.put(w, &key, &())))
    }

    /// A drive's light is out, as far as it can be put out.
    pub(super) fn is_out(&self, drive: &DriveId) {
        let key = drive.to_string();
        self.store.write(move |w| LIT.delete(w, &key)).forget();
    }

    /// The drives in the list whose light an earlier agent left on.
    pub(super) fn left_on(&self, list: &[Drive]) -> Vec<DriveId> {
        let present = list.iter().filter(|drive| drive.present);
        let ids = present.filter_map(|drive| drive.id.clone());
        ids.filter(|id| self.left.contains(id)).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use store::{Check, Options};

    use super::*;
    use crate::vigil::shapes::tests::drives;

    fn open(dir: &std::path::Path) -> Lit {
        let options = Options {
            check: Check::InProcess,
            ..Options::new(&["lit"])
        };
        Lit::open(store::open(dir, &options).unwrap().store).unwrap()
    }

    #[test]
    fn what_an_earlier_agent_left_on_is_told_once_its_drive_is_seen_until_somebody_turns_it() {
        let dir = tempfile::tempdir().unwrap();
        let list = drives(3);
        let ids: Vec<DriveId> = list.iter().filter_map(|drive| drive.id.clone()).collect();
        let mut lit = open(dir.path());
        for id in &ids {
            lit.turns(id, true).unwrap().wait().unwrap();
        }
        lit.is_out(&ids[2]);
        assert!(lit.left_on(&list).is_empty(), "they are this one's own");
        drop(lit);
        let mut lit = open(dir.path());
        assert_eq!(lit.left_on(&list), ids[..2]);
        assert_eq!(lit.left_on(&list[1..]), ids[1..2], "the other one is away");
        let mut away = list.clone();
        away[1].present = false;
        assert_eq!(lit.left_on(&away), ids[..1]);
        assert!(lit.turns(&ids[0], false).is_none());
        lit.is_out(&ids[0]);
        assert_eq!(lit.left_on(&list), ids[1..2]);
        drop(lit);
        assert_eq!(open(dir.path()).left_on(&list), ids[1..2]);
    }
}
