//! What a certificate is called: short enough to read out over a telephone.

use sha2::{Digest, Sha256};
use wire::JobId;

use crate::key::PublicKey;

/// Crockford's base 32: no I, L, O or U, which are misread.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// `KC-XXXX-XXXX-XXXX`: 60 bits of SHA-256 over job and key, so that nobody has to count certificates.
pub fn of(job: JobId, key: PublicKey) -> String {
    let mut hash = Sha256::new();
    hash.update(b"kiln-certificate-id\n");
    hash.update(job.0.as_bytes());
    hash.update(key.to_hex().as_bytes());
    let digest = hash.finalize();
    let bits = digest
        .iter()
        .take(8)
        .fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    let mut text = String::from("KC");
    for letter in 0..12 {
        if letter % 4 == 0 {
            text.push('-');
        }
        text.push(char::from(LETTERS[(bits >> (59 - 5 * letter) & 31) as usize]));
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::key::Key;

    #[test]
    fn it_has_three_groups_and_depends_on_job_and_key() {
        let job: JobId = "0192f0c1-2345-7890-8abc-def012345678".parse().unwrap();
        let other: JobId = "0192f0c1-2345-7890-8abc-def012345679".parse().unwrap();
        let (a, b) = (Key::from_seed(&[1; 32]).public(), Key::from_seed(&[2; 32]).public());
        let id = of(job, a);
        assert_eq!(id.len(), 17);
        assert!(id.starts_with("KC-") && id.split('-').count() == 4, "{id}");
        assert_eq!(id, of(job, a));
        assert_ne!(id, of(other, a));
        assert_ne!(id, of(job, b));
    }
}
