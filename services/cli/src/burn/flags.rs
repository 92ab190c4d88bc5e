//! The options of a command line that a burn-in was begun with, as far as its steps follow from them: what `--resume` needs beside it. Pure.

use std::ffi::OsStr;

use burnin::Playbook;
use clap::ValueEnum;
use wire::options::{FormatRequest, PlanOptions, Profile};

use super::again::quote;
use super::args::{FileSystemArg, TableArg};

/// Of this playbook with these options; what is so by default is left out, but for the playbook.
pub(super) fn of(playbook: &str, options: &PlanOptions) -> String {
    let book = match Playbook::named(playbook) {
        Ok(_) => playbook.to_owned(),
        Err(_) => format!("FILE.toml (the file of {playbook})"),
    };
    let mut flags = vec![format!("--playbook {book}")];
    flags.extend((options.profile == Profile::New).then(|| "--profile new".to_owned()));
    flags.extend(options.soak_hours.map(|hours| format!("--soak {hours}")));
    flags.extend(options.stop_at_first.then(|| "--stop-at-first".to_owned()));
    if let Some(request) = &options.format {
        let FormatRequest {
            table,
            filesystem,
            reserved_percent,
            label,
        } = request;
        flags.push(format!(
            "--format {}",
            name(|arg: FileSystemArg| *filesystem == arg.into())
        ));
        flags.extend((!label.is_empty()).then(|| format!("--label {}", quote(OsStr::new(label)))));
        flags.extend((*reserved_percent > 0).then(|| format!("--reserved {reserved_percent}")));
        let table = name(|arg: TableArg| *table == arg.into());
        flags.extend((table != "auto").then(|| format!("--table {table}")));
    }
    flags.join(" ")
}

/// How the command line calls the value that `is` one.
fn name<A: ValueEnum + Copy>(is: impl Fn(A) -> bool) -> String {
    let arg = A::value_variants().iter().find(|arg| is(**arg));
    let value = arg.and_then(ValueEnum::to_possible_value);
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}

#[cfg(test)]
mod tests {
    use wire::options::{FileSystem, Table};

    use super::*;

    #[test]
    fn a_burn_in_is_called_by_the_options_that_began_it() {
        let plain = PlanOptions::default();
        assert_eq!(of("surface", &plain), "--playbook surface");
        assert_eq!(of("mine", &plain), "--playbook FILE.toml (the file of mine)");
        let options = PlanOptions {
            profile: Profile::New,
            soak_hours: Some(24),
            format: Some(FormatRequest {
                table: Table::Gpt,
                filesystem: FileSystem::Exfat,
                reserved_percent: 2,
                label: "my photos".to_owned(),
            }),
            give_up: Vec::new(),
            stop_at_first: true,
        };
        assert_eq!(
            of("standard", &options),
            "--playbook standard --profile new --soak 24 --stop-at-first --format exfat --label 'my photos' --reserved 2 --table gpt"
        );
    }
}
