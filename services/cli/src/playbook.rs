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
    match &args.command {
        Command::List { json } => list(*json),
        Command::Check { file, json } => match load_file(file) {
            Ok(book) => {
                show(&book.info(true), *json);
                ExitCode::SUCCESS
            }
            Err(why) => usage(&why),
        },
        Command::Show { name } => match Playbook::named(name) {
            Ok(book) => {
                book.text().trim_end().lines().for_each(|line| result!("{line}"));
                ExitCode::SUCCESS
            }
            Err(why) => usage(&why.to_string()),
        },
    }
}

fn usage(why: &str) -> ExitCode {
    tell!("kiln playbook: {why}");
    ExitCode::from(crate::USAGE)
}

fn list(json: bool) -> ExitCode {
    let all: Vec<PlaybookInfo> = Playbook::built_in()
        .iter()
        .filter_map(|(name, _)| Some(Playbook::named(name).ok()?.info(false)))
        .collect();
    if json {
        return match serde_json::to_string(&all) {
            Ok(text) => {
                result!("{}", shown::json(&text));
                ExitCode::SUCCESS
            }
            Err(error) => usage(&error.to_string()),
        };
    }
    for info in &all {
        show(info, false);
    }
    ExitCode::SUCCESS
}

fn show(info: &PlaybookInfo, json: bool) {
    if json {
        match serde_json::to_string(info) {
            Ok(text) => result!("{}", shown::json(&text)),
            Err(error) => tell!("kiln playbook: {error}"),
        }
        return;
    }
    let kind = if info.erases {
        "erases the drive"
    } else {
        "changes nothing"
    };
    result!("{} ({kind})", info.name);
    result!("  {}", info.about);
    result!("  {}", info.steps.join(", "));
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
    let text = crate::file::text(path)?;
    Playbook::own(&path.display().to_string(), &text).map_err(|e| on_one_line(&e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_no_toml_is_told_by_line_column_and_message_alone() {
        let told = Playbook::own("mine.toml", "name = \"x\"\nabout = = 3\n").map_err(|error| on_one_line(&error));
        let Err(told) = told else { panic!("it was taken") };
        assert!(
            told.contains("mine.toml: TOML parse error at line 2, column 9: "),
            "{told}"
        );
        assert!(!told.contains(['|', '^', '\n']), "{told}");
    }
}
