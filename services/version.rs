//! The version of what judges and of what draws, told by what it is made of. The build scripts of `burnin` and `certificate` include this.
//!
//! The package's number stays the same over many builds, and two of them may judge a drive by other rules or draw a certificate
//! otherwise. So a short sum over their sources stands behind it: `0.1.0+1f0c3a9e`. The same sources give the same version wherever
//! and whenever they are built: neither the commit (an archive has none) nor time nor place is in it. It tells builds apart
//! and orders none. Tested in `certificate/tests/version.rs`.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// Hands the crate that is built its version as the variable `name`; made anew whenever one of the `sources` changes.
///
/// # Errors
/// When a source cannot be read, in words.
pub(crate) fn tell(name: &str, sources: &[&str]) -> Result<(), String> {
    let variable = |name: &str| std::env::var(name).map_err(|error| format!("{name}: {error}"));
    let services = PathBuf::from(variable("CARGO_MANIFEST_DIR")?).join("..");
    for source in sources {
        println!("cargo::rerun-if-changed={}", services.join(source).display());
    }
    let number = variable("CARGO_PKG_VERSION")?;
    println!("cargo::rustc-env={name}={number}+{}", sum(&services, sources)?);
    Ok(())
}

/// Eight hexadecimal digits of SHA-256 over each file of the `sources` (files, and folders with all below, from `services` on) in the
/// order of names: name, a zero byte, length (8 bytes, little-endian), content. Hidden files are an editor's, and no source.
///
/// # Errors
/// When one cannot be read, or is none, in words.
pub(crate) fn sum(services: &Path, sources: &[&str]) -> Result<String, String> {
    let mut names = Vec::new();
    for source in sources {
        find(services, (*source).to_owned(), &mut names)?;
    }
    names.sort();
    let mut sum = Sha256::new();
    for name in names {
        let content = fs::read(services.join(&name)).map_err(|error| format!("{name}: {error}"))?;
        sum.update(name.as_bytes());
        sum.update([0]);
        sum.update((content.len() as u64).to_le_bytes());
        sum.update(content);
    }
    Ok(sum.finalize()[..4].iter().map(|byte| format!("{byte:02x}")).collect())
}

fn find(services: &Path, name: String, names: &mut Vec<String>) -> Result<(), String> {
    let told = |error| format!("{name}: {error}");
    let path = services.join(&name);
    if !fs::metadata(&path).map_err(told)?.is_dir() {
        names.push(name);
        return Ok(());
    }
    for entry in fs::read_dir(&path).map_err(told)? {
        let entry = entry.map_err(told)?.file_name();
        let entry = entry
            .to_str()
            .ok_or_else(|| format!("{name}: {} is no UTF-8", entry.display()))?;
        if !entry.starts_with('.') {
            find(services, format!("{name}/{entry}"), names)?;
        }
    }
    Ok(())
}
