//! Names that outlive a boot: a drive's identity, a job, a plan.

use std::fmt;

use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;

/// What names a drive wherever it is plugged in.
///
/// `wwn-` and the world wide name in lower-case hexadecimal, else
/// `sn-MODEL-SERIAL-CAPACITY`. Never a `/dev` path: that is only where a drive happens to be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[ts(as = "String")]
pub struct DriveId(String);

/// Longest accepted [`DriveId`], in bytes; a model has at most 40, a serial at most 20 (ACS-5) or 252 (SPC-5).
pub const DRIVE_ID_MAX: usize = 400;

/// A text that cannot name a drive.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} does not name a drive: expected `wwn-HEX` or `sn-MODEL-SERIAL-CAPACITY` in at most {DRIVE_ID_MAX} printable characters without `/` or blanks"
)]
pub struct BadDriveId {
    /// The text as it came, cut to 80 characters.
    pub text: String,
}

impl DriveId {
    /// Takes a text that some process made with [`DriveId::from_wwn`] or [`DriveId::from_serial`].
    ///
    /// # Errors
    /// When it does not have one of the two shapes.
    pub fn parse(text: &str) -> Result<Self, BadDriveId> {
        let shape = text
            .strip_prefix("wwn-")
            .map(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase()))
            .or_else(|| {
                text.strip_prefix("sn-")
                    .map(|rest| rest.len() >= 3 && rest.bytes().all(|b| b.is_ascii_graphic() && b != b'/'))
            })
            .unwrap_or(false);
        if shape && text.len() <= DRIVE_ID_MAX {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadDriveId {
                text: text.chars().take(80).collect(),
            })
        }
    }

    /// The identity of a drive that has a world wide name (NAA, EUI-64 or NGUID): its hexadecimal digits.
    pub fn from_wwn(wwn: &str) -> Option<Self> {
        let digits: String = wwn
            .trim()
            .trim_start_matches("0x")
            .trim_start_matches("naa.")
            .trim_start_matches("eui.")
            .trim_start_matches("uuid.")
            .chars()
            .filter(char::is_ascii_hexdigit)
            .map(|c| c.to_ascii_lowercase())
            .collect();
        (digits.len() >= 8 && !is_placeholder_name(&digits)).then(|| Self(format!("wwn-{digits}")))
    }

    /// The identity of a drive without a world wide name: model, serial and capacity in bytes.
    ///
    /// `None` where the serial says nothing: empty, or what bridges and boards tell of every drive alike.
    pub fn from_serial(model: &str, serial: &str, capacity: u64) -> Option<Self> {
        let clean = |text: &str| -> String {
            text.trim()
                .chars()
                .map(|c| if c.is_ascii_graphic() && c != '/' { c } else { '_' })
                .collect()
        };
        let serial = clean(serial);
        if is_placeholder_serial(&serial) {
            return None;
        }
        Self::parse(&format!("sn-{}-{serial}-{capacity}", clean(model))).ok()
    }

    /// The identity as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Serials that firmware tells of every drive alike, without case and signs: words of vendors' templates.
const PLACEHOLDERS: [&str; 15] = [
    "NONE",
    "NULL",
    "NA",
    "UNKNOWN",
    "GENERIC",
    "DEFAULT",
    "DEADBEEF",
    "SERIAL",
    "SERIALNUMBER",
    "NOSERIAL",
    "NOSERIALNUMBER",
    "TOBEFILLEDBYOEM",
    "USBDEVICE",
    "USBDISK",
    // USB bridges of one family, whatever drive is behind them.
    "DD56419883914",
];

/// Shortest serial that is taken for mere counting, `12345678`: a shorter one may be meant.
const COUNTING: usize = 8;

/// Most digits behind a serial's zeros that are taken for a board's first sample, `000000000001`.
const SAMPLE: usize = 2;

/// Whether many drives tell this serial: then it tells none of them from another.
fn is_placeholder_serial(serial: &str) -> bool {
    let plain: String = serial
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_uppercase())
        .collect();
    let zeros = plain.bytes().take_while(|b| *b == b'0').count();
    let mut kinds: Vec<u8> = plain.bytes().collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds.len() <= 1
        || PLACEHOLDERS.contains(&plain.as_str())
        || (plain.len() >= COUNTING && counts_up(&plain))
        || (zeros + SAMPLE >= COUNTING && plain.len() - zeros <= SAMPLE)
}

/// Whether a world wide name, in lower-case hexadecimal digits, is a template's: hardly a digit in it, or mere counting.
fn is_placeholder_name(digits: &str) -> bool {
    let said = |nothing: u8| digits.bytes().filter(|b| *b != nothing).count();
    // `5000000000000000` names neither a maker nor a drive; `5fff…` is the same of erased flash.
    said(b'0') <= SAMPLE
        || said(b'f') <= SAMPLE
        || counts_up(digits)
        || digits.contains("deadbeef")
        || PLACEHOLDER_NAMES.contains(&digits)
}

/// World wide names of firmware's templates, which drives of several makers tell. Source: published outputs of smartctl, of Innodisk's 3ME4
/// and Apacer's AS340.
const PLACEHOLDER_NAMES: [&str; 1] = ["502b2a201d1c1b1a"];

/// Whether each digit is one above the one before: `12345678`, `1234567890`, `0123456789ABCDEF`.
fn counts_up(text: &str) -> bool {
    let next = |digit: u8| match digit {
        b'9' => [b'0', b'A', b'a'],
        b'F' | b'f' => [b'0'; 3],
        other => [other + 1; 3],
    };
    text.bytes()
        .zip(text.bytes().skip(1))
        .all(|(one, two)| next(one).contains(&two))
}

impl TryFrom<String> for DriveId {
    type Error = BadDriveId;
    fn try_from(text: String) -> Result<Self, BadDriveId> {
        Self::parse(&text)
    }
}

impl From<DriveId> for String {
    fn from(id: DriveId) -> Self {
        id.0
    }
}

impl fmt::Display for DriveId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS, ToSchema)]
        #[serde(transparent)]
        #[ts(as = "String")]
        pub struct $name(pub uuid::Uuid);

        impl $name {
            /// A new id (UUID version 7): of two that one process makes the later sorts later, as long as the clock does not go back.
            pub fn now() -> Self {
                Self(uuid::Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                text.parse().map(Self)
            }
        }
    };
}

uuid_id!(
    /// One burn-in of one drive, from start to verdict.
    JobId
);
uuid_id!(
    /// One plan of what is to be erased: the first step of the gate.
    PlanId
);

impl JobId {
    /// Most milliseconds since 1970 that new ids are made after ([`Self::after`]), in the year 2255: an id beyond is damaged, and would
    /// leave none above it.
    pub const HIGHEST: u64 = (1 << 53) / 1000;

    /// A new id that sorts after all with these milliseconds ([`Self::counted`]) or fewer, whatever the clock says.
    ///
    /// Which of a drive's jobs is the newest is told by their ids: a box whose clock went back must not make one that sorts before
    /// the jobs that it has. Its milliseconds are the clock's then, or one more than `last`.
    pub fn after(last: u64) -> Self {
        let fresh = Self::now();
        let millis = fresh.millis().max(last.saturating_add(1)).min(MILLIS_MAX);
        let mut bytes = fresh.0.into_bytes();
        bytes[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
        Self(uuid::Uuid::from_bytes(bytes))
    }

    /// Milliseconds since 1970 of its making, or what [`Self::after`] made of them; `0..2^48`.
    ///
    /// Source: RFC 9562 §5.7, the first 48 bits of a version 7.
    pub fn millis(self) -> u64 {
        u64::try_from(self.0.as_u128() >> 80).unwrap_or(MILLIS_MAX)
    }

    /// The same for [`Self::after`]: 0 beyond [`Self::HIGHEST`].
    pub fn counted(self) -> u64 {
        Some(self.millis())
            .filter(|millis| *millis <= Self::HIGHEST)
            .unwrap_or(0)
    }
}

/// Most milliseconds that an id can tell.
const MILLIS_MAX: u64 = (1 << 48) - 1;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn wwn_comes_in_many_spellings() {
        for text in [
            "0x5000c500a1b2c3d4",
            "naa.5000C500A1B2C3D4",
            "5000c500a1b2c3d4",
            "50:00:c5:00:a1:b2:c3:d4",
        ] {
            assert_eq!(DriveId::from_wwn(text).unwrap().as_str(), "wwn-5000c500a1b2c3d4");
        }
        for nothing in [
            "",
            "0x0000000000000000",
            "ffffffffffffffff",
            "eui.",
            "n/a",
            "naa.5000000000000000",
            "naa.5000000000000001",
            "eui.0100000000000000",
            "eui.0123456789abcdef",
            "0xdeadbeefdeadbeef",
            "5 02b2a2 01d1c1b1a",
        ] {
            assert_eq!(DriveId::from_wwn(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_serial_that_says_nothing_is_no_identity() {
        for serial in [
            "",
            "   ",
            "0000000000",
            "-",
            "0123456789ABCDEF",
            "0123456789abcdef0123",
            "12345678",
            "123456789012",
            "000000000001",
            "DEADBEEF",
            "None",
            "Generic",
            "To be filled by O.E.M.",
            "DD56419883914",
        ] {
            assert_eq!(DriveId::from_serial("WDC WD40", serial, 4_000), None, "{serial:?}");
        }
        for serial in ["1234567", "S3Z9NB0K123456", "00000145", "WD-000001", "2020", "S1"] {
            assert!(DriveId::from_serial("WDC WD40", serial, 4_000).is_some(), "{serial:?}");
        }
        assert_eq!(
            DriveId::from_serial("WDC WD40", "WD-WCC4E1", 4_000).unwrap().as_str(),
            "sn-WDC_WD40-WD-WCC4E1-4000"
        );
    }

    proptest! {
        #[test]
        fn a_job_id_sorts_after_all_that_it_was_made_after(last in 0..MILLIS_MAX) {
            let before = JobId(uuid::Uuid::from_u128((u128::from(last) << 80) | (u128::MAX >> 48)));
            prop_assert_eq!(before.millis(), last);
            let id = JobId::after(last);
            prop_assert!(id > before && id.to_string() > before.to_string());
            prop_assert_eq!(id.0.get_version_num(), 7);
            prop_assert!(id.millis() > last);
        }

        #[test]
        fn what_from_serial_makes_parses(model in ".{0,60}", serial in ".{0,60}", capacity: u64) {
            if let Some(id) = DriveId::from_serial(&model, &serial, capacity) {
                prop_assert_eq!(DriveId::parse(id.as_str()).unwrap(), id);
            }
        }

        #[test]
        fn parse_never_panics(text in ".*") {
            let _ = DriveId::parse(&text);
        }
    }
}
