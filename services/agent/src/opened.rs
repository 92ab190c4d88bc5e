//! What the agent kept, as it is found at its start: its store and its playbooks, what of them could not be used, and a backup that waits
//! to take their place.

use anyhow::Context;
use store::waiting::NotTaken;
use store::{SetAside, Store};
use tracing::error;
use wire::event::Severity;

use crate::backup::{self, Taken};
use crate::books::Books;
use crate::cli::Options;
use crate::events::Happening;
use crate::jobs::tables;
use crate::outbox::Outbox;
use crate::unread;

/// What was kept.
#[derive(Debug)]
pub struct Opened {
    /// Jobs, events, keys.
    pub store: Store,
    /// The playbooks.
    pub books: Books,
    /// Where it is told; what there was to tell of all this is in it.
    pub outbox: Outbox,
}

/// Opens it. `wrong`: settings that are not used, in words.
///
/// # Errors
/// When the store or the playbooks cannot be opened.
pub fn open(options: &Options, wrong: &[String]) -> anyhow::Result<Opened> {
    let open = || {
        let opened = store::open(&options.data, &store::Options::new(&tables()));
        opened.with_context(|| format!("opening the store in {}", options.data.display()))
    };
    let mut opened = open()?;
    let books = Books::open(options.data.join("playbooks"), options.playbooks.clone())
        .with_context(|| format!("opening the playbooks in {}", options.data.display()))?;
    let (taken, failed) = unread::take_out(&opened.store);
    // Before anything has read what would be replaced.
    let restored = backup::take_up(&options.data, &opened.store, &store::Options::new(&tables()), &books);
    if matches!(restored, Ok(Some(_))) {
        let aside = opened.set_aside.take();
        // It is locked until it is closed.
        drop(opened);
        opened = open()?;
        opened.set_aside = opened.set_aside.or(aside);
    }
    let outbox = Outbox::new(opened.store.clone());
    if let Some(told) = unread::told(&taken) {
        outbox.event(told);
    }
    for cause in failed {
        // What cannot be read is told where it is missed.
        error!(error = %cause, "records that cannot be read stay where they are");
    }
    if let Some(told) = told_of(restored) {
        outbox.event(told);
    }
    if let Some(bad) = &opened.set_aside {
        outbox.event(store_set_aside(bad));
    }
    if !wrong.is_empty() {
        outbox.event(not_used(wrong));
    }
    Ok(Opened {
        store: opened.store,
        books,
        outbox,
    })
}

/// What is told of a backup that waited.
fn told_of(restored: Result<Option<Taken>, NotTaken>) -> Option<Happening> {
    let (severity, message) = match restored {
        Ok(None) => return None,
        Ok(Some(Taken { rows, dropped })) => {
            let without = match dropped {
                0 => String::new(),
                dropped => format!("; there was no room for the oldest {dropped} jobs"),
            };
            (
                Severity::Warning,
                format!("The agent goes on with the state of a backup ({rows} entries{without})"),
            )
        }
        Err(why) => {
            let chain = std::iter::successors(Some(&why as &dyn std::error::Error), |error| error.source());
            let words: Vec<String> = chain.map(ToString::to_string).collect();
            let next = match why {
                NotTaken::Ended => "look at its jobs and certificates: where they are not the backup's, bring it again",
                NotTaken::Waits(..) => "its state stays as it was, and its next start tries again",
                NotTaken::File(..) | NotTaken::Store(_) => "its state stays as it was; bring the backup again",
            };
            let message = format!(
                "The agent's part of a backup was not put back: {}; {next}",
                words.join(": ")
            );
            (Severity::Critical, message)
        }
    };
    Some(Happening::new(
        "agent.restored",
        severity,
        None,
        message,
        serde_json::Value::Null,
    ))
}

/// Settings with which nothing could be done: told at each start, for as long as they stand there.
fn not_used(wrong: &[String]) -> Happening {
    for wrong in wrong {
        tracing::error!("{wrong}");
    }
    let message = format!("Settings are not used, see [env] of kiln.toml: {}", wrong.join("; "));
    let data = serde_json::json!({ "settings": wrong });
    Happening::new("agent.settings_not_used", Severity::Warning, None, message, data)
}

fn store_set_aside(bad: &SetAside) -> Happening {
    let place = bad.path.display();
    let message = format!(
        "The agent's store cannot be used ({}) and lies at {place} now; jobs and checkpoints that are only in it are not gone on with",
        bad.why
    );
    let data = serde_json::json!({ "path": place.to_string(), "why": bad.why });
    Happening::new("agent.store_set_aside", Severity::Critical, None, message, data)
}
