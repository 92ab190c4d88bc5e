//! `kiln addon validate FILE`: whether a manifest holds to the rules, by the same reader as the server's.
//!
//! Exit codes: 0 it does, 2 it does not (every flaw on a line of standard output, or `--json`), 64 usage, a file that
//! cannot be read, and a result that cannot be written. Tested in `tests/addon.rs`.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use wire::manifest::{self, Flaw, Manifest, SIZE_MAX};
use wire::shown;

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
    let told = match &args.command {
        Command::Schema => Ok((crate::lines(manifest::SCHEMA.lines()), 0)),
        Command::Validate { file, json } => match read(file) {
            Ok(bytes) => Ok(validate(&file.display().to_string(), &bytes, *json)),
            Err(error) => Err(format!("{}: {error}", file.display())),
        },
    };
    match told.and_then(|(text, code)| crate::give(&text).map(|()| code)) {
        Ok(code) => ExitCode::from(code),
        Err(why) => {
            tell!("kiln addon: {why}");
            ExitCode::from(crate::USAGE)
        }
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

/// Reads a manifest by all rules, also those that the server bears to see broken. Of one that is too long nobody knows here how long it is.
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

/// What there is to tell of a manifest, and the exit code.
fn validate(name: &str, bytes: &[u8], json: bool) -> (String, u8) {
    let read = judge(bytes);
    let code = if read.is_ok() { 0 } else { FLAWED };
    let text = match (&read, json) {
        (_, true) => {
            let flaws = read.as_ref().err().map(Vec::as_slice).unwrap_or_default();
            let told = serde_json::json!({ "valid": read.is_ok(), "flaws": flaws }).to_string();
            shown::json(&told).into_owned()
        }
        (Ok(manifest), false) => {
            let (pages, components) = (manifest.pages.len(), manifest.components().count());
            crate::lines([format!(
                "{name}: {} {}: valid; pages: {pages}, components: {components}",
                manifest.name, manifest.version
            )])
        }
        (Err(flaws), false) => crate::lines(flaws.iter().map(|flaw| format!("{name}: {flaw}"))),
    };
    (text, code)
}
