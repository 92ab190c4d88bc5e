//! Random secrets and their SHA-256, the only form in which one is kept.

use sha2::{Digest, Sha256};

/// Random bytes from the kernel.
///
/// # Panics
/// When the kernel has no randomness to give: nothing here may go on with a guessable secret.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the kernel gives random bytes once it has booted");
    bytes
}

/// A new secret: 32 random bytes as 64 hexadecimal digits.
pub fn new() -> String {
    hex::encode(random::<32>())
}

/// SHA-256 of a secret in hexadecimal digits. Its secrets have 256 random bits, so no slow hash is needed.
pub fn hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}
