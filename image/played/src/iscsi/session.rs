//! One session: what comes in, and what is answered. Commands are carried out in the order in which their data are complete.
//!
//! ```text
//!  login ─► full feature ─► over
//!   command with all its data ─────────────────────────► data-in …, response
//!   command without ─► R2T ◄─► data-out … (all there) ─► response
//! ```

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::Duration;

use super::login::{self, Agreed, INITIATOR_ERROR};
use super::pdu::{NO_TAG, Pdu};
use crate::transport::Shared;
use crate::unit::Reply;

/// Flag of what ends a sequence, of a header that has nothing to say there, and of a login that goes to the next stage.
const FINAL: u8 = 0x80;
/// Flags of a SCSI command: it reads, it writes.
const READS: u8 = 0x40;
const WRITES: u8 = 0x20;
/// Flags of a login request: its text goes on in the next one; the stage behind this one is the full feature phase.
const CONTINUES: u8 = 0x40;
const TO_FULL_FEATURE: u8 = 0x03;
/// Flags of a response: the residual count is of bytes that were expected and did not come, or that had no room.
const UNDERFLOW: u8 = 0x02;
const OVERFLOW: u8 = 0x04;

/// A task management function: it ends one task; the others end all of a unit or more.
const ABORT_TASK: u8 = 1;

/// How many commands an initiator may send before the first is answered.
const WINDOW: u32 = 64;

/// A command that waits for its data.
#[derive(Debug)]
struct Waiting {
    command: Pdu,
    data: Vec<u8>,
    /// Bytes with the burst that was asked for.
    asked: usize,
    /// Requests for data so far.
    requests: u32,
}

/// A session. One connection carries it.
#[derive(Debug)]
pub(super) struct Session {
    agreed: Agreed,
    logged_in: bool,
    greeted: bool,
    over: bool,
    /// Number of the next response.
    status: u32,
    /// Number of the next command.
    expected: u32,
    waiting: BTreeMap<u32, Waiting>,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            agreed: Agreed::default(),
            logged_in: false,
            greeted: false,
            over: false,
            status: 1,
            expected: 0,
            waiting: BTreeMap::new(),
        }
    }
}

impl Session {
    /// Whether the connection is to be closed.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// Answers what came in `now`.
    pub(super) fn take(&mut self, now: Duration, units: &[(u8, Shared)], pdu: &Pdu) -> Vec<Pdu> {
        if !self.logged_in {
            return vec![self.login(pdu)];
        }
        // Data-out alone has no number of a command.
        if pdu.opcode() != 0x05 && !pdu.is_immediate() {
            self.expected = pdu.at(24).wrapping_add(1);
        }
        let task = pdu.at(16);
        match pdu.opcode() {
            // NOP-out: what it carries comes back, unless no answer is wanted.
            0x00 if task == NO_TAG => Vec::new(),
            0x00 => {
                let mut answer = Pdu::new(0x20, FINAL, task).with(20, NO_TAG).carrying(pdu.data.clone());
                answer.header[8..16].copy_from_slice(&pdu.header[8..16]);
                vec![self.numbered(answer)]
            }
            0x01 => self.command(now, units, pdu),
            // Task management: each function is complete at once; what it ends waits for data that no longer come.
            0x02 => {
                match pdu.header[1] & 0x7F {
                    ABORT_TASK => drop(self.waiting.remove(&pdu.at(20))),
                    _ => self.waiting.clear(),
                }
                vec![self.numbered(Pdu::new(0x22, FINAL, task))]
            }
            0x05 => self.data(now, units, pdu),
            // Logout: closed.
            0x06 => {
                self.over = true;
                vec![self.numbered(Pdu::new(0x26, FINAL, task))]
            }
            // Reject: no such command here, with the header of it.
            _ => {
                let mut reject = Pdu::new(0x3F, FINAL, NO_TAG).carrying(pdu.header.to_vec());
                reject.header[2] = 0x05;
                vec![self.numbered(reject)]
            }
        }
    }

    fn login(&mut self, pdu: &Pdu) -> Pdu {
        let first = !std::mem::replace(&mut self.greeted, true);
        let answered = match pdu.opcode() == 0x03 && !pdu.has(CONTINUES) {
            true => login::answer(&mut self.agreed, &pdu.data, first),
            false => Err(INITIATOR_ERROR),
        };
        self.expected = pdu.at(24);
        let mut answer = Pdu::new(0x23, 0, pdu.at(16));
        answer.header[8..16].copy_from_slice(&pdu.header[8..16]);
        match answered {
            Ok(text) => {
                // The stages, and the step to the next, are the initiator's.
                answer.header[1] = pdu.header[1];
                self.logged_in = pdu.has(FINAL | TO_FULL_FEATURE);
                if self.logged_in {
                    // The session's handle: any but 0.
                    answer.header[14..16].copy_from_slice(&[0, 1]);
                }
                answer.data = text;
            }
            Err((class, detail)) => {
                self.over = true;
                answer.header[36..38].copy_from_slice(&[class, detail]);
            }
        }
        self.numbered(answer)
    }

    /// A command: carried out at once where all its data are there, else asked for the rest.
    fn command(&mut self, now: Duration, units: &[(u8, Shared)], pdu: &Pdu) -> Vec<Pdu> {
        let waiting = Waiting {
            command: pdu.clone(),
            data: pdu.data.clone(),
            asked: pdu.data.len(),
            requests: 0,
        };
        self.go_on(now, units, waiting)
    }

    /// Data of a command that waits for them, in order, as was agreed.
    fn data(&mut self, now: Duration, units: &[(u8, Shared)], pdu: &Pdu) -> Vec<Pdu> {
        let Some(mut waiting) = self.waiting.remove(&pdu.at(16)) else {
            return Vec::new();
        };
        waiting.data.extend(&pdu.data);
        self.go_on(now, units, waiting)
    }

    fn go_on(&mut self, now: Duration, units: &[(u8, Shared)], mut waiting: Waiting) -> Vec<Pdu> {
        let (task, length) = (waiting.command.at(16), waiting.command.at(20));
        let wanted = if waiting.command.has(WRITES) {
            length as usize
        } else {
            0
        };
        if waiting.data.len() >= wanted {
            let reply = carry_out(now, units, &waiting.command, &waiting.data);
            return self.answer(&waiting.command, reply, waiting.requests);
        }
        let mut asks = Vec::new();
        if waiting.data.len() >= waiting.asked {
            let (offset, burst) = (waiting.data.len(), self.agreed.burst as usize);
            let rest = burst.min(wanted - offset);
            // The tag by which the data are known: the task's own.
            let mut ask = Pdu::new(0x31, FINAL, task).with(20, task);
            ask.header[8..16].copy_from_slice(&waiting.command.header[8..16]);
            let ask = ask
                .with(36, waiting.requests)
                .with(40, offset as u32)
                .with(44, rest as u32);
            // It takes no number of a response.
            asks.push(self.windowed(ask.with(24, self.status)));
            waiting.requests += 1;
            waiting.asked = offset + rest;
        }
        self.waiting.insert(task, waiting);
        asks
    }

    /// Data-in, as many as there must be, and the response.
    fn answer(&mut self, command: &Pdu, mut reply: Reply, requests: u32) -> Vec<Pdu> {
        let (task, room) = (command.at(16), command.at(20) as usize);
        let room = if command.has(READS) { room } else { 0 };
        let (flags, residual) = match reply.data.len() {
            short if short < room => (UNDERFLOW, room - short),
            long if long > room => (OVERFLOW, long - room),
            _ => (0, 0),
        };
        reply.data.truncate(room);
        let segments = reply.data.chunks(self.agreed.segment);
        let (last, mut answers, mut offset) = (segments.len(), Vec::new(), 0);
        for (n, segment) in (0_u32..).zip(segments) {
            let flags = if n as usize + 1 == last { FINAL } else { 0 };
            let sent = Pdu::new(0x25, flags, task)
                .with(20, NO_TAG)
                .with(36, n)
                .with(40, offset);
            answers.push(self.windowed(sent.carrying(segment.to_vec())));
            offset += segment.len() as u32;
        }
        let mut response = Pdu::new(0x21, FINAL | flags, task)
            .with(36, requests + answers.len() as u32)
            .with(44, residual as u32);
        response.header[3] = reply.status;
        if !reply.sense.is_empty() {
            response.data = [&(reply.sense.len() as u16).to_be_bytes()[..], &reply.sense].concat();
        }
        answers.push(self.numbered(response));
        answers
    }

    /// A response: the next one has the next number.
    fn numbered(&mut self, pdu: Pdu) -> Pdu {
        let pdu = self.windowed(pdu.with(24, self.status));
        self.status = self.status.wrapping_add(1);
        pdu
    }

    /// With the numbers of commands that may come.
    fn windowed(&self, pdu: Pdu) -> Pdu {
        pdu.with(28, self.expected).with(32, self.expected.wrapping_add(WINDOW))
    }
}

/// What the unit that a command is for answers; where there is none, that LOGICAL UNIT NOT SUPPORTED.
fn carry_out(now: Duration, units: &[(u8, Shared)], command: &Pdu, sent: &[u8]) -> Reply {
    // Single level LUN structure, peripheral or flat (SAM-5, 4.7).
    let number = match command.header[8..10] {
        [0x00 | 0x40, number] => Some(number),
        _ => None,
    };
    let unit = units.iter().find(|(own, _)| Some(*own) == number);
    let Some((_, unit)) = unit else {
        return Reply::check(crate::sense::fixed(crate::sense::ILLEGAL_REQUEST, (0x25, 0x00), None));
    };
    // A longer CDB goes on in an additional header of type 1, behind a byte that is reserved.
    let mut cdb = command.header[32..48].to_vec();
    if let [high, low, 1, _, rest @ ..] = &command.additional[..] {
        let length = usize::from(u16::from_be_bytes([*high, *low])).saturating_sub(1);
        cdb.extend(&rest[..length.min(rest.len())]);
    }
    let mut unit = unit.lock().unwrap_or_else(PoisonError::into_inner);
    unit.command(now, &cdb, sent)
}
