//! How fast drives may go: limits for each drive, for each controller and for all together, shared fairly.
//!
//! ```text
//!  limits ─► Governor (in the parent: one for all drives) ── Pace{rate} ─► worker: Bucket ─► next access or wait
//!               ▲                                                              │
//!               └──────────────── measured rate of each drive ◄────────────────┘
//! ```
//!
//! | file | what |
//! |---|---|
//! | [`bucket`] | a token bucket: when the next access may start |
//! | [`shares`] | who may have how much: max-min fair under the three limits |
//! | [`company`] | how many others were at work behind one controller |
//! | [`allowed`] | what a limit leaves of the speed that is measured |
//! | [`rate`] | a rate as people write it |
//! | [`governor`] | the same over time: staggered start, what a slow drive leaves over, no moment above a limit |
//!
//! All of it is pure: time is an argument, nothing sleeps. A worker obeys its own bucket, so that a parent that is busy
//! or gone cannot make a drive run faster than it was told. Property tests are beside the code.

pub mod allowed;
pub mod bucket;
pub mod company;
pub mod governor;
mod rate;
pub mod shares;

pub use allowed::Allowed;
pub use bucket::Bucket;
pub use company::Company;
pub use governor::{Governor, STAGGER};
pub use rate::rate;
pub use shares::{Claim, Limits, share};
