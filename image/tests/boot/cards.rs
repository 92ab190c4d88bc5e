//! Cards in a reader: the reader keeps its name, and whatever is put into it.

use std::time::Duration;

use image::qemu::{Bus, Drive, Source};
use wire::job::{Outcome, Phase};

use crate::lab::{JOB, Lab, SOON};

/// Size of the cards in MiB: half a minute for each way at their speed.
const CARD: usize = 64;
/// How long a quick hand takes to put another card in: less than the kernel waits between two looks.
const BY_HAND: Duration = Duration::from_millis(300);

/// The engine may not begin anything on a card that has not proved itself, however like the first it is.
#[test]
fn a_card_that_is_put_into_the_reader_in_the_midst_of_a_burn_in_is_not_written() {
    let lab = Lab::new();
    let stranger = lab.path().join("stranger");
    std::fs::write(&stranger, vec![0xAA; CARD << 20]).unwrap();
    let card = Drive::new(Bus::Usb, "READER01", lab.blank("READER01", CARD as u64));
    let (mut vm, bench) = lab.boot([card.speed(4_000_000).removable()]);
    let seen = bench.offered("READER01");
    let job = bench.burn(&["READER01"], "surface").remove(0);
    bench.wait_bytes(&job, Phase::Write, 8 << 20);

    vm.take_out("reader01").unwrap();
    std::thread::sleep(BY_HAND);
    vm.put_in("reader01", Source::Raw(stranger.clone())).unwrap();
    bench.drive("READER01", "the other card is there", |drive| {
        drive.present && drive.capacity == seen.capacity
    });
    let ended = bench.verdict(&job, JOB);
    let outcome = ended.verdict.as_ref().map(|verdict| verdict.outcome);
    assert_eq!(outcome, Some(Outcome::Inconclusive), "{ended:#?}");
    vm.wait_http("/api/v1/health", SOON).unwrap();
    drop(vm);
    let bytes = std::fs::read(&stranger).unwrap();
    let written = bytes.iter().filter(|byte| **byte != 0xAA).count();
    assert_eq!(written, 0, "bytes of the other card were written: {ended:#?}");
}
