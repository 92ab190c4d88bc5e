//! Control groups, version 2: one a unit below `/sys/fs/cgroup/kiln`, so that all of it can be limited and killed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::unit::Unit;

const ROOT: &str = "/sys/fs/cgroup";
const OURS: &str = "/sys/fs/cgroup/kiln";

/// Lets units have limits: the controllers are handed down to ours.
///
/// # Errors
/// The group could not be made; a controller that is missing is not an error.
pub fn prepare() -> io::Result<()> {
    fs::create_dir_all(OURS)?;
    for dir in [ROOT, OURS] {
        for controller in ["cpu", "memory", "io", "pids"] {
            let _ = fs::write(format!("{dir}/cgroup.subtree_control"), format!("+{controller}"));
        }
    }
    Ok(())
}

/// The group of one unit; `generation` counts groups that had to be abandoned.
pub fn path(unit: &str, generation: u32) -> PathBuf {
    if generation == 0 {
        Path::new(OURS).join(unit)
    } else {
        Path::new(OURS).join(format!("{unit}.{generation}"))
    }
}

/// Makes the group with its limits.
///
/// # Errors
/// The group could not be made.
pub fn make(dir: &Path, unit: &Unit) -> io::Result<()> {
    match fs::create_dir(dir) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
        Ok(()) | Err(_) => {}
    }
    let limit = |file: &str, value: Option<u64>| {
        let text = value.map_or_else(|| "max".to_owned(), |v| v.to_string());
        let _ = fs::write(dir.join(file), text);
    };
    limit("memory.max", unit.memory_max);
    limit("pids.max", unit.pids_max);
    if unit.critical {
        let _ = fs::write(dir.join("cpu.weight"), "400");
    }
    Ok(())
}

/// Kills every process in the group and below it.
pub fn kill(dir: &Path) -> bool {
    fs::write(dir.join("cgroup.kill"), "1").is_ok()
}

/// The unit whose group a process is in.
pub fn unit_of(pid: i32) -> Option<String> {
    unit_in(&fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?)
}

fn unit_in(text: &str) -> Option<String> {
    let rest = text.lines().find_map(|l| l.strip_prefix("0::/kiln/"))?;
    let name = rest.split(['/', '.']).next()?;
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_process_is_traced_to_its_unit() {
        assert_eq!(super::unit_in("0::/kiln/agent/job-1\n").as_deref(), Some("agent"));
        assert_eq!(super::unit_in("0::/kiln/agent.2\n").as_deref(), Some("agent"));
        assert_eq!(super::unit_in("12:pids:/x\n0::/\n"), None);
    }
}
