//! The server's half of the gate: from the plan that the agent made to the ticket that a person armed.
//!
//! ```text
//!  keep(plan) ─► Shown ─ typed labels, password ─► Armed(ticket) ─ start, once ─► Started
//!                  │                                   │
//!                  └───────────── 120 s ───────────────┴─► forgotten
//! ```
//!
//! A ticket that comes again, as that of a client which lost the answer does, is told what its one start came to.
//!
//! Pure: time is passed in; the password is checked by the shell between [`Gate::check`] and [`Gate::arm`]. Plans are
//! in memory only: a restart of the server voids them all, and the person starts over with a fresh one. The agent
//! checks everything again that can be checked there (signature, nonce, digest over fresh identities): this half
//! alone never erases anything, and that half alone never starts.

use std::collections::BTreeMap;
use std::time::Duration;

use ed25519_dalek::{Signer, SigningKey};
use wire::gate::{Armed, PLAN_SECONDS, Plan, SIGNED_PREFIX, Ticket, Typed, is_by_wwn, typed_matches};
use wire::{JobId, PlanId, Problem};

use crate::clock::Now;

/// Plans kept at once; a page asks for a new one whenever its selection changes.
const PLANS_MAX: usize = 256;

#[derive(Clone, Debug)]
enum Step {
    Shown,
    Armed(Armed),
    Started {
        armed: Armed,
        /// The jobs, or why there are none; `None` while that is not known.
        outcome: Option<Outcome>,
    },
}

/// What a start came to.
pub type Outcome = Result<Vec<JobId>, Problem>;

/// What a ticket's start leads to.
#[derive(Clone, Debug, PartialEq)]
pub enum Start {
    /// To be started, this once.
    Now(Box<Plan>),
    /// It was before, and these jobs came of it.
    Before(Vec<JobId>),
}

#[derive(Clone, Debug)]
struct Kept {
    plan: Plan,
    /// Who asked for it, who alone may arm and start it.
    actor: String,
    since: Duration,
    step: Step,
}

/// The plans that are open, and the key that signs.
#[derive(Debug)]
pub struct Gate {
    key: SigningKey,
    box_id: String,
    plans: BTreeMap<PlanId, Kept>,
}

fn unknown(id: PlanId) -> Problem {
    Problem::new("plan-unknown", 404, "This plan is not open").with(format!(
        "plan {id}: the server was restarted since, or it is long over; if it was started, the bench shows that; else ask for a \
         fresh plan"
    ))
}

impl Gate {
    /// A gate that signs with `key` for the box `box_id`.
    pub fn new(key: SigningKey, box_id: String) -> Self {
        Self {
            key,
            box_id,
            plans: BTreeMap::new(),
        }
    }

    /// The public half of the key, as 64 hexadecimal digits.
    pub fn public_key(&self) -> String {
        hex::encode(self.key.verifying_key().to_bytes())
    }

    /// The box's id.
    pub fn box_id(&self) -> &str {
        &self.box_id
    }

    /// Keeps a plan that the agent made for `actor`.
    pub fn keep(&mut self, now: Now, plan: Plan, actor: &str) {
        // Past their time they are kept as long again, so that "too late" is told rather than "unknown".
        self.plans
            .retain(|_, kept| now.mono.saturating_sub(kept.since).as_secs() < 2 * PLAN_SECONDS);
        if self.plans.len() >= PLANS_MAX {
            let oldest = self.plans.iter().min_by_key(|(_, kept)| kept.since).map(|(id, _)| *id);
            if let Some(oldest) = oldest {
                self.plans.remove(&oldest);
            }
        }
        let kept = Kept {
            actor: actor.to_owned(),
            since: now.mono,
            step: Step::Shown,
            plan,
        };
        self.plans.insert(kept.plan.id, kept);
    }

    fn known(&mut self, id: PlanId, actor: &str) -> Result<&mut Kept, Problem> {
        let kept = self.plans.get_mut(&id).filter(|kept| kept.actor == actor);
        kept.ok_or_else(|| unknown(id))
    }

    /// Whether `actor` may arm the plan and has typed what names each of its drives.
    ///
    /// # Errors
    /// `plan-unknown`, `plan-expired`, `ticket-used`, `label-wrong` (names the drive).
    pub fn check(&mut self, now: Now, id: PlanId, actor: &str, typed: &Typed) -> Result<(), Problem> {
        let kept = self.known(id, actor)?;
        match kept.step {
            Step::Shown | Step::Armed(_) => kept.in_time(now)?,
            Step::Started { .. } => return Err(used()),
        }
        if kept.plan.drives.is_empty() {
            return Err(Problem::new("plan-empty", 422, "This plan names no drive"));
        }
        for drive in &kept.plan.drives {
            let what = typed.get(&drive.id).map_or("", String::as_str);
            if !typed_matches(&drive.label, &drive.serial, what) {
                return Err(
                    Problem::new("label-wrong", 422, "What was typed does not name the drive").with(format!(
                        "{} {}: type {} as on its label",
                        drive.model,
                        drive.serial,
                        if drive.serial.trim().is_empty() {
                            "its world wide name (it tells no serial number)"
                        } else if is_by_wwn(&drive.label, &drive.serial) {
                            "its world wide name (another drive tells the same serial number)"
                        } else if drive.label.chars().count() == 4 {
                            "the last four characters of its serial number"
                        } else {
                            "all characters of its serial number"
                        }
                    )),
                );
            }
            // The labels are the agent's; that none names two drives is not left to it.
            let mut others = kept.plan.drives.iter().filter(|other| other.id != drive.id);
            if let Some(other) = others.find(|other| typed_matches(&other.label, &other.serial, what)) {
                let problem = Problem::new("label-wrong", 422, "What was typed names two drives of the plan");
                return Err(problem.with(format!(
                    "{} {} and {} {}: type all characters of each serial number, or plan them one at a time",
                    drive.model, drive.serial, other.model, other.serial
                )));
            }
        }
        match typed
            .keys()
            .find(|id| !kept.plan.drives.iter().any(|drive| drive.id == **id))
        {
            Some(other) => Err(
                Problem::new("label-wrong", 422, "A drive was confirmed that the plan does not name")
                    .with(format!("{other} is not in this plan; ask for a fresh one")),
            ),
            None => Ok(()),
        }
    }

    /// Signs the ticket. To be called only after [`Gate::check`] and the password; checks time and labels once more,
    /// because the password took a while.
    ///
    /// # Errors
    /// As [`Gate::check`].
    pub fn arm(&mut self, now: Now, id: PlanId, actor: &str, typed: &Typed) -> Result<Armed, Problem> {
        self.check(now, id, actor, typed)?;
        let (key, box_id) = (self.key.clone(), self.box_id.clone());
        let kept = self.known(id, actor)?;
        let ticket = Ticket {
            plan: kept.plan.id,
            digest: kept.plan.digest.clone(),
            nonce: kept.plan.nonce.clone(),
            drives: kept.plan.drives.iter().map(|drive| drive.id.clone()).collect(),
            actor: actor.to_owned(),
            box_id,
            at: now.wall,
        };
        let text = serde_json::to_string(&ticket).map_err(|error| {
            Problem::new("internal", 500, "The ticket could not be written").with(error.to_string())
        })?;
        let signature = key.sign(&[SIGNED_PREFIX, text.as_bytes()].concat());
        let armed = Armed {
            ticket: text,
            signature: hex::encode(signature.to_bytes()),
        };
        kept.step = Step::Armed(armed.clone());
        Ok(armed)
    }

    /// Takes the armed plan to be started, once. The ticket must be, byte for byte, the one that was signed for this
    /// very plan last. The one that was started gets what came of that, also when the two minutes are over.
    ///
    /// # Errors
    /// `plan-unknown`, `plan-expired`, `not-armed`, `ticket-used`, `ticket-wrong`; or why its start was refused.
    pub fn start(&mut self, now: Now, id: PlanId, actor: &str, given: &Armed) -> Result<Start, Problem> {
        let kept = self.known(id, actor)?;
        match &kept.step {
            Step::Started { armed, outcome } if armed == given => again(outcome.as_ref()).map(Start::Before),
            Step::Started { .. } => Err(used()),
            Step::Shown => {
                kept.in_time(now)?;
                Err(Problem::new("not-armed", 409, "This plan has not been armed")
                    .with("give the password and type the labels first"))
            }
            Step::Armed(armed) => {
                kept.in_time(now)?;
                if armed != given {
                    return Err(Problem::new("ticket-wrong", 403, "This is not the ticket of this plan")
                        .with("its text or its signature is another; nothing was erased"));
                }
                kept.step = Step::Started {
                    armed: armed.clone(),
                    outcome: None,
                };
                Ok(Start::Now(Box::new(kept.plan.clone())))
            }
        }
    }

    /// Keeps what the start of a plan came to, for as long as the plan is known.
    pub fn came_to(&mut self, id: PlanId, came: Outcome) {
        if let Some(Step::Started { outcome, .. }) = self.plans.get_mut(&id).map(|kept| &mut kept.step) {
            *outcome = Some(came);
        }
    }
}

impl Kept {
    fn in_time(&self, now: Now) -> Result<(), Problem> {
        let age = now.mono.saturating_sub(self.since).as_secs();
        if age >= PLAN_SECONDS.min(self.plan.seconds) {
            return Err(
                Problem::new("plan-expired", 410, "The two minutes of this plan are over")
                    .with("nothing was erased; ask for a fresh plan"),
            );
        }
        Ok(())
    }
}

/// What a ticket is told that was started before.
fn again(outcome: Option<&Outcome>) -> Outcome {
    match outcome {
        None => Err(Problem::new("ticket-used", 409, "This plan was started before")
            .with("what came of it is not known yet; look at the bench before trying again")),
        Some(Ok(jobs)) => Ok(jobs.clone()),
        Some(Err(problem)) => {
            // Its words may say to try again, which was meant for a fresh ticket.
            let said = problem.detail.trim_end_matches('.');
            let gap = if said.is_empty() { "" } else { ". " };
            let refused = "A ticket is good for one start, also for one that was refused: choose the drives again";
            Err(problem.clone().with(format!("{said}{gap}{refused}")))
        }
    }
}

fn used() -> Problem {
    Problem::new("ticket-used", 409, "This plan has been used already")
        .with("it is good for one start; look at the bench for what came of that before choosing the drives again")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::cast_possible_wrap, reason = "tests")]
    use ed25519_dalek::{Signature, Verifier};
    use proptest::prelude::*;
    use wire::gate::{PlanDrive, Told, digest, labels};
    use wire::options::PlanOptions;
    use wire::{Bytes, DriveId, Time, drive::Content};

    use super::*;

    fn now(seconds: u64) -> Now {
        Now {
            mono: Duration::from_secs(seconds),
            wall: Time::from_second(1_800_000_000 + seconds as i64).unwrap(),
        }
    }

    fn plan(serials: &[&str]) -> Plan {
        let told: Vec<Told<'_>> = serials.iter().map(|serial| Told { serial, wwn: None }).collect();
        let labels = labels(&told, &[]).into_iter().map(Option::unwrap);
        let drives: Vec<PlanDrive> = serials
            .iter()
            .zip(labels)
            .map(|(serial, label)| PlanDrive {
                id: DriveId::from_serial("M", serial, 1).unwrap(),
                model: "M".into(),
                serial: (*serial).into(),
                capacity: Bytes(1),
                sector: 512,
                content: Content::Empty,
                given_up: Vec::new(),
                label,
            })
            .collect();
        Plan {
            id: PlanId::now(),
            playbook: "surface".into(),
            steps: "[]".into(),
            options: PlanOptions::default(),
            digest: digest(("surface", "[]"), &PlanOptions::default(), &drives),
            drives,
            nonce: "ab".repeat(32),
            seconds: PLAN_SECONDS,
            made: Time::UNIX_EPOCH,
        }
    }

    fn typed(plan: &Plan) -> Typed {
        plan.drives
            .iter()
            .map(|drive| (drive.id.clone(), drive.label.clone()))
            .collect()
    }

    fn gate() -> Gate {
        Gate::new(SigningKey::from_bytes(&[7; 32]), "box".into())
    }

    #[test]
    fn what_was_armed_is_signed_and_starts_once() {
        let (mut gate, plan) = (gate(), plan(&["WD-1234", "ST-9F2K"]));
        gate.keep(now(0), plan.clone(), "ada");
        let armed = gate.arm(now(1), plan.id, "ada", &typed(&plan)).unwrap();
        let key = SigningKey::from_bytes(&[7; 32]).verifying_key();
        let signature = Signature::from_slice(&hex::decode(&armed.signature).unwrap()).unwrap();
        key.verify(&[SIGNED_PREFIX, armed.ticket.as_bytes()].concat(), &signature)
            .unwrap();
        let ticket: Ticket = serde_json::from_str(&armed.ticket).unwrap();
        assert_eq!(
            (ticket.digest, ticket.nonce, ticket.actor.as_str()),
            (plan.digest.clone(), plan.nonce.clone(), "ada")
        );
        assert_eq!(
            gate.start(now(2), plan.id, "ada", &armed).unwrap(),
            Start::Now(Box::new(plan.clone()))
        );
        assert_eq!(
            gate.arm(now(3), plan.id, "ada", &typed(&plan)).unwrap_err().kind,
            "ticket-used"
        );
    }

    #[test]
    fn a_ticket_that_comes_again_is_told_what_its_start_came_to() {
        let started = |seconds: u64| {
            let (mut gate, plan) = (gate(), plan(&["WD-1234"]));
            gate.keep(now(0), plan.clone(), "ada");
            let armed = gate.arm(now(1), plan.id, "ada", &typed(&plan)).unwrap();
            gate.start(now(seconds), plan.id, "ada", &armed).unwrap();
            (gate, plan, armed)
        };
        let (mut gate, plan, armed) = started(2);
        let on_its_way = gate.start(now(3), plan.id, "ada", &armed).unwrap_err();
        assert_eq!((on_its_way.kind.as_str(), on_its_way.status), ("ticket-used", 409));
        assert!(
            on_its_way.detail.contains("look at the bench") && !on_its_way.detail.contains("choose"),
            "{on_its_way}"
        );
        let jobs = vec![JobId::now()];
        gate.came_to(plan.id, Ok(jobs.clone()));
        // The plan's two minutes are over, and still nothing is said of a fresh one.
        for seconds in [3, 200] {
            let again = gate.start(now(seconds), plan.id, "ada", &armed);
            assert_eq!(again, Ok(Start::Before(jobs.clone())));
        }
        let other = Armed {
            signature: "00".repeat(64),
            ..armed.clone()
        };
        for (actor, ticket, kind) in [("eve", &armed, "plan-unknown"), ("ada", &other, "ticket-used")] {
            assert_eq!(gate.start(now(4), plan.id, actor, ticket).unwrap_err().kind, kind);
        }
        let problem = gate.arm(now(200), plan.id, "ada", &typed(&plan)).unwrap_err();
        assert!(
            problem.kind == "ticket-used" && problem.detail.contains("bench"),
            "{problem}"
        );

        let (mut gate, plan, armed) = started(119);
        let refused = Problem::new("drive-busy", 409, "The drive is busy").with("Wait for its test.");
        gate.came_to(plan.id, Err(refused));
        let again = gate.start(now(121), plan.id, "ada", &armed).unwrap_err();
        assert_eq!((again.kind.as_str(), again.status), ("drive-busy", 409));
        assert!(
            again.detail.starts_with("Wait for its test. ") && again.detail.contains("choose the drives again"),
            "{again}"
        );
    }

    #[test]
    fn each_forged_step_is_refused_by_name() {
        let (mut gate, plan_a, plan_b) = (gate(), plan(&["WD-1234"]), plan(&["WD-1234"]));
        gate.keep(now(0), plan_a.clone(), "ada");
        gate.keep(now(0), plan_b.clone(), "ada");
        let kind = |problem: Result<Start, Problem>| problem.unwrap_err().kind;

        let none = Armed {
            ticket: String::new(),
            signature: String::new(),
        };
        assert_eq!(kind(gate.start(now(1), plan_a.id, "ada", &none)), "not-armed");
        let armed = gate.arm(now(1), plan_a.id, "ada", &typed(&plan_a)).unwrap();
        let armed_b = gate.arm(now(1), plan_b.id, "ada", &typed(&plan_b)).unwrap();
        assert_eq!(
            kind(gate.start(now(1), plan_a.id, "ada", &armed_b)),
            "ticket-wrong",
            "another plan's ticket"
        );
        let text = Armed {
            ticket: armed.ticket.replace("ada", "eve"),
            ..armed.clone()
        };
        assert_eq!(kind(gate.start(now(1), plan_a.id, "ada", &text)), "ticket-wrong");
        let signature = Armed {
            signature: "00".repeat(64),
            ..armed.clone()
        };
        assert_eq!(kind(gate.start(now(1), plan_a.id, "ada", &signature)), "ticket-wrong");
        assert_eq!(
            kind(gate.start(now(1), plan_a.id, "eve", &armed)),
            "plan-unknown",
            "another person"
        );
        assert_eq!(kind(gate.start(now(1), PlanId::now(), "ada", &armed)), "plan-unknown");
        assert_eq!(kind(gate.start(now(120), plan_a.id, "ada", &armed)), "plan-expired");
        let mut restarted = self::gate();
        assert_eq!(
            kind(restarted.start(now(1), plan_a.id, "ada", &armed)),
            "plan-unknown",
            "restarted in between"
        );
    }

    #[test]
    fn labels_must_name_every_drive_and_no_other() {
        let (mut gate, plan) = (gate(), plan(&["WD-1234", "ST-9F2K"]));
        gate.keep(now(0), plan.clone(), "ada");
        let mut missing = typed(&plan);
        missing.remove(&plan.drives[1].id);
        let problem = gate.check(now(1), plan.id, "ada", &missing).unwrap_err();
        assert!(
            problem.kind == "label-wrong" && problem.detail.contains("ST-9F2K"),
            "{problem:?}"
        );
        let swapped = Typed::from([
            (plan.drives[0].id.clone(), plan.drives[1].label.clone()),
            (plan.drives[1].id.clone(), plan.drives[0].label.clone()),
        ]);
        assert_eq!(
            gate.check(now(1), plan.id, "ada", &swapped).unwrap_err().kind,
            "label-wrong"
        );
        let mut more = typed(&plan);
        more.insert(DriveId::from_serial("M", "ZZ-0000", 1).unwrap(), "0000".into());
        assert_eq!(
            gate.check(now(1), plan.id, "ada", &more).unwrap_err().kind,
            "label-wrong"
        );
    }

    #[test]
    fn a_text_that_names_two_drives_confirms_neither() {
        let (mut gate, mut plan) = (gate(), plan(&["ABCD", "XYZABCD"]));
        // An agent that took the last four of both.
        plan.drives[1].label = "ABCD".into();
        gate.keep(now(0), plan.clone(), "ada");
        let problem = gate.check(now(1), plan.id, "ada", &typed(&plan)).unwrap_err();
        assert!(
            problem.kind == "label-wrong" && problem.detail.contains("M ABCD and M XYZABCD"),
            "{problem:?}"
        );
        let plan = self::plan(&["ABCD", "XYZABCD"]);
        gate.keep(now(0), plan.clone(), "ada");
        gate.check(now(1), plan.id, "ada", &typed(&plan)).unwrap();
    }

    #[test]
    fn where_another_drive_tells_the_same_serial_the_wwn_alone_confirms() {
        let (mut gate, mut plan) = (gate(), plan(&["DOCK-0001"]));
        let wwn = "5000C500A1B2C3D4";
        plan.drives[0].label = wwn.into();
        gate.keep(now(0), plan.clone(), "ada");
        for wrong in ["DOCK-0001", "0001", "C3D4"] {
            let typed = Typed::from([(plan.drives[0].id.clone(), wrong.into())]);
            let problem = gate.check(now(1), plan.id, "ada", &typed).unwrap_err();
            assert!(
                problem.kind == "label-wrong" && problem.detail.contains("world wide name"),
                "{problem:?}"
            );
        }
        let typed = Typed::from([(plan.drives[0].id.clone(), wwn.to_lowercase())]);
        gate.check(now(1), plan.id, "ada", &typed).unwrap();

        plan.drives[0].serial = String::new();
        plan.id = PlanId::now();
        gate.keep(now(0), plan.clone(), "ada");
        let problem = gate.check(now(1), plan.id, "ada", &Typed::new()).unwrap_err();
        assert!(problem.detail.contains("it tells no serial number"), "{problem:?}");
        gate.check(now(1), plan.id, "ada", &typed).unwrap();
    }

    #[test]
    fn a_flood_of_plans_is_bounded() {
        let mut gate = gate();
        for n in 0..1000 {
            gate.keep(now(n / 10), plan(&["WD-1234"]), "ada");
        }
        assert!(gate.plans.len() <= PLANS_MAX);
    }

    #[derive(Clone, Debug)]
    enum Act {
        Arm { right: bool },
        Start { forged: bool },
        Come,
        Wait(u64),
        Restart,
    }

    proptest! {
        /// Whatever is tried in whatever order: a start needs an arm with right labels before it, within two minutes,
        /// without a restart in between, and there is one for each plan at most.
        #[test]
        fn nothing_starts_that_was_not_armed(acts in proptest::collection::vec(prop_oneof![
            any::<bool>().prop_map(|right| Act::Arm { right }),
            any::<bool>().prop_map(|forged| Act::Start { forged }),
            Just(Act::Come),
            (0u64..90).prop_map(Act::Wait),
            Just(Act::Restart),
        ], 1..40)) {
            let (mut gate, plan) = (gate(), plan(&["WD-1234", "ST-9F2K"]));
            gate.keep(now(0), plan.clone(), "ada");
            let (mut time, mut armed, mut last, mut lost, mut started) = (0, false, None, false, false);
            for act in acts {
                match act {
                    Act::Wait(seconds) => time += seconds,
                    Act::Come => gate.came_to(plan.id, Ok(Vec::new())),
                    Act::Restart => { gate = self::gate(); lost = true; }
                    Act::Arm { right } => {
                        let labels = if right { typed(&plan) } else { Typed::new() };
                        let done = gate.arm(now(time), plan.id, "ada", &labels);
                        prop_assert_eq!(done.is_ok(), right && time < 120 && !lost && !started);
                        if let Ok(ticket) = done { armed = true; last = Some(ticket); }
                    }
                    Act::Start { forged } => {
                        let mut ticket = last.clone().unwrap_or(Armed { ticket: "{}".into(), signature: "00".into() });
                        if forged { ticket.ticket.push(' '); }
                        let done = gate.start(now(time), plan.id, "ada", &ticket);
                        let begun = matches!(done, Ok(Start::Now(_)));
                        prop_assert_eq!(begun, armed && !forged && time < 120 && !lost && !started);
                        prop_assert!(!matches!(done, Ok(Start::Before(_))) || started && !forged);
                        started |= begun;
                    }
                }
            }
        }
    }
}
