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
//! again at each drive on the descriptor that will be written, and compares [`Granted::plan`]'s digest with what it
//! finds ([`fresh_matches`]). Each forged step is tested below; with a real agent process in `tests/gate.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ed25519_dalek::{Signature, VerifyingKey};
use wire::drive::{Content, Drive};
use wire::gate::{Armed, PLAN_DRIVES_MAX, PLAN_SECONDS, Plan, PlanDrive, SIGNED_PREFIX, Ticket, digest, labels};
use wire::options::PlanOptions;
use wire::{DriveId, PlanId, Problem, Time};

/// Plans remembered, also ended ones, so that a late start is told why it is refused. The oldest is forgotten first.
const PLANS_MAX: usize = 64;

/// Longest accepted ticket in bytes: a plan of [`PLAN_DRIVES_MAX`] drives with the longest ids fits.
const TICKET_MAX: usize = 65_536;

/// All plans that the agent has made since it started.
#[derive(Debug, Default)]
pub struct Ledger {
    plans: BTreeMap<PlanId, Standing>,
}

#[derive(Debug)]
struct Standing {
    plan: Plan,
    until: Duration,
    state: State,
}

#[derive(Debug)]
enum State {
    Open,
    Used,
    Void(String),
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
    /// Who armed it.
    pub actor: String,
}

/// What a plan is asked for.
#[derive(Debug)]
pub struct Ask<'a> {
    /// Drives, in the order in which they are to be shown.
    pub drives: &'a [DriveId],
    /// Name of the playbook; the caller has checked that there is one.
    pub playbook: &'a str,
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
        let mut seen = BTreeSet::new();
        let mut named = Vec::with_capacity(ask.drives.len());
        for id in ask.drives {
            if !seen.insert(id) {
                return Err(Problem::new("drive-twice", 422, "A plan names each drive once").with(id.to_string()));
            }
            named.push(offered(id, drives, busy)?);
        }
        let serials: Vec<&str> = named.iter().map(|drive| drive.serial.as_str()).collect();
        let labels = labels(&serials);
        let drives: Vec<PlanDrive> = named
            .iter()
            .zip(ask.drives)
            .zip(labels)
            .map(|((drive, id), label)| plan_drive(id, drive, drive.content.clone(), label))
            .collect();
        if let Some(unnamed) = drives.iter().find(|drive| drive.label.is_empty()) {
            let problem = Problem::new(
                "drive-refused",
                409,
                "A drive without a serial number cannot be confirmed",
            );
            return Err(problem.with(format!("{} tells no serial number to type.", unnamed.id)));
        }
        let plan = Plan {
            id: moment.id,
            playbook: ask.playbook.to_owned(),
            options: PlanOptions::default(),
            digest: digest(ask.playbook, &PlanOptions::default(), &drives),
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
                until,
                state: State::Open,
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
            if let Some(why) = standing.plan.drives.iter().find_map(|planned| changed(planned, drives)) {
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
        let plan = &standing.plan;
        match &standing.state {
            State::Open => {}
            State::Used => {
                return Err(Problem::new("ticket-used", 409, "This plan was started already").with("Make a new plan."));
            }
            State::Void(why) => return Err(changed_problem(why.clone())),
        }
        if now >= standing.until {
            let title = format!("The plan is older than {PLAN_SECONDS} seconds");
            return Err(Problem::new("plan-expired", 410, title).with("Make a new plan and confirm it in time."));
        }
        let same_drives = plan.drives.iter().map(|drive| &drive.id).eq(&ticket.drives);
        if ticket.nonce != plan.nonce || ticket.digest != plan.digest || !same_drives {
            return Err(
                Problem::new("ticket-forged", 403, "The ticket does not belong to this plan")
                    .with("Its nonce, digest or drives are those of another plan. Make a new plan."),
            );
        }
        if let Some(why) = plan.drives.iter().find_map(|planned| changed(planned, drives)) {
            standing.state = State::Void(why.clone());
            return Err(changed_problem(why));
        }
        for planned in &plan.drives {
            offered(&planned.id, drives, busy)?;
        }
        standing.state = State::Used;
        Ok(Granted {
            plan: standing.plan.clone(),
            actor: ticket.actor,
        })
    }
}

/// Checks the signature over the exact text and reads the ticket.
fn verify(armed: &Armed, key: &VerifyingKey) -> Result<Ticket, Problem> {
    let forged =
        |detail: &str| Problem::new("ticket-forged", 403, "The ticket is not signed by this box's server").with(detail);
    if armed.ticket.len() > TICKET_MAX {
        return Err(forged("The ticket is too long."));
    }
    let bytes: [u8; 64] = hex::decode(&armed.signature)
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| forged("The signature is not 128 hexadecimal digits."))?;
    let mut signed = SIGNED_PREFIX.to_vec();
    signed.extend_from_slice(armed.ticket.as_bytes());
    key.verify_strict(&signed, &Signature::from_bytes(&bytes))
        .map_err(|_| forged("The signature does not fit the pinned gate key."))?;
    serde_json::from_str(&armed.ticket).map_err(|error| forged(&format!("The signed text is no ticket: {error}.")))
}

/// The one present drive with this identity, if it may be erased.
fn offered<'a>(id: &DriveId, drives: &'a [Drive], busy: &BTreeSet<DriveId>) -> Result<&'a Drive, Problem> {
    let mut present = drives
        .iter()
        .filter(|drive| drive.present && drive.id.as_ref() == Some(id));
    let drive = present.next().ok_or_else(|| {
        Problem::new("drive-unknown", 404, "No such drive is plugged in")
            .with(format!("{id} is not among the present drives."))
    })?;
    if present.next().is_some() {
        let problem = Problem::new("drive-refused", 409, "Two devices tell the same identity");
        return Err(problem.with(format!(
            "{id}: unplug one of them; which one would be erased cannot be known."
        )));
    }
    if busy.contains(id) {
        let problem = Problem::new("drive-busy", 409, "A job is running on this drive");
        return Err(problem.with(format!("{}: wait for its end or abort it.", name(drive))));
    }
    if let Some(refused) = &drive.refused {
        let problem = Problem::new("drive-refused", 409, "This drive is in use or must not be erased");
        return Err(problem.with(format!("{}: {}.", name(drive), refused.reason)));
    }
    match drive.content {
        Content::Unknown => {
            let problem = Problem::new("content-unknown", 409, "What is on this drive is not known yet");
            Err(problem.with(format!(
                "{} has not answered the first look at it; try again in a moment.",
                name(drive)
            )))
        }
        Content::Empty | Content::Found { .. } | Content::Unreadable { .. } => Ok(drive),
    }
}

fn name(drive: &Drive) -> String {
    format!("{} {} ({})", drive.model, drive.serial, drive.capacity)
}

fn plan_drive(id: &DriveId, drive: &Drive, content: Content, label: String) -> PlanDrive {
    PlanDrive {
        id: id.clone(),
        model: drive.model.clone(),
        serial: drive.serial.clone(),
        capacity: drive.capacity,
        sector: drive.logical_sector,
        content,
        given_up: Vec::new(),
        label,
    }
}

/// What is different from what was planned; `None` while nothing is, and while a look at the content is outstanding.
fn changed(planned: &PlanDrive, drives: &[Drive]) -> Option<String> {
    let mut present = drives
        .iter()
        .filter(|drive| drive.present && drive.id.as_ref() == Some(&planned.id));
    let what = format!("{} {}", planned.model, planned.serial);
    let Some(drive) = present.next() else {
        return Some(format!("{what} is gone, or another drive is in its place"));
    };
    if present.next().is_some() {
        return Some(format!("a second device with the identity of {what} was plugged in"));
    }
    if (&drive.model, &drive.serial, drive.capacity, drive.logical_sector)
        != (&planned.model, &planned.serial, planned.capacity, planned.sector)
    {
        return Some(format!("{what} tells another model, serial, capacity or sector size"));
    }
    match &drive.content {
        // Not read is not changed; the look on the open descriptor decides ([`fresh_matches`]).
        Content::Unknown | Content::Unreadable { .. } => None,
        now if *now == planned.content => None,
        now => Some(format!(
            "the content of {what} was \"{}\" and is now \"{}\"",
            planned.content.words(),
            now.words()
        )),
    }
}

fn changed_problem(why: String) -> Problem {
    Problem::new("plan-changed", 409, "A drive changed after the plan was made")
        .with(format!("{why}. Make a new plan."))
}

/// Whether what was read afresh on the open descriptors is what the plan says; to be asked once for all drives,
/// in the plan's order, before the first byte is written.
///
/// # Errors
/// Says what is different.
pub fn fresh_matches(plan: &Plan, fresh: &[Drive]) -> Result<(), Problem> {
    for planned in &plan.drives {
        if let Some(why) = changed(planned, fresh) {
            return Err(changed_problem(why));
        }
    }
    let found: Option<Vec<PlanDrive>> = plan
        .drives
        .iter()
        .map(|planned| {
            let drive = fresh.iter().find(|drive| drive.id.as_ref() == Some(&planned.id))?;
            Some(plan_drive(
                &planned.id,
                drive,
                drive.content.clone(),
                planned.label.clone(),
            ))
        })
        .collect();
    match found {
        Some(found) if digest(&plan.playbook, &plan.options, &found) == plan.digest => Ok(()),
        _ => Err(changed_problem(
            "a drive could not be read again as it was planned".to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use ed25519_dalek::{Signer, SigningKey};
    use proptest::prelude::*;
    use wire::Bytes;
    use wire::drive::{Bus, Refused, Rotation};

    use super::*;

    const NOBODY: BTreeSet<DriveId> = BTreeSet::new();

    fn drive(serial: &str, content: Content) -> Drive {
        let id = DriveId::from_serial("M", serial, 1_000_000);
        Drive {
            key: id.as_ref().map_or_else(String::new, ToString::to_string),
            id,
            kernel_name: "sdx".into(),
            model: "M".into(),
            serial: serial.into(),
            wwn: None,
            capacity: Bytes(1_000_000),
            logical_sector: 512,
            physical_sector: 512,
            bus: Bus::Sata,
            rotation: Rotation::Unknown,
            location: String::new(),
            temperature: None,
            content,
            refused: None,
            present: true,
            since: Time::UNIX_EPOCH,
        }
    }

    fn id(drive: &Drive) -> DriveId {
        drive.id.clone().unwrap()
    }

    fn moment(now: u64) -> Moment {
        let id = PlanId::now();
        let mut nonce = [7; 32];
        nonce[..16].copy_from_slice(id.0.as_bytes());
        Moment {
            now: Duration::from_secs(now),
            wall: Time::UNIX_EPOCH,
            id,
            nonce,
        }
    }

    struct Bench {
        ledger: Ledger,
        drives: Vec<Drive>,
        key: SigningKey,
        trust: Trust,
    }

    impl Bench {
        fn new() -> Self {
            let key = SigningKey::from_bytes(&[3; 32]);
            let trust = Trust {
                key: key.verifying_key(),
                box_id: "box".into(),
                claimed: true,
            };
            let found = Content::Found {
                signatures: vec![],
                summary: "ext4".into(),
            };
            Self {
                ledger: Ledger::default(),
                drives: vec![drive("AA11", Content::Empty), drive("BB22", found)],
                key,
                trust,
            }
        }

        fn plan(&mut self, which: &[usize]) -> Plan {
            let ids: Vec<DriveId> = which.iter().map(|n| id(&self.drives[*n])).collect();
            self.ledger
                .plan(
                    &Ask {
                        drives: &ids,
                        playbook: "standard",
                    },
                    &self.drives,
                    &NOBODY,
                    moment(0),
                )
                .unwrap()
        }

        fn ticket(&self, plan: &Plan) -> Ticket {
            Ticket {
                plan: plan.id,
                digest: plan.digest.clone(),
                nonce: plan.nonce.clone(),
                drives: plan.drives.iter().map(|d| d.id.clone()).collect(),
                actor: "ann".into(),
                box_id: "box".into(),
                at: Time::UNIX_EPOCH,
            }
        }

        fn sign(&self, ticket: &Ticket) -> Armed {
            sign_with(&self.key, ticket)
        }

        fn start(&mut self, armed: &Armed, now: u64) -> Result<Granted, Problem> {
            self.ledger.start(
                armed,
                Some(&self.trust),
                &self.drives,
                &NOBODY,
                Duration::from_secs(now),
            )
        }
    }

    fn sign_with(key: &SigningKey, ticket: &Ticket) -> Armed {
        let ticket = serde_json::to_string(ticket).unwrap();
        let mut signed = SIGNED_PREFIX.to_vec();
        signed.extend_from_slice(ticket.as_bytes());
        Armed {
            signature: hex::encode(key.sign(&signed).to_bytes()),
            ticket,
        }
    }

    fn kind(result: Result<Granted, Problem>) -> String {
        result.unwrap_err().kind
    }

    #[test]
    fn a_plan_armed_in_time_starts_exactly_once() {
        let mut bench = Bench::new();
        let plan = bench.plan(&[0, 1]);
        assert_eq!(plan.drives[1].content.words(), "ext4");
        assert_eq!(plan.drives[0].label, "AA11");
        let armed = bench.sign(&bench.ticket(&plan));
        let granted = bench.start(&armed, 119).unwrap();
        assert_eq!((granted.plan, granted.actor.as_str()), (plan, "ann"));
        assert_eq!(kind(bench.start(&armed, 119)), "ticket-used");
    }

    #[test]
    fn it_expires_by_the_agents_own_clock() {
        let mut bench = Bench::new();
        let plan = bench.plan(&[0]);
        let armed = bench.sign(&bench.ticket(&plan));
        assert_eq!(kind(bench.start(&armed, 120)), "plan-expired");
    }

    #[test]
    fn every_forged_field_of_a_ticket_is_refused() {
        let mut bench = Bench::new();
        let plan = bench.plan(&[0]);
        let other = bench.plan(&[1]);
        let good = bench.ticket(&plan);
        let forgeries = [
            (
                "nonce of another plan",
                Ticket {
                    nonce: other.nonce.clone(),
                    ..good.clone()
                },
            ),
            (
                "digest of another plan",
                Ticket {
                    digest: other.digest.clone(),
                    ..good.clone()
                },
            ),
            (
                "drives of another plan",
                Ticket {
                    drives: vec![other.drives[0].id.clone()],
                    ..good.clone()
                },
            ),
            (
                "one drive more",
                Ticket {
                    drives: vec![plan.drives[0].id.clone(), other.drives[0].id.clone()],
                    ..good.clone()
                },
            ),
            (
                "no drive",
                Ticket {
                    drives: vec![],
                    ..good.clone()
                },
            ),
            (
                "another box",
                Ticket {
                    box_id: "elsewhere".into(),
                    ..good.clone()
                },
            ),
            (
                "another plan's id",
                Ticket {
                    plan: other.id,
                    ..good.clone()
                },
            ),
        ];
        for (what, ticket) in forgeries {
            let armed = bench.sign(&ticket);
            assert_eq!(kind(bench.start(&armed, 1)), "ticket-forged", "{what}");
        }
        let unknown = bench.sign(&Ticket {
            plan: PlanId::now(),
            ..good.clone()
        });
        assert_eq!(kind(bench.start(&unknown, 1)), "plan-unknown");
        let armed = bench.sign(&good);
        bench.start(&armed, 1).unwrap();
    }

    #[test]
    fn a_signature_counts_only_over_these_bytes_by_the_pinned_key() {
        let mut bench = Bench::new();
        let plan = bench.plan(&[0]);
        let ticket = bench.ticket(&plan);
        let good = bench.sign(&ticket);
        let foreign = sign_with(&SigningKey::from_bytes(&[4; 32]), &ticket);
        let respaced = Armed {
            ticket: good.ticket.replacen(',', ", ", 1),
            ..good.clone()
        };
        let bare = Armed {
            signature: hex::encode(bench.key.sign(good.ticket.as_bytes()).to_bytes()),
            ..good.clone()
        };
        let none = Armed {
            signature: String::new(),
            ..good.clone()
        };
        let zero = Armed {
            signature: "00".repeat(64),
            ..good.clone()
        };
        let prose = {
            let ticket = "erase everything".to_owned();
            let mut signed = SIGNED_PREFIX.to_vec();
            signed.extend_from_slice(ticket.as_bytes());
            Armed {
                signature: hex::encode(bench.key.sign(&signed).to_bytes()),
                ticket,
            }
        };
        for (what, armed) in [
            ("foreign key", foreign),
            ("changed text", respaced),
            ("no prefix", bare),
            ("none", none),
            ("zeros", zero),
            ("no ticket", prose),
        ] {
            assert_eq!(kind(bench.start(&armed, 1)), "ticket-forged", "{what}");
        }
        bench.start(&good, 1).unwrap();
    }

    #[test]
    fn nothing_starts_unclaimed_or_without_a_pinned_key() {
        let mut bench = Bench::new();
        let plan = bench.plan(&[0]);
        let armed = bench.sign(&bench.ticket(&plan));
        bench.trust.claimed = false;
        assert_eq!(kind(bench.start(&armed, 1)), "not-claimed");
        let none = bench
            .ledger
            .start(&armed, None, &bench.drives, &NOBODY, Duration::from_secs(1));
        assert_eq!(kind(none), "no-gate-key");
    }

    #[test]
    fn a_drive_that_was_exchanged_changed_or_unplugged_voids_the_plan_for_good() {
        type Change = fn(&mut Vec<Drive>);
        let changes: [(&str, Change); 5] = [
            ("exchanged", |drives| drives[0] = drive("CC33", Content::Empty)),
            ("gone", |drives| drives[0].present = false),
            ("content", |drives| {
                drives[0].content = Content::Found {
                    signatures: vec![],
                    summary: "xfs".into(),
                }
            }),
            ("capacity", |drives| drives[0].capacity = Bytes(2)),
            ("twin", |drives| drives.push(drive("AA11", Content::Empty))),
        ];
        for (what, change) in changes {
            let mut bench = Bench::new();
            let plan = bench.plan(&[1, 0]);
            let armed = bench.sign(&bench.ticket(&plan));
            let before = bench.drives.clone();
            change(&mut bench.drives);
            assert_eq!(
                kind(bench.start(&armed, 1)),
                "plan-changed",
                "{what}, seen at the start"
            );
            bench.drives = before.clone();
            assert_eq!(kind(bench.start(&armed, 1)), "plan-changed", "{what}, and back again");

            let mut bench = Bench::new();
            let plan = bench.plan(&[1, 0]);
            let armed = bench.sign(&bench.ticket(&plan));
            change(&mut bench.drives);
            let seen = bench.drives.clone();
            bench.ledger.drives_changed(&seen);
            bench.drives = before;
            assert_eq!(kind(bench.start(&armed, 1)), "plan-changed", "{what}, seen in between");
        }
    }

    #[test]
    fn a_drive_that_is_slow_to_answer_a_look_keeps_its_plan() {
        let mut bench = Bench::new();
        let plan = bench.plan(&[0]);
        let armed = bench.sign(&bench.ticket(&plan));
        let mut slow = bench.drives.clone();
        slow[0].content = Content::Unknown;
        bench.ledger.drives_changed(&slow);
        slow[0].content = Content::Unreadable {
            why: "no answer in 20 s".into(),
        };
        bench.ledger.drives_changed(&slow);
        slow[0].temperature = Some(wire::Celsius(40));
        slow[0].kernel_name = "sdz".into();
        slow[0].content = Content::Empty;
        bench.ledger.drives_changed(&slow);
        bench.drives = slow;
        bench.start(&armed, 1).unwrap();
    }

    #[test]
    fn a_change_of_another_drive_leaves_the_plan_alone() {
        let mut bench = Bench::new();
        let plan = bench.plan(&[0]);
        let armed = bench.sign(&bench.ticket(&plan));
        bench.drives[1].present = false;
        bench.ledger.drives_changed(&bench.drives);
        bench.start(&armed, 1).unwrap();
    }

    #[test]
    fn what_must_not_be_erased_is_not_planned() {
        let mut bench = Bench::new();
        let refused = Refused {
            kind: "mounted".into(),
            reason: "mounted at /data".into(),
        };
        let ids: Vec<DriveId> = bench.drives.iter().map(id).collect();
        let mut ask = |drives: &[Drive], ids: &[DriveId], busy: &BTreeSet<DriveId>| {
            bench
                .ledger
                .plan(
                    &Ask {
                        drives: ids,
                        playbook: "standard",
                    },
                    drives,
                    busy,
                    moment(0),
                )
                .unwrap_err()
        };
        let with = |change: &dyn Fn(&mut Vec<Drive>)| {
            let mut drives = vec![drive("AA11", Content::Empty), drive("BB22", Content::Empty)];
            change(&mut drives);
            drives
        };
        let all = with(&|_| ());
        let mounted = ask(&with(&|d| d[0].refused = Some(refused.clone())), &ids, &NOBODY);
        assert_eq!(mounted.kind, "drive-refused");
        assert!(mounted.detail.contains("mounted at /data"), "{mounted}");
        assert_eq!(
            ask(&with(&|d| d[0].present = false), &ids, &NOBODY).kind,
            "drive-unknown"
        );
        assert_eq!(
            ask(&with(&|d| d.push(drive("AA11", Content::Empty))), &ids, &NOBODY).kind,
            "drive-refused"
        );
        assert_eq!(
            ask(&with(&|d| d[0].content = Content::Unknown), &ids, &NOBODY).kind,
            "content-unknown"
        );
        assert_eq!(ask(&all, &ids, &BTreeSet::from([ids[1].clone()])).kind, "drive-busy");
        assert_eq!(ask(&all, &[], &NOBODY).kind, "plan-empty");
        assert_eq!(
            ask(&all, &[ids[0].clone(), ids[0].clone()], &NOBODY).kind,
            "drive-twice"
        );
        assert_eq!(
            ask(&all, &vec![ids[0].clone(); PLAN_DRIVES_MAX + 1], &NOBODY).kind,
            "plan-too-large"
        );
    }

    #[test]
    fn a_drive_that_a_job_took_meanwhile_is_refused_at_the_start() {
        let mut bench = Bench::new();
        let plan = bench.plan(&[0]);
        let armed = bench.sign(&bench.ticket(&plan));
        let busy = BTreeSet::from([id(&bench.drives[0])]);
        let result = bench
            .ledger
            .start(&armed, Some(&bench.trust), &bench.drives, &busy, Duration::from_secs(1));
        assert_eq!(kind(result), "drive-busy");
    }

    #[test]
    fn what_the_descriptor_shows_must_be_what_was_planned() {
        let mut bench = Bench::new();
        let plan = bench.plan(&[1, 0]);
        assert_eq!(fresh_matches(&plan, &bench.drives), Ok(()));
        let mut fresh = bench.drives.clone();
        fresh[1].content = Content::Empty;
        assert_eq!(fresh_matches(&plan, &fresh).unwrap_err().kind, "plan-changed");
        let mut fresh = bench.drives.clone();
        fresh[0].content = Content::Unknown;
        assert_eq!(
            fresh_matches(&plan, &fresh).unwrap_err().kind,
            "plan-changed",
            "not known is not equal here"
        );
        fresh[0].content = Content::Unreadable { why: "EIO".into() };
        assert_eq!(
            fresh_matches(&plan, &fresh).unwrap_err().kind,
            "plan-changed",
            "nor is not readable"
        );
        assert_eq!(
            fresh_matches(&plan, &bench.drives[..1]).unwrap_err().kind,
            "plan-changed"
        );
    }

    #[test]
    fn plans_are_bounded_and_the_oldest_is_forgotten() {
        let mut bench = Bench::new();
        let first = bench.plan(&[0]);
        let armed = bench.sign(&bench.ticket(&first));
        for _ in 0..PLANS_MAX {
            bench.plan(&[0]);
        }
        assert_eq!(bench.ledger.plans.len(), PLANS_MAX);
        assert_eq!(kind(bench.start(&armed, 1)), "plan-unknown");
    }

    proptest! {
        #[test]
        fn any_changed_byte_of_an_armed_ticket_is_refused(at: proptest::sample::Index, with in 1_u8..128, in_signature: bool) {
            let mut bench = Bench::new();
            let plan = bench.plan(&[0]);
            let good = bench.sign(&bench.ticket(&plan));
            let text = if in_signature { &good.signature } else { &good.ticket };
            let mut bytes = text.clone().into_bytes();
            let at = at.index(bytes.len());
            bytes[at] ^= with;
            // Hexadecimal digits may change their case without changing the signature.
            prop_assume!(!(in_signature && bytes[at].eq_ignore_ascii_case(&text.as_bytes()[at])));
            if let Ok(text) = String::from_utf8(bytes) {
                let armed = if in_signature { Armed { signature: text, ..good.clone() } } else { Armed { ticket: text, ..good.clone() } };
                prop_assert_eq!(kind(bench.start(&armed, 1)), "ticket-forged");
            }
            prop_assert!(bench.start(&good, 1).is_ok());
        }

        #[test]
        fn garbage_never_panics(ticket in ".{0,200}", signature in "[0-9a-f]{0,130}") {
            let mut bench = Bench::new();
            bench.plan(&[0]);
            let armed = Armed { ticket, signature };
            prop_assert!(bench.start(&armed, 1).is_err());
        }
    }
}
