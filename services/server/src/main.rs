//! `kiln-server --listen ADDR --data DIR`: see the library.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use server::app::{App, Setup};
use server::auth::password;
use server::clock::Clock;
use server::config::{Config, Tls};
use server::http::{Hosts, router};
use server::life::contents;
use server::serve::listen;
use server::serve::seats::{self, Seats};
use server::serve::{Listener, serve};
use server::supervisor::{control, heartbeat};
use server::update::proof;
use server::{heap, logs, tables, tls};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// How often the certificate's time is looked at.
const LOOK: Duration = Duration::from_hours(1);

/// Exit code of a usage error.
const USAGE: u8 = 64;

fn main() -> ExitCode {
    store::answer_check();
    let read = match settings::read::<Config>(settings::is_in_a_box(), &[]) {
        Ok(read) => read,
        Err(error) => {
            let told = error.print();
            let is_help = !error.use_stderr();
            return if is_help && told.is_ok() {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(USAGE)
            };
        }
    };
    settings::log::start("kiln-server", "RUST_LOG");
    heap::gives_back_large_pieces();
    many_files();
    // Two threads are enough for one box and leave the rest of a small machine to the burn-ins.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let done = runtime
        .context("starting the runtime")
        .and_then(|runtime| runtime.block_on(run(read.settings, read.wrong)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "the server ended");
            logs::say(&mut std::io::stderr(), format_args!("kiln-server: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Lets this process open as many files as it may: each add-on and each listener is one.
fn many_files() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| match soft < hard {
        true => setrlimit(Resource::RLIMIT_NOFILE, hard, hard),
        false => Ok(()),
    });
    if let Err(error) = raised {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}

async fn run(config: Config, mut wrong: Vec<String>) -> anyhow::Result<()> {
    let mut listeners = listeners(&config).await?;
    let name = nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok())
        .unwrap_or_default();
    let (admin, agent_token) = admitted(&config, settings::is_in_a_box(), &mut wrong)?;
    for wrong in &wrong {
        tracing::error!(wrong, "a setting is not used");
    }
    let setup = Setup {
        data: config.data.clone(),
        name: name.clone(),
        admin,
        agent_token,
        wrong,
        check: store::Check::Reexec,
        clock: Clock::default(),
        watch: config.watch(),
        alerts: config.alerts(),
        map_size: tables::MAP_SIZE,
    };
    let app = App::start(setup).await?;
    tokio::spawn(announce(Arc::clone(&app), config.control.clone()));
    tokio::spawn(proof::run(Arc::clone(&app)));
    tokio::spawn(control::run(Arc::clone(&app), config.control.clone()));
    let tls = tls(&config, &name, &app);
    if settings::is_in_a_box() {
        tokio::spawn(renew(Arc::clone(&app)));
    }
    let router = router(Arc::clone(&app), Hosts(config.names()));
    // Before anybody can take the last free file.
    let supervisor = heartbeat::Supervisor::of_environment();
    let (network, local) = (Seats::new(seats::NETWORK), Seats::new(seats::LOCAL));
    let mut serving = JoinSet::new();
    for (name, listener) in listeners.drain(..) {
        tracing::info!(name, listener = ?listener, "listening");
        if let Some(own) = listener.own_address() {
            let _known = app.update.own.set(own);
        }
        let seats = match &listener {
            Listener::Tcp(_) => network.clone(),
            Listener::Unix(_) => local.clone(),
        };
        let stopping = app.stopping.subscribe();
        serving.spawn(serve(listener, seats, router.clone(), tls.clone(), stopping));
    }
    tokio::spawn(Arc::clone(&app).tell_contents(contents::BILL.into()));
    let beating = tokio::spawn(heartbeat::run(Arc::clone(&app), supervisor));
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
        // Whoever supervises starts it again.
        () = app.life.restart.notified() => {}
    }
    tracing::info!("stopping");
    app.shut_down().await;
    while serving.join_next().await.is_some() {}
    // What was ordered is on the medium before the process ends; a medium that hangs is left to the supervisor.
    let last = tokio::time::timeout(Duration::from_secs(5), app.scribe.kept(Vec::new())).await;
    if !matches!(last, Ok(Ok(()))) {
        tracing::warn!("not everything may be on the medium");
    }
    beating.abort();
    Ok(())
}

/// Name and password of the box's first person, and the token of its own agent. In a box those that cannot be used are
/// told in `wrong`, as if they were not set.
fn admitted(config: &Config, in_a_box: bool, wrong: &mut Vec<String>) -> anyhow::Result<Admitted> {
    let (mut admin, mut token) = (config.admin(), config.agent_token());
    if !in_a_box {
        return Ok((admin, token?));
    }
    if let Some((_, password)) = &admin
        && let Err(error) = password::check_length(password)
    {
        wrong.push(format!("ADMIN_PASSWORD is not used: {error}"));
        admin = None;
    }
    if let Err(error) = &token {
        wrong.push(format!("the agent's token is not used: {error}"));
        token = Ok(None);
    }
    Ok((admin, token?))
}

/// Who is admitted from the start: name and password, the agent's token.
type Admitted = (Option<(String, String)>, Option<String>);

/// What shakes hands; without a certificate the box goes on in clear, and says so.
fn tls(config: &Config, name: &str, app: &App) -> Option<TlsAcceptor> {
    if config.tls == Tls::Off {
        return None;
    }
    match tls::Identity::open(&config.data, name, app.clock.now().wall) {
        Ok(identity) => {
            tracing::info!(fingerprint = identity.shown.fingerprint, "TLS");
            let known = app.life.certificate.set(identity.shown.clone());
            // Told again with the fingerprint.
            app.console.send_modify(|_| {});
            known.ok().map(|()| tls::acceptor(&identity))
        }
        Err(error) => {
            tracing::error!(error = %format!("{error:#}"), "no TLS");
            None
        }
    }
}

/// Starts the server again when its certificate is to be made anew: a box runs for years, and its clock may have stood
/// elsewhere when the certificate was made. The sockets are the supervisor's, so no request is lost.
async fn renew(app: Arc<App>) {
    let mut tick = tokio::time::interval_at(tokio::time::Instant::now() + Duration::from_mins(1), LOOK);
    loop {
        tick.tick().await;
        let Some(shown) = app.life.certificate.get() else {
            return;
        };
        let now = app.clock.now();
        if shown.is_due(now.wall, now.mono) {
            if let Err(error) = tls::Identity::forget(&app.life.data) {
                tracing::warn!(%error, "the certificate cannot be made anew now");
                continue;
            }
            tracing::warn!("the certificate is to be made anew: the server starts again");
            app.life.restart.notify_one();
            return;
        }
    }
}

async fn listeners(config: &Config) -> anyhow::Result<Vec<(String, Listener)>> {
    let mut all = listen::passed()?;
    if config.listen.is_some() || all.is_empty() {
        let (address, listener) = listen::tcp(config.address()).await?;
        // For people and tests that asked for port 0.
        logs::say(&mut std::io::stdout(), format_args!("listening: http://{address}"));
        all.push(("listen".to_owned(), listener));
    }
    if let Some(path) = &config.unix {
        all.push(("unix".to_owned(), listen::unix(path)?));
    }
    Ok(all)
}

/// Prints the claim code where no supervisor has a console for it.
async fn announce(app: Arc<App>, control: PathBuf) {
    let mut console = app.console.subscribe();
    console.mark_changed();
    while console.changed().await.is_ok() {
        let code = console.borrow_and_update().clone();
        if let Some(code) = code
            && !control.exists()
        {
            logs::say(&mut std::io::stdout(), format_args!("claim: {code}"));
        }
    }
}
