//! What a person chose beside the playbook: part of what is armed, and refused where it cannot be done.

use drive::content::{ContentKind, Member};
use wire::options::{FileSystem, FormatRequest, Profile, Table};

use super::*;

fn luks(partition: u32) -> Member {
    Member {
        partition,
        kind: ContentKind::Luks,
    }
}

fn refuse(bench: &mut Bench, kind: &str) {
    bench.drives[0].refused = Some(Refused {
        kind: kind.into(),
        reason: format!("it is {kind}"),
    });
}

fn try_plan(bench: &mut Bench) -> Result<Plan, Problem> {
    let ids: Vec<DriveId> = vec![id(&bench.drives[0])];
    bench.ledger.plan(
        &Ask {
            drives: &ids,
            book: &Playbook::named("standard").unwrap(),
            options: &bench.options,
            members: &bench.members,
            seen: &Seen::default(),
        },
        &bench.drives,
        &NOBODY,
        moment(0),
    )
}

#[test]
fn a_membership_is_given_up_by_name_and_by_nothing_else() {
    let mut bench = Bench::new();
    let it = id(&bench.drives[0]);
    bench.members.insert(it.clone(), vec![luks(2), luks(0), luks(2)]);
    refuse(&mut bench, "luks");
    let refused = try_plan(&mut bench).unwrap_err();
    assert_eq!(refused.kind, "drive-refused");
    assert!(refused.detail.contains("give_up"), "{refused}");

    bench.options.give_up = vec![it.clone()];
    let plan = try_plan(&mut bench).unwrap();
    assert_eq!(
        plan.drives[0].given_up,
        ["LUKS container", "partition 2: LUKS container"]
    );
    let armed = bench.sign(&Bench::ticket(&plan));
    let granted = bench.start(&armed, 1).unwrap();
    assert_eq!(granted.lose, Lose::from([(it.clone(), vec![ContentKind::Luks])]));

    // What the descriptor shows must be the same memberships.
    assert_eq!(fresh_matches((&plan, &book()), &bench.drives, &bench.members), Ok(()));
    let mut more = bench.members.clone();
    more.get_mut(&it).unwrap().push(Member {
        partition: 3,
        kind: ContentKind::Md,
    });
    assert_eq!(
        fresh_matches((&plan, &book()), &bench.drives, &more).unwrap_err().kind,
        "plan-changed"
    );
    assert!(fresh_matches((&plan, &book()), &bench.drives, &Members::new()).is_err());

    // Whatever is active stays refused.
    for kind in [
        "mounted",
        "swap",
        "md-active",
        "dm-crypt",
        "boot-disk",
        "write-protected",
    ] {
        refuse(&mut bench, kind);
        assert_eq!(try_plan(&mut bench).unwrap_err().kind, "drive-refused", "{kind}");
    }
}

#[test]
fn a_changed_option_needs_another_ticket() {
    let mut bench = Bench::new();
    bench.drives[0].capacity = Bytes(1 << 30);
    let plain = bench.plan(&[0]);
    let format = FormatRequest {
        table: Table::Auto,
        filesystem: FileSystem::Ext4,
        reserved_percent: 0,
        label: "data".into(),
    };
    let all = [
        PlanOptions {
            profile: Profile::New,
            ..PlanOptions::default()
        },
        PlanOptions {
            format: Some(format),
            ..PlanOptions::default()
        },
        PlanOptions {
            soak_hours: Some(2),
            ..PlanOptions::default()
        },
        PlanOptions {
            stop_at_first: true,
            ..PlanOptions::default()
        },
        PlanOptions {
            give_up: vec![id(&bench.drives[0])],
            ..PlanOptions::default()
        },
    ];
    for options in all {
        bench.options = options.clone();
        let other = bench.plan(&[0]);
        assert_ne!(other.digest, plain.digest, "{options:?}");
        let forged = Ticket {
            digest: plain.digest.clone(),
            ..Bench::ticket(&other)
        };
        let armed = bench.sign(&forged);
        assert_eq!(kind(bench.start(&armed, 1)), "ticket-forged", "{options:?}");
    }
}

#[test]
fn options_that_cannot_be_followed_say_why() {
    let mut bench = Bench::new();
    let (one, other) = (id(&bench.drives[0]), id(&bench.drives[1]));
    let mut why = |options: PlanOptions, book: &str| {
        let ids = [one.clone()];
        let problem = bench
            .ledger
            .plan(
                &Ask {
                    drives: &ids,
                    book: &Playbook::named(book).unwrap(),
                    options: &options,
                    members: &Members::new(),
                    seen: &Seen::default(),
                },
                &bench.drives,
                &NOBODY,
                moment(0),
            )
            .unwrap_err();
        assert_eq!(problem.kind, "options-wrong");
        problem.detail
    };
    let give_up = |ids: Vec<DriveId>| PlanOptions {
        give_up: ids,
        ..PlanOptions::default()
    };
    assert!(why(give_up(vec![other.clone()]), "standard").contains(other.as_str()));
    assert!(why(give_up(vec![one.clone(), one.clone()]), "standard").contains("twice"));
    let format = |reserved_percent, label: &str| PlanOptions {
        format: Some(FormatRequest {
            table: Table::Auto,
            filesystem: FileSystem::Ext4,
            reserved_percent,
            label: label.into(),
        }),
        ..PlanOptions::default()
    };
    let new = PlanOptions {
        profile: Profile::New,
        ..PlanOptions::default()
    };
    let unjudged = why(new, "surface");
    assert!(
        unjudged.contains("surface") && unjudged.contains("standard"),
        "{unjudged}"
    );
    assert!(why(format(51, ""), "standard").starts_with("format:"));
    assert!(why(format(0, &"x".repeat(17)), "standard").starts_with("format:"));
    assert!(why(format(0, ""), "quick").contains("quick"));
    assert!(why(format(0, ""), "standard").contains("AA11"), "a drive of a megabyte");
}
