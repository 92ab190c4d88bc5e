//! What fits on paper: the essence of a certificate in a QR code, with a signature of its own.
//!
//! Whoever holds the paper scans the code and has a text that says which drive got which word, when,
//! by which key, and the digest of the whole certificate: `kiln cert verify` checks that text offline,
//! and the paper can be compared with it. Everything but the names is upper case and digits, which a
//! QR code packs at 5.5 bits a letter.
//!
//! ```text
//! KILN CERTIFICATE 1
//! PASSED
//! KC-7Q2M-9F3K-XB4T
//! ST12000NM000J              model
//! ZRT10W3P                   serial
//! 12000138625024             capacity in bytes
//! 2026-11-19T14:22:05Z       made
//! 2027-11-19T14:22:05Z       valid until
//! 8F31C9A2…                  Ed25519 public key
//! C4E902BB…                  SHA-256 of the certificate
//! 5B27…                      Ed25519 over "kiln-stamp-v1\n" and the lines above, joined by "\n"
//! ```

use jiff::Timestamp;
use wire::job::Outcome;
use wire::{Bytes, Time};

use crate::certificate::Certificate;
use crate::id;
use crate::key::{Key, PublicKey};

/// First line of every stamp.
pub const FIRST: &str = "KILN CERTIFICATE 1";

/// Domain separation of the signed lines.
const PREFIX: &[u8] = b"kiln-stamp-v1\n";

/// Characters of a model or serial that a code carries: the code stays small enough to print, and no drive tells more than 40.
/// Source: SCSI has 8 + 16, ATA and NVMe 40 of model, all of them 20 of serial.
pub const NAME_MAX: usize = 60;

/// A stamp; whether its signature is good says [`Stamp::verifies`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The signed lines.
    lines: String,
    signature: String,
    /// What the lines say.
    pub says: Says,
}

/// What a stamp says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Says {
    /// The verdict's word.
    pub outcome: Outcome,
    /// The certificate's id.
    pub id: String,
    /// Model.
    pub model: String,
    /// Serial.
    pub serial: String,
    /// Capacity.
    pub capacity: Bytes,
    /// When it was made, to the second.
    pub made: Time,
    /// Until when it holds, to the second.
    pub valid_until: Time,
    /// Public key, 64 lower-case digits.
    pub key: String,
    /// SHA-256 over the certificate, 64 lower-case digits.
    pub digest: String,
}

/// Why a text is no stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadStamp {
    /// Its lines are not those of a stamp.
    #[error("it is not spelt as such a code is")]
    Spelling,
    /// A name holds what would command a terminal; no code of Kiln's has one.
    #[error("its {name} holds the control character U+{:04X}, which no code that Kiln makes has", u32::from(*.character))]
    Control {
        /// Which.
        name: &'static str,
        /// The first one.
        character: char,
    },
    /// A name is none that a code of Kiln's has.
    #[error(
        "its {name} is longer than {NAME_MAX} characters or has blanks at its ends, as none in a code that Kiln makes"
    )]
    Name {
        /// Which.
        name: &'static str,
    },
    /// A revocation would not find it.
    #[error("its id is not spelt as Kiln spells one (KC-7Q2M-9F3K-XB4T), and no revocation would find it")]
    Id,
}

impl Stamp {
    pub(crate) fn of(certificate: &Certificate, digest: &str, key: &Key) -> Self {
        let mut stamp = Self::with_signature(certificate, digest, "");
        stamp.signature = key.sign(PREFIX, &stamp.lines);
        stamp
    }

    pub(crate) fn with_signature(certificate: &Certificate, digest: &str, signature: &str) -> Self {
        let says = Says {
            outcome: certificate.outcome(),
            id: line(&certificate.id, 40),
            model: line(&certificate.drive.model, NAME_MAX),
            serial: line(&certificate.drive.serial, NAME_MAX),
            capacity: certificate.drive.capacity,
            made: seconds(certificate.made),
            valid_until: seconds(certificate.valid_until),
            key: certificate.key.clone(),
            digest: digest.to_owned(),
        };
        Self {
            lines: lines(&says),
            signature: signature.to_owned(),
            says,
        }
    }

    /// Reads the text of a scanned code. Blanks and line ends at its end are forgiven, nothing else.
    ///
    /// # Errors
    /// When it, its id or a name in it is not spelt as a stamp's is.
    pub fn parse(text: &str) -> Result<Self, BadStamp> {
        let stamp = Self::spelt(text).ok_or(BadStamp::Spelling)?;
        let says = &stamp.says;
        let names = [("id", &says.id), ("model", &says.model), ("serial", &says.serial)];
        let control = |(name, text): (_, &String)| Some((name, text.chars().find(|c| c.is_control())?));
        if let Some((name, character)) = names.into_iter().find_map(control) {
            return Err(BadStamp::Control { name, character });
        }
        if !id::is_spelt(&says.id) {
            return Err(BadStamp::Id);
        }
        let found = names.into_iter().find(|(_, text)| line(text, NAME_MAX) != **text);
        match found {
            Some((name, _)) => Err(BadStamp::Name { name }),
            None => Ok(stamp),
        }
    }

    fn spelt(text: &str) -> Option<Self> {
        let all: Vec<&str> = text
            .trim_end()
            .split('\n')
            .map(|l| l.strip_suffix('\r').unwrap_or(l))
            .collect();
        let [
            first,
            outcome,
            id,
            model,
            serial,
            capacity,
            made,
            valid_until,
            key,
            digest,
            signature,
        ] = all[..]
        else {
            return None;
        };
        if first != FIRST {
            return None;
        }
        let outcomes = [Outcome::Passed, Outcome::Warn, Outcome::Inconclusive, Outcome::Failed];
        let says = Says {
            outcome: outcomes.into_iter().find(|o| o.word() == outcome)?,
            id: id.to_owned(),
            model: model.to_owned(),
            serial: serial.to_owned(),
            capacity: Bytes(capacity.parse().ok()?),
            made: made.parse().ok()?,
            valid_until: valid_until.parse().ok()?,
            key: upper_hex(key)?,
            digest: upper_hex(digest)?,
        };
        let stamp = Self {
            lines: lines(&says),
            signature: upper_hex(signature)?,
            says,
        };
        // One spelling of each line, so that what is shown is what was signed.
        (stamp.lines.split('\n').eq(all[..10].iter().copied())).then_some(stamp)
    }

    /// The text that the code carries.
    pub fn text(&self) -> String {
        format!("{}\n{}", self.lines, self.signature.to_uppercase())
    }

    /// Whether the key that it names signed it.
    pub fn verifies(&self) -> bool {
        PublicKey::parse(&self.says.key).is_some_and(|key| key.verifies(PREFIX, &self.lines, &self.signature))
    }

    /// 128 lower-case digits.
    pub(crate) fn signature(&self) -> &str {
        &self.signature
    }
}

fn lines(says: &Says) -> String {
    [
        FIRST,
        says.outcome.word(),
        &says.id,
        &says.model,
        &says.serial,
        &says.capacity.0.to_string(),
        &says.made.to_string(),
        &says.valid_until.to_string(),
        &says.key.to_uppercase(),
        &says.digest.to_uppercase(),
    ]
    .join("\n")
}

/// A name as one line: control characters would forge others.
fn line(text: &str, most: usize) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(most)
        .collect::<String>()
        .trim()
        .to_owned()
}

fn seconds(time: Time) -> Time {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

fn upper_hex(text: &str) -> Option<String> {
    let digits = |b: u8| b.is_ascii_digit() || (b'A'..=b'F').contains(&b);
    text.bytes().all(digits).then(|| text.to_lowercase())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// A code that anybody can make, with a key of their own.
    fn signed(model: &str, serial: &str) -> String {
        let key = Key::from_seed(&[9; 32]);
        let made = seconds(Timestamp::from_second(1_800_000_000).unwrap());
        let says = Says {
            outcome: Outcome::Passed,
            id: "KC-7Q2M-9F3K-XB4T".into(),
            model: model.into(),
            serial: serial.into(),
            capacity: Bytes(1000),
            made,
            valid_until: made,
            key: key.public().to_hex(),
            digest: "ab".repeat(32),
        };
        let lines = lines(&says);
        let signature = key.sign(PREFIX, &lines);
        Stamp { lines, signature, says }.text()
    }

    #[test]
    fn a_name_with_a_control_character_is_refused_though_its_signature_is_good() {
        assert!(Stamp::parse(&signed("ST12000", "Z1")).unwrap().verifies());
        for (model, serial, name, code) in [
            ("\u{1b}[2J\u{1b}[HTRUSTED", "Z1", "model", "U+001B"),
            ("ST12000", "Z\u{9b}31m", "serial", "U+009B"),
            ("a\rTRUSTED", "Z1", "model", "U+000D"),
        ] {
            let text = signed(model, serial);
            let why = Stamp::parse(&text).unwrap_err().to_string();
            assert!(why.contains(name) && why.contains(code), "{why}");
            let (trust, now) = (crate::Trust::none(), Time::from_second(1_800_000_100).unwrap());
            let told = crate::check(&text, &trust, now, crate::Revocations::Unknown);
            assert_eq!(told.standing, wire::certificate::Standing::Bad);
            assert!(told.told.contains(&why) && told.says.is_none(), "{}", told.told);
        }
        assert_eq!(Stamp::parse("KILN CERTIFICATE 1\nPASSED"), Err(BadStamp::Spelling));
    }

    /// Some hundred blanks scroll what was told of it off the screen, and leave room for something else.
    #[test]
    fn a_name_that_no_code_of_kilns_has_is_refused_though_its_signature_is_good() {
        let long = "M".repeat(NAME_MAX);
        assert!(Stamp::parse(&signed(&long, "Z  1")).unwrap().verifies());
        for (model, serial, name) in [
            (format!("{long}M"), "Z1", "model"),
            (format!("ST{}TRUSTED", " ".repeat(5000)), "Z1", "model"),
            ("ST12000".to_owned(), " Z1", "serial"),
        ] {
            assert_eq!(Stamp::parse(&signed(&model, serial)), Err(BadStamp::Name { name }));
        }
    }
}
