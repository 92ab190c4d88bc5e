//! A TCP connection to whichever of a host's addresses answers: RFC 8305 in its small form.
//!
//! ```text
//! addresses   v6a v6b v4a v4b   as the resolver orders them
//! tried       v6a v4a v6b v4b   the families in turn, 250 ms apart, the next one at once where one fails
//! ```
//!
//! The first that connects wins and the others are given up, so that a dead IPv6 holds nobody up. Which addresses may be
//! connected to is the caller's to decide before: no other one is tried here. Not done: asking for both families apart, and
//! remembering what answered. Tested beside the code, with time that stands still and with a listener that takes nobody.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// How long one address is waited for before the next is tried beside it. Source: RFC 8305 §5, Connection Attempt Delay.
const APART: Duration = Duration::from_millis(250);

/// Most addresses of a host that are tried: all of them begin within four seconds.
const PLACES_MAX: usize = 16;

/// Why nothing was reached.
#[derive(Debug, thiserror::Error)]
pub enum Unreached {
    /// There was nothing to try.
    #[error("it has no address")]
    Nowhere,
    /// Nobody answered in time.
    #[error("no connection to {} within {} s", list(.places.iter()), .within.as_secs_f32())]
    Late {
        /// What was to be tried.
        places: Vec<SocketAddr>,
        /// All the time there was.
        within: Duration,
    },
    /// Each address failed, for its own reason.
    #[error("{}", list(.0.iter().map(|(place, error)| format!("{place}: {error}"))))]
    Failed(Vec<(SocketAddr, io::Error)>),
}

impl From<Unreached> for io::Error {
    fn from(why: Unreached) -> Self {
        let kind = match why {
            Unreached::Nowhere => io::ErrorKind::NotFound,
            Unreached::Late { .. } => io::ErrorKind::TimedOut,
            // Of a single address the system's own words.
            Unreached::Failed(mut all) if all.len() == 1 => return all.remove(0).1,
            Unreached::Failed(ref all) => all.last().map_or(io::ErrorKind::NotFound, |(_, error)| error.kind()),
        };
        Self::new(kind, why.to_string())
    }
}

fn list<T: ToString>(all: impl Iterator<Item = T>) -> String {
    all.map(|one| one.to_string()).collect::<Vec<_>>().join(", ")
}

/// Connects to the first of these addresses that answers. `within`: all of the time that this may take.
///
/// # Errors
/// What each address said, or that none did in time.
pub async fn reach(places: impl IntoIterator<Item = SocketAddr>, within: Duration) -> Result<TcpStream, Unreached> {
    race(in_turn(places), within, TcpStream::connect).await
}

/// Connects to the first address of a host that answers; the name is resolved within the same time.
///
/// # Errors
/// The name was not found, or none of its addresses was reached.
pub async fn reach_host(host: &str, port: u16, within: Duration) -> io::Result<TcpStream> {
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, format!("{host} was not found in time"));
    let places = timeout(within, tokio::net::lookup_host((host, port)))
        .await
        .map_err(late)??;
    Ok(reach(places, within).await?)
}

/// Each address once, the families in turn: the first one's begins.
fn in_turn(places: impl IntoIterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let mut all: Vec<SocketAddr> = Vec::new();
    for place in places {
        if !all.contains(&place) {
            all.push(place);
        }
    }
    let six = all.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = all.into_iter().partition(|place| place.is_ipv6() == six);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let pairs = std::iter::from_fn(|| match (first.next(), second.next()) {
        (None, None) => None,
        (one, other) => Some([one, other]),
    });
    pairs.flatten().flatten().take(PLACES_MAX).collect()
}

/// Tries one after the other as the file's head says; `connect` makes a connection to one address.
async fn race<S, F>(
    places: Vec<SocketAddr>,
    within: Duration,
    connect: impl Fn(SocketAddr) -> F,
) -> Result<S, Unreached>
where
    F: Future<Output = io::Result<S>>,
{
    let mut waiting = places.clone().into_iter();
    let mut tries = FuturesUnordered::new();
    let mut failed = Vec::new();
    let racing = async {
        loop {
            if let Some(place) = waiting.next() {
                let trying = connect(place);
                tries.push(async move { (place, trying.await) });
            }
            let next = async {
                match waiting.len() {
                    0 => std::future::pending().await,
                    _ => sleep(APART).await,
                }
            };
            tokio::select! {
                biased;
                ended = tries.next() => match ended {
                    Some((_, Ok(stream))) => return Ok(stream),
                    Some((place, Err(error))) => failed.push((place, error)),
                    None => return Err(()),
                },
                () = next => {}
            }
        }
    };
    match timeout(within, racing).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(())) if failed.is_empty() => Err(Unreached::Nowhere),
        Ok(Err(())) => Err(Unreached::Failed(failed)),
        Err(_) => Err(Unreached::Late { places, within }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::sync::Mutex;

    use tokio::net::TcpSocket;
    use tokio::time::Instant;

    use super::*;

    const WITHIN: Duration = Duration::from_secs(10);

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// What an address does: answers or fails after so many milliseconds, or is silent.
    #[derive(Clone, Copy)]
    enum Does {
        Answer(u64),
        Fail(u64),
        Nothing,
    }

    /// The race among such addresses: its result, and when each was tried, in milliseconds.
    async fn raced(world: &[(&str, Does)]) -> (Result<SocketAddr, Unreached>, Vec<(SocketAddr, u128)>) {
        let begun = Instant::now();
        let tried = Mutex::new(Vec::new());
        let does: Vec<(SocketAddr, Does)> = world.iter().map(|(place, does)| (at(place), *does)).collect();
        let connect = |place: SocketAddr| {
            tried.lock().unwrap().push((place, begun.elapsed().as_millis()));
            let does = does.iter().find(|(known, _)| *known == place).map(|(_, does)| *does);
            async move {
                match does {
                    Some(Does::Answer(ms)) => {
                        sleep(Duration::from_millis(ms)).await;
                        Ok(place)
                    }
                    Some(Does::Fail(ms)) => {
                        sleep(Duration::from_millis(ms)).await;
                        Err(io::ErrorKind::ConnectionRefused.into())
                    }
                    Some(Does::Nothing) | None => std::future::pending().await,
                }
            }
        };
        let result = race(in_turn(does.iter().map(|(place, _)| *place)), WITHIN, connect).await;
        (result, tried.into_inner().unwrap())
    }

    const SIX: &str = "[2001:db8::1]:443";
    const OTHER_SIX: &str = "[2001:db8::2]:443";
    const FOUR: &str = "192.0.2.1:443";
    const OTHER_FOUR: &str = "192.0.2.2:443";

    #[test]
    fn the_families_take_turns_and_the_first_ones_begins() {
        let turns = |all: &[&str]| in_turn(all.iter().map(|text| at(text)));
        let mixed = [SIX, FOUR, OTHER_SIX, OTHER_FOUR].map(at);
        assert_eq!(turns(&[SIX, OTHER_SIX, FOUR, OTHER_FOUR]), mixed);
        assert_eq!(turns(&[SIX, SIX, OTHER_SIX, FOUR, SIX, OTHER_FOUR]), mixed, "each once");
        assert_eq!(turns(&[FOUR, SIX, OTHER_SIX]), [FOUR, SIX, OTHER_SIX].map(at));
        assert_eq!(turns(&[]), []);
        let many = (1..=200).map(|n| SocketAddr::from(([192, 0, 2, n], 80)));
        assert_eq!(in_turn(many).len(), PLACES_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn a_dead_ipv6_costs_a_quarter_of_a_second() {
        let begun = Instant::now();
        let (result, tried) = raced(&[
            (SIX, Does::Nothing),
            (OTHER_SIX, Does::Nothing),
            (FOUR, Does::Answer(20)),
        ])
        .await;
        assert_eq!(result.unwrap(), at(FOUR));
        assert_eq!(tried, [(at(SIX), 0), (at(FOUR), 250)]);
        assert_eq!(begun.elapsed(), Duration::from_millis(270));
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_address_still_wins_where_no_other_answers_before() {
        let (result, tried) = raced(&[(SIX, Does::Answer(400)), (FOUR, Does::Answer(300))]).await;
        assert_eq!(result.unwrap(), at(SIX));
        assert_eq!(tried.len(), 2);
        let (result, tried) = raced(&[(SIX, Does::Answer(200)), (FOUR, Does::Answer(0))]).await;
        assert_eq!((result.unwrap(), tried.len()), (at(SIX), 1), "nobody else was asked");
    }

    #[tokio::test(start_paused = true)]
    async fn where_one_fails_the_next_is_tried_at_once() {
        let (result, tried) = raced(&[
            (SIX, Does::Fail(5)),
            (FOUR, Does::Fail(5)),
            (OTHER_SIX, Does::Answer(5)),
        ])
        .await;
        assert_eq!(result.unwrap(), at(OTHER_SIX));
        assert_eq!(tried, [(at(SIX), 0), (at(FOUR), 5), (at(OTHER_SIX), 10)]);
    }

    #[tokio::test(start_paused = true)]
    async fn each_failure_is_told_and_silence_has_an_end() {
        let (result, _) = raced(&[(SIX, Does::Fail(5)), (FOUR, Does::Fail(5))]).await;
        let why = result.unwrap_err();
        let words = why.to_string();
        assert!(words.contains(SIX) && words.contains(FOUR), "{words}");
        assert_eq!(io::Error::from(why).kind(), io::ErrorKind::ConnectionRefused);

        let begun = Instant::now();
        let (result, tried) = raced(&[(SIX, Does::Nothing), (FOUR, Does::Fail(5)), (OTHER_FOUR, Does::Nothing)]).await;
        let words = result.unwrap_err().to_string();
        assert!(words.ends_with("within 10 s") && words.contains(OTHER_FOUR), "{words}");
        assert_eq!((begun.elapsed(), tried.len()), (WITHIN, 3));

        assert!(matches!(raced(&[]).await.0, Err(Unreached::Nowhere)));
    }

    /// A listener whose queue is full: the kernel drops whoever knocks, as a network without a way does.
    #[tokio::test]
    async fn a_listener_that_takes_nobody_keeps_nobody_from_the_next() {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(at("127.0.0.1:0")).unwrap();
        let full = socket.listen(0).unwrap();
        let dead = full.local_addr().unwrap();
        let mut knocking = Vec::new();
        while let Ok(stream) = timeout(APART, TcpStream::connect(dead)).await {
            knocking.push(stream.unwrap());
            assert!(knocking.len() < 64, "its queue is never full");
        }
        let open = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let alive = open.local_addr().unwrap();
        let reached = reach([dead, alive], WITHIN).await.unwrap();
        assert_eq!(reached.peer_addr().unwrap(), alive);
    }
}
