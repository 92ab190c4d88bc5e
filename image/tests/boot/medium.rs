//! The medium under a box that works: pulled and put back, full, made read-only. Burn-ins go on each time, and it is told.

use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use image::qemu::{Bus, Drive, Machine, Source, Vm};
use probe::Op;
use wire::JobId;
use wire::boxes::BoxView;
use wire::job::{Outcome, Phase};
use wire::supervisor::Medium;

use crate::bench::{Bench, PASSWORD};
use crate::lab::{BOOT, Lab, SOON};

/// Far enough into writing, and far from its end.
const SOME: u64 = 8 << 20;

/// What is told of a DATA that takes no more; of one that is only nearly full other words are told.
const FULL: &str = "The DATA partition is full";

/// How long a quick hand takes to put another card in: less than the kernel waits between two looks.
const QUICK: Duration = Duration::from_millis(300);
/// A slow one's time: the pull is noticed, and services still end because of it.
const SLOW: Duration = Duration::from_secs(6);
/// Longer than the kernel keeps in memory what is to be written (30 s), and than the journal keeps its file open.
const WRITTEN_OUT: Duration = Duration::from_secs(45);

/// How long the stick is away, in the ordinary run and with `KILN_LONG`.
fn away() -> Duration {
    Duration::from_secs(match std::env::var_os("KILN_LONG") {
        Some(_) => 600,
        None => 20,
    })
}

/// Where state is kept.
fn medium(view: &BoxView) -> Option<Medium> {
    view.supervisor.as_ref().map(|s| s.boot.medium)
}

/// Waits until state is kept there; the box may be asked anew for a session, because the server starts again with its state.
fn kept_on(vm: &mut Vm, where_: Medium) -> Bench {
    vm.wait_http("/api/v1/health", BOOT).unwrap();
    let bench = Bench::login(vm);
    bench.until(&format!("state on {where_:?}"), SOON * 3, || {
        let view = bench.status();
        if medium(&view) == Some(where_) {
            Ok(())
        } else {
            Err(format!("{view:#?}"))
        }
    });
    bench
}

/// Waits until a banner has this word.
fn told(bench: &Bench, word: &str) -> String {
    bench.until(&format!("banner with {word:?}"), SOON * 3, || {
        let view = bench.status();
        let own = view.supervisor.iter().flat_map(|s| s.banners.iter());
        let found = view.banners.iter().chain(own).find(|b| b.text.contains(word));
        found.map(|b| b.text.clone()).ok_or_else(|| format!("{view:#?}"))
    })
}

/// A box that keeps its state on the medium and burns a drive in.
struct UnderLoad {
    vm: Vm,
    bench: Bench,
    boot_id: String,
    job: JobId,
    /// Bytes of the drive.
    size: u64,
}

impl UnderLoad {
    /// Starts `machine` with one more drive, of `mib` MiB at 3 MB/s, and waits until it is being written to.
    fn start(lab: &Lab, machine: Machine, serial: &str, mib: u64) -> Self {
        let drive = Drive::new(Bus::Scsi, serial, lab.blank(serial, mib)).speed(3_000_000);
        let (mut vm, _) = lab.start(machine.drive(drive));
        let bench = kept_on(&mut vm, Medium::Disk);
        let boot_id = bench.status().supervisor.unwrap().boot.boot_id;
        let job = bench.burn(&[serial], "surface").remove(0);
        bench.wait_bytes(&job, Phase::Write, SOME);
        Self {
            vm,
            bench,
            boot_id,
            job,
            size: mib << 20,
        }
    }

    /// Waits until state is kept there and a banner has this word; the session is another one from then on.
    fn moves_to(&mut self, medium: Medium, word: &str) {
        self.bench = kept_on(&mut self.vm, medium);
        println!("{}", told(&self.bench, word));
    }

    /// The job passes over the whole drive, and the box was not reset on the way.
    fn passes(&self) {
        let done = self.bench.ends(&self.job, Outcome::Passed);
        assert_eq!(done.verdict.as_ref().unwrap().verified.0, self.size, "{done:#?}");
        let boot_id = self.bench.status().supervisor.unwrap().boot.boot_id;
        assert_eq!(boot_id, self.boot_id, "the box was reset");
    }
}

#[test]
fn a_stick_pulled_under_load_and_put_back_is_written_to_again_and_nothing_is_lost() {
    let lab = Lab::new();
    let mut it = UnderLoad::start(&lab, lab.machine(Bus::Usb, None), "PUTBACK1", 192);
    it.vm.pull("boot").unwrap();
    it.moves_to(Medium::Ram, "memory");
    std::thread::sleep(away());

    let mut stick = Drive::new(Bus::Usb, "KILNBOOT", Source::Qcow2(lab.medium()));
    stick.id = "boot".into();
    // What is put back is started from again.
    stick.boot_index = Some(0);
    it.vm.plug(stick).unwrap();
    it.moves_to(Medium::Disk, "The boot medium is back");
    // At first it is any stick with Kiln on it; once PID 1 keeps state there again it is this box's own.
    it.bench.drive("KILNBOOT", "refused as the boot disk", |d| {
        d.present && d.refused.as_ref().is_some_and(|r| r.kind == "boot-disk")
    });
    it.passes();

    // What was told while the stick was away is on it now, and outlives a restart.
    let before = it.bench.events();
    it.vm.probe().unwrap().op(Op::Sync {}).unwrap();
    let mark = it.vm.mark();
    it.vm.reset().unwrap();
    it.vm.wait_console_after(mark, "dashboard: http", BOOT).unwrap();
    let bench = kept_on(&mut it.vm, Medium::Disk);
    let after = bench.events();
    assert!(
        after.len() >= before.len(),
        "{} events of {}",
        after.len(),
        before.len()
    );
    assert_eq!(after[..before.len()], before[..]);
    let outcome = bench.job(&it.job).verdict.map(|v| v.outcome);
    assert_eq!(outcome, Some(Outcome::Passed));
}

/// Starts from a card in a reader and puts another one in its place, `away` after the card was taken out: what had been written to that one
/// when the box gave DATA up, and nothing more may be after that, in sectors.
fn another_card_is_not_written(away: Duration) -> u64 {
    let lab = Lab::new();
    let mut card = Drive::new(Bus::Usb, "KILNBOOT", Source::Qcow2(lab.medium())).removable();
    card.id = "boot".into();
    card.boot_index = Some(0);
    let machine = lab.bare().drive(card).fw_cfg("opt/kiln/env/ADMIN_PASSWORD", PASSWORD);
    let (mut vm, _) = lab.start(machine);
    let bench = kept_on(&mut vm, Medium::Disk);
    let own = bench.drive("KILNBOOT", "there", |drive| drive.present);
    // As large as ours, so that there is a place for all that DATA could write: a file of holes, of which each write takes one.
    let stranger = lab.path().join("stranger");
    let file = std::fs::File::create_new(&stranger).unwrap();
    file.set_len(own.capacity.0).unwrap();
    vm.take_out("boot").unwrap();
    std::thread::sleep(away);
    vm.put_in("boot", Source::Raw(stranger)).unwrap();
    vm.wait_console("state is kept in memory from now on", SOON).unwrap();
    let written = || {
        // What the host has not written out it counts otherwise.
        file.sync_all().unwrap();
        file.metadata().unwrap().blocks()
    };
    let given_up = written();
    let bench = kept_on(&mut vm, Medium::Ram);
    println!("{}", told(&bench, "memory"));
    std::thread::sleep(WRITTEN_OUT);
    // The reader takes commands again, and what lies in it is a drive like any other.
    bench.drive("KILNBOOT", "offered", |drive| drive.present && drive.refused.is_none());
    println!("{}", vm.console());
    drop(vm);
    assert_eq!(written(), given_up, "the other card was written to behind the fence");
    given_up
}

#[test]
fn a_card_that_is_put_in_the_boot_mediums_place_at_once_is_not_written_once_that_is_noticed() {
    // Until the keeper has asked what lies there, DATA may write; a box that has its time is quick at that.
    let sectors = another_card_is_not_written(QUICK);
    println!("{sectors} sectors before it was noticed");
}

#[test]
fn a_card_that_is_put_in_the_boot_mediums_place_while_services_end_is_not_written() {
    let sectors = another_card_is_not_written(SLOW);
    assert_eq!(sectors, 0, "the other card was written to");
}

#[test]
fn a_full_medium_is_told_and_the_burn_in_goes_on_and_room_is_noticed() {
    let lab = Lab::new();
    let mut it = UnderLoad::start(&lab, lab.machine(Bus::Virtio, None), "FULLDATA", 96);
    let path = "/var/lib/kiln/filler".to_owned();
    let filled = it.vm.probe().unwrap().op(Op::Fill { path: path.clone() }).unwrap();
    println!("{filled} bytes");
    println!("{}", told(&it.bench, FULL));
    it.passes();
    assert_eq!(medium(&it.bench.status()), Some(Medium::Disk));

    it.vm.probe().unwrap().op(Op::Remove { path }).unwrap();
    it.bench.until("that there is room again", SOON * 3, || {
        let banners = it.bench.status().supervisor.map(|s| s.banners).unwrap_or_default();
        if banners.iter().any(|b| b.text.contains("DATA partition is")) {
            Err(format!("{banners:#?}"))
        } else {
            Ok(())
        }
    });
    // And it is used: what happened in between is told. A server that a slow medium had ended meanwhile tells how much was lost with it,
    // and its job stands.
    it.bench
        .until("the job's end among the events, or that it was lost", SOON * 2, || {
            let kinds: Vec<String> = it.bench.events().into_iter().map(|e| e.kind).collect();
            let has = |kind: &str| kinds.iter().any(|k| k == kind);
            if has("job.passed") || (has("unit.restarted") && has("box.entries_lost")) {
                Ok(())
            } else {
                Err(format!("{kinds:?}"))
            }
        });
    it.passes();
}

#[test]
fn a_medium_that_turns_read_only_is_left_for_memory_and_the_burn_in_goes_on() {
    let lab = Lab::new();
    let mut it = UnderLoad::start(&lab, lab.machine(Bus::Virtio, None), "RODATA01", 96);
    // The kernel meets an error in DATA's file system, and does what it was told to do then.
    let file = "/sys/fs/ext4/vda3/trigger_fs_error";
    it.vm.probe().unwrap().write(file, "a worn-out stick").unwrap();
    it.moves_to(Medium::Ram, "memory");
    it.passes();
}
