//! People: their names and the hashes of their passwords; who claims the box.

use std::sync::PoisonError;

use super::super::credential::{CREDENTIALS, Credential, Kind};
use super::{Vault, to_its_end};
use crate::clock::Now;

fn user_key(name: &str) -> String {
    format!("user:{}", name.to_lowercase())
}

impl Vault {
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
        drop(all);
        self.ended.send_replace(());
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
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::super::session::Origin;
    use super::super::tests::{START, vault};
    use super::*;

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
}
