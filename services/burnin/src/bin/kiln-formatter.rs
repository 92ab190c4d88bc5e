//! The formatter's process alone, for tests: `kiln-agent formatter` and `kiln formatter` are the same.

use std::process::ExitCode;

fn main() -> ExitCode {
    burnin::format::child()
}
