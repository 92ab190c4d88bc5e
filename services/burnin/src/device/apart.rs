//! A drive's descriptor for a thread that may hang on it, in a table of the thread's own: the crate `descriptors` tells why.

use std::fs::File;
use std::os::fd::{AsRawFd as _, FromRawFd as _};
use std::sync::Arc;

/// The calling thread's own descriptor of this file, which another `Arc` of it keeps open meanwhile; the thread has no others from now on.
/// Where the system lets nobody have that (a sandbox), it is the one that all threads share.
pub(super) fn own(file: Arc<File>) -> Arc<File> {
    let number = file.as_raw_fd();
    if descriptors::alone_with(number).is_err() {
        return file;
    }
    // SAFETY: the table is this thread's alone, and the number stands in it for a descriptor that no `File` owns: that of `file` stands in
    // the table which the other threads share.
    Arc::new(unsafe { File::from_raw_fd(number) })
}
