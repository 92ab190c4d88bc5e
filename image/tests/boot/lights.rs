//! Lights of a shelf's bays: SAS disks and an enclosure that are played to the image's kernel behind a SAS controller, QEMU's
//! `mptsas1068`, whose units QEMU reaches by iSCSI. What is lit the played shelf says, not the box.
//!
//! QEMU's controller tells nobody that a drive came or went, so these tests tell the kernel in its place.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use image::qemu::{Bus, Vm};
use played::Shared;
use played::iscsi::{NAME, Target};
use played::sas::SasDisk;
use played::shelf::Shelf;
use probe::Op;
use serde_json::json;
use wire::DriveId;
use wire::drive::Drive;
use wire::job::Outcome;

use crate::bench::Bench;
use crate::lab::{Lab, SOON};

/// Sectors of a disk: 24 MiB.
const SECTORS: u64 = 49_152;

/// World-wide names and SAS addresses of played things count from here.
const NAMES: u64 = 0x5000_C500_0000_1000;

/// Number of the shelf's unit, and the controller's port that it is at: the last one. Disks are at the others.
const SHELF: u8 = 7;

/// How long a light is on that nobody puts out: `drive::locate::LONGEST`.
const SHOWN: Duration = Duration::from_mins(5);

/// Words that are told where no light of a bay works.
const RHYTHM: &str = "no bay light is known";

/// A shelf with disks, of which the n-th sits in the slot behind its number: nothing here may confuse the two.
struct Rack {
    shelf: Arc<Mutex<Shelf>>,
    target: Target,
    /// How many of its disks are plugged in when it is switched on.
    plugged: u8,
}

impl Rack {
    /// With disks `LIGHT1` and so on, of which the first `plugged` are plugged in, and have slots.
    fn new(disks: u8, plugged: u8) -> Self {
        let disk = |n: u8| {
            let mut disk = SasDisk::new(SECTORS, &format!("LIGHT{n}"), NAMES + 16 * u64::from(n));
            disk.product = format!("PLAYED DISK {n}");
            disk
        };
        let disks: Vec<_> = (1..=disks).map(disk).collect();
        let mut shelf = Shelf::new(NAMES + 0x1000, plugged + 1);
        for (slot, disk) in shelf.slots[1..].iter_mut().zip(&disks) {
            slot.address = Some(disk.device());
        }
        let shelf = Arc::new(Mutex::new(shelf));
        let disks = disks.into_iter().map(|disk| Arc::new(Mutex::new(disk)) as Shared);
        let units = (0..).zip(disks).chain([(SHELF, shelf.clone() as Shared)]).collect();
        let target = Target::serve(units).unwrap();
        Self { shelf, target, plugged }
    }

    /// A box at this rack.
    fn boot(&self, lab: &Lab) -> (Vm, Bench) {
        let vm = lab.up_with(&lab.machine(Bus::Virtio, None), |vm| {
            // The machine stands still until all of it is there, so that its firmware finds it.
            vm.qmp().execute("stop", json!({})).unwrap();
            let controller = json!({ "driver": "mptsas1068", "id": "sas", "bus": "port7" });
            vm.qmp().execute("device_add", controller).unwrap();
            for number in (0..self.plugged).chain([SHELF]) {
                self.plug(vm, number, number);
            }
            vm.qmp().execute("cont", json!({})).unwrap();
        });
        let bench = Bench::login(&vm);
        (vm, bench)
    }

    /// Puts a unit at a port of the controller.
    fn plug(&self, vm: &mut Vm, unit: u8, port: u8) {
        let node = format!("unit{unit}");
        let reached = json!({
            "driver": "iscsi", "node-name": node, "transport": "tcp", "portal": self.target.address().to_string(),
            "target": NAME, "lun": unit, "initiator-name": "iqn.2026-11.invalid.kiln:bench",
        });
        vm.qmp().execute("blockdev-add", reached).unwrap();
        let passed_on = json!({ "driver": "scsi-generic", "id": format!("sas{unit}"), "bus": "sas.0", "scsi-id": port,
            "drive": node });
        vm.qmp().execute("device_add", passed_on).unwrap();
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap()
    }

    /// Slots whose light is on.
    fn lit(&self) -> Vec<String> {
        self.shelf().lit().into_iter().map(str::to_owned).collect()
    }

    fn wait_dark(&self, bench: &Bench, limit: Duration) {
        bench.until("dark shelf", limit, || match &self.lit()[..] {
            [] => Ok(()),
            lit => Err(format!("{lit:?}")),
        });
    }
}

/// The disk `LIGHTn`, whose bay is known.
fn seated(bench: &Bench, n: u8) -> Drive {
    let bay = format!("bay Slot {:02}", n + 1);
    bench.drive(&format!("LIGHT{n}"), "in its bay", |drive| {
        drive.present && drive.location.ends_with(&bay)
    })
}

fn id(drive: &Drive) -> DriveId {
    drive.id.clone().unwrap()
}

#[test]
fn the_light_of_a_drives_own_bay_is_lit_and_no_other() {
    let lab = Lab::new();
    let rack = Rack::new(3, 3);
    let (mut vm, bench) = rack.boot(&lab);
    let [first, second, third] = [1, 2, 3].map(|n| id(&seated(&bench, n)));
    assert_eq!(rack.shelf().orders, 0, "a light was ordered that nobody asked for");

    let told = bench.locate(&second, true).unwrap();
    assert_eq!(told, "the enclosure's light of bay Slot 03 is on");
    assert_eq!(rack.lit(), ["Slot 03"]);
    bench.locate(&first, true).unwrap();
    assert_eq!(rack.lit(), ["Slot 02", "Slot 03"]);
    let shown = bench.drive("LIGHT2", "shown", |drive| drive.shown_until.is_some());
    assert_eq!(shown.id.as_ref(), Some(&second));
    bench.locate(&second, false).unwrap();
    assert_eq!(rack.lit(), ["Slot 02"]);
    bench.locate(&first, false).unwrap();
    assert_eq!(rack.lit(), [""; 0]);

    // What a killed agent left on the next one puts out.
    bench.locate(&third, true).unwrap();
    assert_eq!(rack.lit(), ["Slot 04"]);
    let probe = vm.probe().unwrap();
    let agent = probe.pids("kiln-agent", "").unwrap();
    assert!(!agent.is_empty());
    for process in agent {
        probe.signal(process, libc::SIGKILL).unwrap();
    }
    rack.wait_dark(&bench, SOON);
}

#[test]
fn a_shelf_that_takes_orders_and_does_nothing_is_found_out() {
    let lab = Lab::new();
    let rack = Rack::new(1, 1);
    rack.shelf().obeys = false;
    let (_vm, bench) = rack.boot(&lab);
    let drive = id(&seated(&bench, 1));
    let told = bench.locate(&drive, true).unwrap();
    assert!(told.starts_with(RHYTHM), "{told}");
    assert!(rack.shelf().orders > 0, "it was never asked");
    bench.locate(&drive, false).unwrap();
    // A drive that is tested is read by nobody else, and has no other means.
    let job = bench.burn(&["LIGHT1"], "surface").remove(0);
    let untold = bench.locate(&drive, true).unwrap_err();
    assert_eq!(untold.kind, "locate-unsupported", "{untold:?}");
    assert!(untold.detail.contains("while it is being tested"), "{untold:?}");

    // Once the shelf obeys its light is the better means.
    rack.shelf().obeys = true;
    let told = bench.locate(&drive, true).unwrap();
    assert_eq!(told, "the enclosure's light of bay Slot 02 is on");
    assert_eq!(rack.lit(), ["Slot 02"]);
    bench.ends(&job, Outcome::Passed);
    // And one that keeps its light on against all orders is not called dark.
    rack.shelf().obeys = false;
    let refused = bench.locate(&drive, false).unwrap_err();
    assert_eq!((&*refused.kind, refused.status), ("locate-late", 503), "{refused:?}");
    rack.shelf().obeys = true;
    bench.locate(&drive, false).unwrap();
    assert_eq!(rack.lit(), [""; 0]);
}

#[test]
fn the_light_of_a_pulled_drive_goes_out_and_its_bay_is_remembered() {
    let lab = Lab::new();
    let rack = Rack::new(3, 2);
    let (mut vm, bench) = rack.boot(&lab);
    let drive = seated(&bench, 1);
    let (first, other) = (id(&drive), id(&seated(&bench, 2)));
    bench.name_bay(&first, "top left");
    bench.locate(&first, true).unwrap();
    bench.locate(&other, true).unwrap();
    assert_eq!(rack.lit(), ["Slot 02", "Slot 03"]);

    vm.qmp().execute("device_del", json!({ "id": "sas0" })).unwrap();
    let gone = |data: &serde_json::Value| data["device"] == "sas0";
    vm.qmp().event("DEVICE_DELETED", gone, SOON).unwrap();
    let sys = format!("/sys/block/{}/device", drive.kernel_name);
    vm.probe().unwrap().write(&format!("{sys}/delete"), "1").unwrap();
    bench.until("light of the pulled drive out", SOON, || match &rack.lit()[..] {
        [lit] if lit == "Slot 03" => Ok(()),
        lit => Err(format!("{lit:?}")),
    });
    let told = bench.locate(&first, true).unwrap_err();
    assert_eq!(told.kind, "drive-unknown");
    // By the phy that it was at: how the kernel counts its hosts may be another way after the next start.
    let last = "it was last seen in bay top left (pci-";
    assert!(
        told.detail.contains(last) && told.detail.contains("-sas-phy0)"),
        "{told:?}"
    );
    assert_eq!(rack.lit(), ["Slot 03"]);

    // Another one in its place has the bay's name and light.
    rack.plug(&mut vm, 2, 0);
    let hosts = vm
        .probe()
        .unwrap()
        .op(Op::List {
            path: "/sys/class/sas_host".into(),
        })
        .unwrap();
    let scan = format!("/sys/class/scsi_host/{}/scan", hosts[0]["name"].as_str().unwrap());
    vm.probe().unwrap().write(&scan, "- - -").unwrap();
    let next = bench.drive("LIGHT3", "in the bay of the first", |drive| {
        drive.present && drive.location.ends_with("bay Slot 02") && drive.bay.as_deref() == Some("top left")
    });
    bench.locate(&id(&next), true).unwrap();
    assert_eq!(rack.lit(), ["Slot 02", "Slot 03"]);
}

/// Five minutes.
#[test]
#[ignore = "waits for the whole time that a light is on"]
fn a_light_goes_out_by_itself() {
    let lab = Lab::new();
    let rack = Rack::new(1, 1);
    let (_vm, bench) = rack.boot(&lab);
    let drive = id(&seated(&bench, 1));
    let begun = Instant::now();
    bench.locate(&drive, true).unwrap();
    assert_eq!(rack.lit(), ["Slot 02"]);
    rack.wait_dark(&bench, SHOWN + SOON);
    assert!(
        begun.elapsed() + SOON > SHOWN,
        "it went out after {:?}",
        begun.elapsed()
    );
}
