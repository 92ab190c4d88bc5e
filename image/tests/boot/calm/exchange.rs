//! A drive that is exchanged for another between arm and start.

use image::qemu::{Bus, Drive, Vm};

use super::{calm, untouched};
use crate::lab::Lab;

fn plug(lab: &Lab, vm: &mut Vm, serial: &str, file: &str) {
    let mut drive = Drive::new(Bus::Scsi, serial, lab.blank(file, 16));
    drive.id = file.to_ascii_lowercase();
    vm.plug(drive).unwrap();
}

#[test]
fn a_drive_exchanged_between_arm_and_start_is_not_touched() {
    calm(|it| {
        let (lab, vm, bench) = (&it.lab, &mut it.vm, &it.bench);
        plug(lab, vm, "AGREED01", "AGREED01");
        let id = bench.offered("AGREED01").id.unwrap();
        let plan = bench.plan(&[id], "surface").unwrap();
        let armed = bench.arm(&plan).unwrap();

        vm.pull("agreed01").unwrap();
        plug(lab, vm, "OTHER001", "OTHER001");
        bench.offered("OTHER001");
        let refused = bench.fire(&plan, &armed).unwrap_err();
        println!("another drive in its place: {refused}");

        // Even the same drive, put back, was out of sight: the plan is void.
        vm.pull("other001").unwrap();
        plug(lab, vm, "AGREED01", "AGREED01");
        bench.offered("AGREED01");
        let refused = bench.fire(&plan, &armed).unwrap_err();
        println!("pulled and put back: {refused}");
        assert!(bench.jobs().is_empty());
        assert!(untouched(lab, "AGREED01") && untouched(lab, "OTHER001"));
        vm.pull("agreed01").unwrap();
    });
}
