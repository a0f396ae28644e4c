//! Variables of a script, and what words become with them.

use std::collections::BTreeMap;

use super::super::words::Word;
use super::tokens::{Part, Parts};

/// What separates the arguments in the value of `$@`.
const ARGUMENTS: &str = "\u{1f}";

/// The variables by their names; `None`: it has a value that is not known.
#[derive(Clone, Debug, Default)]
pub struct Variables(BTreeMap<String, Option<String>>);

impl Variables {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn set(&mut self, name: String, value: Option<String>) {
        self.0.insert(name, value);
    }

    /// The arguments of a function, in place of those that were there before, which are returned.
    pub fn set_arguments(&mut self, arguments: &[Word]) -> Variables {
        let before = self.clone();
        let value = |word: &Word| (!word.is_unknown).then(|| word.text.clone());
        for number in 1..10 {
            let argument = arguments.get(number - 1).map_or(Some(String::new()), value);
            self.set(number.to_string(), argument);
        }
        let all: Option<Vec<String>> = arguments.iter().map(value).collect();
        self.set("@".to_owned(), all.map(|words| words.join(ARGUMENTS)));
        before
    }

    /// Brings back the arguments of before.
    pub fn restore_arguments(&mut self, before: &Variables) {
        for name in (1..10).map(|number| number.to_string()).chain(["@".to_owned()]) {
            match before.0.get(&name) {
                Some(value) => self.0.insert(name, value.clone()),
                None => self.0.remove(&name),
            };
        }
    }

    /// The value of an assignment; `None` if it is not known.
    pub fn value(&self, parts: &Parts) -> Option<String> {
        let quoted = parts.iter().map(|part| match part {
            Part::Variable { name, default, .. } => {
                Part::Variable { name: name.clone(), default: default.clone(), is_quoted: true }
            }
            // `$(command -v iptables)`
            Part::Output(command) if command.contains("ip6tables") => {
                Part::Text("ip6tables".to_owned())
            }
            Part::Output(command) if command.contains("iptables") => {
                Part::Text("iptables".to_owned())
            }
            part => part.clone(),
        });
        let quoted: Parts = quoted.collect();
        let words = self.expand(&[quoted]);
        match words.as_slice() {
            [] => Some(String::new()),
            [Word { text, is_unknown: false }] => Some(text.clone()),
            _ => None,
        }
    }

    /// The words of a command.
    pub fn expand(&self, words: &[Parts]) -> Vec<Word> {
        words.iter().flat_map(|word| self.expand_word(word)).collect()
    }

    fn expand_word(&self, parts: &Parts) -> Vec<Word> {
        let mut words = Vec::new();
        let mut word: Option<Word> = None;
        for part in parts {
            match part {
                Part::Text(text) => word.get_or_insert_default().text.push_str(text),
                Part::Output(_) => {
                    let word = word.get_or_insert_default();
                    word.text.push_str("$(…)");
                    word.is_unknown = true;
                }
                Part::Variable { name, default, is_quoted } => {
                    let set = self.0.get(name);
                    let value = match (set, default) {
                        (Some(Some(value)), Some(default)) if value.is_empty() => Some(default),
                        (Some(Some(value)), _) => Some(value),
                        (Some(None), _) => None,
                        (None, default) => default.as_ref(),
                    };
                    match value {
                        None => {
                            let word = word.get_or_insert_default();
                            word.text.push_str(&format!("${name}"));
                            word.is_unknown = true;
                        }
                        Some(value) if *is_quoted => {
                            word.get_or_insert_default().text.push_str(value);
                        }
                        Some(value) if name == "@" => {
                            split_into(value.split_terminator(ARGUMENTS), &mut word, &mut words);
                        }
                        Some(value) => {
                            let (start, end) = (word.take(), value.ends_with(char::is_whitespace));
                            if value.starts_with(char::is_whitespace) {
                                words.extend(start);
                            } else {
                                word = start;
                            }
                            split_into(value.split_whitespace(), &mut word, &mut words);
                            if end {
                                words.extend(word.take());
                            }
                        }
                    }
                }
            }
        }
        words.extend(word);
        words
    }
}

/// Appends the pieces of a value, each but the last of which ends a word.
fn split_into<'v>(
    pieces: impl Iterator<Item = &'v str>,
    word: &mut Option<Word>,
    words: &mut Vec<Word>,
) {
    for (index, piece) in pieces.enumerate() {
        if index > 0 {
            words.extend(word.take());
        }
        word.get_or_insert_default().text.push_str(piece);
    }
}

/// `NAME=VALUE`.
pub fn assignment(word: &Parts) -> Option<(String, Parts)> {
    let Some(Part::Text(first)) = word.first() else { return None };
    let (name, value) = first.split_once('=')?;
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_')
    };
    if !is_name(name) {
        return None;
    }
    let mut parts = vec![Part::Text(value.to_owned())];
    parts.extend(word[1..].iter().cloned());
    Some((name.to_owned(), parts))
}
