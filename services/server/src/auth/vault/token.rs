//! Add-on tokens: made, bound to an add-on, changed for another, taken away.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use wire::Time;

use super::super::credential::{Credential, Ends, Kind, TOKEN_UNBOUND};
use super::super::secret;
use super::{Vault, to_its_end};
use crate::clock::Now;
use crate::tables::NUMBERS;

/// Most unbound add-on tokens kept.
const TOKENS_MAX: usize = 1000;

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

fn token_key(token: &str) -> String {
    format!("addon-token:{}", secret::hash(token))
}

impl Vault {
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
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::sync::Arc;
    use std::time::Duration;

    use store::{Check, Options};

    use super::super::super::credential::CREDENTIALS;
    use super::super::tests::{START, later, set, vault};
    use super::*;

    #[tokio::test]
    async fn a_token_that_is_bound_never_expires() {
        let dir = tempfile::tempdir().unwrap();
        let vault = vault(dir.path());
        let (token, id, _) = vault.new_token("shed", START).await.unwrap();
        let year = later(Duration::from_hours(365 * 24));
        assert_eq!(vault.token(&token, year), None, "unbound for more than an hour");
        let found = vault.token(&token, START).unwrap();
        assert_eq!((found.id, found.addon), (id, None));
        vault.bind(&found, 7).await.unwrap();
        assert_eq!(vault.token(&token, year).unwrap().addon, Some(7));
        assert!(vault.revoke(id).await.unwrap());
        assert_eq!(vault.token(&token, START), None);
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
