//! The limits that stand beside the changes of SMART are those of the verdict.

use wire::job::{SmartLimit, SmartRow};

use super::*;
use crate::job::End;

/// The rows that a job tells of a drive that counted so before and after it.
fn rows(before: &Snapshot, after: &Snapshot, profile: Profile) -> Vec<SmartRow> {
    let evidence = clean();
    let mut job = wire::job::Job::new(
        wire::JobId::now(),
        wire::DriveId::parse("wwn-5000c500a1b2c3d4").unwrap(),
        "standard",
        Time::UNIX_EPOCH,
    );
    let case = Case {
        before: Some(before),
        after: Some(after),
        profile,
        ..both(&evidence, before)
    };
    End::of(&case).tell(&mut job, false, Time::UNIX_EPOCH);
    job.smart
}

/// What the verdict makes of attribute `id` when it rises by so many.
fn rises(id: u16, by: u64) -> Outcome {
    verdict(&clean(), Some(&with(id, 0)), Some(&with(id, by))).outcome
}

#[test]
fn an_attribute_bears_the_limits_from_which_on_its_rise_changes_the_verdict() {
    let told = rows(&with(199, 0), &with(199, 3), Profile::Used);
    let limit = |id: u16| told.iter().find(|row| row.id == Some(id)).unwrap().limit;
    let failed = |at| SmartLimit {
        failed: Some(at),
        ..SmartLimit::default()
    };
    let [five, slow, cable] = [5, 188, 199].map(limit);
    assert_eq!(five, Some(failed(1.0)));
    assert_eq!(
        slow,
        Some(SmartLimit {
            warn: Some(1.0),
            ..failed(10.0)
        })
    );
    assert_eq!(
        cable,
        Some(SmartLimit {
            warn: Some(1.0),
            inconclusive: Some(10.0),
            failed: None
        })
    );
    let words = |id, by: [u64; 3]| by.map(|by| rises(id, by));
    assert_eq!(words(5, [0, 1, 2]), [Outcome::Passed, Outcome::Failed, Outcome::Failed]);
    assert_eq!(words(188, [1, 9, 10]), [Outcome::Warn, Outcome::Warn, Outcome::Failed]);
    assert_eq!(
        words(199, [1, 9, 10]),
        [Outcome::Warn, Outcome::Warn, Outcome::Inconclusive]
    );
    // What waits after the job counts, and not by how much it changed.
    assert_eq!(limit(197), None);
}

#[test]
fn a_value_that_falls_has_its_limit_below_and_by_what_the_owner_expects() {
    let drive = Snapshot {
        protocol: Protocol::Nvme,
        nvme: Some(NvmeHealth {
            available_spare: Some(100),
            media_errors: Some(0),
            num_err_log_entries: Some(5),
            warning_temp_time: Some(0),
            ..NvmeHealth::default()
        }),
        attributes: vec![],
        ..snapshot()
    };
    let limit = |name: &str, profile| {
        let told = rows(&drive, &drive, profile);
        told.iter().find(|row| row.name == name).unwrap().limit
    };
    let warn = |at| {
        Some(SmartLimit {
            warn: Some(at),
            ..SmartLimit::default()
        })
    };
    assert_eq!(limit("available_spare", Profile::New), warn(-1.0));
    assert_eq!(limit("available_spare", Profile::Used), warn(-2.0));
    assert_eq!(limit("warning_temp_time", Profile::Used), warn(1.0));
    assert_eq!(limit("media_errors", Profile::Used).unwrap().failed, Some(1.0));
    // The rule leaves out some of what the row counts.
    assert_eq!(limit("num_err_log_entries", Profile::Used), None);
    assert_eq!(limit("power_on_hours", Profile::Used), None);
}
