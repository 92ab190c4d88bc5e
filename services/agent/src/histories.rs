//! SMART of drives that nobody is at work on, for the histories that our own server keeps.
//!
//! A burn-in tells the documents of its readings before and after; a drive at rest is read soon after it is plugged in and
//! then once an hour. One in standby is left asleep, one with a job in it is not read here: commands beside the worker's are
//! seen in its latencies. Only the thermometer of a drive without a sensor (`drive::temperature`), behind USB above all, asks it
//! seldom and briefly meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use drive::child::Failed;
use drive::smart::Unreadable;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep_until};
use tracing::debug;
use wire::drive::{Bus, Drive};
use wire::{DriveId, Frame, Time};

use crate::hands::Hands;
use crate::outbox::Outbox;
use crate::registry::Registry;
use crate::stop::Stop;

/// Type of the frame; between our agent and our server alone.
pub const KIND: &str = "smart_report";

/// Between two readings of a drive. Source: the report interval of existing host agents.
const PERIOD: Duration = Duration::from_hours(1);

/// After a drive appeared: whoever plugs one in may start a job first.
const FIRST: Duration = Duration::from_secs(20);

/// Parts of a document that no history is made of and that may be long.
const LEFT_OUT: [&str; 9] = [
    "ata_log_directory",
    "ata_pending_defects_log",
    "ata_sct_temperature_history",
    "ata_smart_error_log",
    "ata_smart_selective_self_test_log",
    "nvme_error_information_log",
    "sata_phy_event_counters",
    "scsi_background_scan",
    "seagate_farm_log",
];

/// The frame of a reading.
pub fn frame(drive: &DriveId, document: Value, at: Time) -> Frame {
    let document: Map<String, Value> = if let Value::Object(parts) = document {
        parts
            .into_iter()
            .filter(|(part, _)| !LEFT_OUT.contains(&part.as_str()))
            .collect()
    } else {
        Map::new()
    };
    Frame::Other {
        kind: KIND.to_owned(),
        payload: json!({ "drive": drive, "at": at, "document": document }),
    }
}

/// When which drive is read next; `None` for one that says nothing of use.
#[derive(Debug, Default)]
struct Due(BTreeMap<DriveId, Option<Instant>>);

impl Due {
    /// Forgets drives that are gone: one that comes back is asked anew.
    fn keep(&mut self, drives: &[Drive], now: Instant) {
        let here = |id: &DriveId| {
            drives
                .iter()
                .any(|drive| drive.present && drive.id.as_ref() == Some(id))
        };
        self.0.retain(|id, _| here(id));
        for id in drives
            .iter()
            .filter(|drive| drive.present)
            .filter_map(|drive| drive.id.clone())
        {
            self.0.entry(id).or_insert(Some(now + FIRST));
        }
    }

    fn next(&self) -> Option<(DriveId, Instant)> {
        let times = self.0.iter().filter_map(|(id, at)| Some((id.clone(), (*at)?)));
        times.min_by_key(|(_, at)| *at)
    }
}

/// Whether a drive on this bus is asked at all. A USB bridge would have to be tried in ten ways: it is asked only where a
/// burn-in has found the way. Loop devices are listed in tests alone.
fn is_asked(drive: &Drive, hands: &Hands) -> bool {
    match drive.bus {
        Bus::Sata | Bus::Scsi | Bus::Nvme | Bus::Loop => true,
        Bus::Usb => hands.knows(drive),
        Bus::Virtio | Bus::Mmc | Bus::Other => false,
    }
}

/// Whether a drive is asked again after such a reading. One that never told anything has nothing to tell; one that did, or that was
/// only late, was busy.
fn is_asked_again(read: &Result<Value, Unreadable>, has_told: bool) -> bool {
    match read {
        Ok(_) | Err(Unreadable::Asleep | Unreadable::SwitchedOff { .. } | Unreadable::OtherDrive { .. }) => true,
        Err(Unreadable::Run(Failed::Late(_) | Failed::Held)) => true,
        Err(Unreadable::Run(Failed::Start { .. } | Failed::TooMuch(_)) | Unreadable::Nothing(_)) => has_told,
    }
}

/// Reads drives at rest until `stop`.
pub async fn run(registry: Registry, hands: Hands, outbox: Outbox, mut stop: Stop) {
    let mut drives = registry.drives();
    let mut due = Due::default();
    loop {
        due.keep(&drives.borrow_and_update(), Instant::now());
        let next = due.next();
        let at = next.as_ref().map_or_else(|| Instant::now() + PERIOD, |(_, at)| *at);
        tokio::select! {
            changed = drives.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
            () = sleep_until(at) => {}
            () = stop.asked() => return,
        }
        let Some((id, _)) = next else { continue };
        let listed = drives
            .borrow()
            .iter()
            .find(|drive| drive.id.as_ref() == Some(&id))
            .cloned();
        let Some(drive) = listed else { continue };
        let later = Some(Instant::now() + PERIOD);
        let at_work = outbox.look(|_, jobs, _| jobs.values().any(|job| job.drive == id && !job.state.is_over()));
        let next = if at_work || !is_asked(&drive, &hands) {
            later
        } else {
            let read = tokio::select! {
                read = hands.at_rest(&drive) => read,
                () = stop.asked() => return,
            };
            let again = is_asked_again(&read, hands.has_told(&drive));
            match read {
                Ok(document) => outbox.reading(&id, document, Time::now()),
                Err(why) if !again => debug!(drive = %id, %why, "no SMART for the histories; it is not asked again"),
                Err(_) => {}
            }
            later.filter(|_| again)
        };
        due.0.insert(id, next);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_recorded_document_fits_a_frame_and_keeps_what_histories_are_made_of() {
        let Ok(folder) = std::env::var("KILN_GOLDEN") else {
            println!("NOT RUN: KILN_GOLDEN is not set");
            return;
        };
        let mut seen = 0;
        for entry in std::fs::read_dir(std::path::Path::new(&folder).join("smart")).unwrap() {
            let document: Value = serde_json::from_slice(&std::fs::read(entry.unwrap().path()).unwrap()).unwrap();
            let frame = frame(
                &DriveId::from_serial("M", "S1", 1).unwrap(),
                document.clone(),
                Time::UNIX_EPOCH,
            );
            assert!(frame.encode().len() <= wire::frame::FRAME_MAX_SENT);
            let Frame::Other { payload, .. } = frame else { panic!() };
            for part in [
                "device",
                "smart_status",
                "ata_smart_attributes",
                "temperature",
                "nvme_smart_health_information_log",
            ] {
                assert_eq!(payload["document"][part], document[part]);
            }
            seen += 1;
        }
        assert!(seen > 5);
    }

    #[test]
    fn a_drive_that_says_nothing_is_left_alone_and_one_that_comes_back_is_asked_anew() {
        let (mut due, now, mut drives) = (Due::default(), Instant::now(), crate::vigil::shapes::tests::drives(2));
        due.keep(&drives, now);
        let (first, at) = due.next().unwrap();
        assert_eq!(at, now + FIRST);
        due.0.insert(first.clone(), None);
        due.keep(&drives, now + PERIOD);
        assert_ne!(due.next().unwrap().0, first, "it is not asked again");
        let own = drives
            .iter()
            .position(|drive| drive.id.as_ref() == Some(&first))
            .unwrap();
        drives[own].present = false;
        due.keep(&drives, now + PERIOD);
        drives[own].present = true;
        due.keep(&drives, now + PERIOD);
        assert_eq!(due.0[&first], Some(now + PERIOD + FIRST));
    }

    #[tokio::test]
    async fn a_drive_that_was_busy_once_is_asked_again() {
        use std::io::Write as _;
        use std::process::{Command, Stdio};

        let root = tempfile::tempdir().unwrap();
        let [program, busy] = ["smartctl", "busy"].map(|name| root.path().join(name));
        let mut drive = crate::vigil::shapes::tests::drives(1).remove(0);
        drive.bus = Bus::Sata;
        let document = json!({ "smartctl": { "exit_status": 0 }, "device": { "type": "sat", "protocol": "ATA" },
            "serial_number": drive.serial, "smart_status": { "passed": true } });
        let script = format!("#!/bin/sh\n[ -e {} ] && exit 2\necho '{document}'\n", busy.display());
        // A child writes it: a descriptor of ours that is open for writing would be inherited by what other tests start.
        let mut write = Command::new("sh");
        write.args(["-c", "cat > \"$0\" && chmod 755 \"$0\""]).arg(&program);
        let mut write = write.stdin(Stdio::piped()).spawn().unwrap();
        write.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        assert!(write.wait().unwrap().success());
        let hands = || {
            let smartctl = drive::smart::Smartctl {
                program: program.clone(),
                ..drive::smart::Smartctl::default()
            };
            Hands::new(drive::guard::Guard::default(), smartctl)
        };
        let (told, never) = (hands(), hands());
        let asked_again = async |hands: &Hands| {
            let read = hands.at_rest(&drive).await;
            (read.is_ok(), is_asked_again(&read, hands.has_told(&drive)))
        };
        assert_eq!(asked_again(&told).await, (true, true));
        std::fs::write(&busy, "").unwrap();
        assert_eq!(asked_again(&told).await, (false, true), "it told before");
        assert_eq!(asked_again(&never).await, (false, false), "it never told anything");
        std::fs::remove_file(&busy).unwrap();
        assert_eq!(asked_again(&told).await, (true, true));
        let late = Err(Unreadable::Run(Failed::Late(PERIOD)));
        assert!(is_asked_again(&late, false), "that says nothing of what it can tell");
    }
}
