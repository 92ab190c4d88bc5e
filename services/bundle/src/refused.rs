//! Why a bundle is not taken, in words for the person who brought it.

/// How long it should be, where that is known.
fn should_have(expected: u64) -> String {
    match expected {
        0 => ", before its list of files is whole".to_owned(),
        _ => format!(" and should have {expected}"),
    }
}

/// Why a bundle is refused. Nothing of it has been used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It does not begin as bundles do.
    #[error("this is no Kiln update: it does not begin with KILNBNDL1; expected a file that `kiln-image bundle` made")]
    NotABundle,
    /// A part of its head is not what it has to be.
    #[error("the update's {part} is malformed: {what}")]
    Malformed {
        /// `manifest`, `signatures` or `key set`.
        part: &'static str,
        /// Where, and what is expected.
        what: String,
    },
    /// It ends early.
    #[error(
        "the update is cut short: it ends after {got} bytes{}; copy or download it again",
        should_have(*expected)
    )]
    Truncated {
        /// Bytes that came.
        got: u64,
        /// Bytes that it should have; 0 where even its head is not whole.
        expected: u64,
    },
    /// Something follows its last byte.
    #[error("the update has bytes after its end at {end}; copy or download it again")]
    Trailing {
        /// Where it should end.
        end: u64,
    },
    /// No key that counts here has signed it.
    #[error(
        "the update is signed by {by}, and by none of the keys that this box trusts; take one from your own builder, or the official one"
    )]
    WrongKey {
        /// Fingerprints.
        by: String,
    },
    /// Not enough of the keys have signed.
    #[error("the update has {have} of the {need} signatures that this box asks for")]
    TooFewSignatures {
        /// Signatures by trusted keys.
        have: usize,
        /// The threshold.
        need: usize,
    },
    /// A signature does not fit.
    #[error("the signature by key {key} does not fit the update's {part}: one of the two was changed")]
    BadSignature {
        /// Fingerprint.
        key: String,
        /// `manifest` or `key set`.
        part: &'static str,
    },
    /// A set of keys does not follow the one before it.
    #[error("the update brings keys of version {version}, which {what}")]
    Rotation {
        /// Version of the set.
        version: u32,
        /// What is wrong with it.
        what: String,
    },
    /// It is for another machine.
    #[error("the update is for board {bundle}; this box is {here}")]
    OtherBoard {
        /// Board and processor of the bundle.
        bundle: String,
        /// And of the box.
        here: String,
    },
    /// It is older than what runs.
    #[error("the update is version {bundle}, older than {running}, which runs; going back has to be asked for")]
    Older {
        /// Its version.
        bundle: String,
        /// The running one.
        running: String,
    },
    /// What runs is too old to take it.
    #[error("the update needs version {needs} or newer to be installed from; {running} runs. Update to {needs} first")]
    TooFar {
        /// The oldest version from which it can be installed.
        needs: String,
        /// The running one.
        running: String,
    },
    /// A chunk is not the one that the manifest names.
    #[error("{file}, MiB {number}: its bytes are not the ones that were signed (damaged, swapped or changed)")]
    Chunk {
        /// Name of the file.
        file: String,
        /// Number of the chunk in its file, from 0.
        number: usize,
    },
}

impl Refused {
    /// A word for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NotABundle => "not-a-bundle",
            Self::Malformed { .. } => "malformed",
            Self::Truncated { .. } => "truncated",
            Self::Trailing { .. } => "trailing",
            Self::WrongKey { .. } => "wrong-key",
            Self::TooFewSignatures { .. } => "too-few-signatures",
            Self::BadSignature { .. } => "bad-signature",
            Self::Rotation { .. } => "key-rotation",
            Self::OtherBoard { .. } => "other-board",
            Self::Older { .. } => "older",
            Self::TooFar { .. } => "too-far",
            Self::Chunk { .. } => "chunk",
        }
    }
}
