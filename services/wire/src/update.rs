//! Updates: what everybody sees of them, and what the server and PID 1's writer say to each other.
//!
//! The writer is a helper of PID 1 that alone may write the boot partition; it listens on [`UPDATE_SOCKET`] once it was asked
//! for over the control socket. The server sends lines of JSON ([`Ask`]), two of which are followed by bytes, and gets one line
//! ([`Answer`]) for each. An empty line asks nothing and gets no answer: whoever sends is there, and what comes next takes time.

use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;

use crate::Time;

/// Where the writer listens in the box.
pub const UPDATE_SOCKET: &str = "/run/kiln/update.sock";
/// Longest line between server and writer, in bytes: the numbers of all chunks take 1500.
pub const ASK_MAX: usize = 16 * 1024;
/// Longest head of a bundle, in bytes.
pub const HEAD_MAX: u32 = 600 * 1024;

/// An address as it is kept, shown and logged: without user name and password, query and fragment, any of which may be a
/// secret (a signed address of a file is good for whoever has it). What was left out stands there as `?…`.
pub fn shown_address(address: &str) -> String {
    let (place, more) = match address.find(['?', '#']) {
        Some(at) => (&address[..at], "?…"),
        None => (address, ""),
    };
    let begin = place.find("://").map_or(0, |at| at + 3);
    let (scheme, rest) = place.split_at(begin);
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}{host}{path}{more}")
}

/// What the box knows of its systems and updates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct UpdateView {
    /// Both slots, a first; empty while the boot partition has not been read, or where there is none.
    pub slots: Vec<SlotView>,
    /// The update that is being written.
    pub writing: Option<Writing>,
    /// What is still to be proven before the running slot is kept; `None` when it is kept.
    pub trial: Option<String>,
    /// How the last update ended.
    pub last: Option<LastUpdate>,
    /// Whose updates are taken; `None` while that has not been looked at, or where no key is trusted.
    pub keys: Option<TrustedKeys>,
}

/// The keys that must have signed an update: the running system's own, or those that have replaced them since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct TrustedKeys {
    /// What people compare of each key: half of its SHA-256, in groups of four digits.
    pub fingerprints: Vec<String>,
    /// How many of them must have signed, from 1.
    pub threshold: u32,
    /// Number of this set, from 1; each that replaces another has the next one.
    pub version: u32,
}

/// A slot: one of the two places for a whole system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct SlotView {
    /// `a` or `b`.
    pub name: String,
    /// Whether it may be started.
    pub state: SlotState,
    /// Version of the system in it.
    pub version: Option<String>,
    /// Whether it runs.
    pub running: bool,
    /// Whether the next start takes it.
    pub next: bool,
    /// Starts that it has left while it is on trial.
    pub tries_left: u8,
}

/// Whether a slot may be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SlotState {
    /// It has proven itself.
    Good,
    /// It has to prove itself within three starts.
    Trying,
    /// It failed, or is being written.
    Bad,
    /// There is no system in it.
    Empty,
}

/// How far writing is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct Writing {
    /// Version of the update.
    pub version: String,
    /// Chunks that are on the medium.
    pub done: u32,
    /// Chunks of the update, of at most a MiB each.
    pub chunks: u32,
}

/// How an update ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct LastUpdate {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Time,
    /// Its version, where it is known.
    pub version: Option<String>,
    /// Its slot.
    pub slot: String,
    /// How.
    pub outcome: UpdateOutcome,
    /// In a sentence, with the reason and what to do.
    pub text: String,
}

/// How an update ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UpdateOutcome {
    /// It is written and will be tried at the next start.
    Written,
    /// It has proven itself.
    Kept,
    /// It could not be written; what ran before runs on.
    Failed,
    /// It did not prove itself; the box went back to the system before it.
    FellBack,
}

/// What the server asks the writer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Ask {
    /// Take this bundle; its head follows.
    Begin {
        /// Bytes of the head, at most [`HEAD_MAX`].
        len: u32,
        /// Also when it is older than what runs.
        downgrade: bool,
    },
    /// Take this chunk; its bytes follow.
    Chunk {
        /// Number among all chunks.
        number: u32,
        /// Its bytes, at most a MiB.
        len: u32,
    },
    /// Compare everything and make the slot the next one.
    Finish {},
}

/// What the writer answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// To [`Ask::Begin`].
    Begun(UpdateNeeds),
    /// To [`Ask::Chunk`]: it is on the medium.
    Taken {
        /// Its number.
        number: u32,
    },
    /// To [`Ask::Finish`]: the next start takes the new system.
    Finished {
        /// Its slot.
        slot: String,
        /// Its version.
        version: String,
    },
    /// Not done; nothing that could be started has changed.
    Refused {
        /// A word for programs.
        kind: String,
        /// In a sentence.
        text: String,
    },
}

/// What an update still needs: the rest lies on the medium already, from an earlier try or in the running system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct UpdateNeeds {
    /// Its version.
    pub version: String,
    /// Slot that it goes into.
    pub slot: String,
    /// Chunks of it, of a MiB each but the last of each file.
    pub chunks: u32,
    /// Those that an earlier try has left, whole.
    pub found: u32,
    /// Those that were copied from the running system.
    pub copied: u32,
    /// What has to be sent, in this order.
    pub need: Vec<UpdateChunk>,
}

/// `GET /api/v1/update`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct UpdateState {
    /// What the box knows of its systems and updates.
    pub view: UpdateView,
    /// The update that was fetched last, or is being fetched.
    pub download: Option<Download>,
}

/// An update that the box fetches itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct Download {
    /// From where; as [`shown_address`] tells it, without what may be a secret.
    pub url: String,
    /// Whether it is under way.
    pub running: bool,
    /// Why it was not fetched.
    pub error: Option<String>,
}

/// `POST /api/v1/update` with JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct UpdateFetch {
    /// `http://` or `https://`.
    pub url: String,
    /// Also when it is older than what runs.
    #[serde(default)]
    pub downgrade: bool,
}

/// The answer when an update is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct UpdateWritten {
    /// Its slot.
    pub slot: String,
    /// Its version.
    pub version: String,
}

/// A chunk that has to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct UpdateChunk {
    /// Its number among all chunks.
    pub number: u32,
    /// Where it begins in the bundle, in bytes.
    pub offset: u64,
    /// Its bytes, at most a MiB.
    pub len: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_secrets() {
        for (whole, shown) in [
            ("https://example.org/kiln.kiln", "https://example.org/kiln.kiln"),
            (
                "https://ada:geheim@example.org:8443/a/b",
                "https://example.org:8443/a/b",
            ),
            ("https://example.org/a?token=geheim", "https://example.org/a?…"),
            ("https://example.org?token=geheim", "https://example.org?…"),
            ("https://example.org/a#geheim", "https://example.org/a?…"),
            (
                "https://a@b:geheim@[fd00::1]:80/x@y?z=geheim@w",
                "https://[fd00::1]:80/x@y?…",
            ),
            ("/b?token=geheim&u=https://c", "/b?…"),
            ("", ""),
        ] {
            assert_eq!(shown_address(whole), shown);
        }
    }
}
