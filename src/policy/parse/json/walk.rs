//! Follows a path through a JSON document.

use std::fmt;
use std::ops::ControlFlow;

use serde_json::value::RawValue;

use super::path::{Condition, Step};
use super::values::{Kind, each_element, keys, kind, member, scalar};
use crate::policy::diag::{Issue, Quoted, list, suggest};

/// Maximum number of keys of an object that a message lists.
const KEYS_MAX: usize = 10;

/// Why the document does not have what the path says.
pub(super) struct Mismatch<'t> {
    /// The value that is not as expected.
    pub value: &'t RawValue,
    pub issue: Issue,
}

/// A walk from the root along a path.
pub(super) struct Walk<'p, F> {
    /// Takes a value at the end of the path, and says whether to go on.
    found: F,
    /// The steps from the root to the present value.
    trail: Vec<Crumb<'p>>,
    /// Whether a value was left out: an object without an optional key, or for which a condition does
    /// not hold.
    has_skipped: bool,
}

/// A step that was made.
enum Crumb<'p> {
    Key(&'p str),
    Index(usize),
}

/// Calls `found` with each value that the steps lead to, until that returns `false`. Returns whether
/// some were left out because of an optional key or a condition.
pub(super) fn walk<'t>(
    root: &'t RawValue,
    steps: &[Step],
    found: impl FnMut(&'t RawValue) -> bool,
) -> Result<bool, Mismatch<'t>> {
    let mut walk = Walk { found, trail: Vec::new(), has_skipped: false };
    match walk.follow(root, steps) {
        ControlFlow::Break(Some(mismatch)) => Err(mismatch),
        ControlFlow::Break(None) | ControlFlow::Continue(()) => Ok(walk.has_skipped),
    }
}

/// A mismatch ends a walk, and so does `None`: enough was found.
type Flow<'t> = ControlFlow<Option<Mismatch<'t>>>;

impl<'t, 'p, F: FnMut(&'t RawValue) -> bool> Walk<'p, F> {
    fn follow(&mut self, value: &'t RawValue, steps: &'p [Step]) -> Flow<'t> {
        match steps.split_first() {
            None if (self.found)(value) => ControlFlow::Continue(()),
            None => ControlFlow::Break(None),
            Some((Step::Key { name, is_optional }, rest)) => {
                self.follow_key(value, name, *is_optional, rest)
            }
            Some((Step::Each(conditions), rest)) => self.follow_each(value, conditions, rest),
        }
    }

    fn follow_key(
        &mut self,
        value: &'t RawValue,
        name: &'p str,
        is_optional: bool,
        rest: &'p [Step],
    ) -> Flow<'t> {
        if kind(value) != Kind::Object {
            return self.wrong_kind(value, Kind::Object);
        }
        match member(value, name) {
            Some(member) => self.enter(Crumb::Key(name), member, rest),
            None if is_optional => {
                self.has_skipped = true;
                ControlFlow::Continue(())
            }
            None => self.missing(value, name),
        }
    }

    fn follow_each(
        &mut self,
        value: &'t RawValue,
        conditions: &[Condition],
        rest: &'p [Step],
    ) -> Flow<'t> {
        if kind(value) != Kind::Array {
            return self.wrong_kind(value, Kind::Array);
        }
        let mut flow = ControlFlow::Continue(());
        each_element(value, |index, element| {
            if conditions.iter().all(|condition| condition.holds(element)) {
                flow = self.enter(Crumb::Index(index), element, rest);
            } else {
                self.has_skipped = true;
            }
            flow.is_continue()
        });
        flow
    }

    fn enter(&mut self, crumb: Crumb<'p>, value: &'t RawValue, rest: &'p [Step]) -> Flow<'t> {
        self.trail.push(crumb);
        self.follow(value, rest)?;
        self.trail.pop();
        ControlFlow::Continue(())
    }

    fn wrong_kind(&self, value: &'t RawValue, expected: Kind) -> Flow<'t> {
        let found = kind(value);
        let issue = Issue::new(format!("{self} is {found}, but the path says {expected}"));
        let issue = match found {
            Kind::Array => issue.help("in the path, write `[]` behind it for each of its elements"),
            Kind::Object => issue.help(format!("its keys are {}", key_list(value))),
            Kind::String | Kind::Other => issue,
        };
        ControlFlow::Break(Some(Mismatch { value, issue }))
    }

    fn missing(&self, object: &'t RawValue, name: &str) -> Flow<'t> {
        let issue = Issue::new(format!("{self} has no key {}", Quoted(name)));
        let is_element = self.trail.iter().any(|crumb| matches!(crumb, Crumb::Index(_)));
        let near = keys(object, 1000);
        let near = suggest(name, near.iter().map(String::as_str));
        let optional = format!("{name}?");
        let optional = Quoted(&optional);
        let help = match near.map(Quoted) {
            Some(near) if is_element => {
                format!("did you mean the key {near}, or {optional}, which may be missing?")
            }
            Some(near) => format!("did you mean the key {near}?"),
            None if is_element => format!("in the path, write {optional} if it may be missing"),
            None => format!("its keys are {}", key_list(object)),
        };
        ControlFlow::Break(Some(Mismatch { value: object, issue: issue.help(help) }))
    }
}

impl Condition {
    fn holds(&self, element: &RawValue) -> bool {
        let value = member(element, &self.key).and_then(scalar);
        value.is_some_and(|value| *value == *self.value)
    }
}

fn key_list(object: &RawValue) -> String {
    let keys = keys(object, KEYS_MAX + 1);
    let more = if keys.len() > KEYS_MAX { ", …" } else { "" };
    format!("{}{more}", list(keys.iter().take(KEYS_MAX).map(String::as_str)))
}

/// The present value as a message names it: `` `prefixes[3]` ``.
impl<F> fmt::Display for Walk<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.trail.is_empty() {
            return f.write_str("the document");
        }
        let mut place = String::new();
        for crumb in &self.trail {
            match crumb {
                Crumb::Key(key) if place.is_empty() => place += key,
                Crumb::Key(key) => place += &format!(".{key}"),
                Crumb::Index(index) => place += &format!("[{index}]"),
            }
        }
        write!(f, "{}", Quoted(&place))
    }
}
