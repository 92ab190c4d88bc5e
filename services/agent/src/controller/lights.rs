//! Which drives are shown, and whose light is being turned: one turn of a drive at a time, in the order of asking. Of two that
//! overlap one would put out what the other has told of. Pure; [`super::locate`] turns the lights.
//!
//! ```text
//!  dark ─ ask ─► turning ◄─ ask ─ lit
//!    ▲           │  ▲  │           ▲
//!    └─ turned ──┘  │  └─ turned ──┘
//!                   └─ turned, and the next one waits
//! ```

use std::collections::{BTreeMap, VecDeque};

use wire::DriveId;

/// Most that wait for one drive's light: it takes seconds, and nobody asks for it more often for long.
const WAITING_MAX: usize = 8;

#[derive(Debug)]
enum Light<A, L> {
    /// Somebody turns it; the others wait.
    Turning(VecDeque<A>),
    Lit(L),
}

/// A turn that may begin.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Turn<A, L> {
    /// What was asked.
    pub(super) ask: A,
    /// What is lit until then.
    pub(super) before: Option<L>,
}

/// The lights of all drives.
#[derive(Debug)]
pub(super) struct Lights<A, L>(BTreeMap<DriveId, Light<A, L>>);

impl<A, L> Lights<A, L> {
    pub(super) fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Asks for a turn of a drive's light; `None` where it comes later, from [`Lights::turned`].
    ///
    /// # Errors
    /// What was asked, where too many wait already.
    pub(super) fn ask(&mut self, drive: &DriveId, ask: A) -> Result<Option<Turn<A, L>>, A> {
        if let Some(Light::Turning(waiting)) = self.0.get_mut(drive) {
            if waiting.len() >= WAITING_MAX {
                return Err(ask);
            }
            waiting.push_back(ask);
            return Ok(None);
        }
        let before = match self.0.insert(drive.clone(), Light::Turning(VecDeque::new())) {
            Some(Light::Lit(lit)) => Some(lit),
            Some(Light::Turning(_)) | None => None,
        };
        Ok(Some(Turn { ask, before }))
    }

    /// What of this drive is lit, while nobody turns it.
    pub(super) fn lit(&self, drive: &DriveId) -> Option<&L> {
        match self.0.get(drive)? {
            Light::Lit(lit) => Some(lit),
            Light::Turning(_) => None,
        }
    }

    /// All that is lit, while nobody turns it.
    pub(super) fn all_lit(&self) -> impl Iterator<Item = (&DriveId, &L)> {
        self.0.iter().filter_map(|(drive, light)| match light {
            Light::Lit(lit) => Some((drive, lit)),
            Light::Turning(_) => None,
        })
    }

    /// A turn came to its end, with what is lit now; gives the next one that waits.
    pub(super) fn turned(&mut self, drive: &DriveId, lit: Option<L>) -> Option<Turn<A, L>> {
        let next = match self.0.get_mut(drive) {
            Some(Light::Turning(waiting)) => waiting.pop_front(),
            Some(Light::Lit(_)) | None => None,
        };
        if let Some(ask) = next {
            return Some(Turn { ask, before: lit });
        }
        match lit {
            Some(lit) => drop(self.0.insert(drive.clone(), Light::Lit(lit))),
            None => drop(self.0.remove(drive)),
        }
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn turns_of_one_drive_come_one_after_the_other_and_those_of_others_at_once() {
        let [a, b] = ["A1", "B2"].map(|serial| DriveId::from_serial("M", serial, 1).unwrap());
        let mut lights = Lights::new();
        let turn = |ask, before| Some(Turn { ask, before });
        assert_eq!(lights.ask(&a, "on"), Ok(turn("on", None)));
        assert_eq!(lights.ask(&a, "again"), Ok(None));
        assert_eq!(lights.ask(&a, "off"), Ok(None));
        assert_eq!(lights.ask(&b, "on"), Ok(turn("on", None)));
        // Each gets what the one before it has lit, so that it ends before the next begins.
        assert_eq!(lights.turned(&a, Some(1)), turn("again", Some(1)));
        assert_eq!(lights.turned(&a, Some(2)), turn("off", Some(2)));
        assert_eq!(lights.turned(&a, None), None);
        assert_eq!(lights.ask(&a, "on"), Ok(turn("on", None)));
        assert_eq!((lights.lit(&a), lights.lit(&b)), (None, None), "both are being turned");
        assert_eq!(lights.turned(&b, Some(3)), None);
        assert_eq!(lights.lit(&b), Some(&3));
        assert_eq!(lights.all_lit().collect::<Vec<_>>(), [(&b, &3)]);
        assert_eq!(lights.ask(&b, "off"), Ok(turn("off", Some(3))));
    }

    #[test]
    fn what_waits_is_bounded() {
        let drive = DriveId::from_serial("M", "A1", 1).unwrap();
        let mut lights: Lights<usize, ()> = Lights::new();
        assert!(matches!(lights.ask(&drive, 0), Ok(Some(_))));
        for ask in 1..=WAITING_MAX {
            assert_eq!(lights.ask(&drive, ask), Ok(None));
        }
        assert_eq!(lights.ask(&drive, 99), Err(99));
    }
}
