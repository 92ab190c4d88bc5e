//! Words for people.

/// The text with a capital letter at its start.
pub(crate) fn sentence(text: &str) -> String {
    let mut c = text.chars();
    c.next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(c).collect())
}

#[cfg(test)]
mod tests {
    use super::sentence;

    #[test]
    fn a_sentence_begins_with_a_capital_letter() {
        for (text, wanted) in [
            ("", ""),
            ("the medium", "The medium"),
            ("\u{fc}ber", "\u{dc}ber"),
            ("8:0", "8:0"),
        ] {
            assert_eq!(sentence(text), wanted);
        }
    }
}
