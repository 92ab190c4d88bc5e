//! `kiln addon validate FILE`: whether a manifest holds to the rules, by the same reader as the server's.
//!
//! Exit codes: 0 it does, 2 it does not (every flaw on a line of standard output, or `--json`), 64 usage, and a file that
//! cannot be read. Tested in `tests/addon.rs`.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use wire::manifest::{self, Flaw, Manifest, SIZE_MAX};

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
            Ok(bytes) => validate(&file.display().to_string(), &bytes, *json),
            Err(error) => {
                tell!("kiln addon: {}: {error}", file.display());
                ExitCode::from(crate::USAGE)
            }
        },
    }
}

/// The bytes, of which no more is read than shows that they are too many.
fn read(file: &Path) -> std::io::Result<Vec<u8>> {
    let most = SIZE_MAX as u64 + 1;
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        std::io::stdin().take(most).read_to_end(&mut bytes)?;
    } else {
        std::fs::File::open(file)?.take(most).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// Reads a manifest as the server does. Of one that is too long nobody knows here how long it is.
fn judge(bytes: &[u8]) -> Result<Manifest, Vec<Flaw>> {
    let whole = |what: String, expected: &str| {
        vec![Flaw {
            path: String::new(),
            what,
            expected: expected.to_owned(),
        }]
    };
    if bytes.len() > SIZE_MAX {
        return Err(whole(
            format!("more than {SIZE_MAX} bytes"),
            &format!("at most {SIZE_MAX} bytes"),
        ));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let what = format!("not JSON: at byte {} no UTF-8", error.valid_up_to());
        whole(what, "an object with name, version and pages, in UTF-8")
    })?;
    manifest::read_text(text)
}

/// A text for a terminal: what a file says gives it no commands.
fn shown(text: &str) -> String {
    let escaped = |c: char| {
        if c.is_control() {
            c.escape_unicode().collect()
        } else {
            c.to_string()
        }
    };
    text.chars().map(escaped).collect()
}

fn validate(name: &str, bytes: &[u8], json: bool) -> ExitCode {
    let read = judge(bytes);
    let name = shown(name);
    if json {
        let flaws = read.as_ref().err().map(Vec::as_slice).unwrap_or_default();
        result!("{}", serde_json::json!({ "valid": read.is_ok(), "flaws": flaws }));
    }
    match read {
        Ok(manifest) => {
            if !json {
                let components = manifest.components().count();
                let (pages, name_of) = (manifest.pages.len(), shown(&manifest.name));
                let version = shown(&manifest.version);
                result!("{name}: {name_of} {version}: valid; pages: {pages}, components: {components}");
            }
            ExitCode::SUCCESS
        }
        Err(flaws) => {
            if !json {
                for flaw in &flaws {
                    result!("{name}: {}", shown(&flaw.to_string()));
                }
            }
            ExitCode::from(FLAWED)
        }
    }
}
