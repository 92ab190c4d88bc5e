//! The connection to the server: connect, greet, tell what the [`Outbox`] holds, hand commands on, come back.
//!
//! A server of ours says `hello` first. One that does not within [`HELLO`] is a foreign Vigil server: it gets the
//! documented frames (heartbeat, progress, log, notification) and nothing else, and its commands are not taken:
//! there the agent only reads.

use std::time::Duration;

use link::{Backoff, Closed, ConnectError, Endpoint, Limits, Receiver, SendError, Sender};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};
use tracing::{debug, info, warn};
use wire::Frame;
use wire::Problem;
use wire::command::{Call, CallOutcome, Reply};
use wire::frame::Hello;

use crate::enrol;
use crate::outbox::Outbox;
use crate::stop::Stop;

/// Heartbeat: the existing add-ons' interval; the server expects one each 60 s at least.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// Longest wait for the server's `hello`; ours sends it at once.
const HELLO: Duration = Duration::from_secs(5);

/// Commands that may wait for the controller; one more is refused as busy.
pub const CALLS_MAX: usize = 32;

/// What the server sent, for the controller.
#[derive(Debug)]
pub enum FromServer {
    /// Its greeting, also when it changed.
    Hello(Hello),
    /// A command and where its outcome goes.
    Call(Call, oneshot::Sender<CallOutcome>),
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
}

/// Runs until `stop` turns true.
pub async fn run(uplink: Uplink, outbox: Outbox, to_controller: mpsc::Sender<FromServer>, mut stop: Stop) {
    let mut backoff = if uplink.endpoint.is_local() {
        Backoff::local()
    } else {
        Backoff::network()
    };
    let mut said = String::new();
    while !stop.is_asked() {
        let session = async {
            let (sender, receiver) = connect(&uplink).await?;
            Ok::<_, Failure>(Session {
                sender,
                receiver,
                cursor: 0,
                greeted: Greeted::NotYet,
            })
        };
        let connected = tokio::select! {
            connected = session => connected,
            () = stop.asked() => return,
        };
        match connected {
            Ok(session) => {
                info!(server = %uplink.endpoint, "connected");
                said.clear();
                match session.run(&outbox, &to_controller, &mut stop, &mut backoff).await {
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
            () = sleep(backoff.wait()) => {}
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

async fn connect(uplink: &Uplink) -> Result<(Sender, Receiver), Failure> {
    let id = match uplink.addon_id {
        Some(id) => id,
        None => enrol::enrol(&uplink.endpoint, &uplink.token).await?,
    };
    Ok(uplink.endpoint.connect(id, &uplink.token, Limits::client()).await?)
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
    cursor: u64,
    greeted: Greeted,
}

enum End {
    Stopped,
    Closed(Closed),
}

impl Session {
    async fn run(
        mut self,
        outbox: &Outbox,
        to_controller: &mpsc::Sender<FromServer>,
        stop: &mut Stop,
        backoff: &mut Backoff,
    ) -> End {
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let hello_until = Instant::now() + HELLO;
        loop {
            tokio::select! {
                frame = self.receiver.recv() => match frame {
                    Ok(frame) => {
                        backoff.reset();
                        self.take(frame, outbox, to_controller).await;
                    }
                    Err(why) => return End::Closed(why),
                },
                _ = heartbeat.tick() => self.send(&Frame::Heartbeat).await,
                () = outbox.ready(), if self.greeted != Greeted::NotYet => self.flush(outbox).await,
                () = sleep_until(hello_until), if self.greeted == Greeted::NotYet => {
                    info!("a foreign server: only the documented frames are sent, and no commands are taken");
                    backoff.reset();
                    self.greeted = Greeted::Foreign;
                    outbox.tell_all();
                }
                () = stop.asked() => {
                    self.flush(outbox).await;
                    self.sender.shut_down().await;
                    // The peer's answer, or the two seconds that closing may take.
                    while self.receiver.recv().await.is_ok() {}
                    return End::Stopped;
                }
            }
        }
    }

    async fn take(&mut self, frame: Frame, outbox: &Outbox, to_controller: &mpsc::Sender<FromServer>) {
        match frame {
            Frame::Hello(hello) => {
                if let Err(error) = outbox.acknowledge(hello.events_seen).await {
                    warn!(%error, "what the server has of the events could not be noted");
                }
                // The controller's queue is full only when it hangs; the watchdog then deals with us.
                let _gone = to_controller.send(FromServer::Hello(hello.clone())).await;
                if self.greeted != Greeted::Home {
                    self.greeted = Greeted::Home;
                    outbox.certificates_but(&hello.known_jobs);
                    outbox.tell_all();
                }
            }
            Frame::Command(call) if self.greeted == Greeted::Home => self.call(call, to_controller),
            Frame::Command(call) => warn!(
                call = call.id,
                "a command from a server that has not greeted was ignored"
            ),
            other => debug!(?other, "a frame that is of no use to an agent"),
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
            if let Err(error) = sender.send(&Frame::Result(Reply { id, outcome })).await {
                warn!(%error, "a result could not be sent");
            }
        });
    }

    async fn flush(&mut self, outbox: &Outbox) {
        for frame in outbox.take(&mut self.cursor) {
            if self.greeted == Greeted::Home || documented(&frame) {
                self.send(&frame).await;
            }
        }
        if self.greeted == Greeted::Foreign
            && let Err(error) = outbox.acknowledge(self.cursor).await
        {
            warn!(%error, "sent events could not be forgotten");
        }
    }

    async fn send(&self, frame: &Frame) {
        match self.sender.send(frame).await {
            // What is over is noticed by the receiving half.
            Ok(()) | Err(SendError::Over | SendError::Full) => {}
            Err(error @ SendError::TooLong { .. }) => warn!(%error, "a frame was not sent"),
        }
    }
}

/// Whether a foreign Vigil server knows the frame.
fn documented(frame: &Frame) -> bool {
    match frame {
        Frame::Heartbeat | Frame::Progress(_) | Frame::Log(_) | Frame::Notification(_) => true,
        Frame::Hello(_)
        | Frame::Drives(_)
        | Frame::Job(_)
        | Frame::Event(_)
        | Frame::Playbooks(_)
        | Frame::Certificate(_)
        | Frame::Command(_)
        | Frame::Result(_)
        | Frame::Other { .. } => false,
    }
}
