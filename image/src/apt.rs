//! Debian's archive through an apt state of our own: nothing on the build machine changes, and no root is needed.
//!
//! Signatures are checked by apt against the build machine's `debian-archive-keyring`; a repository whose signature
//! does not hold is an error, not a warning. Which version is wanted is `packages`' decision.

use crate::{
    error::{At, Error, Result},
    exec,
    lock::Locked,
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
/// Parts of the archive: all is free but what runs on a network adapter's own processor, which is not this box's.
const COMPONENTS: &str = "main non-free-firmware";

/// A private view of one suite and its security updates.
#[derive(Debug)]
pub struct Apt {
    dir: PathBuf,
    updated: bool,
}

/// What the archive says about one version of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stanza {
    /// Name, architecture, version and hash.
    pub package: Locked,
    /// Names of the packages it depends on (first alternative of each).
    pub depends: Vec<String>,
}

impl Apt {
    /// Writes the configuration below `dir`.
    ///
    /// # Errors
    /// When files cannot be written or the keyring is missing.
    pub fn new(dir: PathBuf, suite: &str, mirror: &str, security: &str) -> Result<Self> {
        if !Path::new(KEYRING).exists() {
            return Err(Error::Incomplete(format!(
                "{KEYRING} is missing: install debian-archive-keyring, without it no package can be trusted"
            )));
        }
        for d in ["state/lists/partial", "cache/archives/partial", "etc/preferences.d"] {
            let d = dir.join(d);
            std::fs::create_dir_all(&d).at("making", d)?;
        }
        let put = |name: &str, text: String| {
            let p = dir.join(name);
            std::fs::write(&p, text).at("writing", p)
        };
        put("state/status", String::new())?;
        put(
            "etc/sources.list",
            format!(
                "deb [signed-by={KEYRING}] {mirror} {suite} {COMPONENTS}\ndeb [signed-by={KEYRING}] {security} {suite}-security \
                 {COMPONENTS}\n"
            ),
        )?;
        let d = dir.display();
        put(
            "apt.conf",
            format!(
                "Dir::State \"{d}/state/\";\nDir::State::status \"{d}/state/status\";\nDir::Cache \"{d}/cache/\";\n\
                 Dir::Etc \"{d}/etc/\";\nDir::Etc::sourcelist \"{d}/etc/sources.list\";\nDir::Etc::sourceparts \"/dev/null\";\n\
                 Dir::Etc::parts \"/dev/null\";\nAPT::Architectures {{ \"amd64\"; \"arm64\"; }};\nAcquire::Languages \"none\";\n\
                 Acquire::Retries \"3\";\nAPT::Sandbox::User \"root\";\nAPT::Update::Error-Mode \"any\";\n"
            ),
        )?;
        Ok(Self { dir, updated: false })
    }

    fn command(&self, program: &str) -> Command {
        let mut c = Command::new(program);
        c.env("APT_CONFIG", self.dir.join("apt.conf")).env("LC_ALL", "C");
        c
    }

    /// Fetches the package lists, once.
    ///
    /// # Errors
    /// When a list cannot be had or a signature does not hold.
    pub fn update(&mut self) -> Result<()> {
        if !self.updated {
            eprintln!("fetching package lists");
            // Two builds share this state, and apt-get gives up at once where another one has its lists.
            let path = self.dir.join("updating");
            let updating = std::fs::File::create(&path).at("making", path.clone())?;
            updating.lock().at("waiting for", path)?;
            exec::run(self.command("apt-get").arg("-q").arg("update"))?;
            self.updated = true;
        }
        Ok(())
    }

    /// What the archive offers for each of these packages, newest version first.
    ///
    /// # Errors
    /// When apt fails.
    pub fn show(&mut self, names: &[(String, String)]) -> Result<BTreeMap<(String, String), Vec<Stanza>>> {
        self.update()?;
        let mut found: BTreeMap<(String, String), Vec<Stanza>> = BTreeMap::new();
        for (name, arch) in names {
            // A package that is not there makes apt-cache fail; that is an answer, not an error.
            let text =
                exec::output(self.command("apt-cache").arg("show").arg(format!("{name}:{arch}"))).unwrap_or_default();
            let stanzas = text
                .split("\n\n")
                .filter_map(|s| stanza(s, arch))
                .filter(|s| &s.package.name == name);
            found.entry((name.clone(), arch.clone())).or_default().extend(stanzas);
        }
        Ok(found)
    }

    /// Downloads packages into `into`; apt checks them against its signed lists.
    ///
    /// # Errors
    /// When one cannot be had.
    pub fn download(&mut self, packages: &[Locked], into: &Path) -> Result<()> {
        self.update()?;
        let mut c = self.command("apt-get");
        c.current_dir(into).args(["-q", "download"]);
        for p in packages {
            eprintln!("fetching {} {} ({})", p.name, p.version, p.arch);
            c.arg(format!("{}:{}={}", p.name, p.arch, p.version));
        }
        exec::run(&mut c)
    }
}

fn stanza(text: &str, wanted: &str) -> Option<Stanza> {
    let field = |key: &str| {
        text.lines()
            .find_map(|l| l.strip_prefix(key).and_then(|r| r.strip_prefix(": ")))
    };
    let arch = field("Architecture")?;
    if arch != wanted && arch != "all" {
        return None;
    }
    let depends = ["Pre-Depends", "Depends"]
        .iter()
        .filter_map(|k| field(k))
        .flat_map(|d| d.split(','))
        .filter_map(|d| d.split('|').next()?.split_whitespace().next())
        .map(|d| d.split(':').next().unwrap_or(d).to_owned())
        .collect();
    Some(Stanza {
        package: Locked {
            name: field("Package")?.to_owned(),
            arch: wanted.to_owned(),
            version: field("Version")?.to_owned(),
            sha256: field("SHA256")?.to_owned(),
        },
        depends,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_stanza_gives_version_hash_and_first_alternatives() {
        let s = stanza(
            "Package: linux-image-amd64\nArchitecture: amd64\nVersion: 6.12-1\nPre-Depends: base (>= 1)\nDepends: linux-image-6.12-amd64 (= 6.12-1), a | b, c:any\nSHA256: 00\n",
            "amd64",
        )
        .unwrap();
        assert_eq!(s.depends, ["base", "linux-image-6.12-amd64", "a", "c"]);
        assert_eq!(s.package.version, "6.12-1");
        assert!(stanza("Package: x\nArchitecture: arm64\nVersion: 1\nSHA256: 0\n", "amd64").is_none());
    }
}
