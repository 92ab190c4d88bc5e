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
use std::sync::{Arc, PoisonError, RwLock};

use store::Store;
use wire::Time;

use super::credential::{CREDENTIALS, Credential, Ends, Kind, TOKEN_UNBOUND};
use super::secret;
use crate::clock::Now;
use crate::tables::NUMBERS;

/// Most unbound add-on tokens kept.
const TOKENS_MAX: usize = 1000;

/// The credentials, in memory and on the medium; clones share them.
#[derive(Clone, Debug)]
pub struct Vault {
    store: Store,
    all: Arc<RwLock<BTreeMap<String, Credential>>>,
    /// Held from what a change is made of to its end in memory: of two at once neither undoes the other, and memory says what
    /// the medium does.
    turn: Arc<tokio::sync::Mutex<()>>,
    /// Tokens that live only as long as this process: the built-in agent's, made anew at each boot.
    fleeting: Arc<RwLock<BTreeMap<String, Credential>>>,
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
            fleeting: Arc::default(),
        })
    }

    pub(super) fn with<T>(&self, look: impl FnOnce(&BTreeMap<String, Credential>) -> T) -> T {
        look(&self.all.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) async fn put(&self, key: String, credential: Credential) -> store::Result<()> {
        let its = self.clone();
        to_its_end(async move {
            let _turn = its.turn.lock().await;
            its.put_in_turn(key, credential).await
        })
        .await
    }

    /// Puts a credential if this person's password is still `was`, a hash; false if it was changed meanwhile, or the person is
    /// called otherwise. Checking a password takes a second on a small board: what it was checked for must not come after a
    /// change that was made to keep somebody out.
    pub(super) async fn put_while(
        &self,
        (name, was): (&str, &str),
        key: String,
        credential: Credential,
    ) -> store::Result<bool> {
        let (its, name, was) = (self.clone(), name.to_owned(), was.to_owned());
        to_its_end(async move {
            let _turn = its.turn.lock().await;
            match its.user(&name) == Some((name, was)) {
                true => its.put_in_turn(key, credential).await.map(|()| true),
                false => Ok(false),
            }
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

    pub(super) async fn remove(&self, key: &str) -> store::Result<bool> {
        // Out of memory first: what was revoked opens nothing even while the medium is slow.
        let there = self
            .all
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key)
            .is_some();
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
        self.all.write().unwrap_or_else(PoisonError::into_inner).remove(&key);
        Ok(())
    }

    /// Whether there is any user: whether the box is claimed.
    pub fn has_users(&self) -> bool {
        self.with(|all| all.values().any(|c| matches!(c.kind, Kind::User { .. })))
    }

    /// Stores a person.
    ///
    /// # Errors
    /// When it is not on the medium.
    pub async fn add_user(&self, name: &str, password: String, now: Now) -> store::Result<()> {
        let kind = Kind::User {
            name: name.to_owned(),
            password,
        };
        self.put(user_key(name), Credential::new(kind, None, now)).await
    }

    /// Stores whoever claims the box as its only person, in one transaction: nobody who was there before gets in any more, by
    /// password or session. Add-on tokens stay.
    ///
    /// # Errors
    /// When it is not on the medium; nothing is changed then.
    pub async fn claim(&self, name: &str, password: String, now: Now) -> store::Result<()> {
        let kind = Kind::User {
            name: name.to_owned(),
            password,
        };
        let (its, key, owner) = (self.clone(), user_key(name), Credential::new(kind, None, now));
        to_its_end(async move {
            let _turn = its.turn.lock().await;
            its.claim_in_turn(key, owner).await
        })
        .await
    }

    async fn claim_in_turn(&self, key: String, owner: Credential) -> store::Result<()> {
        let stays = |row: &Credential| match row.kind {
            Kind::AddonToken { .. } => true,
            Kind::User { .. } | Kind::Session { .. } => false,
        };
        let (its, row) = (key.clone(), owner.clone());
        self.store
            .write(move |w| {
                // What the medium has: a session that is just being ended is out of memory already.
                for (old, _) in CREDENTIALS.all(w)?.iter().filter(|(_, row)| !stays(row)) {
                    CREDENTIALS.delete(w, old.as_str())?;
                }
                CREDENTIALS.put(w, &its, &row)
            })
            .await?;
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, row| stays(row));
        all.insert(key, owner);
        Ok(())
    }

    /// Gives a person another password in place of `was`, both as hashes; false if it was changed meanwhile, or the person is
    /// called otherwise.
    ///
    /// # Errors
    /// When it is not on the medium; the old one counts then.
    pub async fn change_password(&self, name: &str, was: &str, password: String, now: Now) -> store::Result<bool> {
        let kind = Kind::User {
            name: name.to_owned(),
            password,
        };
        self.put_while((name, was), user_key(name), Credential::new(kind, None, now))
            .await
    }

    /// Calls a person otherwise, in one transaction with the person's sessions; false if somebody else has that name.
    ///
    /// # Errors
    /// When it is not on the medium; nothing is changed then.
    pub async fn rename(&self, old: &str, new: &str) -> store::Result<bool> {
        let (its, old, new) = (self.clone(), old.to_owned(), new.to_owned());
        to_its_end(async move {
            let _turn = its.turn.lock().await;
            its.rename_in_turn(&old, &new).await
        })
        .await
    }

    async fn rename_in_turn(&self, old: &str, new: &str) -> store::Result<bool> {
        let (from, to) = (user_key(old), user_key(new));
        let rows: Option<Vec<(String, Credential)>> = self.with(|all| {
            if from != to && all.contains_key(&to) {
                return None;
            }
            let theirs = all.iter().filter_map(|(key, credential)| {
                let mut row = credential.clone();
                match &mut row.kind {
                    Kind::User { name, .. } if *key == from => new.clone_into(name),
                    Kind::Session { user, .. } if user == old => new.clone_into(user),
                    Kind::User { .. } | Kind::Session { .. } | Kind::AddonToken { .. } => return None,
                }
                Some((if *key == from { to.clone() } else { key.clone() }, row))
            });
            Some(theirs.collect())
        });
        let Some(rows) = rows else { return Ok(false) };
        let (was, kept) = (from.clone(), rows.clone());
        self.store
            .write(move |w| {
                CREDENTIALS.delete(w, was.as_str())?;
                kept.iter()
                    .try_for_each(|(key, row)| CREDENTIALS.put(w, key.as_str(), row))
            })
            .await?;
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        all.remove(&from);
        all.extend(rows);
        Ok(true)
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

    /// Makes an add-on token, unbound; returns it with its number and when it ends unless bound.
    ///
    /// # Errors
    /// When it is not on the medium.
    pub async fn new_token(&self, name: &str, now: Now) -> store::Result<(String, u64, Time)> {
        let token = secret::new();
        self.make_room("addon-token:", TOKENS_MAX).await?;
        let id = self.store.write(|w| NUMBERS.bump(w, "addon-token")).await?;
        let kind = Kind::AddonToken {
            id,
            name: name.to_owned(),
            addon: None,
        };
        let credential = Credential::new(kind, Some(TOKEN_UNBOUND), now);
        let expires = credential.ends_at(now);
        self.put(token_key(&token), credential).await?;
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
    pub fn token(&self, token: &str, now: Now) -> Option<Token> {
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

    /// Whether the token with this key is still there.
    pub fn is_token(&self, key: &str) -> bool {
        let fleeting = self.fleeting.read().unwrap_or_else(PoisonError::into_inner);
        fleeting.contains_key(key) || self.with(|all| all.contains_key(key))
    }

    /// Binds a token to an add-on, for ever; false if it is bound already or gone.
    ///
    /// # Errors
    /// When it is not on the medium.
    pub async fn bind(&self, token: &Token, addon: u64) -> store::Result<bool> {
        let (its, key) = (self.clone(), token.key.clone());
        to_its_end(async move {
            let _turn = its.turn.lock().await;
            its.bind_in_turn(key, addon).await
        })
        .await
    }

    async fn bind_in_turn(&self, key: String, addon: u64) -> store::Result<bool> {
        // Of two that ask only one has its turn; what the medium refuses leaves the token as it was.
        let bound = self.with(|all| {
            let mut credential = all.get(&key)?.clone();
            match &mut credential.kind {
                Kind::AddonToken { addon: bound, .. } if bound.is_none() => *bound = Some(addon),
                Kind::AddonToken { .. } | Kind::User { .. } | Kind::Session { .. } => return None,
            }
            (credential.expires, credential.ends) = (None, Ends::Never);
            Some(credential)
        });
        let Some(credential) = bound else { return Ok(false) };
        self.put_in_turn(key, credential).await?;
        Ok(true)
    }

    /// Gives an add-on a new token, bound from the start; its old ones are gone. Returns it with its number.
    ///
    /// # Errors
    /// When it is not on the medium.
    pub async fn rotate(&self, addon: u64, name: &str, now: Now) -> store::Result<(String, u64)> {
        let token = secret::new();
        let id = self.store.write(|w| NUMBERS.bump(w, "addon-token")).await?;
        // The old ones first: should the medium fail in between, the add-on has none rather than two.
        self.revoke_of(addon).await?;
        let kind = Kind::AddonToken {
            id,
            name: name.to_owned(),
            addon: Some(addon),
        };
        self.put(token_key(&token), Credential::new(kind, None, now)).await?;
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
    pub fn admit(&self, token: &str, addon: u64, now: Now) {
        let kind = Kind::AddonToken {
            id: 0,
            name: "built-in agent".to_owned(),
            addon: Some(addon),
        };
        self.fleeting
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(token_key(token), Credential::new(kind, None, now));
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

    use super::super::session::{Origin, SESSION};
    use super::*;

    fn vault(dir: &std::path::Path) -> Vault {
        let options = Options {
            check: Check::InProcess,
            ..Options::new(crate::tables::NAMES)
        };
        Vault::open(store::open(dir, &options).unwrap().store).unwrap()
    }

    const START: Now = Now {
        mono: Duration::ZERO,
        wall: Time::UNIX_EPOCH,
    };

    /// After so long, on both clocks.
    fn later(by: Duration) -> Now {
        Now {
            mono: by,
            ..set(by.as_secs().cast_signed())
        }
    }

    /// At once, after the time that people read was set.
    fn set(to: i64) -> Now {
        Now {
            wall: Time::from_second(to).unwrap(),
            ..START
        }
    }

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
    async fn a_token_that_is_bound_never_expires() {
        let dir = tempfile::tempdir().unwrap();
        let vault = vault(dir.path());
        let (token, id, _) = vault.new_token("shed", START).await.unwrap();
        let year = later(Duration::from_secs(365 * 86_400));
        assert_eq!(vault.token(&token, year), None, "unbound for more than an hour");
        let found = vault.token(&token, START).unwrap();
        assert_eq!((found.id, found.addon), (id, None));
        vault.bind(&found, 7).await.unwrap();
        assert_eq!(vault.token(&token, year).unwrap().addon, Some(7));
        assert!(vault.revoke(id).await.unwrap());
        assert_eq!(vault.token(&token, START), None);
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

    /// A password takes a second to be checked on a small board. Whoever has lost it meanwhile (the owner at the console, or from
    /// another page) must not be undone by what was checked before.
    #[tokio::test]
    async fn what_a_password_was_checked_for_is_not_done_once_it_is_another() {
        let dir = tempfile::tempdir().unwrap();
        let vault = vault(dir.path());
        vault.add_user("ada", "old".into(), START).await.unwrap();
        // The thief's two requests were checked; then the owner comes.
        vault.add_user("ada", "owner's".into(), START).await.unwrap();
        assert!(
            !vault
                .change_password("ada", "old", "thief's".into(), START)
                .await
                .unwrap()
        );
        assert_eq!(vault.user("ada").unwrap().1, "owner's");
        let login = |was: &'static str| vault.log_in_by("ada", was, Origin::default(), START);
        assert!(login("old").await.unwrap().is_none());
        assert!(vault.sessions("ada", "", START).is_empty());
        assert!(login("owner's").await.unwrap().is_some());
        assert!(
            vault
                .change_password("ada", "owner's", "new".into(), START)
                .await
                .unwrap()
        );
        // Called otherwise: nobody of the old name comes to be.
        assert!(vault.rename("ada", "bea").await.unwrap());
        assert!(!vault.change_password("ada", "new", "x".into(), START).await.unwrap());
        assert_eq!(vault.user("ada"), None);
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

    #[tokio::test]
    async fn a_claim_leaves_its_owner_and_the_tokens_of_addons() {
        let dir = tempfile::tempdir().unwrap();
        let vault = vault(dir.path());
        vault.add_user("ada", "old".into(), START).await.unwrap();
        vault.add_user("bea", "hers".into(), START).await.unwrap();
        let (cookie, _) = vault.log_in("ada", Origin::default(), START).await.unwrap();
        let (token, ..) = vault.new_token("shed", START).await.unwrap();
        vault.claim("Ada", "new".into(), START).await.unwrap();
        for vault in [&vault, &Vault::open(vault.store.clone()).unwrap()] {
            assert_eq!(vault.user("ada"), Some(("Ada".to_owned(), "new".to_owned())));
            assert_eq!(vault.user("bea"), None);
            assert_eq!(vault.session(&cookie, START), None);
            assert!(vault.token(&token, START).is_some());
        }
    }

    #[tokio::test]
    async fn a_binding_that_the_medium_does_not_take_is_not_claimed_and_can_be_tried_again() {
        let dir = tempfile::tempdir().unwrap();
        let options = Options {
            check: Check::InProcess,
            map_size: 1 << 20,
            ..Options::new(crate::tables::NAMES)
        };
        let vault = Vault::open(store::open(dir.path(), &options).unwrap().store).unwrap();
        let (secret, ..) = vault.new_token("shed", START).await.unwrap();
        let token = vault.token(&secret, START).unwrap();
        // While somebody reads, no page is used again, and each change takes new ones: in the end none is left.
        let (reads, store) = (Arc::new(std::sync::Barrier::new(2)), vault.store.clone());
        let its = Arc::clone(&reads);
        let reader = std::thread::spawn(move || {
            store.read(|_| {
                its.wait();
                its.wait();
                Ok(())
            })
        });
        reads.wait();
        let (key, row) = vault.with(|all| all.iter().next().map(|(key, row)| (key.clone(), row.clone())).unwrap());
        let mut changes = 0;
        loop {
            let (key, row) = (key.clone(), row.clone());
            if vault
                .store
                .write(move |w| CREDENTIALS.put(w, &key, &row))
                .await
                .is_err()
            {
                break;
            }
            changes += 1;
            assert!(changes < 5_000, "the store grows");
        }
        assert!(vault.bind(&token, 7).await.is_err());
        assert_eq!(vault.token(&secret, START), Some(token.clone()), "bound to nobody");
        reads.wait();
        reader.join().unwrap().unwrap();
        let (one, other) = tokio::join!(vault.bind(&token, 8), vault.bind(&token, 9));
        assert!(one.unwrap() != other.unwrap(), "only one of two gets it");
        let bound = vault.token(&secret, START).unwrap().addon;
        assert!(bound.is_some());
        let again = Vault::open(vault.store.clone()).unwrap();
        assert_eq!(again.token(&secret, later(TOKEN_UNBOUND * 2)).unwrap().addon, bound);
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

    #[tokio::test]
    async fn a_token_that_is_not_bound_ends_by_the_clock_that_only_goes_forward() {
        let dir = tempfile::tempdir().unwrap();
        let vault = vault(dir.path());
        let (token, ..) = vault.new_token("shed", START).await.unwrap();
        assert!(vault.token(&token, set(1 << 31)).is_some());
        let set_back = Now {
            mono: TOKEN_UNBOUND,
            ..set(-86_400)
        };
        assert_eq!(vault.token(&token, set_back), None);
    }
}
