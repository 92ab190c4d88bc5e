//! The worker over a real descriptor: an order in, reports out, stopped, resumed, left alone.

#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::thread;

use burnin::device::Geometry;
use burnin::evidence::{Evidence, Stop};
use burnin::pattern::JobKey;
use burnin::playbook::plain;
use burnin::worker::{self, Backend, Input, Io, Limits, Order, Report, Resumption};
use wire::Time;
use wire::job::Phase;

const BYTES: u64 = 64 << 20;

fn order(limits: Limits) -> Order {
    Order {
        key: JobKey([3; 16]),
        geometry: Geometry {
            sectors: BYTES / 512,
            sector: 512,
            physical: 512,
        },
        header: None,
        steps: plain(&[
            Phase::SmartBefore,
            Phase::Probe,
            Phase::Write,
            Phase::Verify,
            Phase::SmartAfter,
        ]),
        limits,
        io: Io {
            backend: Backend::Sync,
            block: 64 << 10,
            depth: 2,
        },
        resume: None,
        failed_before: false,
        pace: None,
        medium: None,
    }
}

fn line(to: &mut UnixStream, input: &Input) {
    let mut line = serde_json::to_vec(input).unwrap();
    line.push(b'\n');
    to.write_all(&line).unwrap();
}

/// Runs a worker; `talk` sees each report and may answer.
fn work(
    drive: &File,
    first: &Input,
    mut talk: impl FnMut(&Report, &mut Option<UnixStream>),
) -> Result<Evidence, worker::Error> {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let drive = drive.try_clone().unwrap();
    let worker = thread::spawn(move || {
        let input = theirs.try_clone().unwrap();
        let result = worker::run(drive, input, &theirs);
        let _ = theirs.shutdown(std::net::Shutdown::Both);
        result
    });
    let mut to = Some(ours.try_clone().unwrap());
    line(to.as_mut().unwrap(), first);
    for text in BufReader::new(&ours).lines() {
        let Ok(text) = text else { break };
        talk(&serde_json::from_str(&text).unwrap(), &mut to);
    }
    worker.join().unwrap()
}

fn drive() -> File {
    let file = tempfile::tempfile().unwrap();
    file.set_len(BYTES).unwrap();
    file
}

#[test]
fn a_job_tells_its_phases_and_ends_with_its_evidence() {
    let drive = drive();
    let (mut phases, mut done, mut started) = (Vec::new(), None, false);
    let evidence = work(
        &drive,
        &Input::Order(Box::new(order(Limits::default()))),
        |report, _| match report {
            Report::Started { engine, from, .. } => {
                assert!(engine.contains("pread/pwrite 64 KiB") && from.0 == 0, "{engine}");
                started = true;
            }
            Report::PhaseDone { state, .. } => phases.push(state.phase),
            Report::Done { evidence } => done = Some(evidence.clone()),
            _ => {}
        },
    )
    .unwrap();
    assert!(started);
    assert_eq!(phases, [Phase::Probe, Phase::Write, Phase::Verify]);
    // Seconds lose their last digit on the way through JSON, so the parts that count are compared.
    let done = done.unwrap();
    let states = |e: &Evidence| {
        e.phases
            .iter()
            .map(|p| (p.phase, p.status, p.done, p.total))
            .collect::<Vec<_>>()
    };
    assert_eq!(states(&done), states(&evidence));
    assert_eq!((&done.defects, &done.stopped), (&evidence.defects, &evidence.stopped));
    assert_eq!(evidence.verified().0, BYTES);
    assert!(evidence.surfaces().len() == 2 && evidence.surfaces()[1].p50_us > 0);
}

#[test]
fn stop_gives_a_checkpoint_from_which_the_job_goes_on() {
    let drive = drive();
    let limits = Limits {
        checkpoint_bytes: 1 << 20,
        rewind_bytes: 1 << 20,
        ..Limits::default()
    };
    let (mut last, mut told) = (None, 0);
    let evidence = work(&drive, &Input::Order(Box::new(order(limits))), |report, to| {
        if let Report::Checkpoint { text, .. } = report {
            last = Some(text.clone());
            told += 1;
            if told == 20 {
                line(
                    to.as_mut().unwrap(),
                    &Input::Stop {
                        why: "a test".to_owned(),
                    },
                );
            }
        }
    })
    .unwrap();
    assert_eq!(
        evidence.stopped,
        Some(Stop::Asked {
            why: "a test".to_owned()
        })
    );
    let resume = Resumption {
        checkpoint: last.unwrap(),
        why: "stopped".to_owned(),
        at: Time::UNIX_EPOCH,
    };
    let mut from = None;
    let again = Order {
        resume: Some(resume),
        ..order(limits)
    };
    let evidence = work(&drive, &Input::Order(Box::new(again)), |report, _| {
        if let Report::Started { from: at, .. } = report {
            from = Some(at.0);
        }
    })
    .unwrap();
    assert!(from.unwrap() > 0);
    assert_eq!(
        (evidence.stopped.clone(), evidence.verified().0, evidence.resumes.len()),
        (None, BYTES, 1)
    );
}

#[test]
fn an_agent_that_is_gone_ends_the_worker() {
    let drive = drive();
    let limits = Limits {
        checkpoint_bytes: 1 << 20,
        ..Limits::default()
    };
    let result = work(&drive, &Input::Order(Box::new(order(limits))), |report, to| {
        if matches!(report, Report::Checkpoint { .. })
            && let Some(to) = to.take()
        {
            to.shutdown(std::net::Shutdown::Both).unwrap();
        }
    });
    // Either the input's end was seen first, or a report could not be written.
    match result {
        Ok(evidence) => assert_eq!(
            evidence.stopped,
            Some(Stop::Asked {
                why: "the agent is gone".to_owned()
            })
        ),
        Err(error) => assert!(matches!(error, worker::Error::Output(_)), "{error}"),
    }
}

#[test]
fn nonsense_instead_of_an_order_is_an_error_with_its_reason() {
    let drive = drive();
    let told = worker::run(
        drive.try_clone().unwrap(),
        &b"{\"kind\":\"order\",\"key\":7}\n"[..],
        Vec::new(),
    );
    assert!(told.unwrap_err().to_string().contains("no order"));
    let told = worker::run(drive.try_clone().unwrap(), &b""[..], Vec::new());
    assert!(matches!(told, Err(worker::Error::NoOrder(_))));
    let mut bad = serde_json::to_vec(&Input::Order(Box::new(Order {
        resume: Some(Resumption {
            checkpoint: "kiln-checkpoint 1 0 0\n{".to_owned(),
            why: String::new(),
            at: Time::UNIX_EPOCH,
        }),
        ..order(Limits::default())
    })))
    .unwrap();
    bad.push(b'\n');
    let told = worker::run(drive, std::io::Cursor::new(bad), Vec::new())
        .unwrap_err()
        .to_string();
    assert!(told.contains("checkpoint"), "{told}");
}

#[test]
fn a_worker_waits_for_its_turn_and_holds_when_asked() {
    let drive = drive();
    let first = Order {
        pace: Some(0),
        ..order(Limits::default())
    };
    let mut log = Vec::new();
    let evidence = work(&drive, &Input::Order(Box::new(first)), |report, to| {
        let Report::Log { text } = report else { return };
        let to = to.as_mut().unwrap();
        if text.contains("its turn has not come yet") {
            line(
                to,
                &Input::Hold {
                    why: "51 °C".to_owned(),
                },
            );
            line(to, &Input::Pace { bytes_per_s: None });
            line(to, &Input::Release);
        }
        log.push(text.clone());
    })
    .unwrap();
    assert_eq!((evidence.stopped.clone(), evidence.verified().0), (None, BYTES));
    assert!(log.iter().any(|text| text.contains("goes on")), "{log:?}");
}
