//! The log's own sockets, looked at in each turn: nobody waits for a log that stands (`crate::shell::drain`).

use std::os::fd::AsFd;

use super::Shell;
use crate::core::{Millis, UnitId};
use crate::shell::drain::{self, Act, Drain};
use crate::shell::paths::Paths;
use crate::unit::{Address, Unit};

/// Whether a unit reads what the others write to their standard output.
pub(super) fn reads_output(unit: &Unit, paths: &Paths) -> bool {
    let output = paths.stdout();
    let is_it = |a: &Address| matches!(a, Address::Datagram(p) if paths.at(p) == output);
    unit.listen.iter().any(|l| is_it(&l.address))
}

/// The log's sockets, by unit and place in its file.
pub(super) fn of(units: &[Unit], paths: &Paths) -> Vec<(UnitId, usize, Drain)> {
    let Some(unit) = units.iter().position(|u| reads_output(u, paths)) else {
        return Vec::new();
    };
    let datagram = |(n, l): (usize, &crate::unit::Listen)| matches!(l.address, Address::Datagram(_)).then_some(n);
    let places = units[unit].listen.iter().enumerate().filter_map(datagram);
    places.map(|n| (unit, n, Drain::default())).collect()
}

impl Shell {
    /// Looks at them, and drops what nobody reads.
    pub(super) fn drain(&mut self, now: Millis) {
        for at in 0..self.unread.len() {
            let (unit, place, mut drain) = self.unread[at];
            let Some(socket) = self.sockets[unit][place].as_ref() else {
                continue;
            };
            let (had_read, alive_at) = self.core.beats(unit);
            match drain.step(now, drain::head(socket.as_fd()), had_read, alive_at) {
                Act::None => {}
                Act::Drop => {
                    let begins = drain.begins();
                    drain.dropped(now, drain::empty(socket.as_fd(), &mut self.beside));
                    if begins {
                        self.complain(
                            Some(unit),
                            format_args!("it does not read: what units write to it is dropped until it does"),
                        );
                    }
                }
                Act::Over(count) => self.complain(
                    Some(unit),
                    format_args!("it reads again: {count} messages of units were dropped"),
                ),
            }
            self.unread[at].2 = drain;
        }
    }

    /// When they are to be looked at again at the latest, in milliseconds.
    pub(super) fn drain_due(&self) -> Option<Millis> {
        self.unread.iter().any(|(_, _, d)| d.stands()).then_some(drain::LOOK)
    }
}
