//! The agent as a service: opens what it kept, starts its parts, stops them in order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use burnin::format::Turns;
use burnin::worker::Limits;
use drive::guard::Guard;
use drive::smart::Smartctl;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::{error, info};
use wire::event::Severity;

use crate::bays::BayBook;
use crate::cli::{self, Options};
use crate::controller::Controller;
use crate::events::Happening;
use crate::hands::Hands;
use crate::job::Means;
use crate::jobs::Jobs;
use crate::notary::Notary;
use crate::opened::{self, Opened};
use crate::outbox::Outbox;
use crate::pacing::Pacer;
use crate::registry::Registry;
use crate::uplink::{self, CALLS_MAX, Uplink};
use crate::vigil::Who;
use crate::vigil::listen::{self, Listener};
use crate::{ends, heartbeat, histories, stop};

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
    let Opened { store, books, outbox } = opened::open(&options, wrong)?;
    let jobs = Jobs::new(store.clone(), &options.data, Some(&options.run));
    let (guard, smartctl) = tools(&options);
    let registry = Registry::start(guard.clone(), smartctl.clone()).context("watching the drives")?;
    let hands = Hands::new(guard, smartctl);
    let pacer = Pacer::new(options.rates());
    let means = Means {
        hands: hands.clone(),
        jobs: jobs.clone(),
        outbox: outbox.clone(),
        drives: registry.drives(),
        bays: BayBook::open(store.clone()).context("reading where drives sit")?,
        notary: Notary::open(store.clone()).context("opening the key for certificates")?,
        pacer: pacer.clone(),
        turns: options.formats.map_or_else(Turns::here, Turns::new),
        stop: stop.clone(),
        limits: Limits::with_checkpoints(options.checkpoint_bytes),
        boot_id: drive::medium::boot_id(),
        heat_clock: options.heat_clock.max(1),
        kernel_log: options.kernel_log.clone(),
        failures: Arc::new(options.fail_jobs.into()),
        fail_place: options.fail_place.clone(),
    };
    outbox.playbooks(books.infos());
    let resting = tokio::spawn(histories::run(registry.clone(), hands, outbox.clone(), stop.clone()));
    let (mut controller, inbox) = Controller::new(means, registry, books, options.allow_foreign_gate)
        .context("reading what was known of drives")?;
    take_up(&mut controller, &jobs, &outbox);
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
            let what = Listener {
                outbox: outbox.clone(),
                to_controller: to_controller.clone(),
                token,
                who,
                since: wire::Time::now(),
            };
            Some(listen_on(address, what, stop.clone()).await?)
        }
    };
    let glances = tokio::spawn(glance(outbox.clone(), stop.clone()));
    heartbeat::ready("watching the drives");
    info!(server = %server.endpoint, data = %options.data.display(), "agent started");
    let pacing = tokio::spawn(pacer.run(stop.clone()));
    let beats = tokio::spawn(heartbeat::run(store, stop.clone()));
    let (uplink_stopper, uplink_stop) = stop::pair();
    let ending = tokio::spawn(ends::run(jobs, outbox.clone(), uplink_stop.clone()));
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
    ending.await.context("writing down how jobs ended failed")?;
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

/// What looks at drives, as the options want it.
fn tools(options: &Options) -> (Guard, Smartctl) {
    let guard = Guard {
        allow_loop: options.allow_loop,
        ..Guard::default()
    };
    let smartctl = Smartctl {
        program: options.smartctl.clone(),
        ..Smartctl::default()
    };
    (guard, smartctl)
}

/// Has the jobs that were not over gone on with.
fn take_up(controller: &mut Controller, jobs: &Jobs, outbox: &Outbox) {
    match jobs.load() {
        Ok(kept) => {
            controller.take_up(kept);
            outbox.jobs_whole();
        }
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
}

/// Listens for what a Vigil server asks, in a task of its own.
async fn listen_on(address: SocketAddr, what: Listener, stop: stop::Stop) -> anyhow::Result<JoinHandle<()>> {
    let listener = listen::bind(address)
        .await
        .with_context(|| format!("listening on {address}"))?;
    Ok(tokio::spawn(listen::run(listener, what, stop)))
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
