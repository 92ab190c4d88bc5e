//! The writer behind its socket: one client at a time, the server or root, in the words of `wire::update`.
//!
//! It ends by itself when nobody has come for a minute; PID 1 starts it anew when it is asked for.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use bundle::{CHUNK, Head, Target};
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use wire::Time;
use wire::update::{ASK_MAX, Answer, Ask, HEAD_MAX, LastUpdate, SlotState, UpdateOutcome, Writing};

use super::Here;
use super::floor::{self, Floor};
use super::notes::{self, TrialNote};
use super::partition::Partition;
use super::settle;
use super::slots::{Slots, other};
use super::writer::{Refusal, Writer};
use crate::boot::config::board::Board;
use crate::shell::helper::Line;

/// How long nobody may come.
const IDLE: Duration = Duration::from_mins(1);
/// How long a client may be silent: a person's upload over a bad link. An empty line is a word, too.
const SILENT: Duration = Duration::from_mins(2);
/// Shortest time between two words on how far it is.
const TOLD_EVERY: Duration = Duration::from_millis(250);

/// An update under way: the partition stays ours as long.
struct Open {
    partition: Partition,
    writer: Writer,
    /// It may be older than what has run here.
    downgrade: bool,
}

/// Serves until nobody comes any more; `uids` may come besides root.
pub(super) fn serve(line: &Line, here: &Here, uids: &[u32]) -> i32 {
    let path = here.socket();
    let _ = fs::remove_file(&path);
    let listener = match UnixListener::bind(&path) {
        Ok(l) => l,
        Err(e) => {
            line.say(&format!("failed the update socket {}: {e}", path.display()));
            return 1;
        }
    };
    let _ = fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let status = loop {
        match waited(&listener) {
            Ok(false) => break 0,
            Ok(true) => {}
            Err(e) => {
                line.say(&format!("failed waiting for a client: {e}"));
                break 1;
            }
        }
        if let Ok((stream, _)) = listener.accept() {
            let uid = getsockopt(&stream, PeerCredentials).map(|c| c.uid());
            let may = |uid| uid == 0 || uid == nix::unistd::getuid().as_raw() || uids.contains(&uid);
            if uid.is_ok_and(may) {
                if let Err(e) = client(line, here, stream) {
                    line.say(&format!("client {e}"));
                }
                line.say("writing null");
                show(line, here);
            }
        }
    };
    let _ = fs::remove_file(&path);
    status
}

/// Whether somebody has come in time.
fn waited(listener: &UnixListener) -> io::Result<bool> {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::os::fd::AsFd;
    let begun = Instant::now();
    while begun.elapsed() < IDLE {
        let mut fds = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, PollTimeout::from(1000u16)) {
            Ok(0) | Err(nix::errno::Errno::EINTR) => {}
            Ok(_) => return Ok(true),
            Err(e) => return Err(e.into()),
        }
    }
    Ok(false)
}

/// Tells PID 1 what the slots are now, and whose updates are taken.
fn show(line: &Line, here: &Here) {
    here.tell_keys(line);
    if let Ok(slots) = here.open().and_then(|p| Slots::read(&p)) {
        line.say(&format!(
            "slots {}",
            serde_json::to_string(&slots.view(&here.slot)).unwrap_or_default()
        ));
    }
}

/// One client's whole conversation.
fn client(line: &Line, here: &Here, stream: UnixStream) -> io::Result<()> {
    stream.set_read_timeout(Some(SILENT))?;
    stream.set_write_timeout(Some(SILENT))?;
    let mut reader = BufReader::with_capacity(64 * 1024, stream.try_clone()?);
    let mut stream = stream;
    let mut open: Option<Open> = None;
    // What was begun last, as far as its head says so.
    let mut version = None;
    let mut told = Instant::now();
    loop {
        let mut text = String::new();
        if (&mut reader).take(ASK_MAX as u64).read_line(&mut text)? == 0 {
            return Ok(());
        }
        if text == "\n" {
            continue;
        }
        let answer = match serde_json::from_str::<Ask>(&text) {
            Err(e) => Err(Refusal::new("bad-request", format!("line to the writer: {e}"))),
            Ok(Ask::Begin { len, .. }) if len > HEAD_MAX => Err(Refusal::new(
                "malformed",
                format!("a head of {len} bytes; at most {HEAD_MAX} are expected"),
            )),
            Ok(Ask::Chunk { len, .. }) if u64::from(len) > CHUNK => Err(Refusal::new(
                "malformed",
                format!("a chunk of {len} bytes; at most {CHUNK} are expected"),
            )),
            Ok(Ask::Begin { len, downgrade }) => {
                let head = bytes(&mut reader, len)?;
                open = None;
                version = named(&head);
                begin(line, here, &head, downgrade).map(|(o, needs)| {
                    open = Some(o);
                    Answer::Begun(needs)
                })
            }
            Ok(Ask::Chunk { number, len }) => {
                let bytes = bytes(&mut reader, len)?;
                match &mut open {
                    None => Err(Refusal::new("not-begun", "no update has begun: send its head first")),
                    Some(o) => {
                        // The medium may have left, and hold somebody else's card up to now.
                        let lasts = here.lasts().map_err(Refusal::from);
                        let done = lasts.and_then(|()| o.writer.chunk(&mut o.partition, number, &bytes));
                        if told.elapsed() >= TOLD_EVERY {
                            tell(line, &o.writer.writing());
                            told = Instant::now();
                        }
                        done.map(|()| Answer::Taken { number })
                    }
                }
            }
            Ok(Ask::Finish {}) => match open.take() {
                None => Err(Refusal::new("not-begun", "no update has begun: send its head first")),
                Some(o) => finish(line, here, o, &|| hung_up(&stream)),
            },
        };
        let answer = answer.unwrap_or_else(|Refusal { kind, text }| {
            // What a hostile bundle names may be longer than a line that the server takes.
            let text: String = text.chars().take(1000).collect();
            if kind == "medium" {
                // Whatever lies there now is not kept open; what was written is found again.
                open = None;
            }
            if matches!(kind, "medium" | "incomplete") && !here.waits() {
                note(
                    line,
                    here,
                    version.clone(),
                    other(&here.slot).to_owned(),
                    UpdateOutcome::Failed,
                    format!("the update was not written: {text}"),
                );
            }
            Answer::Refused {
                kind: kind.to_owned(),
                text,
            }
        });
        let fatal = matches!(&answer, Answer::Refused { kind, .. } if kind == "bad-request" || kind == "malformed" );
        let mut out = serde_json::to_vec(&answer)?;
        out.push(b'\n');
        stream.write_all(&out)?;
        if fatal {
            // What follows may be anything.
            return Ok(());
        }
    }
}

/// The version that a head names; it may be anybody's.
fn named(head: &[u8]) -> Option<String> {
    let head = Head::parse(head).ok()?;
    Some(head.manifest.version.chars().take(32).collect())
}

fn bytes(reader: &mut impl Read, len: u32) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; len as usize];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn tell(line: &Line, writing: &Writing) {
    line.say(&format!(
        "writing {}",
        serde_json::to_string(writing).unwrap_or_default()
    ));
}

fn begin(line: &Line, here: &Here, head: &[u8], downgrade: bool) -> Result<(Open, wire::update::UpdateNeeds), Refusal> {
    here.lasts().map_err(|text| Refusal::new("no-data", text))?;
    let own = here.keys().map_err(|text| Refusal::new("no-keys", text))?;
    let (board, wrong) = Board::read(&here.board());
    if let Some(wrong) = wrong {
        return Err(Refusal::new("no-board", wrong));
    }
    let floor = Floor::read(&here.notes());
    let keys = floor.keys(own.clone());
    let mut partition = here.open()?;
    let running = Slots::read(&partition)?
        .version(&here.slot)
        .map_or_else(|| env!("CARGO_PKG_VERSION").to_owned(), str::to_owned);
    let target = Target {
        board: board.name,
        arch: std::env::consts::ARCH.to_owned(),
        running,
        keys,
        downgrade,
    };
    let manifest = bundle::accept(head, &target)?;
    let built = u64::try_from(board.built).unwrap_or(0);
    floor.admit(&manifest, (&target.running, built), downgrade)?;
    let signed = Head::parse(head)?;
    floor.reserve(&here.notes(), &signed, head.len(), downgrade)?;
    let mut told = Instant::now();
    let mut progress = |w: Writing| {
        if told.elapsed() >= TOLD_EVERY {
            tell(line, &w);
            told = Instant::now();
        }
    };
    let begun = Writer::begin(&mut partition, head, &target, &here.slot, &mut progress);
    // Also where the medium failed behind it: what waited there is gone.
    let slot = other(&here.slot);
    if Slots::read(&partition).is_ok_and(|slots| slots.state(slot) == SlotState::Bad)
        && let Some(last) = settle::emptied(&here.notes(), slot, &manifest.version, Time::now())
    {
        say_last(line, &last);
    }
    let (writer, needs) = begun?;
    // What was signed holds whatever becomes of this system.
    floor
        .admitted(&here.notes(), &own, &signed)
        .map_err(|e| format!("noting the update's keys on DATA: {e}"))?;
    tell(line, &writer.writing());
    let open = Open {
        partition,
        writer,
        downgrade,
    };
    Ok((open, needs))
}

/// Whether the client says nothing more: whoever does so before the last answer has given the update up.
fn hung_up(stream: &UnixStream) -> bool {
    use nix::errno::Errno;
    use nix::sys::socket::{MsgFlags, recv};
    use std::os::fd::AsRawFd;
    let looked = recv(
        stream.as_raw_fd(),
        &mut [0],
        MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT,
    );
    !matches!(looked, Ok(1..) | Err(Errno::EAGAIN | Errno::EINTR))
}

fn finish(line: &Line, here: &Here, open: Open, given_up: &dyn Fn() -> bool) -> Result<Answer, Refusal> {
    let Open {
        mut partition,
        writer,
        downgrade,
    } = open;
    let dir = here.notes();
    let (slot, version) = writer.finish(&mut partition, given_up, |slot, version| {
        let note = TrialNote {
            slot: slot.to_owned(),
            version: version.to_owned(),
            failed: Vec::new(),
        };
        // It may have moved since.
        here.lasts()?;
        let noted = notes::set_trial(&dir, Some(&note));
        noted
            .and_then(|()| {
                if downgrade {
                    floor::went_back(&dir, version)
                } else {
                    Ok(())
                }
            })
            .map_err(|e| format!("noting the update on DATA: {e}"))
    })?;
    let text = format!(
        "version {version} is written to slot {}; the next start tries it",
        slot.to_uppercase()
    );
    note(
        line,
        here,
        Some(version.clone()),
        slot.clone(),
        UpdateOutcome::Written,
        text,
    );
    Ok(Answer::Finished { slot, version })
}

/// Keeps how it ended and tells PID 1.
fn note(line: &Line, here: &Here, version: Option<String>, slot: String, outcome: UpdateOutcome, text: String) {
    let last = LastUpdate {
        at: Time::now(),
        version,
        slot,
        outcome,
        text,
    };
    let _ = notes::set_last(&here.notes(), &last);
    say_last(line, &last);
}

/// Tells PID 1 how the last update ended.
fn say_last(line: &Line, last: &LastUpdate) {
    line.say(&format!("last {}", serde_json::to_string(last).unwrap_or_default()));
}
