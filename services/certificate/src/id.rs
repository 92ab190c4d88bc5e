//! What a certificate is called: short enough to read out over a telephone.

use sha2::{Digest, Sha256};
use wire::{JobId, Time};

use crate::key::PublicKey;

/// Crockford's base 32: no I, L, O or U, which are misread.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// `KC-XXXX-XXXX-XXXX`: 60 bits of SHA-256 over job, key and the time when it was made, so that nobody has to count certificates.
///
/// A job has another one where it ends once more (its agent's store was put back meanwhile): the time keeps them apart. Nobody makes
/// an id again from what a certificate says, and those that were made before the time was hashed keep theirs.
pub fn of(job: JobId, key: PublicKey, made: Time) -> String {
    let mut hash = Sha256::new();
    hash.update(b"kiln-certificate-id\n");
    hash.update(job.0.as_bytes());
    hash.update(key.to_hex().as_bytes());
    hash.update(made.to_string().as_bytes());
    let digest = hash.finalize();
    let bits = digest
        .iter()
        .take(8)
        .fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    grouped((0..LONG).map(|letter| char::from(LETTERS[(bits >> (59 - 5 * letter) & 31) as usize])))
}

/// Letters of an id, its beginning left out.
const LONG: usize = 12;

/// The one spelling of an id that a person wrote: letter case, dashes, blanks, colons and the `KC` are free, and the letters
/// that are misread count as what they are taken for (I and L as 1, O as 0). `None` for what is no id.
pub fn spelt(text: &str) -> Option<String> {
    let letters: Vec<char> = text
        .chars()
        .filter(|c| !matches!(c, '-' | ':' | ' ' | '\t'))
        .map(|c| match c.to_ascii_uppercase() {
            'I' | 'L' => '1',
            'O' => '0',
            c => c,
        })
        .collect();
    let own = match letters.len() {
        LONG => letters.as_slice(),
        _ => letters.strip_prefix(&['K', 'C'])?,
    };
    let known = |c: &char| u8::try_from(*c).is_ok_and(|c| LETTERS.contains(&c));
    (own.len() == LONG && own.iter().all(known)).then(|| grouped(own.iter().copied()))
}

/// Whether an id is in its one spelling. Revocations are looked up by that, so no other one is good.
pub fn is_spelt(id: &str) -> bool {
    spelt(id).as_deref() == Some(id)
}

fn grouped(letters: impl Iterator<Item = char>) -> String {
    let mut text = String::from("KC");
    for (at, letter) in letters.enumerate() {
        if at % 4 == 0 {
            text.push('-');
        }
        text.push(letter);
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::key::Key;

    #[test]
    fn it_has_three_groups_and_depends_on_job_key_and_time() {
        let job: JobId = "0192f0c1-2345-7890-8abc-def012345678".parse().unwrap();
        let other: JobId = "0192f0c1-2345-7890-8abc-def012345679".parse().unwrap();
        let (a, b) = (Key::from_seed(&[1; 32]).public(), Key::from_seed(&[2; 32]).public());
        let (made, later) = (Time::UNIX_EPOCH, Time::from_second(1).unwrap());
        let id = of(job, a, made);
        assert_eq!(id.len(), 17);
        assert!(id.starts_with("KC-") && id.split('-').count() == 4, "{id}");
        assert_eq!(id, of(job, a, made));
        assert_ne!(id, of(other, a, made));
        assert_ne!(id, of(job, b, made));
        assert_ne!(id, of(job, a, later));
    }

    #[test]
    fn an_id_is_known_however_it_is_spelt() {
        for text in [
            "KC-J288-YS6Y-B410",
            "kc-j288-ys6y-b410",
            "KCJ288YS6YB410",
            "J288-YS6Y-B410",
            "KC J288:YS6Y B4lO",
            "KC-J288-YS6Y-B4IO",
        ] {
            assert_eq!(spelt(text).as_deref(), Some("KC-J288-YS6Y-B410"), "{text}");
            assert_eq!(is_spelt(text), text == "KC-J288-YS6Y-B410", "{text}");
        }
        // One that begins as all do.
        assert_eq!(spelt("KC00-0000-0000").as_deref(), Some("KC-KC00-0000-0000"));
        for text in [
            "",
            "KC",
            "KC-J288-YS6Y-B41",
            "KC-J288-YS6Y-B4100",
            "KC-J288-YS6Y-B41U",
            "KC-J288-YS6Y-B41é",
        ] {
            assert_eq!(spelt(text), None, "{text}");
            assert!(!is_spelt(text), "{text}");
        }
    }
}
