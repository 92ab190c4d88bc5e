//! The memory of bays: which path leads to which bay, and which drive sat there last. Pure; whoever keeps it serialises
//! it.
//!
//! An enclosure names its bays itself. For all others a person gives names to paths once ("front, second from left"),
//! and the name stays when the drive changes. So an empty bay is known by the drive that was pulled from it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wire::DriveId;
use wire::boxes::BAY_NAME_MAX;

use super::Place;

/// What is known of one bay.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bay {
    /// Its name: the enclosure's, or a person's.
    pub name: Option<String>,
    /// Whether a person gave the name; then an enclosure does not change it.
    pub by_person: bool,
    /// The drive that is there, or was there last.
    pub drive: Option<DriveId>,
}

/// All bays, by path.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bays(BTreeMap<String, Bay>);

/// Most paths that are remembered: more than any box has, fewer than what would fill its memory.
const BAYS_MAX: usize = 1024;

impl Bays {
    /// Remembers that `drive` was seen at `place`; `true` if that is news.
    pub fn saw(&mut self, place: &Place, drive: &DriveId) -> bool {
        if place.path.is_empty() || self.0.len() >= BAYS_MAX && !self.0.contains_key(&place.path) {
            return false;
        }
        // A drive is at one place: what it left keeps its name and nobody.
        let mut news = false;
        for (path, bay) in &mut self.0 {
            if path != &place.path && bay.drive.as_ref() == Some(drive) {
                bay.drive = None;
                news = true;
            }
        }
        let bay = self.0.entry(place.path.clone()).or_default();
        if bay.drive.as_ref() != Some(drive) {
            bay.drive = Some(drive.clone());
            news = true;
        }
        if !bay.by_person && place.bay.is_some() && bay.name != place.bay {
            bay.name.clone_from(&place.bay);
            news = true;
        }
        news
    }

    /// Gives the bay at `path` a person's name; an empty one takes the name away.
    pub fn name(&mut self, path: &str, name: &str) {
        let name = name.trim();
        if name.is_empty() {
            if let Some(bay) = self.0.get_mut(path) {
                (bay.name, bay.by_person) = (None, false);
            }
        } else if self.0.len() < BAYS_MAX || self.0.contains_key(path) {
            let bay = self.0.entry(path.to_owned()).or_default();
            (bay.name, bay.by_person) = (Some(name.chars().take(BAY_NAME_MAX).collect()), true);
        }
    }

    /// The bay that `path` leads to.
    pub fn at(&self, path: &str) -> Option<&Bay> {
        self.0.get(path)
    }

    /// Path and bay where `drive` is, or was last.
    pub fn of(&self, drive: &DriveId) -> Option<(&str, &Bay)> {
        let found = self.0.iter().find(|(_, bay)| bay.drive.as_ref() == Some(drive));
        found.map(|(path, bay)| (path.as_str(), bay))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn place(path: &str, bay: Option<&str>) -> Place {
        Place {
            path: path.into(),
            bay: bay.map(str::to_owned),
        }
    }

    fn drive(serial: &str) -> DriveId {
        DriveId::from_serial("M", serial, 1).unwrap()
    }

    #[test]
    fn a_name_stays_with_the_path_and_a_drive_is_at_one_place() {
        let mut bays = Bays::default();
        assert!(bays.saw(&place("pci-0000:00:1f.2-ata-3", None), &drive("A1")));
        assert!(!bays.saw(&place("pci-0000:00:1f.2-ata-3", None), &drive("A1")));
        bays.name("pci-0000:00:1f.2-ata-3", " front, second ");
        // Pulled and put elsewhere.
        assert!(bays.saw(&place("pci-0000:00:1f.2-ata-4", None), &drive("A1")));
        assert_eq!(bays.of(&drive("A1")).unwrap().0, "pci-0000:00:1f.2-ata-4");
        let old = bays.at("pci-0000:00:1f.2-ata-3").unwrap();
        assert_eq!((old.name.as_deref(), &old.drive), (Some("front, second"), &None));
        // Another one in its place has the bay's name.
        bays.saw(&place("pci-0000:00:1f.2-ata-3", None), &drive("B2"));
        assert_eq!(bays.of(&drive("B2")).unwrap().1.name.as_deref(), Some("front, second"));
        let text = serde_json::to_string(&bays).unwrap();
        assert_eq!(serde_json::from_str::<Bays>(&text).unwrap(), bays);
    }

    #[test]
    fn an_enclosures_names_are_taken_unless_a_person_knows_better() {
        let mut bays = Bays::default();
        bays.saw(&place("p", Some("Slot 01")), &drive("A1"));
        assert_eq!(bays.at("p").unwrap().name.as_deref(), Some("Slot 01"));
        assert!(bays.saw(&place("p", Some("Slot 02")), &drive("A1")));
        bays.name("p", "top");
        assert!(!bays.saw(&place("p", Some("Slot 03")), &drive("A1")));
        assert_eq!(bays.at("p").unwrap().name.as_deref(), Some("top"));
        bays.name("p", "");
        assert!(bays.saw(&place("p", Some("Slot 03")), &drive("A1")));
        // Without a path there is nothing to remember it by.
        assert!(!bays.saw(&place("", Some("x")), &drive("C3")));
    }
}
