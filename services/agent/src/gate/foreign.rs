//! The gate under a foreign server, which verifies nothing: both steps are the agent's own. A plan gets a code that is shown
//! only where a person at the machine reads; a start needs that code and the full serial of every drive, within the plan's
//! two minutes. One such plan stands at a time, and three wrong tries close it.

use std::collections::BTreeSet;
use std::time::Duration;

use wire::drive::Drive;
use wire::gate::is_by_wwn;
use wire::{DriveId, PlanId, Problem};

use super::{Granted, Ledger, State};

/// Wrong tries that close a plan: of 2⁴⁰ codes three guesses find none, and a person may mistype twice.
const TRIES: u8 = 3;

/// Digits of a code: Crockford's, without I, L, O and U.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The code of a plan.
#[derive(Debug)]
pub(super) struct Code {
    text: String,
    wrong: u8,
}

/// A code of eight digits from five random bytes.
pub fn code(random: [u8; 5]) -> String {
    let mut bits = random.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    let mut text = [0; 8];
    for digit in text.iter_mut().rev() {
        *digit = DIGITS[(bits & 31) as usize];
        bits >>= 5;
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// What was typed, as codes are written: upper case, no spaces or dashes, and the letters that Crockford reads as digits.
fn typed(text: &str) -> String {
    let kept = text.chars().filter(|c| !c.is_whitespace() && *c != '-').take(64);
    kept.map(|c| match c.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    })
    .collect()
}

impl Ledger {
    /// Gives a plan its code, and closes every other plan that had one.
    pub fn ask_for_code(&mut self, plan: PlanId, code: String) {
        for (id, standing) in &mut self.plans {
            if *id == plan {
                standing.code = Some(Code {
                    text: code.clone(),
                    wrong: 0,
                });
            } else if standing.code.is_some() && matches!(standing.state, State::Open) {
                standing.state = State::Closed("another plan was made after it".to_owned());
            }
        }
    }

    /// Grants a start, once: the code of the plan that stands, every drive's full serial (its world wide name where another drive
    /// tells that serial, too) and no other, in time, and nothing changed.
    ///
    /// # Errors
    /// Says which step does not hold, and what to do.
    pub fn start_by_code(
        &mut self,
        code: &str,
        serials: &[String],
        actor: &str,
        drives: &[Drive],
        busy: &BTreeSet<DriveId>,
        now: Duration,
    ) -> Result<Granted, Problem> {
        let newest = self.plans.values_mut().rev().find(|standing| standing.code.is_some());
        let standing = newest.ok_or_else(|| {
            Problem::new("plan-unknown", 404, "No plan waits for a code")
                .with("Ask for a plan first; its code is shown at the agent.")
        })?;
        standing.stands(now)?;
        let Some(asked) = &mut standing.code else {
            return Err(Problem::new("plan-unknown", 404, "No plan waits for a code"));
        };
        let given: BTreeSet<String> = serials.iter().map(|serial| serial.trim().to_uppercase()).collect();
        let planned: BTreeSet<String> = standing
            .plan
            .drives
            .iter()
            .map(|drive| match is_by_wwn(&drive.label, &drive.serial) {
                true => drive.label.to_uppercase(),
                false => drive.serial.trim().to_uppercase(),
            })
            .collect();
        let refused = match (
            typed(code) == asked.text,
            given == planned && serials.len() == standing.plan.drives.len(),
        ) {
            (true, true) => None,
            (false, _) => Some(Problem::new("code-wrong", 403, "This is not the code of the plan")),
            (true, false) => Some(Problem::new(
                "serial-wrong",
                403,
                "These are not the full serials of the plan's drives",
            )),
        };
        let Some(refused) = refused else {
            return standing.grant(drives, busy, actor.to_owned());
        };
        asked.wrong += 1;
        let left = TRIES.saturating_sub(asked.wrong);
        if left == 0 {
            standing.state = State::Closed("three wrong codes or serials were given".to_owned());
        }
        Err(refused.with(format!(
            "{left} tries are left. The code is shown on the agent's console and in its log."
        )))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn codes_have_eight_digits_and_are_read_as_people_type_them() {
        assert_eq!(code([0; 5]), "00000000");
        assert_eq!(code([0xff; 5]), "ZZZZZZZZ");
        assert_eq!(code([0, 0, 0, 0, 33]), "00000011");
        assert_eq!(typed(" 0oiL-abcd "), "0011ABCD");
    }
}
