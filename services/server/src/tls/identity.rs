//! The box's key and certificate: `tls.key` and `tls.crt` in the data directory, mode 0600.

use std::fs;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, SanType,
    SerialNumber,
};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use wire::Time;

use crate::auth::secret;

/// How long a certificate holds. Browsers take none that holds longer than 825 days.
const HOLDS: Duration = Duration::from_hours(820 * 24);

/// How long before its end, at the latest, a new one is made.
const RENEW: Duration = Duration::from_hours(720);

/// How long a clock that stands before a certificate's beginning is given to be set. A board without a clock of its own starts
/// at the day of its image at every boot: a new certificate each time would be a new fingerprint for everybody who knows it.
const SETTLED: Duration = Duration::from_hours(1);

/// How far before now it begins: other clocks may be behind ours.
const BEFORE: Duration = Duration::from_hours(48);

/// Name of a box that has not found its own yet, as at the start of one without a number on its board: no reason for
/// another certificate, whose fingerprint people would have to compare again.
const NAMELESS: &str = "kiln";

/// The box's key and certificate.
#[derive(Clone, Debug)]
pub struct Identity {
    /// For the acceptor.
    pub config: Arc<ServerConfig>,
    /// What people see of the certificate.
    pub shown: Shown,
}

/// What people see of the certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// SHA-256: 32 hexadecimal pairs with colons, as browsers show it.
    pub fingerprint: String,
    /// From when it holds.
    pub begins: Time,
    /// Until when.
    pub ends: Time,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The medium.
    #[error("{0}")]
    File(PathBuf, #[source] std::io::Error),
    /// The key or the certificate.
    #[error("making the box's certificate: {0}")]
    Made(#[from] rcgen::Error),
    /// What came of them.
    #[error("the box's certificate: {0}")]
    Taken(#[from] rustls::Error),
}

/// What stands beside the certificate, to know without parsing it when it has to be made anew.
#[derive(Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Note {
    name: String,
    ends: Time,
}

impl Identity {
    /// Reads it from `dir`; makes what is not there, not readable, for another name or about to end. On a medium that takes no
    /// writes it holds for this run: a certificate that the next start makes anew is better than passwords in clear.
    ///
    /// # Errors
    /// When no certificate can be made.
    pub fn open(dir: &Path, name: &str, now: Time) -> Result<Self, Error> {
        let (key_at, cert_at, note_at) = (dir.join("tls.key"), dir.join("tls.crt"), dir.join("tls.json"));
        let mut is_kept = true;
        let read = match fs::read(&key_at) {
            Ok(pem) => Some(
                std::str::from_utf8(&pem)
                    .ok()
                    .and_then(|pem| KeyPair::from_pem(pem).ok()),
            ),
            Err(error) if error.kind() == ErrorKind::NotFound => Some(None),
            // It may be whole, and read at the next start.
            Err(error) => {
                is_kept = kept(Err(Error::File(key_at.clone(), error)));
                None
            }
        };
        let key = match read {
            Some(Some(key)) => key,
            Some(None) => {
                let key = KeyPair::generate()?;
                is_kept = kept(replace(&key_at, &key.serialize_pem()));
                if is_kept {
                    // A certificate of the key before is none any more.
                    drop(fs::remove_file(&note_at));
                }
                key
            }
            None => KeyPair::generate()?,
        };
        let note: Option<Note> = fs::read(&note_at)
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok());
        // A box may learn its name from a network card, seconds after its first start: what the console showed stays.
        let same = |note: &Note| note.name == name || name == NAMELESS || note.name == NAMELESS;
        let holds = note.filter(|note| same(note) && !ends_soon(note.ends, now));
        let known = holds.and_then(|note| {
            let cert = CertificateDer::from_pem_file(&cert_at).ok()?;
            Self::with(&key, cert, note.ends).ok()
        });
        if let Some(known) = known {
            return Ok(known);
        }
        let ends = now.checked_add(HOLDS).unwrap_or(Time::MAX);
        let cert = params(name, now, ends)?.self_signed(&key)?;
        // The note last: it speaks for the other two.
        if is_kept && kept(write(&cert_at, &cert.pem())) {
            let note = Note {
                name: name.to_owned(),
                ends,
            };
            kept(write(&note_at, &serde_json::to_string(&note).unwrap_or_default()));
        }
        Ok(Self::with(&key, cert.der().clone(), ends)?)
    }

    /// Has the next [`Self::open`] make a new one, by the same key.
    ///
    /// # Errors
    /// When the medium fails.
    pub fn forget(dir: &Path) -> Result<(), Error> {
        let note = dir.join("tls.json");
        match fs::remove_file(&note) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::File(note, error)),
            _ => Ok(()),
        }
    }

    fn with(key: &KeyPair, cert: CertificateDer<'static>, ends: Time) -> Result<Self, rustls::Error> {
        let shown = Shown {
            fingerprint: fingerprint(&cert),
            begins: ends.checked_sub(HOLDS + BEFORE).unwrap_or(ends),
            ends,
        };
        let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(|why| rustls::Error::General(why.to_owned()))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![cert], key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            config: Arc::new(config),
            shown,
        })
    }
}

/// Whether a certificate until `ends` has to be made anew.
fn ends_soon(ends: Time, now: Time) -> bool {
    now + RENEW >= ends
}

impl Shown {
    /// Whether the server should make another one, after it has run for `uptime`. One that was made while the clock stood in
    /// the future would be refused by every browser until then; but right after a start it is rather the clock that is late.
    pub fn is_due(&self, now: Time, uptime: Duration) -> bool {
        ends_soon(self.ends, now) || (self.begins > now && uptime >= SETTLED)
    }
}

/// SHA-256 of a certificate, as browsers show it.
fn fingerprint(cert: &[u8]) -> String {
    let pairs: Vec<String> = Sha256::digest(cert).iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

fn params(name: &str, now: Time, ends: Time) -> Result<CertificateParams, rcgen::Error> {
    let name = if name.is_empty() { "kiln" } else { name };
    let mut names = vec!["localhost".to_owned(), format!("{name}.local")];
    if name != "localhost" {
        names.push(name.to_owned());
    }
    let mut params = CertificateParams::new(names)?;
    params.subject_alt_names.extend([
        SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        SanType::IpAddress(IpAddr::V6(Ipv6Addr::LOCALHOST)),
    ]);
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    subject.push(DnType::OrganizationName, "Kiln");
    params.distinguished_name = subject;
    // The key outlives certificates, and by the key alone each would have the number of the one before: Firefox refuses a box
    // whose certificate it knows by the same issuer and number, and offers no way on (RFC 5280 §4.1.2.2).
    params.serial_number = Some(serial(secret::random()));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let seconds = |time: Time| time::OffsetDateTime::from_unix_timestamp(time.as_second());
    let bad = |_| rcgen::Error::Time;
    params.not_before = seconds(now.checked_sub(BEFORE).unwrap_or(now)).map_err(bad)?;
    params.not_after = seconds(ends).map_err(bad)?;
    Ok(params)
}

/// A number that is positive and not zero, whatever bytes it is made of.
fn serial(mut bytes: [u8; 16]) -> SerialNumber {
    bytes[0] = bytes[0] & 0x7f | 0x40;
    SerialNumber::from_slice(&bytes)
}

/// Whether it is on the medium; what is not is told.
fn kept(written: Result<(), Error>) -> bool {
    if let Err(error) = &written {
        tracing::warn!(
            error = error as &dyn std::error::Error,
            "the box's certificate is not kept, the next start makes another"
        );
    }
    written.is_ok()
}

/// Writes a key in the place of one that cannot be used, if there is one. That may still be most of a key: it goes with its
/// bytes, once the new one stands.
fn replace(path: &Path, text: &str) -> Result<(), Error> {
    let failed = |cause| Error::File(path.to_owned(), cause);
    let old = path.with_extension("old");
    match fs::rename(path, &old) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    if let Err(error) = write(path, text) {
        // As it was; where there was none, there is none to give back.
        drop(fs::rename(&old, path));
        return Err(error);
    }
    if let Err(error) = store::discard(&old) {
        tracing::warn!(%error, "{} is still there", old.display());
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    crate::key::write(path, text).map_err(|cause| Error::File(path.to_owned(), cause))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn at(days: u64) -> Time {
        Time::UNIX_EPOCH + Duration::from_secs((20_000 + days) * 86_400)
    }

    #[test]
    fn one_of_the_future_is_made_anew_once_the_clock_has_had_its_time() {
        let dir = tempfile::tempdir().unwrap();
        let open = |day| Identity::open(dir.path(), "kiln", at(day)).unwrap().shown;
        let ahead = open(30_000);
        let minute = Duration::from_mins(1);
        assert!(!ahead.is_due(at(0), minute) && !ahead.is_due(at(30_000), SETTLED));
        assert!(ahead.is_due(at(0), SETTLED));
        Identity::forget(dir.path()).unwrap();
        let now = open(0);
        assert!(now.begins <= at(0) && at(0) < now.ends);
        assert_ne!(now.fingerprint, ahead.fingerprint);
        Identity::forget(dir.path()).unwrap();
        Identity::forget(dir.path()).unwrap();
    }

    /// A board without a clock starts at the day of its image, at every boot, for years.
    #[test]
    fn a_clock_that_is_late_at_every_start_changes_no_fingerprint() {
        let dir = tempfile::tempdir().unwrap();
        let open = |day| Identity::open(dir.path(), "kiln", at(day)).unwrap().shown;
        let first = open(0);
        for day in [100, 500, 780] {
            let shown = open(0);
            assert_eq!(shown, first);
            // Then the time comes.
            assert!(!shown.is_due(at(day), SETTLED));
        }
        assert!(first.is_due(at(800), Duration::from_mins(1)));
        let second = open(800);
        assert_ne!(second.fingerprint, first.fingerprint);
        for day in [801, 1_000, 1_500] {
            let shown = open(0);
            assert_eq!(shown, second, "day {day}");
            assert!(!shown.is_due(at(0), Duration::from_mins(1)) && !shown.is_due(at(day), SETTLED));
        }
    }

    /// A certificate's number, which comes behind its version (RFC 5280 §4.1).
    fn serial_of(cert: &[u8]) -> Vec<u8> {
        let version_3 = [0xa0, 3, 2, 1, 2, 2];
        let at = cert.windows(6).position(|w| w == version_3).unwrap() + 6;
        cert[at + 1..][..cert[at].into()].to_vec()
    }

    #[test]
    fn a_number_is_positive_and_not_zero_whatever_was_drawn() {
        for drawn in [[0; 16], [0xff; 16]] {
            let number = serial(drawn).to_bytes();
            assert!(number.len() == 16 && number[0] != 0 && number[0] < 0x80, "{number:?}");
        }
    }

    #[test]
    fn it_is_made_once_and_renewed_in_time_with_the_same_key() {
        let dir = tempfile::tempdir().unwrap();
        let first = Identity::open(dir.path(), "kiln", at(0)).unwrap();
        let key = fs::read(dir.path().join("tls.key")).unwrap();
        assert_eq!(first.shown.fingerprint.len(), 32 * 3 - 1);
        let mode = fs::metadata(dir.path().join("tls.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let fingerprint = |name, day| Identity::open(dir.path(), name, at(day)).unwrap().shown.fingerprint;
        assert_eq!(fingerprint("kiln", 789), first.shown.fingerprint);
        assert_eq!(
            fingerprint("bench", 789),
            first.shown.fingerprint,
            "a name that is found later changes nothing"
        );
        let number = || serial_of(&CertificateDer::from_pem_file(dir.path().join("tls.crt")).unwrap());
        let before = number();
        let named = fingerprint("bench", 791);
        assert_ne!(named, first.shown.fingerprint);
        assert_ne!(number(), before, "Firefox takes no two of one issuer and number");
        assert_eq!(
            fingerprint("kiln", 791),
            named,
            "a name that is not found yet changes nothing"
        );
        assert_ne!(fingerprint("shed", 791), named, "another name is another certificate");
        assert_eq!(fs::read(dir.path().join("tls.key")).unwrap(), key);
    }

    #[test]
    fn what_is_not_readable_is_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        for file in ["tls.key", "tls.crt", "tls.json"] {
            let before = Identity::open(dir.path(), "kiln", at(0)).unwrap().shown.fingerprint;
            fs::write(dir.path().join(file), b"\xff nothing").unwrap();
            assert_ne!(
                Identity::open(dir.path(), "kiln", at(0)).unwrap().shown.fingerprint,
                before,
                "{file}"
            );
        }
        // A key that is not the certificate's.
        let other = tempfile::tempdir().unwrap();
        Identity::open(other.path(), "kiln", at(0)).unwrap();
        fs::copy(other.path().join("tls.key"), dir.path().join("tls.key")).unwrap();
        Identity::open(dir.path(), "kiln", at(0)).unwrap();
    }

    #[test]
    fn a_key_that_cannot_be_used_goes_with_its_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let (key, kept) = (dir.path().join("tls.key"), dir.path().join("witness"));
        fs::write(&key, "half a key").unwrap();
        // A second name shows what became of the bytes.
        fs::hard_link(&key, &kept).unwrap();
        Identity::open(dir.path(), "kiln", at(0)).unwrap();
        assert_eq!(fs::read(&kept).unwrap(), [0; 10]);
        assert!(fs::read_to_string(&key).unwrap().contains("PRIVATE KEY"));
        assert!(!dir.path().join("tls.old").exists());
    }

    #[test]
    fn a_key_that_cannot_be_used_stays_until_another_one_stands() {
        let dir = tempfile::tempdir().unwrap();
        let key = dir.path().join("tls.key");
        fs::write(&key, "half a key").unwrap();
        // Nothing can be written where new files begin.
        fs::create_dir(dir.path().join("tls.new")).unwrap();
        Identity::open(dir.path(), "kiln", at(0)).unwrap();
        assert_eq!(fs::read(&key).unwrap(), b"half a key");
    }

    #[test]
    fn a_key_that_the_medium_does_not_give_is_left_alone_for_the_next_start() {
        let dir = tempfile::tempdir().unwrap();
        let open = || Identity::open(dir.path(), "kiln", at(0)).unwrap().shown;
        let first = open();
        let (key, away) = (dir.path().join("tls.key"), dir.path().join("away"));
        fs::rename(&key, &away).unwrap();
        // A folder is read by nobody, not even root.
        fs::create_dir(&key).unwrap();
        fs::write(key.join("witness"), "x").unwrap();
        let meanwhile = open();
        assert_ne!(meanwhile.fingerprint, first.fingerprint);
        assert_ne!(open(), meanwhile, "for one run alone");
        assert_eq!(fs::read(key.join("witness")).unwrap(), b"x");
        fs::remove_dir_all(&key).unwrap();
        fs::rename(&away, &key).unwrap();
        assert_eq!(open(), first, "and so were its certificate and its note");
    }

    #[test]
    fn a_medium_that_takes_no_writes_takes_no_tls_away() {
        let dir = tempfile::tempdir().unwrap();
        let first = Identity::open(dir.path(), "kiln", at(0)).unwrap().shown;
        // Due, and nothing can be written where new files begin.
        fs::create_dir(dir.path().join("tls.new")).unwrap();
        let due = Identity::open(dir.path(), "kiln", at(800)).unwrap().shown;
        assert!(due.ends > first.ends);
        fs::remove_dir(dir.path().join("tls.new")).unwrap();
        let kept = Identity::open(dir.path(), "kiln", at(801)).unwrap().shown;
        assert_eq!(Identity::open(dir.path(), "kiln", at(802)).unwrap().shown, kept);
        Identity::open(Path::new("/nonexistent/kiln"), "kiln", at(0)).unwrap();
    }

    #[test]
    fn a_box_without_a_name_has_one_too() {
        let dir = tempfile::tempdir().unwrap();
        Identity::open(dir.path(), "", at(0)).unwrap();
        Identity::open(dir.path(), "localhost", at(0)).unwrap();
    }
}
