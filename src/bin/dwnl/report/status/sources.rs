//! Who may reach a port, in few words.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::super::format::Escaped;
use super::ports::EntryReport;

/// The sources of an entry: `office, 192.0.2.9 through eth1`.
pub struct Sources<'a>(pub &'a EntryReport<'a>);

impl Sources<'_> {
    /// As many of them as there is room for: `office, partners +3 through eth1`.
    pub fn fit(&self, room: usize) -> String {
        cut(self.words(room), room)
    }

    fn words(&self, room: usize) -> String {
        let conditions = self.conditions();
        let Some(names) = &self.0.from else { return format!("anyone{conditions}") };
        if self.0.source_count == Some(0) {
            return format!("nobody (empty group){conditions}");
        }
        let text = |shown: usize| {
            let words: Vec<String> =
                names.iter().take(shown).map(|name| Escaped(name).to_string()).collect();
            let more = match names.len() - words.len() {
                0 => String::new(),
                more => format!(" +{more}"),
            };
            format!("{}{more}{conditions}", words.join(", "))
        };
        let fits = |shown: &usize| text(*shown).width() <= room;
        text((1..=names.len()).rev().find(fits).unwrap_or(1))
    }

    fn conditions(&self) -> String {
        let EntryReport { in_interface, to, except, .. } = self.0;
        let except = (!except.is_empty()).then(|| match &except[..] {
            [first, _, ..] => format!(" except {} +{}", Escaped(first), except.len() - 1),
            _ => format!(" except {}", Escaped(except.concat())),
        });
        let interface = in_interface.iter().map(|it| format!(" through {}", Escaped(it)));
        let to = (!to.is_empty()).then(|| match &to[..] {
            [first, _, ..] => format!(" to {first} +{}", to.len() - 1),
            _ => format!(" to {}", to.concat()),
        });
        except.into_iter().chain(interface).chain(to).collect()
    }
}

/// The text, or its beginning and `…`.
fn cut(text: String, room: usize) -> String {
    if text.width() <= room {
        return text;
    }
    let mut kept = String::new();
    for char in text.chars() {
        if kept.width() + char.width().unwrap_or(0) + 1 > room {
            break;
        }
        kept.push(char);
    }
    format!("{}…", kept.trim_end())
}
