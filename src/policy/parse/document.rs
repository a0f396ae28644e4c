//! The TOML document of a policy: access to its values by type, with an error for each value of
//! another type.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys;
use crate::model::Location;
use crate::policy::diag::{Issue, IssueList, Quoted, Text, list, suggest};
use crate::policy::shrink::ShrinkLimit;
use crate::policy::warning::{WarningKind, WarningList};

/// A value with its span.
pub(in crate::policy) type Value<'d> = Spanned<DeValue<'d>>;

/// Values, each with its span.
pub(in crate::policy) type Spans<T> = Vec<(T, Range<usize>)>;

/// The text of a policy, and the errors and warnings about it.
pub(in crate::policy) struct Document<'t> {
    pub text: Text<'t>,
    pub errors: IssueList,
    pub warnings: WarningList,
    /// The limits of groups that must not lose too many sources.
    pub limits: Vec<ShrinkLimit>,
    /// The spans whose meaning is uncertain because of syntax errors, in order.
    pub poisoned: Vec<Range<usize>>,
}

/// An array of strings that a key takes.
pub(in crate::policy) struct Strings<'k> {
    /// The key.
    pub key: &'k str,
    /// A valid element.
    pub example: &'k str,
    /// The valid elements that a text was probably meant as; the text itself if it is valid.
    pub meant: &'k dyn Fn(&str) -> Option<Vec<String>>,
}

impl Document<'_> {
    /// Reports an issue, unless it may only follow from a syntax error.
    pub fn error(&mut self, span: Range<usize>, issue: impl Into<Issue>) {
        let index = self.poisoned.partition_point(|part| part.end < span.start);
        let is_poisoned = self.poisoned.get(index).is_some_and(|part| part.start <= span.start);
        // Where the syntax is wrong, the parser replaces missing values by empty ones.
        let is_missing = span.is_empty() && !self.is_sound();
        if !is_poisoned && !is_missing {
            self.errors.push(self.text.diagnostic(span, issue.into()));
        }
    }

    /// Warns of a part of the text.
    pub fn warn(&mut self, span: Range<usize>, kind: WarningKind) {
        self.warnings.push_span(kind, &self.text, span);
    }

    /// Warns if the text is empty or its last line has no line feed. Returns whether it is so.
    pub fn warn_if_unfinished(&mut self) -> bool {
        let last = self.text.last_line();
        match (last.start, last.end) {
            (_, 0) => self.warnings.push_file(WarningKind::EmptyFile, self.text.file()),
            (start, end) if start < end => self.warn(last, WarningKind::UnfinishedFile),
            _ => return false,
        }
        true
    }

    /// Reports that something is missing, unless a syntax error may hide it.
    pub fn missing_error(&mut self, span: Range<usize>, issue: Issue) {
        if self.is_sound() {
            self.error(span, issue);
        }
    }

    /// The value, if there is one; an error is reported.
    pub fn check<T>(
        &mut self,
        result: Result<T, impl Into<Issue>>,
        span: Range<usize>,
    ) -> Option<T> {
        result.map_err(|issue| self.error(span, issue)).ok()
    }

    /// The position of a span.
    pub fn at(&self, span: &Range<usize>) -> Location {
        self.text.location(span.start)
    }

    /// Reports the keys of `table` that are not in `known`; `context` says where they are.
    pub fn check_keys(&mut self, table: &DeTable, context: &str, known: &[&str]) {
        for key in table.keys().filter(|key| !known.contains(&key.get_ref().as_ref())) {
            let name = key.get_ref();
            let issue = Issue::new(format!("unknown key {}{context}", Quoted(name)));
            let issue = match (suggest(name, known.iter().copied()), known) {
                (Some(near), _) => issue.help(format!("did you mean `{near}`?")),
                (None, [only]) => issue.help(format!("the only valid key is `{only}`")),
                (None, _) => issue.help(format!("valid keys are {}", list(known.iter().copied()))),
            };
            let issue = match keys::help(name, known) {
                Some(help) => issue.help(help),
                None => issue,
            };
            self.error(key.span(), issue);
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

    /// The boolean of `key`.
    pub fn boolean(&mut self, key: &str, value: &Value) -> Option<bool> {
        let boolean = value.get_ref().as_bool();
        if boolean.is_none() {
            let help = format!("write `{key} = true` or `{key} = false`");
            self.wrong_type(value, "a boolean", help);
        }
        boolean
    }

    /// The table of `key`.
    pub fn table<'v, 'd>(&mut self, value: &'v Value<'d>, key: &str) -> Option<&'v DeTable<'d>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong_type(value, "a table", format!("write `[{key}]` on a line of its own"));
        }
        table
    }

    /// The strings of an array, each with its span. Elements of other types are reported.
    pub fn strings<'v>(
        &mut self,
        value: &'v Value,
        expected: &Strings,
    ) -> Option<Vec<(&'v str, Range<usize>)>> {
        self.elements(value, expected, &mut |_| false)
    }

    /// The strings and the tables of an array, each with its span. Elements of other types are
    /// reported.
    pub fn strings_and_tables<'v, 'd>(
        &mut self,
        value: &'v Value<'d>,
        expected: &Strings,
    ) -> Option<(Spans<&'v str>, Spans<&'v DeTable<'d>>)> {
        let mut tables = Vec::new();
        let strings = self.elements(value, expected, &mut |element| {
            let table = element.get_ref().as_table().map(|table| (table, element.span()));
            tables.extend(table);
            element.get_ref().is_table()
        });
        strings.map(|strings| (strings, tables))
    }

    /// The strings of an array without the elements that `take` takes.
    fn elements<'v, 'd>(
        &mut self,
        value: &'v Value<'d>,
        expected: &Strings,
        take: &mut dyn FnMut(&'v Value<'d>) -> bool,
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
                _ if take(element) => {}
                _ => self.wrong_type(element, "a string", self.element_help(element, expected)),
            }
        }
        Some(strings)
    }

    /// How to write the value as an array.
    fn array_help(&self, value: &Value, expected: &Strings) -> String {
        let array = match self.meant(value, expected) {
            Some(elements) => format!("{} = [{elements}]", expected.key),
            None => format!("{} = [\"{}\"]", expected.key, expected.example),
        };
        format!("write {}", Quoted(&array))
    }

    fn element_help(&self, element: &Value, expected: &Strings) -> String {
        match self.meant(element, expected) {
            Some(elements) => format!("write {}", Quoted(&elements)),
            None => format!("write a string such as \"{}\"", expected.example),
        }
    }

    /// The valid elements that a string or number was probably meant as, in quotes.
    fn meant(&self, value: &Value, expected: &Strings) -> Option<String> {
        let text = match value.get_ref() {
            DeValue::String(text) => text,
            DeValue::Integer(_) | DeValue::Float(_) => self.text.get(value.span()),
            _ => return None,
        };
        let meant = (expected.meant)(text)?;
        let quoted: Vec<String> = meant.iter().map(|value| format!("\"{value}\"")).collect();
        Some(quoted.join(", ")).filter(|elements| elements.len() < 80)
    }

    /// Whether there is no syntax error.
    fn is_sound(&self) -> bool {
        self.poisoned.is_empty()
    }
}

fn type_name(value: &DeValue) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date-time",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
