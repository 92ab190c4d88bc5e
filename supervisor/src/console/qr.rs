//! A QR code for a text terminal: two modules a character, by half blocks.

use qrcode::{Color, EcLevel, QrCode};

/// White border, in modules; the standard asks for four, readers do with two.
const QUIET: usize = 2;

/// Lines of the code, light on dark; nothing when the text does not fit.
pub(super) fn half_blocks(text: &str) -> Vec<String> {
    let Ok(code) = QrCode::with_error_correction_level(text, EcLevel::L) else {
        return Vec::new();
    };
    let width = code.width();
    let light = |x: usize, y: usize| {
        let inside = (QUIET..QUIET + width).contains(&x) && (QUIET..QUIET + width).contains(&y);
        !inside || code[(x - QUIET, y - QUIET)] == Color::Light
    };
    let side = width + 2 * QUIET;
    (0..side.div_ceil(2))
        .map(|row| {
            (0..side)
                .map(
                    |x| match (light(x, 2 * row), 2 * row + 1 < side && light(x, 2 * row + 1)) {
                        (true, true) => '█',
                        (true, false) => '▀',
                        (false, true) => '▄',
                        (false, false) => ' ',
                    },
                )
                .collect()
        })
        .collect()
}
