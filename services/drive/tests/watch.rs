//! The watch over this machine's `/sys` and netlink: the list comes at once, is that of a walk, and the threads end.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use drive::guard::Guard;
use drive::probe::Prober;
use drive::smart::Smartctl;
use drive::{sysfs, watch};
use rig::not_run;
use wire::drive::Content;

#[test]
fn the_first_lists_show_every_drive_and_what_is_on_it() {
    let (to, lists) = channel();
    let guard = Guard {
        prober: Prober::Program(env!("CARGO_BIN_EXE_kiln-drive").into()),
        ..Guard::default()
    };
    let started = watch::watch(guard.clone(), Smartctl::default(), move |drives| {
        let _ended = to.send(drives);
    });
    let watch = match started {
        Ok(watch) => watch,
        Err(error) => {
            not_run(&format!("the watch: no netlink socket here: {error}"));
            return;
        }
    };
    let want: BTreeSet<String> = sysfs::walk(&guard.system)
        .into_iter()
        .map(|device| device.name)
        .collect();
    let end = Instant::now() + Duration::from_mins(1);
    loop {
        assert!(Instant::now() < end, "the list never became complete");
        let drives = lists.recv_timeout(Duration::from_mins(1)).unwrap();
        let names: BTreeSet<String> = drives.iter().map(|drive| drive.kernel_name.clone()).collect();
        if names == want && drives.iter().all(|drive| !matches!(drive.content, Content::Unknown)) {
            assert_eq!(watch.drives().len(), drives.len());
            for drive in drives.iter().filter(|drive| drive.id.is_some()) {
                let found = watch.find(drive.id.as_ref().unwrap()).unwrap();
                assert_eq!(found.device.name, drive.kernel_name);
                // What a plan rests on where a new look takes too long.
                let seen = watch.seen(drive.id.as_ref().unwrap()).unwrap();
                assert_eq!(seen.content, drive.content);
            }
            break;
        }
    }
    drop(watch);
    // The callback, and with it the channel's other end, is gone with the owner's thread.
    while lists.recv_timeout(Duration::from_mins(1)).is_ok() {}
}
