//! Programs of the image's suite, run on the build machine by their own loader with their own libraries: so the bytes
//! they make do not depend on what the build machine runs.

use crate::{
    error::{Error, Result},
    packages::{Unpacked, matching},
};
use std::{ffi::OsString, path::PathBuf, process::Command};

/// The unpacked tool packages.
#[derive(Debug, Clone)]
pub struct Tools {
    packages: Vec<Unpacked>,
}

impl Tools {
    /// Of these packages; the C library must be among them.
    #[must_use]
    pub fn new(packages: Vec<Unpacked>) -> Self {
        Self { packages }
    }

    fn find(&self, pattern: &str) -> Result<Option<PathBuf>> {
        for p in &self.packages {
            if let Some(f) = matching(&p.dir, pattern)?.first() {
                return Ok(Some(p.dir.join(f)));
            }
        }
        Ok(None)
    }

    /// A command that runs one of the tools, by its path in its package.
    ///
    /// # Errors
    /// When no package has it.
    pub fn command(&self, program: &str) -> Result<Command> {
        let missing = |what: &str| {
            Error::Incomplete(format!(
                "{what} is in none of the `[[tool]]` packages of boards/base.toml"
            ))
        };
        let path = self.find(program)?.ok_or_else(|| missing(program))?;
        let loader = self
            .find("usr/lib/*/ld-linux*.so.*")?
            .ok_or_else(|| missing("the dynamic loader"))?;
        let mut dirs = OsString::new();
        for p in &self.packages {
            for d in matching(&p.dir, "usr/lib/*-linux-gnu*")? {
                if !dirs.is_empty() {
                    dirs.push(":");
                }
                dirs.push(p.dir.join(d));
            }
        }
        let mut c = Command::new(loader);
        c.arg("--library-path").arg(dirs).arg(path);
        Ok(c)
    }
}
