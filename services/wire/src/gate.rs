//! The two-step gate: the plan that says what will be lost, and the ticket that a person armed.
//!
//! The agent makes the [`Plan`]; its [`digest`] covers every drive's identity and
//! present content. A person types the last four of each serial and gives the
//! password; the server then signs the text of a [`Ticket`]. The signature covers
//! exactly the bytes that travel in [`Armed::ticket`], so no canonical form is
//! needed on either side.

use std::collections::BTreeMap;

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
    /// two drives of the plan end alike or the serial is shorter.
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

/// What has to be typed for each of `serials`, in their order: the last four characters, or the
/// whole serial where that is ambiguous within the plan or the serial has fewer than four.
pub fn labels(serials: &[&str]) -> Vec<String> {
    let tail = |serial: &str| -> Option<String> {
        let chars: Vec<char> = serial.trim().chars().collect();
        (chars.len() > 4).then(|| chars[chars.len() - 4..].iter().collect::<String>().to_uppercase())
    };
    serials
        .iter()
        .enumerate()
        .map(|(index, serial)| match tail(serial) {
            Some(last)
                if !serials
                    .iter()
                    .enumerate()
                    .any(|(other, s)| other != index && tail(s).as_ref() == Some(&last)) =>
            {
                last
            }
            _ => serial.trim().to_uppercase(),
        })
        .collect()
}

/// Whether what a person typed (or a scanner read) names this drive: its label, or the whole serial; letter case is free.
pub fn typed_matches(label: &str, serial: &str, typed: &str) -> bool {
    let typed = typed.trim();
    !typed.is_empty() && (typed.eq_ignore_ascii_case(label) || typed.eq_ignore_ascii_case(serial.trim()))
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
        assert_eq!(labels(&["WD-1234", "ST-9F2K"]), ["1234", "9F2K"]);
        assert_eq!(labels(&["AA-1234", "bb-1234", "x9"]), ["AA-1234", "BB-1234", "X9"]);
    }

    #[test]
    fn what_is_typed_must_name_the_drive() {
        assert!(typed_matches("9F2K", "ST-9F2K", "9f2k"));
        assert!(typed_matches("9F2K", "ST-9F2K", " st-9f2k "));
        assert!(!typed_matches("9F2K", "ST-9F2K", "F2K"));
        assert!(!typed_matches("", "", ""));
    }

    proptest! {
        #[test]
        fn labels_are_unique_when_serials_are(serials in proptest::collection::hash_set("[A-Z0-9]{1,9}", 1..9)) {
            let serials: Vec<&str> = serials.iter().map(String::as_str).collect();
            let labels = labels(&serials);
            for (a, label) in labels.iter().enumerate() {
                for (b, serial) in serials.iter().enumerate() {
                    if a != b {
                        prop_assert!(!(labels[b] == *label && !serial.is_empty()));
                    }
                }
            }
        }
    }
}
