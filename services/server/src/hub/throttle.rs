//! What of a busy add-on's frames is taken: a bucket for each connection.
//!
//! Up to [`RATE`] a second everything is taken. Above it of progress, charts and tables only the newest of each job
//! or component, as soon as there is room; log lines are left out and counted; everything else (heartbeats,
//! notifications, results) is taken, and the reading of that connection waits. Above [`READ`] reading waits in any case,
//! so that a flood stays in the sender's own socket. The sender is told in its log.
//!
//! What is held is held as it came, unparsed: a text of `[{},{},…]` takes eighty times its length once it is parsed. It is
//! bounded in number and bytes for each connection, and in bytes for all connections together.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use wire::Frame;

use super::bucket::Bucket;

/// Frames a second taken of one connection: sixty drives' progress and a thousand log lines fit.
pub const RATE: f64 = 1_200.0;

/// Frames taken at once: what an add-on has spooled while the server was away.
const BURST: f64 = 3_600.0;

/// Frames a second read of one connection.
const READ: f64 = 2_400.0;

/// Bytes a second read of one connection.
const BYTES: f64 = 4_194_304.0;

/// Frames held back, each the newest of its job or component; past it the oldest gives way.
const HELD: usize = 256;

/// Bytes held back of one connection: sixty progress frames fit hundreds of times, one of the longest frames fits.
pub const HELD_BYTES: usize = 1 << 20;

/// Bytes held back of all connections together.
pub const HELD_ALL: usize = 16 << 20;

/// Bytes that a held frame takes beside its text.
const HELD_EACH: usize = 128;

/// Shortest time between two words about it.
const TELL: Duration = Duration::from_secs(10);

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is taken.
    Take,
    /// It waits, in place of an older one of its key.
    Hold,
    /// It is left out.
    Drop,
}

/// Bytes that all connections together hold back.
#[derive(Clone, Debug, Default)]
pub struct Room(Arc<AtomicUsize>);

impl Room {
    fn take(&self, bytes: usize) -> bool {
        let add = |held: usize| held.checked_add(bytes).filter(|all| *all <= HELD_ALL);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Bytes that are held at this moment.
    pub fn held(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
struct Held {
    key: String,
    frame: Box<[u8]>,
}

impl Held {
    fn bytes(&self) -> usize {
        self.key.len() + self.frame.len() + HELD_EACH
    }
}

/// The throttle of one connection.
#[derive(Debug)]
pub struct Throttle {
    taken: Bucket,
    read: Bucket,
    bytes: Bucket,
    held: VecDeque<Held>,
    held_bytes: usize,
    room: Room,
    dropped: u64,
    replaced: u64,
    told: Option<Duration>,
}

/// What a held frame is the newest of; `None` for frames that do not grow old.
pub fn key(frame: &Frame) -> Option<String> {
    match frame {
        Frame::Progress(progress) => Some(format!("progress {}", progress.job_id)),
        Frame::Other { kind, payload }
            if matches!(kind.as_str(), "chart" | "metric" | "smart" | "attributes" | "telemetry") =>
        {
            let word = |name: &str| {
                payload
                    .get(name)
                    .and_then(serde_json::Value::as_str)
                    .unwrap_or("")
                    .to_owned()
            };
            Some(format!(
                "{kind} {} {} {}",
                word("component_id"),
                word("key"),
                word("job_id")
            ))
        }
        Frame::Heartbeat
        | Frame::Log(_)
        | Frame::Notification(_)
        | Frame::Hello(_)
        | Frame::Drives(_)
        | Frame::Job(_)
        | Frame::Event(_)
        | Frame::Playbooks(_)
        | Frame::Unfinished(_)
        | Frame::Certificate(_)
        | Frame::Command(_)
        | Frame::Result(_)
        | Frame::Other { .. } => None,
    }
}

impl Drop for Throttle {
    fn drop(&mut self) {
        self.room.give_back(self.held_bytes);
    }
}

impl Throttle {
    /// Of a new connection; `room` is everybody's.
    pub fn new(now: Duration, room: Room) -> Self {
        Self {
            taken: Bucket::new(now, BURST, RATE),
            read: Bucket::new(now, BURST, READ),
            bytes: Bucket::new(now, BYTES * 2.0, BYTES),
            held: VecDeque::new(),
            held_bytes: 0,
            room,
            dropped: 0,
            replaced: 0,
            told: None,
        }
    }

    /// A message of `length` bytes was read: how long reading rests.
    pub fn pause(&mut self, now: Duration, length: usize) -> Duration {
        self.read.owe(now, 1.0).max(self.bytes.owe(now, length as f64))
    }

    /// What becomes of a frame.
    pub fn judge(&mut self, now: Duration, frame: &Frame, key: Option<&str>) -> Verdict {
        // What is held goes first, or an older frame would come after a newer one.
        let waits = key.is_some_and(|key| self.held.iter().any(|held| held.key == key));
        if !waits && self.taken.take(now, 1.0) {
            return Verdict::Take;
        }
        match (key, frame) {
            (Some(_), _) => Verdict::Hold,
            (None, Frame::Log(_)) => {
                self.dropped += 1;
                Verdict::Drop
            }
            (None, Frame::Other { kind, .. }) if kind != "manifest" && kind != "result" => {
                self.dropped += 1;
                Verdict::Drop
            }
            // Rare, or small, or meant to be counted: `pause` makes the sender wait.
            _ => Verdict::Take,
        }
    }

    /// Holds a frame back, in place of an older one of its key.
    pub fn hold(&mut self, key: &str, frame: &[u8]) {
        if let Some(at) = self.held.iter().position(|held| held.key == key) {
            self.let_go(at);
            self.replaced += 1;
        }
        let held = Held {
            key: key.to_owned(),
            frame: frame.into(),
        };
        while self.held.len() >= HELD || self.held_bytes + held.bytes() > HELD_BYTES {
            // Longer than everything that may be held of one connection.
            if self.let_go(0).is_none() {
                self.dropped += 1;
                return;
            }
            self.replaced += 1;
        }
        if !self.room.take(held.bytes()) {
            self.dropped += 1;
            return;
        }
        self.held_bytes += held.bytes();
        self.held.push_back(held);
    }

    fn let_go(&mut self, at: usize) -> Option<Box<[u8]>> {
        let held = self.held.remove(at)?;
        self.held_bytes -= held.bytes();
        self.room.give_back(held.bytes());
        Some(held.frame)
    }

    /// The oldest frame that is held, if there is room for it now.
    pub fn release(&mut self, now: Duration) -> Option<Box<[u8]>> {
        if self.held.is_empty() || !self.taken.take(now, 1.0) {
            return None;
        }
        self.let_go(0)
    }

    /// How long until there is room for a held frame; `None` where none is held.
    pub fn due(&mut self, now: Duration) -> Option<Duration> {
        (!self.held.is_empty()).then(|| self.taken.until(now, 1.0))
    }

    /// What is held, one after the other: the connection is over.
    pub fn rest(&mut self) -> Option<Box<[u8]>> {
        self.let_go(0)
    }

    /// What the sender is told, if that is due.
    pub fn word(&mut self, now: Duration) -> Option<String> {
        let due = self.told.is_none_or(|at| now.saturating_sub(at) >= TELL);
        if !due || (self.dropped == 0 && self.replaced == 0) {
            return None;
        }
        self.told = Some(now);
        let (dropped, replaced) = (std::mem::take(&mut self.dropped), std::mem::take(&mut self.replaced));
        Some(format!(
            "more than {RATE} frames a second: {dropped} log lines and other frames were left out, {replaced} progress, chart and \
             table frames gave way to newer ones; send fewer"
        ))
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::float_cmp,
        reason = "tests"
    )]
    use wire::frame::{LogLine, ProgressFrame};

    use super::*;

    fn progress(job: &str) -> Frame {
        Frame::Progress(ProgressFrame {
            job_id: job.into(),
            ..ProgressFrame::default()
        })
    }

    #[test]
    fn a_thousand_lines_a_second_are_all_taken() {
        let mut throttle = Throttle::new(Duration::ZERO, Room::default());
        let line = Frame::Log(LogLine::default());
        for n in 0..60_000_u64 {
            let now = Duration::from_millis(n);
            assert_eq!(throttle.judge(now, &line, None), Verdict::Take);
            assert_eq!(throttle.pause(now, 200), Duration::ZERO);
        }
        assert_eq!(throttle.word(Duration::from_mins(1)), None);
    }

    #[test]
    fn a_flood_leaves_the_newest_of_each_job_and_says_so() {
        let mut throttle = Throttle::new(Duration::ZERO, Room::default());
        let now = Duration::ZERO;
        let mut taken = 0;
        for n in 0..10_000_u32 {
            let frame = progress(if n % 2 == 0 { "a" } else { "b" });
            let key = key(&frame);
            match throttle.judge(now, &frame, key.as_deref()) {
                Verdict::Take => taken += 1,
                Verdict::Hold => throttle.hold(&key.unwrap(), &n.to_be_bytes()),
                Verdict::Drop => unreachable!(),
            }
        }
        assert_eq!(f64::from(taken), BURST);
        assert_eq!(throttle.release(now), None, "no room yet");
        let later = now + throttle.due(now).unwrap() + Duration::from_millis(5);
        assert_eq!(throttle.release(later).as_deref(), Some(&9_998_u32.to_be_bytes()[..]));
        assert_eq!(throttle.release(later).as_deref(), Some(&9_999_u32.to_be_bytes()[..]));
        assert_eq!(throttle.due(later), None);
        let word = throttle.word(later).unwrap();
        assert!(word.contains("gave way"), "{word}");
        assert_eq!(throttle.word(later), None, "told once");
    }

    #[test]
    fn a_flood_of_lines_is_counted_and_notifications_are_not_lost() {
        let mut throttle = Throttle::new(Duration::ZERO, Room::default());
        let line = Frame::Log(LogLine::default());
        let dropped = (0..5_000)
            .filter(|_| throttle.judge(Duration::ZERO, &line, None) == Verdict::Drop)
            .count();
        assert_eq!(dropped, 5_000 - BURST as usize);
        assert_eq!(throttle.judge(Duration::ZERO, &Frame::Heartbeat, None), Verdict::Take);
        assert!(throttle.word(Duration::ZERO).unwrap().contains("1400 log lines"));
        let rest = (0..5_000).map(|_| throttle.pause(Duration::ZERO, 100)).max().unwrap();
        assert!(rest > Duration::from_millis(500), "reading rests: {rest:?}");
    }

    /// Five thousand add-ons that hold all they can: what is held stays in bounds, and is given back.
    #[test]
    fn what_is_held_is_bounded_in_bytes_for_each_and_for_all() {
        let room = Room::default();
        let mut all = Vec::new();
        for _ in 0..5_000 {
            let mut throttle = Throttle::new(Duration::ZERO, room.clone());
            for n in 0..4 {
                throttle.hold(&format!("chart {n}"), &[b'x'; 400_000]);
                assert!(throttle.held_bytes <= HELD_BYTES);
            }
            assert!(throttle.word(Duration::ZERO).unwrap().contains("left out"));
            all.push(throttle);
        }
        assert!((HELD_ALL / 2..=HELD_ALL).contains(&room.held()), "{}", room.held());
        let mut other = Throttle::new(Duration::ZERO, room.clone());
        other.hold("progress j", &[b'x'; 400_000]);
        assert!(
            other.word(Duration::ZERO).unwrap().starts_with("more than"),
            "told, not passed over"
        );
        drop(all);
        assert_eq!(room.held(), 0);
        other.hold("progress j", b"newest");
        assert_eq!(other.rest().as_deref(), Some(&b"newest"[..]));
        assert_eq!((other.rest(), room.held()), (None, 0));
        other.hold("long", &vec![b'x'; HELD_BYTES]);
        assert_eq!(room.held(), 0);
    }
}
