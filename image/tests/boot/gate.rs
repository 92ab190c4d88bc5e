//! The gate, from outside: nothing is erased without a plan, a person and the very drive that was agreed to.
//!
//! Forged frames straight to the agent are tested beside the agent; here everything goes the way a page goes.

use image::qemu::{Bus, Drive};
use serde_json::json;
use wire::gate::Armed;

use crate::lab::{Lab, SOON};

/// Whether no byte of the drive has been touched.
fn untouched(lab: &Lab, serial: &str) -> bool {
    std::fs::read(lab.path().join(serial)).unwrap().iter().all(|b| *b == 0)
}

#[test]
fn a_ticket_is_good_for_one_start_of_its_own_plan_and_not_across_a_restart_of_the_server() {
    let lab = Lab::new();
    let drives = ["TICKET01", "TICKET02"].map(|s| Drive::new(Bus::Scsi, s, lab.blank(s, 16)));
    let (mut vm, bench) = lab.boot(drives);
    let [one, two] = ["TICKET01", "TICKET02"].map(|s| bench.offered(s).id.unwrap());
    let plan = bench.plan(std::slice::from_ref(&one), "surface").unwrap();
    let other = bench.plan(&[two], "surface").unwrap();

    // What was typed must name the drive, and the password must be right.
    let wrong = |body| {
        bench
            .call("POST", &format!("/plans/{}/arm", plan.id), Some(&body))
            .unwrap()
            .status
    };
    assert!((400..500).contains(&wrong(
        json!({ "password": crate::bench::PASSWORD, "confirm": { one.to_string(): "ABCD" } })
    )));
    assert!((400..500).contains(&wrong(
        json!({ "password": "guess-guess", "confirm": { one.to_string(): "T01" } })
    )));

    let armed = bench.arm(&plan).unwrap();
    // Another plan's ticket, a changed ticket, a changed signature, no ticket.
    let forged = [
        (&other, armed.clone()),
        (
            &plan,
            Armed {
                ticket: armed.ticket.replace("admin", "amdin"),
                ..armed.clone()
            },
        ),
        (
            &plan,
            Armed {
                signature: "0".repeat(128),
                ..armed.clone()
            },
        ),
        (
            &plan,
            Armed {
                ticket: "{}".into(),
                ..armed.clone()
            },
        ),
    ];
    for (plan, ticket) in &forged {
        let refused = bench.fire(plan, ticket).unwrap_err();
        println!("forged: {refused}");
    }
    let empty = bench
        .call("POST", &format!("/plans/{}/start", plan.id), Some(&json!({})))
        .unwrap();
    assert!((400..500).contains(&empty.status), "{}", empty.text());
    assert!(bench.jobs().is_empty() && untouched(&lab, "TICKET01") && untouched(&lab, "TICKET02"));

    let pid = vm.probe().unwrap().pids("kiln-server", "").unwrap()[0];
    vm.probe().unwrap().signal(pid, 9).unwrap();
    vm.wait_http("/api/v1/health", SOON).unwrap();
    // Plans live in memory alone: after the restart the old ticket opens nothing, and a fresh plan must be made.
    bench.until("agent connected to the new server", SOON, || {
        let view = bench.status();
        let online = view.agent.state == wire::boxes::Liveness::Online;
        if online {
            Ok(())
        } else {
            Err(format!("{:?}", view.agent))
        }
    });
    let refused = bench.fire(&plan, &armed).unwrap_err();
    println!("after a restart of the server: {refused}");
    assert!(bench.jobs().is_empty() && untouched(&lab, "TICKET01"));

    let plan = bench.plan(std::slice::from_ref(&one), "surface").unwrap();
    let old = bench.fire(&plan, &armed).unwrap_err();
    println!("old ticket, fresh plan: {old}");
    let armed = bench.arm(&plan).unwrap();
    let jobs = bench.fire(&plan, &armed).unwrap();
    assert_eq!(jobs.len(), 1);
    // Whoever lost the answer gets the same once more, and starts nothing.
    assert_eq!(bench.fire(&plan, &armed).unwrap(), jobs);
    bench.ends(&jobs[0], wire::job::Outcome::Passed);
    assert_eq!(bench.jobs().len(), 1);
    assert!(untouched(&lab, "TICKET02"));
}
