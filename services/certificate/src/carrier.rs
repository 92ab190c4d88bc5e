//! The signed file out of what carries it: itself, the page, or the PDF.
//!
//! A page or a PDF shows things that no signature covers, so the file inside is taken only if the whole
//! is byte for byte what Kiln makes of it. A page that another version of Kiln made, or that a browser
//! saved anew, is therefore told as such, and its signed file has to be checked instead. Whose it is can be asked all the same.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::signed::Signed;
use crate::{page, pdf};

/// Why nothing can be taken out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotCarried {
    /// There is none in it.
    #[error("there is no signed certificate in this {0}")]
    Nothing(&'static str),
    /// The one inside is bad.
    #[error("the certificate inside this {0} is bad: {1}")]
    Bad(&'static str, crate::signed::Bad),
    /// What is shown is not what was signed.
    #[error(
        "this {0} is not byte for byte what this version of Kiln makes of the certificate inside: it was changed, saved \
         anew or made by another version; take out the signed file and check that"
    )]
    Differs(&'static str),
    /// It is text, but in no encoding that is read here.
    #[error("it is neither UTF-8 text nor a PDF")]
    NoText,
}

/// How a page of the web hands a PDF over as text. Source: RFC 2397.
pub(crate) const PDF_URL: &str = "data:application/pdf;base64,";

/// What the bytes are, and the file inside.
enum Carrier<'a> {
    /// Neither page nor PDF.
    Plain(&'a str),
    Page(&'a str, Signed),
    Pdf(Cow<'a, [u8]>, Signed),
}

/// The text to [`crate::check`]: of a page or PDF (also one in a `data:` URL) the file inside, of everything else the whole. A
/// page may lack the line feed at its end, which a form or a clipboard takes away.
///
/// # Errors
/// When it is a page or PDF that does not carry it faithfully.
pub fn text(bytes: &[u8]) -> Result<String, NotCarried> {
    match Carrier::of(bytes)? {
        Carrier::Plain(text) => Ok(text.to_owned()),
        Carrier::Page(page, signed) => {
            let made = page::html(&signed);
            same("page", made == page || made.strip_suffix('\n') == Some(page), &signed)
        }
        Carrier::Pdf(bytes, signed) => same("PDF", pdf::pdf(&signed) == *bytes, &signed),
    }
}

/// The signed file, also out of a page or PDF that another version made: by it is known whose it is, and nothing that is shown around it
/// is to be believed. `None` where there is none, or what carries it has another title than its certificate.
pub fn inside(bytes: &[u8]) -> Option<Signed> {
    match Carrier::of(bytes).ok()? {
        Carrier::Plain(text) => Signed::parse(text).ok(),
        Carrier::Page(page, signed) => page.contains(&page::title(id(&signed))).then_some(signed),
        Carrier::Pdf(bytes, signed) => {
            let title = format!("({})", pdf::title(id(&signed)));
            find(&bytes, 0, title.as_bytes()).map(|_| signed)
        }
    }
}

impl<'a> Carrier<'a> {
    fn of(bytes: &'a [u8]) -> Result<Self, NotCarried> {
        if bytes.starts_with(b"%PDF-") {
            return Self::pdf(bytes.into());
        }
        let text = std::str::from_utf8(bytes).map_err(|_| NotCarried::NoText)?;
        if let Some(data) = text.strip_prefix(PDF_URL) {
            let bytes = STANDARD.decode(data).map_err(|_| NotCarried::Nothing("PDF"))?;
            return Self::pdf(bytes.into());
        }
        if text.starts_with("<!doctype html>") {
            let (_, rest) = text.split_once(page::DATA).ok_or(NotCarried::Nothing("page"))?;
            let (data, _) = rest.split_once('"').ok_or(NotCarried::Nothing("page"))?;
            let inside = STANDARD.decode(data).map_err(|_| NotCarried::Nothing("page"))?;
            return Ok(Self::Page(text, take("page", &inside)?));
        }
        Ok(Self::Plain(text))
    }

    fn pdf(bytes: Cow<'a, [u8]>) -> Result<Self, NotCarried> {
        let start = find(&bytes, 0, pdf::ATTACHED).ok_or(NotCarried::Nothing("PDF"))?;
        let end = find(&bytes, start, b"\nendstream").ok_or(NotCarried::Nothing("PDF"))?;
        let signed = take("PDF", &bytes[start..end])?;
        Ok(Self::Pdf(bytes, signed))
    }
}

/// Where this part begins in the bytes, not before `from`.
fn find(bytes: &[u8], from: usize, part: &[u8]) -> Option<usize> {
    bytes
        .get(from..)?
        .windows(part.len())
        .position(|window| window == part)
        .map(|at| from + at)
}

fn id(signed: &Signed) -> &str {
    &signed.certificate().id
}

fn take(what: &'static str, inside: &[u8]) -> Result<Signed, NotCarried> {
    let text = std::str::from_utf8(inside).map_err(|_| NotCarried::Nothing(what))?;
    Signed::parse(text).map_err(|why| NotCarried::Bad(what, why))
}

fn same(what: &'static str, same: bool, signed: &Signed) -> Result<String, NotCarried> {
    same.then(|| signed.text().to_owned()).ok_or(NotCarried::Differs(what))
}
