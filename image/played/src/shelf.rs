//! A shelf of disks as `ses`, `sg_ses` and `ledctl` see it (SES-3): slots with a light each, an address of
//! who sits in them, and one element for the shelf itself.
//!
//! ```text
//!  01 configuration        which elements there are: slots, the shelf
//!  02 status, control      four bytes an element; a light is told, and ordered
//!  07 element descriptor   the slots' names
//!  0A additional status    slot numbers, and SAS addresses of who sits there
//! ```
//!
//! It has no sensors, no thresholds and no expander; its descriptors bear indexes that count the overall element, too.

#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::inquiry::{ENCLOSURE, INVALID_PARAMETER, Identity, SAS, SHORT_LIST, length, number, refused, text};
use crate::sense;
use crate::unit::{Reply, Unit};

/// Element types (SES-3, 7.1).
const ARRAY_DEVICE_SLOT: u8 = 0x17;
const SHELF: u8 = 0x0E;

/// Element status codes (SES-3, 7.2.3).
const OK: u8 = 1;
const NOT_INSTALLED: u8 = 5;

/// SELECT, in the first byte of a control element.
const SELECT: u8 = 0x80;
/// RQST IDENT and IDENT, in the third.
const IDENT: u8 = 0x02;
/// RQST FAULT and FAULT REQSTD, in the fourth.
const FAULT: u8 = 0x20;

/// One slot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slot {
    /// Its name, a few characters of ASCII.
    pub name: String,
    /// Its number as the shelf tells it, which need not be the place in the list.
    pub number: u8,
    /// SAS address by which the controller knows who sits there; `None`: it is empty.
    pub address: Option<u64>,
    /// Whether its light is on that people look for.
    pub lit: bool,
    /// Whether its light of a fault is on.
    pub fault: bool,
}

/// A shelf. Everything public may be changed while it answers.
#[derive(Clone, Debug)]
pub struct Shelf {
    /// Enclosure logical identifier, which is also the NAA name of this unit.
    pub identifier: u64,
    /// Serial number.
    pub serial: String,
    /// Its slots, as many as it had when it was made.
    pub slots: Vec<Slot>,
    /// Whether its lights do what they are told. Else an order is taken, with status GOOD, and nothing happens.
    pub obeys: bool,
    /// Orders for a light so far, also those that nothing came of.
    pub orders: u32,
}

impl Shelf {
    /// A shelf whose empty slots are named and numbered from 1 on.
    #[must_use]
    pub fn new(identifier: u64, slots: u8) -> Self {
        let slot = |number| Slot {
            name: format!("Slot {number:02}"),
            number,
            ..Slot::default()
        };
        Self {
            identifier,
            serial: "SHELF1".to_owned(),
            slots: (1..=slots).map(slot).collect(),
            obeys: true,
            orders: 0,
        }
    }

    /// Names of the slots whose light is on.
    #[must_use]
    pub fn lit(&self) -> Vec<&str> {
        let lit = self.slots.iter().filter(|slot| slot.lit);
        lit.map(|slot| &*slot.name).collect()
    }

    fn inquire(&self, cdb: &[u8]) -> Reply {
        let identity = Identity {
            kind: ENCLOSURE,
            vendor: "PLAYED",
            product: "SHELF",
            revision: "0001",
            serial: &self.serial,
            name: self.identifier,
            port: self.identifier.wrapping_add(1),
            device: self.identifier.wrapping_add(3),
        };
        identity.inquire(cdb, &[])
    }

    /// RECEIVE DIAGNOSTIC RESULTS (SPC-4).
    fn receive(&self, cdb: &[u8]) -> Reply {
        if number(cdb, 1, 2) & 1 == 0 {
            return Reply::check(sense::invalid_field());
        }
        let code = cdb.get(2).copied().unwrap_or_default();
        let body = match code {
            0x00 => return Reply::of(vec![0, 0, 0, 5, 0x00, 0x01, 0x02, 0x07, 0x0A], number(cdb, 3, 5)),
            0x01 => self.configuration(),
            0x02 => self.status(),
            0x07 => self.names(),
            0x0A => self.additional(),
            _ => return Reply::check(sense::invalid_field()),
        };
        // The generation of its configuration, which does not change, stands before all of them.
        let body = [&[0; 4], &body[..]].concat();
        Reply::of([&[code, 0], &length(&body)[..], &body].concat(), number(cdb, 3, 5))
    }

    /// Configuration (SES-3, 6.1.2): one enclosure, two kinds of element.
    fn configuration(&self) -> Vec<u8> {
        let kinds = [
            (ARRAY_DEVICE_SLOT, self.slots.len() as u8, "Slots"),
            (SHELF, 1, "Shelf"),
        ];
        // The only one of one enclosure services process; 36 bytes follow.
        let mut body = vec![0x11, 0, kinds.len() as u8, 36];
        body.extend(self.identifier.to_be_bytes());
        body.extend(text("PLAYED", 8));
        body.extend(text("SHELF", 16));
        body.extend(text("0001", 4));
        for (kind, count, name) in kinds {
            body.extend([kind, count, 0, name.len() as u8]);
        }
        body.extend(kinds.iter().flat_map(|(_, _, name)| name.bytes()));
        body
    }

    /// Enclosure status (SES-3, 6.1.4): overall and own elements of each kind.
    fn status(&self) -> Vec<u8> {
        let mut body = vec![0; 4];
        for slot in &self.slots {
            let code = if slot.address.is_some() { OK } else { NOT_INSTALLED };
            let [ident, fault] = [(slot.lit, IDENT), (slot.fault, FAULT)].map(|(on, bit)| if on { bit } else { 0 });
            body.extend([code, 0, ident, fault]);
        }
        body.extend([0, 0, 0, 0, OK, 0, 0, 0]);
        body
    }

    /// Element descriptors (SES-3, 6.1.10), in the order of the status.
    fn names(&self) -> Vec<u8> {
        let slots = self.slots.iter().map(|slot| &*slot.name);
        let all = std::iter::once("Slots").chain(slots).chain(["Shelf", "Shelf"]);
        all.flat_map(|name| [&[0, 0], &length(name.as_bytes())[..], name.as_bytes()].concat())
            .collect()
    }

    /// Additional element status (SES-3, 6.1.13) of the slots, each with one phy.
    fn additional(&self) -> Vec<u8> {
        let mut body = Vec::new();
        // Indexes that count the overall element (EIIOE), which has the first.
        for (index, slot) in (1..).zip(&self.slots) {
            // EIP; one phy, all of them told, the slot's number.
            body.extend([0x10 | SAS, 34, 0x01, index, 1, 0, 0, slot.number]);
            // An end device, target by SSP.
            let seated = slot.address.is_some();
            body.extend(if seated { [0x10, 0, 0, 0x08] } else { [0; 4] });
            let attached = if seated { self.identifier } else { 0 };
            body.extend(attached.to_be_bytes());
            body.extend(slot.address.unwrap_or_default().to_be_bytes());
            body.extend([0; 8]);
        }
        body
    }

    /// SEND DIAGNOSTIC (SPC-4) with the page of control (SES-3, 6.1.3).
    fn send(&mut self, cdb: &[u8], sent: &[u8]) -> Reply {
        let wanted = number(cdb, 3, 5);
        if wanted == 0 {
            // Its own self-test, of which there is none.
            return Reply::good();
        }
        if number(cdb, 1, 2) & 0x10 == 0 {
            return Reply::check(sense::invalid_field());
        }
        let page = &sent[..wanted.min(sent.len())];
        let elements = self.slots.len() + 3;
        if page.len() < 4 || number(page, 2, 4) != 4 + 4 * elements || page.len() != 8 + 4 * elements {
            return refused(SHORT_LIST);
        }
        if page[0] != 0x02 || number(page, 4, 8) != 0 {
            return refused(INVALID_PARAMETER);
        }
        let overall = &page[8..12];
        for (slot, own) in self.slots.iter_mut().zip(page[12..].chunks(4)) {
            // The overall element is for those that are not selected themselves.
            let order = [own, overall].into_iter().find(|order| order[0] & SELECT != 0);
            let Some(order) = order else { continue };
            self.orders += 1;
            if self.obeys {
                slot.lit = order[2] & IDENT != 0;
                slot.fault = order[3] & FAULT != 0;
            }
        }
        Reply::good()
    }
}

impl Unit for Shelf {
    fn command(&mut self, _now: Duration, cdb: &[u8], sent: &[u8]) -> Reply {
        match cdb.first() {
            // TEST UNIT READY.
            Some(0x00) => Reply::good(),
            // REQUEST SENSE: nothing to tell.
            Some(0x03) => Reply::of(sense::fixed(0, (0, 0), None), number(cdb, 4, 5)),
            Some(0x12) => self.inquire(cdb),
            Some(0x1C) => self.receive(cdb),
            Some(0x1D) => self.send(cdb, sent),
            // REPORT LUNS: 0 alone.
            Some(0xA0) => Reply::of([&[0, 0, 0, 8], &[0; 12][..]].concat(), number(cdb, 6, 10)),
            _ => Reply::check(sense::no_such_command()),
        }
    }
}
