//! One unit's process, as the loop knows it.

use crate::core::Millis;
use crate::quota::Quota;
use crate::shell::cgroup::Group;
use crate::shell::fdstore::Store;
use crate::shell::spawn::Prepared;

/// One unit's process.
#[derive(Debug, Default)]
pub(super) struct Process {
    /// Its main process: the one that was started, or another of its own that it has named (`MAINPID=`).
    pub pid: Option<i32>,
    /// The process that was started; it leads the session that stands for the cgroup below a root.
    pub leader: Option<i32>,
    /// The main process is still another's child, who would be told of its end in our place.
    pub foreign: bool,
    /// The main process of which the kernel held a thread when it was last described.
    pub held: Option<i32>,
    pub prepared: Option<Prepared>,
    /// Groups that had to be left behind.
    pub generation: u32,
    pub group: Option<Group>,
    /// Descriptors that it has given PID 1 to keep.
    pub store: Store,
    /// `since` of the core's record, and the wall-clock time that was shown for it.
    pub shown_since: Option<(Millis, wire::Time)>,
    /// Complaints about what it says.
    pub complaints: Quota,
}
