//! Services that die, stop and come back: nothing is lost, jobs go on, the dashboard tells.

use std::time::Duration;

use image::qemu::Vm;
use probe::Op;
use wire::boxes::Liveness;
use wire::job::{Outcome, Phase};
use wire::supervisor::{Rung, UnitState, UnitView};

use crate::bench::Bench;
use crate::boot::healthy;
use crate::lab::{BOOT, Lab, SOON};

/// Far enough into writing that a checkpoint may exist, and far from its end.
pub(crate) const SOME: u64 = 16 << 20;

/// The unit as the supervisor sees it. A server that has just started has not heard from the supervisor yet.
pub(crate) fn unit(bench: &Bench, name: &str) -> UnitView {
    bench.until(&format!("unit {name}"), SOON, || {
        let units = bench.status().supervisor.map(|s| s.units).unwrap_or_default();
        let found = units.iter().find(|u| u.name == name).cloned();
        found.ok_or_else(|| format!("{units:?}"))
    })
}

/// A unit's main process, which is not one of its workers.
pub(crate) fn main_process(vm: &mut Vm, bench: &Bench, name: &str) -> i32 {
    let pid = bench.until(&format!("main process of {name}"), SOON, || {
        let unit = unit(bench, name);
        unit.pid.ok_or_else(|| format!("{unit:?}"))
    });
    let processes = vm.probe().unwrap().pids(&format!("kiln-{name}"), "").unwrap();
    assert!(processes.contains(&pid), "{name} is {pid}, not in {processes:?}");
    pid
}

#[test]
fn a_killed_agent_is_restarted_and_its_job_resumes() {
    let lab = Lab::new();
    let (mut vm, bench) = lab.boot([lab.slow("AGENTK01")]);
    let job = bench.burn(&["AGENTK01"], "surface").remove(0);
    bench.wait_bytes(&job, Phase::Write, SOME);
    let pid = main_process(&mut vm, &bench, "agent");
    vm.probe().unwrap().signal(pid, 9).unwrap();

    let after = bench.ends(&job, Outcome::Passed);
    assert!(
        !after.resumes.is_empty(),
        "the job does not say that it was interrupted: {after:#?}"
    );
    let agent = unit(&bench, "agent");
    assert!(agent.restarts >= 1 && agent.pid != Some(pid), "{agent:?}");
    assert_eq!(bench.jobs().len(), 1, "the job went on, it was not begun anew");
}

#[test]
fn a_stopped_agent_is_late_then_degraded_then_killed_and_restarted_and_the_dashboard_tells() {
    let lab = Lab::new();
    let (mut vm, bench) = lab.boot([lab.slow("AGENTS01")]);
    let job = bench.burn(&["AGENTS01"], "surface").remove(0);
    bench.wait_bytes(&job, Phase::Write, SOME);
    let pid = main_process(&mut vm, &bench, "agent");
    vm.probe().unwrap().signal(pid, 19).unwrap();

    let mut rungs = Vec::new();
    let mut degraded = false;
    bench.until("restart of the stopped agent", Duration::from_mins(4), || {
        let view = bench.status();
        degraded |= view.agent.state != Liveness::Online;
        let agent = view
            .supervisor
            .and_then(|s| s.units.into_iter().find(|u| u.name == "agent"))
            .ok_or("no agent")?;
        if let Some(rung) = agent.rung
            && rungs.last() != Some(&rung)
        {
            rungs.push(rung);
        }
        if agent.pid.is_some_and(|p| p != pid) && agent.state == UnitState::Ready {
            Ok(())
        } else {
            Err(format!("{agent:?}"))
        }
    });
    println!("rungs seen: {rungs:?}");
    // Each of these lasts for seconds: SIGABRT waits for a process that is stopped. The kill itself is over at once.
    for rung in [Rung::Late, Rung::Degraded, Rung::Abort] {
        assert!(rungs.contains(&rung), "{rung:?} was not shown: {rungs:?}");
    }
    assert!(degraded, "the dashboard showed the agent as online all the time");

    let told = bench.until("events of the agent's fall and rise", SOON, || {
        let events = bench.events();
        let about: Vec<_> = events
            .iter()
            .filter(|e| e.data["unit"] == "agent")
            .map(|e| (e.kind.as_str(), &e.message))
            .collect();
        let degraded = about.iter().any(|(kind, _)| *kind == "unit.degraded");
        let killed = |(kind, message): &(&str, &String)| *kind == "unit.restarted" && message.contains("SIGKILL");
        let all = degraded && about.iter().any(killed);
        if all {
            Ok(format!("{about:#?}"))
        } else {
            Err(format!("{about:#?}"))
        }
    });
    println!("{told}");
    let after = bench.ends(&job, Outcome::Passed);
    assert!(!after.resumes.is_empty(), "{after:#?}");
}

#[test]
fn a_killed_server_is_back_and_nothing_is_lost() {
    let lab = Lab::new();
    let (mut vm, bench) = lab.boot([lab.slow("SERVERK1")]);
    let job = bench.burn(&["SERVERK1"], "surface").remove(0);
    bench.wait_bytes(&job, Phase::Write, SOME);
    let before = bench.events();
    let pid = main_process(&mut vm, &bench, "server");
    vm.probe().unwrap().signal(pid, 9).unwrap();

    bench.until("restart of the server", SOON, || {
        let server = unit(&bench, "server");
        if server.pid.is_some_and(|p| p != pid) {
            Ok(())
        } else {
            Err(format!("{server:?}"))
        }
    });
    let after = bench.events();
    assert_eq!(
        after[..before.len()],
        before[..],
        "what had happened is still told, in the same words"
    );
    let chained = after
        .windows(2)
        .all(|w| w[1].prev_hash == w[0].hash && w[1].seq == w[0].seq + 1);
    assert!(
        chained && after.iter().all(wire::Event::is_sealed),
        "the chain of events holds"
    );

    // The agent never stopped: nothing to resume.
    let done = bench.ends(&job, Outcome::Passed);
    assert!(done.resumes.is_empty(), "{:#?}", done.resumes);
    let events = bench.events();
    assert!(
        events
            .iter()
            .any(|e| e.kind == "job.started" && e.job.as_ref() == Some(&job)),
        "{events:#?}"
    );

    // A page that had seen the first events gets exactly the ones after them.
    let seen = before.len() as u64;
    let stream = bench.stream(Some(seen));
    let mut replayed = Vec::new();
    while replayed.last() != events.last().map(|e| &e.seq) {
        let (_, sent) = stream.recv_timeout(SOON).expect("replay of the events missed");
        if sent.kind == "event" {
            replayed.push(serde_json::from_str::<wire::Event>(&sent.data).unwrap().seq);
        }
    }
    let missed: Vec<u64> = (seen + 1..=events.len() as u64).collect();
    assert_eq!(replayed, missed);
}

/// Where reports of crashes and cores are kept, and how much of a process's memory at most, in bytes.
const CRASHES: &str = "/var/lib/kiln/supervisor/crashes";
const CORE_MAX: u64 = 32 << 20;
const SIGSEGV: i32 = 11;

/// Lets a unit's process meet a fault, and waits until the next one is ready.
fn crash(vm: &mut Vm, bench: &Bench, name: &str) {
    let old = main_process(vm, bench, name);
    bench.until(&format!("{name} after its crash"), SOON * 3, || {
        // Rust's own handler looks for an overflow of the stack, takes itself away and leaves the next one to the kernel.
        let _ = vm.probe().unwrap().signal(old, SIGSEGV);
        let now = unit(bench, name);
        if now.state == UnitState::Ready && now.pid.is_some_and(|pid| pid != old) {
            Ok(())
        } else {
            Err(format!("{now:?}"))
        }
    });
}

#[test]
fn of_services_that_crash_the_last_four_reports_and_capped_cores_are_kept_and_told_by_the_next_boot() {
    let lab = Lab::new();
    let (mut vm, bench) = lab.boot([]);
    healthy(&bench, "bios");
    for name in ["server", "mdns", "mdns", "agent", "server"] {
        crash(&mut vm, &bench, name);
    }
    let kept = bench.until("four reports with cores", SOON, || {
        let list = vm.probe().unwrap().op(Op::List { path: CRASHES.into() }).unwrap();
        let list = list.as_array().unwrap();
        let ending = |end: &str| {
            list.iter()
                .filter(|f| f["name"].as_str().unwrap().ends_with(end))
                .count()
        };
        if (ending(".txt"), ending(".core.gz")) == (4, 4) {
            Ok(list.clone())
        } else {
            Err(format!("{list:#?}"))
        }
    });
    println!("{kept:#?}");
    let mut units = Vec::new();
    for file in &kept {
        // A core holds memory, so it is root's alone; the journal reads the report.
        let Some(name) = file["name"].as_str().unwrap().strip_suffix(".txt") else {
            assert_eq!(file["mode"], 0o600, "{file}");
            continue;
        };
        assert_eq!(file["mode"], 0o640, "{file}");
        // `TIME-UNIT-PROCESS`.
        units.push(name.split('-').nth(1).unwrap().to_owned());
        let line = vm.wait_console(&format!("kept as {name} ("), SOON).unwrap();
        let bytes = line.rsplit('(').next().and_then(|rest| rest.split(' ').next());
        let bytes: u64 = bytes.and_then(|n| n.parse().ok()).unwrap_or_else(|| panic!("{line}"));
        assert!((1..=CORE_MAX).contains(&bytes), "{line}");
        let report = vm.probe().unwrap().read(&format!("{CRASHES}/{name}.txt")).unwrap();
        assert!(
            report.contains(" crashed: SIGSEGV at ") && report.contains("\nmaps:\n"),
            "{report}"
        );
    }
    assert_eq!(units, ["mdns", "mdns", "agent", "server"], "the first one made room");

    vm.probe().unwrap().op(Op::Sync {}).unwrap();
    let mark = vm.mark();
    vm.reset().unwrap();
    vm.wait_console_after(mark, "dashboard: http", BOOT).unwrap();
    vm.wait_http("/api/v1/health", BOOT).unwrap();
    let bench = Bench::login(&vm);
    let told = bench.until("the crashes among the banners", SOON, || {
        let banners = bench.status().supervisor.map(|s| s.banners).unwrap_or_default();
        let told = banners.iter().find(|b| b.text.starts_with("In an earlier boot "));
        told.map(|b| b.text.clone()).ok_or_else(|| format!("{banners:#?}"))
    });
    println!("{told}");
    for (name, times) in [("mdns", 2), ("agent", 1), ("server", 1)] {
        let counted = told.matches(&format!("{name} crashed: SIGSEGV at ")).count();
        assert_eq!(counted, times, "{name}: {told}");
    }
    let bundle = bench.bundle();
    let reports = bundle
        .iter()
        .filter(|(name, text)| name.starts_with("crash-") && text.contains(" crashed: SIGSEGV at "));
    let left = &bundle["remains.txt"];
    assert_eq!(reports.count(), 4, "{left}");
    assert_eq!(left.matches(".core.gz: ").count(), 4, "{left}");
    assert!(!bundle.keys().any(|name| name.contains(".core")), "{left}");
}
