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

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use store::{Store, Table};
use wire::Time;

use super::secret;
use super::session::Origin;

/// The table.
pub const CREDENTIALS: Table<String, Credential> = Table::new("credentials");

/// How long an add-on token waits to be bound to an add-on. A bound one never expires. Source: Vigil, enrolment.
pub const TOKEN_UNBOUND: Duration = Duration::from_secs(3600);

/// Most unbound add-on tokens kept.
const TOKENS_MAX: usize = 1000;

/// One credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// What it opens.
    pub kind: Kind,
    /// When it was made.
    pub created: Time,
    /// When it ends; `None` for never.
    pub expires: Option<Time>,
}

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

/// The credentials, in memory and on the medium.
#[derive(Debug)]
pub struct Vault {
    store: Store,
    all: RwLock<BTreeMap<String, Credential>>,
    /// Tokens that live only as long as this process: the built-in agent's, made anew at each boot.
    fleeting: RwLock<BTreeMap<String, Credential>>,
}

/// What a presented add-on token opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its key in the table.
    pub key: String,
    /// Its number.
    pub id: u64,
    /// The add-on it is bound to; `None` while unbound.
    pub addon: Option<u64>,
}

fn user_key(name: &str) -> String {
    format!("user:{}", name.to_lowercase())
}

fn token_key(token: &str) -> String {
    format!("addon-token:{}", secret::hash(token))
}

impl Credential {
    pub(super) fn is_valid(&self, now: Time) -> bool {
        self.expires.is_none_or(|end| now < end)
    }
}

impl Vault {
    /// Reads the table.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn open(store: Store) -> store::Result<Self> {
        let all = store.read(|r| CREDENTIALS.all(r))?.into_iter().collect();
        Ok(Self {
            store,
            all: RwLock::new(all),
            fleeting: RwLock::default(),
        })
    }

    pub(super) fn with<T>(&self, look: impl FnOnce(&BTreeMap<String, Credential>) -> T) -> T {
        look(&self.all.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) async fn put(&self, key: String, credential: Credential) -> store::Result<()> {
        let (its, row) = (key.clone(), credential.clone());
        self.store.write(move |w| CREDENTIALS.put(w, &its, &row)).await?;
        self.all
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, credential);
        Ok(())
    }

    pub(super) async fn remove(&self, key: &str) -> store::Result<bool> {
        // Out of memory first: what was revoked opens nothing even while the medium is slow.
        let there = self
            .all
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key)
            .is_some();
        let key = key.to_owned();
        if there {
            self.store.write(move |w| CREDENTIALS.delete(w, &key)).await?;
        }
        Ok(there)
    }

    /// Whether there is any user: whether the box is claimed.
    pub fn has_users(&self) -> bool {
        self.with(|all| all.values().any(|c| matches!(c.kind, Kind::User { .. })))
    }

    /// Stores a person.
    ///
    /// # Errors
    /// When it is not on the medium.
    pub async fn add_user(&self, name: &str, password: String, now: Time) -> store::Result<()> {
        let kind = Kind::User {
            name: name.to_owned(),
            password,
        };
        self.put(
            user_key(name),
            Credential {
                kind,
                created: now,
                expires: None,
            },
        )
        .await
    }

    /// Name and password hash of the person that `login` means: a user name, or an e-mail address `NAME@…`.
    pub fn user(&self, login: &str) -> Option<(String, String)> {
        let login = login.trim();
        let name = login.split_once('@').map_or(login, |(name, _)| name);
        self.with(|all| match &all.get(&user_key(name))?.kind {
            Kind::User { name, password } => Some((name.clone(), password.clone())),
            Kind::Session { .. } | Kind::AddonToken { .. } => None,
        })
    }

    pub(super) async fn make_room(&self, prefix: &str, most: usize) -> store::Result<()> {
        loop {
            let first_to_end = self.with(|all| {
                let those: Vec<_> = all
                    .iter()
                    .filter(|(key, c)| key.starts_with(prefix) && c.expires.is_some())
                    .collect();
                (those.len() >= most).then(|| {
                    those
                        .iter()
                        .min_by_key(|(_, c)| c.expires)
                        .map(|(key, _)| (*key).clone())
                })
            });
            match first_to_end.flatten() {
                Some(key) => self.remove(&key).await?,
                None => return Ok(()),
            };
        }
    }

    /// Makes an add-on token, unbound; returns it with its number and when it ends unless bound.
    ///
    /// # Errors
    /// When it is not on the medium.
    pub async fn new_token(&self, name: &str, now: Time) -> store::Result<(String, u64, Time)> {
        let token = secret::new();
        let expires = now.checked_add(TOKEN_UNBOUND).unwrap_or(Time::MAX);
        self.make_room("addon-token:", TOKENS_MAX).await?;
        let id = self
            .store
            .write(|w| Table::<String, u64>::new("numbers").bump(w, "addon-token"))
            .await?;
        let kind = Kind::AddonToken {
            id,
            name: name.to_owned(),
            addon: None,
        };
        self.put(
            token_key(&token),
            Credential {
                kind,
                created: now,
                expires: Some(expires),
            },
        )
        .await?;
        Ok((token, id, expires))
    }

    /// All add-on tokens on the medium; their secrets are known to nobody here.
    pub fn tokens(&self) -> Vec<Credential> {
        self.with(|all| {
            all.values()
                .filter(|c| matches!(c.kind, Kind::AddonToken { .. }))
                .cloned()
                .collect()
        })
    }

    /// What this add-on token opens.
    pub fn token(&self, token: &str, now: Time) -> Option<Token> {
        let key = token_key(token);
        let look = |all: &BTreeMap<String, Credential>| match &all.get(&key).filter(|c| c.is_valid(now))?.kind {
            Kind::AddonToken { id, addon, .. } => Some(Token {
                key: key.clone(),
                id: *id,
                addon: *addon,
            }),
            Kind::User { .. } | Kind::Session { .. } => None,
        };
        look(&self.fleeting.read().unwrap_or_else(PoisonError::into_inner)).or_else(|| self.with(look))
    }

    /// Binds a token to an add-on, for ever; false if it is bound already or gone.
    ///
    /// # Errors
    /// When it is not on the medium.
    pub async fn bind(&self, token: &Token, addon: u64) -> store::Result<bool> {
        let bound = {
            let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
            match all.get_mut(&token.key) {
                Some(Credential {
                    kind: Kind::AddonToken { addon: bound, .. },
                    expires,
                    ..
                }) if bound.is_none() => {
                    // In memory at once, so that of two that ask only one gets it.
                    *bound = Some(addon);
                    *expires = None;
                    all.get(&token.key).cloned()
                }
                _ => None,
            }
        };
        let Some(credential) = bound else { return Ok(false) };
        self.put(token.key.clone(), credential).await?;
        Ok(true)
    }

    /// Gives an add-on a new token, bound from the start; its old ones are gone. Returns it with its number.
    ///
    /// # Errors
    /// When it is not on the medium.
    pub async fn rotate(&self, addon: u64, name: &str, now: Time) -> store::Result<(String, u64)> {
        let token = secret::new();
        let id = self
            .store
            .write(|w| Table::<String, u64>::new("numbers").bump(w, "addon-token"))
            .await?;
        // The old ones first: should the medium fail in between, the add-on has none rather than two.
        self.revoke_of(addon).await?;
        let kind = Kind::AddonToken {
            id,
            name: name.to_owned(),
            addon: Some(addon),
        };
        let credential = Credential {
            kind,
            created: now,
            expires: None,
        };
        self.put(token_key(&token), credential).await?;
        Ok((token, id))
    }

    /// Keys of the token with this number.
    pub fn keys_of_token(&self, number: u64) -> Vec<String> {
        let those = |c: &Credential| matches!(&c.kind, Kind::AddonToken { id, .. } if *id == number);
        self.with(|all| {
            all.iter()
                .filter(|(_, c)| those(c))
                .map(|(key, _)| key.clone())
                .collect()
        })
    }

    /// Takes away the token with this number.
    ///
    /// # Errors
    /// When that is not on the medium.
    pub async fn revoke(&self, number: u64) -> store::Result<bool> {
        let those = |c: &Credential| matches!(&c.kind, Kind::AddonToken { id, .. } if *id == number);
        self.remove_where(those).await
    }

    /// Takes away the tokens of an add-on.
    ///
    /// # Errors
    /// When that is not on the medium.
    pub async fn revoke_of(&self, of: u64) -> store::Result<bool> {
        self.remove_where(|c| matches!(&c.kind, Kind::AddonToken { addon: Some(a), .. } if *a == of))
            .await
    }

    async fn remove_where(&self, those: impl Fn(&Credential) -> bool) -> store::Result<bool> {
        let keys: Vec<String> = self.with(|all| {
            all.iter()
                .filter(|(_, c)| those(c))
                .map(|(key, _)| key.clone())
                .collect()
        });
        for key in &keys {
            self.remove(key).await?;
        }
        Ok(!keys.is_empty())
    }

    /// Admits a token for as long as this process lives: that of the built-in agent.
    pub fn admit(&self, token: &str, addon: u64, now: Time) {
        let kind = Kind::AddonToken {
            id: 0,
            name: "built-in agent".to_owned(),
            addon: Some(addon),
        };
        let credential = Credential {
            kind,
            created: now,
            expires: None,
        };
        self.fleeting
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(token_key(token), credential);
    }

    /// Takes ended sessions and tokens out of the table; says how many.
    ///
    /// # Errors
    /// When the medium does not take it.
    pub async fn sweep(&self, now: Time) -> store::Result<usize> {
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
    use store::{Check, Options};

    use super::super::session::SESSION;
    use super::*;

    fn vault(dir: &std::path::Path) -> Vault {
        let options = Options {
            check: Check::InProcess,
            ..Options::new(crate::tables::NAMES)
        };
        Vault::open(store::open(dir, &options).unwrap().store).unwrap()
    }

    fn later(by: Duration) -> Time {
        Time::UNIX_EPOCH.checked_add(by).unwrap()
    }

    #[tokio::test]
    async fn a_session_lasts_a_day_and_survives_a_restart_but_not_a_logout() {
        let dir = tempfile::tempdir().unwrap();
        let cookie = {
            let vault = vault(dir.path());
            vault
                .log_in("ada", Origin::default(), Time::UNIX_EPOCH)
                .await
                .unwrap()
                .0
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
    async fn secrets_are_kept_as_hashes_only() {
        let dir = tempfile::tempdir().unwrap();
        let vault = vault(dir.path());
        let (cookie, _) = vault.log_in("ada", Origin::default(), Time::UNIX_EPOCH).await.unwrap();
        let (token, ..) = vault.new_token("shed", Time::UNIX_EPOCH).await.unwrap();
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
    async fn a_token_that_is_bound_never_expires() {
        let dir = tempfile::tempdir().unwrap();
        let vault = vault(dir.path());
        let (token, id, _) = vault.new_token("shed", Time::UNIX_EPOCH).await.unwrap();
        let year = later(Duration::from_secs(365 * 86_400));
        assert_eq!(vault.token(&token, year), None, "unbound for more than an hour");
        let found = vault.token(&token, Time::UNIX_EPOCH).unwrap();
        assert_eq!((found.id, found.addon), (id, None));
        vault.bind(&found, 7).await.unwrap();
        assert_eq!(vault.token(&token, year).unwrap().addon, Some(7));
        assert!(vault.revoke(id).await.unwrap());
        assert_eq!(vault.token(&token, Time::UNIX_EPOCH), None);
    }

    #[tokio::test]
    async fn what_has_ended_is_swept() {
        let dir = tempfile::tempdir().unwrap();
        let vault = vault(dir.path());
        vault.log_in("ada", Origin::default(), Time::UNIX_EPOCH).await.unwrap();
        vault.add_user("ada", "phc".into(), Time::UNIX_EPOCH).await.unwrap();
        assert_eq!(vault.sweep(later(SESSION)).await.unwrap(), 1);
        assert_eq!(vault.user("ADA@box.local").unwrap().0, "ada");
    }
}
