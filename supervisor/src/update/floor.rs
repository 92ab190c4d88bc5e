//! What may not be undone by going back: keys that were replaced, and versions that have proven themselves on this box.
//!
//! The running system's own keys and version are not enough: after a fall-back (a file of the new slot went bad, a person
//! chose the other one) they are those of before, and whoever holds a key that was withdrawn could install anew. So the
//! rotations that a bundle brought are kept on DATA, as they were signed, and followed from the image's own keys each time:
//! a note that somebody has changed leads nowhere. So is the newest version that was kept. A factory reset forgets both.

use std::io;
use std::path::Path;

use bundle::{Head, KeySet, Manifest, Rotation, newer};
use serde::{Deserialize, Serialize};

use super::notes;
use super::writer::Refusal;
use crate::shell::log;

/// What this box has passed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Floor {
    /// The newest version that was kept; empty: none.
    version: String,
    /// Sets of keys that follow the image's own, each signed by the one before it.
    rotations: Vec<Rotation>,
}

impl Floor {
    pub(super) fn read(dir: &Path) -> Floor {
        notes::floor(dir).unwrap_or_default()
    }

    /// The keys that count: the image's own, and those that have replaced them since.
    pub(super) fn keys(&self, own: KeySet) -> KeySet {
        own.follow(&self.rotations).unwrap_or_else(|e| {
            log::warn(&format!("update: keys noted on DATA are not used: {e}"));
            own
        })
    }

    /// Whether a bundle that is signed as it must be would go back behind what this box has passed.
    ///
    /// # Errors
    /// It would, and nobody has asked for that.
    pub(super) fn admit(&self, m: &Manifest, (running, built): (&str, u64), downgrade: bool) -> Result<(), Refusal> {
        let same = !newer(running, &m.version) && !newer(&m.version, running);
        let text = if newer(&self.version, &m.version) {
            format!(
                "the update is version {}, older than {}, which has run on this box; going back has to be asked for",
                m.version, self.version
            )
        } else if same && m.built < built {
            format!(
                "the update is version {} like the system that runs, but was made before it; going back has to be asked for",
                m.version
            )
        } else {
            return Ok(());
        };
        if downgrade {
            Ok(())
        } else {
            Err(Refusal::new("older", text))
        }
    }

    /// Takes the room on DATA for all that is noted of a bundle with this head of so many bytes: before a slot is given away for what
    /// could never be switched to.
    ///
    /// # Errors
    /// DATA is full, or does not take it.
    pub(super) fn reserve(&self, dir: &Path, head: &Head, len: usize, downgrade: bool) -> Result<(), Refusal> {
        // What it has, and as much of the head as it may be given.
        let grows = downgrade || !head.rotations().is_empty();
        let own = serde_json::to_vec(self).map_or(0, |own| own.len());
        notes::reserve(dir, if grows { own + len } else { 0 }).map_err(|e| {
            Refusal::from(match e.kind() == io::ErrorKind::StorageFull {
                true => "DATA is full: there is no room to note the update, without which it could not be switched \
                    to, so the other system was left as it is. Remove old history or backups, or use a larger stick, and send it again"
                    .to_owned(),
                false => format!("taking the room for the update's note on DATA: {e}"),
            })
        })
    }

    /// A bundle was admitted: the keys that it brought are the ones that count from now on, whatever becomes of its system.
    ///
    /// # Errors
    /// DATA does not take the note.
    pub(super) fn admitted(mut self, dir: &Path, own: &KeySet, head: &Head) -> io::Result<()> {
        let now = self.keys(own.clone());
        let mut next = match own.follow(&self.rotations) {
            Ok(_) => self.rotations.clone(),
            Err(_) => Vec::new(),
        };
        let new = head.rotations().iter().filter(|r| r.set.version > now.version);
        next.extend(new.cloned());
        if own.follow(&next).is_ok_and(|k| k.version > now.version) {
            self.rotations = next;
            notes::set_floor(dir, &self)
        } else {
            Ok(())
        }
    }
}

/// A bundle is written that goes back because a person has asked for it: it takes the version along.
///
/// # Errors
/// DATA does not take the note.
pub(super) fn went_back(dir: &Path, version: &str) -> io::Result<()> {
    let mut floor = Floor::read(dir);
    if !newer(&floor.version, version) {
        return Ok(());
    }
    version.clone_into(&mut floor.version);
    notes::set_floor(dir, &floor)
}

/// A system has proven itself.
///
/// # Errors
/// DATA does not take the note.
pub(super) fn kept(dir: &Path, version: &str) -> io::Result<()> {
    let mut floor = Floor::read(dir);
    if !newer(version, &floor.version) {
        return Ok(());
    }
    version.clone_into(&mut floor.version);
    notes::set_floor(dir, &floor)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use bundle::Key;

    fn key(n: u8) -> Key {
        Key::from_seed(&[n; 32])
    }

    fn set(version: u32, n: u8) -> KeySet {
        KeySet::new(version, 1, vec![key(n).public()]).unwrap()
    }

    fn manifest(version: &str, built: u64) -> Manifest {
        let files = ["initrd", "manifest.json", "manifest.sig", "system.erofs", "vmlinuz"];
        let named: Vec<(&str, &[u8])> = files.iter().map(|f| (*f, &b"x"[..])).collect();
        Manifest::new(("x86-64", "x86_64"), (version, "0"), built, &named).unwrap()
    }

    #[test]
    fn keys_that_were_replaced_stay_replaced_after_a_fall_back() {
        let dir = tempfile::tempdir().unwrap();
        let own = set(1, 1);
        let rotation = Rotation::new(set(2, 2), &[&key(1), &key(2)]);
        let head = Head::sign(manifest("2", 9), vec![rotation], &[&key(2)]);
        Floor::read(dir.path()).admitted(dir.path(), &own, &head).unwrap();
        // The old image runs again, with its old keys.
        assert_eq!(Floor::read(dir.path()).keys(own.clone()), set(2, 2));
        // An older bundle without the rotation takes nothing back.
        let older = Head::sign(manifest("1.5", 5), Vec::new(), &[&key(1)]);
        Floor::read(dir.path()).admitted(dir.path(), &own, &older).unwrap();
        assert_eq!(Floor::read(dir.path()).keys(own.clone()), set(2, 2));
        // The image that has the new keys needs no note.
        assert_eq!(Floor::read(dir.path()).keys(set(2, 2)), set(2, 2));
    }

    #[test]
    fn keys_that_follow_noted_ones_are_noted_behind_them() {
        let dir = tempfile::tempdir().unwrap();
        let own = set(1, 1);
        let second = Rotation::new(set(2, 2), &[&key(1), &key(2)]);
        let third = Rotation::new(set(3, 3), &[&key(2), &key(3)]);
        let admit = |rotations: Vec<Rotation>, by: u8| {
            let head = Head::sign(manifest("2", 9), rotations, &[&key(by)]);
            Floor::read(dir.path()).admitted(dir.path(), &own, &head).unwrap();
            Floor::read(dir.path()).keys(own.clone())
        };
        assert_eq!(admit(vec![second.clone()], 2), set(2, 2));
        // A bundle for boxes that know the second set brings the third alone; the image still knows the first.
        assert_eq!(admit(vec![third.clone()], 3), set(3, 3));
        assert_eq!(admit(vec![second, third], 3), set(3, 3));
        assert_eq!(Floor::read(dir.path()).rotations.len(), 2, "each is noted once");
    }

    #[test]
    fn a_note_that_was_changed_leads_nowhere() {
        let forged = Floor {
            rotations: vec![Rotation::new(set(2, 3), &[&key(3)])],
            ..Floor::default()
        };
        assert_eq!(forged.keys(set(1, 1)), set(1, 1));
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("floor.json"), "{").unwrap();
        assert_eq!(Floor::read(dir.path()), Floor::default());
    }

    #[test]
    fn what_was_kept_is_not_gone_behind_unless_asked() {
        let dir = tempfile::tempdir().unwrap();
        let admit = |version: &str, built, running: (&str, u64), downgrade| {
            Floor::read(dir.path()).admit(&manifest(version, built), running, downgrade)
        };
        admit("0.9", 1, ("1", 5), false).unwrap();
        kept(dir.path(), "2.0").unwrap();
        kept(dir.path(), "1.9").unwrap();
        // Version 1 runs again after 2.0 had been kept.
        let refused = admit("1.5", 9, ("1", 5), false).unwrap_err();
        assert!(
            refused.kind == "older" && refused.text.contains("2.0, which has run"),
            "{refused:?}"
        );
        admit("2.0", 9, ("1", 5), false).unwrap();
        admit("1.5", 9, ("1", 5), true).unwrap();
        // The same version made earlier is older; the same again, or made later, is not.
        assert_eq!(admit("2.0", 4, ("2.0.0", 5), false).unwrap_err().kind, "older");
        admit("2.0", 5, ("2.0.0", 5), false).unwrap();
        admit("2.0", 4, ("2.0.0", 5), true).unwrap();
        // Who goes back on purpose stays there, once the older one is written.
        let head = Head::sign(manifest("1.5", 9), Vec::new(), &[&key(1)]);
        Floor::read(dir.path()).admitted(dir.path(), &set(1, 1), &head).unwrap();
        assert_eq!(admit("1.6", 9, ("1.5", 9), false).unwrap_err().kind, "older");
        went_back(dir.path(), "1.5").unwrap();
        went_back(dir.path(), "1.7").unwrap();
        admit("1.6", 9, ("1.5", 9), false).unwrap();
    }
}
