//! Alerts: the box's side of [`notify`]. It opens the engine, tells it when the event log grows, and answers what it
//! asks: the time, and the words for a drive, a job and the box.
//!
//! Tested in `tests/server/alerts.rs` through the REST interface, with a receiver on loopback and the server stopped
//! and started in between.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use notify::engine::Host;
use notify::send::Roots;
use notify::site::Site;
use notify::{Engine, Facts, Sender};
use store::Store;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use wire::boxes::Banner;
use wire::event::{Actor, Event, NewEvent, Severity};
use wire::job::Job;
use wire::{JobId, Time};

use crate::app::App;
use crate::hub::{Hub, Input};
use crate::scribe::Keep;
use crate::tables::EVENTS;

/// Longest wait at the end for messages that are under way; what is not settled then is tried again after the start.
const SETTLE: Duration = Duration::from_secs(5);

/// What the environment and the owner's file say about alerts.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Section `[alerts]` of `kiln.toml`.
    pub site: Site,
    /// URLs of channels that cannot be changed on the page, with blanks or commas between.
    pub urls: String,
    /// Address under which people reach this box, for links in messages; empty: made from its name.
    pub address: String,
    /// More certificates to trust, in PEM.
    pub roots: Option<PathBuf>,
}

/// See the module.
#[derive(Debug)]
pub struct Alerts {
    /// The engine.
    pub engine: Arc<Engine>,
    /// What `kiln.toml` has wrong, a sentence each.
    wrong: Vec<String>,
    /// The address that the owner has set; empty: made from the box's name.
    address: String,
    working: Mutex<Option<JoinHandle<()>>>,
}

impl Alerts {
    /// Opens what is kept.
    ///
    /// # Errors
    /// When the store cannot be used. Certificates or URLs that cannot be read are told, and are no error.
    pub async fn open(store: Store, settings: &Settings, now: Time) -> store::Result<Self> {
        let roots = match Roots::new(settings.roots.as_deref()) {
            Ok(roots) => roots,
            Err(error) => {
                tracing::error!(%error, "the site's certificates are not trusted");
                match Roots::new(None) {
                    Ok(roots) => roots,
                    Err(error) => return Err(store::Error::GivenUp(error.to_string())),
                }
            }
        };
        let mut locked = notify::service::locked(&settings.urls, now);
        for service in &locked {
            if let Some(why) = &service.disabled_why {
                tracing::warn!(
                    service = service.service_type,
                    why,
                    "a URL of KILN_ALERT_URLS cannot be used"
                );
            }
        }
        for wrong in &settings.site.wrong {
            tracing::warn!(wrong, "a setting of alerts is not used");
        }
        for service in &settings.site.services {
            // The same URL in both places is one channel.
            if locked.iter().all(|other| other.id != service.id) {
                locked.push(service.clone());
            }
        }
        let engine = Engine::open(store, EVENTS, Sender::new(roots), locked).await?;
        Ok(Self {
            engine: Arc::new(engine),
            wrong: settings.site.wrong.clone(),
            address: settings.address.trim_end_matches('/').to_owned(),
            working: Mutex::new(None),
        })
    }

    /// Begins to work.
    pub fn start(&self, app: &Arc<App>) {
        let host = Arc::new(AskedOf(Arc::downgrade(app)));
        let working = tokio::spawn(Arc::clone(&self.engine).run(host, app.stopping.subscribe()));
        *self.working.lock().unwrap_or_else(PoisonError::into_inner) = Some(working);
        if !self.wrong.is_empty() {
            let text = format!(
                "A setting of alerts was not understood and is not used: {}. Correct it on the boot partition and restart the box.",
                self.wrong.join("; ")
            );
            let banner = Some(Banner {
                severity: Severity::Warning,
                text,
            });
            let app = Arc::clone(app);
            tokio::spawn(async move { app.feed(Input::Banner { key: "alerts", banner }).await });
        }
        let (mut open, told) = (self.engine.unacknowledged(), Arc::downgrade(app));
        // Told at the start, too: what was open before the restart still is.
        open.mark_changed();
        tokio::spawn(async move {
            while open.changed().await.is_ok() {
                let banner = banner_of(*open.borrow_and_update());
                let Some(app) = told.upgrade() else { return };
                app.feed(Input::Banner {
                    key: "unacknowledged",
                    banner,
                })
                .await;
            }
        });
        show(app, "channels-off", self.engine.off(), banner_of_off);
        show(app, "alerts-lost", self.engine.lost(), banner_of_lost);
        let (mut stream, engine) = (app.stream.subscribe(), Arc::downgrade(&self.engine));
        tokio::spawn(async move {
            loop {
                match stream.recv().await {
                    // Only events of the log have a number.
                    Ok(message) if message.id.is_none() => {}
                    Ok(_) | Err(RecvError::Lagged(_)) => match engine.upgrade() {
                        Some(engine) => engine.wake(),
                        None => return,
                    },
                    Err(RecvError::Closed) => return,
                }
            }
        });
    }

    /// Waits until what was under way is settled; the server is stopping.
    pub async fn settle(&self) {
        let working = self.working.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(working) = working
            && tokio::time::timeout(SETTLE, working).await.is_err()
        {
            tracing::warn!("a message was under way when the server stopped; it is sent again after the start");
        }
    }

    /// What is known of the box, whose name is as it is now: it may find or get another while the server runs.
    pub fn facts(&self, hub: &Hub) -> Facts {
        Facts {
            host: hub.name().to_owned(),
            url: address(&self.address, hub.local_name().unwrap_or(hub.name())),
            ..Facts::default()
        }
    }
}

/// Keeps a banner that names channels.
fn show(
    app: &Arc<App>,
    key: &'static str,
    mut names: watch::Receiver<Vec<String>>,
    of: fn(&[String]) -> Option<Banner>,
) {
    let told = Arc::downgrade(app);
    names.mark_changed();
    tokio::spawn(async move {
        while names.changed().await.is_ok() {
            let banner = of(&names.borrow_and_update());
            let Some(app) = told.upgrade() else { return };
            app.feed(Input::Banner { key, banner }).await;
        }
    });
}

/// Under which address people reach a box of this name; `set`: what its owner says.
fn address(set: &str, name: &str) -> String {
    match set {
        "" if name.is_empty() || name == "localhost" => String::new(),
        "" => format!("http://{}.local", name.trim_end_matches(".local")),
        set => set.to_owned(),
    }
}

/// What everybody is told of alerts that nobody has acknowledged.
fn banner_of(open: usize) -> Option<Banner> {
    let text = match open {
        0 => return None,
        1 => "One alert is not acknowledged: Settings, Alerts says which, and to whom it goes on".to_owned(),
        open => format!("{open} alerts are not acknowledged: Settings, Alerts says which, and to whom they go on"),
    };
    Some(Banner {
        severity: Severity::Warning,
        text,
    })
}

/// What is said while channels are off that switched themselves off: whoever waits for an alert would wait in vain.
fn banner_of_off(names: &[String]) -> Option<Banner> {
    let text = match names {
        [] => return None,
        [name] => format!(
            "Alert channel {name:?} has switched itself off and tells nobody anything: Settings, Alerts says why"
        ),
        [name, more @ ..] => format!(
            "Alert channel {name:?} and {} more have switched themselves off and tell nobody anything: Settings, Alerts says why",
            more.len()
        ),
    };
    Some(Banner {
        severity: Severity::Warning,
        text,
    })
}

/// What is said of criticals that were given up, until something reaches the channel, or a person mends it, switches it off or
/// removes it.
fn banner_of_lost(names: &[String]) -> Option<Banner> {
    let which = match names {
        [] => return None,
        [name] => format!("alert channel {name:?}"),
        [name, more @ ..] => format!("alert channel {name:?} and {} more", more.len()),
    };
    Some(Banner {
        severity: Severity::Warning,
        text: format!("Critical alerts reached nobody through {which}: Settings, Alerts says which and why"),
    })
}

/// Answers the engine for as long as the app is there.
struct AskedOf(Weak<App>);

impl Host for AskedOf {
    fn now(&self) -> Time {
        self.0.upgrade().map_or_else(Time::now, |app| app.clock.now().wall)
    }

    fn uptime(&self) -> Duration {
        self.0.upgrade().map_or(Duration::ZERO, |app| app.clock.now().mono)
    }

    fn facts(&self, event: Option<&Event>) -> Facts {
        let Some(app) = self.0.upgrade() else {
            return Facts::default();
        };
        let mut facts = app.hub(|hub| app.alerts.facts(hub));
        let Some(event) = event else { return facts };
        if let Some(job) = event.job.and_then(|id| job(&app, id)) {
            of_job(&mut facts, event, &job);
        }
        if let Some(id) = &event.drive {
            app.hub(|hub| {
                if let Some(drive) = hub.drives().iter().find(|drive| drive.id.as_ref() == Some(id)) {
                    if facts.serial.is_empty() {
                        facts.model.clone_from(&drive.model);
                        facts.serial.clone_from(&drive.serial);
                    }
                    facts.bay = drive.place();
                    facts.bay_named = drive.bay.is_some();
                }
            });
        }
        facts
    }

    fn record(&self, event: NewEvent) {
        let Some(app) = self.0.upgrade() else { return };
        tokio::spawn(async move {
            let actor = Actor::new("server", "alerts");
            app.scribe
                .keep(vec![Keep::Event(event, actor, app.clock.now().wall)])
                .await;
        });
    }
}

fn job(app: &App, id: JobId) -> Option<Job> {
    app.job(id)
        .inspect_err(|error| tracing::warn!(%error, "an alert's job was not read"))
        .ok()
        .flatten()
}

fn of_job(facts: &mut Facts, event: &Event, job: &Job) {
    facts.model.clone_from(&job.model);
    facts.serial.clone_from(&job.serial);
    let ended = [
        "job.passed",
        "job.warned",
        "job.failed",
        "job.inconclusive",
        "job.aborted",
    ];
    if !ended.contains(&event.kind.as_str()) {
        return;
    }
    if let Some(verdict) = &job.verdict {
        verdict.outcome.word().clone_into(&mut facts.verdict);
        if let Some(rule) = verdict.rules.first() {
            facts.reason = format!("{}: {} (limit {})", rule.id, rule.value, rule.limit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_the_owners_or_made_from_the_name_of_now() {
        for (set, name, is) in [
            ("", "kiln-7f3a", "http://kiln-7f3a.local"),
            ("", "bench.local", "http://bench.local"),
            ("", "", ""),
            ("", "localhost", ""),
            ("https://bench.example", "kiln-7f3a", "https://bench.example"),
        ] {
            assert_eq!(address(set, name), is);
        }
    }
}
