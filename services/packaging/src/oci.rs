//! An OCI image layout (image format 1.1): `oci-layout`, `index.json`, and blobs by their SHA-256. One image, one platform.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context;
use serde_json::{Value, json};

use crate::tar::{Entry, Tree, folders, write};
use crate::{NAME, gzip, sha256};

/// Where the program lies in the image.
pub const ENTRYPOINT: &str = "/usr/local/bin/vigil-burnin";

/// Where the image says what is in it.
pub const SBOM: &str = "usr/share/doc/vigil-burnin/sbom.spdx.json";

/// The tree of the one layer: the program, what it needs of a root, and `tools` where there are any.
#[must_use]
pub fn tree(binary: Vec<u8>, tools: Tree, sbom: &str) -> Tree {
    let mut tree = tools;
    let file = |text: &str| Entry::File(text.as_bytes().to_vec(), 0o644);
    for (path, entry) in [
        (ENTRYPOINT.trim_start_matches('/'), Entry::File(binary, 0o755)),
        (
            "etc/passwd",
            file("root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n"),
        ),
        ("etc/group", file("root:x:0:\nnogroup:x:65534:\n")),
        ("etc/nsswitch.conf", file("hosts: files dns\n")),
        (SBOM, file(sbom)),
    ] {
        tree.insert(path.to_owned(), entry);
    }
    for (path, to) in [
        ("bin", "usr/bin"),
        ("sbin", "usr/sbin"),
        ("lib", "usr/lib"),
        ("lib64", "usr/lib64"),
    ] {
        tree.insert(path.to_owned(), Entry::Link(to.to_owned()));
        tree.entry(to.to_owned()).or_insert(Entry::Folder(0o755));
    }
    // `ledctl` lights nothing without `var/log`.
    for path in [
        "dev",
        "proc",
        "sys",
        "run/kiln/agent",
        "var/lib/kiln/agent",
        "var/log",
        "root",
    ] {
        tree.entry(path.to_owned()).or_insert(Entry::Folder(0o755));
    }
    tree.insert("tmp".to_owned(), Entry::Folder(0o1777));
    let paths: Vec<String> = tree.keys().cloned().collect();
    for path in paths {
        folders(&mut tree, &path);
    }
    tree
}

/// The files of a layout, by their path in it.
///
/// # Errors
/// When the layer cannot be written.
pub fn layout(arch: &str, version: &str, layer: &Tree) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
    let archive = write(layer).context("the image's layer")?;
    let diff = sha256(&archive);
    let layer_bytes = gzip(&archive)?;
    let sbom = match layer.get(SBOM) {
        Some(Entry::File(bytes, _)) => sha256(bytes),
        _ => String::new(),
    };
    let labels = json!({
        "org.opencontainers.image.title": NAME,
        "org.opencontainers.image.description": "Burn-in of drives: an add-on of any Vigil server",
        "org.opencontainers.image.version": version,
        "org.opencontainers.image.licenses": "MIT",
        "io.kiln.sbom": format!("/{SBOM}"),
        "io.kiln.sbom.sha256": sbom,
    });
    let config = json!({
        "created": "1970-01-01T00:00:00Z", "architecture": arch, "os": "linux",
        "config": {
            "Entrypoint": [ENTRYPOINT], "User": "0:0", "WorkingDir": "/",
            "Env": ["PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
            "Volumes": { "/var/lib/kiln/agent": {} }, "StopSignal": "SIGTERM", "Labels": labels },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{diff}")] },
        "history": [{ "created": "1970-01-01T00:00:00Z", "created_by": "kiln-package" }],
    });
    let config = config.to_string().into_bytes();
    let described = |media: &str, bytes: &[u8]| json!({ "mediaType": format!("application/vnd.oci.image.{media}"), "digest": format!("sha256:{}", sha256(bytes)), "size": bytes.len() });
    let manifest = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": described("config.v1+json", &config),
        "layers": [described("layer.v1.tar+gzip", &layer_bytes)],
        "annotations": labels,
    });
    let manifest = manifest.to_string().into_bytes();
    let mut entry: Value = described("manifest.v1+json", &manifest);
    entry["platform"] = json!({ "architecture": arch, "os": "linux" });
    entry["annotations"] = json!({ "org.opencontainers.image.ref.name": "latest" });
    let index =
        json!({ "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [entry] });
    let mut files = BTreeMap::from([
        (
            "oci-layout".to_owned(),
            json!({ "imageLayoutVersion": "1.0.0" }).to_string().into_bytes(),
        ),
        ("index.json".to_owned(), index.to_string().into_bytes()),
    ]);
    for blob in [config, layer_bytes, manifest] {
        files.insert(format!("blobs/sha256/{}", sha256(&blob)), blob);
    }
    Ok(files)
}

/// Writes a layout's files below `dir`, which must not hold another's.
///
/// # Errors
/// Names the file.
pub fn save(dir: &Path, files: &BTreeMap<String, Vec<u8>>) -> anyhow::Result<()> {
    if dir.exists() {
        fs::remove_dir_all(dir).with_context(|| format!("removing the former {}", dir.display()))?;
    }
    fs::create_dir_all(dir.join("blobs/sha256")).with_context(|| format!("making {}", dir.display()))?;
    for (path, bytes) in files {
        let path = dir.join(path);
        fs::write(&path, bytes).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn every_digest_is_that_of_its_blob_and_twice_gives_the_same() {
        let tree = || tree(b"program".to_vec(), Tree::new(), "{}");
        let files = layout("arm64", "1", &tree()).unwrap();
        assert_eq!(files, layout("arm64", "1", &tree()).unwrap());
        for (path, bytes) in &files {
            if let Some(digest) = path.strip_prefix("blobs/sha256/") {
                assert_eq!(sha256(bytes), digest);
            }
        }
        let index: Value = serde_json::from_slice(&files["index.json"]).unwrap();
        let manifest = index["manifests"][0]["digest"].as_str().unwrap().replace(':', "/");
        let manifest: Value = serde_json::from_slice(&files[&format!("blobs/{manifest}")]).unwrap();
        for described in [&manifest["config"], &manifest["layers"][0]] {
            let path = format!("blobs/{}", described["digest"].as_str().unwrap().replace(':', "/"));
            assert_eq!(files[&path].len() as u64, described["size"].as_u64().unwrap());
        }
    }
}
