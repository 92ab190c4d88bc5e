//! `kiln-agent`: see the library's head. The same binary answers as its own helpers: `worker`, `formatter`, the
//! store's check and the drives' prober.

use std::process::ExitCode;

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
    agent::names::keep_to_what_is_linked_in();
    // Whom it believes and where it goes has no default to fall back to.
    let needed = ["server", "legacy_server", "fingerprint", "ca"];
    let read = match settings::read::<agent::cli::Options>(settings::is_in_a_box(), &needed) {
        Ok(read) => read,
        Err(error) => {
            // A failed print of a usage message has nowhere to be told.
            let _unprinted = error.print();
            return ExitCode::from(if error.use_stderr() { 64 } else { 0 });
        }
    };
    settings::log::start("kiln-agent", "KILN_LOG");
    match agent::run::run(read.settings, &read.wrong) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            eprintln!("kiln-agent: {error:#}");
            ExitCode::FAILURE
        }
    }
}
