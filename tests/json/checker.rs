//! Compares JSON objects with the document.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::document::{Document, Section, Type};

/// Compares objects with a document, and notes what it has seen.
pub struct Checker<'a> {
    document: &'a Document,
    /// Keys with a value other than null, and variants.
    seen: BTreeSet<String>,
}

impl<'a> Checker<'a> {
    /// Has seen nothing yet.
    pub fn new(document: &'a Document) -> Checker<'a> {
        Checker { document, seen: BTreeSet::new() }
    }

    /// Compares an object that a command has printed.
    #[track_caller]
    pub fn expect(&mut self, section: &str, line: &str) {
        assert!(line.starts_with(r#"{"schema":1,"#), "{line}");
        let value = serde_json::from_str(line);
        let value = value.unwrap_or_else(|error| panic!("{error}: {line}"));
        self.check(section, &value).unwrap_or_else(|error| panic!("{error}\n{line}"));
    }

    /// Compares an object with a section.
    pub fn check(&mut self, name: &str, value: &Value) -> Result<(), String> {
        let object = value.as_object().ok_or_else(|| format!("{name}: not an object: {value}"))?;
        let expected = self.expected(name, object)?;
        for key in object.keys() {
            if !expected.iter().any(|(_, expected)| expected == key) {
                return Err(format!("{name}: undocumented key `{key}`"));
            }
        }
        for (section, key) in expected {
            let value =
                object.get(&key).ok_or_else(|| format!("{section}: missing key `{key}`"))?;
            let kind = &self.document.section(&section).keys[&key];
            if !self.is_of(value, kind)? {
                return Err(format!("{section}: `{key}` is not {}: {value}", text(kind)));
            }
            if !value.is_null() {
                self.seen.insert(format!("{section}: {key}"));
            }
        }
        Ok(())
    }

    /// The keys that the object must have, each with its section.
    fn expected(
        &mut self,
        name: &str,
        object: &Map<String, Value>,
    ) -> Result<Vec<(String, String)>, String> {
        let section = self.document.section(name);
        let pair = |key: &str| (name.to_owned(), key.to_owned());
        let mut keys: Vec<_> = section.common_keys().into_iter().map(pair).collect();
        let Some((tag, variants)) = &section.variants else { return Ok(keys) };
        let value = object.get(tag).and_then(Value::as_str).unwrap_or_default();
        let variant =
            variants.get(value).ok_or_else(|| format!("{name}: undocumented {tag}={value}"))?;
        self.seen.insert(format!("{name}: {tag}={value}"));
        keys.extend(variant.keys.iter().map(|key| pair(key)));
        for included in &variant.includes {
            for key in self.document.section(included).keys.keys() {
                // `schema` is a key of both.
                if !keys.iter().any(|(_, known)| known == key) {
                    keys.push((included.clone(), key.clone()));
                }
            }
        }
        Ok(keys)
    }

    /// Whether a value is of a type; the elements of arrays and nested objects are compared as well.
    fn is_of(&mut self, value: &Value, kind: &Type) -> Result<bool, String> {
        Ok(match kind {
            Type::Number => value.is_u64() || value.is_i64(),
            Type::String => value.is_string(),
            Type::Boolean => value.is_boolean(),
            Type::Object(section) => {
                self.check(section, value)?;
                true
            }
            Type::OrNull(kind) => value.is_null() || self.is_of(value, kind)?,
            Type::Array(kind) => match value.as_array() {
                Some(values) => {
                    for value in values {
                        if !self.is_of(value, kind)? {
                            return Ok(false);
                        }
                    }
                    true
                }
                None => false,
            },
        })
    }

    /// The keys and variants of the document that no object had.
    pub fn unseen(&self) -> Vec<String> {
        let documented: BTreeSet<String> =
            self.document.sections().flat_map(|(name, section)| names(name, section)).collect();
        documented.difference(&self.seen).cloned().collect()
    }
}

fn names(name: &str, section: &Section) -> Vec<String> {
    let keys = section.keys.keys().map(|key| format!("{name}: {key}"));
    let variants = section.variants.iter().flat_map(|(tag, variants)| {
        variants.keys().map(move |value| format!("{name}: {tag}={value}"))
    });
    keys.chain(variants).collect()
}

fn text(kind: &Type) -> String {
    match kind {
        Type::Number => "a number".to_owned(),
        Type::String => "a string".to_owned(),
        Type::Boolean => "a boolean".to_owned(),
        Type::Object(section) => format!("a {section}"),
        Type::OrNull(kind) => format!("{} or null", text(kind)),
        Type::Array(kind) => {
            let kind = text(kind);
            format!("an array of {}", kind.strip_prefix("a ").unwrap_or(&kind))
        }
    }
}
