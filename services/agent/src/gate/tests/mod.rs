//! The gate with an agent's list of drives and a server's key; `forged` tries each step of it.
#![allow(clippy::unwrap_used, reason = "tests")]

mod foreign;
mod forged;
mod options;

use ed25519_dalek::{Signer, SigningKey};
use wire::Bytes;
use wire::drive::{Bus, Content, Refused, Rotation};
use wire::gate::{SIGNED_PREFIX, Ticket};

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
        link_mbps: None,
        rotation: Rotation::Unknown,
        location: String::new(),
        temperature: None,
        content,
        refused: None,
        present: true,
        since: Time::UNIX_EPOCH,
        as_of: None,
        bay: None,
        heat_limit: None,
        ill: None,
        shown_until: None,
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
    options: PlanOptions,
    members: Members,
    seen: Seen,
    key: SigningKey,
    trust: Trust,
}

fn book() -> Playbook {
    Playbook::named("standard").unwrap()
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
            options: PlanOptions::default(),
            members: Members::new(),
            seen: Seen::default(),
            drives: vec![drive("AA11", Content::Empty), drive("BB22", found)],
            key,
            trust,
        }
    }

    fn ask(&mut self, which: &[usize]) -> Result<Plan, Problem> {
        let ids: Vec<DriveId> = which.iter().map(|n| id(&self.drives[*n])).collect();
        let ask = Ask {
            drives: &ids,
            book: &book(),
            options: &self.options,
            members: &self.members,
            seen: &self.seen,
        };
        self.ledger.plan(&ask, &self.drives, &NOBODY, moment(0))
    }

    fn plan(&mut self, which: &[usize]) -> Plan {
        self.ask(which).unwrap()
    }

    fn not_planned(&mut self, which: &[usize]) -> Problem {
        self.ask(which).unwrap_err()
    }

    fn ticket(plan: &Plan) -> Ticket {
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
fn a_burn_in_is_looked_for_on_every_drive_that_nothing_uses_and_nobody_put_to_use() {
    let found = |partition| Content::Found {
        signatures: vec![wire::drive::Signature {
            partition,
            kind: "linux_raid_member".into(),
            label: None,
            uuid: None,
            name: None,
            used: None,
            mounted: None,
        }],
        summary: "md array member".into(),
    };
    let unreadable = || Content::Unreadable {
        why: "Input/output error".into(),
    };
    for (content, refused, want) in [
        (Content::Empty, None, true),
        (found(0), None, false),
        (unreadable(), None, true),
        (found(0), Some("md-member"), true),
        (found(0), Some("zfs-member"), true),
        (found(1), Some("md-member"), false),
        (Content::Unknown, None, false),
        (found(0), Some("mounted"), false),
        (found(0), Some("md-active"), false),
        (Content::Empty, Some("boot-disk"), false),
        (Content::Empty, Some("same-identity"), false),
        (unreadable(), Some("drive-locked"), false),
    ] {
        let mut drive = drive("WD-1", content);
        drive.refused = refused.map(|kind| Refused {
            kind: kind.to_owned(),
            reason: String::new(),
        });
        assert_eq!(may_carry_a_burn_in(&drive), want, "{drive:?}");
        drive.present = false;
        assert!(!may_carry_a_burn_in(&drive));
    }
}

#[test]
fn a_plan_armed_in_time_starts_exactly_once() {
    let mut bench = Bench::new();
    let plan = bench.plan(&[0, 1]);
    assert_eq!(plan.drives[1].content.words(), "ext4");
    assert_eq!(plan.drives[0].label, "AA11");
    let armed = bench.sign(&Bench::ticket(&plan));
    let granted = bench.start(&armed, 119).unwrap();
    assert_eq!((granted.plan, granted.actor.as_str()), (plan, "ann"));
    assert_eq!(kind(bench.start(&armed, 119)), "ticket-used");
}

/// Between the grant and the opening of two blank drives in a dock nothing else tells one from the other.
#[test]
fn a_medium_that_was_counted_anew_or_not_at_all_is_not_what_was_planned() {
    let mut bench = Bench::new();
    let (one, other) = (id(&bench.drives[0]), id(&bench.drives[1]));
    let media = |counts: &[(&DriveId, u64)]| -> Media { counts.iter().map(|(id, n)| ((*id).clone(), *n)).collect() };
    let of = |bench: &mut Bench, held: &Media| {
        let plan = bench.plan(&[0, 1]);
        let armed = bench.sign(&Bench::ticket(&plan));
        let granted = bench.start(&armed, 1).unwrap();
        same_media(&granted, held).map_err(|problem| (problem.kind, problem.detail))
    };
    let held = media(&[(&one, 7), (&other, 8)]);
    bench.seen.media.clone_from(&held);
    assert_eq!(of(&mut bench, &held), Ok(()));
    let (kind, detail) = of(&mut bench, &media(&[(&one, 7), (&other, 9)])).unwrap_err();
    assert_eq!(kind, "plan-changed");
    assert!(detail.contains("M BB22 was plugged in anew"), "{detail}");
    assert!(of(&mut bench, &media(&[(&one, 7)])).is_err());
    bench.seen.media = media(&[(&one, 7)]);
    assert!(of(&mut bench, &held).is_err(), "it was not counted for the plan");
}

#[test]
fn a_drive_that_was_written_since_is_not_what_was_planned_unless_it_shows_other_bytes_each_time() {
    let mut bench = Bench::new();
    let of = |sum: u64| -> Fingerprints {
        let told = serde_json::json!([{ "sum": sum, "blank": false }, null]);
        Fingerprints::from([(id(&bench.drives[1]), serde_json::from_value(told).unwrap())])
    };
    let (then, now, other) = (of(1), of(2), of(3));
    bench.seen.fingerprints.clone_from(&then);
    let plan = bench.plan(&[0, 1]);
    let armed = bench.sign(&Bench::ticket(&plan));
    let granted = bench.start(&armed, 1).unwrap();
    let nothing = Fingerprints::new();
    for late in [(&then, &then), (&now, &other), (&now, &then), (&nothing, &nothing)] {
        assert_eq!(not_written_since(&granted, late), Ok(()));
    }
    let problem = not_written_since(&granted, (&now, &now)).unwrap_err();
    assert_eq!(problem.kind, "plan-changed");
    let detail = problem.detail;
    assert!(detail.contains("something wrote to M BB22 since"), "{detail}");
}

#[test]
fn it_expires_by_the_agents_own_clock() {
    let mut bench = Bench::new();
    let plan = bench.plan(&[0]);
    let armed = bench.sign(&Bench::ticket(&plan));
    assert_eq!(kind(bench.start(&armed, 120)), "plan-expired");
}

#[test]
fn a_drive_that_was_exchanged_changed_or_unplugged_voids_the_plan_for_good() {
    type Change = fn(&mut Vec<Drive>);
    let changes: [(&str, Change); 6] = [
        ("exchanged", |drives| drives[0] = drive("CC33", Content::Empty)),
        // A dock tells one name for two blank drives, and is never seen without one.
        ("plugged in anew", |drives| drives[0].since = Time::MAX),
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
        let armed = bench.sign(&Bench::ticket(&plan));
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
        let armed = bench.sign(&Bench::ticket(&plan));
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
    let armed = bench.sign(&Bench::ticket(&plan));
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
    let armed = bench.sign(&Bench::ticket(&plan));
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
                    book: &Playbook::named("standard").unwrap(),
                    options: &PlanOptions::default(),
                    members: &Members::new(),
                    seen: &Seen::default(),
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
    let twin = Refused {
        kind: "same-identity".into(),
        reason: "sdc tells it, too".into(),
    };
    let list = with(&|d| d[0].refused = Some(twin.clone()));
    assert_eq!(ask(&list, &ids, &NOBODY).kind, "drive-refused");
    assert_eq!(
        may_read(&ids, &list, &NOBODY).unwrap_err().kind,
        "drive-refused",
        "nor read"
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
fn one_text_confirms_one_drive_and_no_other_that_is_plugged_in() {
    let mut bench = Bench::new();
    let empty = |serial| drive(serial, Content::Empty);
    bench.drives = vec![empty("ABCD"), empty("XYZABCD"), empty("Q-9F2K")];
    let labels = |plan: Plan| plan.drives.into_iter().map(|d| d.label).collect::<Vec<_>>();
    assert_eq!(labels(bench.plan(&[0, 1, 2])), ["ABCD", "XYZABCD", "9F2K"]);
    assert_eq!(
        labels(bench.plan(&[1])),
        ["XYZABCD"],
        "another that is known ends alike"
    );

    // The same serial from another maker: what names both confirms neither.
    let mut twin = empty("q-9f2k");
    twin.model = "N".into();
    twin.id = DriveId::from_serial("N", "q-9f2k", 1_000_000);
    bench.drives.push(twin);
    let refused = |bench: &mut Bench, which: &[usize]| {
        let problem = bench.not_planned(which);
        assert_eq!(problem.kind, "serial-twice", "{problem}");
        assert!(problem.detail.to_uppercase().contains("Q-9F2K"), "{problem}");
    };
    refused(&mut bench, &[2]);
    refused(&mut bench, &[2, 3]);
    bench.drives[2].wwn = Some("5000c500a1b2c3d4".into());
    assert_eq!(labels(bench.plan(&[2])), ["5000C500A1B2C3D4"]);
    refused(&mut bench, &[3]);
    bench.drives[3].present = false;
    assert_eq!(labels(bench.plan(&[2])), ["9F2K"], "it was unplugged");
}

#[test]
fn a_second_drive_with_a_planned_serial_that_is_plugged_in_voids_the_plan() {
    let mut bench = Bench::new();
    let plan = bench.plan(&[0]);
    let armed = bench.sign(&Bench::ticket(&plan));
    let mut twin = drive("aa11", Content::Empty);
    twin.id = DriveId::from_serial("N", "aa11", 1_000_000);
    bench.drives.push(twin);
    let problem = bench.start(&armed, 1).unwrap_err();
    assert!(
        problem.kind == "plan-changed" && problem.detail.contains("a second drive with the serial number"),
        "{problem}"
    );
}

#[test]
fn drives_without_a_serial_number_are_confirmed_by_their_wwn_and_else_refused_as_that_and_not_as_alike() {
    let mut bench = Bench::new();
    let mute = |wwn: &str, serial| Drive {
        id: DriveId::from_wwn(wwn),
        ..drive(serial, Content::Empty)
    };
    bench.drives = vec![mute("5000c500a1b2c3d4", ""), mute("5000c500a1b2c3d5", " ")];
    for chosen in [&[0][..], &[1], &[0, 1]] {
        let problem = bench.not_planned(chosen);
        let first = id(&bench.drives[chosen[0]]).to_string();
        assert!(
            problem.kind == "drive-refused" && problem.detail.contains(&first),
            "{problem}"
        );
    }
    bench.drives[0].wwn = Some("5000c500a1b2c3d4".into());
    let plan = bench.plan(&[0]);
    assert_eq!(plan.drives[0].label, "5000C500A1B2C3D4");
    let armed = bench.sign(&Bench::ticket(&plan));
    bench.start(&armed, 1).unwrap();
}

#[test]
fn a_drive_that_a_job_took_meanwhile_is_refused_at_the_start() {
    let mut bench = Bench::new();
    let plan = bench.plan(&[0]);
    let armed = bench.sign(&Bench::ticket(&plan));
    let busy = BTreeSet::from([id(&bench.drives[0])]);
    let result = bench
        .ledger
        .start(&armed, Some(&bench.trust), &bench.drives, &busy, Duration::from_secs(1));
    assert_eq!(kind(result), "drive-busy");
}

/// A page reads one plan, and asks for another where that is too old: what it showed is compared by the digest.
#[test]
fn a_playbook_that_was_changed_under_its_name_is_another_plan() {
    let mut bench = Bench::new();
    let plan = bench.plan(&[1, 0]);
    let mut other = Playbook::named("quick").unwrap();
    other.name.clone_from(&plan.playbook);
    let ids: Vec<DriveId> = plan.drives.iter().map(|drive| drive.id.clone()).collect();
    let ask = Ask {
        drives: &ids,
        book: &other,
        options: &bench.options,
        members: &bench.members,
        seen: &bench.seen,
    };
    let changed = bench.ledger.plan(&ask, &bench.drives, &NOBODY, moment(0)).unwrap();
    assert_eq!(changed.drives, plan.drives);
    assert_ne!(changed.digest, plan.digest);
    assert_eq!([plan.steps, changed.steps], [book().steps_text(), other.steps_text()]);
}

#[test]
fn what_the_descriptor_shows_must_be_what_was_planned() {
    let mut bench = Bench::new();
    let plan = bench.plan(&[1, 0]);
    assert_eq!(fresh_matches((&plan, &book()), &bench.drives, &Members::new()), Ok(()));
    let mut fresh = bench.drives.clone();
    fresh[1].content = Content::Empty;
    assert_eq!(
        fresh_matches((&plan, &book()), &fresh, &Members::new())
            .unwrap_err()
            .kind,
        "plan-changed"
    );
    let mut fresh = bench.drives.clone();
    fresh[0].content = Content::Unknown;
    assert_eq!(
        fresh_matches((&plan, &book()), &fresh, &Members::new())
            .unwrap_err()
            .kind,
        "plan-changed",
        "not known is not equal here"
    );
    fresh[0].content = Content::Unreadable { why: "EIO".into() };
    assert_eq!(
        fresh_matches((&plan, &book()), &fresh, &Members::new())
            .unwrap_err()
            .kind,
        "plan-changed",
        "nor is not readable"
    );
    assert_eq!(
        fresh_matches((&plan, &book()), &bench.drives[..1], &Members::new())
            .unwrap_err()
            .kind,
        "plan-changed"
    );
}

/// A drive that others keep busy leaves no time to count, and a start of twenty drives is not refused for that.
#[test]
fn what_could_not_be_counted_in_time_is_no_change_and_another_count_is() {
    let mut bench = Bench::new();
    let holds = |used: Option<u64>| Content::Found {
        signatures: vec![wire::drive::Signature {
            partition: 0,
            kind: "ntfs".into(),
            label: None,
            uuid: Some("1".into()),
            name: None,
            used: used.map(Bytes),
            mounted: None,
        }],
        summary: format!("ntfs {used:?}"),
    };
    bench.drives[1].content = holds(Some(7));
    let plan = bench.plan(&[1, 0]);
    let mut fresh = bench.drives.clone();
    fresh[1].content = holds(None);
    assert_eq!(fresh_matches((&plan, &book()), &fresh, &Members::new()), Ok(()));
    let uncounted = {
        bench.drives[1].content = holds(None);
        bench.plan(&[1, 0])
    };
    fresh[1].content = holds(Some(7));
    assert_eq!(fresh_matches((&uncounted, &book()), &fresh, &Members::new()), Ok(()));
    fresh[1].content = holds(Some(8));
    let refused = fresh_matches((&plan, &book()), &fresh, &Members::new()).unwrap_err();
    assert_eq!(refused.kind, "plan-changed");
}

#[test]
fn plans_are_bounded_and_the_oldest_is_forgotten() {
    let mut bench = Bench::new();
    let first = bench.plan(&[0]);
    let armed = bench.sign(&Bench::ticket(&first));
    for _ in 0..PLANS_MAX {
        bench.plan(&[0]);
    }
    assert_eq!(bench.ledger.plans.len(), PLANS_MAX);
    assert_eq!(kind(bench.start(&armed, 1)), "plan-unknown");
}
