//! What a slot, a stick's boot loader, an archive or a container is made of, as SPDX 2.3 in JSON: our crates by `Cargo.lock`, the
//! page's libraries by `package-lock.json`, Debian's packages by what was unpacked.
//!
//! `Cargo.lock` names every crate of the workspace, so the list is a superset of what one program links.

use crate::{
    error::{At, Error, Result},
    packages::Unpacked,
    workspace::Workspace,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{fmt::Write as _, fs};

/// Where it lies on the running box, below [`crate::system::Content::system`]; the server reads it there.
pub const IN_IMAGE: &str = "usr/share/doc/kiln/sbom.spdx.json";

/// Where the boot loader's lies on the boot partition: of the packages that the stick was written with, whatever slots came later.
pub const OF_LOADER: &str = "loader.spdx.json";

/// One component from elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// SHA-256 of what was fetched, in hex, where it is known.
    pub sha256: Option<String>,
    /// Kind of a package URL: `cargo`, `npm` or `deb/debian`.
    pub from: &'static str,
}

impl Part {
    /// A package of Debian.
    #[must_use]
    pub fn debian(unpacked: &Unpacked) -> Self {
        let package = &unpacked.package;
        Self {
            name: package.name.clone(),
            version: package.version.clone(),
            sha256: Some(package.sha256.clone()),
            from: "deb/debian",
        }
    }
}

/// Everything in our own programs that comes from elsewhere: crates, and the libraries of the page in the server.
///
/// # Errors
/// When a lock file cannot be read.
pub fn of_programs(ws: &Workspace) -> Result<Vec<Part>> {
    let read = |path: &str| {
        let path = ws.root().join(path);
        fs::read_to_string(&path).at("reading", path)
    };
    Ok([
        crates(&read("Cargo.lock")?)?,
        libraries(&read("services/server/web/package-lock.json")?)?,
    ]
    .concat())
}

/// Crates of a `Cargo.lock`.
///
/// # Errors
/// When it is not one.
pub fn crates(lock: &str) -> Result<Vec<Part>> {
    let wrong = |what: String| Error::Incomplete(format!("Cargo.lock: {what}"));
    let lock: toml::Table = lock.parse().map_err(|e: toml::de::Error| wrong(e.to_string()))?;
    let packages = lock
        .get("package")
        .and_then(toml::Value::as_array)
        .ok_or_else(|| wrong("field `package` is missing; expected a list of packages".into()))?;
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

/// Libraries that the page is made of: those of a `package-lock.json` that are not for building or testing it alone.
///
/// # Errors
/// When it is not one.
pub fn libraries(lock: &str) -> Result<Vec<Part>> {
    let wrong = |what: String| Error::Incomplete(format!("package-lock.json: {what}"));
    let lock: Value = serde_json::from_str(lock).map_err(|e| wrong(e.to_string()))?;
    let packages = lock["packages"]
        .as_object()
        .ok_or_else(|| wrong("field `packages` is missing; expected a map of packages".into()))?;
    let part = |(path, package): (&String, &Value)| {
        let is_for_building = |key: &str| package[key] == Value::Bool(true);
        if ["dev", "devOptional"].into_iter().any(is_for_building) {
            return None;
        }
        Some(Part {
            name: path.rsplit_once("node_modules/")?.1.to_owned(),
            version: package["version"].as_str()?.to_owned(),
            sha256: None,
            from: "npm",
        })
    };
    Ok(packages.iter().filter_map(part).collect())
}

/// A name as a package URL has it: what is no plain character in percent.
fn in_url(name: &str) -> String {
    name.bytes().fold(String::new(), |mut url, byte| {
        match byte {
            b if b.is_ascii_alphanumeric() || b"-._~/:".contains(&b) => url.push(char::from(b)),
            other => drop(write!(url, "%{other:02X}")),
        }
        url
    })
}

/// The document: `name` at `version`, and that it contains the parts. Its namespace is made of its content, its time is that of the
/// epoch: the same parts, the same bytes.
#[must_use]
pub fn document(name: &str, version: &str, mut parts: Vec<Part>) -> String {
    parts.sort();
    parts.dedup();
    let package = |id: &str, name: &str, version: &str| {
        json!({ "SPDXID": id, "name": name, "versionInfo": version, "downloadLocation": "NOASSERTION",
            "filesAnalyzed": false, "licenseConcluded": "NOASSERTION", "copyrightText": "NOASSERTION" })
    };
    let related = |from: &str, how: &str, to: &str| json!({ "spdxElementId": from, "relationshipType": how, "relatedSpdxElement": to });
    const WHOLE: &str = "SPDXRef-Whole";
    let mut packages = vec![package(WHOLE, name, version)];
    let mut relationships = vec![related("SPDXRef-DOCUMENT", "DESCRIBES", WHOLE)];
    for (n, part) in parts.iter().enumerate() {
        let id = format!("SPDXRef-Package-{n}");
        let mut value = package(&id, &part.name, &part.version);
        let purl = format!("pkg:{}/{}@{}", part.from, in_url(&part.name), in_url(&part.version));
        value["externalRefs"] =
            json!([{ "referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl }]);
        if let Some(sha256) = &part.sha256 {
            value["checksums"] = json!([{ "algorithm": "SHA256", "checksumValue": sha256 }]);
        }
        packages.push(value);
        relationships.push(related(WHOLE, "CONTAINS", &id));
    }
    let packages = Value::Array(packages);
    let digest = hex::encode(Sha256::digest(packages.to_string()));
    json!({ "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT",
        "name": format!("{name}-{version}"), "documentNamespace": format!("https://spdx.invalid/{name}/{version}/{digest}"),
        "creationInfo": { "created": "1970-01-01T00:00:00Z", "creators": ["Tool: kiln-image"] },
        "packages": packages, "relationships": relationships })
    .to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn every_crate_of_the_lock_file_is_named_and_the_order_does_not_matter() {
        let lock = include_str!("../../Cargo.lock");
        let parts = crates(lock).unwrap();
        assert!(parts.len() > 100 && parts.iter().any(|part| part.name == "serde" && part.sha256.is_some()));
        let reversed = parts.iter().rev().cloned().collect();
        assert_eq!(document("x", "1", parts.clone()), document("x", "1", reversed));
        let value: Value = serde_json::from_str(&document("x", "1", parts)).unwrap();
        assert_eq!(
            value["packages"].as_array().unwrap().len(),
            value["relationships"].as_array().unwrap().len()
        );
        for nonsense in ["nonsense", "a = 1"] {
            let told = crates(nonsense).unwrap_err().to_string();
            assert!(told.contains("Cargo.lock"), "{told}");
        }
    }

    #[test]
    fn the_page_s_libraries_are_named_and_not_what_builds_it() {
        let parts = libraries(include_str!("../../services/server/web/package-lock.json")).unwrap();
        let names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
        assert!(
            names.contains(&"preact") && names.contains(&"@preact/signals"),
            "{names:?}"
        );
        assert!(
            !names.contains(&"vite") && !names.contains(&"typescript") && !names.contains(&"kiln-dashboard"),
            "{names:?}"
        );
        let told = libraries("{}").unwrap_err().to_string();
        assert!(
            told.contains("package-lock.json") && told.contains("`packages`"),
            "{told}"
        );
        assert!(document("x", "1", parts).contains("pkg:npm/%40preact/signals@"));
    }
}
