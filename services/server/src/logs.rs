//! Lines for whoever started the server by hand.

use std::fmt::Arguments;
use std::io::Write;

/// Prints a line for whoever started this by hand. Where nobody reads any more (a closed pipe, a terminal that is gone) the
/// line is lost and the server goes on.
pub fn say(to: &mut impl Write, line: Arguments<'_>) {
    let _unread = writeln!(to, "{line}").and_then(|()| to.flush());
}
