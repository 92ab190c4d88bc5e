//! A drive that answers nothing any more, on a bus without time-outs of its own (virtio), so that the kernel holds for ever whoever asks
//! it: what hangs is left behind, the drive is told as stuck, and everything else goes on.
//!
//! Such a drive is not pulled here: QEMU itself waits for its access before it lets a drive go.

use std::time::Duration;

use image::nbd::{Disk, Fault, Plan, Server};
use image::qemu::{Bus, Drive, Machine, Source, Vm};
use probe::Op;
use wire::JobId;
use wire::job::{JobState, Outcome, Phase};
use wire::supervisor::UnitState;

use crate::bench::Bench;
use crate::lab::{Lab, SOON};
use crate::services::{SOME, main_process, unit};

/// Longest time to the supervisor's word that it has given a process up: its agent's heartbeat may be late by a minute under load, and
/// four rungs follow.
const ABANDONED: Duration = Duration::from_mins(5);

/// Longest time until the drive is listed as stuck, which is after the kernel itself would have given an access up.
const LISTED: Duration = Duration::from_mins(6);

/// What a person reads of such a drive.
const STUCK: &str = "still hangs in the kernel with it";

/// A drive that can be made to hang, and one beside it with a job of a minute.
fn machine(lab: &Lab, hangs: &Server) -> Machine {
    let beside = Drive::new(Bus::Scsi, "BESIDE01", lab.blank("BESIDE01", 128)).speed(4_000_000);
    let hangs = Drive::new(Bus::Virtio, "HANGS001", Source::Nbd(hangs.path().to_owned())).speed(2_000_000);
    lab.machine(Bus::Virtio, None).drive(hangs).drive(beside)
}

fn hangs() -> Plan {
    Plan::honest().with(Fault::Hang(0..1 << 20))
}

/// Whether the kernel holds a thread of this process.
fn is_held(vm: &mut Vm, pid: i32) -> bool {
    let probe = vm.probe().unwrap();
    let path = format!("/proc/{pid}/task");
    let Ok(tasks) = probe.op(Op::List { path: path.clone() }) else {
        return false;
    };
    let mut names = tasks
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|task| task["name"].as_str());
    names.any(|task| {
        let stat = probe.read(&format!("{path}/{task}/stat")).unwrap_or_default();
        stat.rsplit_once(')').is_some_and(|(_, rest)| rest.starts_with(" D"))
    })
}

/// The job waits for its drive, says why, and has no verdict.
fn waits(bench: &Bench, job: &JobId) {
    let job = bench.wait_job(
        job,
        "that waits for the kernel",
        SOON * 2,
        |job| matches!(&job.state, JobState::Waiting { why } if why.contains(STUCK)),
    );
    assert!(job.verdict.is_none(), "{job:#?}");
    println!("{:?}", job.state);
}

/// The drive is listed as stuck, with what can be done.
fn is_listed(bench: &Bench) {
    let reason = bench.until("drive that is listed as stuck", LISTED, || {
        let drives = bench.drives();
        let refused = drives
            .iter()
            .find(|d| d.serial == "HANGS001")
            .and_then(|d| d.refused.clone());
        let refused = refused.filter(|refused| refused.kind == "stuck");
        refused
            .map(|refused| refused.reason)
            .ok_or_else(|| format!("{drives:#?}"))
    });
    println!("{reason}");
    assert!(reason.contains(STUCK), "{reason}");
    assert!(
        reason.contains("before it answers, is pulled, or the box is restarted"),
        "{reason}"
    );
}

#[test]
fn a_drive_that_the_ring_of_a_killed_agents_worker_holds_keeps_its_job_waiting_until_it_answers() {
    let lab = Lab::new();
    let server = lab.serve("hangs", Disk::blank(64).unwrap());
    let (mut vm, bench) = lab.start(machine(&lab, &server));
    let jobs = bench.burn(&["HANGS001", "BESIDE01"], "surface");
    bench.wait_bytes(&jobs[0], Phase::Write, SOME / 2);
    server.disk().set_plan(hangs());
    std::thread::sleep(Duration::from_secs(2));
    let pid = main_process(&mut vm, &bench, "agent");
    vm.probe().unwrap().signal(pid, 9).unwrap();

    waits(&bench, &jobs[0]);
    assert!(!bench.ends(&jobs[1], Outcome::Passed).resumes.is_empty());
    // Where it answers again at last, its job goes on.
    server.disk().set_plan(Plan::honest());
    let job = bench.ends(&jobs[0], Outcome::Passed);
    assert!(!job.resumes.is_empty(), "{job:#?}");
    bench.offered("HANGS001");
}

#[test]
fn an_agent_that_the_kernel_holds_is_abandoned_its_drive_is_stuck_and_the_others_go_on() {
    let lab = Lab::new();
    let server = lab.serve("hangs", Disk::blank(64).unwrap());
    let (mut vm, bench) = lab.start(machine(&lab, &server));
    let jobs = bench.burn(&["HANGS001", "BESIDE01"], "surface");
    bench.wait_bytes(&jobs[0], Phase::Write, SOME / 2);
    // Behind a pause the agent itself asks the drive whether it is the job's.
    let ask = |what: &str| bench.call("POST", &format!("/jobs/{}/{what}", jobs[0]), None).unwrap();
    assert_eq!(ask("pause").status, 200);
    server.disk().set_plan(hangs());
    assert_eq!(ask("resume").status, 200);
    let pid = main_process(&mut vm, &bench, "agent");
    bench.until("a thread of the agent in the kernel's hands", SOON, || {
        is_held(&mut vm, pid).then_some(()).ok_or_else(String::new)
    });
    vm.probe().unwrap().signal(pid, 9).unwrap();

    bench.until("an agent in place of the abandoned one", ABANDONED, || {
        let now = unit(&bench, "agent");
        let replaced = now.state == UnitState::Ready && now.pid.is_some_and(|other| other != pid);
        match replaced && now.reason.contains("stuck in the kernel and abandoned") {
            true => Ok(()),
            false => Err(format!("{now:?}")),
        }
    });
    assert!(is_held(&mut vm, pid), "it had ended: that proves nothing");
    assert!(!bench.ends(&jobs[1], Outcome::Passed).resumes.is_empty());
    waits(&bench, &jobs[0]);
    is_listed(&bench);
    let told = bench.events();
    for (kind, words) in [
        ("unit.restarted", "stuck in the kernel and abandoned"),
        ("job.waiting", STUCK),
    ] {
        let found = told
            .iter()
            .any(|event| event.kind == kind && event.message.contains(words));
        assert!(found, "no {kind}: {told:#?}");
    }
}
