//! Draws a certificate as page and PDF, for looking at them: `draw certificate.json OUT` makes `OUT.html` and `OUT.pdf`.
//!
//! Without a file it takes a made-up job, whose figures are nobody's.
#![allow(clippy::unwrap_used, reason = "an example for developers")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::fs;

use certificate::{Signed, page, pdf};

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let signed = match args.get(1).map(String::as_str) {
        None | Some("passed") => common::sign(&common::passed()),
        Some("failed") => common::sign(&common::failed()),
        Some(path) => Signed::parse(&fs::read_to_string(path).unwrap()).unwrap(),
    };
    let out = args.get(2).map_or("certificate", String::as_str);
    fs::write(format!("{out}.json"), signed.text()).unwrap();
    fs::write(format!("{out}.html"), page::html(&signed)).unwrap();
    fs::write(format!("{out}.pdf"), pdf::pdf(&signed)).unwrap();
}
