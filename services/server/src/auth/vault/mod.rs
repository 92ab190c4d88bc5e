//! The one credential table: users with their password, sessions, add-on tokens.
//!
//! | kind | key in the table | secret that is kept |
//! |---|---|---|
//! | user | `user:NAME` | argon2id PHC string |
//! | session | `session:SHA256` | SHA-256 of the cookie's 256 random bits (it is the key) |
//! | add-on token | `addon-token:SHA256` | SHA-256 of the token's 256 random bits |
//!
//! The whole table is held in memory (a box has tens of them) and every change is on the medium before it counts.
//! Looking a secret up by its SHA-256 takes no time that depends on how much of it was right.
//!
//! Here is the table; what is kept in it stands in a file for each kind.

pub mod session;
mod token;
mod user;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use store::Store;
use tokio::sync::watch;

use super::credential::{CREDENTIALS, Credential};
use crate::clock::Now;
pub use token::Token;

/// The credentials, in memory and on the medium; clones share them.
#[derive(Clone, Debug)]
pub struct Vault {
    store: Store,
    all: Arc<RwLock<BTreeMap<String, Credential>>>,
    /// Held from what a change is made of to its end in memory: of two at once neither undoes the other, and memory says what
    /// the medium does.
    turn: Arc<tokio::sync::Mutex<()>>,
    /// Told each time that a session was taken out of the table.
    ended: watch::Sender<()>,
    /// Tokens that live only as long as this process: the built-in agent's, made anew at each boot.
    fleeting: Arc<RwLock<BTreeMap<String, Credential>>>,
}

/// Does a change to its end, also where whoever asked for it is gone meanwhile (a handler is dropped when its client hangs up):
/// half of it would be on the medium and not in memory.
async fn to_its_end<T: Send + 'static>(
    change: impl Future<Output = store::Result<T>> + Send + 'static,
) -> store::Result<T> {
    match tokio::spawn(change).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The process ends.
            Err(_) => Err(store::Error::Closed),
        },
    }
}

impl Vault {
    /// Reads the table.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn open(store: Store) -> store::Result<Self> {
        let all = store.read(|r| CREDENTIALS.all(r))?;
        let all = all
            .into_iter()
            .map(|(key, credential)| (key, credential.kept()))
            .collect();
        Ok(Self {
            store,
            all: Arc::new(RwLock::new(all)),
            turn: Arc::default(),
            ended: watch::Sender::new(()),
            fleeting: Arc::default(),
        })
    }

    fn with<T>(&self, look: impl FnOnce(&BTreeMap<String, Credential>) -> T) -> T {
        look(&self.all.read().unwrap_or_else(PoisonError::into_inner))
    }

    async fn put(&self, key: String, credential: Credential) -> store::Result<()> {
        let its = self.clone();
        to_its_end(async move {
            let _turn = its.turn.lock().await;
            its.put_in_turn(key, credential).await
        })
        .await
    }

    async fn put_in_turn(&self, key: String, credential: Credential) -> store::Result<()> {
        let (its, row) = (key.clone(), credential.clone());
        self.store.write(move |w| CREDENTIALS.put(w, &its, &row)).await?;
        self.all
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, credential);
        Ok(())
    }

    async fn remove(&self, key: &str) -> store::Result<bool> {
        // Out of memory first: what was revoked opens nothing even while the medium is slow.
        let there = self.forget(key);
        if there {
            let (its, key) = (self.clone(), key.to_owned());
            to_its_end(async move {
                let _turn = its.turn.lock().await;
                its.remove_in_turn(key).await
            })
            .await?;
        }
        Ok(there)
    }

    async fn remove_in_turn(&self, key: String) -> store::Result<()> {
        let its = key.clone();
        self.store.write(move |w| CREDENTIALS.delete(w, &its)).await?;
        // A change that had read it before has put it there again.
        self.forget(&key);
        Ok(())
    }

    /// Takes a credential out of memory, and says so to whoever listens with a session; whether it was there.
    fn forget(&self, key: &str) -> bool {
        let there = self
            .all
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key)
            .is_some();
        if there && key.starts_with("session:") {
            self.ended.send_replace(());
        }
        there
    }

    async fn make_room(&self, prefix: &str, most: usize) -> store::Result<()> {
        loop {
            let first_to_end = self.with(|all| {
                let those: Vec<_> = all
                    .iter()
                    .filter(|(key, c)| key.starts_with(prefix) && c.expires.is_some())
                    .collect();
                (those.len() >= most).then(|| {
                    those
                        .iter()
                        .min_by_key(|(_, c)| c.order())
                        .map(|(key, _)| (*key).clone())
                })
            });
            match first_to_end.flatten() {
                Some(key) => self.remove(&key).await?,
                None => return Ok(()),
            };
        }
    }

    /// Takes ended sessions and tokens out of the table; says how many.
    ///
    /// # Errors
    /// When the medium does not take it.
    pub async fn sweep(&self, now: Now) -> store::Result<usize> {
        let ended: Vec<String> = self.with(|all| {
            all.iter()
                .filter(|(_, c)| !c.is_valid(now))
                .map(|(key, _)| key.clone())
                .collect()
        });
        for key in &ended {
            self.remove(key).await?;
        }
        Ok(ended.len())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::time::Duration;

    use store::{Check, Options};
    use wire::Time;

    use super::super::credential::Kind;
    use super::super::secret;
    use super::session::{Origin, SESSION};
    use super::*;

    pub(super) fn vault(dir: &std::path::Path) -> Vault {
        let options = Options {
            check: Check::InProcess,
            ..Options::new(crate::tables::NAMES)
        };
        Vault::open(store::open(dir, &options).unwrap().store).unwrap()
    }

    pub(super) const START: Now = Now {
        mono: Duration::ZERO,
        wall: Time::UNIX_EPOCH,
    };

    /// After so long, on both clocks.
    pub(super) fn later(by: Duration) -> Now {
        Now {
            mono: by,
            ..set(by.as_secs().cast_signed())
        }
    }

    /// At once, after the time that people read was set.
    pub(super) fn set(to: i64) -> Now {
        Now {
            wall: Time::from_second(to).unwrap(),
            ..START
        }
    }

    #[tokio::test]
    async fn secrets_are_kept_as_hashes_only() {
        let dir = tempfile::tempdir().unwrap();
        let vault = vault(dir.path());
        let (cookie, _) = vault.log_in("ada", Origin::default(), START).await.unwrap();
        let (token, ..) = vault.new_token("shed", START).await.unwrap();
        let bytes = std::fs::read(dir.path().join(store::FILE_NAME)).unwrap();
        for secret in [cookie, token] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()));
            let hash = secret::hash(&secret);
            assert!(
                bytes.windows(hash.len()).any(|window| window == hash.as_bytes()),
                "its hash is there"
            );
        }
    }

    #[tokio::test]
    async fn what_has_ended_is_swept() {
        let dir = tempfile::tempdir().unwrap();
        let vault = vault(dir.path());
        vault.log_in("ada", Origin::default(), START).await.unwrap();
        vault.add_user("ada", "phc".into(), START).await.unwrap();
        assert_eq!(vault.sweep(later(SESSION)).await.unwrap(), 1);
        assert_eq!(vault.user("ADA@box.local").unwrap().0, "ada");
    }

    /// A browser that hangs up drops its request, and what that has handed to the writer is done all the same.
    #[tokio::test]
    async fn what_is_on_the_medium_is_in_memory_also_where_whoever_asked_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let vault = vault(dir.path());
        vault.add_user("ada", "old".into(), START).await.unwrap();
        let (cookie, _) = vault.log_in("ada", Origin::default(), START).await.unwrap();
        let (secret, ..) = vault.new_token("shed", START).await.unwrap();
        let token = vault.token(&secret, START).unwrap();
        // The medium is slow.
        let (go, wait) = std::sync::mpsc::channel::<()>();
        vault
            .store
            .write(move |_| {
                let _gone = wait.recv();
                Ok(())
            })
            .forget();
        let soon = Duration::from_millis(20);
        let change = vault.change_password("ada", "old", "new".into(), START);
        assert!(tokio::time::timeout(soon, change).await.is_err());
        assert!(tokio::time::timeout(soon, vault.log_out(&cookie)).await.is_err());
        assert!(tokio::time::timeout(soon, vault.rename("ada", "bea")).await.is_err());
        assert!(tokio::time::timeout(soon, vault.bind(&token, 7)).await.is_err());
        assert_eq!(vault.user("bea"), None);
        go.send(()).unwrap();
        // Each has its turn, and this comes last.
        vault.add_user("eve", "hers".into(), START).await.unwrap();
        assert_eq!(vault.user("bea"), Some(("bea".to_owned(), "new".to_owned())));
        assert_eq!(vault.user("ada"), None);
        assert_eq!(vault.token(&secret, START).unwrap().addon, Some(7));
        let rows = |all: &BTreeMap<String, Credential>| -> Vec<(String, Kind)> {
            let rows = all.iter().map(|(key, row)| (key.clone(), row.kind.clone()));
            rows.collect()
        };
        let medium = vault.store.read(|r| CREDENTIALS.all(r)).unwrap();
        let medium: BTreeMap<String, Credential> = medium.into_iter().collect();
        assert_eq!(vault.with(rows), rows(&medium));
    }
}
