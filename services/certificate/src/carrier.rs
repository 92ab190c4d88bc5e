//! The signed file out of what carries it: itself, the page, or the PDF.
//!
//! A page or a PDF shows things that no signature covers, so it is believed only if the whole is byte for byte what this version makes
//! of the file in it. One of a certificate that another version signed may well have been drawn by that one: the file inside is taken,
//! and told with it that what is around it proves nothing. Where this very version signed it, whatever else it shows was changed.

use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use wire::shown::brief;

use crate::certificate::SOFTWARE;
use crate::signed::Signed;
use crate::stamp::NAME_MAX;
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
        "this {0} is not byte for byte what this version of Kiln, which signed the certificate inside, makes of it: it was changed, \
         saved anew or drawn by another version; take out the signed file and check that"
    )]
    Differs(&'static str),
    /// It is text, but in no encoding that is read here.
    #[error("it is neither UTF-8 text nor a PDF")]
    NoText,
}

/// How a page of the web hands a PDF over as text. Source: RFC 2397.
pub(crate) const PDF_URL: &str = "data:application/pdf;base64,";

/// What was taken out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    /// The text to [`fn@crate::check`].
    pub text: String,
    /// Where what carried it is not what this version draws.
    pub other: Option<OtherDrawing>,
}

/// A page or PDF that another version may have drawn, or anybody changed: which of both nobody can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherDrawing {
    what: &'static str,
    by: String,
}

impl Display for OtherDrawing {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { what, by } = self;
        write!(
            f,
            "This {what} is not what this version ({SOFTWARE}) draws: another version drew it (the certificate in it is by {by}), or \
             somebody changed it. Believe what is told here, and nothing that it shows."
        )
    }
}

/// What the bytes are, and the file inside.
enum Carrier<'a> {
    /// Neither page nor PDF.
    Plain(&'a str),
    Page(&'a str, Signed),
    Pdf(Cow<'a, [u8]>, Signed),
}

/// The text to check: of a page or PDF (also one in a `data:` URL) the file inside, of everything else the whole. A
/// page may lack the line feed at its end, which a form or a clipboard takes away.
///
/// # Errors
/// When it is a page or PDF that carries none that is good, or one of this version that it does not carry faithfully.
pub fn open(bytes: &[u8]) -> Result<Carried, NotCarried> {
    match Carrier::of(bytes)? {
        Carrier::Plain(text) => Ok(Carried {
            text: text.to_owned(),
            other: None,
        }),
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

/// What is signed alone tells which version it is by: whoever changed what is shown would write another one's name there.
fn same(what: &'static str, same: bool, signed: &Signed) -> Result<Carried, NotCarried> {
    let by = &signed.certificate().maker.software;
    if !same && by == SOFTWARE {
        return Err(NotCarried::Differs(what));
    }
    Ok(Carried {
        text: signed.text().to_owned(),
        other: (!same).then(|| OtherDrawing {
            what,
            by: brief(by, NAME_MAX),
        }),
    })
}
