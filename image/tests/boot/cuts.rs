//! The power is cut at any moment of an update, with what the medium's cache held lost or not, and nothing is ever half.

use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant, SystemTime};

use image::nbd::{Disk, Medium};
use image::qemu::{Arch, Bus, Source};
use wire::update::{SlotState, UpdateState};

use crate::bench::{Bench, PASSWORD};
use crate::images::image;
use crate::lab::Lab;
use crate::update::{finish, is_kept, lay, next_version, restart, send, slot, slots_told};

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

/// Waits for a moment of an update, in words: up to 100 that much of its chunks is on the medium, beyond that it is being compared
/// and switched to, or is over. Told by how far it is, not by a clock: no machine is too slow for any of them.
fn until(bench: &Bench, moment: u64, laid: &Receiver<()>, is_over: impl Fn() -> bool) -> String {
    let begun = Instant::now();
    let share = || {
        let answer = bench.call("GET", "/update", None).ok()?;
        let writing = serde_json::from_slice::<UpdateState>(&answer.body).ok()?.view.writing?;
        Some(u64::from(writing.done) * 100 / u64::from(writing.chunks.max(1)))
    };
    if moment < 100 {
        while laid.try_recv().is_err() && !is_over() {
            if let Some(share) = share().filter(|share| *share >= moment) {
                return format!("at {share} % of the chunks");
            }
            std::thread::sleep(Duration::from_millis(20));
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
    let version = |n: usize| format!("0.{}.0", n + 2);
    let (mut vm, mut bench) = lab.start(machine());
    let mut path = next_version(lab.path(), &version(0));
    let mut kept = 0;
    for n in 0..cuts {
        slots_told(&bench);
        let from = bench.status().supervisor.unwrap().boot.slot;
        let (sender, of, pace) = (bench.clone(), path.clone(), Duration::from_millis(random() % 60));
        let (say, laid) = channel();
        let sending = std::thread::spawn(move || {
            lay(&sender, &of, pace)?;
            let _ = say.send(());
            finish(&sender)
        });
        let place = until(&bench, random() % 150, &laid, || sending.is_finished());
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
            continue;
        }
        // The switch had arrived: a whole new system runs. It is kept, and the next update goes the other way.
        assert_eq!(slot(&now, &runs).version, Some(version(kept)));
        assert_eq!(slot(&is_kept(&bench, &runs), &from).state, SlotState::Good);
        kept += 1;
        println!("version {} is kept in slot {runs}", version(kept - 1));
        if n + 1 < cuts {
            path = next_version(lab.path(), &version(kept));
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
