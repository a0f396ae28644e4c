//! Parts of a JSON document, each as the text that it is there, so that its position is known.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// A kind of JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Object,
    Array,
    String,
    /// A number, a boolean or `null`.
    Other,
}

/// The kind of a value.
pub(super) fn kind(value: &RawValue) -> Kind {
    match value.get().as_bytes().first() {
        Some(b'{') => Kind::Object,
        Some(b'[') => Kind::Array,
        Some(b'"') => Kind::String,
        _ => Kind::Other,
    }
}

/// The kind as a message names it.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Object => "an object",
            Kind::Array => "an array",
            Kind::String => "a string",
            Kind::Other => "a number, a boolean or null",
        })
    }
}

/// The text of a string; `None` if it is not a string, or not Unicode.
pub(super) fn string(value: &RawValue) -> Option<Cow<'_, str>> {
    let text = value.get();
    let bare = text.strip_prefix('"')?.strip_suffix('"')?;
    match bare.contains('\\') {
        true => serde_json::from_str(text).ok().map(Cow::Owned),
        false => Some(Cow::Borrowed(bare)),
    }
}

/// The text of a string, or a number, a boolean or `null` as it is written.
pub(super) fn scalar(value: &RawValue) -> Option<Cow<'_, str>> {
    match kind(value) {
        Kind::Object | Kind::Array => None,
        Kind::String => string(value),
        Kind::Other => Some(Cow::Borrowed(value.get())),
    }
}

/// The value of a key of an object. Of a key that occurs twice, the last value counts, as for other
/// readers of JSON.
pub(super) fn member<'t>(object: &'t RawValue, key: &str) -> Option<&'t RawValue> {
    let mut found = None;
    each_member(object, |name| name == key, |value| found = Some(value));
    found
}

/// The first keys of an object, at most `max`.
pub(super) fn keys(object: &RawValue, max: usize) -> Vec<String> {
    let mut keys = Vec::new();
    let take = |name: &str| {
        if keys.len() < max {
            keys.push(name.to_owned());
        }
        false
    };
    each_member(object, take, |_| ());
    keys
}

/// Calls `found` with the values of the keys that are `wanted`.
fn each_member<'t>(
    object: &'t RawValue,
    wanted: impl FnMut(&str) -> bool,
    found: impl FnMut(&'t RawValue),
) {
    let mut text = serde_json::Deserializer::from_str(object.get());
    // A raw value is valid JSON, so this fails only if it is no object or has a key that is not Unicode.
    let _ = text.deserialize_map(Members { wanted, found });
}

/// Calls `found` with each element of an array and its index, until that returns `false`.
pub(super) fn each_element<'t>(
    array: &'t RawValue,
    found: impl FnMut(usize, &'t RawValue) -> bool,
) {
    let mut text = serde_json::Deserializer::from_str(array.get());
    // An error is what ends it early.
    let _ = text.deserialize_seq(Elements(found));
}

struct Members<W, F> {
    wanted: W,
    found: F,
}

impl<'t, W: FnMut(&str) -> bool, F: FnMut(&'t RawValue)> Visitor<'t> for Members<W, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'t>>(mut self, mut map: M) -> Result<(), M::Error> {
        while let Some(key) = map.next_key::<Cow<'t, str>>()? {
            if (self.wanted)(&key) {
                (self.found)(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

struct Elements<F>(F);

impl<'t, F: FnMut(usize, &'t RawValue) -> bool> Visitor<'t> for Elements<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<S: SeqAccess<'t>>(mut self, mut elements: S) -> Result<(), S::Error> {
        let mut index = 0;
        while let Some(element) = elements.next_element()? {
            if !(self.0)(index, element) {
                return Err(S::Error::custom("enough"));
            }
            index += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> &RawValue {
        serde_json::from_str(text).expect("JSON")
    }

    #[test]
    fn members_are_found() {
        let object = raw(r#" {"a": 1, "b\"": {"a": 2}, "a": [3]} "#);
        assert_eq!(member(object, "a").map(RawValue::get), Some("[3]"));
        assert_eq!(member(object, "b\"").map(RawValue::get), Some(r#"{"a": 2}"#));
        assert!(member(object, "c").is_none() && member(raw("[1]"), "a").is_none());
        assert_eq!(keys(object, 2), ["a", "b\""]);
    }

    #[test]
    fn elements_are_found() {
        let mut found = Vec::new();
        each_element(raw(r#"[ 1 , "x", [2]]"#), |index, element| {
            found.push((index, element.get().to_owned()));
            index < 1
        });
        assert_eq!(found, [(0, "1".to_owned()), (1, "\"x\"".to_owned())]);
        each_element(raw("{}"), |_, _| unreachable!("no array"));
    }

    #[test]
    fn scalars_are_compared_as_they_are_meant() {
        assert_eq!(scalar(raw(r#""aA""#)).as_deref(), Some("aA"));
        assert_eq!(scalar(raw("-1.0")).as_deref(), Some("-1.0"));
        assert_eq!(scalar(raw("null")).as_deref(), Some("null"));
        assert_eq!(scalar(raw("[]")), None);
        assert_eq!(string(raw(r#""\ud800""#)), None, "a lone surrogate");
    }
}
