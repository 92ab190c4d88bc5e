//! Tickets that nobody armed, or armed for something else.

use proptest::prelude::*;

use super::*;

#[test]
fn every_forged_field_of_a_ticket_is_refused() {
    let mut bench = Bench::new();
    let plan = bench.plan(&[0]);
    let other = bench.plan(&[1]);
    let good = Bench::ticket(&plan);
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
    let ticket = Bench::ticket(&plan);
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
    let armed = bench.sign(&Bench::ticket(&plan));
    bench.trust.claimed = false;
    assert_eq!(kind(bench.start(&armed, 1)), "not-claimed");
    let none = bench
        .ledger
        .start(&armed, None, &bench.drives, &NOBODY, Duration::from_secs(1));
    assert_eq!(kind(none), "no-gate-key");
}

proptest! {
    #[test]
    fn any_changed_byte_of_an_armed_ticket_is_refused(at: proptest::sample::Index, with in 1_u8..128, in_signature: bool) {
        let mut bench = Bench::new();
        let plan = bench.plan(&[0]);
        let good = bench.sign(&Bench::ticket(&plan));
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
