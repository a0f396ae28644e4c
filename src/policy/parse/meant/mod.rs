//! What to write in place of an invalid value. Every suggestion is a valid value itself: the grammar
//! that rejected the text has accepted it.

mod interface;
mod port;
mod source;

use std::fmt;

pub(super) use interface::interface;
pub(super) use port::port;
pub(super) use source::{commented, source};

use crate::policy::diag::Issue;

/// Maximum number of values that a suggestion lists.
const LISTED_MAX: usize = 8;
/// The quotes and commas of other formats.
const QUOTES: [char; 4] = ['"', '\'', '`', ','];

/// The values that an invalid text was probably meant as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Meant {
    /// At least one.
    pub values: Vec<String>,
    /// What is said behind a single value.
    note: &'static str,
}

impl Meant {
    /// The values of a text that is valid itself, or those that it was probably meant as.
    pub fn values_of<T: fmt::Display, E>(
        parsed: Result<T, E>,
        meant: impl FnOnce() -> Option<Meant>,
    ) -> Option<Vec<String>> {
        match parsed {
            Ok(value) => Some(vec![value.to_string()]),
            Err(_) => meant().map(|meant| meant.values),
        }
    }

    /// The value, if it is valid.
    fn one(value: String, note: &'static str, is_valid: IsValid) -> Option<Meant> {
        is_valid(&value).then(|| Meant { values: vec![value], note })
    }

    /// The values, if there are several and all are valid.
    fn several(values: Option<Vec<String>>, is_valid: IsValid) -> Option<Meant> {
        let values = values.filter(|values| (2..=LISTED_MAX).contains(&values.len()))?;
        values.iter().all(|value| is_valid(value)).then_some(Meant { values, note: "" })
    }
}

/// Whether a text is a valid value.
type IsValid<'f> = &'f dyn Fn(&str) -> bool;

/// What to write: ``write `443/tcp` ``, ``list each separately: `80/tcp`, `443/tcp` ``.
impl fmt::Display for Meant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values: Vec<String> = self.values.iter().map(|value| format!("`{value}`")).collect();
        match self.values.len() {
            1 => write!(f, "write {}{}", values.concat(), self.note),
            _ => write!(f, "list each separately: {}", values.join(", ")),
        }
    }
}

impl Issue {
    /// The same issue with this suggestion in place of its help, if there is one.
    pub(super) fn suggest(self, meant: Option<Meant>) -> Issue {
        match meant {
            Some(meant) => self.help(meant.to_string()),
            None => self,
        }
    }
}

/// The text with the hyphen-minus for other dashes, without the whitespace at its ends and around
/// `separators`, and with one space for the rest.
fn join(text: &str, separators: &[char]) -> String {
    let text = text.replace(['–', '—', '−', '‐', '‑'], "-").replace("..", "-");
    let mut joined = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !joined.is_empty() && !joined.ends_with(separators) && !word.starts_with(separators) {
            joined.push(' ');
        }
        joined.push_str(word);
    }
    joined
}

/// The decimal number without leading zeros.
fn without_zeros(number: &str) -> &str {
    match number.trim_start_matches('0') {
        "" if !number.is_empty() => "0",
        stripped => stripped,
    }
}
