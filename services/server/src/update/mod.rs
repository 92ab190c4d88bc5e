//! Updates as far as the server has a hand in them: it carries a bundle to PID 1's writer, which alone may write the boot
//! partition and trusts nothing that comes from here; and it proves itself while a new system is on trial.
//!
//! A bundle comes in one of three ways: its head and then the chunks that the box lacks (the dashboard and `kiln update`),
//! whole in one request (`curl`), or from an address that the box fetches it from. In all three only what is lacking is sent
//! to the writer, so an upload that broke off goes on where it was.
//!
//! There is one writer, so there is one conversation, and it has an [`Owner`]: whoever else begins meanwhile is told whose it
//! is and how long it may take, and can neither add to it nor end it. One from which nothing comes for a minute is anybody's.

pub mod download;
pub mod proof;
mod stream;
mod writer;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError};
use std::time::Duration;

use serde_json::json;
use tokio::sync::{Mutex, MutexGuard, oneshot};
use tokio::task::AbortHandle;
use wire::Problem;
use wire::event::Severity;
use wire::supervisor::Request;
use wire::update::{Answer, Ask, Download, UpdateNeeds, UpdateState};

use crate::app::App;
pub use stream::{Incoming, Pace};
use writer::Writer;

/// How long a conversation in which nothing is said keeps others out.
const IDLE: Duration = Duration::from_mins(1);

/// How long to wait for the writer to be free: a chunk takes a second, comparing everything minutes.
const FREE_WITHIN: Duration = Duration::from_secs(5);
/// How often the writer is told that what comes next takes its time: it leaves after two minutes without a word.
const WAIT_EVERY: Duration = Duration::from_secs(30);
/// How often whoever gives an update up looks whether comparing has begun.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Whose the conversation with the writer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// That of a page or a program which sends piece by piece, known by its session.
    Session(String),
    /// That of one request which brings the whole.
    Request(u64),
    /// The box's own, which fetches.
    Download,
}

/// A conversation with the writer.
#[derive(Debug)]
struct Talk {
    writer: Writer,
    owner: Owner,
    person: String,
    /// When something was said last, by the clock that only goes forward.
    heard: Duration,
}

/// Everything that was written is being compared; whose that is, and how to stop it.
#[derive(Debug)]
struct Finishing {
    owner: Owner,
    /// Takes where to tell whether the update was stopped before it was switched to.
    stop: oneshot::Sender<oneshot::Sender<bool>>,
}

/// What this side keeps of updates.
#[derive(Debug, Default)]
pub struct Updates {
    /// Where the writer listens.
    pub(crate) socket: OnceLock<PathBuf>,
    /// One of the server's own addresses, to ask itself.
    pub own: OnceLock<SocketAddr>,
    /// The conversation with the writer, while an update is under way.
    talk: Mutex<Option<Talk>>,
    download: std::sync::Mutex<Option<Download>>,
    finishing: std::sync::Mutex<Option<Finishing>>,
    /// Who gave up last: a page that is still sending must not take that for a connection to be made again.
    given_up: std::sync::Mutex<Option<Owner>>,
    /// Ends the fetching.
    fetching: std::sync::Mutex<Option<AbortHandle>>,
    requests: AtomicU64,
}

fn refused(kind: &str, text: String) -> Problem {
    let status = match kind {
        "on-trial" | "not-begun" | "incomplete" | "busy" | "given-up" | "written" => 409,
        "medium" | "no-data" | "no-keys" | "no-board" => 503,
        _ => 422,
    };
    Problem::new(&format!("update-{kind}"), status, "The update was not taken").with(text)
}

impl Updates {
    fn set_download(&self, state: Option<Download>) {
        *self.download.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }

    fn set_finishing(&self, state: Option<Finishing>) {
        *self.finishing.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }

    /// How to stop what is being compared, if it is the owner's.
    fn finishing_of(&self, owner: &Owner) -> Option<oneshot::Sender<oneshot::Sender<bool>>> {
        let mut held = self.finishing.lock().unwrap_or_else(PoisonError::into_inner);
        held.take_if(|f| f.owner == *owner).map(|f| f.stop)
    }

    fn set_given_up(&self, owner: Option<&Owner>) {
        *self.given_up.lock().unwrap_or_else(PoisonError::into_inner) = owner.cloned();
    }

    fn has_given_up(&self, owner: &Owner) -> bool {
        self.given_up.lock().unwrap_or_else(PoisonError::into_inner).as_ref() == Some(owner)
    }

    /// The owner that one request is.
    pub fn request(&self) -> Owner {
        Owner::Request(self.requests.fetch_add(1, Ordering::Relaxed))
    }

    fn downloads(&self) -> Option<Download> {
        self.download.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl App {
    /// What the box knows of its systems and updates.
    ///
    /// # Errors
    /// `no-supervisor`: there is nobody who could.
    pub fn update_state(&self) -> Result<UpdateState, Problem> {
        let view = self.hub(|hub| hub.status().map(|status| status.update.clone()));
        let view = view.ok_or_else(|| {
            Problem::new(
                "no-supervisor",
                503,
                "This server does not run in a box, or its supervisor is away",
            )
            .with("updates are for the appliance; elsewhere install the new package or container")
        })?;
        Ok(UpdateState {
            view,
            download: self.update.downloads(),
        })
    }

    /// Begins with a bundle's head; what of the bundle the box lacks. One that is under way is given up.
    ///
    /// # Errors
    /// Why the bundle is not taken, or that there is no writer.
    pub async fn begin_update(
        &self,
        head: &[u8],
        downgrade: bool,
        person: &str,
        owner: &Owner,
    ) -> Result<UpdateNeeds, Problem> {
        self.update_state()?;
        let socket = self.update.socket.get().ok_or_else(no_writer)?;
        let mut held = self.talk().await?;
        self.not_anothers(held.as_ref(), owner)?;
        // The old conversation ends before the new one begins: there is one writer.
        *held = None;
        if self.update.has_given_up(owner) {
            self.update.set_given_up(None);
        }
        self.life
            .orders
            .send(Request::Update {})
            .await
            .map_err(|_| no_writer())?;
        let mut writer = Writer::connect(socket).await?;
        let len = u32::try_from(head.len()).unwrap_or(u32::MAX);
        match writer.ask(&Ask::Begin { len, downgrade }, head).await? {
            Answer::Begun(needs) => {
                *held = Some(Talk {
                    writer,
                    owner: owner.clone(),
                    person: person.to_owned(),
                    heard: self.clock.now().mono,
                });
                drop(held);
                let message = format!("{person} began an update to version {}", needs.version);
                let data = json!({ "version": needs.version, "slot": needs.slot, "by": person });
                self.record("box.update_begun", Severity::Info, message, data).await;
                Ok(needs)
            }
            Answer::Refused { kind, text } => {
                drop(held);
                let message = format!("An update was refused: {text}");
                let data = json!({ "kind": kind, "by": person });
                self.record("box.update_refused", Severity::Warning, message, data)
                    .await;
                Err(refused(&kind, text))
            }
            other @ (Answer::Taken { .. } | Answer::Finished { .. }) => Err(odd(&other)),
        }
    }

    /// Passes a chunk on.
    ///
    /// # Errors
    /// Its bytes are not the signed ones, or no update is under way.
    pub async fn update_chunk(&self, number: u32, bytes: &[u8], owner: &Owner) -> Result<(), Problem> {
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        match self.ask_writer(&Ask::Chunk { number, len }, bytes, owner).await? {
            Answer::Taken { .. } => Ok(()),
            other @ (Answer::Begun(_) | Answer::Finished { .. } | Answer::Refused { .. }) => Err(odd(&other)),
        }
    }

    /// Has the writer compare everything and make the new system the next one. It goes on when whoever waits for it leaves: only
    /// [`App::give_up_update`] stops it.
    ///
    /// # Errors
    /// Something is missing, it was given up, or the medium did not keep what was written.
    pub async fn finish_update(self: &Arc<Self>, person: &str, owner: &Owner) -> Result<Answer, Problem> {
        let (app, person, owner) = (Arc::clone(self), person.to_owned(), owner.clone());
        let finished = tokio::spawn(async move { app.finish(&person, &owner).await });
        finished.await.unwrap_or_else(|e| Err(writer::lost(e)))
    }

    async fn finish(&self, person: &str, owner: &Owner) -> Result<Answer, Problem> {
        let mut talk = self.talk().await?;
        let Talk { mut writer, .. } = self.take_going(&mut talk, owner)?;
        let (stop, mut stopped) = oneshot::channel();
        let owner = owner.clone();
        self.update.set_finishing(Some(Finishing { owner, stop }));
        let mut tell = None;
        let answer = writer
            .finish(async {
                match (&mut stopped).await {
                    Ok(to) => tell = Some(to),
                    Err(_) => std::future::pending().await,
                }
            })
            .await;
        self.update.set_finishing(None);
        // One that came while the answer did is too late, and is told so; none comes any more.
        stopped.close();
        let tell = tell.or_else(|| stopped.try_recv().ok());
        // The conversation is over, however it ended.
        drop((writer, talk));
        let answer = match answer {
            Ok(Answer::Refused { kind, text }) => Err(refused(&kind, text)),
            other => other,
        };
        if let Ok(Answer::Finished { slot, version }) = &answer {
            let message = format!(
                "Version {version} is written to slot {}; the next start tries it",
                slot.to_uppercase()
            );
            let data = json!({ "version": version, "slot": slot, "by": person });
            self.record("box.update_written", Severity::Info, message, data).await;
        }
        if let Some(tell) = tell {
            let _gone = tell.send(answer.is_err());
        }
        answer
    }

    /// Does `work`, and has the writer wait for what the owner says next meanwhile: a wire may be slow, or away for minutes.
    pub async fn waited_for<T>(&self, owner: &Owner, work: impl Future<Output = T>) -> T {
        let mut work = Box::pin(work);
        loop {
            match tokio::time::timeout(WAIT_EVERY, &mut work).await {
                Ok(done) => return done,
                Err(_) => self.wait_for(owner).await,
            }
        }
    }

    async fn wait_for(&self, owner: &Owner) {
        // Where somebody talks with the writer just now, it needs no other word.
        let Ok(mut held) = self.update.talk.try_lock() else {
            return;
        };
        if let Some(talk) = held.as_mut().filter(|talk| talk.owner == *owner) {
            // Who asks next is told that it is lost.
            let _lost = talk.writer.wait().await;
        }
    }

    /// Ends a conversation, if it is the owner's; what of the update is on the medium stays. False where it is not.
    pub async fn end_update(&self, owner: &Owner) -> bool {
        // Who compares for minutes is somebody else, or ends by itself: whoever was refused because of it is answered all the same.
        let Ok(mut held) = self.talk().await else {
            return false;
        };
        let own = held.as_ref().is_some_and(|talk| talk.owner == *owner);
        if own {
            *held = None;
        }
        own
    }

    /// Gives up the download that is under way, or else the owner's own conversation. What of the update is on the medium
    /// stays, and counts the next time.
    ///
    /// # Errors
    /// `update-not-begun`; `update-busy`: it is somebody else's; `update-written`: it is the next system already.
    pub async fn give_up_update(&self, owner: &Owner, person: &str) -> Result<(), Problem> {
        let fetching = self
            .update
            .fetching
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let running = self.update.downloads().filter(|download| download.running);
        if let (Some(fetching), Some(download)) = (fetching, running) {
            fetching.abort();
            let late = self.stop(&Owner::Download).await.err();
            let late = late.filter(|problem| problem.kind == "update-written");
            self.update.set_download(Some(Download {
                running: false,
                error: late.is_none().then(|| format!("{person} gave it up")),
                ..download
            }));
            late.map_or(Ok(()), Err)?;
        } else {
            self.stop(owner).await?;
            self.update.set_given_up(Some(owner));
        }
        let message = format!("{person} gave an update up");
        self.record("box.update_given_up", Severity::Info, message, json!({ "by": person }))
            .await;
        Ok(())
    }

    /// Stops the last comparing, if it is the owner's; false where nothing of theirs is being compared.
    ///
    /// # Errors
    /// `update-written`: it was too late.
    async fn stop_finishing(&self, owner: &Owner) -> Result<bool, Problem> {
        let Some(stop) = self.update.finishing_of(owner) else {
            return Ok(false);
        };
        let (tell, told) = oneshot::channel();
        if stop.send(tell).is_err() {
            return Ok(false);
        }
        match told.await {
            Ok(false) => Err(refused(
                "written",
                "the update was written already, and the next start tries it; to keep the system that runs, go back to it after that".into(),
            )),
            Ok(true) | Err(_) => Ok(true),
        }
    }

    /// Ends the owner's conversation, comparing included.
    async fn stop(&self, owner: &Owner) -> Result<(), Problem> {
        let begun = tokio::time::Instant::now();
        loop {
            if self.stop_finishing(owner).await? {
                return Ok(());
            }
            match tokio::time::timeout(LOOK_EVERY, self.update.talk.lock()).await {
                Ok(mut held) => return self.take_own(&mut held, owner).map(drop),
                Err(_) if begun.elapsed() >= FREE_WITHIN => return Err(at_work()),
                // Comparing may have begun just now.
                Err(_) => {}
            }
        }
    }

    async fn talk(&self) -> Result<MutexGuard<'_, Option<Talk>>, Problem> {
        tokio::time::timeout(FREE_WITHIN, self.update.talk.lock())
            .await
            .map_err(|_| at_work())
    }

    /// Whether the writer is free for this owner.
    fn not_anothers(&self, talk: Option<&Talk>, owner: &Owner) -> Result<(), Problem> {
        let now = self.clock.now().mono;
        let Some(talk) = talk.filter(|talk| talk.owner != *owner) else {
            return Ok(());
        };
        let left = (talk.heard + IDLE).saturating_sub(now);
        if left.is_zero() {
            return Ok(());
        }
        let how = match &talk.owner {
            Owner::Session(_) => "is sending an update from another page or program",
            Owner::Request(_) => "is sending an update in another request",
            Owner::Download => "had the box fetch an update, which is under way",
        };
        Err(refused(
            "busy",
            format!(
                "{} {how}; it goes on undisturbed. Wait for its end, or try again when nothing has come from there for {} s ({} s from now at the \
                 earliest)",
                talk.person,
                IDLE.as_secs(),
                left.as_secs() + 1
            ),
        ))
    }

    /// Takes the conversation, which has to be the owner's.
    fn take_own(&self, held: &mut Option<Talk>, owner: &Owner) -> Result<Talk, Problem> {
        self.not_anothers(held.as_ref(), owner)?;
        held.take_if(|talk| talk.owner == *owner).ok_or_else(|| {
            refused(
                "not-begun",
                "no update of yours is under way: send its head first".into(),
            )
        })
    }

    /// The same for who is in the middle of an update: one that was given up is told so.
    fn take_going(&self, held: &mut Option<Talk>, owner: &Owner) -> Result<Talk, Problem> {
        self.take_own(held, owner).map_err(|why| {
            match why.kind == "update-not-begun" && self.update.has_given_up(owner) {
                true => refused("given-up", "the update was given up".into()),
                false => why,
            }
        })
    }

    async fn ask_writer(&self, ask: &Ask, bytes: &[u8], owner: &Owner) -> Result<Answer, Problem> {
        let mut held = self.talk().await?;
        // Out of there until it is answered: a request whose sender hangs up leaves half a question, or an answer that nobody has
        // read, and who asks next must not go on behind that.
        let mut talk = self.take_going(&mut held, owner)?;
        let answer = talk.writer.ask(ask, bytes).await?;
        talk.heard = self.clock.now().mono;
        *held = Some(talk);
        match answer {
            Answer::Refused { kind, text } => Err(refused(&kind, text)),
            answer @ (Answer::Begun(_) | Answer::Taken { .. } | Answer::Finished { .. }) => Ok(answer),
        }
    }

    /// Fetches a bundle from an address, in the background.
    ///
    /// # Errors
    /// The address is none, or one is being fetched already.
    pub fn fetch_update(self: &Arc<Self>, url: &str, downgrade: bool, person: &str) -> Result<(), Problem> {
        self.update_state()?;
        let place = download::Place::parse(url)
            .map_err(|e| Problem::new("bad-url", 422, "The update cannot be fetched from there").with(e))?;
        // What is kept, shown and logged from here on; the address itself is the fetching's alone.
        let url = wire::update::shown_address(url);
        {
            let mut state = self.update.download.lock().unwrap_or_else(PoisonError::into_inner);
            if state.as_ref().is_some_and(|d| d.running) {
                return Err(Problem::new(
                    "update-fetching",
                    409,
                    "An update is being fetched already",
                ));
            }
            *state = Some(Download {
                url: url.clone(),
                running: true,
                error: None,
            });
        }
        let (app, person) = (Arc::clone(self), person.to_owned());
        let own = Arc::clone(self);
        let fetching = tokio::spawn(async move {
            let fetched = download::fetch(&app, place, downgrade, &person);
            let error = app.waited_for(&Owner::Download, fetched).await.err();
            if let Some(problem) = &error {
                let why = format!("{}: {}", problem.title, problem.detail);
                let message = format!("The update was not fetched from {url}: {why}");
                app.record(
                    "box.update_refused",
                    Severity::Warning,
                    message,
                    json!({ "url": url, "by": person }),
                )
                .await;
            }
            app.end_update(&Owner::Download).await;
            app.update.set_download(Some(Download {
                url,
                running: false,
                error: error.map(|p| if p.detail.is_empty() { p.title } else { p.detail }),
            }));
        });
        *own.update.fetching.lock().unwrap_or_else(PoisonError::into_inner) = Some(fetching.abort_handle());
        Ok(())
    }
}

fn at_work() -> Problem {
    refused(
        "busy",
        "the writer is at work on an update; try again in a minute".into(),
    )
}

fn no_writer() -> Problem {
    Problem::new("no-writer", 503, "The box's writer of updates does not answer").with("try again in a minute")
}

fn odd(answer: &Answer) -> Problem {
    Problem::new("writer-odd", 502, "The answer of the box's writer was not understood").with(format!("{answer:?}"))
}
