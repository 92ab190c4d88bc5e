//! Sessions: who is logged in, from where, until when; how each is ended.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use wire::Time;

use super::super::credential::{Credential, Kind};
use super::super::secret;
use super::Vault;
use crate::clock::Now;

/// How long a session lasts.
pub const SESSION: Duration = Duration::from_hours(24);

/// Most sessions kept; past it the one that ends first gives way.
const SESSIONS_MAX: usize = 1000;

/// Longest name of a program that is kept, in characters.
const PROGRAM_MAX: usize = 200;

/// Letters of a session's key by which people name it: 64 bits of a hash, of which nobody finds the secret.
const NAMED: usize = 16;

/// Where a login came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Address of the other end.
    pub address: String,
    /// What its program calls itself (`User-Agent`).
    pub program: String,
}

impl Origin {
    /// From an address and what the other end's program calls itself, cut to what is kept.
    pub fn new(address: String, program: Option<&str>) -> Self {
        let plain = program.unwrap_or("").chars().filter(|c| !c.is_control());
        Self {
            address,
            program: plain.take(PROGRAM_MAX).collect(),
        }
    }
}

/// A session as its person sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// By what it is named; no secret.
    pub id: String,
    /// When the login was.
    pub created: Time,
    /// When it ends.
    pub expires: Time,
    /// Where it came from.
    pub from: Origin,
    /// Whether it is the one of the cookie that asks.
    pub is_own: bool,
}

fn session_key(cookie: &str) -> String {
    format!("session:{}", secret::hash(cookie))
}

/// A new session: the cookie's value, and what is kept of it.
fn fresh(user: &str, from: Origin, now: Now) -> (String, Credential) {
    let kind = Kind::Session {
        user: user.to_owned(),
        from,
    };
    (secret::new(), Credential::new(kind, Some(SESSION), now))
}

/// By what a session with this key is named.
fn name(key: &str) -> String {
    let hash = key.trim_start_matches("session:");
    hash.chars().take(NAMED).collect()
}

impl Vault {
    /// Makes a session and returns the cookie's value and when it ends.
    ///
    /// # Errors
    /// When it is not on the medium.
    pub async fn log_in(&self, user: &str, from: Origin, now: Now) -> store::Result<(String, Time)> {
        let (cookie, credential) = fresh(user, from, now);
        self.make_room("session:", SESSIONS_MAX).await?;
        let expires = credential.ends_at(now);
        self.put(session_key(&cookie), credential).await?;
        Ok((cookie, expires))
    }

    /// The same by a password that was checked against the hash `was`; `None` if it is another one by now.
    ///
    /// # Errors
    /// When it is not on the medium.
    pub async fn log_in_by(
        &self,
        user: &str,
        was: &str,
        from: Origin,
        now: Now,
    ) -> store::Result<Option<(String, Time)>> {
        let (cookie, credential) = fresh(user, from, now);
        self.make_room("session:", SESSIONS_MAX).await?;
        let expires = credential.ends_at(now);
        let done = self.put_while((user, was), session_key(&cookie), credential).await?;
        Ok(done.then_some((cookie, expires)))
    }

    /// Whose session this cookie's value is, and when it ends.
    pub fn session(&self, cookie: &str, now: Now) -> Option<(String, Time)> {
        self.with(|all| {
            let credential = all.get(&session_key(cookie)).filter(|c| c.is_valid(now))?;
            match &credential.kind {
                Kind::Session { user, .. } => Some((user.clone(), credential.ends_at(now))),
                Kind::User { .. } | Kind::AddonToken { .. } => None,
            }
        })
    }

    /// Changes each time that sessions were ended before their time, anybody's: whose it was is to be looked at.
    pub fn ended(&self) -> watch::Receiver<()> {
        self.ended.subscribe()
    }

    /// Ends a session.
    ///
    /// # Errors
    /// When its end is not on the medium; it opens nothing all the same until the next start.
    pub async fn log_out(&self, cookie: &str) -> store::Result<bool> {
        self.remove(&session_key(cookie)).await
    }

    /// Ends the sessions of `user`, all but the one of the cookie `keep`; how many.
    ///
    /// # Errors
    /// When that is not on the medium.
    pub async fn end_sessions(&self, user: &str, keep: &str) -> store::Result<usize> {
        let kept = session_key(keep);
        let keys: Vec<String> = self.with(|all| {
            let those = all.iter().filter(|(key, c)| {
                let is_theirs = matches!(&c.kind, Kind::Session { user: its, .. } if user == its);
                is_theirs && **key != kept
            });
            those.map(|(key, _)| key.clone()).collect()
        });
        for key in &keys {
            self.remove(key).await?;
        }
        Ok(keys.len())
    }

    /// The sessions of a person, the newest first; `own` is the cookie of who asks.
    pub fn sessions(&self, of: &str, own: &str, now: Now) -> Vec<Row> {
        let own = session_key(own);
        let row = |(key, credential): (&String, &Credential)| match &credential.kind {
            Kind::Session { user, from } if user == of && credential.is_valid(now) => Some(Row {
                id: name(key),
                created: credential.created,
                expires: credential.ends_at(now),
                from: from.clone(),
                is_own: *key == own,
            }),
            Kind::Session { .. } | Kind::User { .. } | Kind::AddonToken { .. } => None,
        };
        let mut rows: Vec<Row> = self.with(|all| all.iter().filter_map(row).collect());
        rows.sort_by_key(|row| std::cmp::Reverse(row.created));
        rows
    }

    /// Ends a person's session by what it is named; false if there is none such.
    ///
    /// # Errors
    /// When its end is not on the medium; it opens nothing all the same until the next start.
    pub async fn end_session(&self, of: &str, id: &str) -> store::Result<bool> {
        let key = self.with(|all| {
            let theirs = |c: &Credential| matches!(&c.kind, Kind::Session { user, .. } if user == of);
            all.iter()
                .find(|(key, c)| theirs(c) && name(key) == id)
                .map(|(key, _)| key.clone())
        });
        match key {
            Some(key) => self.remove(&key).await,
            None => Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::unchecked_time_subtraction, reason = "tests")]
    use super::super::tests::{START, later, set, vault};
    use super::*;

    #[tokio::test]
    async fn a_session_lasts_a_day_and_survives_a_restart_but_not_a_logout() {
        let dir = tempfile::tempdir().unwrap();
        let cookie = {
            let vault = vault(dir.path());
            vault.log_in("ada", Origin::default(), START).await.unwrap().0
        };
        let vault = vault(dir.path());
        let almost = later(SESSION - Duration::from_secs(1));
        assert_eq!(vault.session(&cookie, almost).unwrap().0, "ada");
        assert_eq!(vault.session(&cookie, later(SESSION)), None);
        assert_eq!(vault.session("", almost), None);
        assert!(vault.log_out(&cookie).await.unwrap());
        assert_eq!(vault.session(&cookie, almost), None);
    }

    #[tokio::test]
    async fn a_clock_that_is_set_by_years_neither_ends_a_session_nor_keeps_it() {
        let dir = tempfile::tempdir().unwrap();
        const YEARS: i64 = 6 * 365 * 86_400;
        let cookie = {
            let vault = vault(dir.path());
            let (cookie, _) = vault.log_in("ada", Origin::default(), START).await.unwrap();
            // NTP arrives: six years on, and the person is still there, for the rest of the day.
            let (name, until) = vault.session(&cookie, set(YEARS)).unwrap();
            assert_eq!(
                (name.as_str(), until),
                ("ada", Time::from_second(YEARS + 86_400).unwrap())
            );
            assert_eq!(vault.sweep(set(YEARS)).await.unwrap(), 0);
            // Set back: a day is a day.
            let (later_cookie, _) = vault.log_in("ada", Origin::default(), set(YEARS)).await.unwrap();
            assert!(vault.session(&later_cookie, START).is_some());
            let a_day_on = later(SESSION);
            assert_eq!(vault.session(&later_cookie, a_day_on), None);
            assert_eq!(vault.session(&cookie, a_day_on), None);
            later_cookie
        };
        // After a start the time that people read is all there is: what was made in its future has no known age.
        let vault = vault(dir.path());
        assert_eq!(vault.session(&cookie, START), None, "years before its login");
        assert!(vault.session(&cookie, set(YEARS - 60)).is_some(), "a minute before");
        let stopped = Now {
            mono: SESSION,
            ..set(YEARS)
        };
        assert_eq!(
            vault.session(&cookie, stopped),
            None,
            "the clock stands still, the day is over"
        );
        assert_eq!(vault.sweep(START).await.unwrap(), 1, "the one of the future goes");
    }
}
