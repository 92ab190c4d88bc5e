//! The certificate as one self-contained page: no script, no font, no image from elsewhere.
//!
//! Style and charts are in it, the signed file hangs on it as a download, so that the page alone can be
//! handed over and checked ([`crate::carrier`]). Reads from 320 px to A4, light and dark by the system's
//! wish, and prints on paper. Every text of the certificate is escaped; tested with names that try to
//! break out in `tests/page.rs`, and by Chromium in the dashboard's tests.

mod svg;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use wire::job::Outcome;
use wire::shown::is_hidden;

use crate::chart::charts;
use crate::qr;
use crate::report::{HOW, LIMITS, Report, WHOSE};
use crate::signed::Signed;

const STYLE: &str = include_str!("style.css");

/// What stands before the signed file in the page.
pub(crate) const DATA: &str = "href=\"data:application/json;base64,";

/// `Content-Security-Policy` to serve the page with: its own style and nothing else.
pub fn csp() -> String {
    let style = STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )
}

/// The title of the page of the certificate with this id.
pub(crate) fn title(id: &str) -> String {
    format!("<title>Certificate {}</title>", text(id))
}

/// The page.
pub fn html(signed: &Signed) -> String {
    let r = Report::of(signed);
    let kind = match r.outcome {
        Outcome::Passed => "pass",
        Outcome::Warn => "warn",
        Outcome::Failed => "fail",
        Outcome::Inconclusive => "inc",
    };
    let mut out = String::with_capacity(signed.text().len() * 2 + 64 * 1024);
    out += "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">";
    out += "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">";
    out += &format!("{}<style>{STYLE}</style></head>\n", title(&r.id));
    out += &format!(
        "<body><main class=\"a4 is-{kind}\">\n<header class=\"hd\">{}<div><h1>{}</h1>",
        svg::KILN,
        r.title
    );
    out += &format!("<p class=\"mute\">{}</p></div>", text(&r.maker));
    out += &format!(
        "<p class=\"no\">{}<br>{}<br>valid until {}</p></header>\n",
        text(&r.id),
        text(&r.made),
        text(&r.valid_until)
    );
    out += &svg::band(signed.certificate());
    out += &format!(
        "<section class=\"hero\"><div><p class=\"l4\">{}</p><p class=\"mdl\">{}</p><p class=\"sn\">{}</p></div>",
        text(&r.tail),
        text(&r.model),
        text(&r.serial)
    );
    out += &format!(
        "<p class=\"seal\">{}<b>{}</b></p></section>\n",
        svg::shape(r.outcome),
        r.outcome.word()
    );
    out += &format!("<p class=\"say\">{}</p>\n", text(&r.summary));
    for chart in charts(signed.certificate()) {
        out += &svg::chart(&chart);
    }
    out += "<div class=\"two\">\n";
    for section in &r.sections {
        out += &format!("<section><h2>{}</h2><dl>", text(section.title));
        for (name, value) in &section.rows {
            out += &format!("<div><dt>{}</dt><dd>{}</dd></div>", text(name), text(value));
        }
        out += "</dl></section>\n";
    }
    out += &format!("</div>\n<footer class=\"sig\">{}<div>", qr::svg(&signed.stamp().text()));
    out += &format!(
        "<p><b>Check it yourself.</b> {HOW} <code>{}</code> {WHOSE}</p>",
        text(&r.command)
    );
    out += &format!(
        "<p class=\"mute\">Ed25519 key, fingerprint<code>{}</code></p><p class=\"mute\">SHA-256 of what was signed<code>{}</code></p>",
        r.fingerprint, r.digest
    );
    out += &format!(
        "<p class=\"tools\"><a download=\"{}.json\" {DATA}{}\">The signed file</a></p>",
        text(&r.id),
        STANDARD.encode(signed.text())
    );
    out += &format!("<p class=\"mute\">{LIMITS}</p></div></footer>\n</main></body></html>\n");
    out
}

/// A text in an element or a quoted attribute. Control and format characters are shown as what they are, so that a name
/// cannot rearrange the page.
pub(crate) fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            c if is_hidden(c) => out += &format!("[U+{:04X}]", u32::from(c)),
            c => out.push(c),
        }
    }
    out
}
