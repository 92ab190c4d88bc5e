//! The two-step gate: the plan that says what will be lost, and the ticket that a person armed.
//!
//! The agent makes the [`Plan`]; its [`digest`] covers every drive's identity and
//! present content. A person types the last four of each serial ([`labels`]: more,
//! where they do not tell it from the others) and gives the password; the server then
//! signs the text of a [`Ticket`]. The signature covers exactly the bytes that travel
//! in [`Armed::ticket`], so no canonical form is needed on either side.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use ts_rs::TS;
use utoipa::ToSchema;

use crate::{Bytes, DriveId, PlanId, Time, drive::Content, options::PlanOptions};

/// How long a plan can be started after it was made: two minutes on the agent's monotonic clock.
///
/// Source: DESIGN, gate; what the page counts down.
pub const PLAN_SECONDS: u64 = 120;

/// Domain separation of the signed bytes: signature = Ed25519(prefix ‖ ticket text).
pub const SIGNED_PREFIX: &[u8] = b"kiln-gate-v1\n";

/// Most drives in one plan.
pub const PLAN_DRIVES_MAX: usize = 128;

/// What will be erased, and until when that may be armed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct Plan {
    /// Id.
    pub id: PlanId,
    /// Playbook that will be run.
    pub playbook: String,
    /// What was chosen beside it.
    #[serde(default)]
    pub options: PlanOptions,
    /// The drives, in the order asked for.
    pub drives: Vec<PlanDrive>,
    /// SHA-256 over playbook, options, identities and content, hexadecimal; see [`digest`].
    pub digest: String,
    /// 32 random bytes in hexadecimal; good for one start.
    pub nonce: String,
    /// Seconds it is good for from when the agent made it.
    pub seconds: u64,
    /// When the agent made it.
    #[schema(value_type = String, format = DateTime)]
    pub made: Time,
}

/// One drive of a plan, as the agent saw it when it made the plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct PlanDrive {
    /// Identity.
    pub id: DriveId,
    /// Model.
    pub model: String,
    /// Serial as on the label.
    pub serial: String,
    /// Capacity.
    pub capacity: Bytes,
    /// Logical sector size in bytes.
    pub sector: u32,
    /// What will be lost.
    pub content: Content,
    /// Memberships that are given up because [`PlanOptions::give_up`] names this drive: "md member of 7f3a…".
    #[serde(default)]
    pub given_up: Vec<String>,
    /// What has to be typed for this drive: the last four of its serial, or the whole serial where
    /// the serial of another drive ends alike or the serial is shorter.
    pub label: String,
}

/// What the server signs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct Ticket {
    /// The plan.
    pub plan: PlanId,
    /// Its digest.
    pub digest: String,
    /// Its nonce.
    pub nonce: String,
    /// Its drives.
    pub drives: Vec<DriveId>,
    /// Who armed it.
    pub actor: String,
    /// The box it was armed on.
    pub box_id: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Time,
}

/// A ticket with its signature, as it travels from server to page, back, and to the agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct Armed {
    /// The JSON text of a [`Ticket`], byte for byte as it was signed.
    pub ticket: String,
    /// Ed25519 over [`SIGNED_PREFIX`] and the text, 128 hexadecimal digits.
    pub signature: String,
}

/// What a person typed: for each drive the label's last four, or the whole serial.
pub type Typed = BTreeMap<DriveId, String>;

/// Digest over what a plan would erase. Whatever a person must agree to again when it changes is in it.
pub fn digest(playbook: &str, options: &PlanOptions, drives: &[PlanDrive]) -> String {
    let mut hash = Sha256::new();
    // Each part is preceded by its length, so that no two plans share one stream of bytes.
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    part(b"kiln-plan-v2");
    part(playbook.as_bytes());
    part(&serde_json::to_vec(options).unwrap_or_default());
    for drive in drives {
        part(drive.id.as_str().as_bytes());
        part(drive.model.as_bytes());
        part(drive.serial.as_bytes());
        part(&drive.capacity.0.to_le_bytes());
        part(&drive.sector.to_le_bytes());
        part(&serde_json::to_vec(&drive.content).unwrap_or_default());
        part(&serde_json::to_vec(&drive.given_up).unwrap_or_default());
    }
    hex::encode(hash.finalize())
}

/// What has to be typed for each of the `chosen` serials, in their order: the last four characters, or the whole serial
/// where another serial (chosen, or of a `known` drive beside them) ends alike, a space is among the four, or the serial
/// has no more than four. Chosen serials that differ get labels of which none names two; see [`doubled`].
pub fn labels(chosen: &[&str], known: &[&str]) -> Vec<String> {
    let chosen: Vec<String> = chosen.iter().map(|serial| as_typed(serial)).collect();
    let known: Vec<String> = known.iter().map(|serial| as_typed(serial)).collect();
    let label = |(index, serial): (usize, &String)| {
        let others = chosen.iter().enumerate().filter(|(other, _)| *other != index);
        let mut others = others.map(|(_, other)| other).chain(&known);
        let last = last_four(serial).filter(|last| !others.any(|other| other.ends_with(last)));
        last.unwrap_or(serial).to_owned()
    };
    chosen.iter().enumerate().map(label).collect()
}

/// A serial that two of `serials` share, whatever the case of its letters: nothing that can be typed tells them apart.
pub fn doubled<'a>(serials: &[&'a str]) -> Option<&'a str> {
    let mut seen = BTreeSet::new();
    serials.iter().find(|serial| !seen.insert(as_typed(serial))).copied()
}

/// A serial as it is compared: letter case and spaces around it are free.
fn as_typed(serial: &str) -> String {
    serial.trim().to_ascii_uppercase()
}

/// The last four characters of a longer serial, unless what trims spaces would read them as fewer.
fn last_four(serial: &str) -> Option<&str> {
    let (at, _) = serial.char_indices().rev().nth(3).filter(|(at, _)| *at > 0)?;
    let last = &serial[at..];
    (!last.contains(char::is_whitespace)).then_some(last)
}

/// Whether what a person typed (or a scanner read) names this drive: its label, or the whole serial; letter case is free.
pub fn typed_matches(label: &str, serial: &str, typed: &str) -> bool {
    let typed = as_typed(typed);
    !typed.is_empty() && (typed == as_typed(label) || typed == as_typed(serial))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    fn drive(serial: &str, content: Content) -> PlanDrive {
        PlanDrive {
            id: DriveId::from_serial("M", serial, 1_000).unwrap(),
            model: "M".into(),
            serial: serial.into(),
            capacity: Bytes(1_000),
            sector: 512,
            content,
            given_up: Vec::new(),
            label: String::new(),
        }
    }

    #[test]
    fn digest_changes_with_content_playbook_and_order() {
        let empty = digest(
            "standard",
            &PlanOptions::default(),
            &[drive("A1", Content::Empty), drive("B2", Content::Empty)],
        );
        let found = Content::Found {
            signatures: vec![],
            summary: "ext4".into(),
        };
        for other in [
            digest(
                "surface",
                &PlanOptions::default(),
                &[drive("A1", Content::Empty), drive("B2", Content::Empty)],
            ),
            digest(
                "standard",
                &PlanOptions::default(),
                &[drive("B2", Content::Empty), drive("A1", Content::Empty)],
            ),
            digest("standard", &PlanOptions::default(), &[drive("A1", Content::Empty)]),
            digest(
                "standard",
                &PlanOptions::default(),
                &[drive("A1", found), drive("B2", Content::Empty)],
            ),
        ] {
            assert_ne!(empty, other);
        }
        assert_eq!(
            empty,
            digest(
                "standard",
                &PlanOptions::default(),
                &[drive("A1", Content::Empty), drive("B2", Content::Empty)]
            )
        );
    }

    #[test]
    fn equal_tails_ask_for_the_whole_serial() {
        assert_eq!(labels(&["WD-1234", "ST-9F2K"], &[]), ["1234", "9F2K"]);
        assert_eq!(labels(&["AA-1234", "bb-1234", "x9"], &[]), ["AA-1234", "BB-1234", "X9"]);
        // A serial that is another's last four, chosen or only plugged in.
        assert_eq!(labels(&["abcd", "XYZABCD"], &[]), ["ABCD", "XYZABCD"]);
        assert_eq!(labels(&["XYZABCD"], &["ABCD"]), ["XYZABCD"]);
        assert_eq!(labels(&["XYZABCD"], &["QABCd "]), ["XYZABCD"]);
        assert_eq!(
            labels(&["WD  12"], &[]),
            ["WD  12"],
            "what is typed is trimmed: the last four would name nothing"
        );
    }

    #[test]
    fn a_serial_that_two_drives_tell_is_found() {
        assert_eq!(doubled(&["A1", "B2", "a1 "]), Some("a1 "));
        assert_eq!(doubled(&["ABCD", "XYZABCD"]), None);
    }

    #[test]
    fn what_is_typed_must_name_the_drive() {
        assert!(typed_matches("9F2K", "ST-9F2K", "9f2k"));
        assert!(typed_matches("9F2K", "ST-9F2K", " st-9f2k "));
        assert!(!typed_matches("9F2K", "ST-9F2K", "F2K"));
        assert!(!typed_matches("", "", ""));
    }

    /// Serials of few letters, so that they often end alike, in either case.
    fn serials(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<String>> {
        proptest::collection::vec("[ABb ]{0,3}[AaB]{1,5}", count)
    }

    proptest! {
        /// Whatever is typed: it confirms one of the chosen drives at most, and a label none but its own, known ones included.
        #[test]
        fn one_text_never_confirms_two_drives(chosen in serials(1..7), known in serials(0..4), free in "[ABab ]{0,8}") {
            let chosen: Vec<&str> = chosen.iter().map(String::as_str).collect();
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            prop_assume!(doubled(&chosen).is_none());
            let labels = labels(&chosen, &known);
            let confirmed = |text: &str| {
                let named = labels.iter().zip(&chosen).filter(|(label, serial)| typed_matches(label, serial, text));
                named.count()
            };
            for (label, serial) in labels.iter().zip(&chosen) {
                prop_assert_eq!((confirmed(label), confirmed(serial)), (1, 1), "{:?} of {:?}", label, serial);
                prop_assert!(typed_matches(label, serial, label));
                let whole = as_typed(serial) == *label;
                prop_assert!(whole || !known.iter().any(|other| as_typed(other).ends_with(label)));
            }
            prop_assert!(confirmed(&free) <= 1);
        }
    }
}
