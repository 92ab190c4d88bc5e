//! A unit that takes its time to become ready, as a disk does whose motor starts.

use std::sync::PoisonError;
use std::time::Duration;

use crate::sense;
use crate::transport::Shared;
use crate::unit::{Reply, Unit};

/// LOGICAL UNIT IS IN PROCESS OF BECOMING READY.
const BECOMING_READY: (u8, u8) = (0x04, 0x01);

/// The unit, which until `ready` tells who it is and nothing else.
pub struct Starting {
    /// What it is.
    pub unit: Shared,
    /// From when on it is ready, counted from when the target began.
    pub ready: Duration,
}

impl Unit for Starting {
    fn command(&mut self, now: Duration, cdb: &[u8], sent: &[u8]) -> Reply {
        // INQUIRY, REPORT LUNS.
        let answers_always = matches!(cdb.first(), Some(0x12 | 0xA0));
        if answers_always || now >= self.ready {
            let mut unit = self.unit.lock().unwrap_or_else(PoisonError::into_inner);
            return unit.command(now, cdb, sent);
        }
        Reply::check(sense::fixed(sense::NOT_READY, BECOMING_READY, None))
    }
}

impl std::fmt::Debug for Starting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Starting")
            .field("ready", &self.ready)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    struct Ready;

    impl Unit for Ready {
        fn command(&mut self, _now: Duration, _cdb: &[u8], _sent: &[u8]) -> Reply {
            Reply::good()
        }
    }

    #[test]
    fn it_tells_who_it_is_and_is_ready_later() {
        let mut unit = Starting {
            unit: Arc::new(Mutex::new(Ready)),
            ready: Duration::from_secs(10),
        };
        let (early, late) = (Duration::from_secs(9), Duration::from_secs(10));
        assert_eq!(unit.command(early, &[0x12], &[]), Reply::good());
        assert_eq!(unit.command(early, &[0x00], &[]).sense[2], sense::NOT_READY);
        assert_eq!(unit.command(late, &[0x00], &[]), Reply::good());
    }
}
