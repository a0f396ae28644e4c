//! Shell scripts that run iptables: variables, loops over words, functions and branches, as far as they
//! can be followed without running anything.

mod blocks;
mod tokens;
mod variables;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::rule::Line;
use super::saved::{self, Place};
use super::tables::{Scope, Tables};
use super::words::Word;
use crate::model::IpVersion;
use blocks::{
    body, branch, is_definition, is_text, keyword, text, text_word, until, without_keyword,
};
use tokens::Parts;
pub use tokens::{Follows, Simple, commands};
use variables::{Variables, assignment};

/// A part of a file, in its order.
#[derive(Clone, Debug)]
pub enum Item {
    /// A command.
    Command(Arc<Line>, Simple),
    /// A line of iptables-save, `iptables -S` or `ipset save`.
    Saved(Arc<Line>),
    /// The lines that follow are of this version and table.
    Place(IpVersion, Option<String>),
}

/// Maximum number of commands that are run: loops and functions repeat them.
const COMMANDS_MAX: usize = 1_000_000;
/// Maximum number of functions, loops and branches in each other.
const DEPTH_MAX: usize = 16;
/// How often the condition of a loop is run that deletes rules: until there are none.
const DELETIONS: usize = 64;

/// Runs the commands of files.
pub struct Script<'a> {
    pub tables: &'a mut Tables,
    pub place: Place,
    variables: Variables,
    functions: BTreeMap<String, Vec<Item>>,
    budget: usize,
}

impl<'a> Script<'a> {
    pub fn new(tables: &'a mut Tables, place: Place) -> Script<'a> {
        let (variables, functions) = (Variables::default(), BTreeMap::new());
        Script { tables, place, variables, functions, budget: COMMANDS_MAX }
    }

    /// Runs a file.
    pub fn run(&mut self, items: &[Item]) {
        self.block(items, None, 0);
    }

    /// Runs items; `doubt` says why it cannot be told whether they run.
    fn block(&mut self, mut items: &[Item], doubt: Option<&str>, depth: usize) {
        while let Some((first, rest)) = items.split_first() {
            items = match first {
                Item::Place(version, table) => {
                    self.place.version = *version;
                    if let Some(table) = table {
                        self.place.table.clone_from(table);
                    }
                    rest
                }
                Item::Saved(line) => {
                    self.saved(line, doubt);
                    rest
                }
                Item::Command(line, simple) => self.command(line, simple, items, doubt, depth),
            };
        }
    }

    fn saved(&mut self, line: &Arc<Line>, doubt: Option<&str>) {
        // A here-document is expanded like other text.
        let words = match line.text.contains('$') && !self.variables.is_empty() {
            true => commands(&line.text)
                .first()
                .map(|simple| self.variables.expand(&simple.words))
                .unwrap_or_default(),
            false => saved::words(&line.text),
        };
        saved::run(self.tables, &mut self.place, line, &words, doubt);
    }

    /// Runs the first of the items, with the block that it begins, and returns what is behind.
    fn command<'i>(
        &mut self,
        line: &Arc<Line>,
        simple: &Simple,
        items: &'i [Item],
        doubt: Option<&str>,
        depth: usize,
    ) -> &'i [Item] {
        let rest = &items[1..];
        let deepest = depth >= DEPTH_MAX;
        if self.budget == 0 || deepest {
            self.tables.note(line, "the script is nested too deeply or runs too long");
            return &[];
        }
        self.budget -= 1;
        match keyword(simple) {
            Some("for") => {
                let (body, behind) = body(items, "do", "done");
                self.repeat(simple, &body, doubt, depth);
                behind
            }
            Some("while" | "until") => {
                let (condition, _) = until(items, "do");
                let (body, behind) = body(items, "do", "done");
                self.conditions(condition, doubt, depth);
                self.forget_assigned(&body);
                self.block(&body, Some("it is in a loop of the script"), depth + 1);
                behind
            }
            Some("if" | "elif") => {
                let (condition, behind) = until(items, "then");
                self.block(&without_keyword(condition), doubt, depth + 1);
                behind
            }
            Some("then" | "else") => {
                let (branch, behind) = branch(items);
                let branch = without_keyword(branch);
                self.block(&branch, Some("it is in a branch of the script"), depth + 1);
                self.forget_assigned(&branch);
                behind
            }
            Some("case") => {
                let (cases, behind) = until(rest, "esac");
                self.block(cases, Some("it is in a branch of the script"), depth + 1);
                self.forget_assigned(cases);
                behind
            }
            Some("{" | "do" | "!" | "time") => {
                let inner = Simple { words: simple.words[1..].to_vec(), ..simple.clone() };
                if !inner.words.is_empty() {
                    let one = [Item::Command(Arc::clone(line), inner)];
                    self.block(&one, doubt, depth + 1);
                }
                rest
            }
            Some("}" | "fi" | "done" | "esac") => rest,
            Some("function") => self.define(items),
            _ if is_definition(simple) => self.define(items),
            _ => {
                // A file is replaced or a chain made only if the command before says so; that is
                // what scripts do to run twice, so both are taken to run.
                self.simple(line, simple, doubt, depth);
                rest
            }
        }
    }

    /// `for NAME in WORD…`.
    fn repeat(&mut self, simple: &Simple, body: &[Item], doubt: Option<&str>, depth: usize) {
        let words = self.variables.expand(simple.words.get(1..).unwrap_or_default());
        let Some((name, values)) = words.split_first() else { return };
        let values = values.get(1..).unwrap_or_default();
        if values.is_empty() || values.iter().any(|value| value.is_unknown) {
            self.variables.set(name.text.clone(), None);
            self.forget_assigned(body);
            return self.block(body, Some("it is in a loop over unknown words"), depth + 1);
        }
        for value in values {
            self.variables.set(name.text.clone(), Some(value.text.clone()));
            self.block(body, doubt, depth + 1);
        }
    }

    /// Runs the condition of a loop, which deletes rules until there is none left.
    fn conditions(&mut self, condition: &[Item], doubt: Option<&str>, depth: usize) {
        let condition = without_keyword(condition);
        let is_deletion = |item: &Item| match item {
            Item::Command(_, simple) => simple.words.iter().any(|word| is_text(word, "-D")),
            _ => false,
        };
        let times = if condition.iter().any(is_deletion) { DELETIONS } else { 1 };
        for _ in 0..times {
            self.block(&condition, doubt, depth + 1);
        }
    }

    /// Remembers the body of a function, and returns what is behind it.
    fn define<'i>(&mut self, items: &'i [Item]) -> &'i [Item] {
        let Some(Item::Command(line, simple)) = items.first() else { return &[] };
        let words = match keyword(simple) {
            Some("function") => &simple.words[1..],
            _ => &simple.words[..],
        };
        let name = words.first().map(text).unwrap_or_default();
        // What follows the name begins the body, as far as it is on the same line.
        let mut first: &[Parts] = words.get(1..).unwrap_or_default();
        let mut rest = &items[1..];
        first = first.strip_prefix(&[text_word("()")]).unwrap_or(first);
        if first.is_empty()
            && let Some(Item::Command(_, next)) = rest.first()
        {
            (first, rest) = (&next.words, &rest[1..]);
        }
        first = first.strip_prefix(&[text_word("{")]).unwrap_or(first);
        let (inner, behind) = until(rest, "}");
        let mut body = inner.to_vec();
        if !first.is_empty() {
            let words = Simple { words: first.to_vec(), ..Simple::default() };
            body.insert(0, Item::Command(Arc::clone(line), words));
        }
        self.functions.insert(name.trim_end_matches("()").to_owned(), body);
        behind
    }

    /// Variables that a block may or may not have set.
    fn forget_assigned(&mut self, items: &[Item]) {
        for item in items {
            let Item::Command(_, simple) = item else { continue };
            let is_read = simple.words.iter().position(|word| is_text(word, "read"));
            if let Some(at) = is_read {
                for name in &simple.words[at + 1..] {
                    self.variables.set(text(name), None);
                }
            }
            for name in simple.words.iter().filter_map(|word| Some(assignment(word)?.0)) {
                self.variables.set(name, None);
            }
        }
    }

    /// A command that is no reserved word.
    fn simple(&mut self, line: &Arc<Line>, simple: &Simple, doubt: Option<&str>, depth: usize) {
        let assigned = simple.words.iter().take_while(|word| assignment(word).is_some()).count();
        for (name, value) in simple.words[..assigned].iter().filter_map(assignment) {
            let value = self.variables.value(&value);
            self.variables.set(name, value);
        }
        let words = self.variables.expand(&simple.words[assigned..]);
        let mut words = words.as_slice();
        let piped = match simple.follows {
            Follows::Pipe => Some("its input comes from another command"),
            _ => None,
        };
        while let [first, rest @ ..] = words {
            match basename(first) {
                "sudo" | "command" | "exec" | "env" | "nohup" | "nice" | "true" | ":" => {
                    words = rest
                }
                "export" | "local" | "readonly" | "declare" | "typeset" => {
                    let assigned = simple.words.iter().filter_map(assignment).collect::<Vec<_>>();
                    for (name, value) in assigned {
                        let value = self.variables.value(&value);
                        self.variables.set(name, value);
                    }
                    return;
                }
                name => {
                    let name = name.to_owned();
                    return self.program(line, &name, first, rest, doubt.or(piped), simple, depth);
                }
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "all parts of one command")]
    fn program(
        &mut self,
        line: &Arc<Line>,
        name: &str,
        first: &Word,
        rest: &[Word],
        doubt: Option<&str>,
        simple: &Simple,
        depth: usize,
    ) {
        if let Some(body) = self.functions.get(name).cloned() {
            return self.call(&body, rest, doubt, depth);
        }
        if let Some(version) = iptables(name) {
            return self.iptables(line, &[version], rest, doubt);
        }
        if let Some(version) = restore(name) {
            self.place.version = version;
            if let Some(file) = &simple.reads {
                self.tables.note(line, format!("it reads another file: import {file} as well"));
            }
            return;
        }
        if name == "ipset" {
            return saved::set(self.tables, line, rest, doubt);
        }
        let has_command = rest.iter().any(|word| matches!(word.text.as_str(), "-A" | "-I" | "-R"));
        if first.is_unknown && has_command {
            let doubt = doubt.or(Some("the command is not known"));
            return self.iptables(line, &IpVersion::ALL, rest, doubt);
        }
        let inner = rest.iter().position(|word| iptables(basename(word)).is_some());
        if let Some(at) = inner {
            let version = iptables(basename(&rest[at])).unwrap_or(IpVersion::V4);
            let doubt = doubt.or(Some("another command runs it"));
            return self.iptables(line, &[version], &rest[at + 1..], doubt);
        }
        let is_whole = |word: &Word| word.text.contains("tables ");
        if rest.iter().any(is_whole) || matches!(name, "." | "source" | "eval") {
            self.tables.note(line, "what this command runs is not followed");
        }
    }

    /// Runs the body of a function with its arguments.
    fn call(&mut self, body: &[Item], arguments: &[Word], doubt: Option<&str>, depth: usize) {
        let before = self.variables.set_arguments(arguments);
        self.block(body, doubt, depth + 1);
        self.variables.restore_arguments(&before);
    }

    fn iptables(
        &mut self,
        line: &Arc<Line>,
        versions: &[IpVersion],
        words: &[Word],
        doubt: Option<&str>,
    ) {
        let mut table = "filter".to_owned();
        let mut rest = Vec::with_capacity(words.len());
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.text.as_str() {
                "-t" | "--table" => match words.next() {
                    Some(name) if !name.is_unknown => table.clone_from(&name.text),
                    _ => return self.tables.note(line, "the table is not known"),
                },
                text if text.starts_with("--table=") => table = text["--table=".len()..].to_owned(),
                _ => rest.push(word.clone()),
            }
        }
        for version in versions {
            let scope = Scope { version: *version, table: &table, line, doubt };
            self.tables.run(&scope, &rest);
        }
    }
}

/// The version whose rules a program changes.
fn iptables(program: &str) -> Option<IpVersion> {
    match program {
        "iptables" | "iptables-nft" | "iptables-legacy" => Some(IpVersion::V4),
        "ip6tables" | "ip6tables-nft" | "ip6tables-legacy" => Some(IpVersion::V6),
        _ => None,
    }
}

fn restore(program: &str) -> Option<IpVersion> {
    let program = program.replace("-nft", "").replace("-legacy", "");
    match program.as_str() {
        "iptables-restore" => Some(IpVersion::V4),
        "ip6tables-restore" => Some(IpVersion::V6),
        _ => None,
    }
}

fn basename(word: &Word) -> &str {
    word.text.rsplit('/').next().unwrap_or_default()
}
