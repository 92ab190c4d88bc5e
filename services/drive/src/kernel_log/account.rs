//! What the kernel told of a drive over a whole job, in however many sessions.

use serde::{Deserialize, Serialize};

use super::{Follower, Told, Unheard};

/// What it told of the drive until now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Account {
    /// Resets of the drive.
    pub resets: u64,
    /// Whether the drive announced another capacity.
    pub resized: bool,
    /// Why some of them may not be known; `None` where all are, or where the drive has no link to reset.
    pub unheard: Option<Unheard>,
    /// Sectors of 512 bytes that are hidden behind a host protected area.
    pub hidden: u64,
}

impl Account {
    /// Nothing was told.
    pub const NOTHING: Self = Self {
        resets: 0,
        resized: false,
        unheard: None,
        hidden: 0,
    };

    /// Takes what a session's follower knows from the beginning: what was known once outlives the kernel's ring.
    pub fn begin(&mut self, follower: &Follower) {
        self.hidden = self.hidden.max(follower.hidden());
        self.miss(follower.unheard());
    }

    /// Takes what a look brought.
    pub fn heed(&mut self, told: &Told) {
        self.resets += told.resets.len() as u64;
        self.resized |= told.resized.is_some();
    }

    /// Takes why something may not be known, where it weighs more than what is known of that.
    pub fn miss(&mut self, why: Option<&Unheard>) {
        self.unheard = Unheard::worse(self.unheard.take(), why);
    }

    /// Takes what was told of the same drive during another job.
    pub fn add(&mut self, other: &Self) {
        self.resets += other.resets;
        self.resized |= other.resized;
        self.hidden = self.hidden.max(other.hidden);
        self.miss(other.unheard.as_ref());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_was_told_once_stays_told() {
        let mut account = Account::default();
        account.heed(&Told {
            resets: vec!["ata3: hard resetting link".to_owned()],
            resized: Some("another capacity".to_owned()),
            heard: true,
        });
        account.heed(&Told::default());
        account.miss(Some(&Unheard::Kind));
        let lost = Unheard::Log("no such file".to_owned());
        let other = Account {
            resets: 2,
            hidden: 7,
            unheard: Some(lost.clone()),
            ..Account::NOTHING
        };
        account.add(&other);
        account.miss(Some(&Unheard::Kind));
        account.add(&Account::NOTHING);
        let told = Account {
            resets: 3,
            resized: true,
            unheard: Some(lost),
            hidden: 7,
        };
        assert_eq!(account, told);
    }

    /// Files of versions that knew less of it are read all the same.
    #[test]
    fn what_an_older_version_did_not_know_was_not_told() {
        let read: Account = serde_json::from_str(r#"{"resets":2}"#).unwrap();
        assert_eq!((read.resets, read.resized), (2, false));
    }
}
