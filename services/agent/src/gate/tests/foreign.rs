//! The gate under a foreign server: each step forged, left out, late or twice.

use super::*;
use crate::gate::foreign::code;

const CODE: &str = "7K3M9QRS";

impl Bench {
    fn asked(&mut self, which: &[usize]) -> Plan {
        let plan = self.plan(which);
        self.ledger.ask_for_code(plan.id, CODE.into());
        plan
    }

    fn by_code(&mut self, code: &str, serials: &[&str], now: u64) -> Result<Granted, Problem> {
        let serials: Vec<String> = serials.iter().map(|serial| (*serial).to_owned()).collect();
        let now = Duration::from_secs(now);
        self.ledger
            .start_by_code(code, &serials, "foreign", &self.drives, &NOBODY, now)
    }

    fn refused(&mut self, code: &str, serials: &[&str], now: u64) -> String {
        self.by_code(code, serials, now).unwrap_err().kind
    }
}

#[test]
fn code_and_full_serials_start_it_once() {
    let mut bench = Bench::new();
    let plan = bench.asked(&[0, 1]);
    let granted = bench.by_code("7k3m-9qrs", &["bb22", " AA11 "], 119).unwrap();
    assert_eq!((granted.plan.id, granted.actor.as_str()), (plan.id, "foreign"));
    assert_eq!(bench.refused(CODE, &["AA11", "BB22"], 119), "ticket-used");
}

#[test]
fn a_serial_that_another_drive_tells_starts_nothing_and_the_wwn_does() {
    let mut bench = Bench::new();
    let mut twin = drive("aa11", Content::Empty);
    twin.id = DriveId::from_serial("N", "aa11", 1_000_000);
    bench.drives.push(twin);
    bench.drives[0].wwn = Some("5000c500a1b2c3d4".into());
    bench.asked(&[0]);
    assert_eq!(bench.refused(CODE, &["AA11"], 1), "serial-wrong");
    bench.by_code(CODE, &["5000c500A1B2C3D4"], 1).unwrap();
}

#[test]
fn without_a_plan_or_with_a_plan_of_the_own_servers_no_code_starts_anything() {
    let mut bench = Bench::new();
    assert_eq!(bench.refused(CODE, &["AA11"], 0), "plan-unknown");
    bench.plan(&[0]);
    for guess in [CODE, "", "00000000"] {
        assert_eq!(bench.refused(guess, &["AA11"], 0), "plan-unknown");
    }
}

#[test]
fn a_wrong_code_starts_nothing_and_the_third_closes_the_plan() {
    let mut bench = Bench::new();
    bench.asked(&[0]);
    assert_eq!(bench.refused("7K3M9QRT", &["AA11"], 1), "code-wrong");
    assert_eq!(bench.refused("", &["AA11"], 1), "code-wrong");
    assert_eq!(bench.refused("7K3M9QR", &["AA11"], 1), "code-wrong");
    assert_eq!(bench.refused(CODE, &["AA11"], 1), "plan-closed");
    bench.asked(&[0]);
    assert!(bench.by_code(CODE, &["AA11"], 1).is_ok(), "a new plan is a new chance");
}

#[test]
fn serials_must_be_whole_and_those_of_all_drives_and_no_other() {
    for wrong in [
        &["11", "BB22"][..],
        &["AA11"],
        &["AA11", "BB22", "CC33"],
        &["AA11", "AA11"],
        &["AA11", "AA11", "BB22"],
        &[],
    ] {
        let mut bench = Bench::new();
        bench.asked(&[0, 1]);
        assert_eq!(bench.refused(CODE, wrong, 1), "serial-wrong", "{wrong:?}");
    }
}

#[test]
fn a_late_start_and_a_changed_drive_are_refused() {
    let mut bench = Bench::new();
    bench.asked(&[0]);
    assert_eq!(bench.refused(CODE, &["AA11"], 120), "plan-expired");
    let mut bench = Bench::new();
    bench.asked(&[0]);
    bench.drives[0].content = Content::Found {
        signatures: vec![],
        summary: "xfs".into(),
    };
    assert_eq!(bench.refused(CODE, &["AA11"], 1), "plan-changed");
    let mut bench = Bench::new();
    bench.asked(&[0]);
    bench.drives[0].refused = Some(Refused {
        kind: "mounted".into(),
        reason: "mounted at /mnt".into(),
    });
    assert_eq!(bench.refused(CODE, &["AA11"], 1), "drive-refused");
}

#[test]
fn a_newer_plan_closes_the_one_before_and_its_code() {
    let mut bench = Bench::new();
    bench.asked(&[0]);
    let newer = bench.plan(&[1]);
    bench.ledger.ask_for_code(newer.id, code([1; 5]));
    assert_eq!(bench.refused(CODE, &["AA11"], 1), "code-wrong");
    let granted = bench.by_code(&code([1; 5]), &["BB22"], 1).unwrap();
    assert_eq!(granted.plan.drives.len(), 1);
    assert_eq!(granted.plan.drives[0].serial, "BB22");
}
