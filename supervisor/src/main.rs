//! `kiln-init`: PID 1, an ordinary supervisor below a root, the journal, network or time, or dhcpcd's hook, by how it is called.

use std::path::PathBuf;
use std::process::ExitCode;

use supervisor::handover::{self, Heir};
use supervisor::shell::desk::Desk;
use supervisor::shell::paths::Paths;
use supervisor::shell::run::Shell;
use supervisor::{boot, crash, journal, network};

const USAGE: &str = "usage: kiln-init --root DIR | kiln-init journal|network|time\n(as PID 1 without arguments)";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    let name = args
        .first()
        .map(|a| a.rsplit('/').next().unwrap_or_default().to_owned())
        .unwrap_or_default();
    let words: Vec<&str> = args.iter().skip(1).map(String::as_str).collect();
    match (name.as_str(), words.as_slice()) {
        ("dhcp-hook", _) => network::hook::main(),
        (_, ["journal"]) => journal::main(),
        (_, ["core", who @ ..]) => crash::main(who),
        (_, ["network"]) => network::main(),
        (_, ["time"]) => network::time::main(),
        (_, ["--root", dir, rest @ ..]) => match Heir::parse(rest) {
            Ok(heir) => below(PathBuf::from(dir), heir),
            Err(_) => usage(),
        },
        (_, rest) if std::process::id() == 1 => boot::main(Heir::parse(rest).ok().flatten()),
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::from(64)
}

/// An ordinary process that supervises the units below `dir`.
fn below(dir: PathBuf, heir: Option<Heir>) -> ExitCode {
    let dir = match dir.canonicalize() {
        Ok(d) => d,
        Err(e) => {
            eprintln!(
                "kiln-init: --root {}: {e}; expected an existing folder with etc/kiln/units",
                dir.display()
            );
            return ExitCode::from(64);
        }
    };
    // Orphans of our children come to us, as they come to PID 1.
    if let Err(e) = nix::sys::prctl::set_child_subreaper(true) {
        eprintln!("kiln-init: becoming a subreaper: {e}");
        return ExitCode::FAILURE;
    }
    let fresh = |paths| Shell::new(paths, None, Desk::below_root(), 0);
    match handover::begin(Some(&dir), Paths::new(Some(dir.clone())), heir, fresh) {
        Ok(_) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("kiln-init: {e}");
            ExitCode::FAILURE
        }
    }
}
