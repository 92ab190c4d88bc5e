//! What is built in and does not work: told, and taken back when it is gone; what works only with firmware of its own gets it.

use image::qemu::Bus;
use serde_json::json;

use crate::bench::Bench;
use crate::lab::{BOOT, Lab, SOON};

/// What the banner says first.
const TOLD: &str = "Not everything that is built in works here";

/// The banner, if there is one.
fn told(bench: &Bench) -> Option<String> {
    let banners = bench.status().supervisor.into_iter().flat_map(|s| s.banners);
    banners.map(|banner| banner.text).find(|text| text.starts_with(TOLD))
}

/// An adapter for which the image carries no driver (DEC's 21143), pulled again; and Intel's 82551, whose driver asks for firmware.
#[test]
fn an_adapter_without_a_driver_is_told_until_it_is_gone_and_one_that_wants_firmware_gets_it() {
    let lab = Lab::new();
    let mut vm = lab.up(&lab.machine(Bus::Virtio, None));
    let bench = Bench::login(&vm);
    let qmp = vm.qmp();
    for (driver, id, bus) in [("tulip", "none", "port6"), ("i82551", "wants", "port7")] {
        let device = json!({ "driver": driver, "id": id, "bus": bus, "romfile": "" });
        qmp.execute("device_add", device).unwrap();
    }
    let text = bench.until("word of the adapter", BOOT, || told(&bench).ok_or_else(String::new));
    assert!(
        text.contains("an Ethernet adapter (1011:0019): nothing comes in by it"),
        "{text}"
    );
    assert!(text.contains("this system has no driver for it"), "{text}");
    assert!(!text.contains("8086:"), "{text}");

    bench.until("its firmware", SOON, || {
        let bundle = bench.bundle();
        let told = bundle.values().flat_map(|log| log.lines());
        let told: Vec<&str> = told.filter(|line| line.contains("e100")).collect();
        // Without its firmware this model does not come up (`e100_request_firmware` in drivers/net/ethernet/intel/e100.c).
        let is_up = told.iter().any(|line| line.contains("NIC Link is Up"));
        if is_up { Ok(()) } else { Err(told.join("; ")) }
    });
    vm.pull("none").unwrap();
    bench.until("no more word of it", BOOT, || told(&bench).map_or(Ok(()), Err));
}
