//! How much is told of what stands on a drive: whoever made its table and labels made them as long as they wanted, and all drives of a
//! box go to the server in one frame.
//!
//! What is left out is not lost to who compares two looks: its sum stands in its place. The guard's members are never cut. Tested in
//! `tests/told.rs` over a real table, and by the fuzz target `content`.

use sha2::{Digest, Sha256};
use wire::Bytes;
use wire::drive::Signature;

/// Most signatures that are told one by one. A table of Linux, Windows or macOS names less than twenty partitions, a phone's some eighty.
const SIGNATURES_MAX: usize = 64;

/// Most characters of a label, name or UUID: a GPT's name has 36, and of the usual file systems only btrfs lets a label be longer than this.
const TEXT_MAX: usize = 64;

/// How the kind of one ends that stands for many.
const MORE: &str = " more";

/// A label, name or UUID, each control character as `?`. Where that or the cut changed it, the text's sum stands behind it, so that
/// no other is told alike.
pub(crate) fn text(text: &str) -> String {
    let mut told: String = text.chars().take(TEXT_MAX).collect();
    told = told.replace(char::is_control, "?");
    if told != text {
        told.push_str("… #");
        told.push_str(&sum(text.as_bytes()));
    }
    told
}

/// The first signatures; all others as one that counts and sums them.
pub(crate) fn signatures(mut all: Vec<Signature>) -> Vec<Signature> {
    let rest = all.split_off(all.len().min(SIGNATURES_MAX));
    all.extend(more(&rest));
    all
}

/// Many as one: what they are is its UUID, how full they are counts apart from that, as of any.
fn more(rest: &[Signature]) -> Option<Signature> {
    let partition = rest.first()?.partition;
    let named: Vec<Signature> = rest.iter().map(Signature::uncounted).collect();
    let text = serde_json::to_vec(&named).expect("numbers and texts are always JSON");
    let used = rest.iter().filter_map(|it| it.used);
    Some(Signature {
        partition,
        kind: format!("{}{MORE}", rest.len()),
        label: None,
        uuid: Some(sum(&text)),
        name: None,
        used: used.reduce(|one, two| Bytes(one.0.saturating_add(two.0))),
        mounted: rest.iter().filter_map(|it| it.mounted).max(),
    })
}

/// Whether it stands for many.
pub(crate) fn is_more(signature: &Signature) -> bool {
    signature.label.is_none() && signature.kind.ends_with(MORE)
}

/// The first 64 bits of a SHA-256, in hex.
fn sum(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;
    use wire::drive::Content;

    use super::*;
    use crate::summary::summary;

    fn partition(number: u32, label: &str) -> Signature {
        Signature {
            partition: number,
            kind: "ext4".into(),
            label: Some(text(label)),
            uuid: None,
            name: None,
            used: None,
            mounted: None,
        }
    }

    fn content(all: Vec<Signature>) -> Content {
        let summary = summary(&all);
        let signatures = signatures(all);
        Content::Found { signatures, summary }
    }

    #[test]
    fn ordinary_labels_are_told_as_they_are_and_of_long_and_strange_ones_each_differs() {
        let (most, longer) = ("ä".repeat(TEXT_MAX), "ä".repeat(TEXT_MAX + 1));
        for plain in ["", "photos", "Größe 👩‍👧", most.as_str()] {
            assert_eq!(text(plain), plain);
        }
        let strange = [
            text(&longer),
            text(&(longer.clone() + "x")),
            text("a\u{1}"),
            text("a\u{2}"),
        ];
        assert!(
            strange[0].starts_with(&most) && strange[2].starts_with("a?… #"),
            "{strange:?}"
        );
        let different: std::collections::BTreeSet<&String> = strange.iter().collect();
        assert_eq!(different.len(), strange.len());
    }

    #[test]
    fn a_difference_among_what_is_not_told_one_by_one_is_one() {
        let all = |last: Signature| content((1..=99).map(|n| partition(n, "a")).chain([last]).collect());
        let one = all(partition(100, "b"));
        assert!(one.is_same(&all(partition(100, "b"))));
        assert!(!one.is_same(&all(partition(100, "c"))));
        assert!(!one.is_same(&all(partition(101, "b"))));
        let fuller = all(Signature {
            used: Some(Bytes(7)),
            ..partition(100, "b")
        });
        assert!(one.is_same(&fuller) && one != fuller);
        assert!(one.words().starts_with("100 partitions: "), "{}", one.words());
        let Content::Found { signatures, .. } = one else {
            panic!()
        };
        let last = signatures.last().unwrap();
        assert_eq!(
            (signatures.len(), last.partition, last.kind.as_str()),
            (65, 65, "36 more")
        );
    }

    proptest! {
        #[test]
        fn whatever_stands_on_a_drive_is_told_in_64_kib(
            labels in proptest::collection::vec((0_u32..9, 0_usize..4, 0_usize..300), 0..300),
        ) {
            let label = |of: usize, length| ["a", "\"", "\u{1}", "🗄"][of].repeat(length);
            let all = labels.iter().map(|(number, of, length)| partition(*number, &label(*of, *length)));
            let told = content(all.collect());
            let length = serde_json::to_vec(&told).unwrap().len();
            prop_assert!(length < 64 << 10, "{length}");
        }
    }
}
