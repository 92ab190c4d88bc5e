//! The certificate as a PDF that a seller hands over: A4, standard fonts, the signed file attached.
//!
//! A function of the certificate alone: same certificate, same bytes. The file's date is the
//! certificate's, its id is the digest. The attachment is stored plain, so that `kiln cert verify`
//! finds it without a PDF reader ([`crate::carrier`]); everybody else's reader shows it as an
//! attachment. Tested with `qpdf --check`, `pdftotext`, `pdfdetach` and `zbarimg` in `tests/pdf.rs`.

mod draw;
mod font;
mod sheet;

use pdf_writer::types::PageMode;
use pdf_writer::{Date, Filter, Finish, Name, Pdf, Rect, Ref, Str, TextStr};
use wire::Time;

use crate::report::Report;
use crate::signed::Signed;
use font::Face;
use sheet::Sheet;

/// How the attached file begins; it is stored plain.
pub(crate) const ATTACHED: &[u8] = b"{\"certificate\":{";

/// A4 in points. Source: ISO 216, 210 mm × 297 mm.
const WIDTH: f32 = 595.276;
const HEIGHT: f32 = 841.89;

/// The title of the PDF of the certificate with this id, of ASCII, as it stands in it.
pub(crate) fn title(id: &str) -> String {
    format!("Burn-in certificate {id}")
}

/// The PDF.
pub fn pdf(signed: &Signed) -> Vec<u8> {
    let report = Report::of(signed);
    let mut sheet = Sheet::new(&report.id);
    draw::certificate(&mut sheet, &report, signed);
    let pages = sheet.finish();

    let mut pdf = Pdf::new();
    pdf.set_version(1, 7);
    let id = signed.digest().as_bytes().to_vec();
    pdf.set_file_id((id.clone(), id));
    let mut next = 0;
    let mut reference = || {
        next += 1;
        Ref::new(next)
    };
    let (catalog, tree, info, spec, file) = (reference(), reference(), reference(), reference(), reference());
    let faces = Face::ALL.map(|face| (face, reference()));
    let pages: Vec<_> = pages
        .into_iter()
        .map(|content| (reference(), reference(), content))
        .collect();

    let name = format!("{}.json", report.id);
    let mut root = pdf.catalog(catalog);
    root.pages(tree).page_mode(PageMode::UseNone).lang(TextStr("en"));
    root.names().embedded_files().names().insert(Str(name.as_bytes()), spec);
    root.insert(Name(b"AF")).array().item(spec);
    root.finish();
    let title = title(&report.id);
    let made = date(signed.certificate().made);
    let mut about = pdf.document_info(info);
    about
        .title(TextStr(&title))
        .creator(TextStr("Kiln"))
        .creation_date(made)
        .modified_date(made);
    about.finish();
    let count = i32::try_from(pages.len()).unwrap_or(i32::MAX);
    pdf.pages(tree).kids(pages.iter().map(|(page, ..)| *page)).count(count);
    for (page, content, bytes) in &pages {
        let mut written = pdf.page(*page);
        written
            .media_box(Rect::new(0.0, 0.0, WIDTH, HEIGHT))
            .parent(tree)
            .contents(*content);
        let mut resources = written.resources();
        let mut fonts = resources.fonts();
        for (face, reference) in faces {
            fonts.pair(Name(face.resource()), reference);
        }
        fonts.finish();
        resources.finish();
        written.finish();
        pdf.stream(*content, &deflate(bytes)).filter(Filter::FlateDecode);
    }
    for (face, reference) in faces {
        pdf.type1_font(reference)
            .base_font(Name(face.name()))
            .encoding_predefined(Name(b"WinAnsiEncoding"));
    }
    let mut attached = pdf.file_spec(spec);
    attached
        .path(Str(name.as_bytes()))
        .unic_file(TextStr(&name))
        .embedded_file(file);
    attached.insert(Name(b"AFRelationship")).primitive(Name(b"Source"));
    attached.finish();
    let mut embedded = pdf.embedded_file(file, signed.text().as_bytes());
    embedded.subtype(Name(b"application/json"));
    embedded
        .params()
        .size(i32::try_from(signed.text().len()).unwrap_or(i32::MAX))
        .modification_date(made);
    embedded.finish();
    pdf.finish()
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::new(6));
    // Writing to memory does not fail; a stream cut short would be seen by every reader.
    let written = encoder.write_all(bytes);
    debug_assert!(written.is_ok());
    encoder.finish().unwrap_or_default()
}

fn date(time: Time) -> Date {
    let utc = time.to_zoned(jiff::tz::TimeZone::UTC);
    let small = |n: i8| u8::try_from(n).unwrap_or(0);
    Date::new(u16::try_from(utc.year()).unwrap_or(0))
        .month(small(utc.month()))
        .day(small(utc.day()))
        .hour(small(utc.hour()))
        .minute(small(utc.minute()))
        .second(small(utc.second()))
        .utc_offset_hour(0)
        .utc_offset_minute(0)
}
