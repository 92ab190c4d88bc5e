//! All playbooks that can be chosen: the built-in ones, a person's own, and those that came with the medium.
//!
//! A person's are files `NAME.toml` in the agent's state folder; a second folder, which is only read (a CONFIG stick),
//! may bring more. What cannot be used is listed with its reason and never run. What a step does is the crate
//! `burnin`'s.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use burnin::Playbook;
use burnin::playbook::Error as BadPlaybook;
use wire::Problem;
use wire::frame::FRAME_MAX_ACCEPTED;
use wire::playbook::PlaybookInfo;
use wire::shown::brief;

use crate::fit::{self, fit};

/// Most playbooks of a person's own.
pub const OWN_MAX: usize = 64;

/// Longest text of one in bytes.
pub const TEXT_MAX: usize = 64 << 10;

/// Stands in the place of a text that did not go along: no playbook, so that nobody saves it over the real one.
const LEFT_OUT: &str = "# This text is not shown: all playbooks together are too long for one message.\n\
                        # It is kept and can be run. Delete or shorten others, and it is shown again.\n";

/// Most characters of the reason why a playbook cannot be used that are told where room is short.
const REASON_MAX: usize = 200;

/// All playbooks.
#[derive(Debug)]
pub struct Books {
    own: PathBuf,
    brought: Option<PathBuf>,
}

/// One of a person's: its text, and what it is or why it cannot be used.
struct Own {
    text: String,
    book: Result<Playbook, BadPlaybook>,
}

impl Books {
    /// Playbooks in `own`, which is made where it is not there, and in `brought`, which is only read.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(own: PathBuf, brought: Option<PathBuf>) -> io::Result<Self> {
        fs::create_dir_all(&own)?;
        Ok(Self { own, brought })
    }

    /// The playbook of that name.
    ///
    /// # Errors
    /// Names the playbooks there are, or why that one cannot be used.
    pub fn find(&self, name: &str) -> Result<Playbook, Problem> {
        let built_in = match Playbook::named(name) {
            Ok(book) => return Ok(book),
            Err(error) => error,
        };
        match self.all_own().remove(name) {
            Some(Own { book: Ok(book), .. }) => Ok(book),
            Some(Own { book: Err(error), .. }) => {
                Err(Problem::new("playbook-unusable", 422, "This playbook cannot be used").with(error.to_string()))
            }
            None => Err(Problem::new("playbook-unknown", 422, "There is no such playbook").with(built_in.to_string())),
        }
    }

    /// What is told of all of them, in one frame: the built-in ones first. Where they are too long for one, the longest are told without
    /// their texts: first of those that came with the medium, which were not measured when they were saved.
    pub fn infos(&self) -> Vec<PlaybookInfo> {
        let own = read(&self.own);
        let mut infos = infos(&self.all_own());
        fit(&mut infos, |info| !own.contains_key(&info.name) && shorten(info));
        fit(&mut infos, shorten);
        infos
    }

    /// The texts of a person's own, by name.
    pub fn texts(&self) -> BTreeMap<String, String> {
        let own = read(&self.own).into_iter();
        own.map(|(name, own)| (name, own.text)).collect()
    }

    /// Keeps a person's playbook, in the place of one of that name; answers with the name.
    ///
    /// # Errors
    /// Says by line and field what is wrong with it, or why it cannot be kept.
    pub fn save(&self, text: &str) -> Result<String, Problem> {
        let wrong = |why: String| Problem::new("playbook-wrong", 422, "This is no playbook").with(why);
        if text.len() > TEXT_MAX {
            return Err(wrong(format!(
                "It has {} bytes; expected at most {TEXT_MAX}.",
                text.len()
            )));
        }
        let book = Playbook::own("as sent", text).map_err(|error| wrong(error.to_string()))?;
        let mut own = read(&self.own);
        if !own.contains_key(&book.name) && own.len() >= OWN_MAX {
            let problem = Problem::new("playbooks-full", 409, "There are too many playbooks");
            return Err(problem.with(format!("{OWN_MAX} are kept at most; delete one first.")));
        }
        let name = book.name.clone();
        let before = fit::length(&infos(&own));
        let text = text.to_owned();
        own.insert(
            name.clone(),
            Own {
                text: text.clone(),
                book: Ok(book),
            },
        );
        let after = fit::length(&infos(&own));
        // One that makes them shorter is a way out of that.
        if after > FRAME_MAX_ACCEPTED && after >= before {
            let problem = Problem::new("playbooks-full", 409, "The playbooks are too long together");
            return Err(problem.with(format!(
                "With {name} they have {after} bytes as the dashboard is told of them; expected at most {FRAME_MAX_ACCEPTED}. Shorten it, \
                 or delete another one first."
            )));
        }
        self.write(&name, &text)
            .map_err(|error| kept_not(&format!("The playbook {name} could not be written: {error}.")))?;
        Ok(name)
    }

    fn write(&self, name: &str, text: &str) -> io::Result<()> {
        let path = self.own.join(format!("{name}.toml"));
        let new = path.with_extension("new");
        let mut file = fs::File::create(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        fs::File::open(&self.own)?.sync_all()
    }

    /// Forgets a person's playbook.
    ///
    /// # Errors
    /// When there is none of that name, or it is not a person's.
    pub fn forget(&self, name: &str) -> Result<(), Problem> {
        if Playbook::named(name).is_ok() {
            let problem = Problem::new("playbook-built-in", 409, "A built-in playbook stays");
            return Err(problem.with(name));
        }
        let unknown = || Problem::new("playbook-unknown", 404, "There is no such playbook").with(name);
        if !is_file_name(name) {
            return Err(unknown());
        }
        match fs::remove_file(self.own.join(format!("{name}.toml"))) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => match self.all_own().contains_key(name) {
                true => {
                    let problem = Problem::new("playbook-brought", 409, "This playbook lies on a medium of its own");
                    Err(problem.with("Delete it there."))
                }
                false => Err(unknown()),
            },
            Err(error) => Err(kept_not(&format!("The playbook {name} could not be deleted: {error}."))),
        }
    }

    /// A person's, and those that came with the medium where no other bears the name.
    fn all_own(&self) -> BTreeMap<String, Own> {
        let mut all = self.brought.as_deref().map(read).unwrap_or_default();
        all.extend(read(&self.own));
        all
    }
}

/// What is told of the built-in ones and of `own`.
fn infos(own: &BTreeMap<String, Own>) -> Vec<PlaybookInfo> {
    let built_in = Playbook::built_in();
    let built_in = built_in.iter().filter_map(|(name, _)| Playbook::named(name).ok());
    let own = own.iter().map(|(name, own)| match &own.book {
        Ok(book) => book.info(true),
        Err(error) => Playbook::info_of_unusable(name, &own.text, error.to_string()),
    });
    built_in.map(|book| book.info(false)).chain(own).collect()
}

/// Tells less of one: no text, then no steps, and of what is wrong with it the beginning.
fn shorten(info: &mut PlaybookInfo) -> bool {
    if info.text.len() > LEFT_OUT.len() {
        LEFT_OUT.clone_into(&mut info.text);
        return true;
    }
    let is_long = |problem: &&mut String| problem.len() > 4 * REASON_MAX;
    if let Some(problem) = info.problem.as_mut().filter(is_long) {
        *problem = brief(problem, REASON_MAX);
        return true;
    }
    !std::mem::take(&mut info.steps).is_empty()
}

fn kept_not(detail: &str) -> Problem {
    Problem::new("agent-fault", 500, "The agent's medium does not take it").with(detail)
}

/// Whether it can be the name of a file here, as also somebody else may have put it here: nothing that leads elsewhere.
/// What a playbook may be called is [`wire::playbook::check_name`]'s to say.
fn is_file_name(name: &str) -> bool {
    (1..=40).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// The playbooks of a folder by name; of one whose text does not say its name, the file's. Two of one name are none: nobody knows
/// which of them is meant, and they may erase.
fn read(dir: &Path) -> BTreeMap<String, Own> {
    let Ok(entries) = fs::read_dir(dir) else {
        return BTreeMap::new();
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    let mut all: BTreeMap<String, (String, Own)> = BTreeMap::new();
    for path in paths.into_iter().take(OWN_MAX) {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let long = fs::metadata(&path).map_or(0, |metadata| metadata.len());
        let text = match long > TEXT_MAX as u64 {
            true => Err(format!("{long} bytes; expected at most {TEXT_MAX}")),
            false => fs::read_to_string(&path).map_err(|error| error.to_string()),
        };
        let (text, book) = match text {
            Ok(text) => {
                let book = Playbook::own(&file, &text);
                (text, book)
            }
            Err(cause) => {
                let name = file.clone();
                (String::new(), Err(BadPlaybook::Syntax { name, cause }))
            }
        };
        let name = book.as_ref().map_or(stem, |book| book.name.clone());
        match all.get_mut(&name) {
            Some((first, own)) => {
                let cause = format!("{file} is called {name}, too; give one of them another name");
                let name = first.clone();
                own.book = Err(BadPlaybook::Syntax { name, cause });
            }
            None => drop(all.insert(name, (file, Own { text, book }))),
        }
    }
    all.into_iter().map(|(name, (_, own))| (name, own)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const MINE: &str = "name = \"mine\"\nabout = \"One pass.\"\n[[step]]\ndo = \"write\"\n[[step]]\ndo = \"verify\"\n";

    fn open(dir: &Path) -> Books {
        Books::open(dir.join("own"), Some(dir.join("brought"))).unwrap()
    }

    #[test]
    fn a_persons_playbook_is_kept_found_listed_and_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let books = open(dir.path());
        assert_eq!(books.find("mine").unwrap_err().kind, "playbook-unknown");
        assert_eq!(books.save(MINE).unwrap(), "mine");
        let books = open(dir.path());
        assert_eq!(books.find("mine").unwrap().steps().len(), 2);
        let infos = books.infos();
        let mine = infos.last().unwrap();
        assert!(
            mine.own && mine.erases && mine.problem.is_none() && mine.text == MINE,
            "{mine:?}"
        );
        assert!(infos.iter().any(|info| info.name == "standard" && !info.own));
        books.forget("mine").unwrap();
        assert_eq!(books.forget("mine").unwrap_err().kind, "playbook-unknown");
        assert_eq!(books.forget("standard").unwrap_err().kind, "playbook-built-in");
        assert_eq!(books.forget("../own").unwrap_err().kind, "playbook-unknown");
    }

    #[test]
    fn what_is_wrong_is_named_and_nothing_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let books = open(dir.path());
        let why = |text: &str| books.save(text).unwrap_err().detail;
        assert!(
            why(&MINE.replace("verify", "varify")).contains("line 6"),
            "{}",
            why(&MINE.replace("verify", "varify"))
        );
        assert!(why(&MINE.replace("mine", "standard")).contains("built-in"));
        assert!(why(&MINE.replace("mine", "../../etc/mine")).contains("name"));
        assert!(why(&"#".repeat(TEXT_MAX + 1)).contains("65536"));
        assert_eq!(fs::read_dir(dir.path().join("own")).unwrap().count(), 0);
    }

    #[test]
    fn there_are_at_most_so_many_and_one_can_still_be_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let books = open(dir.path());
        for n in 0..OWN_MAX {
            books.save(&MINE.replace("mine", &format!("mine-{n}"))).unwrap();
        }
        assert_eq!(books.save(MINE).unwrap_err().kind, "playbooks-full");
        books.save(&MINE.replace("mine", "mine-7")).unwrap();
    }

    fn of_length(name: &str, length: usize) -> String {
        let text = MINE.replace("mine", name);
        format!("{text}#{}", "x".repeat(length - text.len() - 1))
    }

    fn length(books: &Books) -> usize {
        wire::Frame::Playbooks(books.infos()).encode().len()
    }

    /// The list was not sent any more, and what was saved was in none and could not be deleted.
    #[test]
    fn what_would_make_the_list_too_long_for_a_frame_is_not_saved() {
        let dir = tempfile::tempdir().unwrap();
        let books = open(dir.path());
        let long = |n: usize| of_length(&format!("mine-{n}"), TEXT_MAX);
        for n in 0..7 {
            books.save(&long(n)).unwrap();
        }
        let full = books.save(&long(7)).unwrap_err();
        assert_eq!(full.kind, "playbooks-full");
        assert!(
            full.detail.contains("mine-7") && full.detail.contains("524288") && full.detail.contains("delete"),
            "{full}"
        );
        assert!(length(&books) <= FRAME_MAX_ACCEPTED && books.find("mine-7").is_err());
        books.save(&of_length("mine-7", 20_000)).unwrap();
        books.save(&long(3)).unwrap();
        books.forget("mine-0").unwrap();
        books.save(&long(7)).unwrap();
    }

    #[test]
    fn a_list_that_is_too_long_already_is_told_whole_in_short_and_can_be_made_shorter() {
        let dir = tempfile::tempdir().unwrap();
        let books = open(dir.path());
        let brought = dir.path().join("brought");
        fs::create_dir(&brought).unwrap();
        for n in 0..OWN_MAX {
            let name = format!("mine-{n}");
            let write = |dir: &Path, text: String| fs::write(dir.join(format!("{name}.toml")), text).unwrap();
            // A problem with it tells the line, which is all of it.
            let text = if n % 2 == 0 {
                of_length(&name, TEXT_MAX)
            } else {
                "\t".repeat(TEXT_MAX) + "x"
            };
            write(&dir.path().join("own"), text);
            write(&brought, of_length(&name, TEXT_MAX).replace("mine-", "other-"));
        }
        let books_told = books.infos();
        assert!(length(&books) <= FRAME_MAX_ACCEPTED, "{}", length(&books));
        let told = |name: &str| books_told.iter().find(|info| info.name == name);
        for n in 0..OWN_MAX {
            assert!(told(&format!("mine-{n}")).is_some(), "{n}");
        }
        assert!(told("mine-2").unwrap().problem.is_none() && books.find("mine-2").is_ok());
        assert!(books.save(LEFT_OUT).is_err(), "what stands for a text is none");
        books.save(&MINE.replace("mine", "mine-2")).unwrap();
        books.forget("mine-4").unwrap();
        assert_eq!(
            books.save(&of_length("mine-2", TEXT_MAX)).unwrap_err().kind,
            "playbooks-full"
        );
    }

    #[test]
    fn of_two_files_with_one_name_none_is_used_and_both_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let brought = dir.path().join("brought");
        fs::create_dir(&brought).unwrap();
        fs::write(brought.join("a.toml"), MINE).unwrap();
        fs::write(brought.join("b.toml"), MINE.replace("One pass.", "Another.")).unwrap();
        let books = open(dir.path());
        let why = books.find("mine").unwrap_err();
        assert_eq!(why.kind, "playbook-unusable");
        for file in ["a.toml", "b.toml"] {
            assert!(why.detail.contains(file), "{why}");
        }
        let infos = books.infos();
        let mine: Vec<_> = infos.iter().filter(|info| info.name == "mine").collect();
        assert!(matches!(mine.as_slice(), [info] if info.problem.is_some()), "{mine:?}");
        // One of a person's own goes before both.
        books.save(MINE).unwrap();
        assert!(books.find("mine").is_ok());
    }

    #[test]
    fn a_medium_may_bring_some_and_what_cannot_be_used_says_why() {
        let dir = tempfile::tempdir().unwrap();
        let brought = dir.path().join("brought");
        fs::create_dir(&brought).unwrap();
        fs::write(brought.join("mine.toml"), MINE).unwrap();
        fs::write(brought.join("bad.toml"), "name = 7").unwrap();
        let books = open(dir.path());
        assert!(books.find("mine").is_ok());
        assert_eq!(books.forget("mine").unwrap_err().kind, "playbook-brought");
        assert_eq!(books.find("bad").unwrap_err().kind, "playbook-unusable");
        let infos = books.infos();
        let bad = infos.iter().find(|info| info.name == "bad").unwrap();
        assert!(bad.problem.as_ref().unwrap().contains("bad.toml"), "{bad:?}");
        // A person's own of the same name goes before it.
        books.save(&MINE.replace("One pass.", "Better.")).unwrap();
        assert_eq!(books.find("mine").unwrap().about, "Better.");
    }
}
