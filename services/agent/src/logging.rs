//! Where log lines go: the native journal socket where there is one, else standard error.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::prelude::*;

/// Starts logging. `KILN_LOG` (such as `agent=debug`) chooses what; `info` by default.
pub fn start(name: &str) {
    let filter = EnvFilter::try_from_env("KILN_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let registry = tracing_subscriber::registry().with(filter);
    match tracing_journald::layer() {
        Ok(journal) => registry.with(journal.with_syslog_identifier(name.to_owned())).init(),
        Err(_) => {
            registry
                .with(
                    tracing_subscriber::fmt::layer()
                        .with_writer(std::io::stderr)
                        .with_ansi(false),
                )
                .init();
        }
    }
}
