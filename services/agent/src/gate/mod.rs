//! The agent's half of the two-step gate: which plans stand, and whether a signed ticket may start one.
//!
//! Pure: snapshots of the drives, the monotonic clock and random bytes come in as arguments; nothing here opens a
//! device. A plan lives in memory only, so a restarted agent knows none.
//!
//! ```text
//!           plan                    start, every check passed
//!  (none) ───────► Open ───────────────────────────────────► Used
//!                   │  120 s of the agent's own clock ─────► Expired
//!                   └─ a named drive changes or goes away ──► Void
//! ```
//!
//! A drive whose periodic look is late keeps its plan: what is not known yet is not a change. Whoever starts looks
//! again at each drive on the descriptor that will be written, and compares [`Granted::plan`]'s digest, the kernel's count of
//! media and what stands at some places with what it finds ([`fresh_matches`], [`same_media`], [`not_written_since`]). Each
//! forged step is tested below; with a real agent process in `tests/gate.rs`.
mod drives;
mod foreign;
mod options;
#[cfg(test)]
mod tests;
mod ticket;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use burnin::{Fingerprint, Playbook};
use drive::content::{ContentKind, Member};
use ed25519_dalek::VerifyingKey;
use wire::drive::Drive;
use wire::gate::{Armed, PLAN_DRIVES_MAX, PLAN_SECONDS, Plan, PlanDrive, Told, digest, labels};
use wire::options::PlanOptions;
use wire::{DriveId, PlanId, Problem, Time};

use drives::{came_anew, changed, changed_problem, given_up, offered, plan_drive};
pub use drives::{fresh_matches, has_twin, may_carry_a_burn_in, may_read, not_written_since, same_media};
pub use foreign::code;
use ticket::verify;

/// Plans remembered, also ended ones, so that a late start is told why it is refused. The oldest is forgotten first.
const PLANS_MAX: usize = 64;
/// All plans that the agent has made since it started.
#[derive(Debug, Default)]
pub struct Ledger {
    plans: BTreeMap<PlanId, Standing>,
}

#[derive(Debug)]
struct Standing {
    plan: Plan,
    /// Since when each of its drives was there when it was made.
    since: Vec<Time>,
    seen: Seen,
    book: Playbook,
    lose: Lose,
    until: Duration,
    state: State,
    /// The code that starts it on a foreign server; `None` for a plan of our own server's.
    code: Option<foreign::Code>,
}

#[derive(Debug)]
enum State {
    Open,
    Used,
    Void(String),
    /// Closed, for another reason than a drive's change.
    Closed(String),
}

/// For each drive the kinds of membership that are given up with it.
pub type Lose = BTreeMap<DriveId, Vec<ContentKind>>;

/// What stands on each drive that belongs to something larger, as it was seen just now.
pub type Members = BTreeMap<DriveId, Vec<Member>>;

/// The kernel's count of each drive's medium (`diskseq`), which stood already before what stands on it was looked at.
pub type Media = BTreeMap<DriveId, u64>;

/// What stood at some places over each drive, of those that told it in time.
pub type Fingerprints = BTreeMap<DriveId, Fingerprint>;

/// By its own word, why a drive could not be read at one of these places.
pub type Unread = BTreeMap<DriveId, String>;

/// What a plan rests on beside the list of drives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// How the kernel counted the media.
    pub media: Media,
    /// What stood on them, signature or not.
    pub fingerprints: Fingerprints,
    /// What could not be read at that.
    pub unread: Unread,
}

/// Who the agent obeys: what its server said in `hello`, against what was pinned.
#[derive(Clone, Debug)]
pub struct Trust {
    /// The pinned public half of the server's gate key.
    pub key: VerifyingKey,
    /// Id of the box, as pinned.
    pub box_id: String,
    /// Whether the box is claimed.
    pub claimed: bool,
}

/// A start that passed every check; its plan cannot be started again.
#[derive(Clone, Debug, PartialEq)]
pub struct Granted {
    /// The plan.
    pub plan: Plan,
    /// The playbook as it was planned, also when its file was changed since.
    pub book: Playbook,
    /// What is given up, for the guard.
    pub lose: Lose,
    /// The media that were planned, and what stood on them.
    pub seen: Seen,
    /// Who armed it.
    pub actor: String,
}

/// What a plan is asked for.
#[derive(Debug)]
pub struct Ask<'a> {
    /// Drives, in the order in which they are to be shown.
    pub drives: &'a [DriveId],
    /// The playbook, with the hours that were chosen.
    pub book: &'a Playbook,
    /// What was chosen beside it.
    pub options: &'a PlanOptions,
    /// What the fresh looks found of memberships.
    pub members: &'a Members,
    /// What is compared with them at the start.
    pub seen: &'a Seen,
}

/// What is random or depends on the clock.
#[derive(Debug)]
pub struct Moment {
    /// The agent's monotonic clock.
    pub now: Duration,
    /// Wall clock, for people only.
    pub wall: Time,
    /// Id for a new plan.
    pub id: PlanId,
    /// Nonce for a new plan.
    pub nonce: [u8; 32],
}

impl Ledger {
    /// Makes a plan: what erasing these drives loses, good for one start within two minutes.
    ///
    /// # Errors
    /// Names the drive that is unknown, refused, busy or not looked at yet, and what to do.
    pub fn plan(
        &mut self,
        ask: &Ask<'_>,
        drives: &[Drive],
        busy: &BTreeSet<DriveId>,
        moment: Moment,
    ) -> Result<Plan, Problem> {
        if ask.drives.is_empty() {
            return Err(Problem::new("plan-empty", 422, "A plan names at least one drive"));
        }
        if ask.drives.len() > PLAN_DRIVES_MAX {
            let title = format!("A plan names at most {PLAN_DRIVES_MAX} drives");
            return Err(Problem::new("plan-too-large", 422, title).with("Plan them in several parts."));
        }
        options::check(ask)?;
        let mut seen = BTreeSet::new();
        let mut named = Vec::with_capacity(ask.drives.len());
        for id in ask.drives {
            if !seen.insert(id) {
                return Err(Problem::new("drive-twice", 422, "A plan names each drive once").with(id.to_string()));
            }
            named.push(offered(id, drives, busy, &ask.options.give_up)?);
        }
        options::fits(ask, &named)?;
        let tells = |drive: &&'_ Drive| drive.present && !drive.id.as_ref().is_some_and(|id| seen.contains(id));
        let known: Vec<Told<'_>> = drives.iter().filter(tells).map(told_by).collect();
        let chosen: Vec<Told<'_>> = named.iter().map(|drive| told_by(drive)).collect();
        let labels = labels(&chosen, &known);
        let unnamed = labels.iter().position(Option::is_none);
        if let Some((id, alike)) = unnamed.and_then(|at| Some((ask.drives.get(at)?, named.get(at)?))) {
            // What is empty is no serial number that two of them tell.
            if alike.serial.trim().is_empty() {
                let title = "A drive without a serial number cannot be confirmed";
                let why = "tells no serial number to type, and no world wide name that is its alone.";
                return Err(Problem::new("drive-refused", 409, title).with(format!("{id} {why}")));
            }
            let problem = Problem::new("serial-twice", 409, "Two drives tell the same serial number");
            return Err(problem.with(format!(
                "Nothing that is typed tells {} {} from the other: unplug that.",
                alike.model, alike.serial
            )));
        }
        let labels = labels.into_iter().flatten();
        let since = named.iter().map(|drive| drive.since).collect();
        let drives: Vec<PlanDrive> = named
            .iter()
            .zip(ask.drives)
            .zip(labels)
            .map(|((drive, id), label)| plan_drive(id, drive, given_up(id, ask.options, ask.members), label))
            .collect();
        let steps = ask.book.steps_text();
        let plan = Plan {
            id: moment.id,
            playbook: ask.book.name.clone(),
            options: ask.options.clone(),
            digest: digest((&ask.book.name, &steps), ask.options, &drives),
            steps,
            drives,
            nonce: hex::encode(moment.nonce),
            seconds: PLAN_SECONDS,
            made: moment.wall,
        };
        while self.plans.len() >= PLANS_MAX {
            self.plans.pop_first();
        }
        let until = moment.now + Duration::from_secs(PLAN_SECONDS);
        self.plans.insert(
            plan.id,
            Standing {
                plan: plan.clone(),
                since,
                seen: ask.seen.clone(),
                book: ask.book.clone(),
                lose: options::lose(ask),
                until,
                state: State::Open,
                code: None,
            },
        );
        Ok(plan)
    }

    /// Voids every open plan that names a drive which is gone, exchanged or holds something else now.
    pub fn drives_changed(&mut self, drives: &[Drive]) {
        for standing in self
            .plans
            .values_mut()
            .filter(|standing| matches!(standing.state, State::Open))
        {
            if let Some(why) = standing.differs(drives) {
                standing.state = State::Void(why);
            }
        }
    }

    /// Grants a start, once: signature over the very bytes, plan open and in time, nothing changed.
    ///
    /// # Errors
    /// Says which step does not hold, and what to do.
    pub fn start(
        &mut self,
        armed: &Armed,
        trust: Option<&Trust>,
        drives: &[Drive],
        busy: &BTreeSet<DriveId>,
        now: Duration,
    ) -> Result<Granted, Problem> {
        let trust = trust.ok_or_else(|| {
            Problem::new("no-gate-key", 409, "The agent knows no gate key yet")
                .with("It comes with the server's hello; try again in a moment.")
        })?;
        if !trust.claimed {
            return Err(
                Problem::new("not-claimed", 409, "Nothing is erased before the box is claimed")
                    .with("Claim it with the code on its console."),
            );
        }
        let ticket = verify(armed, &trust.key)?;
        if ticket.box_id != trust.box_id {
            return Err(Problem::new("ticket-forged", 403, "The ticket was armed on another box").with(ticket.box_id));
        }
        let standing = self.plans.get_mut(&ticket.plan).ok_or_else(|| {
            Problem::new("plan-unknown", 404, "The agent knows no such plan")
                .with("It was made before the agent restarted, or is long over. Make a new plan.")
        })?;
        standing.stands(now)?;
        let plan = &standing.plan;
        let same_drives = plan.drives.iter().map(|drive| &drive.id).eq(&ticket.drives);
        if ticket.nonce != plan.nonce || ticket.digest != plan.digest || !same_drives {
            return Err(
                Problem::new("ticket-forged", 403, "The ticket does not belong to this plan")
                    .with("Its nonce, digest or drives are those of another plan. Make a new plan."),
            );
        }
        standing.grant(drives, busy, ticket.actor)
    }
}

fn told_by(drive: &Drive) -> Told<'_> {
    Told {
        serial: &drive.serial,
        wwn: drive.wwn.as_deref(),
    }
}

impl Standing {
    /// Whether it can be started still.
    fn stands(&self, now: Duration) -> Result<(), Problem> {
        match &self.state {
            State::Open => {}
            State::Used => {
                return Err(Problem::new("ticket-used", 409, "This plan was started already").with("Make a new plan."));
            }
            State::Void(why) => return Err(changed_problem(why.clone())),
            State::Closed(why) => {
                let problem = Problem::new("plan-closed", 410, "The plan is closed");
                return Err(problem.with(format!("It was closed because {why}. Make a new plan.")));
            }
        }
        if now >= self.until {
            let title = format!("The plan is older than {PLAN_SECONDS} seconds");
            return Err(Problem::new("plan-expired", 410, title).with("Make a new plan and confirm it in time."));
        }
        Ok(())
    }

    /// What is different of its drives from what was planned.
    fn differs(&self, drives: &[Drive]) -> Option<String> {
        let mut planned = self.plan.drives.iter().zip(&self.since);
        planned.find_map(|(planned, since)| changed(planned, drives).or_else(|| came_anew(planned, *since, drives)))
    }

    /// The last looks before a start, and its only grant.
    fn grant(&mut self, drives: &[Drive], busy: &BTreeSet<DriveId>, actor: String) -> Result<Granted, Problem> {
        if let Some(why) = self.differs(drives) {
            self.state = State::Void(why.clone());
            return Err(changed_problem(why));
        }
        for planned in &self.plan.drives {
            offered(&planned.id, drives, busy, &self.plan.options.give_up)?;
        }
        self.state = State::Used;
        Ok(Granted {
            plan: self.plan.clone(),
            book: self.book.clone(),
            lose: self.lose.clone(),
            seen: self.seen.clone(),
            actor,
        })
    }
}
