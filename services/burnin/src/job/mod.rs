//! What `kiln burn` and the agent decide alike on a drive's way through a burn-in. Pure: each of them does the I/O around it.
//!
//! [`follow`]: whether what was chosen can be done, [`steps`] and [`request`]: what that is.
//! [`Again`]: whether one that was interrupted goes on, begins anew, or must not touch its drive. [`Whose`]: whether the burn-in
//! that a drive's header tells of is the one that is to be gone on with. [`take_again`], [`Left`]: which steps that are not the engine's
//! are done again, and which still; [`switched`]: what is told where SMART was off. [`TestHeat`]: a self-test that grows too hot.
//! [`Whole`]: how far it is. [`Since`]: whether a drive that was tested is still that one. [`heading`]: what the verdict is heading for. [`End`]: what a burn-in came to, as it is told.
//! [`Mark`]: when its drive is marked as one whose job ended.

mod begin;
mod chosen;
mod end;
mod heading;
mod mark;
mod own;
mod selftest;
mod since;
mod whole;
mod whose;

pub use begin::{Again, Asks, Begin, Kept, Told, Why};
pub use chosen::{NotFollowed, follow, request, steps};
pub use end::{End, NO_LONGER_HELD, UNREAD, UNSHOWN, ended, smart_before};
pub use heading::heading;
pub use mark::Mark;
pub use own::{Left, switched, take_again};
pub use selftest::{TestAct, TestHeat, warmest};
pub use since::{EXCHANGE, Since};
pub use whole::Whole;
pub use whose::{Asker, Whose};
