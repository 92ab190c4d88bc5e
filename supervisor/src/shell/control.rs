//! The control socket: JSON lines (`wire::supervisor`), a few clients, nothing that can make PID 1 wait.
//!
//! A client that reads slowly misses states in between, never the last one: at most one unsent line is kept for each.

use std::io::{self, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use wire::supervisor::Request;

use super::datagram::{self, Beside};
use crate::core::Ending;
use crate::handover::fds::Inherited;
use crate::handover::state;

/// Clients at a time; the server and a few people.
const CLIENTS_MAX: usize = 32;
/// Of these, clients of one user other than root: a plug-in that opens many takes nobody else's place.
const CLIENTS_OF_ONE: usize = 4;
/// Connections accepted in one turn: the socket is everybody's, and who connects without end must not keep the loop. The next
/// turn goes on with those that wait.
const ACCEPTED_MAX: usize = 32;
/// Longest request line, in bytes; ours have a hundred.
const REQUEST_MAX: usize = 4096;

/// Every request, for who has sent none. A test has it that none is missing.
const REQUESTS: [&str; 9] = [
    r#"{"watch":{}}"#,
    r#"{"screen":{"claim":TEXT|null,"fingerprint":TEXT|null}}"#,
    r#"{"reset":{}}"#,
    r#"{"update":{}}"#,
    r#"{"back":{"why":TEXT}}"#,
    r#"{"reboot":{"why":TEXT}}"#,
    r#"{"power_off":{"why":TEXT}}"#,
    r#"{"proof":{"missing":TEXT|null}}"#,
    r#"{"reexec":{}}"#,
];

/// The listening socket and its clients.
#[derive(Debug)]
pub struct Control {
    listener: UnixListener,
    clients: Vec<Client>,
    beside: Beside,
    /// The last one who came could not be taken, for want of descriptors: nobody is waited for until the next turn.
    deaf: bool,
}

#[derive(Debug)]
struct Client {
    stream: UnixStream,
    uid: Option<u32>,
    input: Vec<u8>,
    watching: bool,
    /// The line being sent, and how much of it is out.
    sending: Vec<u8>,
    sent: usize,
    /// The newest line, to be sent after that.
    next: Option<String>,
    gone: bool,
    /// It has asked for the replacement of PID 1 and waits for an answer.
    asked: bool,
}

/// What a client wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Show this on the console; from a process of this user.
    Screen {
        /// Claim code.
        code: Option<String>,
        /// Fingerprint of the server's certificate.
        fingerprint: Option<String>,
        /// Who wishes it.
        uid: Option<u32>,
    },
    /// Make DATA anew; from a process of this user.
    Reset(Option<u32>),
    /// Start the writer of updates; from a process of this user.
    Update(Option<u32>),
    /// Go back to the system in the other slot, for this reason; from a process of this user.
    Back { why: String, uid: Option<u32> },
    /// Reboot or power off in order, for this reason; from a process of this user.
    End {
        ending: Ending,
        why: String,
        uid: Option<u32>,
    },
    /// What the server has not proven yet; from a process of this user.
    Proof { missing: Option<String>, uid: Option<u32> },
    /// Replace PID 1 by the program that lies at its path now; asked by root, or by whoever we run as.
    Replace,
}

impl Control {
    /// Binds the socket; a stale one is replaced.
    ///
    /// # Errors
    /// It could not be bound.
    pub fn bind(path: &Path) -> io::Result<Control> {
        let _ = std::fs::remove_file(path);
        let listener = UnixListener::bind(path)?;
        listener.set_nonblocking(true)?;
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o666))?;
        Ok(Control {
            listener,
            clients: Vec::new(),
            beside: Beside::room(datagram::FDS_MAX),
            deaf: false,
        })
    }

    /// Descriptors to wait on, and whether each waits to write.
    pub fn fds(&self) -> impl Iterator<Item = (BorrowedFd<'_>, bool)> {
        let listener = (!self.deaf).then(|| (self.listener.as_fd(), false));
        let clients = self.clients.iter();
        listener
            .into_iter()
            .chain(clients.map(|c| (c.stream.as_fd(), c.sent < c.sending.len())))
    }

    /// Accepts, reads and answers whatever is there. `status` is the present status line.
    pub fn serve(&mut self, status: &str) -> Vec<Wish> {
        self.deaf = false;
        for _ in 0..ACCEPTED_MAX {
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(e) => {
                    // Who waits there stays, and would be told of without end.
                    self.deaf = e.kind() != io::ErrorKind::WouldBlock;
                    break;
                }
            };
            let uid = nix::sys::socket::getsockopt(&stream, nix::sys::socket::sockopt::PeerCredentials)
                .ok()
                .map(|c| c.uid());
            let users: Vec<Option<u32>> = self.clients.iter().map(|c| c.uid).collect();
            if !has_room(&users, uid) || stream.set_nonblocking(true).is_err() {
                hang_up(&stream, &mut self.beside);
                continue;
            }
            self.clients.push(Client {
                stream,
                uid,
                input: Vec::new(),
                watching: false,
                sending: Vec::new(),
                sent: 0,
                next: None,
                gone: false,
                asked: false,
            });
        }
        let mut wishes = Vec::new();
        for c in &mut self.clients {
            c.read(status, &mut wishes, &mut self.beside);
            c.flush();
        }
        self.let_go();
        wishes
    }

    /// Closes the connections of those who are gone.
    fn let_go(&mut self) {
        for c in self.clients.iter().filter(|c| c.gone) {
            hang_up(&c.stream, &mut self.beside);
        }
        self.clients.retain(|c| !c.gone);
    }

    /// As plain data: the socket, and the clients.
    pub fn state(&self) -> (RawFd, Vec<state::Client>) {
        let client = |c: &Client| state::Client {
            fd: c.stream.as_raw_fd(),
            uid: c.uid,
            input: c.input.clone(),
            watching: c.watching,
            sending: c.sending.get(c.sent..).unwrap_or_default().to_vec(),
            next: c.next.clone(),
            asked: c.asked,
        };
        (self.listener.as_raw_fd(), self.clients.iter().map(client).collect())
    }

    /// Goes on with a socket and clients that an earlier image had.
    pub fn of(listener: UnixListener, clients: Vec<state::Client>, fds: &mut Inherited) -> Control {
        let client = |c: state::Client| {
            let stream = UnixStream::from(fds.take(c.fd).ok()?);
            Some(Client {
                stream,
                uid: c.uid,
                input: c.input,
                watching: c.watching,
                sending: c.sending,
                sent: 0,
                next: c.next,
                gone: false,
                asked: c.asked,
            })
        };
        Control {
            listener,
            clients: clients.into_iter().filter_map(client).collect(),
            beside: Beside::room(datagram::FDS_MAX),
            deaf: false,
        }
    }

    /// Answers whoever has asked for the replacement.
    pub fn answer_asked(&mut self, line: &str) {
        for c in &mut self.clients {
            if std::mem::take(&mut c.asked) {
                c.answer(line);
            }
        }
    }

    /// Sends a new status to everybody who watches.
    pub fn publish(&mut self, status: &str) {
        for c in self.clients.iter_mut().filter(|c| c.watching) {
            c.next = Some(format!("{status}\n"));
            c.flush();
        }
        self.let_go();
    }
}

impl Client {
    fn read(&mut self, status: &str, wishes: &mut Vec<Wish>, beside: &mut Beside) {
        let mut buf = [0u8; 1024];
        // What is beyond that waits for the next turn.
        while self.input.len() <= REQUEST_MAX {
            match datagram::text(self.stream.as_fd(), &mut buf, beside) {
                Ok(0) => {
                    self.gone = true;
                    break;
                }
                Ok(n) => self.input.extend_from_slice(&buf[..n]),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => {
                    self.gone = true;
                    break;
                }
            }
        }
        loop {
            let end = self.input.iter().position(|b| *b == b'\n');
            if end.unwrap_or(self.input.len()) > REQUEST_MAX {
                self.answer(&format!("{{\"error\":\"a request longer than {REQUEST_MAX} bytes\"}}"));
                self.gone = true;
                return;
            }
            let Some(end) = end else { return };
            let line: Vec<u8> = self.input.drain(..=end).collect();
            match serde_json::from_slice::<Request>(&line) {
                Ok(Request::Watch {}) => {
                    self.watching = true;
                    self.answer(status);
                }
                Ok(Request::Reset {}) => wishes.push(Wish::Reset(self.uid)),
                Ok(Request::Update {}) => wishes.push(Wish::Update(self.uid)),
                Ok(Request::Back { why }) => wishes.push(Wish::Back { why, uid: self.uid }),
                Ok(Request::Reboot { why }) => wishes.push(self.end(Ending::Reboot, why)),
                Ok(Request::PowerOff { why }) => wishes.push(self.end(Ending::PowerOff, why)),
                Ok(Request::Proof { missing }) => wishes.push(Wish::Proof { missing, uid: self.uid }),
                Ok(Request::Screen { claim, fingerprint }) => wishes.push(Wish::Screen {
                    code: claim,
                    fingerprint,
                    uid: self.uid,
                }),
                Ok(Request::Reexec {}) if self.uid == Some(0) || self.uid == Some(nix::unistd::getuid().as_raw()) => {
                    self.asked = true;
                    wishes.push(Wish::Replace);
                }
                Ok(Request::Reexec {}) => {
                    self.answer("{\"error\":\"reexec: only root may replace PID 1\"}");
                }
                Err(e) => {
                    let text = serde_json::json!({ "error": format!("request: {e}; expected one of {}", REQUESTS.join(", ")) });
                    self.answer(&text.to_string());
                }
            }
        }
    }

    fn end(&self, ending: Ending, why: String) -> Wish {
        let uid = self.uid;
        Wish::End { ending, why, uid }
    }

    fn answer(&mut self, line: &str) {
        self.next = Some(format!("{line}\n"));
        self.flush();
    }

    fn flush(&mut self) {
        loop {
            if self.sent == self.sending.len() {
                match self.next.take() {
                    Some(line) => {
                        self.sending = line.into_bytes();
                        self.sent = 0;
                    }
                    None => return,
                }
            }
            match self.stream.write(&self.sending[self.sent..]) {
                Ok(n) => self.sent += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => {
                    self.gone = true;
                    return;
                }
            }
        }
    }
}

/// Takes what was not read: closing the connection would close descriptors that came with it, however long that takes.
fn hang_up(stream: &UnixStream, beside: &mut Beside) {
    let _ = stream.shutdown(Shutdown::Read);
    let mut buf = [0u8; 1024];
    while datagram::text(stream.as_fd(), &mut buf, beside).is_ok_and(|n| n > 0) {}
}

/// Whether one more client of this user is taken, beside those of `users`. Places are left for root, who alone may take all.
fn has_room(users: &[Option<u32>], uid: Option<u32>) -> bool {
    let root = uid == Some(0);
    let same = users.iter().filter(|u| **u == uid).count();
    let others = users.iter().filter(|u| **u != Some(0)).count();
    users.len() < CLIENTS_MAX && (root || (same < CLIENTS_OF_ONE && others < CLIENTS_MAX - CLIENTS_OF_ONE))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::shell::fdstore::tests::lingering;
    use nix::sys::socket::{ControlMessage, MsgFlags, UnixAddr, sendmsg};
    use std::io::{IoSlice, Read};
    use std::time::{Duration, Instant};

    #[test]
    fn the_answer_to_what_is_no_request_lists_every_one() {
        // Serde names every one, in backticks.
        let known = serde_json::from_str::<Request>(r#"{"x":{}}"#).unwrap_err().to_string();
        let known: Vec<&str> = known.split('`').skip(3).step_by(2).collect();
        assert_eq!(known.len(), REQUESTS.len(), "{known:?}");
        for (form, name) in REQUESTS.iter().zip(known) {
            let request = form.replace("TEXT|null", "null").replace("TEXT", "\"x\"");
            assert!(form.starts_with(&format!("{{\"{name}\":")), "{form}");
            serde_json::from_str::<Request>(&request).unwrap();
        }
    }

    #[test]
    fn descriptors_that_nobody_asked_for_are_closed_without_a_wait() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control.sock");
        let mut control = Control::bind(&path).unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let (begun, mut others) = (Instant::now(), Vec::new());
        // Read, and left unread behind a request that is too long.
        for first in ["{\"watch\":{}}\n".to_owned(), "x".repeat(REQUEST_MAX * 2)] {
            let client = UnixStream::connect(&path).unwrap();
            (&client).write_all(first.as_bytes()).unwrap();
            let sent = lingering(&listener);
            sendmsg::<UnixAddr>(
                client.as_raw_fd(),
                &[IoSlice::new(b"\n")],
                &[ControlMessage::ScmRights(&[sent.as_raw_fd()])],
                MsgFlags::empty(),
                None,
            )
            .unwrap();
            drop(sent);
            control.serve("{}");
            others.push(client);
        }
        assert_eq!(control.clients.len(), 1, "the second has no place any more");
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    }

    #[test]
    fn who_cannot_be_taken_is_not_waited_for_until_the_next_turn() {
        let dir = tempfile::tempdir().unwrap();
        let mut control = Control::bind(&dir.path().join("control.sock")).unwrap();
        // It fails as one does without descriptors, and not because nobody waits.
        let broken = std::os::fd::OwnedFd::from(UnixStream::pair().unwrap().0);
        let listener = std::mem::replace(&mut control.listener, broken.into());
        control.serve("{}");
        assert_eq!(control.fds().count(), 0);
        control.listener = listener;
        control.serve("{}");
        assert_eq!(control.fds().count(), 1);
    }

    #[test]
    fn many_requests_at_once_are_none_that_is_too_long() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control.sock");
        let mut control = Control::bind(&path).unwrap();
        let client = UnixStream::connect(&path).unwrap();
        let request = r#"{"proof":{"missing":null}}"#;
        let many = format!("{request}\n").repeat(600);
        (&client).write_all(many.as_bytes()).unwrap();
        let turns: Vec<usize> = (0..6).map(|_| control.serve("{}").len()).collect();
        assert_eq!(turns.iter().sum::<usize>(), 600, "{turns:?}");
        assert!(turns.iter().all(|n| *n <= 2 * REQUEST_MAX / request.len()), "{turns:?}");
        assert_eq!(control.clients.len(), 1);
        for long in [
            format!("{}\n", "x".repeat(REQUEST_MAX + 1)),
            "x".repeat(REQUEST_MAX + 1),
        ] {
            let client = UnixStream::connect(&path).unwrap();
            (&client).write_all(long.as_bytes()).unwrap();
            control.serve("{}");
            let mut told = String::new();
            (&client).read_to_string(&mut told).unwrap();
            assert_eq!(told, "{\"error\":\"a request longer than 4096 bytes\"}\n");
        }
    }

    #[test]
    fn who_connects_without_end_is_served_a_bounded_part_in_a_turn_and_nobody_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control.sock");
        let mut control = Control::bind(&path).unwrap();
        let waiting: Vec<UnixStream> = (0..=(2 * ACCEPTED_MAX))
            .map(|_| UnixStream::connect(&path).unwrap())
            .collect();
        // A connection that was judged was hung up on, or is a client's.
        let mut answered = || {
            control.serve("{}");
            let hung_up = |s: &&UnixStream| {
                s.set_nonblocking(true).unwrap();
                (&**s).read(&mut [0]).is_ok_and(|n| n == 0)
            };
            waiting.iter().filter(hung_up).count() + control.clients.len()
        };
        let turns = [answered(), answered(), answered()];
        assert_eq!(turns, [ACCEPTED_MAX, 2 * ACCEPTED_MAX, 2 * ACCEPTED_MAX + 1]);
    }

    #[test]
    fn who_connects_and_closes_in_a_loop_does_not_keep_the_turn() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control.sock");
        let mut control = Control::bind(&path).unwrap();
        let over = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while !over.load(std::sync::atomic::Ordering::Relaxed) {
                        drop(UnixStream::connect(&path));
                    }
                });
            }
            // The socket goes with it: who waits there to connect is let off.
            let turns = scope.spawn(move || (0..100).for_each(|_| drop(control.serve("{}"))));
            let begun = Instant::now();
            while !turns.is_finished() && begun.elapsed() < Duration::from_secs(10) {
                std::thread::sleep(Duration::from_millis(5));
            }
            let in_time = turns.is_finished();
            over.store(true, std::sync::atomic::Ordering::Relaxed);
            assert!(in_time, "a turn ends only with the flood");
        });
    }

    #[test]
    fn nobody_takes_all_places_but_root() {
        let plugin = Some(990);
        let mut users = vec![plugin; CLIENTS_OF_ONE];
        assert!(!has_room(&users, plugin) && has_room(&users, Some(900)) && has_room(&users, Some(0)));
        // A user whose number is not known counts as one.
        users.extend([None; CLIENTS_OF_ONE]);
        assert!(!has_room(&users, None) && has_room(&users, Some(900)));
        for uid in 1000.. {
            if !has_room(&users, Some(uid)) {
                break;
            }
            users.push(Some(uid));
        }
        assert_eq!(users.len(), CLIENTS_MAX - CLIENTS_OF_ONE);
        while has_room(&users, Some(0)) {
            users.push(Some(0));
        }
        assert_eq!(users.len(), CLIENTS_MAX);
    }
}
