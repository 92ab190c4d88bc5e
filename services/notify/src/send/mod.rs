//! The way out: HTTP and SMTP, each attempt bounded in time, to addresses that the guard lets through.

mod http;
mod mail;
mod tls;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use wire::Time;

use crate::answer::Failed;
use crate::channel::Channel;
use crate::guard;
use crate::message::Message;
use crate::request::requests;
pub use tls::{Roots, TlsError};

/// Longest time for one request from the name's resolution to the last byte of the answer. Source: Standard Webhooks,
/// 15 to 30 s.
pub const TIME_OUT: Duration = Duration::from_secs(15);

/// Longest time for one mail: a server that looks through it before it takes it would get it twice. Source: RFC 5321, 4.5.3.2, which has
/// two to ten minutes for single steps; chosen lower, since somebody may wait for a test, whose page gives it two minutes.
pub const MAIL_TIME_OUT: Duration = Duration::from_secs(90);

/// What came of an attempt at a message that may have several targets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempt {
    /// Targets (topics, chats, mailboxes) that have it; they are not told again.
    pub done: BTreeSet<String>,
    /// The last answer of one that took it.
    pub answer: String,
    /// What went wrong with the rest.
    pub failed: Option<Failed>,
}

impl Attempt {
    /// What came of some of its targets.
    fn told(&mut self, targets: impl IntoIterator<Item = String>, answer: Result<String, Failed>) {
        match answer {
            Ok(answer) => {
                self.done.extend(targets);
                self.answer = answer;
            }
            // A target that can be tried again is worth more than one that cannot.
            Err(failed) if self.failed.as_ref().is_none_or(|first| failed.retry && !first.retry) => {
                self.failed = Some(failed);
            }
            Err(_) => {}
        }
    }
}

/// Sends messages.
#[derive(Clone, Debug)]
pub struct Sender {
    roots: Roots,
}

impl Sender {
    /// A sender that trusts these certificates.
    pub fn new(roots: Roots) -> Self {
        Self { roots }
    }

    /// Sends a message to every target of the channel that is not in `done`.
    pub async fn send(&self, channel: &Channel, message: &Message, done: &BTreeSet<String>, now: Time) -> Attempt {
        if let Channel::Email(email) = channel {
            return mail::send(&self.roots, email, message, done).await;
        }
        let mut attempt = Attempt {
            done: done.clone(),
            ..Attempt::default()
        };
        for request in requests(channel, message, now) {
            if attempt.done.contains(&request.target) {
                continue;
            }
            let answer = bounded(TIME_OUT, http::send(&self.roots, channel, &request, now)).await;
            let answer = answer.map_err(|failed| match request.target.as_str() {
                "" => failed,
                target => failed.of(target),
            });
            attempt.told([request.target], answer);
        }
        attempt
    }
}

async fn bounded(most: Duration, work: impl Future<Output = Result<String, Failed>>) -> Result<String, Failed> {
    match tokio::time::timeout(most, work).await {
        Ok(done) => done,
        Err(_) => Err(Failed::passing(format!("no answer within {} s", most.as_secs()))),
    }
}

/// The same addresses, the one that answers first in front: lettre tries one at a time, and a dead one takes all the time there is.
///
/// # Errors
/// When none answers.
async fn answering_first(mut places: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, link::Unreached> {
    if places.len() < 2 {
        return Ok(places);
    }
    let stream = link::reach(places.clone(), TIME_OUT).await?;
    if let Ok(peer) = stream.peer_addr()
        && let Some(at) = places
            .iter()
            .position(|place| (place.ip(), place.port()) == (peer.ip(), peer.port()))
    {
        places[..=at].rotate_right(1);
    }
    Ok(places)
}

/// The addresses of a host that the guard lets through, those of IPv4 and IPv6 mixed as the resolver orders them.
async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, Failed> {
    let found = tokio::net::lookup_host((host, port))
        .await
        .map_err(|error| Failed::passing(format!("{host} was not found: {error}")))?;
    guard::let_through(found).map_err(|refused| match refused {
        Some((address, why)) => Failed::lasting(format!("nothing is sent to {host} ({address}): {why}")),
        None => Failed::passing(format!("{host} has no address")),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[tokio::test]
    async fn a_mail_goes_first_to_the_address_that_answers() {
        let open = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let alive = open.local_addr().unwrap();
        // Nobody listens on this port any more.
        let closed = tokio::net::TcpListener::bind("127.0.0.2:0").await.unwrap();
        let dead = closed.local_addr().unwrap();
        drop(closed);
        assert_eq!(answering_first(vec![dead, alive]).await.unwrap(), [alive, dead]);
        assert_eq!(answering_first(vec![alive, dead]).await.unwrap(), [alive, dead]);
        assert_eq!(
            answering_first(vec![dead]).await.unwrap(),
            [dead],
            "nothing to choose from"
        );
    }
}
