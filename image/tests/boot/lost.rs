//! A medium that loses the one block by which DATA is known: what is on it is brought back, and it is told.

use image::gpt::DATA_FIRST;
use image::nbd::{Disk, Medium};
use image::qemu::{Arch, Bus, Machine, Source};
use probe::Op;

use crate::bench::{Bench, PASSWORD};
use crate::images::image;
use crate::lab::{Lab, SOON};

/// Waits until state is kept on the medium, and returns the banners.
fn kept(bench: &Bench) -> Vec<String> {
    bench.until("state on the medium", SOON, || {
        let told = bench.status().supervisor.ok_or("no supervisor")?;
        if told.boot.medium == wire::supervisor::Medium::Disk {
            Ok(told.banners.into_iter().map(|banner| banner.text).collect())
        } else {
            Err(format!("{told:?}"))
        }
    })
}

#[test]
fn a_data_that_lost_its_superblock_is_brought_back_and_told() {
    let lab = Lab::new();
    let boot = lab.serve("boot", Disk::new(Medium::over(image(Arch::X86_64)).unwrap()));
    let machine = || -> Machine {
        lab.bare()
            .boot(Bus::Virtio, Source::Nbd(boot.path().to_owned()), None)
            .fw_cfg("opt/kiln/env/ADMIN_PASSWORD", PASSWORD)
    };
    let (mut vm, bench) = lab.start(machine());
    kept(&bench);
    let before = bench.events();
    vm.probe().unwrap().op(Op::Sync {}).unwrap();
    vm.cut();
    // The superblock lies 1024 bytes into the partition.
    let superblock = DATA_FIRST * 512 + 1024;
    let mut was = [0; 1024];
    boot.disk().read(superblock, &mut was).unwrap();
    assert_eq!(was[0x38..0x3A], [0x53, 0xEF], "no ext4 where DATA begins");
    boot.disk().write(superblock, &[0; 1024], true).unwrap();

    let (_vm, bench) = lab.start(machine());
    let banners = kept(&bench);
    assert!(banners.iter().any(|text| text.contains("was repaired")), "{banners:?}");
    let after = bench.events();
    assert!(
        after.len() >= before.len(),
        "{} of {} events",
        after.len(),
        before.len()
    );
    assert_eq!(after[..before.len()], before[..], "history is another one");
}
