//! Systems on trial that do not come up: they are left after their tries, and the box tells why.

use std::time::{Duration, Instant};

use image::board::Board;
use image::cpio::Node;
use image::tree;
use image::update::Files;
use image::workspace::Workspace;
use wire::update::{SlotState, UpdateOutcome, UpdateState};

use crate::bench::Bench;
use crate::lab::{BOOT, Lab, SOON};
use crate::slots::{machine, with_slot_b, with_two_slots};
use crate::update::{FAILS, bundle, more, restart, send, slot, slots_told, state, system};

/// A program without libraries.
fn program(main: &str) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let (source, out) = (dir.path().join("main.c"), dir.path().join("main"));
    std::fs::write(&source, format!("#include <unistd.h>\nint main(void) {{ {main} }}\n")).unwrap();
    let cc = std::process::Command::new("cc")
        .args(["-static", "-O1", "-o"])
        .arg(&out)
        .arg(&source)
        .status();
    assert!(cc.unwrap().success());
    std::fs::read(out).unwrap()
}

#[test]
fn a_new_system_whose_init_dies_is_left_after_three_starts_and_the_dashboard_tells_why() {
    let lab = Lab::new();
    let path = bundle(
        lab.path(),
        &system("0.3.0", |f| {
            more(
                f.get_mut("initrd").unwrap(),
                &[("init", Node::File(0o755, program("return 7;")))],
            );
        }),
    );
    let (mut vm, bench) = lab.boot([]);
    slots_told(&bench);
    send(&bench, &path, Duration::ZERO).unwrap();
    restart(&mut vm, &bench);
    let deaths = vm.console().matches("Attempted to kill init").count();
    assert_eq!(deaths, 3, "three starts were tried");
    let bench = Bench::login(&vm);
    assert_eq!(bench.status().supervisor.unwrap().boot.slot, "a");
    let last = bench.until("the reason on the page", SOON, || {
        let last = state(&bench).view.last.ok_or("nothing")?;
        if last.outcome == UpdateOutcome::FellBack {
            Ok(last)
        } else {
            Err(format!("{last:?}"))
        }
    });
    println!("{}", last.text);
    assert!(last.text.starts_with("slot B (0.3.0) failed 3 times: "), "{last:?}");
    assert_eq!(slot(&state(&bench), "b").state, SlotState::Bad);
    let banner = bench
        .status()
        .banners
        .iter()
        .any(|b| b.text.to_lowercase().contains("slot b (0.3.0) failed 3 times"));
    assert!(banner, "{:?}", bench.status().banners);
}

/// A slot b on its last try with something changed; what the box says after it has gone back.
fn falls_back(change: impl Fn(&mut Files)) -> String {
    let lab = Lab::new();
    let image = with_slot_b(&lab, "1", change);
    let machine = machine(&lab, &image);
    let mut vm = machine.start(lab.path()).unwrap();
    let deadline = Instant::now() + FAILS;
    // Either the new system's server, which is left soon, or the old one's.
    vm.wait_http("/api/v1/health", FAILS).unwrap();
    let mut bench = Bench::login(&vm);
    let last = loop {
        assert!(Instant::now() < deadline, "the box did not go back: {}", vm.console());
        let answer = bench.call("GET", "/update", None).ok();
        // A new system without its medium let us in, and what it knew is gone with it.
        if answer.as_ref().is_some_and(|a| a.status == 401) {
            bench = Bench::login(&vm);
        }
        let answer = answer.filter(|a| a.status == 200);
        let now = answer.and_then(|a| serde_json::from_slice::<UpdateState>(&a.body).ok());
        if let Some(last) = now
            .and_then(|s| s.view.last)
            .filter(|l| l.outcome == UpdateOutcome::FellBack)
        {
            break last;
        }
        std::thread::sleep(Duration::from_secs(1));
    };
    println!("{}", last.text);
    assert_eq!(slot(&state(&bench), "a").state, SlotState::Good);
    assert_eq!(slot(&state(&bench), "b").state, SlotState::Bad);
    last.text
}

/// The same with a unit that only sleeps: the rest of its file is `text`.
fn falls_back_for(unit: &str, text: &str) -> String {
    falls_back(|b| {
        let file = format!("etc/kiln/units/{unit}.toml");
        let text = format!(
            "exec = [\"/kiln/sleeper\"]\ntype = \"notify\"\nafter = [\"data\"]\nstart_timeout_sec = 300\n{text}"
        );
        more(
            b.get_mut("initrd").unwrap(),
            &[
                (&file, Node::File(0o644, text.into())),
                ("kiln/sleeper", Node::File(0o755, program("for (;;) pause();"))),
            ],
        );
    })
}

#[test]
fn a_new_system_whose_server_never_gets_ready_is_left_and_the_dashboard_tells_why() {
    let text = falls_back_for("server", "critical = true\nuser = \"900\"\n");
    assert!(text.contains("server not READY"), "{text}");
}

/// Takes a driver from a system: its modules are told by tables of the initramfs, in which no device asks for this one.
fn without_driver(files: &mut Files, driver: &str) {
    let ws = Workspace::find();
    let board = Board::load(&ws.boards(), "x86-64").unwrap();
    let (_, modules) = tree::kernel(&ws, &board).unwrap();
    let within = format!("lib/modules/{}", modules.version);
    let mut members = vec![
        // In place of the link to the system's own.
        ("lib".to_owned(), Node::Dir(0o755)),
        (
            "lib/x86_64-linux-gnu".to_owned(),
            Node::Link("/system/usr/lib/x86_64-linux-gnu".into()),
        ),
        (
            format!("{within}/kernel"),
            Node::Link(format!("/system/usr/{within}/kernel")),
        ),
    ];
    for table in ["modules.dep", "modules.alias", "modules.softdep"] {
        let text = std::fs::read_to_string(modules.root.join(&within).join(table)).unwrap();
        let kept: String = text
            .lines()
            .filter(|l| table != "modules.alias" || l.split(' ').next_back() != Some(driver))
            .map(|l| format!("{l}\n"))
            .collect();
        members.push((format!("{within}/{table}"), Node::File(0o644, kept.into_bytes())));
    }
    let members: Vec<(&str, Node)> = members
        .iter()
        .map(|(name, node)| (name.as_str(), node.clone()))
        .collect();
    more(files.get_mut("initrd").unwrap(), &members);
}

#[test]
fn new_systems_whose_agent_never_beats_or_without_a_driver_for_their_boot_medium_are_left_and_the_dashboard_tells_why()
{
    // Each takes three minutes, in which its machine idles: they wait side by side.
    std::thread::scope(|both| {
        let agent = both.spawn(|| falls_back_for("agent", ""));
        let medium = both.spawn(|| falls_back(|b| without_driver(b, "virtio_blk")));
        let text = agent.join().unwrap();
        assert!(text.contains("agent not READY"), "{text}");
        let text = medium.join().unwrap();
        assert!(
            text.contains("slot B") && text.contains("could not use its boot medium"),
            "{text}"
        );
    });
}

/// A server that is never ready.
const SLEEPS: &str = "exec = [\"/kiln/sleeper\"]\ntype = \"notify\"\nafter = [\"data\"]\nstart_timeout_sec = 3\nstart_limit_burst = 1\ncritical = true\nuser = \"900\"\n";

fn sleeps(files: &mut Files) {
    more(
        files.get_mut("initrd").unwrap(),
        &[
            ("etc/kiln/units/server.toml", Node::File(0o644, SLEEPS.into())),
            ("kiln/sleeper", Node::File(0o755, program("for (;;) pause();"))),
        ],
    );
}

#[test]
fn a_proven_system_that_restarts_itself_three_times_in_a_row_is_left_for_the_other_one() {
    let lab = Lab::new();
    let block = |env: image::grub::Env| env.with("prefer", "b").with("b", "good").with("kept", "b");
    let image = with_two_slots(&lab, block, sleeps);
    let machine = machine(&lab, &image);
    let mut vm = machine.start(lab.path()).unwrap();
    vm.wait_console("Safe mode: this box has restarted itself 3 times in a row", FAILS)
        .unwrap();
    vm.wait_http("/api/v1/health", BOOT).unwrap();
    let bench = Bench::login(&vm);
    let boot = bench.status().supervisor.unwrap().boot;
    assert_eq!(boot.slot, "a");
    assert!(boot.reason.contains("back to the system in slot A"), "{}", boot.reason);
    bench.until("the slot that was left", SOON, || {
        match slot(&state(&bench), "b").state {
            SlotState::Bad => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    let banners = bench.status().banners;
    assert!(!banners.iter().any(|b| b.text.contains("Safe mode")), "{banners:?}");
}

#[test]
fn a_box_without_another_system_stays_in_safe_mode_and_starts_no_agent() {
    let lab = Lab::new();
    let block = |env: image::grub::Env| {
        env.with("prefer", "b")
            .with("a", "bad")
            .with("b", "good")
            .with("kept", "b")
    };
    let image = with_two_slots(&lab, block, sleeps);
    let machine = machine(&lab, &image);
    let mut vm = machine.start(lab.path()).unwrap();
    vm.wait_console("Safe mode: this box has restarted itself 3 times in a row", FAILS)
        .unwrap();
    let mark = vm.mark();
    vm.wait_console_after(mark, "unit server is in quarantine", FAILS)
        .unwrap();
    assert!(vm.probe().unwrap().pids("kiln-agent", "").unwrap().is_empty());
}
