//! What a person chose beside the drives: the steps that follow from it, and whether it can be followed. Pure.

use wire::job::Phase;
use wire::options::{FileSystem, FormatRequest, PlanOptions, Profile, Table};

use crate::format::{self, BadRequest, Missing};
use crate::playbook::{Playbook, Step};

/// Why it cannot be followed; begins with the option's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotFollowed {
    /// Nothing tells that a drive is new.
    #[error(
        "profile: the playbook {0} asks for no SMART, by which alone a drive is judged as new; choose a playbook that does, as \
         standard, or the profile used"
    )]
    NewWithoutSmart(String),
    /// A drive would be formatted that was not tested whole.
    #[error(
        "format: the playbook {0} does not write and read back every block; only a drive that was tested whole is formatted; \
         choose another playbook, or no format"
    )]
    FormatUntested(String),
    /// No drive takes it.
    #[error("format: {0}")]
    BadFormat(BadRequest),
    /// It cannot be made here.
    #[error("format: {0}")]
    NoTools(Missing),
}

/// Whether a playbook and the options beside it can be followed, whatever the drive. `tools`: [`format::available`].
///
/// # Errors
/// Which option cannot, and what to choose instead.
pub fn follow(
    book: &Playbook,
    options: &PlanOptions,
    tools: impl Fn(FileSystem) -> Result<(), Missing>,
) -> Result<(), NotFollowed> {
    if options.profile == Profile::New && !book.wants_smart() {
        return Err(NotFollowed::NewWithoutSmart(book.name.clone()));
    }
    if options.format.is_some() && !book.formats() {
        return Err(NotFollowed::FormatUntested(book.name.clone()));
    }
    if let Some(request) = request(book.steps(), options) {
        format::check(&request).map_err(NotFollowed::BadFormat)?;
        tools(request.filesystem).map_err(NotFollowed::NoTools)?;
    }
    Ok(())
}

/// The playbook's steps, and behind them those of the format that was chosen.
pub fn steps(book: &Playbook, options: &PlanOptions) -> Vec<Step> {
    let mut steps = book.steps().to_vec();
    if let Some(request) = &options.format {
        let formats = request.filesystem != FileSystem::Raw;
        // Of the playbook's own step nothing is made then, and a partition comes before what stands in it.
        steps.retain(|step| formats || step.phase != Phase::Format);
        if !has(&steps, Phase::Partition) {
            let format = steps.iter().position(|step| step.phase == Phase::Format);
            steps.insert(format.unwrap_or(steps.len()), Phase::Partition.into());
        }
        if formats && !has(&steps, Phase::Format) {
            steps.push(Phase::Format.into());
        }
    }
    steps
}

/// What is to be made: what was chosen, else what the playbook's own steps ask for.
pub fn request(steps: &[Step], options: &PlanOptions) -> Option<FormatRequest> {
    let plain = |filesystem| FormatRequest {
        table: Table::Auto,
        filesystem,
        reserved_percent: 0,
        label: String::new(),
    };
    match &options.format {
        Some(request) => Some(request.clone()),
        None if has(steps, Phase::Format) => Some(plain(FileSystem::Ext4)),
        None if has(steps, Phase::Partition) => Some(plain(FileSystem::Raw)),
        None => None,
    }
}

fn has(steps: &[Step], phase: Phase) -> bool {
    steps.iter().any(|step| step.phase == phase)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn format(filesystem: FileSystem, label: &str) -> PlanOptions {
        PlanOptions {
            format: Some(FormatRequest {
                table: Table::Auto,
                filesystem,
                reserved_percent: 0,
                label: label.to_owned(),
            }),
            ..PlanOptions::default()
        }
    }

    fn new() -> PlanOptions {
        PlanOptions {
            profile: Profile::New,
            ..PlanOptions::default()
        }
    }

    #[test]
    fn options_that_cannot_be_followed_name_the_option_and_the_way_out() {
        let all = |_: FileSystem| Ok(());
        let none = |_: FileSystem| Err(Missing::Kernel { filesystem: "xfs" });
        let (long, plain) = ("x".repeat(17), PlanOptions::default());
        let raw = format(FileSystem::Raw, "");
        for (book, options, tools, part) in [
            ("standard", &new(), true, None),
            (
                "surface",
                &new(),
                true,
                Some("profile: the playbook surface asks for no SMART"),
            ),
            ("standard", &raw, true, None),
            ("quick", &raw, true, Some("format: the playbook quick does not")),
            (
                "standard",
                &format(FileSystem::Ext4, &long),
                true,
                Some("format: label: 17"),
            ),
            ("standard", &raw, false, Some("format: this kernel cannot mount")),
            ("standard", &plain, false, None),
            ("preclear", &plain, true, None),
            ("preclear", &plain, false, Some("format: this kernel cannot mount")),
        ] {
            let book = Playbook::named(book).unwrap();
            let told = match tools {
                true => follow(&book, options, all),
                false => follow(&book, options, none),
            };
            match (told, part) {
                (Ok(()), None) => {}
                (Err(told), Some(part)) => assert!(told.to_string().starts_with(part), "{told}"),
                (told, part) => panic!("{}: {told:?}, expected {part:?}", book.name),
            }
        }
    }

    #[test]
    fn what_is_made_is_what_was_chosen_else_what_the_playbook_asks_for() {
        for (book, options, last, made) in [
            ("standard", PlanOptions::default(), &[][..], None),
            (
                "standard",
                format(FileSystem::Raw, ""),
                &[Phase::Partition],
                Some(FileSystem::Raw),
            ),
            (
                "standard",
                format(FileSystem::Xfs, ""),
                &[Phase::Partition, Phase::Format],
                Some(FileSystem::Xfs),
            ),
            (
                "preclear",
                PlanOptions::default(),
                &[Phase::Partition],
                Some(FileSystem::Raw),
            ),
            (
                "preclear",
                format(FileSystem::Ext4, ""),
                &[Phase::Partition, Phase::Format],
                Some(FileSystem::Ext4),
            ),
        ] {
            let book = Playbook::named(book).unwrap();
            let steps = steps(&book, &options);
            let own = |step: &&Step| matches!(step.phase, Phase::Partition | Phase::Format);
            let told: Vec<Phase> = steps.iter().filter(own).map(|step| step.phase).collect();
            assert_eq!(told, last, "{}", book.name);
            assert_eq!(request(&steps, &options).map(|request| request.filesystem), made);
        }
    }

    #[test]
    fn a_partition_comes_before_its_file_system_and_none_is_made_where_none_was_asked_for() {
        let book = |steps: &[&str]| {
            let steps: String = steps
                .iter()
                .map(|step| format!("[[step]]\ndo = \"{step}\"\n"))
                .collect();
            Playbook::own("mine.toml", &format!("name = \"mine\"\nabout = \"mine\"\n{steps}")).unwrap()
        };
        let told = |book: &Playbook, options: &PlanOptions| -> Vec<Phase> {
            steps(book, options)[2..].iter().map(|step| step.phase).collect()
        };
        let (raw, ext4) = (format(FileSystem::Raw, ""), format(FileSystem::Ext4, ""));
        let both = vec![Phase::Partition, Phase::Format];
        for (own, of_raw, of_ext4) in [
            (&[][..], vec![Phase::Partition], both.clone()),
            (&["partition"], vec![Phase::Partition], both.clone()),
            (&["format"], vec![Phase::Partition], both.clone()),
            (&["partition", "format"], vec![Phase::Partition], both.clone()),
        ] {
            let book = book(&[&["write", "verify"], own].concat());
            assert_eq!(told(&book, &raw), of_raw, "{own:?}");
            assert_eq!(told(&book, &ext4), of_ext4, "{own:?}");
        }
    }
}
