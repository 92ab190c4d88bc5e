//! A drive that is exchanged for another between arm and start.

use image::qemu::{Bus, Drive, Vm};
use wire::gate::{Armed, Plan};

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
        // Two plans, since a start that is refused uses a ticket up, too.
        let [first, second] = [(), ()].map(|()| {
            let plan = bench.plan(std::slice::from_ref(&id), "surface").unwrap();
            let armed = bench.arm(&plan).unwrap();
            (plan, armed)
        });
        let refused = |(plan, armed): &(Plan, Armed)| {
            let refused = bench.fire(plan, armed).unwrap_err();
            assert_eq!(refused.kind, "plan-changed", "{refused}");
            let gone = "AGREED01 is gone, or another drive is in its place. Make a new plan.";
            assert!(refused.detail.ends_with(gone), "{refused}");
        };

        vm.pull("agreed01").unwrap();
        plug(lab, vm, "OTHER001", "OTHER001");
        bench.offered("OTHER001");
        refused(&first);

        // Even the same drive, put back, was out of sight: the plan is void.
        vm.pull("other001").unwrap();
        plug(lab, vm, "AGREED01", "AGREED01");
        bench.offered("AGREED01");
        refused(&second);
        assert!(bench.jobs().is_empty());
        assert!(untouched(lab, "AGREED01") && untouched(lab, "OTHER001"));
        vm.pull("agreed01").unwrap();
    });
}
