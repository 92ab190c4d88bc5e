//! `kiln addon validate FILE`: whether a manifest holds to the rules, by the same reader as the server's.
//!
//! Exit codes: 0 it does, 2 it does not (every flaw on a line of standard output, or `--json`), 64 usage, and a file that
//! cannot be read. Tested in `tests/addon.rs`.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use wire::manifest::{self, SIZE_MAX};

/// Exit code of a manifest with flaws.
pub const FLAWED: u8 = 2;

/// What `kiln addon` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Whether an add-on's manifest holds to the rules; exit code 0 if so, 2 if not.
    Validate {
        /// The file, or - for standard input.
        file: PathBuf,
        /// As one JSON object: {"valid", "flaws": [{"path", "what", "expected"}]}.
        #[arg(long)]
        json: bool,
    },
    /// Prints the JSON Schema of manifests.
    Schema,
}

/// Runs the command.
pub fn main(args: &Args) -> ExitCode {
    match &args.command {
        Command::Schema => {
            result!("{}", manifest::SCHEMA.trim_end());
            ExitCode::SUCCESS
        }
        Command::Validate { file, json } => match read(file) {
            Ok(text) => validate(&file.display().to_string(), &text, *json),
            Err(error) => {
                tell!("kiln addon: {}: {error}", file.display());
                ExitCode::from(crate::USAGE)
            }
        },
    }
}

/// The text, of which no more is read than shows that it is too long.
fn read(file: &Path) -> std::io::Result<String> {
    let most = SIZE_MAX as u64 + 1;
    let mut text = Vec::new();
    if file == Path::new("-") {
        std::io::stdin().take(most).read_to_end(&mut text)?;
    } else {
        std::fs::File::open(file)?.take(most).read_to_end(&mut text)?;
    }
    // What is no UTF-8 is no JSON; the reader says so, at the place.
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn validate(name: &str, text: &str, json: bool) -> ExitCode {
    let read = manifest::read_text(text);
    if json {
        let flaws = read.as_ref().err().map(Vec::as_slice).unwrap_or_default();
        result!("{}", serde_json::json!({ "valid": read.is_ok(), "flaws": flaws }));
    }
    match read {
        Ok(manifest) => {
            if !json {
                let components = manifest.components().count();
                let (pages, name_of) = (manifest.pages.len(), &manifest.name);
                result!(
                    "{name}: {name_of} {}: valid; pages: {pages}, components: {components}",
                    manifest.version
                );
            }
            ExitCode::SUCCESS
        }
        Err(flaws) => {
            if !json {
                for flaw in &flaws {
                    result!("{name}: {flaw}");
                }
            }
            ExitCode::from(FLAWED)
        }
    }
}
