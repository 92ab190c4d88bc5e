//! When a drive that is held for heat is asked beside its thermometer, and which reading counts. Pure.

use std::time::Duration;

use wire::Celsius;
use wire::drive::Bus;

use super::ask_period;

/// How often at most a drive that is held for heat is woken to tell its temperature.
const WAKE_PERIOD: Duration = Duration::from_mins(5);

/// How often one that is held for heat and awake is asked beside its [`Thermometer`](super::Thermometer): half an hour without
/// cooling ends its job, and three answers in it are no watch. It does no work that this would hold up.
const HELD_PERIOD: Duration = Duration::from_mins(1);

/// Readings of a drive that is held for heat, beside those of its [`Thermometer`](super::Thermometer), which are up to ten minutes old
/// and leave a drive asleep: one that its enclosure put to standby would never show that it cooled, and its job would be given up.
#[derive(Clone, Debug)]
pub struct Waking {
    /// How often the thermometer reads.
    period: Duration,
    last: Option<Duration>,
    /// What the thermometer tells, and when it first did.
    told: (Option<Celsius>, Duration),
    /// A reading of that moment, and what the thermometer told at it.
    fresh: Option<(Celsius, Option<Celsius>)>,
}

impl Waking {
    /// Of a drive on this bus.
    pub fn of(bus: Bus) -> Self {
        Self {
            period: ask_period(bus),
            last: None,
            told: (None, Duration::ZERO),
            fresh: None,
        }
    }

    /// Whether to read it at `now`, on any clock that never goes back, in a way that wakes it. `hot`: whether it is held for heat;
    /// `told`: by its thermometer. To be asked each time that this was looked at.
    pub fn is_due(&mut self, now: Duration, hot: bool, told: Option<Celsius>) -> bool {
        if self.told.0 != told {
            self.told = (told, now);
        }
        let period = if told.is_some() { HELD_PERIOD } else { WAKE_PERIOD };
        let due = hot && self.last.is_none_or(|last| now.saturating_sub(last) >= period);
        if due {
            self.last = Some(now);
        }
        due
    }

    /// Takes what it was found to have when that [was due](Self::is_due), `told` by its thermometer meanwhile.
    pub fn took(&mut self, fresh: Option<Celsius>, told: Option<Celsius>) {
        self.fresh = fresh.map(|fresh| (fresh, told));
    }

    /// What counts at `now`: the fresh reading until the thermometer tells something else, or must have been read since, a whole number of
    /// its periods after it first told this; else what it tells. An old one would hold a drive again that has just cooled, and a
    /// fresh one that has become old would let it go on as hot as before.
    pub fn newest(&self, now: Duration, told: Option<Celsius>) -> Option<Celsius> {
        let readings = |until: Duration| {
            let told_for = until.checked_sub(self.told.1)?;
            Some(told_for.as_secs() / self.period.as_secs())
        };
        let is_new = self
            .last
            .and_then(readings)
            .is_some_and(|then| Some(then) == readings(now));
        match self.fresh {
            Some((fresh, then)) if is_new && then == told => Some(fresh),
            Some(_) | None => told,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drive_held_for_heat_that_tells_nothing_is_woken_once_in_five_minutes() {
        let mut waking = Waking::of(Bus::Usb);
        let at = Duration::from_secs;
        assert!(!waking.is_due(at(0), false, None), "it works");
        assert!(waking.is_due(at(20), true, None));
        assert!(!waking.is_due(at(319), true, None));
        assert!(waking.is_due(at(320), true, None));
        assert!(!waking.is_due(at(400), false, None));
        assert!(!waking.is_due(at(410), true, None), "also not in another pause");
        assert!(waking.is_due(at(620), true, None));
    }

    #[test]
    fn a_drive_held_for_heat_is_read_each_minute_and_an_older_reading_does_not_count_beside_that() {
        let mut waking = Waking::of(Bus::Usb);
        let (at, told) = (Duration::from_secs, Some(Celsius(60)));
        assert!(!waking.is_due(at(0), false, told), "it works");
        assert_eq!(waking.newest(at(0), told), told);
        assert!(waking.is_due(at(10), true, told));
        waking.took(Some(Celsius(57)), told);
        assert_eq!(waking.newest(at(10), told), Some(Celsius(57)));
        assert!(!waking.is_due(at(69), true, told));
        assert!(waking.is_due(at(70), true, told));
        waking.took(Some(Celsius(52)), told);
        assert_eq!(
            waking.newest(at(80), Some(Celsius(61))),
            Some(Celsius(61)),
            "it was read since"
        );
        assert!(waking.is_due(at(540), true, told));
        waking.took(Some(Celsius(52)), told);
        assert!(!waking.is_due(at(550), false, told), "it goes on");
        assert_eq!(waking.newest(at(599), told), Some(Celsius(52)));
        assert!(!waking.is_due(at(600), false, told));
        assert_eq!(
            waking.newest(at(600), told),
            told,
            "it was read again meanwhile, and is as hot"
        );
        assert!(waking.is_due(at(610), true, told));
        waking.took(Some(Celsius(52)), told);
        assert_eq!(waking.newest(at(1199), told), Some(Celsius(52)));
        assert_eq!(waking.newest(at(1200), told), told);
        assert!(
            !waking.is_due(at(630), true, Some(Celsius(61))),
            "it tells something else"
        );
        assert!(!waking.is_due(at(650), true, told), "and the same again");
        assert_eq!(waking.newest(at(650), told), told, "it was read since");
        assert!(waking.is_due(at(710), true, told));
        waking.took(None, told);
        assert_eq!(waking.newest(at(710), told), told, "it did not answer");
    }

    /// Its thermometer reads it twice as often as one behind USB.
    #[test]
    fn a_fresh_reading_of_a_sas_drive_ends_with_its_own_thermometers_next() {
        let mut waking = Waking::of(Bus::Scsi);
        let (at, told) = (Duration::from_secs, Some(Celsius(60)));
        assert!(!waking.is_due(at(0), false, told));
        assert!(waking.is_due(at(240), true, told));
        waking.took(Some(Celsius(52)), told);
        assert_eq!(waking.newest(at(299), told), Some(Celsius(52)));
        assert_eq!(waking.newest(at(300), told), told);
    }
}
