//! The clock, which never stands before the day this system was made: everybody is told of one that did, until a time server has
//! set it. What happens meanwhile bears a wrong date, certificates among it.

use wire::event::Severity;

use super::Machine;
use crate::boot::kernel::sysctl::{self, Told};
use crate::shell::desk::Desk;

/// Key of the banner.
const CLOCK: &str = "clock";
/// It stood before that day when the system started.
const AT_START: &str = "The clock stood before the day this system was made, as one does whose battery is empty, and was put to that day. No time server has set it yet: events, jobs and certificates bear a wrong date until one does. Let the box reach a time server, or name one in kiln.toml (section [time]).";
/// It was put there later.
const LATER: &str = "The clock was put to a time before this system was made, by a time server or by the hardware clock; it stands at that day instead. Check the time server.";

/// First look, before anything is dated.
pub(super) fn begin(built: i64, desk: &mut Desk) {
    tell(sysctl::told(sysctl::never_before(built), false), AT_START, desk);
}

impl Machine {
    /// Looks again, and whether a time server has set it.
    pub(super) fn look_at_clock(&self, desk: &mut Desk) {
        let put = sysctl::never_before(self.board.built);
        let is_told = put || desk.is_told(CLOCK);
        tell(sysctl::told(put, is_told && sysctl::is_synchronised()), LATER, desk);
    }
}

fn tell(told: Told, text: &str, desk: &mut Desk) {
    match told {
        Told::Is => desk.banner(CLOCK, Severity::Warning, text.into()),
        Told::No => desk.unbanner(CLOCK),
        Told::Stays => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_never_set_is_told_from_the_start_until_a_time_server_has_set_it() {
        let mut desk = Desk::default();
        let told = |desk: &Desk| desk.banners.iter().map(|(_, b)| b.text.clone()).collect::<Vec<_>>();
        tell(sysctl::told(false, false), AT_START, &mut desk);
        assert_eq!(told(&desk), [""; 0], "it was right");
        // An empty battery: 2010.
        tell(sysctl::told(true, false), AT_START, &mut desk);
        for _ in 0..3 {
            // It goes on from the system's day, and nobody answers.
            tell(sysctl::told(false, false), LATER, &mut desk);
            assert_eq!(told(&desk), [AT_START]);
        }
        tell(sysctl::told(true, true), LATER, &mut desk);
        assert_eq!(told(&desk), [LATER]);
        tell(sysctl::told(false, true), LATER, &mut desk);
        assert_eq!(told(&desk), [""; 0]);
    }
}
