//! Every rule has all its parts, looks at a number that something gives, and follows its own limits.

use std::collections::BTreeSet;
use std::time::Duration;

use drive::kernel_log::{Account, Unheard};
use drive::overlay::Overlay;
use drive::smart::{
    BackgroundScan, ErrorCounters, Farm, FarmErrors, NvmeHealth, ScsiHealth, SctTemperature, WriteCounter,
};
use wire::drive::{Bus, Rotation};
use wire::job::TimePoint;
use wire::{Celsius, DriveId};

use super::*;

/// A snapshot that tells everything there is.
fn talkative() -> Snapshot {
    let mut all = with(22, 0);
    all.attributes.push(Attribute {
        name: "Wear_Leveling_Count".into(),
        ..attribute(177, 0)
    });
    all.attributes.push(Attribute {
        name: "Grown_Bad_Block_Ct".into(),
        ..attribute(170, 0)
    });
    all.attributes.push(Attribute {
        name: "Program_Fail_Count".into(),
        ..attribute(171, 0)
    });
    all.family = Some("Flash".into());
    all.attributes.push(Attribute {
        name: "Available_Reservd_Space".into(),
        ..attribute(232, 0)
    });
    all.attributes.push(Attribute {
        name: "Current_Pending_ECC_Cnt".into(),
        ..attribute(200, 0)
    });
    all.heat_warning = Some(80);
    all.error_log_count = Some(0);
    all.sct = Some(SctTemperature {
        lifetime_min: None,
        lifetime_max: Some(45),
        limit: Some(60),
        over_limit: Some(0),
    });
    all.nvme = Some(NvmeHealth {
        critical_warning: Some(0),
        available_spare: Some(90),
        available_spare_threshold: Some(10),
        percentage_used: Some(0),
        media_errors: Some(0),
        num_err_log_entries: Some(0),
        warning_temp_time: Some(0),
        critical_comp_time: Some(0),
        ..NvmeHealth::default()
    });
    all.scsi = Some(ScsiHealth {
        grown_defects: Some(0),
        non_medium: Some(0),
        phy_errors: Some(0),
        pending_defects: Some(0),
        scan: Some(BackgroundScan::default()),
        read: Some(ErrorCounters {
            uncorrected: Some(0),
            ..ErrorCounters::default()
        }),
        ..ScsiHealth::default()
    });
    all.written = Some(WriteCounter {
        source: "x".into(),
        count: 0,
        units: vec![512],
    });
    all.farm = Farm::Told {
        hours: 5,
        errors: FarmErrors {
            reallocated: Some(0),
            candidates: Some(0),
            unrecoverable: Some(0),
        },
    };
    all.rpm = Some(0);
    all.password = Some(false);
    all.capacity = Some(2 << 40);
    all
}

/// A long run over a drive of two TiB, fast throughout.
pub(super) fn long() -> Evidence {
    let geometry = Geometry {
        sectors: 1 << 32,
        ..GEOMETRY
    };
    let mut evidence = Evidence::new(geometry, &plain(&[Phase::Write, Phase::Verify]));
    for record in &mut evidence.phases {
        record.status = PhaseStatus::Done;
        record.rounds = 1;
        record.done = Bytes(geometry.bytes());
        record.total = record.done;
        record.seconds = 10_000.0;
        for zone in 0..1024_u64 {
            let ms = Duration::from_millis(8);
            record
                .zones
                .add((zone << 22, 1 << 22), geometry.sectors, 2 << 30, 256 * ms, ms);
            record.latency.add(ms);
        }
    }
    evidence
}

pub(super) fn peers(of: &Case<'_>, count: u64) -> Vec<Peer> {
    let named = |n: u64| DriveId::from_serial("M", &format!("S{n}"), 1).unwrap();
    let bytes = Bytes(of.evidence.geometry.bytes());
    (0..count)
        .map(|n| Peer::of(of, named(n), "M", bytes).unwrap())
        .collect()
}

fn numbers() -> BTreeSet<String> {
    let (all, mut absent, mut silent) = (talkative(), talkative(), snapshot());
    absent.farm = Farm::Absent;
    silent.power_on_hours = None;
    silent.written = Some(WriteCounter {
        source: "y".into(),
        count: 0,
        units: vec![512],
    });
    let one_word = Snapshot {
        passed: Some(true),
        ..Snapshot::default()
    };
    let mut disk = with(183, 0);
    disk.attributes.last_mut().unwrap().name = "Runtime_Bad_Block".into();
    disk.attributes.push(attribute(240, 0));
    disk.attributes.last_mut().unwrap().name = "Head_Flying_Hours".into();
    let mut moved = talkative();
    moved.written.as_mut().unwrap().count = 9;
    let (evidence, samples) = (long(), Evidence::new(GEOMETRY, &plain(&[Phase::Sample])));
    let line = [TimePoint {
        at: Time::UNIX_EPOCH,
        step: 0,
        temperature: Some(Celsius(40)),
        rate: Bytes(0),
        bad_sectors: 0,
    }];
    let case = Case {
        wants_smart: true,
        timeline: &line,
        profile: Profile::New,
        ..Case::new(&evidence)
    };
    let mut known = BTreeSet::new();
    for (before, after) in [
        (None, None),
        (Some(&all), Some(&all)),
        (None, Some(&all)),
        (Some(&all), None),
        (Some(&absent), Some(&absent)),
        (Some(&silent), Some(&silent)),
        (Some(&all), Some(&moved)),
        (Some(&disk), Some(&disk)),
        (Some(&one_word), Some(&one_word)),
        (Some(&one_word), Some(&all)),
        (Some(&all), Some(&one_word)),
    ] {
        known.extend(metrics(&Case { before, after, ..case }).names().map(str::to_owned));
    }
    known.extend(metrics(&Case::new(&samples)).names().map(str::to_owned));
    // Nothing was written.
    let read = both(&samples, &all);
    known.extend(metrics(&read).names().map(str::to_owned));
    let overlays = [Overlay::Nothing, Overlay::NotLooked("why".to_owned())];
    for overlay in &overlays {
        let overlay = Some(overlay);
        known.extend(metrics(&Case { overlay, ..case }).names().map(str::to_owned));
    }
    let disk = Case {
        bus: Bus::Sata,
        rotation: Rotation::Spinning { rpm: Some(7200) },
        ..case
    };
    known.extend(metrics(&disk).names().map(str::to_owned));
    known.extend(metrics(&Case { shared: true, ..disk }).names().map(str::to_owned));
    let shared = Case { shared: true, ..case };
    known.extend(metrics(&shared).names().map(str::to_owned));
    for unheard in [Unheard::Kind, Unheard::Log("why".to_owned())] {
        let case = Case {
            kernel: &Account {
                unheard: Some(unheard),
                ..Account::NOTHING
            },
            ..Case::new(&samples)
        };
        known.extend(metrics(&case).names().map(str::to_owned));
    }
    let disturbed = Case {
        kernel: &Account {
            resets: 1,
            ..Account::NOTHING
        },
        ..Case::new(&evidence)
    };
    known.extend(metrics(&disturbed).names().map(str::to_owned));
    for (good, bad) in [(1, 0), (0, 1)] {
        let mut tested = long();
        (tested.memory.good, tested.memory.bad) = (good, bad);
        known.extend(metrics(&Case::new(&tested)).names().map(str::to_owned));
    }
    let falls = cache::with_a_step();
    let flash = Case {
        rotation: Rotation::SolidState,
        ..Case::new(&falls)
    };
    known.extend(metrics(&flash).names().map(str::to_owned));
    // A population of drives that are better in every way.
    let mut others = peers(&case, 3);
    for peer in &mut others {
        peer.read.iter_mut().for_each(|rate| *rate *= 2);
        peer.read_p99_us = Some(1);
        peer.temperature = Some(20.0);
        peer.smart.insert("ata.reallocated".into(), 0);
    }
    let mut slow = long();
    slow.phases[1].latency.add(Duration::from_secs(1));
    for _ in 0..100 {
        slow.phases[1].latency.add(Duration::from_secs(1));
    }
    let bad = with(5, 100);
    let case = Case {
        evidence: &slow,
        before: Some(&bad),
        after: Some(&bad),
        peers: &others,
        ..case
    };
    known.extend(metrics(&case).names().map(str::to_owned));
    known
}

#[test]
fn every_rule_is_complete_and_looks_at_a_number_that_exists() {
    let known = numbers();
    let mut ids = BTreeSet::new();
    for rule in Rules::built_in().iter() {
        let id = &rule.id;
        assert!(ids.insert(id), "{id} stands twice");
        assert!(known.contains(&rule.metric), "{id}: nothing gives {}", rule.metric);
        assert!(rule.source.len() > 10, "{id} has no source");
        assert!(
            !rule.means.is_empty() && !rule.means.ends_with('.'),
            "{id}: {:?}",
            rule.means
        );
        let limits: Vec<f64> = [rule.told, rule.warn, rule.inconclusive, rule.failed]
            .into_iter()
            .flatten()
            .collect();
        assert!(!limits.is_empty(), "{id} has no limit");
        let sorted = match rule.at {
            rules::Side::Least => limits.is_sorted(),
            rules::Side::Most => limits.iter().rev().is_sorted(),
        };
        assert!(sorted, "{id}: a worse outcome has the milder limit");
    }
    assert!(ids.len() > 90);
}

#[test]
fn a_healthy_drive_that_tells_everything_fires_nothing() {
    let (evidence, all) = (long(), talkative());
    let mut after = all.clone();
    after.written.as_mut().unwrap().count = 1 << 32;
    let case = Case {
        wants_smart: true,
        before: Some(&all),
        after: Some(&after),
        profile: Profile::New,
        ..Case::new(&evidence)
    };
    let peers = peers(&case, 4);
    let verdict = judge(&Case { peers: &peers, ..case });
    assert_eq!(
        (verdict.outcome, ids(&verdict)),
        (Outcome::Passed, vec![]),
        "{verdict:?}"
    );
}
