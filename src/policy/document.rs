//! The policy's document: access to its values by type, with an error for each that is not what
//! it should be.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::issue::{Issue, Quoted};
use super::issue_list::IssueList;
use super::suggest::{list, suggest};
use super::text::Text;
use crate::model::Location;

/// A value with its place.
pub(super) type Value<'d> = Spanned<DeValue<'d>>;

/// The text of a policy and what is wrong with it.
pub(super) struct Document<'t> {
    pub text: Text<'t>,
    pub errors: IssueList,
    /// The parts whose meaning is in doubt because of errors in the syntax, in order.
    pub doubtful: Vec<Range<usize>>,
}

/// An array of strings that a key takes.
pub(super) struct Strings<'k> {
    /// The key.
    pub key: &'k str,
    /// An element as it could be, in quotes.
    pub example: &'k str,
    /// What a bare number lacks to be an element, beside its quotes.
    pub suffix: &'k str,
}

impl Document<'_> {
    /// Reports a fault, unless it only follows from an error in the syntax.
    pub fn error(&mut self, span: Range<usize>, fault: Issue) {
        let index = self.doubtful.partition_point(|doubt| doubt.end < span.start);
        let doubtful = self.doubtful.get(index).is_some_and(|doubt| doubt.start <= span.start);
        // Where the syntax is wrong, the parser puts empty values in the place of missing ones.
        let missing = span.is_empty() && !self.is_sound();
        if !doubtful && !missing {
            self.errors.push(self.text.diagnostic(span, fault));
        }
    }

    /// Reports that something is missing, unless an error in the syntax may hide it.
    pub fn missing_error(&mut self, span: Range<usize>, fault: Issue) {
        if self.is_sound() {
            self.error(span, fault);
        }
    }

    /// The place of a span.
    pub fn at(&self, span: &Range<usize>) -> Location {
        self.text.location(span.start)
    }

    /// Reports the keys of `table` that are not among `known`.
    pub fn check_keys(&mut self, table: &DeTable, place: &str, known: &[&str]) {
        for key in table.keys().filter(|key| !known.contains(&key.get_ref().as_ref())) {
            let fault = Issue::new(format!("unknown key {}{place}", Quoted(key.get_ref())));
            let fault = match (suggest(key.get_ref(), known.iter().copied()), known) {
                (Some(near), _) => fault.help(format!("did you mean `{near}`?")),
                (None, [only]) => fault.help(format!("the only key is `{only}`")),
                (None, _) => fault.help(format!("the keys are {}", list(known.iter().copied()))),
            };
            self.error(key.span(), fault);
        }
    }

    /// Reports a value of the wrong type.
    pub fn wrong_type(&mut self, value: &Value, expected: &str, help: String) {
        let found = type_name(value.get_ref());
        self.error(
            value.span(),
            Issue::new(format!("expected {expected}, found {found}")).help(help),
        );
    }

    /// The string of `key`.
    pub fn string<'v>(&mut self, value: &'v Value, key: &str, example: &str) -> Option<&'v str> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.wrong_type(value, "a string", format!("write `{key} = \"{example}\"`"));
        }
        text
    }

    /// The table of `key`.
    pub fn table<'v, 'd>(&mut self, value: &'v Value<'d>, key: &str) -> Option<&'v DeTable<'d>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong_type(value, "a table", format!("write `[{key}]` on a line of its own"));
        }
        table
    }

    /// The strings of an array, each with its place. Elements of other types are reported.
    pub fn strings<'v>(
        &mut self,
        value: &'v Value,
        expected: &Strings,
    ) -> Option<Vec<(&'v str, Range<usize>)>> {
        let Some(array) = value.get_ref().as_array() else {
            let help = self.array_help(value, expected);
            self.wrong_type(value, "an array of strings", help);
            return None;
        };
        let mut strings = Vec::with_capacity(array.len());
        for element in array.iter() {
            match element.get_ref() {
                DeValue::String(text) => strings.push((text.as_ref(), element.span())),
                _ => self.wrong_type(element, "a string", self.element_help(element, expected)),
            }
        }
        Some(strings)
    }

    /// How to make an array of a value that is none.
    fn array_help(&self, value: &Value, expected: &Strings) -> String {
        let Strings { key, example, .. } = expected;
        match value.get_ref() {
            DeValue::String(_) => {
                let array = format!("{key} = [{}]", self.text.get(value.span()));
                format!("write {}", Quoted(&array))
            }
            DeValue::Integer(_) => format!("write `{key} = [{}]`", self.quote(value, expected)),
            _ => format!("write {}", Quoted(&format!("{key} = [\"{example}\"]"))),
        }
    }

    fn element_help(&self, element: &Value, expected: &Strings) -> String {
        match element.get_ref() {
            DeValue::Integer(_) | DeValue::Float(_) => {
                format!("write `{}`", self.quote(element, expected))
            }
            _ => format!("write a string, as in \"{}\"", expected.example),
        }
    }

    fn quote(&self, number: &Value, expected: &Strings) -> String {
        format!("\"{}{}\"", self.text.get(number.span()), expected.suffix)
    }

    /// Whether the syntax is right.
    fn is_sound(&self) -> bool {
        self.doubtful.is_empty()
    }
}

fn type_name(value: &DeValue) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
