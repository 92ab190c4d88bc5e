//! A made-up job for the tests; its figures are nobody's.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    dead_code,
    reason = "tests"
)]

use certificate::{Certificate, Key, Maker, Signed, canonical};
use ed25519_dalek::{Signer, SigningKey};
use sha2::{Digest, Sha256};
use wire::job::{
    FaultKind, Finding, Job, JobState, Outcome, Phase, PhaseState, PhaseStatus, Resume, RuleHit, SelfTest,
    SelfTestOutcome, SmartRow, Surface, TimePoint, Verdict,
};
use wire::options::{FileSystem, Formatted, PlanOptions, Table};
use wire::{Bytes, Celsius, DriveId, Lba, Time};

pub(crate) fn time(text: &str) -> Time {
    text.parse().unwrap()
}

pub(crate) fn key() -> Key {
    Key::from_seed(&[42; 32])
}

pub(crate) fn maker() -> Maker {
    Maker {
        id: "box-1".into(),
        name: "kiln-bench-2 <Ångström & Söhne>".into(),
        software: certificate::SOFTWARE.into(),
    }
}

fn phase(phase: Phase, note: &str, hours: f64, bytes: u64) -> PhaseState {
    PhaseState {
        phase,
        note: note.into(),
        rounds: 1,
        status: PhaseStatus::Done,
        seconds: hours * 3600.0,
        bytes: Bytes(bytes),
    }
}

fn surface(phase: Phase, step: u16, top: f64) -> Surface {
    let zones = (0..1024)
        .map(|i| {
            let x = f64::from(i) / 1023.0;
            let speed = top * (1.0 - 0.52 * x * x) + 2e6 * (f64::from(i) * 0.7).sin();
            Bytes(speed as u64)
        })
        .collect();
    Surface {
        phase,
        step,
        zones,
        p50_us: 2_310,
        p99_us: 9_870,
        max_us: 184_000,
        latencies: vec![
            0, 0, 0, 0, 0, 0, 0, 12, 340, 2_100, 9_800, 41_000, 22_000, 3_100, 280, 31, 9, 2,
        ],
    }
}

/// A 12 TB drive that passed.
pub(crate) fn passed() -> Job {
    let capacity = 12_000_138_625_024;
    let started = time("2026-11-18T05:20:00Z");
    let smart = |id, name: &str, before, after| SmartRow {
        id,
        name: name.into(),
        before,
        after,
        limit: None,
    };
    Job {
        id: "0192f0c1-2345-7890-8abc-def012345678".parse().unwrap(),
        drive: DriveId::from_wwn("5000c500a1b2c3d4").unwrap(),
        model: "ST12000NM000J-2TY103".into(),
        serial: "ZRT10W3P".into(),
        own_serial: None,
        capacity: Bytes(capacity),
        sector: 512,
        playbook: "standard".into(),
        actor: "mara".into(),
        state: JobState::Finished,
        phases: vec![
            phase(Phase::SmartBefore, "", 0.001, 0),
            phase(Phase::SelfTestShort, "", 0.033, 0),
            phase(Phase::Probe, "", 0.01, 64 << 20),
            phase(Phase::Write, "", 15.97, capacity),
            phase(Phase::Verify, "", 15.85, capacity),
            phase(Phase::SmartAfter, "", 0.001, 0),
            phase(Phase::Partition, "", 0.0003, 0),
            phase(Phase::Format, "", 0.01, 0),
        ],
        progress: None,
        findings: vec![],
        bad_sectors: 0,
        heading: Vec::new(),
        verdict: Some(Verdict {
            outcome: Outcome::Passed,
            rules: vec![],
            summary: "All 12 TB were written, read back and equal.".into(),
            verified: Bytes(capacity),
            engine: "0.1.0+1f0c3a9e".into(),
        }),
        resumes: vec![Resume {
            at: time("2026-11-18T20:01:00Z"),
            why: "power cut or reset".into(),
            phase: Phase::Write,
            step: 3,
            from: Bytes(9_000_000_000_000),
        }],
        surface: vec![surface(Phase::Write, 3, 262e6), surface(Phase::Verify, 4, 270e6)],
        smart: vec![
            smart(Some(5), "Reallocated_Sector_Ct", Some(0), Some(0)),
            smart(Some(9), "Power_On_Hours", Some(17_906), Some(17_938)),
            smart(Some(188), "Command_Timeout", Some(i64::MAX), None),
            smart(Some(194), "Temperature_Celsius", Some(31), Some(43)),
            smart(Some(199), "UDMA_CRC_Error_Count", Some(1), Some(1)),
        ],
        self_tests: vec![SelfTest {
            phase: Phase::SelfTestShort,
            outcome: SelfTestOutcome::Passed,
            told: "Completed without error".into(),
            lba: None,
            step: Some(1),
        }],
        timeline: (0..400)
            .map(|i| TimePoint {
                at: Time::from_second(started.as_second() + i64::from(i) * 290).unwrap(),
                step: if i < 200 { 3 } else { 4 },
                temperature: Some(Celsius(34 + (f64::from(i).sqrt() / 2.0) as i32)),
                rate: Bytes(200_000_000 - i as u64 * 100_000),
                bad_sectors: 0,
            })
            .collect(),
        options: PlanOptions::default(),
        formatted: Some(Formatted {
            table: Table::Gpt,
            filesystem: FileSystem::Ext4,
            label: "photos".into(),
            uuid: Some("6f1e2d3c-0000-4000-8000-123456789abc".into()),
            size: Bytes(capacity - (2 << 20)),
            checks: vec!["partition table read again: equal".into(), "e2fsck -fn: clean".into()],
            problem: None,
        }),
        certificate: None,
        acknowledged: None,
        started,
        ended: Some(time("2026-11-19T14:22:05Z")),
    }
}

/// A drive that did not, with names that try things.
pub(crate) fn failed() -> Job {
    let mut job = passed();
    job.model = "Evil</script><script>alert(1)</script>&\"'".into();
    job.serial = "Ünïcødé-序列号-9F2K".into();
    job.formatted = None;
    job.findings = (0..70)
        .map(|i| Finding {
            kind: if i % 3 == 0 {
                FaultKind::BitFlip
            } else {
                FaultKind::Misdirected
            },
            lba: Some(Lba(1_000_000 + i * 77)),
            sectors: 8,
            found: Some(Lba(5)),
            phase: Phase::Verify,
            step: 4,
            detail: "17 bits differ <b>".into(),
        })
        .collect();
    job.bad_sectors = 560;
    job.timeline
        .iter_mut()
        .skip(300)
        .enumerate()
        .for_each(|(i, p)| p.bad_sectors = i as u64 * 6);
    job.verdict = Some(Verdict {
        outcome: Outcome::Failed,
        rules: vec![
            RuleHit {
                id: "verify-mismatch".into(),
                outcome: Outcome::Failed,
                value: "560 sectors".into(),
                limit: "0".into(),
                source: "what was written must be read back".into(),
                means: "what was read back differs from what was written".into(),
            },
            RuleHit {
                id: "smart-unreadable".into(),
                outcome: Outcome::Warn,
                value: "no".into(),
                limit: "readable".into(),
                source: "DESIGN".into(),
                means: String::new(),
            },
        ],
        summary: "What was read back differs from what was written (560 sectors; first at LBA 1000000).".into(),
        verified: Bytes(11_000_000_000_000),
        engine: "0.1.0+1f0c3a9e".into(),
    });
    job
}

pub(crate) fn sign(job: &Job) -> Signed {
    sign_as(job, &maker())
}

/// As a version did that wrote its number alone.
pub(crate) fn sign_as_older(job: &Job) -> Signed {
    let software = "kiln 0.1.0".into();
    sign_as(job, &Maker { software, ..maker() })
}

fn sign_as(job: &Job, maker: &Maker) -> Signed {
    let key = key();
    let made = time("2026-11-19T14:22:06.123456Z");
    let certificate = Certificate::of(job, maker, key.public(), made).unwrap();
    Signed::sign(&certificate, &key).unwrap()
}

/// The signed file of whatever somebody with a key of their own, here [`key`], writes into a certificate.
pub(crate) fn file_by_hand(certificate: &Certificate) -> String {
    let mut short = certificate.clone();
    for text in [&mut short.id, &mut short.drive.model, &mut short.drive.serial] {
        *text = String::from(text.chars().take(60).collect::<String>().trim());
    }
    let body = canonical::of(certificate).unwrap();
    let file = serde_json::json!({
        "certificate": certificate,
        "signature": sign_by_hand("kiln-certificate-v1", &body),
        "stamp": sign_by_hand("kiln-stamp-v1", &lines_by_hand(&short, &body)),
    });
    canonical::of_value(&file).unwrap()
}

/// The code of the same, its names as they stand.
pub(crate) fn code_by_hand(certificate: &Certificate) -> String {
    let lines = lines_by_hand(certificate, &canonical::of(certificate).unwrap());
    format!("{lines}\n{}", sign_by_hand("kiln-stamp-v1", &lines).to_uppercase())
}

fn lines_by_hand(certificate: &Certificate, body: &str) -> String {
    let seconds = |time: Time| Time::from_second(time.as_second()).unwrap().to_string();
    let digest = hex::encode(Sha256::digest(body));
    [
        "KILN CERTIFICATE 1",
        certificate.outcome().word(),
        &certificate.id,
        &certificate.drive.model,
        &certificate.drive.serial,
        &certificate.drive.capacity.0.to_string(),
        &seconds(certificate.made),
        &seconds(certificate.valid_until),
        &certificate.key.to_uppercase(),
        &digest.to_uppercase(),
    ]
    .join("\n")
}

pub(crate) fn sign_by_hand(prefix: &str, text: &str) -> String {
    let signature = SigningKey::from_bytes(&[42; 32]).sign(format!("{prefix}\n{text}").as_bytes());
    hex::encode(signature.to_bytes())
}

/// Runs another's program; `None`, told, where it is not installed.
pub(crate) fn run(command: &mut std::process::Command) -> Option<std::process::Output> {
    match command.output() {
        Ok(output) => Some(output),
        Err(error) => {
            let told = format!("\nNOT RUN: {}: {error}\n", command.get_program().display());
            drop(std::io::Write::write_all(&mut std::io::stderr(), told.as_bytes()));
            None
        }
    }
}
