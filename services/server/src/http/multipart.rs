//! The fields of a form as browsers and other clients send it: `multipart/form-data`, RFC 7578.
//!
//! ```text
//!  --BOUNDARY CRLF  Content-Disposition: form-data; name="backup"; filename="x.backup" CRLF  … CRLF  CRLF  bytes CRLF
//!  --BOUNDARY CRLF  …
//!  --BOUNDARY--
//! ```
//!
//! Pure, over a body that is there as a whole: a field is a place in it, so that a file of 64 MiB is held once.

use std::ops::Range;

/// Most fields of a form: those that a route here asks for are three.
const FIELDS_MAX: usize = 16;

/// Most bytes of one field's headers.
const HEAD_MAX: usize = 4 << 10;

/// Longest boundary in bytes. Source: RFC 2046, 5.1.1.
const BOUNDARY_MAX: usize = 70;

/// Why a body is no form.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Error {
    /// The `Content-Type` says something else.
    #[error("Content-Type is {0:?}; expected multipart/form-data with a boundary of 1 to {BOUNDARY_MAX} characters")]
    Kind(String),
    /// A delimiter is missing, or what stands behind one is none of it.
    #[error("at byte {0}: expected the form's boundary")]
    Boundary(usize),
    /// A field without a name.
    #[error("field {0}: expected Content-Disposition: form-data with a name, in headers of at most {HEAD_MAX} bytes")]
    Head(usize),
    /// Too many fields.
    #[error("has more than {FIELDS_MAX} fields")]
    Many,
}

/// A field: its name, and where its bytes are in the body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) place: Range<usize>,
}

/// The value of a parameter of a header; a quoted one may hold `;` and, behind a backslash, a quote.
fn parameter(header: &str, wanted: &str) -> Option<String> {
    let mut rest = header.split_once(';')?.1;
    loop {
        let (name, after) = rest.split_once('=')?;
        let is_it = name.trim().eq_ignore_ascii_case(wanted);
        let after = after.trim_start();
        let mut value = String::new();
        if let Some(quoted) = after.strip_prefix('"') {
            let mut chars = quoted.char_indices();
            let end = loop {
                match chars.next()? {
                    (at, '"') => break at + 1,
                    (_, '\\') => value.push(chars.next()?.1),
                    (_, c) => value.push(c),
                }
            };
            rest = quoted.get(end..)?;
            rest = rest.split_once(';').map_or("", |(_, rest)| rest);
        } else {
            let (plain, next) = after.split_once(';').unwrap_or((after, ""));
            plain.trim().clone_into(&mut value);
            rest = next;
        }
        if is_it {
            return Some(value);
        }
    }
}

/// The boundary that a `Content-Type` names.
///
/// # Errors
/// [`Error::Kind`] where it is that of no form.
pub(super) fn boundary(kind: &str) -> Result<String, Error> {
    let is_form = kind.split(';').next().unwrap_or("").trim();
    let bad = || Error::Kind(kind.chars().take(100).collect());
    if !is_form.eq_ignore_ascii_case("multipart/form-data") {
        return Err(bad());
    }
    let boundary = parameter(kind, "boundary").ok_or_else(bad)?;
    let fits = (1..=BOUNDARY_MAX).contains(&boundary.len()) && boundary.bytes().all(|b| (b' '..=b'~').contains(&b));
    if fits { Ok(boundary) } else { Err(bad()) }
}

fn find(body: &[u8], from: usize, what: &[u8]) -> Option<usize> {
    let rest = body.get(from..)?;
    rest.windows(what.len())
        .position(|window| window == what)
        .map(|at| from + at)
}

/// The fields of a body, in their order.
///
/// # Errors
/// Where it is none of a form with that boundary.
pub(super) fn fields(body: &[u8], boundary: &str) -> Result<Vec<Field>, Error> {
    let first = format!("--{boundary}");
    let between = format!("\r\n--{boundary}");
    let mut all: Vec<Field> = Vec::new();
    // What stands before the first boundary is nobody's; it may be at the very beginning.
    let mut at = match body.starts_with(first.as_bytes()) {
        true => first.len(),
        false => find(body, 0, between.as_bytes()).ok_or(Error::Boundary(0))? + between.len(),
    };
    loop {
        if body.get(at..at + 2) == Some(b"--") {
            return Ok(all);
        }
        if body.get(at..at + 2) != Some(b"\r\n") {
            return Err(Error::Boundary(at));
        }
        if all.len() == FIELDS_MAX {
            return Err(Error::Many);
        }
        let number = all.len();
        // The line break that ends the boundary's line is the one before the headers, too: there may be none of them.
        let near = &body[..body.len().min(at + HEAD_MAX)];
        let end = find(near, at, b"\r\n\r\n").ok_or(Error::Head(number))?;
        let head = std::str::from_utf8(&body[at..end]).map_err(|_| Error::Head(number))?;
        let name = head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(header, _)| header.trim().eq_ignore_ascii_case("content-disposition"))
            .filter(|(_, value)| {
                let what = value.split(';').next().unwrap_or("").trim();
                what.eq_ignore_ascii_case("form-data")
            })
            .and_then(|(_, value)| parameter(value, "name"))
            .ok_or(Error::Head(number))?;
        let begin = end + 4;
        // An empty field's bytes end where they begin: the break before the boundary is then that of its headers' end.
        let close = find(body, begin, between.as_bytes()).ok_or(Error::Boundary(body.len()))?;
        all.push(Field {
            name,
            place: begin..close,
        });
        at = close + between.len();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn read(body: &str) -> Result<Vec<(String, String)>, Error> {
        let fields = fields(body.as_bytes(), "B")?;
        Ok(fields
            .into_iter()
            .map(|field| (field.name, body[field.place].to_owned()))
            .collect())
    }

    #[test]
    fn a_form_is_read_field_by_field() {
        let part = |name: &str, value: &str| {
            format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let two = format!("{}{}--B--\r\n", part("a", "1"), part("b", "x\r\n--C\r\n--"));
        let want = vec![
            ("a".to_owned(), "1".to_owned()),
            ("b".to_owned(), "x\r\n--C\r\n--".to_owned()),
        ];
        assert_eq!(read(&two).unwrap(), want);
        assert_eq!(
            read(&format!("said before\r\n{two}")).unwrap(),
            want,
            "what stands before is nobody's"
        );
        let file = "--B\r\ncontent-type: application/octet-stream\r\nCONTENT-DISPOSITION: Form-Data; filename=\"a;name=\\\"x\\\".db\"; name=backup\r\n\r\n\r\n--B--";
        assert_eq!(
            read(file).unwrap(),
            [("backup".to_owned(), String::new())],
            "an empty file, named in any order"
        );
        assert_eq!(read("--B--").unwrap(), []);
    }

    #[test]
    fn what_is_no_form_is_told_where() {
        for (body, why) in [
            ("", Error::Boundary(0)),
            ("--BB\r\n", Error::Boundary(3)),
            (
                "--B\r\nContent-Disposition: form-data; name=a\r\n\r\nno end",
                Error::Boundary(53),
            ),
            (
                "--B\r\nContent-Disposition: form-data\r\n\r\n1\r\n--B--",
                Error::Head(0),
            ),
            (
                "--B\r\nContent-Disposition: form-data; name=\"a\r\n\r\n1\r\n--B--",
                Error::Head(0),
            ),
            (
                "--B\r\nContent-Disposition: attachment; name=a\r\n\r\n1\r\n--B--",
                Error::Head(0),
            ),
            ("--B\r\n\r\n1\r\n--B--", Error::Head(0)),
        ] {
            assert_eq!(read(body).unwrap_err(), why, "{body:?}");
        }
        let field = "--B\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n";
        assert_eq!(
            read(&format!("{}--B--", field.repeat(FIELDS_MAX))).unwrap().len(),
            FIELDS_MAX
        );
        assert_eq!(
            read(&format!("{}--B--", field.repeat(FIELDS_MAX + 1))).unwrap_err(),
            Error::Many
        );
        let long = format!(
            "--B\r\nx: {}\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n--B--",
            "y".repeat(HEAD_MAX)
        );
        assert_eq!(read(&long).unwrap_err(), Error::Head(0));
    }

    #[test]
    fn the_boundary_is_what_the_header_says() {
        for (kind, want) in [
            ("multipart/form-data; boundary=abc", Some("abc")),
            ("Multipart/Form-Data; charset=utf-8; Boundary=\"a b\"", Some("a b")),
            ("multipart/form-data", None),
            ("multipart/form-data; boundary=", None),
            ("multipart/mixed; boundary=abc", None),
            ("application/json", None),
            ("multipart/form-data; boundary=\"a", None),
        ] {
            assert_eq!(boundary(kind).ok().as_deref(), want, "{kind}");
        }
        let longest = "b".repeat(BOUNDARY_MAX);
        assert!(boundary(&format!("multipart/form-data; boundary={longest}")).is_ok());
        assert!(boundary(&format!("multipart/form-data; boundary={longest}b")).is_err());
    }
}
