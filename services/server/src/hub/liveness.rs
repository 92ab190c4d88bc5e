//! Liveness of one add-on, from its connection and its heartbeats.
//!
//! ```text
//!            connect                three beats missed
//!  Offline ─────────► Online ───────────────────────► Degraded
//!     ▲                 │  ▲                              │
//!     │                 │  └────────── a beat ────────────┤
//!     └──── closed ─────┴────────────── closed ───────────┘
//! ```
//!
//! Only heartbeats feed it; connecting counts as one. A connection that was replaced by a newer one changes nothing
//! when it closes at last. An add-on that has brought its manifest over HTTP is online without a connection until its
//! socket takes over, or until it has missed its beats.

use std::time::Duration;

use wire::Time;
use wire::boxes::Liveness;

use crate::clock::Now;

/// How often an add-on beats. Source: Vigil, protocol requirements.
pub const BEAT: Duration = Duration::from_mins(1);

/// Beats that may be missed before an add-on counts as degraded. Source: as [`BEAT`].
pub const MISSES: u32 = 3;

/// How an add-on's heartbeats are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch {
    /// How often it beats.
    pub beat: Duration,
    /// Beats that may be missed before it counts as degraded.
    pub misses: u32,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            beat: BEAT,
            misses: MISSES,
        }
    }
}

impl Watch {
    /// From the last beat to degraded.
    pub fn patience(&self) -> Duration {
        self.beat * self.misses
    }
}

/// How long an add-on may be away before that is an event: a restart of its process or of the server is not one.
pub const AWAY: Duration = Duration::from_secs(10);

/// One add-on's life.
#[derive(Clone, Debug)]
pub struct Life {
    /// The connection that counts.
    connection: Option<u64>,
    last_beat: Duration,
    last_seen: Option<Time>,
    /// It came over HTTP and has opened no socket since.
    announced: bool,
    /// Since when it is not connected.
    away_since: Duration,
    /// What the event log was told last.
    told: Liveness,
    watch: Watch,
    /// Whether anybody may expect it to beat.
    enabled: bool,
}

impl Life {
    /// An add-on that has not connected yet.
    pub fn new(now: Now, last_seen: Option<Time>, watch: Watch) -> Self {
        Self {
            watch,
            enabled: true,
            connection: None,
            last_beat: now.mono,
            last_seen,
            announced: false,
            away_since: now.mono,
            told: Liveness::Offline,
        }
    }

    /// It came over HTTP with its own token; a socket may follow.
    pub fn met(&mut self, now: Now) {
        self.heard(now, true);
        self.announced = self.connection.is_none();
    }

    /// A connection was made; returns the older one that has to go.
    pub fn connected(&mut self, now: Now, connection: u64) -> Option<u64> {
        self.heard(now, true);
        self.announced = false;
        self.connection.replace(connection)
    }

    /// A connection closed; false if it was not the one that counts.
    pub fn closed(&mut self, now: Now, connection: u64) -> bool {
        let counts = self.connection == Some(connection);
        if counts {
            self.connection = None;
            self.away_since = now.mono;
        }
        counts
    }

    /// Whether this connection is the one that counts.
    pub fn is_current(&self, connection: u64) -> bool {
        self.connection == Some(connection)
    }

    /// The connection that counts.
    pub fn connection(&self) -> Option<u64> {
        self.connection
    }

    /// Something came from it; `beat` for a heartbeat.
    pub fn heard(&mut self, now: Now, beat: bool) {
        self.last_seen = Some(now.wall);
        if beat {
            self.last_beat = now.mono;
        }
    }

    /// How its heartbeats are watched.
    pub fn watch(&self) -> Watch {
        self.watch
    }

    /// When it was last heard.
    pub fn last_seen(&self) -> Option<Time> {
        self.last_seen
    }

    /// Whether it is expected to beat. One that is so again has its whole time to come, since nobody could connect meanwhile.
    pub fn enable(&mut self, now: Now, enabled: bool) {
        if enabled && !self.enabled {
            self.announced &= !self.is_late(now);
            self.last_beat = now.mono;
        }
        self.enabled = enabled;
    }

    /// How it is now, by its connection: an add-on without one is offline.
    pub fn state(&self, now: Now) -> Liveness {
        match self.connection {
            None => Liveness::Offline,
            Some(_) if self.is_late(now) => Liveness::Degraded,
            Some(_) => Liveness::Online,
        }
    }

    /// How it is now, in Vigil's words: one that has beaten before and has missed its beats is degraded, connected or
    /// not; one that came over HTTP is online until then. One that nobody has heard yet, or that is disabled, is offline.
    pub fn status(&self, now: Now) -> Liveness {
        match self.state(now) {
            Liveness::Offline if self.enabled && self.last_seen.is_some() && self.is_late(now) => Liveness::Degraded,
            Liveness::Offline if self.enabled && self.announced => Liveness::Online,
            state @ (Liveness::Online | Liveness::Degraded | Liveness::Offline) => state,
        }
    }

    fn is_late(&self, now: Now) -> bool {
        now.mono.saturating_sub(self.last_beat) >= self.watch.patience()
    }

    /// For how long it has been away; `None` while it is connected.
    pub fn away_for(&self, now: Now) -> Option<Duration> {
        self.connection
            .is_none()
            .then(|| now.mono.saturating_sub(self.away_since))
    }

    /// What has changed since the event log was told last, if that is to be told now: before, and now.
    pub fn news(&mut self, now: Now) -> Option<(Liveness, Liveness)> {
        let state = self.status(now);
        self.has_news(now)
            .then(|| (std::mem::replace(&mut self.told, state), state))
    }

    /// Whether there is something to tell now.
    pub fn has_news(&self, now: Now) -> bool {
        let state = self.status(now);
        state != self.told
            && match state {
                Liveness::Online | Liveness::Degraded => true,
                Liveness::Offline => self.away_for(now).is_some_and(|away| away >= AWAY),
            }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn now(seconds: u64) -> Now {
        Now {
            mono: Duration::from_secs(seconds),
            wall: Time::UNIX_EPOCH,
        }
    }

    #[test]
    fn three_missed_beats_degrade_and_one_beat_heals() {
        let mut life = Life::new(now(0), None, Watch::default());
        assert_eq!(life.state(now(1)), Liveness::Offline);
        life.connected(now(1), 1);
        assert_eq!(life.news(now(1)), Some((Liveness::Offline, Liveness::Online)));
        life.heard(now(120), false);
        assert_eq!(life.state(now(180)), Liveness::Online, "59 s short of the third");
        assert_eq!(
            life.news(now(181)),
            Some((Liveness::Online, Liveness::Degraded)),
            "a frame that is no heartbeat does not count"
        );
        assert_eq!(life.news(now(182)), None, "told once");
        life.heard(now(190), true);
        assert_eq!(life.news(now(190)), Some((Liveness::Degraded, Liveness::Online)));
    }

    #[test]
    fn a_short_absence_is_not_told() {
        let mut life = Life::new(now(0), None, Watch::default());
        life.connected(now(0), 1);
        life.news(now(0));
        assert!(life.closed(now(5), 1));
        assert_eq!((life.state(now(5)), life.news(now(14))), (Liveness::Offline, None));
        life.connected(now(14), 2);
        assert_eq!(life.news(now(14)), None);
        assert!(life.closed(now(20), 2));
        assert_eq!(life.news(now(30)), Some((Liveness::Online, Liveness::Offline)));
    }

    #[test]
    fn one_that_is_gone_misses_its_beats_too_and_one_that_is_disabled_does_not() {
        let watch = Watch {
            beat: Duration::from_secs(10),
            misses: 2,
        };
        let mut life = Life::new(now(0), None, watch);
        assert_eq!(life.news(now(100)), None, "never heard, never missed");
        life.connected(now(100), 1);
        life.news(now(100));
        life.closed(now(101), 1);
        assert_eq!(life.news(now(111)), Some((Liveness::Online, Liveness::Offline)));
        assert_eq!(life.news(now(120)), Some((Liveness::Offline, Liveness::Degraded)));
        assert_eq!(
            (life.state(now(120)), life.status(now(120))),
            (Liveness::Offline, Liveness::Degraded)
        );
        life.connected(now(130), 2);
        assert_eq!(life.news(now(130)), Some((Liveness::Degraded, Liveness::Online)));
        life.closed(now(131), 2);
        life.enable(now(132), false);
        assert_eq!(life.status(now(900)), Liveness::Offline);
    }

    /// Its client comes again within a minute or so.
    #[test]
    fn one_that_is_enabled_again_has_the_whole_time_to_come() {
        for over_http in [false, true] {
            let mut life = Life::new(now(0), None, Watch::default());
            life.connected(now(0), 1);
            life.closed(now(1), 1);
            if over_http {
                life.met(now(2));
            }
            life.enable(now(3), false);
            life.news(now(20));
            life.enable(now(4000), true);
            assert_eq!(
                (life.status(now(4000)), life.news(now(4000))),
                (Liveness::Offline, None)
            );
            assert_eq!(life.status(now(4179)), Liveness::Offline);
            assert_eq!(life.status(now(4180)), Liveness::Degraded, "it has not come");
        }
    }

    #[test]
    fn one_that_came_over_http_is_online_until_its_socket_closes_or_its_beats_are_missed() {
        let mut life = Life::new(now(0), None, Watch::default());
        life.met(now(1));
        assert_eq!(life.news(now(1)), Some((Liveness::Offline, Liveness::Online)));
        assert_eq!((life.news(now(180)), life.last_seen()), (None, Some(Time::UNIX_EPOCH)));
        assert_eq!(life.news(now(181)), Some((Liveness::Online, Liveness::Degraded)));
        assert_eq!(life.news(now(1000)), None, "told once");
        life.met(now(1001));
        assert_eq!(life.news(now(1001)), Some((Liveness::Degraded, Liveness::Online)));
        life.connected(now(1002), 1);
        life.met(now(1003));
        life.closed(now(1004), 1);
        assert_eq!(
            life.status(now(1004)),
            Liveness::Offline,
            "its socket is what counts now"
        );
    }

    #[test]
    fn a_replaced_connection_that_closes_late_changes_nothing() {
        let mut life = Life::new(now(0), None, Watch::default());
        assert_eq!(life.connected(now(0), 1), None);
        assert_eq!(life.connected(now(1), 2), Some(1));
        assert!(!life.closed(now(2), 1));
        assert_eq!(life.state(now(2)), Liveness::Online);
    }

    proptest! {
        #[test]
        fn online_means_connected_and_heard_in_time(steps in proptest::collection::vec((0u64..100, 0u8..4, 1u64..4), 1..60)) {
            let mut life = Life::new(now(0), None, Watch::default());
            let (mut time, mut current, mut beat) = (0, None, 0);
            for (gap, what, connection) in steps {
                time += gap;
                match what {
                    0 => { life.connected(now(time), connection); current = Some(connection); beat = time; }
                    1 => { if life.closed(now(time), connection) { current = None; } }
                    2 => { life.heard(now(time), true); beat = time; }
                    _ => { life.heard(now(time), false); }
                }
                let want = match current {
                    None => Liveness::Offline,
                    Some(_) if time - beat >= 180 => Liveness::Degraded,
                    Some(_) => Liveness::Online,
                };
                prop_assert_eq!(life.state(now(time)), want);
            }
        }
    }
}
