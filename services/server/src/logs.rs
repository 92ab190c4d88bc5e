//! Where log lines go: the journal's socket where there is one, else standard error.

use std::fmt::Arguments;
use std::io::Write;
use std::path::Path;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// The journal's socket: the supervisor's journal in the box, journald under systemd.
const JOURNAL: &str = "/run/systemd/journal/socket";

/// Sets logging up. `RUST_LOG` chooses what is logged.
pub fn start(identifier: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let registry = tracing_subscriber::registry().with(filter);
    if Path::new(JOURNAL).exists() {
        match tracing_journald::layer() {
            Ok(layer) => {
                registry
                    .with(layer.with_syslog_identifier(identifier.to_owned()))
                    .init();
                return;
            }
            Err(error) => say(
                &mut std::io::stderr(),
                format_args!("the journal at {JOURNAL} cannot be used ({error}); logging to standard error"),
            ),
        }
    }
    registry
        .with(tracing_subscriber::fmt::layer().with_writer(std::io::stderr))
        .init();
}

/// Prints a line for whoever started this by hand. Where nobody reads any more (a closed pipe, a terminal that is gone) the
/// line is lost and the server goes on.
pub fn say(to: &mut impl Write, line: Arguments<'_>) {
    let _unread = writeln!(to, "{line}").and_then(|()| to.flush());
}
