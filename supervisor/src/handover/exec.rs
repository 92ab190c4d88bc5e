//! The exec itself: every descriptor stays open, the arguments say what is handed over.

use std::ffi::{CStr, CString, c_char, c_int};
use std::io;
use std::os::fd::RawFd;
use std::path::Path;
use std::ptr;
use std::sync::OnceLock;

use super::faults::Faults;
use crate::shell::scratch::Scratch;

/// Argument before the number of the memory file (`-`: none could be made).
pub const HEIR: &str = "--heir";
/// Argument before the times of recent faults.
pub const FAULTS: &str = "--faults";
/// Highest descriptor that is handed over.
const FD_LIMIT: RawFd = 4096;

/// What is run in our place.
#[derive(Debug)]
struct Program {
    /// As it was started: a newer file may be there by now.
    path: CString,
    root: Option<CString>,
}

static PROGRAM: OnceLock<Program> = OnceLock::new();

/// Notes what to run later; `root`: the folder of `--root`.
///
/// # Errors
/// The own path cannot be found out.
pub fn remember(root: Option<&Path>) -> io::Result<()> {
    let c = |p: &Path| CString::new(p.as_os_str().as_encoded_bytes()).map_err(io::Error::other);
    let exe = std::env::current_exe()?;
    // A file that was replaced while it ran; its place is what counts.
    let place = exe.to_str().and_then(|p| p.strip_suffix(" (deleted)"));
    let path = c(place.map_or(exe.as_path(), Path::new))?;
    let root = root.map(c).transpose()?;
    let _ = PROGRAM.set(Program { path, root });
    Ok(())
}

/// Becomes a new image of the program: `newest`: the file that lies at its path now, else the one that runs. Comes back
/// only when that fails. System calls only: a signal handler calls this.
pub fn replace(newest: bool, heir: Option<RawFd>, faults: &Faults) -> c_int {
    let Some(program) = PROGRAM.get() else {
        return libc::ENOENT;
    };
    let mut text = Scratch::<512>::new();
    let fd = match heir {
        Some(fd) => text.string(format_args!("{fd}")),
        None => text.string(format_args!("-")),
    };
    let [first, second, third, fourth] = faults.0;
    let times = text.string(format_args!("{first},{second},{third},{fourth}"));
    let own: &CStr = c"/proc/self/exe";
    let mut argv: [*const c_char; 8] = [ptr::null(); 8];
    let mut list = [
        Some(program.path.as_ptr()),
        None,
        None,
        Some(c"--heir".as_ptr()),
        fd,
        Some(c"--faults".as_ptr()),
        times,
    ];
    if let Some(root) = &program.root {
        list[1] = Some(c"--root".as_ptr());
        list[2] = Some(root.as_ptr());
    }
    for (to, from) in argv.iter_mut().zip(list.into_iter().flatten()) {
        *to = from;
    }
    keep_open(true);
    for path in [program.path.as_c_str(), own] {
        if newest || path == own {
            // SAFETY: the list ends with a null pointer and points into statics and `text`; `environ` is this process's.
            unsafe { libc::execv(path.as_ptr(), argv.as_ptr()) };
        }
    }
    let e = nix::errno::Errno::last_raw();
    keep_open(false);
    e
}

/// Makes every descriptor but the first three survive an exec, or not.
fn keep_open(yes: bool) {
    let flag = if yes { 0 } else { libc::FD_CLOEXEC };
    for fd in 3..FD_LIMIT {
        // SAFETY: sets a flag of an open descriptor; any other number is answered with EBADF.
        unsafe { libc::fcntl(fd, libc::F_SETFD, flag) };
    }
}
