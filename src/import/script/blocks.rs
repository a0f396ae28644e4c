//! Where the blocks of a script begin and end.

use std::sync::Arc;

use super::super::rule::Line;
use super::Item;
use super::tokens::{Part, Parts, Simple};

/// A word that is not expanded; empty if it is.
pub fn text(word: &Parts) -> String {
    match word.as_slice() {
        [Part::Text(text)] => text.clone(),
        _ => String::new(),
    }
}

/// A word that stands for itself.
pub fn text_word(text: &str) -> Parts {
    vec![Part::Text(text.to_owned())]
}

/// Whether a word is this one.
pub fn is_text(word: &Parts, expected: &str) -> bool {
    matches!(word.as_slice(), [Part::Text(text)] if text == expected)
}

/// The reserved word that a command begins with.
pub fn keyword(simple: &Simple) -> Option<&str> {
    const KEYWORDS: [&str; 17] = [
        "for", "while", "until", "if", "elif", "then", "else", "fi", "do", "done", "case", "esac",
        "{", "}", "!", "time", "function",
    ];
    match simple.words.first()?.as_slice() {
        [Part::Text(text)] => KEYWORDS.contains(&text.as_str()).then_some(text),
        _ => None,
    }
}

/// Whether a command begins a function: `NAME() {`.
pub fn is_definition(simple: &Simple) -> bool {
    let ends = |word: &Parts| text(word).ends_with("()");
    simple.words.first().is_some_and(ends)
        || simple.words.get(1).is_some_and(|it| is_text(it, "()"))
}

fn is_keyword(item: &Item, expected: &[&str]) -> bool {
    match item {
        Item::Command(_, simple) => keyword(simple).is_some_and(|it| expected.contains(&it)),
        _ => false,
    }
}

/// What precedes the reserved word that ends this block, and what is behind that word's command. The
/// word itself may begin a command of its own, which then is the first behind.
pub fn until<'i>(items: &'i [Item], end: &str) -> (&'i [Item], &'i [Item]) {
    let mut depth = 0;
    for (index, item) in items.iter().enumerate() {
        if depth == 0 && index > 0 && is_keyword(item, &[end])
            || depth == 0 && matches!(end, "}" | "esac") && is_keyword(item, &[end])
        {
            let is_closing = matches!(end, "}" | "esac" | "fi" | "done");
            return (&items[..index], &items[index + usize::from(is_closing)..]);
        }
        let is_first = index == 0 && !matches!(end, "}" | "esac");
        if !is_first {
            depth += nesting(item);
        }
    }
    (items, &[])
}

/// The items between `begin` and the `end` that belongs to it, and those behind.
pub fn body<'i>(items: &'i [Item], begin: &str, end: &str) -> (Vec<Item>, &'i [Item]) {
    let (_, from) = until(items, begin);
    let mut depth = 0;
    for (index, item) in from.iter().enumerate() {
        if index > 0 && depth == 0 && is_keyword(item, &[end]) {
            return (without_keyword(&from[..index]), &from[index + 1..]);
        }
        if index > 0 || !is_keyword(item, &[begin]) {
            depth += nesting(item);
        } else if let Item::Command(_, simple) = item {
            // `do for …`: a block that begins behind the word.
            let inner = Simple { words: simple.words[1..].to_vec(), ..Simple::default() };
            depth += nesting(&Item::Command(Arc::clone(line_of(item)), inner));
        }
    }
    (without_keyword(from), &[])
}

/// The branch that `then` or `else` begins, and what is behind it: the next branch, or what follows
/// `fi`.
pub fn branch(items: &[Item]) -> (&[Item], &[Item]) {
    let mut depth = 0;
    for (index, item) in items.iter().enumerate() {
        if index > 0 && depth == 0 && is_keyword(item, &["elif", "else", "fi"]) {
            return (&items[..index], &items[index..]);
        }
        if index > 0 {
            depth += nesting(item);
        } else if let Item::Command(_, simple) = item {
            let inner = Simple { words: simple.words[1..].to_vec(), ..Simple::default() };
            depth += nesting(&Item::Command(Arc::clone(line_of(item)), inner));
        }
    }
    (items, &[])
}

fn line_of(item: &Item) -> &Arc<Line> {
    static NOWHERE: std::sync::LazyLock<Arc<Line>> =
        std::sync::LazyLock::new(|| Arc::new(Line { file: "".into(), number: 0, text: "".into() }));
    match item {
        Item::Command(line, _) | Item::Saved(line) => line,
        Item::Place(..) => &NOWHERE,
    }
}

/// The items without the reserved word that the first one begins with.
pub fn without_keyword(items: &[Item]) -> Vec<Item> {
    let mut items = items.to_vec();
    if let Some(Item::Command(_, simple)) = items.first_mut()
        && keyword(simple).is_some()
    {
        simple.words.remove(0);
        if simple.words.is_empty() {
            items.remove(0);
        }
    }
    items
}

/// How a command changes the number of open blocks.
fn nesting(item: &Item) -> i32 {
    let Item::Command(_, simple) = item else { return 0 };
    let mut depth = match keyword(simple) {
        Some("if" | "for" | "while" | "until" | "case" | "{") => 1,
        Some("fi" | "done" | "esac" | "}") => -1,
        _ => 0,
    };
    // `then if …`, `name() { …`, `do {`.
    if matches!(keyword(simple), Some("then" | "else" | "do" | "!" | "time")) {
        let inner = Simple { words: simple.words[1..].to_vec(), ..Simple::default() };
        depth += match keyword(&inner) {
            Some("if" | "for" | "while" | "until" | "case" | "{") => 1,
            _ => 0,
        };
    }
    if is_definition(simple) && simple.words.iter().any(|word| is_text(word, "{")) {
        depth += 1;
    }
    depth
}
