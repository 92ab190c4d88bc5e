//! A cgroup of its own for each worker, below the agent's, where the box has cgroup v2.
//!
//! It makes a job's memory and CPU visible by itself, and takes every process of it at once when it is killed. Without
//! cgroup v2 (some build machines) workers share the agent's.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tracing::debug;
use wire::JobId;

/// Where cgroup v2 is mounted.
const MOUNT: &str = "/sys/fs/cgroup";

/// A worker's cgroup; removed when dropped, once it is empty.
#[derive(Debug)]
pub struct Cgroup {
    path: PathBuf,
}

impl Cgroup {
    /// Makes one for `job` and puts `pid` into it; `None` where that is not possible.
    pub fn of_worker(job: JobId, pid: u32) -> Option<Self> {
        match Self::make(Path::new(MOUNT), job, pid) {
            Ok(cgroup) => Some(cgroup),
            Err(error) => {
                debug!(%job, %error, "the worker has no cgroup of its own");
                None
            }
        }
    }

    fn make(mount: &Path, job: JobId, pid: u32) -> io::Result<Self> {
        let lines = fs::read_to_string("/proc/self/cgroup")?;
        let own = own_path(&lines)
            .filter(|_| mount.join("cgroup.controllers").exists())
            .ok_or_else(|| io::Error::other("no cgroup v2"))?;
        let path = mount.join(own.trim_start_matches('/')).join(format!("job-{job}"));
        fs::create_dir_all(&path)?;
        let cgroup = Self { path };
        fs::write(cgroup.path.join("cgroup.procs"), pid.to_string())?;
        Ok(cgroup)
    }

    /// Kills everything in it.
    pub fn kill(&self) {
        if let Err(error) = fs::write(self.path.join("cgroup.kill"), "1") {
            debug!(path = %self.path.display(), %error, "cgroup.kill");
        }
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir(&self.path) {
            debug!(path = %self.path.display(), %error, "a worker's cgroup stays behind");
        }
    }
}

/// This process's path in the v2 hierarchy: the line `0::PATH`.
fn own_path(text: &str) -> Option<&str> {
    text.lines().find_map(|line| line.strip_prefix("0::"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_v2_line_is_found_among_the_others() {
        assert_eq!(
            own_path("12:memory:/a\n1:name=x:/b\n0::/kiln/agent\n"),
            Some("/kiln/agent")
        );
        assert_eq!(own_path("12:memory:/a\n"), None);
    }
}
