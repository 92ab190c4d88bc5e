//! `kiln playbook list` and `kiln playbook check FILE`: what can be done, and whether one's own can.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use burnin::Playbook;
use wire::playbook::PlaybookInfo;
use wire::shown;

/// What `kiln playbook` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// The built-in playbooks and their steps.
    List {
        /// As one JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Whether a playbook of your own can be used; exit code 0 if so, 64 if not.
    Check {
        /// The file.
        file: PathBuf,
        /// As one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Prints a built-in playbook, to begin one's own with.
    Show {
        /// Its name.
        name: String,
    },
}

/// Runs the command.
pub fn main(args: &Args) -> ExitCode {
    let text = match &args.command {
        Command::List { json } => list(*json),
        Command::Check { file, json } => check(file, *json),
        Command::Show { name } => match Playbook::named(name) {
            Ok(book) => Ok(crate::lines(book.text().trim_end().lines())),
            Err(why) => Err(why.to_string()),
        },
    };
    match text.and_then(|text| crate::give(&text)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            tell!("kiln playbook: {why}");
            ExitCode::from(crate::USAGE)
        }
    }
}

fn list(json: bool) -> Result<String, String> {
    let all: Vec<PlaybookInfo> = Playbook::built_in()
        .iter()
        .filter_map(|(name, _)| Some(Playbook::named(name).ok()?.info(false)))
        .collect();
    if json {
        return as_json(&all);
    }
    Ok(crate::lines(all.iter().flat_map(words)))
}

/// With `json` one object stands on standard output in any case: what is wrong with the file is its `problem`.
fn check(file: &Path, json: bool) -> Result<String, String> {
    match (load_file(file), json) {
        (Ok(book), true) => as_json(&book.info(true)),
        (Ok(book), false) => Ok(crate::lines(words(&book.info(true)))),
        (Err(why), true) => {
            let text = crate::file::regular_text(file).unwrap_or_default();
            let info = Playbook::info_of_unusable(&file.display().to_string(), &text, why.clone());
            as_json(&info).and_then(|text| crate::give(&text))?;
            Err(why)
        }
        (Err(why), false) => Err(why),
    }
}

fn as_json(value: &impl serde::Serialize) -> Result<String, String> {
    let text = serde_json::to_string(value).map_err(|error| error.to_string())?;
    Ok(shown::json(&text).into_owned())
}

fn words(info: &PlaybookInfo) -> [String; 3] {
    let kind = if info.erases {
        "erases the drive"
    } else {
        "changes nothing"
    };
    [
        format!("{} ({kind})", info.name),
        format!("  {}", info.about),
        format!("  {}", info.steps.join(", ")),
    ]
}

/// A built-in playbook by its name, or a file by its path (which has a `/` or ends in `.toml`).
///
/// # Errors
/// What is wrong with it, in words.
pub fn load(name: &str) -> Result<Playbook, String> {
    if name.contains('/') || name.ends_with(".toml") {
        load_file(Path::new(name))
    } else {
        Playbook::named(name).map_err(|e| e.to_string())
    }
}

/// An error on one line: place and message, without the excerpt that the reader of TOML draws below some.
fn on_one_line(error: &burnin::playbook::Error) -> String {
    let is_drawn = |line: &&str| {
        line.trim_start_matches(|c: char| c.is_ascii_digit())
            .trim_start()
            .starts_with('|')
    };
    let text = error.to_string();
    let told: Vec<&str> = text.lines().map(str::trim).filter(|line| !is_drawn(line)).collect();
    told.join(": ")
}

fn load_file(path: &Path) -> Result<Playbook, String> {
    let text = crate::file::regular_text(path)?;
    Playbook::own(&path.display().to_string(), &text).map_err(|e| on_one_line(&e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_no_toml_is_told_by_line_column_and_message_alone() {
        let told = Playbook::own("mine.toml", "name = \"x\"\nabout = = 3\n").map_err(|error| on_one_line(&error));
        let Err(told) = told else { panic!("it was taken") };
        assert!(told.contains("mine.toml: line 2, column 9: about: "), "{told}");
        assert!(!told.contains(['|', '^', '\n']), "{told}");
    }
}
