//! What is in an archive or image, as SPDX 2.3 in JSON: our crates by `Cargo.lock`, Debian's packages by what was unpacked.
//!
//! `Cargo.lock` names every crate of the workspace, so the list is a superset of what one program links.

use anyhow::Context;
use serde_json::{Value, json};

/// One component from elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// SHA-256 of what was fetched, where it is known.
    pub sha256: Option<String>,
    /// `cargo` or `deb`.
    pub from: &'static str,
}

/// Crates of a `Cargo.lock`.
///
/// # Errors
/// When it is not one.
pub fn crates(lock: &str) -> anyhow::Result<Vec<Part>> {
    let lock: toml::Table = lock.parse().context("Cargo.lock")?;
    let packages = lock
        .get("package")
        .and_then(toml::Value::as_array)
        .context("Cargo.lock has no packages")?;
    let part = |package: &toml::Value| {
        let text = |key: &str| package.get(key).and_then(toml::Value::as_str).map(str::to_owned);
        Some(Part {
            name: text("name")?,
            version: text("version")?,
            sha256: text("checksum"),
            from: "cargo",
        })
    };
    Ok(packages.iter().filter_map(part).collect())
}

/// The document. Its namespace is made of its content, its time is that of the epoch: the same parts, the same bytes.
#[must_use]
pub fn document(name: &str, version: &str, mut parts: Vec<Part>) -> String {
    parts.sort();
    parts.dedup();
    let package = |(n, part): (usize, &Part)| {
        let purl = match part.from {
            "deb" => format!("pkg:deb/debian/{}@{}", part.name, part.version),
            _ => format!("pkg:cargo/{}@{}", part.name, part.version),
        };
        let mut value = json!({ "SPDXID": format!("SPDXRef-Package-{n}"), "name": part.name, "versionInfo": part.version,
            "downloadLocation": "NOASSERTION", "filesAnalyzed": false, "licenseConcluded": "NOASSERTION",
            "externalRefs": [{ "referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl }] });
        if let Some(sha256) = &part.sha256 {
            value["checksums"] = json!([{ "algorithm": "SHA256", "checksumValue": sha256 }]);
        }
        value
    };
    let packages: Vec<Value> = parts.iter().enumerate().map(package).collect();
    let contains: Vec<Value> = (0..packages.len())
        .map(|n| {
            json!({ "spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES",
                "relatedSpdxElement": format!("SPDXRef-Package-{n}") })
        })
        .collect();
    let digest = crate::sha256(Value::Array(packages.clone()).to_string().as_bytes());
    json!({ "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT",
        "name": format!("{name}-{version}"), "documentNamespace": format!("https://spdx.invalid/{name}/{version}/{digest}"),
        "creationInfo": { "created": "1970-01-01T00:00:00Z", "creators": ["Tool: kiln-package"] },
        "packages": packages, "relationships": contains })
    .to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn every_crate_of_the_lock_file_is_named_and_the_order_does_not_matter() {
        let lock = include_str!("../../../Cargo.lock");
        let parts = crates(lock).unwrap();
        assert!(parts.len() > 100 && parts.iter().any(|part| part.name == "serde" && part.sha256.is_some()));
        let reversed = parts.iter().rev().cloned().collect();
        assert_eq!(document("x", "1", parts.clone()), document("x", "1", reversed));
        let value: Value = serde_json::from_str(&document("x", "1", parts)).unwrap();
        assert_eq!(
            value["packages"].as_array().unwrap().len(),
            value["relationships"].as_array().unwrap().len()
        );
        assert!(crates("nonsense").is_err() && crates("a = 1").is_err());
    }
}
