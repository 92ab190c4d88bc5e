//! The connection to the server: connect, greet, tell what the [`Outbox`] holds, hand commands on, come back.
//!
//! A server of ours is on this machine, behind its Unix socket, and says `hello` first. Any other is a foreign Vigil server: it gets
//! the frames that every implementation understands ([`crate::vigil::frames`]) and nothing else, and what it asks is answered with
//! a reason why it is not done, unless the foreign gate is switched on: there the agent only reads. A `hello` over the network
//! changes nothing of that, whenever it comes: anybody can say it, and nothing here could tell whose gate key is in it.
//!
//! ```text
//!  connect ─► manifest, heartbeat ─► hello over the socket? ─┬─ yes:          everything, events until `hello` has seen them
//!     ▲                                                      └─ none in 5 s:  Vigil's frames, events until a ping behind
//!     └── back-off with jitter ◄── lost                                       them was answered (the server has read them)
//! ```
//!
//! Some servers answer no ping. To one that never did, events count as read when it was still talking [`UNANSWERED`] after
//! them; one that hangs says nothing, or has answered before, and what it was told is told again.

use std::time::Duration;

use link::{Backoff, Closed, ConnectError, Endpoint, Limits, Received, Receiver, SendError, Sender};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};
use tracing::{debug, info, warn};
use wire::Frame;
use wire::Problem;
use wire::command::{Call, CallOutcome, Reply};
use wire::frame::Hello;

use crate::enrol;
use crate::outbox::{Outbox, To};
use crate::stop::Stop;
use crate::vigil::ask::{self, Ask, Said, Wanted};
use crate::vigil::{Who, frames};

/// Heartbeat: the existing add-ons' interval; the server expects one each 60 s at least.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// Longest wait for the server's `hello`; ours sends it at once. A foreign one is told nothing before: a connection that does not
/// stand that long is of a server that does not work.
const HELLO: Duration = Duration::from_secs(5);

/// How long after its mark a foreign server that has never answered a ping must have said something for what was sent to count as
/// read all the same.
const UNANSWERED: Duration = Duration::from_mins(1);

/// Commands that may wait for the controller; one more is refused as busy.
pub const CALLS_MAX: usize = 32;

/// What the server sent, for the controller.
#[derive(Debug)]
pub enum FromServer {
    /// The greeting of the server on this machine, also when it changed; the answer is whether this is the one whose key is pinned.
    Hello(Hello, oneshot::Sender<bool>),
    /// A server over the network greeted as that one does: which.
    Posed(String),
    /// A command and where its outcome goes.
    Call(Call, oneshot::Sender<CallOutcome>),
    /// What a foreign server wants, who it is, and where the answer goes.
    Asked(Wanted, String, oneshot::Sender<Result<Said, Problem>>),
}

/// Where the server is and who we are.
#[derive(Clone, Debug)]
pub struct Uplink {
    /// The server.
    pub endpoint: Endpoint,
    /// Our add-on id; `None` asks the server for it (enrolment).
    pub addon_id: Option<u64>,
    /// Our token.
    pub token: String,
    /// Who we are.
    pub who: Who,
}

/// Runs until `stop` turns true.
pub async fn run(uplink: Uplink, outbox: Outbox, to_controller: mpsc::Sender<FromServer>, mut stop: Stop) {
    let mut backoff = if uplink.endpoint.is_local() {
        Backoff::local()
    } else {
        Backoff::network()
    };
    let mut said = String::new();
    let mut learnt = Learnt::default();
    while !stop.is_asked() {
        let session = async {
            let (sender, receiver, introduced) = connect(&uplink, &outbox).await?;
            Ok::<_, Failure>(Session::new(sender, receiver, &uplink, introduced))
        };
        let connected = tokio::select! {
            connected = session => connected,
            () = stop.asked() => return,
        };
        match connected {
            Ok(session) => {
                info!(server = %uplink.endpoint, "connected");
                said.clear();
                match session
                    .run(&uplink, &outbox, &to_controller, &mut stop, &mut backoff, &mut learnt)
                    .await
                {
                    End::Stopped => return,
                    End::Closed(why) => warn!(server = %uplink.endpoint, %why, "connection lost"),
                }
            }
            Err(failure) => {
                // The same failure every two seconds is told once.
                let text = failure.to_string();
                if text != said {
                    warn!(server = %uplink.endpoint, why = text, "no connection; trying again and again");
                    said = text;
                }
            }
        }
        tokio::select! {
            () = sleep(jittered(backoff.wait(), random())) => {}
            () = stop.asked() => return,
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{}", chain(.0))]
    Connect(#[from] ConnectError),
    #[error("{}", chain(.0))]
    Enrol(#[from] enrol::Error),
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Between 80 and 100 % of the wait, by a random number: boxes that lost their server together do not come back together.
fn jittered(wait: Duration, random: u32) -> Duration {
    wait.mul_f64(1.0 - 0.2 * f64::from(random) / f64::from(u32::MAX))
}

fn random() -> u32 {
    let mut bytes = [0; 4];
    // Without random numbers everybody waits the whole time.
    let _unjittered = getrandom::fill(&mut bytes);
    u32::from_ne_bytes(bytes)
}

/// Whether what was sent before a mark counts as read without the mark's answer: by a server that never `answers` one, and that was
/// heard long enough after it not to be one that hangs.
fn counts_as_read(answers: bool, marked_at: Instant, heard: Instant) -> bool {
    !answers && heard >= marked_at + UNANSWERED
}

/// Whether our manifest has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Introduced {
    Already,
    NotYet,
}

/// What this run has learnt of the server.
#[derive(Debug, Default)]
struct Learnt {
    /// It has answered a ping.
    answers: bool,
    /// It takes our token for another add-on's, whose page our manifest would replace.
    strange: bool,
}

/// Opens the socket; without an id it is asked for before, with our manifest.
async fn connect(uplink: &Uplink, outbox: &Outbox) -> Result<(Sender, Receiver, Introduced), Failure> {
    let (id, introduced) = match uplink.addon_id {
        Some(id) => (id, Introduced::NotYet),
        None => {
            let manifest = outbox.manifest(&uplink.who);
            let id = enrol::enrol(&uplink.endpoint, &uplink.token, manifest).await?;
            (id, Introduced::Already)
        }
    };
    let (sender, receiver) = uplink.endpoint.connect(id, &uplink.token, Limits::client()).await?;
    Ok((sender, receiver, introduced))
}

/// Brings our manifest over HTTP where the id was told to us: existing servers take it in no other way, and show no page without
/// it. Only behind a socket that was accepted, for the server goes by the token here: that one is ours, then. Whether it was taken;
/// else it goes as a frame.
async fn introduce(uplink: &Uplink, outbox: &Outbox, strange: &mut bool) -> bool {
    let manifest = outbox.manifest(&uplink.who);
    match enrol::enrol(&uplink.endpoint, &uplink.token, manifest).await {
        Ok(named) if Some(named) == uplink.addon_id => true,
        Ok(named) => {
            warn!(
                addon = uplink.addon_id,
                token_of = named,
                "the token is another add-on's than the id says; the manifest goes by the id from now on"
            );
            *strange = true;
            false
        }
        Err(why) => {
            debug!(
                why = chain(&why),
                "the manifest was not taken over HTTP and goes as a frame"
            );
            false
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Greeted {
    NotYet,
    /// A server of ours.
    Home,
    /// Another Vigil server.
    Foreign,
}

struct Session {
    sender: Sender,
    receiver: Receiver,
    /// The server in words, for whoever is told who asked.
    name: String,
    /// Whether it is on this machine: no other is ever ours.
    local: bool,
    to: To,
    /// Whether the manifest still has to go.
    introduced: Introduced,
    cursor: u64,
    greeted: Greeted,
    /// The greatest number behind which a ping was sent, and when.
    marked: u64,
    marked_at: Instant,
    passed: watch::Receiver<u64>,
}

enum End {
    Stopped,
    Closed(Closed),
}

impl Session {
    fn new(sender: Sender, receiver: Receiver, uplink: &Uplink, introduced: Introduced) -> Self {
        Self {
            passed: sender.passed(),
            sender,
            receiver,
            name: uplink.endpoint.to_string(),
            local: uplink.endpoint.is_local(),
            to: To {
                who: uplink.who.clone(),
                home: false,
            },
            introduced,
            cursor: 0,
            greeted: Greeted::NotYet,
            marked: 0,
            marked_at: Instant::now(),
        }
    }

    async fn run(
        mut self,
        uplink: &Uplink,
        outbox: &Outbox,
        to_controller: &mpsc::Sender<FromServer>,
        stop: &mut Stop,
        backoff: &mut Backoff,
        learnt: &mut Learnt,
    ) -> End {
        if self.introduced == Introduced::NotYet && (self.local || learnt.strange) {
            self.bring_manifest(outbox).await;
        }
        // Beside everything else: a proxy that lets the socket through alone may leave HTTP without an answer.
        let Learnt { answers, strange } = learnt;
        let mut introducing = Box::pin(introduce(uplink, outbox, strange));
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let hello_until = Instant::now() + HELLO;
        loop {
            tokio::select! {
                received = self.receiver.recv_raw() => match received {
                    Ok(received) => {
                        self.take(received, outbox, to_controller).await;
                        // A word is not yet a server that works: a proxy before a dead one says one, too.
                        if self.greeted == Greeted::Home {
                            backoff.reset();
                        }
                    }
                    Err(why) => return End::Closed(why),
                },
                taken = &mut introducing, if self.introduced == Introduced::NotYet => {
                    match taken {
                        true => self.introduced = Introduced::Already,
                        false => self.bring_manifest(outbox).await,
                    }
                }
                // The manifest is the first that the server gets to know of us.
                _ = heartbeat.tick(), if self.introduced == Introduced::Already => {
                    self.send(&Frame::Heartbeat, outbox).await;
                    if counts_as_read(*answers, self.marked_at, self.sender.heard()) {
                        self.read_up_to(self.marked, outbox).await;
                    }
                }
                () = outbox.ready(), if self.greeted != Greeted::NotYet => self.flush(outbox).await,
                Ok(()) = self.passed.changed() => {
                    let passed = *self.passed.borrow_and_update();
                    *answers |= passed > 0;
                    self.read_up_to(passed, outbox).await;
                }
                () = sleep_until(hello_until), if self.greeted == Greeted::NotYet => {
                    info!("a foreign server: it is told what every Vigil server understands, and not obeyed");
                    backoff.reset();
                    self.greeted = Greeted::Foreign;
                    self.begin(outbox).await;
                }
                () = stop.asked() => {
                    if self.greeted != Greeted::NotYet {
                        self.flush(outbox).await;
                    }
                    self.sender.shut_down().await;
                    // The peer's answer, or the two seconds that closing may take.
                    while self.receiver.recv().await.is_ok() {}
                    let passed = *self.passed.borrow();
                    self.read_up_to(passed, outbox).await;
                    return End::Stopped;
                }
            }
        }
    }

    /// Sends the manifest as a frame, which servers of ours take.
    async fn bring_manifest(&mut self, outbox: &Outbox) {
        self.introduced = Introduced::Already;
        let manifest = frames::manifest(outbox.manifest(&self.to.who));
        self.send(&manifest, outbox).await;
    }

    /// Tells everything anew: whose server it is, is known now.
    async fn begin(&mut self, outbox: &Outbox) {
        if let Err(error) = outbox.own_up().await {
            warn!(%error, "what was lost could not be told");
        }
        outbox.tell_all();
    }

    async fn take(&mut self, received: Received, outbox: &Outbox, to_controller: &mpsc::Sender<FromServer>) {
        match received.frame() {
            Ok(Frame::Hello(_)) if !self.local => {
                // A full queue is full of what it asked before; it is told at its next greeting.
                let _busy = to_controller.try_send(FromServer::Posed(self.name.clone()));
            }
            Ok(Frame::Hello(hello)) => {
                let (tell, told) = oneshot::channel();
                // The controller's queue is full only when it hangs; the watchdog then deals with us.
                let _gone = to_controller.send(FromServer::Hello(hello.clone(), tell)).await;
                // Whoever is not the server that we know does not decide what we may forget.
                if told.await.unwrap_or(false)
                    && let Err(error) = outbox.acknowledge(hello.events_seen).await
                {
                    warn!(%error, "what the server has of the events could not be noted");
                }
                if self.greeted != Greeted::Home {
                    self.greeted = Greeted::Home;
                    self.to.home = true;
                    outbox.certificates_but(&hello.known_jobs);
                    self.begin(outbox).await;
                }
            }
            Ok(Frame::Command(call)) if self.greeted == Greeted::Home => self.call(call, to_controller),
            _ => {
                if let Some(ask) = ask::read(&received.bytes) {
                    self.asked(ask, to_controller);
                } else {
                    debug!(length = received.bytes.len(), "a frame that is of no use to an agent");
                }
            }
        }
    }

    /// Answers what a foreign server, or a form of our own server's dashboard, asks.
    fn asked(&self, ask: Ask, to_controller: &mpsc::Sender<FromServer>) {
        let (sender, to_controller, name) = (self.sender.clone(), to_controller.clone(), self.name.clone());
        tokio::spawn(async move {
            let said = match ask::wanted(&ask.action, &ask.data) {
                Ok(wanted) => put(&to_controller, wanted, name).await,
                Err(problem) => Err(problem),
            };
            if let Err(problem) = &said {
                // Whoever asked has the answer; the controller tells what it refuses, and how often.
                debug!(action = ask.action, why = %problem, "what a server asked was refused");
            }
            if let Err(error) = sender.send(&frames::result(&ask.request_id, said)).await {
                warn!(%error, "a result could not be sent");
            }
        });
    }

    /// A foreign server has read all events up to there.
    async fn read_up_to(&self, number: u64, outbox: &Outbox) {
        if self.greeted == Greeted::Foreign
            && number > 0
            && let Err(error) = outbox.acknowledge(number).await
        {
            warn!(%error, "sent events could not be forgotten");
        }
    }

    /// Hands a command on; its result is sent whenever it comes, on this connection.
    fn call(&self, call: Call, to_controller: &mpsc::Sender<FromServer>) {
        let id = call.id.clone();
        let sender = self.sender.clone();
        let (answer, outcome) = oneshot::channel();
        let refused = to_controller.try_send(FromServer::Call(call, answer)).is_err();
        tokio::spawn(async move {
            let busy = || Problem::new("agent-busy", 503, "The agent is busy").with("Try again in a moment.");
            let outcome = match refused {
                true => CallOutcome::Error(busy()),
                false => outcome.await.unwrap_or_else(|_| CallOutcome::Error(busy())),
            };
            // A server that went away meanwhile asks again or sees the job's state.
            let Err(error) = sender
                .send(&Frame::Result(Reply {
                    id: id.clone(),
                    outcome,
                }))
                .await
            else {
                return;
            };
            warn!(%error, "a result could not be sent");
            // Whoever asked waits.
            if let SendError::TooLong { length, longest, .. } = error {
                let outcome = CallOutcome::Error(too_long(length, longest));
                let _over = sender.send(&Frame::Result(Reply { id, outcome })).await;
            }
        });
    }

    async fn flush(&mut self, outbox: &Outbox) {
        let mut all = true;
        for frame in outbox.take(&mut self.cursor, &self.to) {
            all &= self.send(&frame, outbox).await;
        }
        outbox.sent(all);
        if self.greeted == Greeted::Foreign && self.cursor > self.marked {
            self.sender.mark(self.cursor).await;
            (self.marked, self.marked_at) = (self.cursor, Instant::now());
        }
    }

    /// Whether it went.
    async fn send(&self, frame: &Frame, outbox: &Outbox) -> bool {
        match self.sender.send(frame).await {
            Ok(()) => true,
            // What is over is noticed by the receiving half.
            Err(SendError::Over | SendError::Full) => false,
            Err(error @ SendError::TooLong { .. }) => {
                warn!(%error, "a frame was not sent");
                outbox.too_long(&error);
                false
            }
        }
    }
}

/// Instead of an answer that no frame holds.
fn too_long(length: usize, longest: usize) -> Problem {
    Problem::new("answer-too-long", 500, "The agent's answer is too long for a message").with(format!(
        "It has {length} bytes; expected at most {longest}. Ask for fewer at once: of drives that hold many partitions, one."
    ))
}

/// Puts what is wanted to the controller, and waits for what came of it.
///
/// # Errors
/// The refusal, with its reason.
pub async fn put(to_controller: &mpsc::Sender<FromServer>, wanted: Wanted, from: String) -> Result<Said, Problem> {
    let busy = || Problem::new("agent-busy", 503, "The agent is busy").with("Try again in a moment.");
    let (reply, said) = oneshot::channel();
    let put = to_controller.try_send(FromServer::Asked(wanted, from, reply));
    put.map_err(|_| busy())?;
    said.await.map_err(|_| busy())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_talking_server_that_answers_no_ping_has_read_what_it_did_not_confirm() {
        let marked = Instant::now();
        let after = |seconds| marked + Duration::from_secs(seconds);
        assert!(counts_as_read(false, marked, after(60)));
        // It hangs since the mark, or its last word was on its way when it began to.
        assert!(!counts_as_read(false, marked, marked) && !counts_as_read(false, marked, after(30)));
        // It has answered others: it hangs, though something in it goes on to send.
        assert!(!counts_as_read(true, marked, after(60)));
    }

    #[test]
    fn waits_are_between_four_fifths_and_the_whole() {
        let wait = Duration::from_mins(1);
        assert_eq!(jittered(wait, 0), wait);
        let least = jittered(wait, u32::MAX);
        assert!((Duration::from_millis(47_900)..Duration::from_millis(48_100)).contains(&least));
        assert!(
            (0..50)
                .map(|_| jittered(wait, random()))
                .collect::<std::collections::BTreeSet<_>>()
                .len()
                > 1
        );
    }
}
