//! The agent as a service: opens its store, starts its parts, stops them in order.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use burnin::worker::Limits;
use drive::guard::Guard;
use drive::smart::Smartctl;
use store::SetAside;
use store::waiting::NotTaken;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tracing::{error, info};
use wire::event::Severity;

use crate::backup::{self, Taken};
use crate::bays::BayBook;
use crate::books::Books;
use crate::cli::{self, Options};
use crate::controller::Controller;
use crate::events::Happening;
use crate::hands::Hands;
use crate::job::Means;
use crate::jobs::{Jobs, tables};
use crate::notary::Notary;
use crate::outbox::Outbox;
use crate::pacing::Pacer;
use crate::registry::Registry;
use crate::uplink::{self, CALLS_MAX, Uplink};
use crate::vigil::Who;
use crate::vigil::listen::{self, Listener};
use crate::{heartbeat, histories, stop, unread};

/// How often temperatures are taken for charts; drives are asked at most that often, too.
const GLANCE: Duration = Duration::from_secs(30);

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// When the agent cannot begin its work: no token, no store, no runtime.
pub fn run(options: Options, wrong: &[String]) -> anyhow::Result<()> {
    // One thread: see the crate's head.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the runtime")?;
    let result = runtime.block_on(serve(options, wrong));
    // Threads that hang on a drive must not keep the process.
    runtime.shutdown_background();
    result
}

async fn serve(options: Options, wrong: &[String]) -> anyhow::Result<()> {
    let token = cli::token()?;
    let endpoint = options
        .server()
        .context("no server: give --server or VIGIL_SERVER_URL")?;
    let (stopper, stop) = stop::pair();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;

    let open = || {
        let opened = store::open(&options.data, &store::Options::new(&tables()));
        opened.with_context(|| format!("opening the store in {}", options.data.display()))
    };
    let mut opened = open()?;
    let books = Books::open(options.data.join("playbooks"), options.playbooks.clone())
        .with_context(|| format!("opening the playbooks in {}", options.data.display()))?;
    let (taken, failed) = unread::take_out(&opened.store);
    // Before anything has read what would be replaced.
    let restored = backup::take_up(&options.data, &opened.store, &store::Options::new(&tables()), &books);
    if matches!(restored, Ok(Some(_))) {
        let aside = opened.set_aside.take();
        // It is locked until it is closed.
        drop(opened);
        opened = open()?;
        opened.set_aside = opened.set_aside.or(aside);
    }
    let outbox = Outbox::new(opened.store.clone());
    unread::told(&taken).into_iter().for_each(|told| outbox.event(told));
    for cause in failed {
        // What cannot be read is told where it is missed.
        error!(error = %cause, "records that cannot be read stay where they are");
    }
    if let Some(told) = told_of(restored) {
        outbox.event(told);
    }
    if let Some(bad) = &opened.set_aside {
        outbox.event(store_set_aside(bad));
    }
    if !wrong.is_empty() {
        outbox.event(not_used(wrong));
    }
    let jobs = Jobs::new(opened.store.clone(), &options.data, Some(&options.run));
    let guard = Guard {
        allow_loop: options.allow_loop,
        ..Guard::default()
    };
    let smartctl = Smartctl {
        program: options.smartctl.clone(),
        ..Smartctl::default()
    };
    let registry = Registry::start(guard.clone(), smartctl.clone()).context("watching the drives")?;
    let limits = Limits::with_checkpoints(options.checkpoint_bytes);
    let pacer = Pacer::new(options.rates());
    let hands = Hands::new(guard, smartctl);
    let means = Means {
        hands: hands.clone(),
        jobs: jobs.clone(),
        outbox: outbox.clone(),
        drives: registry.drives(),
        bays: BayBook::open(opened.store.clone()).context("reading where drives sit")?,
        notary: Notary::open(opened.store.clone()).context("opening the key for certificates")?,
        pacer: pacer.clone(),
        stop: stop.clone(),
        limits,
        boot_id: boot_id(),
        heat_clock: options.heat_clock.max(1),
        kernel_log: options.kernel_log.clone(),
        failures: Arc::new(options.fail_jobs.into()),
    };
    outbox.playbooks(books.infos());
    let resting = tokio::spawn(histories::run(registry.clone(), hands, outbox.clone(), stop.clone()));
    let (mut controller, inbox) = Controller::new(means, registry, books, options.allow_foreign_gate)
        .context("reading what was known of drives")?;
    match jobs.load() {
        Ok(kept) => controller.take_up(kept),
        Err(cause) => {
            error!(error = %cause, "the jobs on the medium cannot be read");
            let message = format!("The jobs on the medium cannot be read: {cause}");
            outbox.event(Happening::new(
                "agent.jobs_unreadable",
                Severity::Critical,
                None,
                message,
                serde_json::Value::Null,
            ));
        }
    }
    let (to_controller, from_server) = mpsc::channel(CALLS_MAX);
    let who = Who::here(options.allow_foreign_gate);
    let server = Uplink {
        endpoint,
        addon_id: options.addon_id,
        token: token.clone(),
        who: who.clone(),
    };
    let listening = match options.listen {
        None => None,
        Some(address) => {
            let listener = listen::bind(address)
                .await
                .with_context(|| format!("listening on {address}"))?;
            let what = Listener {
                outbox: outbox.clone(),
                to_controller: to_controller.clone(),
                token,
                who,
                since: wire::Time::now(),
            };
            Some(tokio::spawn(listen::run(listener, what, stop.clone())))
        }
    };
    let glances = tokio::spawn(glance(outbox.clone(), stop.clone()));
    heartbeat::ready("watching the drives");
    info!(server = %server.endpoint, data = %options.data.display(), "agent started");
    let pacing = tokio::spawn(pacer.run(stop.clone()));
    let beats = tokio::spawn(heartbeat::run(opened.store, stop.clone()));
    let (uplink_stopper, uplink_stop) = stop::pair();
    let uplink = tokio::spawn(uplink::run(server, outbox, to_controller, uplink_stop));
    let mut controller = tokio::spawn(controller.run(inbox, from_server));
    tokio::select! {
        _ = terminate.recv() => info!("SIGTERM: stopping"),
        _ = interrupt.recv() => info!("SIGINT: stopping"),
        ended = &mut controller => {
            stopper.ask();
            ended.context("the controller failed")?;
            anyhow::bail!("the controller ended by itself");
        }
    }
    heartbeat::stopping();
    // First the jobs (each takes a checkpoint), then the connection, which tells the server how they stand.
    stopper.ask();
    controller.await.context("the controller failed")?;
    uplink_stopper.ask();
    uplink.await.context("the uplink failed")?;
    beats.await.context("the heartbeat failed")?;
    pacing.await.context("the pacing failed")?;
    glances.await.context("the readings failed")?;
    resting.await.context("the histories failed")?;
    if let Some(listening) = listening {
        listening.await.context("the listener failed")?;
    }
    info!("agent stopped");
    Ok(())
}

/// Takes the drives' temperatures for charts, now and again.
async fn glance(outbox: Outbox, mut stop: stop::Stop) {
    let mut every = tokio::time::interval(GLANCE);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = every.tick() => outbox.glance(wire::Time::now()),
            () = stop.asked() => return,
        }
    }
}

/// What is told of a backup that waited.
fn told_of(restored: Result<Option<Taken>, NotTaken>) -> Option<Happening> {
    let (severity, message) = match restored {
        Ok(None) => return None,
        Ok(Some(Taken { rows, dropped })) => {
            let without = match dropped {
                0 => String::new(),
                dropped => format!("; there was no room for the oldest {dropped} jobs"),
            };
            (
                Severity::Warning,
                format!("The agent goes on with the state of a backup ({rows} entries{without})"),
            )
        }
        Err(why) => {
            let chain = std::iter::successors(Some(&why as &dyn std::error::Error), |error| error.source());
            let words: Vec<String> = chain.map(ToString::to_string).collect();
            let next = match why {
                NotTaken::Ended => "look at its jobs and certificates: where they are not the backup's, bring it again",
                NotTaken::Waits(..) => "its state stays as it was, and its next start tries again",
                NotTaken::File(..) | NotTaken::Store(_) => "its state stays as it was; bring the backup again",
            };
            let message = format!(
                "The agent's part of a backup was not put back: {}; {next}",
                words.join(": ")
            );
            (Severity::Critical, message)
        }
    };
    Some(Happening::new(
        "agent.restored",
        severity,
        None,
        message,
        serde_json::Value::Null,
    ))
}

/// Settings with which nothing could be done: told at each start, for as long as they stand there.
fn not_used(wrong: &[String]) -> Happening {
    for wrong in wrong {
        tracing::error!("{wrong}");
    }
    let message = format!("Settings are not used, see [env] of kiln.toml: {}", wrong.join("; "));
    let data = serde_json::json!({ "settings": wrong });
    Happening::new("agent.settings_not_used", Severity::Warning, None, message, data)
}

fn store_set_aside(bad: &SetAside) -> Happening {
    let place = bad.path.display();
    let message = format!(
        "The agent's store cannot be used ({}) and lies at {place} now; jobs and checkpoints that are only in it are not gone on with",
        bad.why
    );
    let data = serde_json::json!({ "path": place.to_string(), "why": bad.why });
    Happening::new("agent.store_set_aside", Severity::Critical, None, message, data)
}

/// The kernel's id of this boot; empty where there is no such file, which no boot equals.
fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|id| id.trim().to_owned())
        .unwrap_or_default()
}
