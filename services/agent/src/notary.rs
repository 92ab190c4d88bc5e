//! Signs certificates: with a key of its own, made once and kept in the agent's store.
//!
//! The certificate itself, its form and its check are the crate `certificate`'s. A store that was set aside takes its key
//! with it: what is signed afterwards bears another one, and older certificates stay good for whoever trusts the old key.

use certificate::{Certificate, Key, Maker, SOFTWARE, Signed};
use store::{Store, Write};
use tracing::{info, warn};
use wire::Time;
use wire::certificate::CertificateInfo;
use wire::job::Job;

use crate::jobs::PINS;

/// Where the key's seed lies among the pins.
const SEED: &str = "certificate_seed";

/// Signs for this box; clones are the same.
#[derive(Clone, Debug)]
pub struct Notary {
    store: Store,
    key: Key,
}

/// Why there is no notary.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store does not give or take the key.
    #[error("the key for certificates")]
    Store(#[from] store::Error),
    /// What lies there is no key.
    #[error("the key for certificates in the store is not 64 hexadecimal digits")]
    Damaged,
    /// The kernel gives no random numbers.
    #[error("no random numbers for a key: {0}")]
    Random(String),
}

impl Notary {
    /// The notary with the key in `store`; makes one where there is none.
    ///
    /// # Errors
    /// As [`Error`].
    pub fn open(store: Store) -> Result<Self, Error> {
        let kept = store.read(|r| PINS.get(r, SEED))?;
        let seed = if let Some(text) = kept {
            seed(&text).ok_or(Error::Damaged)?
        } else {
            let mut seed = [0; 32];
            getrandom::fill(&mut seed).map_err(|error| Error::Random(error.to_string()))?;
            let text = hex::encode(seed);
            store.write(move |w| PINS.put(w, SEED, &text)).wait()?;
            seed
        };
        let key = Key::from_seed(&seed);
        info!(fingerprint = %key.public().fingerprint(), "key for certificates");
        Ok(Self { store, key })
    }

    /// Signs the certificate of a job that is over: what the job says of it, and its text.
    pub fn certify(&self, job: &Job, now: Time) -> Option<(CertificateInfo, String)> {
        let certificate = Certificate::of(job, &self.maker(), self.key.public(), now)?;
        match Signed::sign(&certificate, &self.key) {
            Ok(signed) => Some((signed.info(), signed.text().to_owned())),
            Err(cause) => {
                warn!(job = %job.id, %cause, "no certificate could be signed");
                None
            }
        }
    }

    fn maker(&self) -> Maker {
        let box_id = self.store.read(|r| PINS.get(r, "box_id")).ok().flatten();
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
        let name = name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
        Maker {
            id: box_id.unwrap_or_else(|| "agent".to_owned()),
            name: name.unwrap_or_else(|| "kiln".to_owned()),
            software: SOFTWARE.to_owned(),
        }
    }
}

/// The key's seed as text, for a backup.
///
/// # Errors
/// When the store cannot be read.
pub(crate) fn seed_text(store: &Store) -> store::Result<Option<String>> {
    store.read(|r| PINS.get(r, SEED))
}

/// Puts the seed of a backup in the present one's place; a text that is none changes nothing.
///
/// # Errors
/// When the store does not take it.
pub(crate) fn keep_seed(w: &mut Write<'_, '_>, text: &str) -> store::Result<()> {
    if seed(text).is_none() {
        warn!("the backup's key for certificates is none; the present one stays");
        return Ok(());
    }
    PINS.put(w, SEED, &text.to_owned())
}

fn seed(text: &str) -> Option<[u8; 32]> {
    hex::decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use store::{Check, Options};

    use super::*;

    #[test]
    fn the_key_is_made_once_and_signs_what_can_be_checked() {
        let dir = tempfile::tempdir().unwrap();
        let options = Options {
            check: Check::InProcess,
            ..Options::new(&["pins"])
        };
        let open = || Notary::open(store::open(dir.path(), &options).unwrap().store);
        let first = open().unwrap();
        let (key, job) = (first.key.public().to_hex(), crate::events::tests::passed());
        let (info, text) = first.certify(&job, Time::UNIX_EPOCH).unwrap();
        drop(first);
        assert_eq!(open().unwrap().key.public().to_hex(), key);
        let signed = Signed::parse(&text).unwrap();
        assert_eq!(signed.info(), info);
        assert_eq!(signed.certificate().job, job.id);
        assert!(Signed::parse(&text.replacen("PASSED", "FAILED", 1).replacen("passed", "failed", 1)).is_err());
        let store = store::open(dir.path(), &options).unwrap().store;
        store.write(|w| PINS.put(w, SEED, &"x".to_owned())).wait().unwrap();
        assert!(matches!(Notary::open(store), Err(Error::Damaged)));
    }

    #[test]
    fn a_job_that_is_not_over_has_none() {
        let dir = tempfile::tempdir().unwrap();
        let options = Options {
            check: Check::InProcess,
            ..Options::new(&["pins"])
        };
        let notary = Notary::open(store::open(dir.path(), &options).unwrap().store).unwrap();
        assert!(notary.certify(&crate::events::tests::job(), Time::UNIX_EPOCH).is_none());
    }
}
