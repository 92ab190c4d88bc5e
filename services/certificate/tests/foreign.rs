//! What README says is signed, checked by openssl: a stranger needs none of Kiln's code.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use common::{failed, passed, run, sign};
use serde_json::Value;

/// Runs openssl; `None`, told, where it is not installed.
fn openssl(dir: &Path, args: &[&str]) -> Option<Output> {
    run(Command::new("openssl").current_dir(dir).args(args))
}

fn sha256(dir: &Path, bytes: &[u8]) -> Option<Vec<u8>> {
    fs::write(dir.join("hashed"), bytes).unwrap();
    Some(openssl(dir, &["dgst", "-sha256", "-binary", "hashed"])?.stdout)
}

/// Whether a key of 32 bytes has made this signature over these bytes.
fn verifies(dir: &Path, key: &[u8], signed: &[u8], signature: &str) -> Option<bool> {
    // SubjectPublicKeyInfo of an Ed25519 key. Source: RFC 8410 §4.
    let head = hex::decode("302a300506032b6570032100").unwrap();
    fs::write(dir.join("key"), [head.as_slice(), key].concat()).unwrap();
    fs::write(dir.join("signed"), signed).unwrap();
    fs::write(dir.join("signature"), hex::decode(signature).unwrap()).unwrap();
    let args = "pkeyutl -verify -pubin -keyform DER -inkey key -rawin -in signed -sigfile signature";
    let args: Vec<&str> = args.split(' ').collect();
    Some(openssl(dir, &args)?.status.success())
}

#[test]
fn what_is_signed_is_what_readme_says() {
    for job in [passed(), failed()] {
        let (dir, signed) = (tempfile::tempdir().unwrap(), sign(&job));
        let dir = dir.path();
        let file: Value = serde_json::from_str(signed.text()).unwrap();
        let key = hex::decode(file["certificate"]["key"].as_str().unwrap()).unwrap();
        // The file is canonical: so is the member, as it stands in it.
        let body = signed.text().strip_prefix("{\"certificate\":").unwrap();
        let body = body.split_once(",\"signature\":\"").unwrap().0;
        let verifies = |prefix: &str, text: &str, signature: &Value| {
            let signature = signature.as_str().unwrap();
            let good = verifies(dir, &key, format!("{prefix}\n{text}").as_bytes(), signature)?;
            let changed = format!(
                "{prefix}\n{}",
                text.replace(job.verdict.as_ref()?.outcome.word(), "WARN")
            );
            Some(good && !verifies(dir, &key, changed.as_bytes(), signature)?)
        };
        let Some(good) = verifies("kiln-certificate-v1", body, &file["signature"]) else {
            return;
        };
        assert!(good, "the signature");
        let code = signed.stamp().text();
        let (lines, last) = code.rsplit_once('\n').unwrap();
        assert_eq!(lines.lines().count(), 10);
        assert_eq!(last.to_lowercase(), file["stamp"].as_str().unwrap());
        assert!(verifies("kiln-stamp-v1", lines, &file["stamp"]).unwrap(), "the stamp");

        let print = sha256(dir, &key).unwrap();
        assert_eq!(hex::encode(print), signed.key().fingerprint().to_hex());
        let digest = hex::encode(sha256(dir, body.as_bytes()).unwrap());
        assert_eq!(lines.lines().nth(9).unwrap(), digest.to_uppercase());

        let job = hex::decode(file["certificate"]["job"].as_str().unwrap().replace('-', "")).unwrap();
        let made = file["certificate"]["made"].as_str().unwrap();
        let hashed = [
            b"kiln-certificate-id\n",
            job.as_slice(),
            hex::encode(&key).as_bytes(),
            made.as_bytes(),
        ]
        .concat();
        let bits: String = sha256(dir, &hashed).unwrap()[..8]
            .iter()
            .map(|b| format!("{b:08b}"))
            .collect();
        let letters: Vec<char> = "0123456789ABCDEFGHJKMNPQRSTVWXYZ".chars().collect();
        let letter = |at: usize| letters[usize::from_str_radix(&bits[5 * at..5 * at + 5], 2).unwrap()];
        let groups: Vec<String> = (0..3)
            .map(|group| (0..4).map(|at| letter(4 * group + at)).collect())
            .collect();
        assert_eq!(file["certificate"]["id"], format!("KC-{}", groups.join("-")));
    }
}
