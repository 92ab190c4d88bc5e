//! Whose locate light this box may have on, kept over restarts: an agent that was killed put none out, and a shelf with a supply of its
//! own shines on while the box is without one. What an earlier agent left on is put out once its slot is there, whatever drive sits in
//! it by then; where no enclosure tells a slot, once its drive is seen. How is [`super::locate`]'s.

use std::collections::{BTreeMap, BTreeSet};

use drive::locate::Slot;
use store::{Pending, Store, Table};
use wire::DriveId;
use wire::drive::Drive;

/// Lights that were turned on and not out again, by [`key`]: each with its slot, or with none where no enclosure tells one. Versions that
/// knew no slots wrote all of them so.
pub(crate) const LIT: Table<String, Option<Slot>> = Table::new("lit");

/// Which lights may be on.
#[derive(Debug)]
pub(super) struct Lit {
    store: Store,
    /// Of an earlier agent, and not touched since, by key.
    left: BTreeMap<String, Option<Slot>>,
    /// Slots of an earlier agent that are being put out.
    darkening: BTreeSet<Slot>,
}

impl Lit {
    /// What an earlier agent left on.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(super) fn open(store: Store) -> store::Result<Self> {
        let left = store.read(|r| LIT.all(r))?.into_iter().collect();
        let darkening = BTreeSet::new();
        Ok(Self { store, left, darkening })
    }

    /// The light of a drive in a slot is about to be turned, on or out; what is on is written down before.
    pub(super) fn turns(&mut self, drive: &DriveId, slot: Option<&Slot>, on: bool) -> Option<Pending<()>> {
        self.left.remove(&drive.to_string());
        let (key, slot) = (key(drive, slot), slot.cloned());
        self.left.remove(&key);
        on.then(|| self.store.write(move |w| LIT.put(w, &key, &slot)))
    }

    /// The light of a drive in a slot is out, as far as it can be put out.
    pub(super) fn is_out(&self, drive: &DriveId, slot: Option<&Slot>) {
        let keys = [drive.to_string(), key(drive, slot)];
        self.store
            .write(move |w| keys.iter().try_for_each(|key| LIT.delete(w, key).map(drop)))
            .forget();
    }

    /// The drives in the list whose light an earlier agent left on, in no slot that is known.
    pub(super) fn left_on(&self, list: &[Drive]) -> Vec<DriveId> {
        let present = list.iter().filter(|drive| drive.present);
        let ids = present.filter_map(|drive| drive.id.clone());
        ids.filter(|id| matches!(self.left.get(&id.to_string()), Some(None)))
            .collect()
    }

    /// The slots that an earlier agent left lit and that are there; each is told once, and is being put out from then on.
    pub(super) fn darken(&mut self, is_there: impl Fn(&Slot) -> bool) -> Vec<Slot> {
        let left = self.left.values().flatten();
        let found: Vec<Slot> = left.filter(|slot| is_there(slot)).cloned().collect();
        self.left
            .retain(|_, slot| slot.as_ref().is_none_or(|slot| !found.contains(slot)));
        self.darkening.extend(found.iter().cloned());
        found
    }

    /// Whether the light in this slot is being put out for an earlier agent.
    pub(super) fn darkens(&self, slot: &Slot) -> bool {
        self.darkening.contains(slot)
    }

    /// A slot of an earlier agent is out, or took no order: then the next agent tries again.
    pub(super) fn darkened(&mut self, slot: &Slot, out: bool) {
        self.darkening.remove(slot);
        if out {
            let key = of_slot(slot);
            self.store.write(move |w| LIT.delete(w, &key)).forget();
        }
    }
}

/// What a light is kept by.
fn key(drive: &DriveId, slot: Option<&Slot>) -> String {
    slot.map_or_else(|| drive.to_string(), of_slot)
}

/// No drive's id begins so.
fn of_slot(slot: &Slot) -> String {
    format!("slot {} {}", slot.enclosure, slot.name)
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
            lit.turns(id, None, true).unwrap().wait().unwrap();
        }
        lit.is_out(&ids[2], None);
        assert!(lit.left_on(&list).is_empty(), "they are this one's own");
        drop(lit);
        let mut lit = open(dir.path());
        assert_eq!(lit.left_on(&list), ids[..2]);
        assert_eq!(lit.left_on(&list[1..]), ids[1..2], "the other one is away");
        let mut away = list.clone();
        away[1].present = false;
        assert_eq!(lit.left_on(&away), ids[..1]);
        assert!(lit.turns(&ids[0], None, false).is_none());
        lit.is_out(&ids[0], None);
        assert_eq!(lit.left_on(&list), ids[1..2]);
        drop(lit);
        assert_eq!(open(dir.path()).left_on(&list), ids[1..2]);
    }

    fn slot(name: &str) -> Slot {
        Slot {
            enclosure: "500304800000aaaa".into(),
            name: name.into(),
        }
    }

    /// Two drives were exchanged while the power was off: the light is the slot's, and not the drive's new one's.
    #[test]
    fn a_light_that_was_left_on_in_a_slot_is_put_out_there_whatever_drive_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let list = drives(2);
        let ids: Vec<DriveId> = list.iter().filter_map(|drive| drive.id.clone()).collect();
        let mut lit = open(dir.path());
        for (id, name) in ids.iter().zip(["Slot 01", "Slot 03"]) {
            lit.turns(id, Some(&slot(name)), true).unwrap().wait().unwrap();
        }
        assert!(lit.darken(|_| true).is_empty(), "they are this one's own");
        drop(lit);
        let mut lit = open(dir.path());
        assert!(lit.left_on(&list).is_empty());
        assert!(lit.darken(|_| false).is_empty(), "the shelf is not there yet");
        // Somebody lights what sits in slot 03 now, which is nobody's left any more.
        assert!(lit.turns(&ids[0], Some(&slot("Slot 03")), false).is_none());
        assert_eq!(lit.darken(|_| true), [slot("Slot 01")]);
        assert!(lit.darkens(&slot("Slot 01")) && !lit.darkens(&slot("Slot 03")));
        assert!(lit.darken(|_| true).is_empty(), "it is told once");
        // It took no order: the next agent tries again.
        lit.darkened(&slot("Slot 01"), false);
        lit.is_out(&ids[0], Some(&slot("Slot 03")));
        drop(lit);
        let mut lit = open(dir.path());
        assert_eq!(lit.darken(|_| true), [slot("Slot 01")]);
        lit.darkened(&slot("Slot 01"), true);
        assert!(!lit.darkens(&slot("Slot 01")));
        drop(lit);
        assert!(open(dir.path()).darken(|_| true).is_empty());
    }

    #[test]
    fn what_a_version_wrote_that_knew_no_slots_is_put_out_by_its_drive() {
        let dir = tempfile::tempdir().unwrap();
        let list = drives(1);
        let id = list[0].id.clone().unwrap();
        let old: Table<String, ()> = Table::new(LIT.name());
        let key = id.to_string();
        let write = open(dir.path()).store.write(move |w| old.put(w, &key, &()));
        write.wait().unwrap();
        let mut lit = open(dir.path());
        assert_eq!(lit.left_on(&list), std::slice::from_ref(&id));
        // By then the drive's slot is known, and the row goes with it.
        lit.turns(&id, Some(&slot("Slot 01")), false);
        lit.is_out(&id, Some(&slot("Slot 01")));
        drop(lit);
        assert!(open(dir.path()).left.is_empty());
    }
}
