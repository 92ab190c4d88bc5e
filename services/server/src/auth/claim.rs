//! The claim: who can read the box's console becomes its first user.
//!
//! ```text
//!  Open(code) ─ right code ─► Taking(code) ─ user stored ─► Closed
//!      ▲   ▲                       │
//!      │   └── storing failed ─────┘
//!      └── 20 wrong tries: new code
//! ```
//!
//! Pure: the time and the next code are passed in. Eight characters are 2^40 codes; with thirty tries a minute in all, a guess
//! succeeds once in thirty thousand years on average. From one address five are looked at: who types wrong codes there all the time keeps
//! nobody else out, and has the code replaced every four minutes; who has six addresses does keep others out.

use std::collections::VecDeque;
use std::time::Duration;

use subtle::ConstantTimeEq;

/// Crockford's base32: no I, L, O, U, so that a code can be read from a screen across the room.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Characters in a code.
pub const CODE_LEN: usize = 8;

/// Tries within [`WINDOW`] from one address.
pub const TRIES: usize = 5;

/// Tries within [`WINDOW`] from everybody together.
pub const TRIES_IN_ALL: usize = 30;

/// The time over which tries are counted.
pub const WINDOW: Duration = Duration::from_mins(1);

/// Wrong tries after which a code is replaced.
pub const TRIES_PER_CODE: u32 = 20;

/// A claim code: [`CODE_LEN`] characters of Crockford's base32.
#[derive(Clone, PartialEq, Eq)]
pub struct Code([u8; CODE_LEN]);

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Code(…)")
    }
}

impl Code {
    /// The code that these random bytes give: the low five bits of each.
    pub fn from_random(bytes: [u8; CODE_LEN]) -> Self {
        Self(bytes.map(|b| ALPHABET[usize::from(b & 31)]))
    }

    /// The code as it is shown.
    pub fn text(&self) -> String {
        self.0.iter().map(|&b| char::from(b)).collect()
    }

    /// Whether `typed` is this code. Case, blanks and hyphens are free, and I, L, O are read as 1, 1, 0. Takes the
    /// same time for every text of the right length.
    pub fn matches(&self, typed: &str) -> bool {
        let mut bytes = [0; CODE_LEN];
        let mut count = 0;
        for c in typed.chars().filter(|c| !c.is_whitespace() && *c != '-') {
            let c = match c.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            };
            if let (Some(slot), Ok(byte)) = (bytes.get_mut(count), u8::try_from(c)) {
                *slot = byte;
            }
            count += 1;
            if count > CODE_LEN {
                return false;
            }
        }
        count == CODE_LEN && bool::from(bytes.ct_eq(&self.0))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Open(Code),
    Taking(Code),
    Closed,
}

/// What came of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Try {
    /// The code is right; the claim is held for the caller until [`Claim::finish`].
    Right,
    /// It is not this code.
    Wrong,
    /// It is not this code, and the code has been replaced: look at the console again.
    WrongNewCode,
    /// Too many tries; the next is looked at after this time.
    Wait(Duration),
    /// Somebody else with the right code is being stored at this moment.
    Taken,
    /// The box is claimed.
    Closed,
}

/// The claim of one box.
#[derive(Clone, Debug)]
pub struct Claim {
    state: State,
    /// When the last tries were and from where, oldest first; at most [`TRIES_IN_ALL`].
    tries: VecDeque<(Duration, String)>,
    wrong: u32,
}

impl Claim {
    /// An unclaimed box with this code.
    pub fn open(code: Code) -> Self {
        Self {
            state: State::Open(code),
            tries: VecDeque::new(),
            wrong: 0,
        }
    }

    /// A box that has been claimed.
    pub fn closed() -> Self {
        Self {
            state: State::Closed,
            tries: VecDeque::new(),
            wrong: 0,
        }
    }

    /// Opens the claim of a claimed box again: somebody who stands before it has lost the password.
    pub fn reopen(&mut self, code: Code) {
        if self.is_closed() {
            *self = Self::open(code);
        }
    }

    /// Whether the box is claimed.
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// The code to show on the console.
    pub fn code(&self) -> Option<&Code> {
        match &self.state {
            State::Open(code) | State::Taking(code) => Some(code),
            State::Closed => None,
        }
    }

    /// Looks at what somebody typed at `from`. `fresh` is the code that takes over after too many wrong ones.
    pub fn attempt(&mut self, now: Duration, from: &str, typed: &str, fresh: Code) -> Try {
        let code = match &self.state {
            State::Closed => return Try::Closed,
            State::Taking(_) => return Try::Taken,
            State::Open(code) => code.clone(),
        };
        self.tries.retain(|(at, _)| now.saturating_sub(*at) < WINDOW);
        let own = self.tries.iter().filter(|(_, whose)| whose == from);
        let waits = match own.clone().count() >= TRIES {
            true => own.map(|(at, _)| *at).next(),
            false => self
                .tries
                .front()
                .map(|(at, _)| *at)
                .filter(|_| self.tries.len() >= TRIES_IN_ALL),
        };
        if let Some(oldest) = waits {
            return Try::Wait((oldest + WINDOW).saturating_sub(now));
        }
        self.tries.push_back((now, from.to_owned()));
        if code.matches(typed) {
            self.state = State::Taking(code);
            return Try::Right;
        }
        self.wrong += 1;
        if self.wrong < TRIES_PER_CODE {
            return Try::Wrong;
        }
        self.wrong = 0;
        self.state = State::Open(fresh);
        Try::WrongNewCode
    }

    /// Ends what [`Try::Right`] began: closed for ever when the user is stored, else open again with the same code.
    pub fn finish(&mut self, stored: bool) {
        if let State::Taking(code) = &self.state {
            self.state = if stored {
                State::Closed
            } else {
                State::Open(code.clone())
            };
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    fn code(n: u8) -> Code {
        Code::from_random([n; CODE_LEN])
    }

    fn at(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    #[test]
    fn people_type_codes_in_their_own_way() {
        let code = Code(*b"01AB9XYZ");
        for typed in ["01AB9XYZ", "01ab-9xyz", " oiAB 9xyz ", "OLAB9XYZ"] {
            assert!(code.matches(typed), "{typed}");
        }
        for typed in ["", "01AB9XY", "01AB9XYZZ", "01AB9XYY", "Ü1AB9XYZ"] {
            assert!(!code.matches(typed), "{typed}");
        }
    }

    #[test]
    fn the_sixth_try_in_a_minute_waits_even_with_the_right_code() {
        let mut claim = Claim::open(code(1));
        for s in 0..5 {
            assert_eq!(claim.attempt(at(s), "a", "00000000", code(2)), Try::Wrong);
        }
        assert_eq!(claim.attempt(at(5), "a", &code(1).text(), code(2)), Try::Wait(at(55)));
        assert_eq!(claim.attempt(at(60), "a", &code(1).text(), code(2)), Try::Right);
    }

    #[test]
    fn who_types_wrong_codes_keeps_nobody_else_out() {
        let mut claim = Claim::open(code(1));
        for n in 0..10 {
            let came = claim.attempt(at(0), "a", "00000000", code(2));
            assert_eq!(came == Try::Wait(WINDOW), n >= 5, "{n}: {came:?}");
        }
        assert_eq!(claim.attempt(at(1), "b", &code(1).text(), code(2)), Try::Right);
        claim.finish(false);
        // Many of them together get no more looks than that.
        let looked = (0..100).filter(|n| {
            let came = claim.attempt(at(2), &format!("c{n}"), "00000000", code(1));
            !matches!(came, Try::Wait(_))
        });
        assert_eq!(looked.count(), TRIES_IN_ALL - 6);
    }

    #[test]
    fn twenty_wrong_tries_make_a_new_code() {
        let mut claim = Claim::open(code(1));
        for n in 0..20_u64 {
            let want = if n == 19 { Try::WrongNewCode } else { Try::Wrong };
            assert_eq!(claim.attempt(at(n * 60), "a", "ZZZZZZZZ", code(2)), want);
        }
        assert_eq!(claim.code(), Some(&code(2)));
        assert_eq!(claim.attempt(at(2000), "a", &code(1).text(), code(3)), Try::Wrong);
        assert_eq!(claim.attempt(at(2001), "a", &code(2).text(), code(3)), Try::Right);
    }

    #[test]
    fn only_one_of_two_with_the_right_code_gets_it() {
        let mut claim = Claim::open(code(1));
        let right = code(1).text();
        assert_eq!(claim.attempt(at(0), "a", &right, code(2)), Try::Right);
        assert_eq!(claim.attempt(at(0), "a", &right, code(2)), Try::Taken);
        claim.finish(true);
        assert_eq!(claim.attempt(at(1), "a", &right, code(2)), Try::Closed);
        claim.finish(false);
        assert!(claim.is_closed(), "closed for ever");
    }

    #[test]
    fn a_user_that_could_not_be_stored_leaves_the_box_unclaimed() {
        let mut claim = Claim::open(code(1));
        assert_eq!(claim.attempt(at(0), "a", &code(1).text(), code(2)), Try::Right);
        claim.finish(false);
        assert_eq!(claim.attempt(at(1), "a", &code(1).text(), code(2)), Try::Right);
    }

    proptest! {
        #[test]
        fn never_more_than_five_looks_in_any_minute(gaps in proptest::collection::vec(0u64..30, 1..120)) {
            let mut claim = Claim::open(code(1));
            let mut now = 0;
            let mut looked = Vec::new();
            for gap in gaps {
                now += gap;
                match claim.attempt(at(now), "a", "ZZZZZZZZ", code(2)) {
                    Try::Wait(wait) => prop_assert!(wait > Duration::ZERO && wait <= WINDOW),
                    _ => looked.push(now),
                }
            }
            for window in looked.windows(TRIES + 1) {
                prop_assert!(window[TRIES] - window[0] >= WINDOW.as_secs());
            }
        }

        #[test]
        fn matching_never_panics(typed in ".{0,40}") {
            prop_assert_eq!(code(3).matches(&typed), typed.to_uppercase().replace(['-', ' '], "") == code(3).text());
        }
    }
}
