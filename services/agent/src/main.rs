//! `kiln-agent`: see the library's head. The same binary answers as its own helpers: `worker`, `formatter`, the
//! store's check and the drives' prober.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    store::answer_check();
    drive::answer_child();
    let mut arguments = std::env::args().skip(1);
    let helper = arguments.next();
    if helper.as_deref() == Some("formatter") {
        return burnin::format::child();
    }
    if helper.as_deref() == Some("worker") {
        let Some(parent) = arguments.next().and_then(|pid| pid.parse().ok()) else {
            eprintln!("kiln-agent worker PARENT-PID: only the agent starts this");
            return ExitCode::from(64);
        };
        return agent::sandbox::worker(parent);
    }
    let options = match agent::cli::Options::try_parse() {
        Ok(options) => options,
        Err(error) => {
            // A failed print of a usage message has nowhere to be told.
            let _unprinted = error.print();
            return ExitCode::from(if error.use_stderr() { 64 } else { 0 });
        }
    };
    agent::logging::start("kiln-agent");
    match agent::run::run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            eprintln!("kiln-agent: {error:#}");
            ExitCode::FAILURE
        }
    }
}
