//! The two-step gate: the plan that says what will be lost, and the ticket that a person armed.
//!
//! The agent makes the [`Plan`]; its [`digest`] covers every drive's identity and
//! present content. A person types the last four of each serial ([`labels`]: more,
//! or the world wide name, where they do not tell it from the others) and gives the password; the server then
//! signs the text of a [`Ticket`]. The signature covers exactly the bytes that travel
//! in [`Armed::ticket`], so no canonical form is needed on either side.

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
    /// Its steps as JSON, all that they say: a person's may change under its name. Empty from an earlier agent.
    #[serde(default)]
    pub steps: String,
    /// What was chosen beside it.
    #[serde(default)]
    pub options: PlanOptions,
    /// The drives, in the order asked for.
    pub drives: Vec<PlanDrive>,
    /// SHA-256 over playbook, steps, options, identities and content, hexadecimal; see [`digest`].
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
    /// the serial of another drive ends alike or the serial is shorter. Where another drive tells the
    /// same serial it is the world wide name, and the serial confirms nothing.
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

/// What a person typed: for each drive its label, or the whole serial where that is its alone.
pub type Typed = BTreeMap<DriveId, String>;

/// Digest over what a plan would erase. Whatever a person must agree to again when it changes is in it.
///
/// `playbook` is its name and its steps as JSON: a person's may change under its name.
pub fn digest(playbook: (&str, &str), options: &PlanOptions, drives: &[PlanDrive]) -> String {
    let mut hash = Sha256::new();
    // Each part is preceded by its length, so that no two plans share one stream of bytes.
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    part(b"kiln-plan-v4");
    part(playbook.0.as_bytes());
    part(playbook.1.as_bytes());
    part(&serde_json::to_vec(options).unwrap_or_default());
    for drive in drives {
        part(drive.id.as_str().as_bytes());
        part(drive.model.as_bytes());
        part(drive.serial.as_bytes());
        part(&drive.capacity.0.to_le_bytes());
        part(&drive.sector.to_le_bytes());
        // How full it is may not be counted in time by a drive that others keep busy.
        part(&serde_json::to_vec(&drive.content.uncounted()).unwrap_or_default());
        part(&serde_json::to_vec(&drive.given_up).unwrap_or_default());
    }
    hex::encode(hash.finalize())
}

/// What a drive tells of itself that a person can type.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// Its serial number.
    pub serial: &'a str,
    /// Its world wide name.
    pub wwn: Option<&'a str>,
}

/// What has to be typed for each of the `chosen` drives, in their order: the last four characters of its serial, or the whole serial
/// where another serial (chosen, or of a `known` drive beside them) ends alike, a space is among the four, or the serial
/// has no more than four. A drive whose serial another tells, too (a dock's own for each of its bays), or that has none, is named by its
/// world wide name; `None` where nothing that can be typed tells it from the others. No label names two drives.
pub fn labels(chosen: &[Told<'_>], known: &[Told<'_>]) -> Vec<Option<String>> {
    let typed = |told: &Told<'_>| (as_typed(told.serial), told.wwn.map(as_typed).unwrap_or_default());
    let all: Vec<(String, String)> = chosen.iter().chain(known).map(typed).collect();
    let label = |index: usize| {
        let (serial, wwn) = &all[index];
        let others = || {
            all.iter()
                .enumerate()
                .filter(|(other, _)| *other != index)
                .map(|(_, other)| other)
        };
        if !serial.is_empty() && !others().any(|other| other.0 == *serial || other.1 == *serial) {
            let last =
                last_four(serial).filter(|last| !others().any(|other| other.0.ends_with(last) || other.1 == *last));
            return Some(last.unwrap_or(serial).to_owned());
        }
        // A name that ends a serial would be taken for a part of that.
        let shared = all.iter().any(|(serial, _)| serial.ends_with(wwn)) || others().any(|other| other.1 == *wwn);
        (!wwn.is_empty() && !shared).then(|| wwn.clone())
    };
    (0..chosen.len()).map(label).collect()
}

/// Whether two drives tell one serial number, whatever the case of its letters: then it names neither.
pub fn same_serial(one: &str, other: &str) -> bool {
    as_typed(one) == as_typed(other)
}

/// Whether this label is the drive's world wide name, because another drive tells its serial, too.
pub fn is_by_wwn(label: &str, serial: &str) -> bool {
    !as_typed(serial).ends_with(&as_typed(label))
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

/// Whether what a person typed (or a scanner read) names this drive: its label, or the whole serial where that is its alone; letter
/// case is free.
pub fn typed_matches(label: &str, serial: &str, typed: &str) -> bool {
    let typed = as_typed(typed);
    let by_serial = || !is_by_wwn(label, serial) && typed == as_typed(serial);
    !typed.is_empty() && (typed == as_typed(label) || by_serial())
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
            ("standard", "[1]"),
            &PlanOptions::default(),
            &[drive("A1", Content::Empty), drive("B2", Content::Empty)],
        );
        let found = Content::Found {
            signatures: vec![],
            summary: "ext4".into(),
        };
        for other in [
            digest(
                ("standard", "[2]"),
                &PlanOptions::default(),
                &[drive("A1", Content::Empty), drive("B2", Content::Empty)],
            ),
            digest(
                ("surface", "[1]"),
                &PlanOptions::default(),
                &[drive("A1", Content::Empty), drive("B2", Content::Empty)],
            ),
            digest(
                ("standard", "[1]"),
                &PlanOptions::default(),
                &[drive("B2", Content::Empty), drive("A1", Content::Empty)],
            ),
            digest(
                ("standard", "[1]"),
                &PlanOptions::default(),
                &[drive("A1", Content::Empty)],
            ),
            digest(
                ("standard", "[1]"),
                &PlanOptions::default(),
                &[drive("A1", found), drive("B2", Content::Empty)],
            ),
        ] {
            assert_ne!(empty, other);
        }
        assert_eq!(
            empty,
            digest(
                ("standard", "[1]"),
                &PlanOptions::default(),
                &[drive("A1", Content::Empty), drive("B2", Content::Empty)]
            )
        );
    }

    fn told<'a>(serial: &'a str, wwn: Option<&'a str>) -> Told<'a> {
        Told { serial, wwn }
    }

    #[test]
    fn equal_tails_ask_for_the_whole_serial() {
        fn by_serial<'a>(serials: &[&'a str]) -> Vec<Told<'a>> {
            serials.iter().map(|serial| told(serial, None)).collect()
        }
        let labels = |chosen: &[&str], known: &[&str]| -> Vec<String> {
            let all = labels(&by_serial(chosen), &by_serial(known));
            all.into_iter().map(Option::unwrap).collect()
        };
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
    fn a_serial_that_two_drives_tell_names_neither() {
        const ONE: &str = "5000c500a1b2c3d4";
        const TWO: &str = "5000c500a1b2c3d5";
        let label = |me: Told<'_>, other: Told<'_>| labels(&[me], &[other]).remove(0);
        let by_wwn = Some(ONE.to_uppercase());
        assert_eq!(label(told("DOCK", Some(ONE)), told("dock ", Some(TWO))), by_wwn);
        assert_eq!(label(told("DOCK", Some(ONE)), told("dock", None)), by_wwn);
        assert_eq!(label(told("", Some(ONE)), told("", None)), by_wwn);
        assert_eq!(label(told("DOCK", None), told("DOCK", Some(TWO))), None);
        assert_eq!(label(told("DOCK", Some(ONE)), told("DOCK", Some(ONE))), None);
        assert_eq!(label(told(ONE, Some(ONE)), told(ONE, Some(TWO))), None);
        let both = [told("DOCK", Some(ONE)), told("DOCK", Some(TWO))];
        assert_eq!(labels(&both, &[]), [by_wwn, Some(TWO.to_uppercase())]);
        assert!(typed_matches(&ONE.to_uppercase(), "DOCK", ONE) && !typed_matches(ONE, "DOCK", "DOCK"));
        assert!(is_by_wwn(ONE, "DOCK") && !is_by_wwn("OCK1", "dock1"));
    }

    #[test]
    fn what_is_typed_must_name_the_drive() {
        assert!(typed_matches("9F2K", "ST-9F2K", "9f2k"));
        assert!(typed_matches("9F2K", "ST-9F2K", " st-9f2k "));
        assert!(!typed_matches("9F2K", "ST-9F2K", "F2K"));
        assert!(!typed_matches("", "", ""));
    }

    type Made = (String, Option<String>);

    /// Serials and names of few letters, so that they often are or end alike, in either case.
    fn drives(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Made>> {
        let one = ("[ABb ]{0,3}[AaB]{0,5}", proptest::option::of("[Aab]{1,4}"));
        proptest::collection::vec(one, count)
    }

    fn view(made: &[Made]) -> Vec<Told<'_>> {
        made.iter().map(|(serial, wwn)| told(serial, wwn.as_deref())).collect()
    }

    proptest! {
        /// Whatever is typed: it confirms one of the chosen drives at most, and a label or serial none that is only plugged in.
        #[test]
        fn one_text_never_confirms_two_drives(
            chosen in drives(1..7), known in drives(0..4), free in "[ABab ]{0,8}"
        ) {
            let (chosen, known) = (view(&chosen), view(&known));
            let labels = labels(&chosen, &known);
            let confirmed = |text: &str| {
                let pairs = labels.iter().zip(&chosen);
                pairs.filter(|(label, told)| label.as_ref().is_some_and(|label| typed_matches(label, told.serial, text))).count()
            };
            for (label, me) in labels.iter().zip(&chosen) {
                let Some(label) = label else { continue };
                prop_assert_eq!(confirmed(label), 1, "{:?} of {:?}", label, me);
                prop_assert!(typed_matches(label, me.serial, label));
                let names = |text: &str| {
                    let text = as_typed(text);
                    let other = known.iter().find(|o| as_typed(o.serial) == text || o.wwn.is_some_and(|wwn| as_typed(wwn) == text));
                    typed_matches(label, me.serial, &text) && other.is_some()
                };
                prop_assert!(!names(label) && !names(me.serial), "{:?} of {:?}", label, me);
                let whole = as_typed(me.serial) == *label || is_by_wwn(label, me.serial);
                prop_assert!(whole || !known.iter().any(|other| as_typed(other.serial).ends_with(label)));
            }
            prop_assert!(confirmed(&free) <= 1);
        }
    }
}
