//! Bundles that were cut, changed, swapped, grown, signed by others or meant for others: each is refused, and says why.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "tests"
)]

mod common;

use bundle::{CHUNK, Head, Key, KeySet, Manifest, Public, Refused, Rotation, Target, Verifier};
use common::{bundle, files, key, manifest, target};
use proptest::prelude::*;

/// What comes out of the verifier, fed in these portions.
fn run(bytes: &[u8], target: Target, portions: &[usize]) -> Result<Vec<u8>, Refused> {
    let mut v = Verifier::new(target);
    let (mut rest, mut out, mut n) = (bytes, Vec::new(), 0);
    let mut next = 0;
    while !rest.is_empty() {
        let len = portions
            .get(n % portions.len())
            .copied()
            .unwrap_or(1)
            .clamp(1, rest.len());
        n += 1;
        for piece in v.push(&rest[..len])? {
            assert_eq!(piece.chunk, next, "chunks come in order");
            next += 1;
            out.extend(piece.bytes);
        }
        rest = &rest[len..];
    }
    v.finish()?;
    Ok(out)
}

fn whole(bytes: &[u8], target: Target) -> Result<Vec<u8>, Refused> {
    run(bytes, target, &[100_000])
}

fn content() -> Vec<u8> {
    files().into_iter().flat_map(|(_, b)| b).collect()
}

#[test]
fn a_whole_bundle_comes_out_as_it_went_in() {
    assert_eq!(whole(&bundle(), target()).unwrap(), content());
}

#[test]
fn a_cut_bundle_is_cut_short_wherever_it_was_cut() {
    let all = bundle();
    let head = Head::sign(manifest(), Vec::new(), &[&key(1)]).bytes().len();
    for end in [1, 5, 12, 40, head - 1, head, head + 1, all.len() - 1] {
        let told = whole(&all[..end], target()).unwrap_err();
        assert!(
            matches!(told, Refused::Truncated { got, .. } if got == end as u64),
            "{end}: {told}"
        );
        if end >= head {
            assert!(told.to_string().contains(&all.len().to_string()), "{told}");
        }
    }
    assert!(matches!(
        Verifier::new(target()).finish(),
        Err(Refused::Truncated { got: 0, expected: 0 })
    ));
}

#[test]
fn bytes_after_the_end_are_refused() {
    let mut all = bundle();
    all.push(0);
    assert!(matches!(whole(&all, target()), Err(Refused::Trailing { end }) if end as usize == all.len() - 1));
}

#[test]
fn swapped_chunks_are_refused_and_named() {
    let mut all = bundle();
    let begin = all.len() - content().len();
    // system.erofs is the fourth file: its first two MiB change places.
    let at = begin
        + files()
            .iter()
            .take_while(|(n, _)| *n != "system.erofs")
            .map(|(_, b)| b.len())
            .sum::<usize>();
    let (a, b) = all[at..].split_at_mut(CHUNK as usize);
    a.swap_with_slice(&mut b[..CHUNK as usize]);
    let told = whole(&all, target()).unwrap_err();
    assert_eq!(
        told,
        Refused::Chunk {
            file: "system.erofs".into(),
            number: 0
        }
    );
    // A refused bundle stays refused.
    let mut v = Verifier::new(target());
    assert!(v.push(&all).is_err());
    assert_eq!(v.push(b"").unwrap_err(), told);
    assert_eq!(v.finish().unwrap_err(), told);
}

#[test]
fn other_boards_other_keys_and_other_versions_are_refused_with_their_reasons() {
    let all = bundle();
    let told = |change: &dyn Fn(&mut Target)| {
        let mut t = target();
        change(&mut t);
        whole(&all, t).map(drop)
    };
    let e = told(&|t| t.board = "arm64".into()).unwrap_err();
    assert_eq!(
        (e.kind(), e.to_string().contains("arm64 (x86_64)")),
        ("other-board", true),
        "{e}"
    );
    assert_eq!(told(&|t| t.arch = "aarch64".into()).unwrap_err().kind(), "other-board");
    let e = told(&|t| t.keys = keys(1, 1, &[2])).unwrap_err();
    assert_eq!(
        e,
        Refused::WrongKey {
            by: key(1).public().fingerprint()
        }
    );
    let e = told(&|t| t.keys = keys(1, 2, &[1, 2])).unwrap_err();
    assert_eq!(e, Refused::TooFewSignatures { have: 1, need: 2 });
    assert_eq!(told(&|t| t.running = "1.2.1".into()).unwrap_err().kind(), "older");
    assert_eq!(
        told(&|t| {
            t.running = "1.2.1".into();
            t.downgrade = true;
        }),
        Ok(())
    );
    assert_eq!(told(&|t| t.running = "1.2".into()), Ok(()), "the same once more");
    assert_eq!(told(&|t| t.running = "0.9".into()).unwrap_err().kind(), "too-far");
}

fn keys(version: u32, threshold: usize, of: &[u8]) -> KeySet {
    KeySet::new(version, threshold, of.iter().map(|n| key(*n).public()).collect()).unwrap()
}

/// A head with these rotations and signatures, seen by a box that trusts `trusted`.
fn accepted(trusted: KeySet, rotations: Vec<Rotation>, by: &[u8]) -> Result<(), Refused> {
    let signers: Vec<Key> = by.iter().map(|n| key(*n)).collect();
    let head = Head::sign(manifest(), rotations, &signers.iter().collect::<Vec<_>>());
    let t = Target {
        keys: trusted,
        ..target()
    };
    bundle::accept(&head.bytes(), &t).map(drop)
}

#[test]
fn a_threshold_needs_that_many_different_keys() {
    let set = || keys(1, 2, &[1, 2, 3]);
    assert_eq!(accepted(set(), vec![], &[1, 3]), Ok(()));
    assert_eq!(
        accepted(set(), vec![], &[1, 2, 3, 4]),
        Ok(()),
        "a stranger's does no harm"
    );
    let few = Err(Refused::TooFewSignatures { have: 1, need: 2 });
    assert_eq!(accepted(set(), vec![], &[1, 1]), few, "one key twice is one key");
    assert_eq!(accepted(set(), vec![], &[1, 4]), few);
    assert_eq!(accepted(set(), vec![], &[]).unwrap_err().kind(), "wrong-key");
}

#[test]
fn keys_are_exchanged_by_the_old_threshold_and_never_without_it() {
    let old = || keys(1, 2, &[1, 2, 3]);
    let new = || keys(2, 2, &[3, 4, 5]);
    let rotation = |by: &[u8]| {
        let by: Vec<Key> = by.iter().map(|n| key(*n)).collect();
        Rotation::new(new(), &by.iter().collect::<Vec<_>>())
    };
    assert_eq!(accepted(old(), vec![rotation(&[1, 2, 4, 5])], &[4, 5]), Ok(()));
    // The key that is in both counts for both.
    assert_eq!(accepted(old(), vec![rotation(&[1, 3, 4])], &[3, 4]), Ok(()));
    for by in [&[1, 4, 5][..], &[4, 5], &[1, 2], &[1, 2, 4]] {
        let e = accepted(old(), vec![rotation(by)], &[4, 5]).unwrap_err();
        assert_eq!(e.kind(), "key-rotation", "{by:?}: {e}");
    }
    // After the exchange the old keys are nobody's.
    let e = accepted(old(), vec![rotation(&[1, 2, 4, 5])], &[1, 2]).unwrap_err();
    assert_eq!(e.kind(), "wrong-key");
    // A box that has passed the exchange takes the bundle, too; one that is two behind says what is missing.
    assert_eq!(accepted(new(), vec![rotation(&[1, 2, 4, 5])], &[4, 5]), Ok(()));
    let later = Rotation::new(keys(3, 1, &[6]), &[&key(4), &key(5), &key(6)]);
    assert_eq!(
        accepted(old(), vec![rotation(&[1, 2, 4, 5]), later.clone()], &[6]),
        Ok(()),
        "two exchanges in a row"
    );
    let e = accepted(old(), vec![later], &[6]).unwrap_err();
    assert!(e.to_string().contains("missing"), "{e}");
    // A changed set is refused although the signatures are real ones.
    let mut forged = rotation(&[1, 2, 4, 5]);
    forged.set.threshold = 1;
    assert_eq!(accepted(old(), vec![forged], &[4]).unwrap_err().kind(), "key-rotation");
}

#[test]
fn key_sets_that_are_none_are_refused() {
    let two = [key(1).public(), key(2).public()];
    for (version, threshold, keys) in [
        (1, 0, two.to_vec()),
        (1, 3, two.to_vec()),
        (0, 1, two.to_vec()),
        (1, 1, vec![]),
        (1, 1, vec![two[0], two[0]]),
        (1, 1, vec![Public([0; 32])]),
    ] {
        assert!(
            KeySet::new(version, threshold, keys.clone()).is_err(),
            "{version} {threshold} {keys:?}"
        );
    }
    assert!(
        KeySet::parse(b"{\"keys\":1}")
            .unwrap_err()
            .to_string()
            .contains("key set")
    );
    let set = keys(1, 2, &[1, 2]);
    assert_eq!(KeySet::parse(&set.bytes()).unwrap(), set);
}

#[test]
fn what_a_manifest_may_not_say_is_named() {
    let text = String::from_utf8(manifest().bytes()).unwrap();
    for (from, to, part) in [
        ("\"initrd\"", "\"../x\"", "expected a name of a-z"),
        ("\"name\":\"initrd\"", "\"name\":\"xnitrd\"", "ascending"),
        ("\"name\":\"vmlinuz\"", "\"name\":\"x/linuz\"", "expected a name of a-z"),
        ("\"name\":\"vmlinuz\"", "\"name\":\"wmlinuz\"", "does not list vmlinuz"),
        ("kiln-bundle/1", "kiln-bundle/2", "`format`"),
        ("\"version\":\"1.2.0\"", "\"version\":\"new\"", "`version`"),
        ("\"board\":\"x86-64\"", "\"board\":\"\"", "`board`"),
        ("\"built\":1", "\"built\": 1", "canonical"),
        ("\"arch\"", "\"arc\"", "unknown field"),
        ("\"size\":", "\"size\":9", "a chunk for each MiB"),
    ] {
        assert!(text.contains(from), "{from}");
        let told = Manifest::parse(text.replacen(from, to, 1).as_bytes())
            .unwrap_err()
            .to_string();
        assert!(told.contains(part), "{from} -> {to}: {told}");
    }
    // Upper-case digits would be a second spelling of the same thing.
    let at = text.find("\"chunks\":[\"").unwrap() + 11;
    let upper = format!(
        "{}{}{}",
        &text[..at],
        text[at..at + 64].to_uppercase(),
        &text[at + 64..]
    );
    assert!(
        Manifest::parse(upper.as_bytes())
            .unwrap_err()
            .to_string()
            .contains("lower case")
    );
}

#[test]
fn resuming_takes_the_rest_and_nothing_else() {
    let (all, m) = (bundle(), manifest());
    let head = Head::sign(m.clone(), Vec::new(), &[&key(1)]);
    let begin = all.len() as u64 - m.size();
    for from in 0..=m.chunks().count() {
        let offset = m.chunks().nth(from).map_or(m.size(), |c| c.offset);
        let mut v = Verifier::resume(&head, from);
        let rest = &all[(begin + offset) as usize..];
        if !rest.is_empty() {
            let (got, expected) = (begin + offset, all.len() as u64);
            assert_eq!(v.finish(), Err(Refused::Truncated { got, expected }));
        }
        let got: Vec<u8> = v.push(rest).unwrap().into_iter().flat_map(|p| p.bytes).collect();
        v.finish().unwrap();
        assert_eq!(got, content()[offset as usize..]);
        let end = all.len() as u64;
        assert_eq!(v.push(b"x"), Err(Refused::Trailing { end }));
    }
}

/// Cases of a property: few each time, many in the long run.
fn cases(few: u32) -> ProptestConfig {
    ProptestConfig::with_cases(if std::env::var_os("KILN_LONG").is_some() {
        few * 40
    } else {
        few
    })
}

proptest! {
    #![proptest_config(cases(40))]

    #[test]
    fn any_one_changed_byte_is_refused(place in 0.0..1.0_f64, head: bool, bits in 1_u8..=255) {
        let mut all = bundle();
        // Half of them in the head, which is short.
        let range = if head { all.len() - content().len() } else { all.len() };
        let at = ((range as f64 * place) as usize).min(range - 1);
        all[at] ^= bits;
        prop_assert!(whole(&all, target()).is_err(), "byte {at} changed by {bits:#x} was not seen");
    }

    #[test]
    fn any_portions_give_the_same(portions in proptest::collection::vec(1_usize..3_000_000, 1..12), cut in 0.0..1.3_f64) {
        let all = bundle();
        let all = &all[..((all.len() as f64 * cut) as usize).min(all.len())];
        let (a, b) = (whole(all, target()), run(all, target(), &portions));
        prop_assert_eq!(a, b);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), behind: bool) {
        let mut all = if behind { bundle::MAGIC.to_vec() } else { Vec::new() };
        all.extend(bytes);
        prop_assert!(whole(&all, target()).is_err());
    }
}

/// The fuzzer finds none by chance: `KILN_BLESS=1 cargo test -p bundle --test tampering seed` writes it anew.
#[test]
fn the_fuzzers_seed_is_a_manifest_that_its_box_would_take() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/seeds/bundle/manifest");
    let all = files();
    let files: Vec<(&str, &[u8])> = all.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
    let manifest = Manifest::new(("b", "a"), ("2", "1"), 1, &files).unwrap();
    if std::env::var_os("KILN_BLESS").is_some() {
        std::fs::write(path, manifest.bytes()).unwrap();
    }
    assert_eq!(Manifest::parse(&std::fs::read(path).unwrap()).unwrap(), manifest);
}
