//! Kernel modules by name, with what they depend on (`modules.dep`).

use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

/// Loads `name` and its dependencies; one that is loaded already is fine.
pub(crate) fn load(name: &str) -> io::Result<()> {
    let release = release()?;
    let root = Path::new("/lib/modules").join(release);
    let list = fs::read_to_string(root.join("modules.dep"))?;
    let wanted = name.replace('-', "_");
    let line = list
        .lines()
        .find(|l| l.split(':').next().and_then(stem).is_some_and(|s| s == wanted))
        .ok_or_else(|| io::Error::other(format!("no module {name} in modules.dep")))?;
    let (own, needs) = line.split_once(':').unwrap_or((line, ""));
    // Dependencies are listed nearest first: the last one needs nothing.
    for path in needs.split_whitespace().rev().chain([own]) {
        insert(&root.join(path))?;
    }
    Ok(())
}

fn stem(path: &str) -> Option<String> {
    let file = path.rsplit('/').next()?;
    Some(file.split('.').next()?.replace('-', "_"))
}

fn insert(path: &Path) -> io::Result<()> {
    let file = File::open(path).map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))?;
    let parameters = CString::default();
    // SAFETY: the descriptor is open for the call, the parameters are a string with an end.
    if unsafe { libc::syscall(libc::SYS_finit_module, file.as_raw_fd(), parameters.as_ptr(), 0) } == 0 {
        return Ok(());
    }
    match io::Error::last_os_error() {
        e if e.raw_os_error() == Some(libc::EEXIST) => Ok(()),
        e => Err(io::Error::new(e.kind(), format!("{}: {e}", path.display()))),
    }
}

fn release() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().to_owned())
}
