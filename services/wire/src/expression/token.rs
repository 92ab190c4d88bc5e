//! The words of an expression.

use super::ExprError;

/// One word, with the place of its first character, counted from 0.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) at: usize,
    pub(super) word: Word,
}

/// What a word is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Word {
    Number(f64),
    Name(String),
    /// One of `+ - * / % ( ) ,`.
    Sign(char),
}

/// Cuts a text into words.
///
/// # Errors
/// At the first character that belongs to none, and at a number too large for a 64-bit float.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, ExprError> {
    let letters: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    let run = |from: usize, fits: fn(char) -> bool| letters[from..].iter().take_while(|c| fits(**c)).count();
    while let Some(&letter) = letters.get(at) {
        let start = at;
        let word = match letter {
            ' ' => {
                at += 1;
                continue;
            }
            '+' | '-' | '*' | '/' | '%' | '(' | ')' | ',' => {
                at += 1;
                Word::Sign(letter)
            }
            'A'..='Z' | 'a'..='z' | '_' => {
                at += run(at, |c| c.is_ascii_alphanumeric() || c == '_');
                Word::Name(letters[start..at].iter().collect())
            }
            '0'..='9' | '.' => {
                at = number_end(&letters, at);
                let digits: String = letters[start..at].iter().collect();
                let number: f64 = digits.parse().map_err(|_| ExprError {
                    at: start,
                    what: format!("{digits:?} is no number"),
                })?;
                if !number.is_finite() {
                    return Err(ExprError {
                        at: start,
                        what: format!("{digits} is too large"),
                    });
                }
                Word::Number(number)
            }
            other => {
                return Err(ExprError {
                    at,
                    what: format!(
                        "{other:?} cannot stand here; expected a number, a field's name or one of + - * / % ( ) ,"
                    ),
                });
            }
        };
        tokens.push(Token { at: start, word });
    }
    Ok(tokens)
}

/// Where a number that begins at `at` ends: digits, a point and more digits, a power of ten.
fn number_end(letters: &[char], at: usize) -> usize {
    let digits = |from: usize| {
        from + letters[from.min(letters.len())..]
            .iter()
            .take_while(|c| c.is_ascii_digit())
            .count()
    };
    let mut end = digits(at);
    if letters.get(end) == Some(&'.') {
        end = digits(end + 1);
    }
    if matches!(letters.get(end), Some('e' | 'E')) {
        let signed = end + 1 + usize::from(matches!(letters.get(end + 1), Some('+' | '-')));
        if digits(signed) > signed {
            end = digits(signed);
        }
    }
    end
}
