//! The power is cut at any moment of an update, with what the medium's cache held lost or not, and nothing is ever half.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant, SystemTime};

use image::cpio::Node;
use image::nbd::{Disk, Medium};
use image::qemu::{Arch, Bus, Source};
use wire::update::SlotState;

use crate::bench::{Bench, PASSWORD};
use crate::images::image;
use crate::lab::Lab;
use crate::update::{bundle, finish, is_kept, lay, more, next_version, restart, send, slot, slots_told, system};

/// How many cuts: three in the ordinary run, fifty with `KILN_LONG`, else what `KILN_CUTS` says; and where the random moments begin:
/// on another day elsewhere, or at `KILN_SEED`.
fn cuts_and_seed() -> (usize, u64) {
    let given = |name: &str| std::env::var(name).ok().map(|v| v.parse::<u64>().unwrap());
    let cuts = if std::env::var_os("KILN_LONG").is_some() { 50 } else { 3 };
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    (
        given("KILN_CUTS").map_or(cuts, |n| n as usize),
        given("KILN_SEED").unwrap_or(since.as_secs() / 86_400),
    )
}

/// Waits for a moment of an update, in words: up to 100 that much of the `left` sectors is written since the disk had `before`, beyond
/// that it is being compared and switched to, or is over. Told by the disk, not by a clock or by the box: no machine is too slow for
/// any of them, and what the box copies from the system that runs is no single leap.
fn until(
    disk: &Disk,
    (before, left): (u64, u64),
    moment: u64,
    laid: &Receiver<()>,
    is_over: impl Fn() -> bool,
) -> String {
    let begun = Instant::now();
    if moment < 100 {
        while laid.try_recv().is_err() && !is_over() {
            let written = disk.counters().sectors_written - before;
            if written * 100 >= left * moment {
                return format!("with {written} of some {left} sectors");
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        return "with all chunks".into();
    }
    let _ = laid.recv();
    // Comparing takes about as long as writing did.
    let (wait, laid) = (begun.elapsed().mul_f64((moment - 100) as f64 / 40.0), Instant::now());
    while laid.elapsed() < wait && !is_over() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let when = if is_over() { "over" } else { "compared" };
    format!("{:?} behind all chunks, {when}", laid.elapsed())
}

/// A bundle of a system that works. Of every other one no chunk of the initramfs lies in a slot already, because all of it is moved
/// by some `bytes`: those are sent, the others are found or copied.
fn next(dir: &Path, n: usize, bytes: usize) -> PathBuf {
    let version = version(n);
    if n.is_multiple_of(2) {
        return next_version(dir, &version);
    }
    let files = system(&version, |files| {
        let initrd = files.get_mut("initrd").unwrap();
        let mut moved = Vec::new();
        more(&mut moved, &[("next", Node::File(0o644, vec![1; bytes]))]);
        moved.resize(moved.len().next_multiple_of(512), 0);
        moved.append(initrd);
        *initrd = moved;
    });
    bundle(dir, &files)
}

fn version(n: usize) -> String {
    format!("0.{}.0", n + 2)
}

#[test]
fn the_power_is_cut_at_any_moment_of_an_update_and_nothing_is_ever_half() {
    let lab = Lab::new();
    let medium = Disk::new(Medium::over(image(Arch::X86_64)).unwrap()).with_volatile_cache();
    let boot = lab.serve("boot", medium);
    let machine = || {
        lab.bare()
            .boot(Bus::Virtio, Source::Nbd(boot.path().to_owned()), None)
            .fw_cfg("opt/kiln/env/ADMIN_PASSWORD", PASSWORD)
    };
    let (cuts, seed) = cuts_and_seed();
    println!("{cuts} cuts, seed {seed}");
    let mut seed = seed ^ 0x9e37_79b9_7f4a_7c15;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let (mut vm, mut bench) = lab.start(machine());
    let mut path = next(lab.path(), 0, 0);
    let sectors = |path: &Path| std::fs::metadata(path).unwrap().len() / 512;
    let (mut made, mut kept, mut left) = (0, 0, sectors(&path));
    for n in 0..cuts {
        slots_told(&bench);
        let from = bench.status().supervisor.unwrap().boot.slot;
        let (sender, of, pace) = (bench.clone(), path.clone(), Duration::from_millis(random() % 60));
        let (say, laid) = channel();
        let before = boot.disk().counters().sectors_written;
        let sending = std::thread::spawn(move || {
            lay(&sender, &of, pace)?;
            let _ = say.send(());
            finish(&sender)
        });
        let place = until(boot.disk(), (before, left), random() % 150, &laid, || {
            sending.is_finished()
        });
        let written = boot.disk().counters().sectors_written - before;
        let lost = boot.cut(random()).unwrap();
        vm.cut();
        let sent = sending.join().unwrap();
        println!(
            "cut {n} {place}: {lost:?}, {}",
            if sent.is_ok() { "written" } else { "not written" }
        );
        boot.disk().power_on();
        (vm, bench) = lab.start(machine());
        let now = slots_told(&bench);
        let runs = bench.status().supervisor.unwrap().boot.slot;
        if runs == from {
            assert!(sent.is_err(), "an update that was told to be written is gone: {now:#?}");
            // What is there already is found by the next try; where all of it is, another version begins anew.
            left = left.saturating_sub(written);
            if left < sectors(&path) / 20 && n + 1 < cuts {
                made += 1;
                path = next(lab.path(), made, random() as usize % 100_000);
                left = sectors(&path);
            }
            continue;
        }
        // The switch had arrived: a whole new system runs. It is kept, and the next update goes the other way.
        assert_eq!(slot(&now, &runs).version, Some(version(made)));
        assert_eq!(slot(&is_kept(&bench, &runs), &from).state, SlotState::Good);
        kept += 1;
        println!("version {} is kept in slot {runs}", version(made));
        if n + 1 < cuts {
            made += 1;
            path = next(lab.path(), made, random() as usize % 100_000);
            left = sectors(&path);
        }
    }
    if kept == 0 {
        let needs = send(&bench, &path, Duration::ZERO).unwrap();
        println!(
            "after {cuts} cuts: {} found, {} copied, {} sent",
            needs.found,
            needs.copied,
            needs.need.len()
        );
        restart(&mut vm, &bench);
        let bench = Bench::login(&vm);
        assert_eq!(slot(&is_kept(&bench, "b"), "a").state, SlotState::Good);
    }
}
