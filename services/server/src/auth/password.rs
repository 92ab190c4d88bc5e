//! Passwords: argon2id, 19 MiB and two passes (OWASP's first choice), off the async threads, two at a time.
//!
//! A login for a user that does not exist costs the same hash, so that names cannot be told by the time it takes.

use std::sync::{Arc, LazyLock};

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use tokio::sync::Semaphore;

/// Shortest password in characters. Source: NIST SP 800-63B §3.1.1.2.
pub const LEAST: usize = 8;

/// Longest password in bytes; more only costs time.
pub const MOST: usize = 256;

/// Hashes at one time: 19 MiB each, on a box with perhaps 1 GiB.
const AT_ONCE: usize = 2;

/// Why a password was not hashed or looked at.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Too short or too long to be anybody's.
    #[error("a password has {LEAST} to {MOST} characters")]
    Length,
    /// argon2 refused.
    #[error("hashing the password: {0}")]
    Hash(String),
    /// The task that hashed ended early: the server is stopping.
    #[error("the server is stopping")]
    Stopping,
}

/// The bounded place where passwords are hashed.
#[derive(Clone, Debug)]
pub struct Hasher {
    slots: Arc<Semaphore>,
}

impl Default for Hasher {
    fn default() -> Self {
        Self {
            slots: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }
}

/// The hash that stands for users that do not exist.
static NOBODY: LazyLock<String> = LazyLock::new(|| hash_now("nobody has this password").unwrap_or_default());

fn hash_now(password: &str) -> Result<String, Error> {
    Argon2::default()
        .hash_password(password.as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|error| Error::Hash(error.to_string()))
}

/// Whether a password's length is one that we take.
///
/// # Errors
/// [`Error::Length`].
pub fn check_length(password: &str) -> Result<(), Error> {
    if password.chars().count() < LEAST || password.len() > MOST {
        Err(Error::Length)
    } else {
        Ok(())
    }
}

impl Hasher {
    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        let slot = Arc::clone(&self.slots)
            .acquire_owned()
            .await
            .map_err(|_| Error::Stopping)?;
        tokio::task::spawn_blocking(move || {
            let done = work();
            drop(slot);
            done
        })
        .await
        .map_err(|_| Error::Stopping)
    }

    /// The PHC string of a new password.
    ///
    /// # Errors
    /// When its length is not taken, or hashing failed.
    pub async fn hash(&self, password: String) -> Result<String, Error> {
        check_length(&password)?;
        self.run(move || hash_now(&password)).await?
    }

    /// Whether `password` is the one of `phc`; `None` stands for a user that does not exist and is never right.
    ///
    /// # Errors
    /// When the server is stopping.
    pub async fn verify(&self, password: String, phc: Option<String>) -> Result<bool, Error> {
        if password.len() > MOST {
            return Ok(false);
        }
        self.run(move || {
            let known = phc.is_some();
            let phc = phc.unwrap_or_else(|| NOBODY.clone());
            let right = PasswordHash::new(&phc)
                .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok());
            right && known
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[tokio::test]
    async fn only_the_password_itself_is_right() {
        let hasher = Hasher::default();
        let phc = hasher.hash("correct horse".into()).await.unwrap();
        assert!(phc.starts_with("$argon2id$"), "{phc}");
        assert!(hasher.verify("correct horse".into(), Some(phc.clone())).await.unwrap());
        assert!(!hasher.verify("correct horsf".into(), Some(phc.clone())).await.unwrap());
        assert!(!hasher.verify("x".repeat(MOST + 1), Some(phc)).await.unwrap());
        assert!(
            !hasher
                .verify("correct horse".into(), Some("not a hash".into()))
                .await
                .unwrap()
        );
        assert!(!hasher.verify("nobody has this password".into(), None).await.unwrap());
    }

    #[tokio::test]
    async fn short_passwords_are_refused() {
        assert!(matches!(
            Hasher::default().hash("seven77".into()).await,
            Err(Error::Length)
        ));
    }
}
