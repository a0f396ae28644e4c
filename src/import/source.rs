//! Text → the commands and saved lines in it.

use std::sync::Arc;

use super::rule::Line;
use super::saved;
use super::script::{Item, commands};
use crate::model::IpVersion;

/// The items of a file, in order. `version` is that of its rules where no line says another.
pub fn read(file: &str, text: &str, version: Option<IpVersion>) -> Vec<Item> {
    let lines: Vec<Arc<Line>> = lines(file, text);
    let mut reader = Reader { items: Vec::new(), here: None, given: version };
    let mut index = 0;
    while let Some(line) = lines.get(index) {
        // A file of iptables-save does not switch in the middle of a table.
        reader.place(&lines[index..], index == 0);
        reader.line(line);
        index += 1;
    }
    reader.items
}

/// The lines; those that end with a backslash are joined.
fn lines(file: &str, text: &str) -> Vec<Arc<Line>> {
    let file: Arc<str> = file.into();
    let mut joined: Option<(u32, String)> = None;
    let mut lines = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let (first, before) = joined.take().unwrap_or((number, String::new()));
        let continued = line.strip_suffix('\\').filter(|it| !it.ends_with('\\'));
        let text = before + continued.unwrap_or(line);
        match continued {
            Some(_) => joined = Some((first, text)),
            None => lines.push(new_line(&file, first, &text)),
        }
    }
    lines.extend(joined.map(|(number, text)| new_line(&file, number, &text)));
    lines
}

fn new_line(file: &Arc<str>, number: u32, text: &str) -> Arc<Line> {
    Arc::new(Line { file: Arc::clone(file), number, text: text.trim().into() })
}

struct Reader {
    items: Vec<Item>,
    /// The word that ends a here-document, and whether it holds rules.
    here: Option<(String, bool)>,
    given: Option<IpVersion>,
}

impl Reader {
    /// Notes where the rules that begin here belong, if that can be told.
    fn place(&mut self, lines: &[Arc<Line>], is_first: bool) {
        let text = &lines[0].text;
        if let Some(version) = text.starts_with('#').then(|| saved::version(text)).flatten() {
            return self.items.push(Item::Place(version, None));
        }
        let begins_table = text.starts_with('*');
        // `iptables -S` begins with the policies of the base chains.
        let is_policy = |line: &Line| line.text.starts_with("-P ");
        let begins_list = is_policy(&lines[0])
            && !matches!(self.items.last(), Some(Item::Saved(line)) if is_policy(line));
        if !(begins_table || begins_list || is_first) {
            return;
        }
        let is_rule = |line: &&Arc<Line>| saved::is_saved(&line.text);
        let mut seen_rule = false;
        let rules = lines.iter().skip_while(|line| !saved::is_saved(&line.text));
        let rules: Vec<&str> = rules
            .take_while(|line| {
                let is_end =
                    &*line.text == "COMMIT" || (seen_rule && !begins_table && is_policy(line));
                seen_rule |= !is_policy(line);
                !is_end
            })
            .filter(is_rule)
            .map(|line| &*line.text)
            .collect();
        let found = rules.iter().find_map(|line| saved::version(line));
        let said = self.items.iter().rev().find_map(|item| match item {
            Item::Place(version, _) => Some(*version),
            _ => None,
        });
        let version = self.given.or(found).or(said).unwrap_or(IpVersion::V4);
        let table = (!begins_table).then(|| saved::table(rules.into_iter()).to_owned());
        self.items.push(Item::Place(version, table));
    }

    fn line(&mut self, line: &Arc<Line>) {
        if let Some((end, holds_rules)) = &self.here {
            if &*line.text == end.as_str() {
                self.here = None;
            } else if *holds_rules && saved::is_saved(&line.text) {
                self.items.push(Item::Saved(Arc::clone(line)));
            }
            return;
        }
        if saved::is_saved(&line.text) {
            return self.items.push(Item::Saved(Arc::clone(line)));
        }
        for command in commands(&line.text) {
            if let Some(end) = &command.here {
                let words = format!("{:?}", command.words);
                self.here = Some((end.clone(), words.contains("restore")));
            }
            self.items.push(Item::Command(Arc::clone(line), command));
        }
    }
}
