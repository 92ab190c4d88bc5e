//! Sheets of paper: a place to write that goes on to the next page by itself.

use pdf_writer::{Content, Name, Str};

use super::font::{self, Face};
use super::{HEIGHT, WIDTH};

/// Margins in points: 18 mm.
pub(super) const MARGIN: f32 = 51.0;

/// Width of what is written.
pub(super) const BODY: f32 = WIDTH - 2.0 * MARGIN;

/// A colour of the page: the light theme's tokens.
pub(super) type Rgb = (f32, f32, f32);
pub(super) const INK: Rgb = (0.10, 0.106, 0.114);
pub(super) const INK_2: Rgb = (0.294, 0.29, 0.282);
pub(super) const LINE: Rgb = (0.86, 0.84, 0.79);
pub(super) const LIGHT: Rgb = (0.545, 0.557, 0.573);
pub(super) const BAD: Rgb = (0.69, 0.063, 0.188);

/// The pages so far.
pub(super) struct Sheet {
    id: String,
    done: Vec<Content>,
    pub page: Content,
    /// Where the next line goes, from the bottom.
    pub y: f32,
}

impl Sheet {
    pub(super) fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            done: Vec::new(),
            page: Content::new(),
            y: HEIGHT - MARGIN,
        }
    }

    /// Goes on to a new page unless `height` points are left above the foot.
    pub(super) fn need(&mut self, height: f32) {
        if self.y - height < MARGIN + 14.0 {
            self.done.push(std::mem::replace(&mut self.page, Content::new()));
            self.y = HEIGHT - MARGIN;
        }
    }

    /// Text whose base line begins at a place.
    pub(super) fn put(&mut self, face: Face, size: f32, color: Rgb, x: f32, y: f32, encoded: &[u8]) {
        put(&mut self.page, face, size, color, x, y, encoded);
    }

    /// Text that ends at `right`.
    pub(super) fn put_right(&mut self, face: Face, size: f32, color: Rgb, right: f32, y: f32, encoded: &[u8]) {
        self.put(face, size, color, right - face.width(encoded, size), y, encoded);
    }

    /// A paragraph over the given width; moves on.
    pub(super) fn paragraph(&mut self, face: Face, size: f32, color: Rgb, x: f32, width: f32, text: &str) {
        for line in font::wrap(face, size, text, width) {
            self.need(size * 1.4);
            self.y -= size * 1.4;
            let y = self.y;
            self.put(face, size, color, x, y, &line);
        }
    }

    /// A rule over the given width at the present place.
    pub(super) fn rule(&mut self, color: Rgb, thick: f32) {
        let y = self.y;
        self.page
            .set_stroke_rgb(color.0, color.1, color.2)
            .set_line_width(thick)
            .move_to(MARGIN, y)
            .line_to(WIDTH - MARGIN, y)
            .stroke();
    }

    /// The pages, each with its number and the certificate's id.
    pub(super) fn finish(mut self) -> Vec<Vec<u8>> {
        self.done.push(self.page);
        let count = self.done.len();
        let id = self.id;
        self.done
            .into_iter()
            .enumerate()
            .map(|(index, mut page)| {
                let foot = font::encode(&format!("{id}, page {} of {count}", index + 1));
                let x = WIDTH - MARGIN - Face::Sans.width(&foot, 7.5);
                put(&mut page, Face::Sans, 7.5, INK_2, x, MARGIN - 12.0, &foot);
                page.finish().into_vec()
            })
            .collect()
    }
}

fn put(page: &mut Content, face: Face, size: f32, color: Rgb, x: f32, y: f32, encoded: &[u8]) {
    page.set_fill_rgb(color.0, color.1, color.2)
        .begin_text()
        .set_font(Name(face.resource()), size)
        .next_line(x, y)
        .show(Str(encoded))
        .end_text();
}
