//! Every recorded smartctl document of a real drive, read: its protocol, identity, and the values that rules look at.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::PathBuf;

use smart::{NotSmart, Protocol, SelfTestLog, Snapshot, delta, parse};

/// Says what did not run, past the test harness, which swallows what a passing test prints.
fn not_run(why: &str) {
    use std::io::Write;
    let line = format!("\nNOT RUN: {why}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// Directory of the recorded documents; `None` (said on standard output) where they are not there.
fn golden() -> Option<PathBuf> {
    let dir = std::env::var_os("KILN_GOLDEN").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/golden"),
        PathBuf::from,
    );
    let dir = dir.join("smart");
    if dir.is_dir() {
        return Some(dir);
    }
    not_run(&format!("golden SMART documents are not at {}", dir.display()));
    None
}

/// What a document must say: file, protocol, passed, temperature, hours, attributes, NVMe and SCSI health.
type Expected = (
    &'static str,
    Protocol,
    Option<bool>,
    Option<i64>,
    Option<u64>,
    usize,
    bool,
    bool,
);

#[rustfmt::skip]
const EXPECTED: &[Expected] = &[
    ("HGST_HUS724020ALE640_28.json",           Protocol::Ata,  Some(true),  Some(26), Some(83_425),  17, false, false),
    ("HITACHI_H109060SESUN600G_10.json",       Protocol::Scsi, Some(true),  Some(26), Some(22_364),   0, false, true),
    ("Hitachi_HUA722020ALA330_29.json",        Protocol::Ata,  Some(true),  Some(28), Some(78_405),  17, false, false),
    ("INTEL_SSDPE2KX080T8_1.json",             Protocol::Nvme, Some(true),  Some(29), Some(12_164),   0, true,  false),
    ("KXG60ZNV512G_TOSHIBA_2.json",            Protocol::Nvme, Some(true),  Some(37), Some(12_173),   0, true,  false),
    ("SAMSUNG_MZ7WD240HAFV-00003_21.json",     Protocol::Ata,  Some(true),  Some(27), Some(84_619),  17, false, false),
    ("SEAGATE_ST373453LC_26.json",             Protocol::Scsi, Some(true),  Some(33), Some(102_880),  0, false, true),
    ("ST3200820AS_15.json",                    Protocol::Ata,  Some(true),  Some(35), Some(100_216), 18, false, false),
    ("WDC_WD20EFRX-68EUZN0_17.json",           Protocol::Ata,  Some(true),  Some(34), Some(47_657),  17, false, false),
    ("nvme-null-CT250P2SSD8-nvme0.json",       Protocol::Nvme, Some(true),  Some(26), Some(10_147),   0, true,  false),
    ("smart-ata-date.json",                    Protocol::Ata,  Some(true),  Some(32), Some(1_730),   18, false, false),
    ("smart-ata-failed-scrutiny.json",         Protocol::Ata,  Some(true),  Some(33), Some(19_497),  14, false, false),
    ("smart-ata-full.json",                    Protocol::Ata,  Some(true),  Some(36), Some(14_551),  14, false, false),
    ("smart-ata.json",                         Protocol::Ata,  Some(true),  Some(32), Some(1_730),   18, false, false),
    // smartctl went by the attributes: the controller loses the drive's word.
    ("smart-megaraid0.json",                   Protocol::Ata,  None,        Some(36), Some(37_787),  20, false, false),
    ("smart-nvme-failed.json",                 Protocol::Nvme, Some(true),  Some(35), Some(12_798),   0, true,  false),
    ("smart-nvme.json",                        Protocol::Nvme, Some(true),  Some(36), Some(2_401),    0, true,  false),
    ("smart-pass.json",                        Protocol::Ata,  Some(true),  None,     None,           0, false, false),
    ("smart-raid.json",                        Protocol::Scsi, None,        None,     None,           0, false, false),
    ("smart-sat.json",                         Protocol::Ata,  None,        Some(29), Some(2_725),       22, false, false),
    ("smart-scsi.json",                        Protocol::Scsi, Some(true),  Some(34), Some(43_549),   0, false, true),
];

/// Documents that are of no drive, and what smartctl said.
const NO_DRIVE: &[(&str, &str)] = &[
    ("smart-fail.json", "Open failed, Error=5"),
    ("scan-megaraid.json", "names none"),
];

#[test]
fn every_recorded_document_is_read() {
    let Some(dir) = golden() else { return };
    let mut names: Vec<String> = std::fs::read_dir(&dir)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let mut known: Vec<&str> = EXPECTED
        .iter()
        .map(|e| e.0)
        .chain(NO_DRIVE.iter().map(|e| e.0))
        .collect();
    known.sort_unstable();
    assert_eq!(
        names, known,
        "a document has no expectation, or an expectation no document"
    );
    let mut wrong = Vec::new();
    for (name, protocol, passed, temperature, hours, attributes, nvme, scsi) in EXPECTED {
        let s = parse(&std::fs::read(dir.join(name)).unwrap()).unwrap_or_else(|e| panic!("{name}: {e}"));
        let got = (
            s.protocol,
            s.passed,
            s.temperature,
            s.power_on_hours,
            s.attributes.len(),
            s.nvme.is_some(),
            s.scsi.is_some(),
        );
        if got != (*protocol, *passed, *temperature, *hours, *attributes, *nvme, *scsi) {
            wrong.push(format!("{name}: {got:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (name, why) in NO_DRIVE {
        match parse(&std::fs::read(dir.join(name)).unwrap()) {
            Err(NotSmart::NoDevice(said)) => assert!(said.contains(why), "{name}: {said}"),
            other => panic!("{name}: {other:?}"),
        }
    }
}

/// A line of the cases that the page runs, too: its number, its name, and what it means to people.
#[derive(PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
struct Line {
    id: Option<u16>,
    name: String,
    means: Option<&'static str>,
}

/// `KILN_BLESS=1 cargo test -p smart --test golden words` writes them anew.
#[test]
fn every_line_that_a_document_makes_has_words_for_people() {
    let Some(dir) = golden() else { return };
    let documents = EXPECTED.iter().map(|expected| dir.join(expected.0));
    let documents = documents.map(|path| parse(&std::fs::read(path).unwrap()).unwrap());
    let told = documents.flat_map(|told| delta(&told, &told));
    let told = told.map(|row| (row.id, row.name));
    let lines = told.chain(smart::names().map(|name| (None, name.to_owned())));
    let lines = lines.map(|(id, name)| Line {
        id,
        means: wire::meant::meant(id, &name),
        name,
    });
    let lines: std::collections::BTreeSet<Line> = lines.collect();
    let bare = lines.iter().filter(|line| line.means.is_none());
    let bare: Vec<_> = bare.map(|line| (line.id, &line.name)).collect();
    assert!(bare.is_empty(), "write in wire::meant what these mean: {bare:?}");
    let rows: Vec<String> = lines
        .iter()
        .map(|line| format!("  {}", serde_json::to_string(line).unwrap()))
        .collect();
    let fresh = format!("[\n{}\n]\n", rows.join(",\n"));
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../wire/cases/smart-names.json");
    if std::env::var_os("KILN_BLESS").is_some() {
        std::fs::write(&path, &fresh).unwrap();
    }
    let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        checked_in == fresh,
        "{} is stale: KILN_BLESS=1 cargo test -p smart --test golden words",
        path.display()
    );
}

fn read(name: &str) -> Option<Snapshot> {
    let dir = golden()?;
    Some(parse(&std::fs::read(dir.join(name)).unwrap()).unwrap())
}

#[test]
fn identity_comes_with_its_world_wide_name_and_capacity() {
    let Some(s) = read("smart-ata-full.json") else { return };
    assert_eq!(s.model.as_deref(), Some("Samsung SSD 860 EVO 500GB"));
    assert_eq!(s.serial.as_deref(), Some("S3YZNB0KB00864E"));
    assert_eq!(s.capacity, Some(500_107_862_016));
    assert_eq!(s.rpm, Some(0));
    let wwn = s.wwn.clone().unwrap();
    assert_eq!((wwn.len(), &wwn[..7]), (16, "5002538"), "Samsung's: {wwn}");
    assert!(s.bytes_written().unwrap() > 1 << 40);
    assert_eq!(s.password, Some(false));
}

#[test]
fn scsi_counters_and_defects_are_read() {
    let Some(s) = read("SEAGATE_ST373453LC_26.json") else {
        return;
    };
    let scsi = s.scsi.unwrap();
    assert_eq!(scsi.grown_defects, Some(260));
    let read = scsi.read.unwrap();
    assert_eq!((read.uncorrected, read.rereads_rewrites), (Some(1), Some(41)));
    assert_eq!(s.model.as_deref(), Some("SEAGATE ST373453LC"));
    assert_eq!(s.rpm, Some(15_015));
}

#[test]
fn who_a_sas_drive_is_and_how_often_it_started_is_read() {
    let Some(hitachi) = read("HITACHI_H109060SESUN600G_10.json") else {
        return;
    };
    assert_eq!(hitachi.logical_unit.as_deref(), Some("1234567890abcdef"));
    assert_eq!((hitachi.wwn, hitachi.start_stop_cycles), (None, Some(70)));
    let seagate = read("SEAGATE_ST373453LC_26.json").unwrap();
    assert_eq!((seagate.logical_unit, seagate.start_stop_cycles), (None, None));
}

#[test]
fn limits_and_counters_of_what_was_written_are_read() {
    let Some(ata) = read("smart-ata-full.json") else { return };
    assert_eq!(ata.heat_limits, [70]);
    let written = ata.written.unwrap();
    assert_eq!((written.count, written.units[0]), (64_777_770_148, 512));
    assert!(written.source.contains("Logical Sectors Written"));
    assert!(
        ata.statistics
            .iter()
            .any(|s| s.name == "Highest Temperature" && s.value == 57)
    );
    assert_eq!(ata.sct.unwrap().lifetime_max, Some(57));
    assert_eq!(
        (ata.self_test.supported, ata.self_test.extended_minutes),
        (Some(true), Some(85))
    );
    let scsi = read("smart-scsi.json").unwrap();
    assert_eq!(scsi.heat_limits, [68]);
    assert_eq!(scsi.bytes_written(), Some(86_472_611_000_000));
    let nvme = read("smart-nvme.json").unwrap();
    assert_eq!(nvme.bytes_written(), Some(7_773_431 * 512_000));
    let raid = read("smart-megaraid0.json").unwrap();
    assert_eq!(raid.written.unwrap().source, "ATA attribute 241 Total_LBAs_Written");
    assert!(read("ST3200820AS_15.json").unwrap().seagate);
}

#[test]
fn self_tests_come_newest_first_with_their_hours() {
    let Some(s) = read("smart-ata.json") else { return };
    assert_eq!(s.self_tests[0].hours, Some(1708));
    assert_eq!(s.self_tests[0].passed, Some(true));
    assert!(s.self_tests.windows(2).all(|w| w[0].hours >= w[1].hours));
    assert_eq!(
        s.self_tests
            .iter()
            .find(|t| t.kind == "Extended offline")
            .unwrap()
            .hours,
        Some(1624)
    );
}

#[test]
fn it_is_known_from_which_log_self_tests_were_read() {
    for (name, log, entries) in [
        ("smart-ata-failed-scrutiny.json", Some(SelfTestLog::Extended), 0),
        ("smart-ata-full.json", Some(SelfTestLog::Extended), 19),
        ("smart-ata.json", Some(SelfTestLog::Standard), 21),
        ("smart-megaraid0.json", Some(SelfTestLog::Standard), 4),
        ("HGST_HUS724020ALE640_28.json", None, 0),
        ("smart-nvme.json", None, 0),
    ] {
        let Some(s) = read(name) else { return };
        assert_eq!((s.self_test_log, s.self_tests.len()), (log, entries), "{name}");
    }
}

#[test]
fn a_delta_has_every_value_once_and_counts_the_change() {
    let Some(before) = read("smart-nvme.json") else { return };
    let mut after = before.clone();
    after.nvme.as_mut().unwrap().media_errors = Some(3);
    after.nvme.as_mut().unwrap().available_spare = None;
    let rows = delta(&before, &after);
    let row = |name: &str| rows.iter().find(|row| row.name == name).unwrap();
    assert_eq!(row("media_errors").change(), Some(3));
    assert_eq!(
        (row("available_spare").before, row("available_spare").change()),
        (Some(100), None)
    );
    assert_eq!(row("data_units_written").change(), Some(0));

    let before = read("smart-ata-full.json").unwrap();
    let mut after = before.clone();
    after.attributes.retain(|a| a.id != 9);
    after.attributes.iter_mut().find(|a| a.id == 5).unwrap().count += 8;
    let rows = delta(&before, &after);
    assert_eq!(rows.iter().filter(|row| row.id.is_some()).count(), 14);
    let by_id = |id| rows.iter().find(|row| row.id == Some(id)).unwrap();
    assert_eq!(by_id(5).change(), Some(8));
    assert_eq!((by_id(9).before, by_id(9).after), (Some(14_551), None));
}

/// Documents cut or damaged at any byte are an error or a snapshot, never a panic.
#[test]
fn damaged_documents_do_no_harm() {
    let Some(dir) = golden() else { return };
    for (name, ..) in EXPECTED {
        let bytes = std::fs::read(dir.join(name)).unwrap();
        for at in (0..bytes.len()).step_by(97) {
            assert!(parse(&bytes[..at]).is_err(), "{name} cut at {at}");
            let mut damaged = bytes.clone();
            damaged[at] = b'9';
            let _ = parse(&damaged);
        }
    }
}
