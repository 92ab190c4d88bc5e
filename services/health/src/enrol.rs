//! Enrolment of host agents: what they send, and whether to believe it. Pure; secrets come in as hashes only.
//!
//! An agent is its Ed25519 key. A person's token admits a new key once; a key that is known needs none. A session of
//! an hour is given for a signature over `{agent_id}:{fingerprint}:{timestamp}` that is not older or newer than five
//! minutes and has not been seen before.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};
use serde::{Deserialize, Serialize};
use wire::{Problem, Time};

use crate::report::check_host;

/// How long a session lasts. Source: Vigil, agent session.
pub const SESSION: jiff::SignedDuration = jiff::SignedDuration::from_hours(1);

/// How far the clock of a signature may be off, both ways, in seconds. Source: Vigil, agent auth.
pub const SKEW: i64 = 300;

/// Sessions kept of one agent; the newest count.
const SESSIONS_MAX: usize = 4;

/// Longest name of an agent or token.
const NAME_MAX: usize = 128;

/// Longest fingerprint.
const FINGERPRINT_MAX: usize = 256;

/// Most signatures remembered; past it none is taken until the oldest is out of date. At ten a minute there are 200.
const SEEN_MAX: usize = 512;

/// An agent that may report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// Number.
    pub id: u64,
    /// Host it reports for.
    pub hostname: String,
    /// Name for people.
    pub name: String,
    /// What it calls its machine.
    pub fingerprint: String,
    /// Ed25519 public key in base64.
    pub public_key: String,
    /// When it was enrolled.
    pub registered_at: Time,
    /// When it last got a session.
    pub last_auth_at: Time,
    /// When it last reported.
    pub last_seen_at: Option<Time>,
    /// Its sessions: hash of the secret, end.
    pub sessions: Vec<(String, Time)>,
    /// Timestamps of signatures that were taken, while they could be sent again.
    pub seen: Vec<i64>,
}

/// A token with which a person admits one agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Number.
    pub id: u64,
    /// Name for people.
    pub name: String,
    /// SHA-256 of the secret.
    pub hash: String,
    /// When it was made.
    pub created_at: Time,
    /// When it ends; `None` for never.
    pub expires_at: Option<Time>,
    /// When it was used.
    pub used_at: Option<Time>,
    /// By which agent.
    pub used_by: Option<u64>,
}

/// Body of a registration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Register {
    /// Host name.
    pub hostname: String,
    /// Name for people; the host name if empty.
    pub name: String,
    /// What the agent calls its machine.
    pub fingerprint: String,
    /// Ed25519 public key in base64.
    pub public_key: String,
    /// A signature that came with it and was found good: it brings one session.
    pub signed: Option<Auth>,
}

fn bad(field: &str, what: impl std::fmt::Display) -> Problem {
    Problem::new("bad-field", 400, "A field cannot be taken").with(format!("{field}: {what}"))
}

/// A name for people: at most 128 characters, none of them a control.
///
/// # Errors
/// What is wrong with it.
pub fn check_name(name: &str) -> Result<(), Problem> {
    match name.chars().count() {
        n if n > NAME_MAX => Err(bad("name", format!("has {n} characters; at most {NAME_MAX}"))),
        _ if name.chars().any(char::is_control) => Err(bad("name", "has control characters")),
        _ => Ok(()),
    }
}

fn check_fingerprint(text: &str) -> Result<(), Problem> {
    match text.len() {
        0 => Err(bad("fingerprint", "is empty")),
        n if n > FINGERPRINT_MAX => Err(bad("fingerprint", format!("has {n} bytes; at most {FINGERPRINT_MAX}"))),
        _ if text.chars().any(char::is_control) => Err(bad("fingerprint", "has control characters")),
        _ => Ok(()),
    }
}

fn key(text: &str) -> Result<VerifyingKey, Problem> {
    let bytes = STANDARD
        .decode(text)
        .map_err(|error| bad("public_key", format!("is no base64: {error}")))?;
    let bytes: [u8; 32] = bytes
        .as_slice()
        .try_into()
        .map_err(|_| bad("public_key", format!("has {} bytes; expected 32", bytes.len())))?;
    let key = VerifyingKey::from_bytes(&bytes).map_err(|_| bad("public_key", "is no point of Ed25519"))?;
    if key.is_weak() {
        return Err(bad("public_key", "is weak: anybody could sign for it"));
    }
    Ok(key)
}

impl Register {
    /// Whether every field can be taken.
    ///
    /// # Errors
    /// `bad-field`, with the first that cannot.
    pub fn check(&self) -> Result<(), Problem> {
        check_host(&self.hostname).map_err(|what| bad("hostname", what))?;
        check_name(&self.name)?;
        check_fingerprint(&self.fingerprint)?;
        key(&self.public_key).map(|_| ())
    }
}

/// Body of an authentication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// Number of the agent.
    pub agent_id: u64,
    /// What it calls its machine now.
    pub fingerprint: String,
    /// Seconds since 1970.
    pub timestamp: i64,
    /// Signature in base64.
    pub signature: String,
}

impl Auth {
    /// What is signed.
    pub fn message(&self) -> String {
        format!("{}:{}:{}", self.agent_id, self.fingerprint, self.timestamp)
    }

    /// Whether the holder of this key signed it.
    ///
    /// # Errors
    /// `bad-field`, `signature-wrong`.
    pub fn signed_by(&self, public_key: &str) -> Result<(), Problem> {
        let bytes = STANDARD
            .decode(&self.signature)
            .map_err(|e| bad("signature", format!("is no base64: {e}")))?;
        let signature = Signature::from_slice(&bytes)
            .map_err(|_| bad("signature", format!("has {} bytes; expected 64", bytes.len())))?;
        let wrong = || Problem::new("signature-wrong", 401, "The signature does not fit the agent's key");
        key(public_key)?
            .verify_strict(self.message().as_bytes(), &signature)
            .map_err(|_| wrong())
    }

    /// Whether the fields can be taken and the time is right.
    ///
    /// # Errors
    /// `bad-field`, `clock-off`.
    pub fn check(&self, now: Time) -> Result<(), Problem> {
        check_fingerprint(&self.fingerprint)?;
        let off = self.timestamp.saturating_sub(now.as_second());
        if off.saturating_abs() > SKEW {
            return Err(
                Problem::new("clock-off", 401, "The clocks of agent and server differ too much").with(format!(
                    "timestamp {} is {off} s from the server's {}; at most {SKEW} s",
                    self.timestamp,
                    now.as_second()
                )),
            );
        }
        Ok(())
    }
}

impl Agent {
    /// The agent of a machine that enrols now, before it has proven or sent anything.
    pub fn new(id: u64, form: &Register, now: Time) -> Self {
        let name = if form.name.is_empty() {
            &form.hostname
        } else {
            &form.name
        };
        Self {
            id,
            name: name.clone(),
            hostname: form.hostname.clone(),
            fingerprint: String::new(),
            public_key: form.public_key.clone(),
            registered_at: now,
            last_auth_at: now,
            last_seen_at: None,
            sessions: Vec::new(),
            seen: Vec::new(),
        }
    }

    /// Believes a signature, or not; what it proves is taken note of.
    ///
    /// # Errors
    /// `bad-field`, `signature-wrong`, `replayed`.
    pub fn believe(&mut self, auth: &Auth, now: Time) -> Result<(), Problem> {
        auth.signed_by(&self.public_key)?;
        // A signature is of its moment alone: the same moment twice is somebody who listened.
        self.seen.retain(|at| *at >= now.as_second().saturating_sub(SKEW));
        if self.seen.contains(&auth.timestamp) || self.seen.len() >= SEEN_MAX {
            return Err(Problem::new("replayed", 401, "This signature was used before")
                .with("sign the present second; one session a second is given"));
        }
        self.seen.push(auth.timestamp);
        self.fingerprint.clone_from(&auth.fingerprint);
        Ok(())
    }

    /// Takes note of a new session and says when it ends.
    pub fn admit(&mut self, session_hash: &str, now: Time) -> Time {
        let ends = now.checked_add(SESSION).unwrap_or(Time::MAX);
        self.sessions.retain(|(_, end)| *end > now);
        self.sessions.push((session_hash.to_owned(), ends));
        let extra = self.sessions.len().saturating_sub(SESSIONS_MAX);
        self.sessions.drain(..extra);
        self.last_auth_at = now;
        ends
    }

    /// Whether this session is one of its own and has not ended.
    pub fn has(&self, session_hash: &str, now: Time) -> bool {
        // One that ends later than a new one would was given before the clock was set back: it would live for years.
        let latest = now.checked_add(SESSION).unwrap_or(Time::MAX);
        self.sessions
            .iter()
            .any(|(hash, end)| hash == session_hash && *end > now && *end <= latest)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use ed25519_dalek::{Signer, SigningKey};

    use super::*;

    fn agent(key: &SigningKey) -> Agent {
        Agent {
            id: 7,
            hostname: "nas".into(),
            name: "nas".into(),
            fingerprint: "mid:1".into(),
            public_key: STANDARD.encode(key.verifying_key().to_bytes()),
            registered_at: Time::UNIX_EPOCH,
            last_auth_at: Time::UNIX_EPOCH,
            last_seen_at: None,
            sessions: Vec::new(),
            seen: Vec::new(),
        }
    }

    fn signed(key: &SigningKey, agent_id: u64, timestamp: i64) -> Auth {
        let mut auth = Auth {
            agent_id,
            fingerprint: "mid:1".into(),
            timestamp,
            signature: String::new(),
        };
        auth.signature = STANDARD.encode(key.sign(auth.message().as_bytes()).to_bytes());
        auth
    }

    #[test]
    fn a_signature_counts_once_and_only_for_its_agent_and_moment() {
        let (mine, other) = (SigningKey::from_bytes(&[7; 32]), SigningKey::from_bytes(&[8; 32]));
        let now = Time::from_second(1_000_000).unwrap();
        let mut agent = agent(&mine);
        let word = |result: Result<(), Problem>| result.map_err(|p| p.kind).err();
        assert_eq!(
            word(agent.believe(&signed(&other, 7, 1_000_000), now)),
            Some("signature-wrong".into())
        );
        assert_eq!(
            word(agent.believe(&signed(&mine, 8, 1_000_000), now)),
            None,
            "the number is the caller's to look up"
        );
        assert_eq!(
            word(agent.believe(&signed(&mine, 7, 1_000_000), now)),
            Some("replayed".into())
        );
        assert_eq!(word(agent.believe(&signed(&mine, 7, 1_000_001), now)), None);
        let mut forged = signed(&mine, 7, 1_000_002);
        forged.timestamp += 1;
        assert_eq!(word(agent.believe(&forged, now)), Some("signature-wrong".into()));
        for signature in ["", "%%", "AAAA"] {
            let auth = Auth {
                signature: signature.into(),
                ..signed(&mine, 7, 1)
            };
            assert_eq!(word(agent.believe(&auth, now)), Some("bad-field".into()));
        }
    }

    #[test]
    fn a_clock_that_is_set_back_signs_in_again_and_the_same_bytes_do_not() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let now = Time::from_second(1_000_000).unwrap();
        let mut agent = agent(&key);
        let word = |result: Result<(), Problem>| result.map_err(|p| p.kind).err();
        assert_eq!(word(agent.believe(&signed(&key, 7, 1_000_200), now)), None);
        let earlier = signed(&key, 7, 1_000_000);
        assert_eq!(word(agent.believe(&earlier, now)), None, "earlier than the last one");
        assert_eq!(word(agent.believe(&earlier, now)), Some("replayed".into()));
    }

    #[test]
    fn clocks_may_differ_by_five_minutes_and_no_second_more() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let now = Time::from_second(1_000_000).unwrap();
        for (off, fits) in [
            (0, true),
            (300, true),
            (-300, true),
            (301, false),
            (-301, false),
            (i64::MIN + 1_000_000, false),
        ] {
            assert_eq!(
                signed(&key, 7, 1_000_000_i64.wrapping_add(off)).check(now).is_ok(),
                fits,
                "{off}"
            );
        }
    }

    #[test]
    fn sessions_end_after_an_hour_and_are_few() {
        let mut agent = agent(&SigningKey::from_bytes(&[7; 32]));
        let at = |s: i64| Time::from_second(s).unwrap();
        assert_eq!(agent.admit("a", at(0)), at(3600));
        assert!(agent.has("a", at(3599)) && !agent.has("a", at(3600)) && !agent.has("b", at(0)));
        for name in ["b", "c", "d", "e"] {
            agent.admit(name, at(1));
        }
        assert!(!agent.has("a", at(2)) && agent.has("b", at(2)) && agent.sessions.len() == 4);
    }

    #[test]
    fn a_clock_that_was_set_back_keeps_no_session_for_years() {
        let mut agent = agent(&SigningKey::from_bytes(&[7; 32]));
        let at = |s: i64| Time::from_second(s).unwrap();
        agent.admit("a", at(1_000_000_000));
        assert!(agent.has("a", at(1_000_000_000)) && !agent.has("a", at(5)));
        agent.admit("b", at(5));
        assert!(agent.has("b", at(6)), "it comes again and is let in");
    }

    #[test]
    fn each_field_of_a_registration_is_looked_at() {
        let good = Register {
            hostname: "nas".into(),
            name: String::new(),
            fingerprint: "mid:1".into(),
            public_key: STANDARD.encode(SigningKey::from_bytes(&[7; 32]).verifying_key().to_bytes()),
            signed: None,
        };
        good.check().unwrap();
        let weak = STANDARD.encode([0; 32]);
        for (form, field) in [
            (
                Register {
                    hostname: "a/b".into(),
                    ..good.clone()
                },
                "hostname",
            ),
            (
                Register {
                    name: "x".repeat(129),
                    ..good.clone()
                },
                "name",
            ),
            (
                Register {
                    fingerprint: String::new(),
                    ..good.clone()
                },
                "fingerprint",
            ),
            (
                Register {
                    public_key: "!".into(),
                    ..good.clone()
                },
                "public_key",
            ),
            (
                Register {
                    public_key: "AAAA".into(),
                    ..good.clone()
                },
                "public_key",
            ),
            (
                Register {
                    public_key: weak,
                    ..good
                },
                "public_key",
            ),
        ] {
            let problem = form.check().unwrap_err();
            assert!(problem.detail.starts_with(field), "{problem:?}");
        }
    }
}
