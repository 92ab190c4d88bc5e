//! One credential: what it is, what it opens, and when it ends, which is by the clock that only goes forward.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use store::Table;
use wire::Time;

use super::vault::session::Origin;
use crate::clock::Now;

/// The table.
pub const CREDENTIALS: Table<String, Credential> = Table::new("credentials");

/// How long an add-on token waits to be bound to an add-on. A bound one never expires. Source: Vigil, enrolment.
pub const TOKEN_UNBOUND: Duration = Duration::from_hours(1);

/// One credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// What it opens.
    pub kind: Kind,
    /// When it was made.
    pub created: Time,
    /// When it ends; `None` for never.
    pub expires: Option<Time>,
    /// The same on the clock that only goes forward, which counts: the other may be set by years.
    #[serde(skip)]
    pub(super) ends: Ends,
}

/// When a credential that ends does so, on the clock of this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Ends {
    /// It does not end.
    #[default]
    Never,
    /// It was made by this process: this alone counts, whatever happens to the time that people read.
    At(Duration),
    /// It was made by an earlier one, whose clock is gone: it ends by the time that people read, and then at the latest.
    Latest(Duration),
}

/// How far the two clocks drift apart in a day without one being set.
const CLOCKS_APART: Duration = Duration::from_secs(10);

/// How far a clock may have been put back between two runs before what was made in its future ends.
pub const SET_BACK: Duration = Duration::from_mins(10);

/// What a credential is and opens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Kind {
    /// A person.
    User {
        /// Name.
        name: String,
        /// argon2id PHC string.
        password: String,
    },
    /// A person's login.
    Session {
        /// Name of the person.
        user: String,
        /// Where the login came from.
        #[serde(default)]
        from: Origin,
    },
    /// An add-on's token.
    AddonToken {
        /// Number by which people name it.
        id: u64,
        /// Name given when it was made.
        name: String,
        /// The add-on it is bound to.
        addon: Option<u64>,
    },
}

impl Credential {
    /// One that is made now, and ends after `lasts` where it ends.
    pub(crate) fn new(kind: Kind, lasts: Option<Duration>, now: Now) -> Self {
        Self {
            kind,
            created: now.wall,
            expires: lasts.map(|lasts| now.wall.checked_add(lasts).unwrap_or(Time::MAX)),
            ends: lasts.map_or(Ends::Never, |lasts| Ends::At(now.mono + lasts)),
        }
    }

    /// One that an earlier process kept; this one began to count at zero.
    pub(super) fn kept(mut self) -> Self {
        if let Some(expires) = self.expires {
            let lasts = Duration::try_from(expires.duration_since(self.created)).unwrap_or_default();
            self.ends = Ends::Latest(lasts);
        }
        self
    }

    pub(super) fn is_valid(&self, now: Now) -> bool {
        match self.ends {
            Ends::Never => true,
            Ends::At(end) => now.mono < end,
            Ends::Latest(end) => {
                let made = now
                    .wall
                    .checked_add(SET_BACK)
                    .is_ok_and(|latest| self.created <= latest);
                made && now.mono < end && self.expires.is_none_or(|expires| now.wall < expires)
            }
        }
    }

    /// When it ends in the time that people read, as that is now: as it was told first, unless the clock was set since.
    pub(super) fn ends_at(&self, now: Now) -> Time {
        let (Ends::At(end) | Ends::Latest(end)) = self.ends else {
            return Time::MAX;
        };
        let at = now.wall.checked_add(end.saturating_sub(now.mono)).unwrap_or(Time::MAX);
        let Some(told) = self.expires else { return at };
        match self.ends {
            Ends::Latest(_) => told.min(at),
            Ends::At(_) | Ends::Never if at.duration_since(told).unsigned_abs() < CLOCKS_APART => told,
            Ends::At(_) | Ends::Never => at,
        }
    }

    /// By what those that end are ordered: the first to end first.
    pub(super) fn order(&self) -> Duration {
        match self.ends {
            Ends::Never => Duration::MAX,
            Ends::At(end) | Ends::Latest(end) => end,
        }
    }
}
