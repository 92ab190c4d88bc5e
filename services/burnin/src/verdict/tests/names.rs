//! Attributes whose number means something else on some drives: smartctl's name decides.

use super::*;

/// The verdict where attribute `id` has this name, and counted `before` and `after` the job.
fn named(id: u16, name: &str, before: u64, after: u64) -> Outcome {
    let of = |count| {
        let mut drive = snapshot();
        let row = drive.attributes.iter_mut().find(|row| row.id == id).unwrap();
        (row.name, row.count, row.raw) = (name.to_owned(), count, count);
        drive
    };
    verdict(&clean(), Some(&of(before)), Some(&of(after))).outcome
}

#[test]
fn what_the_host_read_and_wrote_is_no_fault_whatever_its_number() {
    for (id, name, before, after) in [
        (198, "Host_Reads_GiB", 12_000, 12_345),
        (199, "Host_Writes_GiB", 500, 999),
        (198, "Read_Sectors_Tot_Ct", 4_000_000, 5_000_000),
        (199, "Write_Sectors_Tot_Ct", 4_000_000, 9_000_000),
        (184, "Factory_Bad_Block_Count", 42, 42),
        (184, "Initial_Bad_Block_Count", 8, 8),
        (197, "Bogus_Current_Pend_Sect", 0, 1),
        (197, "Not_In_Use", 7, 9),
        (187, "Unknown_JMF_Attribute", 9, 3),
    ] {
        assert_eq!(named(id, name, before, after), Outcome::Passed, "{id} {name}");
    }
}

#[test]
fn the_usual_and_the_unknown_names_go_by_their_number() {
    for (id, name, before, after, expected) in [
        (198, "Offline_Uncorrectable", 0, 5, Outcome::Failed),
        (199, "UDMA_CRC_Error_Count", 500, 999, Outcome::Inconclusive),
        (184, "End-to-End_Error", 42, 42, Outcome::Warn),
        (197, "Current_Pending_Sector", 0, 1, Outcome::Failed),
        (197, "Unknown_Attribute", 0, 1, Outcome::Failed),
        (187, "Reported_Uncorrect", 0, 2, Outcome::Failed),
    ] {
        assert_eq!(named(id, name, before, after), expected, "{id} {name}");
    }
}
