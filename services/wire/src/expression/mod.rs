//! Formulas and conditions of add-ons' forms: `live_calculation` and `visible_when`.
//!
//! A formula is parsed into a list of steps for a small stack machine, with no names but those of fields and five
//! functions; nothing of the program can be reached from it, so a field may be called `window` or `constructor`, which
//! existing servers refuse by a list of words (and `processed` with them). The dashboard has the same evaluator in TypeScript, and
//! both run the tables `cases/expression.json` and `cases/visible.json`: what a page shows and what the server checks
//! cannot drift apart.
//!
//! ```text
//! sum    = term { ("+" | "-") term }
//! term   = sign { ("*" | "/" | "%") sign }
//! sign   = { "-" } atom
//! atom   = number | name | name "(" sum { "," sum } ")" | "(" sum ")"
//! number = digits [ "." [ digits ] ] [ ("e"|"E") [ "+"|"-" ] digits ] | "." digits …
//! name   = [A-Za-z_] [A-Za-z0-9_]*
//! ```
//!
//! Functions: `min(a,…)`, `max(a,…)`, `floor(a)`, `ceil(a)`, `round(a[,digits])`. A field that has no number counts as 0,
//! and so does the result of a division by 0, as existing dashboards have it. Halves are rounded away from zero, and
//! every result to [`DECIMALS`].

mod token;
mod visible;

use std::collections::BTreeMap;

use token::{Token, Word, tokens};
pub use visible::{Values, VisibleError, When};

/// Longest formula or condition in characters. Source: Vigil, manifest validation.
pub const LENGTH_MAX: usize = 512;

/// Decimals of a result. Source: existing dashboards.
pub const DECIMALS: usize = 4;

/// Deepest nesting of parentheses, calls and signs, so that no formula can exhaust a stack, here or in a browser.
pub const DEPTH_MAX: usize = 64;

/// Most decimals that `round` is asked for.
const ROUND_MAX: f64 = 10.0;

/// Above this a 64-bit float has no room for the decimals that rounding would look at: 2^53.
const EXACT: f64 = 9_007_199_254_740_992.0;

const POWERS: [f64; 11] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10];

/// A formula that holds to the grammar.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    steps: Vec<Step>,
}

/// One step of the stack machine.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    Number(f64),
    Name(String),
    Negate,
    Binary(Binary),
    /// A function, of the last so many values.
    Call(Function, usize),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Function {
    Min,
    Max,
    Round,
    Floor,
    Ceil,
}

/// Why a text is no formula.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at character {}: {what}", at + 1)]
pub struct ExprError {
    /// Which character, from 0.
    pub at: usize,
    /// What is wrong there, and what was expected.
    pub what: String,
}

/// Why a formula has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// A step's result is beyond a 64-bit float.
    #[error("the result is too large")]
    TooLarge,
    /// `round` was asked for other decimals than 0 to 10.
    #[error("round: expected 0 to 10 decimals, a whole number")]
    Decimals,
}

/// Reads a formula.
///
/// # Errors
/// Names the place and what is wrong.
pub fn parse(text: &str) -> Result<Expr, ExprError> {
    if text.chars().count() > LENGTH_MAX {
        return Err(ExprError {
            at: LENGTH_MAX,
            what: format!("too long; at most {LENGTH_MAX} characters"),
        });
    }
    let mut parser = Parser {
        tokens: tokens(text)?,
        next: 0,
        end: text.chars().count(),
        depth: 0,
        steps: Vec::new(),
    };
    parser.sum()?;
    match parser.tokens.get(parser.next) {
        None => Ok(Expr { steps: parser.steps }),
        Some(Token {
            at,
            word: Word::Sign(sign),
        }) => Err(ExprError {
            at: *at,
            what: format!("{sign:?} cannot stand here; expected an operator or the end"),
        }),
        Some(Token { at, .. }) => Err(ExprError {
            at: *at,
            what: "expected an operator or the end".to_owned(),
        }),
    }
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    /// Where an error at the end of the text is.
    end: usize,
    depth: usize,
    steps: Vec<Step>,
}

impl Parser {
    fn at(&self) -> usize {
        self.tokens.get(self.next).map_or(self.end, |token| token.at)
    }

    fn fail<T>(&self, what: impl Into<String>) -> Result<T, ExprError> {
        Err(ExprError {
            at: self.at(),
            what: what.into(),
        })
    }

    fn sign(&self) -> Option<char> {
        match self.tokens.get(self.next)?.word {
            Word::Sign(sign) => Some(sign),
            Word::Number(_) | Word::Name(_) => None,
        }
    }

    fn deeper(&mut self) -> Result<(), ExprError> {
        if self.depth == DEPTH_MAX {
            return self.fail(format!("nested too deep; at most {DEPTH_MAX} levels"));
        }
        self.depth += 1;
        Ok(())
    }

    fn sum(&mut self) -> Result<(), ExprError> {
        self.term()?;
        while let Some(sign @ ('+' | '-')) = self.sign() {
            self.next += 1;
            self.term()?;
            self.steps
                .push(Step::Binary(if sign == '+' { Binary::Add } else { Binary::Subtract }));
        }
        Ok(())
    }

    fn term(&mut self) -> Result<(), ExprError> {
        self.signed()?;
        while let Some(sign @ ('*' | '/' | '%')) = self.sign() {
            self.next += 1;
            self.signed()?;
            self.steps.push(Step::Binary(match sign {
                '*' => Binary::Multiply,
                '/' => Binary::Divide,
                _ => Binary::Remainder,
            }));
        }
        Ok(())
    }

    fn signed(&mut self) -> Result<(), ExprError> {
        if self.sign() != Some('-') {
            return self.atom();
        }
        self.deeper()?;
        self.next += 1;
        self.signed()?;
        self.steps.push(Step::Negate);
        self.depth -= 1;
        Ok(())
    }

    fn atom(&mut self) -> Result<(), ExprError> {
        let Some(token) = self.tokens.get(self.next).cloned() else {
            return self.fail("expected a number, a field's name or a parenthesis, found the end");
        };
        match token.word {
            Word::Number(number) => {
                self.next += 1;
                self.steps.push(Step::Number(number));
                Ok(())
            }
            Word::Name(name) => {
                self.next += 1;
                if self.sign() == Some('(') {
                    return self.call(&name, token.at);
                }
                self.steps.push(Step::Name(name));
                Ok(())
            }
            Word::Sign('(') => {
                self.deeper()?;
                self.next += 1;
                self.sum()?;
                self.close()
            }
            Word::Sign(sign) => self.fail(format!(
                "expected a number, a field's name or a parenthesis, found {sign:?}"
            )),
        }
    }

    fn close(&mut self) -> Result<(), ExprError> {
        if self.sign() != Some(')') {
            return self.fail("expected \")\"");
        }
        self.next += 1;
        self.depth -= 1;
        Ok(())
    }

    fn call(&mut self, name: &str, at: usize) -> Result<(), ExprError> {
        let (function, most) = match name {
            "min" => (Function::Min, usize::MAX),
            "max" => (Function::Max, usize::MAX),
            "round" => (Function::Round, 2),
            "floor" => (Function::Floor, 1),
            "ceil" => (Function::Ceil, 1),
            _ => {
                return Err(ExprError {
                    at,
                    what: format!("{name:?} is no function; there are min, max, round, floor, ceil"),
                });
            }
        };
        self.deeper()?;
        self.next += 1;
        self.sum()?;
        let mut count = 1;
        while self.sign() == Some(',') {
            if count == most {
                return self.fail(format!("{name} takes at most {most}"));
            }
            self.next += 1;
            self.sum()?;
            count += 1;
        }
        self.close()?;
        self.steps.push(Step::Call(function, count));
        Ok(())
    }
}

impl Expr {
    /// The value, rounded to [`DECIMALS`].
    ///
    /// # Errors
    /// When a step's result is no finite number.
    pub fn eval(&self, values: &BTreeMap<String, f64>) -> Result<f64, EvalError> {
        let mut stack: Vec<f64> = Vec::new();
        for step in &self.steps {
            let value = match step {
                Step::Number(number) => *number,
                Step::Name(name) => values.get(name).copied().filter(|v| v.is_finite()).unwrap_or(0.0),
                Step::Negate => -pop(&mut stack),
                Step::Binary(binary) => {
                    let right = pop(&mut stack);
                    let left = pop(&mut stack);
                    apply(*binary, left, right)
                }
                Step::Call(function, count) => {
                    let from = stack.len().saturating_sub(*count);
                    let of: Vec<f64> = stack.drain(from..).collect();
                    call(*function, &of)?
                }
            };
            if !value.is_finite() {
                return Err(EvalError::TooLarge);
            }
            stack.push(value);
        }
        Ok(rounded(pop(&mut stack), DECIMALS))
    }

    /// The fields that it names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().filter_map(|step| match step {
            Step::Name(name) => Some(name.as_str()),
            Step::Number(_) | Step::Negate | Step::Binary(_) | Step::Call(..) => None,
        })
    }
}

/// The parser puts as many values before each step as it takes; 0 is never seen.
fn pop(stack: &mut Vec<f64>) -> f64 {
    stack.pop().unwrap_or(0.0)
}

fn apply(binary: Binary, left: f64, right: f64) -> f64 {
    match binary {
        Binary::Add => left + right,
        Binary::Subtract => left - right,
        Binary::Multiply => left * right,
        Binary::Divide | Binary::Remainder if right == 0.0 => 0.0,
        Binary::Divide => left / right,
        Binary::Remainder => left % right,
    }
}

fn call(function: Function, of: &[f64]) -> Result<f64, EvalError> {
    let first = of.first().copied().unwrap_or(0.0);
    Ok(match function {
        Function::Min => of.iter().copied().fold(first, f64::min),
        Function::Max => of.iter().copied().fold(first, f64::max),
        Function::Floor => first.floor(),
        Function::Ceil => first.ceil(),
        Function::Round => {
            let digits = of.get(1).copied().unwrap_or(0.0);
            if !(0.0..=ROUND_MAX).contains(&digits) || digits.fract() != 0.0 {
                return Err(EvalError::Decimals);
            }
            // Checked above: a whole number from 0 to 10.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above")]
            rounded(first, digits as usize)
        }
    })
}

/// Rounds halves away from zero, as they come out of the multiplication; never gives a negative zero.
fn rounded(value: f64, digits: usize) -> f64 {
    let power = POWERS.get(digits).copied().unwrap_or(1.0);
    let scaled = value.abs() * power;
    if scaled >= EXACT {
        return value;
    }
    let size = (scaled + 0.5).floor() / power;
    if size == 0.0 {
        0.0
    } else if value < 0.0 {
        -size
    } else {
        size
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::cast_possible_truncation,
        clippy::float_cmp,
        reason = "tests"
    )]
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn cases(name: &str) -> Vec<Value> {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("cases")
            .join(name);
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    #[test]
    fn the_table_of_formulas_comes_out_as_it_says() {
        let cases = cases("expression.json");
        assert!(cases.len() >= 80, "{}", cases.len());
        let mut wrong = Vec::new();
        for case in &cases {
            let text = case["expr"].as_str().unwrap();
            let vars: BTreeMap<String, f64> = serde_json::from_value(case["vars"].clone()).unwrap_or_default();
            let parsed = parse(text);
            let found = parsed
                .clone()
                .map_err(|error| error.to_string())
                .and_then(|expr| expr.eval(&vars).map_err(|error| error.to_string()));
            let good = match (&found, case["value"].as_f64()) {
                (Ok(found), Some(value)) => found.to_bits() == value.to_bits(),
                (Err(_), None) => case["error"].is_string(),
                _ => false,
            };
            let place = case["at"].as_u64().map(|at| at as usize);
            let placed = place.is_none() || parsed.err().map(|error| error.at) == place;
            if !good || !placed {
                wrong.push(format!("{case} gave {found:?}"));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn the_table_of_conditions_comes_out_as_it_says() {
        let cases = cases("visible.json");
        assert!(cases.len() >= 60, "{}", cases.len());
        let mut wrong = Vec::new();
        for case in &cases {
            let values: Values = serde_json::from_value(case["values"].clone()).unwrap_or_default();
            let found = When::parse(&case["when"]).map(|when| when.holds(&values));
            let good = match &found {
                Ok(found) => case["visible"].as_bool() == Some(*found),
                Err(_) => case["visible"] == "error",
            };
            if !good {
                wrong.push(format!("{case} gave {found:?}"));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn the_longest_formula_is_read_and_one_more_character_is_not() {
        let at = |length: usize| parse(&format!("1{}", " ".repeat(length - 1)));
        assert!(at(LENGTH_MAX).is_ok());
        assert_eq!(at(LENGTH_MAX + 1).unwrap_err().at, LENGTH_MAX);
    }

    #[test]
    fn the_deepest_formula_is_read_and_one_level_more_is_not() {
        let nested = |depth: usize| parse(&format!("{}1{}", "(".repeat(depth), ")".repeat(depth)));
        assert!(nested(DEPTH_MAX).is_ok());
        assert_eq!(nested(DEPTH_MAX + 1).unwrap_err().at, DEPTH_MAX);
        assert!(parse(&format!("{}1", "-".repeat(DEPTH_MAX))).is_ok());
        assert!(parse(&format!("{}1", "-".repeat(DEPTH_MAX + 1))).is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[0-9a-z_ +*/().,%-]{0,60}|.{0,60}", x: f64) {
            if let Ok(expr) = parse(&text) {
                let values = expr.names().map(|name| (name.to_owned(), x)).collect();
                if let Ok(value) = expr.eval(&values) {
                    prop_assert!(value.is_finite());
                }
            }
        }

        #[test]
        fn sums_of_whole_numbers_are_exact(a in -1_000_000i32..1_000_000, b in -1_000_000i32..1_000_000, c in 1i32..1000) {
            let values = [("a", a), ("b", b), ("c", c)].map(|(n, v)| (n.to_owned(), f64::from(v))).into();
            let eval = |text: &str| parse(text).unwrap().eval(&values).unwrap();
            prop_assert_eq!(eval("a - b + c").to_bits(), (f64::from(a) - f64::from(b) + f64::from(c) + 0.0).to_bits());
            prop_assert_eq!(eval("a % c"), f64::from(a % c));
            prop_assert_eq!(eval("floor(a / c)"), f64::from(a.div_euclid(c)));
        }
    }
}
