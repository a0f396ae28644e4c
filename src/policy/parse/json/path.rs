//! The path to the sources in a JSON document: `prefixes[service=CLOUDFRONT].ip_prefix`.

use std::fmt;
use std::str::FromStr;

use crate::policy::ParseError;
use crate::policy::diag::{Issue, Quoted};

/// Maximum number of steps, because each takes another reading of what it leads to.
const STEPS_MAX: usize = 32;

const HELP: &str = "write keys with dots between them and `[]` for each element of an array, such as \
                    \"prefixes[].ip_prefix\"";

/// The path to the sources in a JSON document.
///
/// It consists of keys with dots between them. `[]` behind a key, or at the beginning, stands for each
/// element of an array; `[key=value,…]` only for the objects in it that have these values. A key with a
/// `?` behind it may be missing. Keys and values that contain one of `.[]=,?"'` stand in quotes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JsonPath {
    text: Box<str>,
    #[cfg_attr(not(feature = "lists"), allow(dead_code))]
    pub(super) steps: Vec<Step>,
}

/// A step from a value to others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Step {
    /// To the value of a key of an object.
    Key {
        name: String,
        /// Whether objects without it have no sources, and are no error.
        is_optional: bool,
    },
    /// To the elements of an array for which all conditions hold.
    Each(Vec<Condition>),
}

/// That an object has this value under this key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Condition {
    pub key: String,
    pub value: String,
}

/// The path as it was written.
impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for JsonPath {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<JsonPath, ParseError> {
        // `jq` and JSONPath write a root.
        let below_root = text.strip_prefix('$').unwrap_or(text);
        let below_root = below_root.strip_prefix('.').unwrap_or(below_root);
        if below_root != text && steps(below_root).is_ok() {
            let issue = Issue::new(format!("{} begins with the root", Quoted(text)));
            return Err(issue.help(format!("write {}", Quoted(below_root))).into());
        }
        Ok(JsonPath { text: text.into(), steps: steps(text)? })
    }
}

fn steps(text: &str) -> Result<Vec<Step>, Issue> {
    let mut rest = Rest(text);
    let mut steps = Vec::new();
    while !rest.0.is_empty() {
        let step = rest.step(steps.is_empty()).ok_or_else(|| rest.wrong_in(text))?;
        steps.push(step);
    }
    match steps.len() {
        0 => Err(Issue::new("the path is empty").help(HELP)),
        1..=STEPS_MAX => Ok(steps),
        _ => Err(Issue::new(format!("the path has more than {STEPS_MAX} steps"))),
    }
}

/// What has not been read yet.
struct Rest<'t>(&'t str);

impl Rest<'_> {
    /// What has a meaning of its own, unless it is in quotes.
    const MARKS: [char; 8] = ['.', '[', ']', '=', ',', '?', '"', '\''];

    /// Reads this character, if it is next.
    fn takes(&mut self, c: char) -> bool {
        let rest = self.0.strip_prefix(c);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// Reads a step. A key that is not the first step follows a dot.
    fn step(&mut self, is_first: bool) -> Option<Step> {
        if self.takes('[') {
            return self.conditions().map(Step::Each);
        }
        if !is_first && !self.takes('.') {
            return None;
        }
        let name = self.word()?;
        Some(Step::Key { name, is_optional: self.takes('?') })
    }

    /// Reads a key or a value, which is not empty.
    fn word(&mut self) -> Option<String> {
        let quote = ['"', '\''].into_iter().find(|quote| self.0.starts_with(*quote));
        let (word, rest) = match quote {
            Some(quote) => self.0.get(1..)?.split_once(quote)?,
            None => self.0.split_at(self.0.find(Self::MARKS).unwrap_or(self.0.len())),
        };
        if word.is_empty() {
            return None;
        }
        self.0 = rest;
        Some(word.to_owned())
    }

    /// Reads `key=value,…]`.
    fn conditions(&mut self) -> Option<Vec<Condition>> {
        let mut conditions = Vec::new();
        if self.takes(']') {
            return Some(conditions);
        }
        loop {
            let key = self.word()?;
            let value = self.takes('=').then(|| self.word())??;
            conditions.push(Condition { key, value });
            if !self.takes(',') {
                return self.takes(']').then_some(conditions);
            }
        }
    }

    /// That `path` cannot be read from here on.
    fn wrong_in(&self, path: &str) -> Issue {
        let place = match self.0 {
            "" => "at its end".to_owned(),
            rest => format!("at {}", Quoted(rest)),
        };
        Issue::new(format!("{} is not a path, {place}", Quoted(path))).help(HELP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str, is_optional: bool) -> Step {
        Step::Key { name: name.to_owned(), is_optional }
    }

    #[test]
    fn paths_are_read() {
        let steps = |text: &str| text.parse::<JsonPath>().map(|path| path.steps).expect(text);
        let each = || Step::Each(Vec::new());
        assert_eq!(steps("a"), [key("a", false)]);
        assert_eq!(steps("[]"), [each()]);
        assert_eq!(steps("[][]"), [each(), each()]);
        assert_eq!(
            steps("result.ipv4_cidrs[]"),
            [key("result", false), key("ipv4_cidrs", false), each()]
        );
        assert_eq!(
            steps("prefixes[].ipv4Prefix?"),
            [key("prefixes", false), each(), key("ipv4Prefix", true)]
        );
        let condition = |key: &str, value: &str| Condition { key: key.into(), value: value.into() };
        let quoted = steps("p['a.b'=\"x,]\",c=d].'it?'?");
        let conditions = Step::Each(vec![condition("a.b", "x,]"), condition("c", "d")]);
        assert_eq!(quoted, [key("p", false), conditions, key("it?", true)]);
    }

    #[test]
    fn other_texts_are_not_paths() {
        for text in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "a[",
            "a[]b",
            "a[0",
            "a[b]",
            "a[b=]",
            "a[=c]",
            "a[b=c",
            "a[b=c,]",
            "a]",
            "a?b",
            "a??",
            "'a",
            "''",
            "a=b",
            "$.a",
            "$[]",
            "a.[]",
            "a b\u{0}.",
        ] {
            assert!(text.parse::<JsonPath>().is_err(), "{text}");
        }
        let help = |text: &str| {
            let error = text.parse::<JsonPath>().expect_err(text);
            error.help().map(ToOwned::to_owned)
        };
        assert_eq!(help(".prefixes[].ip").as_deref(), Some("write `prefixes[].ip`"));
        assert_eq!(help("$.prefixes[].ip").as_deref(), Some("write `prefixes[].ip`"));
        assert_eq!(help("$[].ip").as_deref(), Some("write `[].ip`"));
        assert!("a".repeat(1000).parse::<JsonPath>().is_ok());
        assert!("[]".repeat(STEPS_MAX).parse::<JsonPath>().is_ok());
        assert!("[]".repeat(STEPS_MAX + 1).parse::<JsonPath>().is_err());
    }
}
