//! The chains and ipsets that the input makes, command by command.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::intervals::Intervals;
use super::options;
use super::rule::{Line, Rule, Target};
use super::values;
use super::words::Word;
use crate::model::IpVersion;

/// Where a chain is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChainKey {
    pub version: IpVersion,
    pub table: String,
    pub chain: String,
}

/// A chain.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    pub rules: Vec<Rule>,
    /// Whether a base chain drops what reaches its end.
    pub drops: bool,
}

/// The addresses of an ipset.
#[derive(Clone, Debug)]
pub struct IpSet {
    pub version: IpVersion,
    /// Those that are in it for certain.
    pub certain: Intervals,
    /// Those that may be in it.
    pub possible: Intervals,
}

/// A line that was not translated, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    pub line: Arc<Line>,
    pub reason: String,
}

/// All chains and ipsets.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    chains: BTreeMap<ChainKey, Chain>,
    sets: BTreeMap<String, IpSet>,
    /// Lines that could not be read.
    pub notes: Vec<Note>,
}

/// Where an `iptables` command works, and on behalf of which line.
pub struct Scope<'a> {
    pub version: IpVersion,
    pub table: &'a str,
    pub line: &'a Arc<Line>,
    /// Why it cannot be told whether the command runs.
    pub doubt: Option<&'a str>,
}

/// Chains whose rules decide about published ports; a rule of an unknown chain may be one of theirs.
const DECIDING: [(&str, &str); 4] = [
    ("nat", "DOCKER-BLOCK"),
    ("nat", "PREROUTING"),
    ("filter", "FORWARD"),
    ("filter", "DOCKER-USER"),
];

impl Tables {
    /// The chain, if the input makes it.
    pub fn chain(&self, version: IpVersion, table: &str, chain: &str) -> Option<&Chain> {
        self.chains.get(&key(version, table, chain))
    }

    /// The ipset, if the input makes it.
    pub fn set(&self, name: &str) -> Option<&IpSet> {
        self.sets.get(name)
    }

    /// The ipset that holds just these addresses.
    pub fn set_of(&self, values: &Intervals, version: IpVersion) -> Option<&String> {
        let is_same = |set: &IpSet| set.version == version && set.certain == *values;
        self.sets.iter().find_map(|(name, set)| is_same(set).then_some(name))
    }

    /// Every chain.
    pub fn chains(&self) -> impl Iterator<Item = (&ChainKey, &Chain)> {
        self.chains.iter()
    }

    pub fn note(&mut self, line: &Arc<Line>, reason: impl Into<String>) {
        self.notes.push(Note { line: Arc::clone(line), reason: reason.into() });
    }

    /// Creates a chain if it is missing. `policy` is that of a base chain, or `-`.
    pub fn declare(&mut self, version: IpVersion, table: &str, chain: &str, policy: &str) {
        let chain = self.chains.entry(key(version, table, chain)).or_default();
        match policy {
            "DROP" | "REJECT" => chain.drops = true,
            "ACCEPT" => chain.drops = false,
            _ => {}
        }
    }

    /// Runs a command of iptables, such as `-A CHAIN -s … -j …`.
    pub fn run(&mut self, scope: &Scope<'_>, words: &[Word]) {
        let is_command = |word: &Word| command(&word.text).is_some();
        let Some(at) = words.iter().position(is_command) else {
            if words.iter().any(|word| word.is_unknown) {
                self.note(scope.line, "the command is not known");
            }
            return;
        };
        let Some(command) = command(&words[at].text) else { return };
        // Options may precede the command.
        let (before, rest) = (&words[..at], &words[at + 1..]);
        let Some((chain, behind)) = rest.split_first() else {
            if let Command::Flush = command {
                self.flush_table(scope);
            }
            return;
        };
        if chain.is_unknown {
            return self.in_unknown_chain(scope, command, behind);
        }
        let spec = [before, behind].concat();
        self.in_chain(scope, command, &chain.text, &spec);
    }

    fn in_chain(&mut self, scope: &Scope<'_>, command: Command, chain: &str, spec: &[Word]) {
        let Scope { version, table, line, doubt } = *scope;
        let doubt = doubt.map(str::to_owned);
        let read =
            |spec: &[Word]| Rule { doubt: doubt.clone(), ..options::read(spec, version, line) };
        let key = key(version, table, chain);
        match command {
            Command::Append => self.chains.entry(key).or_default().rules.push(read(spec)),
            Command::Insert => {
                let (number, spec) = numbered(spec);
                let rules = &mut self.chains.entry(key).or_default().rules;
                let at = number.unwrap_or(1).saturating_sub(1).min(rules.len());
                rules.insert(at, read(spec));
            }
            Command::Replace => {
                let (number, spec) = numbered(spec);
                let rules = &mut self.chains.entry(key).or_default().rules;
                let index = number.and_then(|it| it.checked_sub(1)).filter(|it| *it < rules.len());
                if let Some(index) = index {
                    match &doubt {
                        None => drop(rules.remove(index)),
                        doubt => rules[index].doubt.clone_from(doubt),
                    }
                    rules.insert(index, read(spec));
                }
            }
            Command::Delete => {
                let rule = read(spec);
                self.delete(&key, &rule);
            }
            Command::Flush => {
                if let Some(chain) = self.chains.get_mut(&key) {
                    clear(chain, doubt);
                }
            }
            Command::New => drop(self.chains.entry(key).or_default()),
            Command::Policy => {
                let policy = spec.first().map_or("", |word| &word.text);
                // What is dropped only if a branch is taken is taken to be dropped.
                if doubt.is_none() || policy == "DROP" {
                    self.declare(version, table, chain, policy);
                }
            }
            Command::Rename => {
                let moved = self.chains.remove(&key);
                let to = spec.first().map(|word| word.text.clone());
                if let (Some(moved), Some(chain)) = (moved, to) {
                    self.chains.insert(ChainKey { chain, ..key }, moved);
                }
            }
            Command::Other => {}
        }
    }

    /// Deletes a rule by its number or its words.
    fn delete(&mut self, key: &ChainKey, deleted: &Rule) {
        let Some(chain) = self.chains.get_mut(key) else { return };
        let number = match deleted.words.as_slice() {
            [word] => word.text.parse::<usize>().ok(),
            _ => None,
        };
        let index = match number {
            Some(number) => number.checked_sub(1),
            None => chain.rules.iter().position(|rule| rule.is_same(deleted)),
        };
        let Some(index) = index.filter(|index| *index < chain.rules.len()) else { return };
        match &deleted.doubt {
            None => drop(chain.rules.remove(index)),
            doubt => chain.rules[index].doubt.clone_from(doubt),
        }
    }

    fn flush_table(&mut self, scope: &Scope<'_>) {
        let is_here = |key: &ChainKey| key.version == scope.version && key.table == scope.table;
        for (_, chain) in self.chains.iter_mut().filter(|(key, _)| is_here(key)) {
            clear(chain, scope.doubt.map(str::to_owned));
        }
    }

    /// A rule that may be in any chain only matters if it can refuse: then it may refuse everything.
    fn in_unknown_chain(&mut self, scope: &Scope<'_>, command: Command, spec: &[Word]) {
        let rule = options::read(spec, scope.version, scope.line);
        self.note(scope.line, "the chain is not known");
        let is_harmless = matches!(rule.target, Target::Accept | Target::Return | Target::Continue);
        let is_rule = matches!(command, Command::Append | Command::Insert | Command::Replace);
        if is_harmless || !is_rule {
            return;
        }
        let scope = Scope { doubt: Some("the chain is not known"), ..*scope };
        let tables = DECIDING.iter().filter(|(table, _)| *table == scope.table);
        for (_, chain) in tables {
            self.in_chain(&scope, Command::Append, chain, spec);
        }
    }

    /// Makes an ipset, empty if it is new.
    pub fn create_set(&mut self, name: &str, version: IpVersion) {
        let new = IpSet { version, certain: Intervals::none(), possible: Intervals::none() };
        self.sets.entry(name.to_owned()).or_insert(new);
    }

    /// Adds to an ipset, or with `nomatch` takes out of it. Returns whether that was understood.
    pub fn add_to_set(&mut self, name: &str, element: &str, expires: bool, nomatch: bool) -> bool {
        let Some(set) = self.sets.get_mut(name) else { return false };
        let Some(addresses) = values::addresses(element, set.version) else { return false };
        match nomatch {
            true => set.certain = set.certain.minus(&addresses),
            false => {
                set.possible = set.possible.union(&addresses);
                if !expires {
                    set.certain = set.certain.union(&addresses);
                }
            }
        }
        true
    }

    /// What an ipset holds is not known any more.
    pub fn forget_set(&mut self, name: &str) {
        self.sets.remove(name);
    }
}

fn key(version: IpVersion, table: &str, chain: &str) -> ChainKey {
    ChainKey { version, table: table.to_owned(), chain: chain.to_owned() }
}

fn clear(chain: &mut Chain, doubt: Option<String>) {
    match doubt {
        None => chain.rules.clear(),
        doubt => chain.rules.iter_mut().for_each(|rule| rule.doubt.clone_from(&doubt)),
    }
}

/// The number in front of the words of a rule, if there is one.
fn numbered(spec: &[Word]) -> (Option<usize>, &[Word]) {
    match spec.split_first().map(|(first, rest)| (first.text.parse(), rest)) {
        Some((Ok(number), rest)) => (Some(number), rest),
        _ => (None, spec),
    }
}

/// What a command does.
#[derive(Clone, Copy, Debug)]
enum Command {
    Append,
    Insert,
    Replace,
    Delete,
    Flush,
    New,
    Policy,
    Rename,
    /// It changes no rule.
    Other,
}

fn command(option: &str) -> Option<Command> {
    Some(match option {
        "-A" | "--append" => Command::Append,
        "-I" | "--insert" => Command::Insert,
        "-R" | "--replace" => Command::Replace,
        "-D" | "--delete" => Command::Delete,
        "-F" | "--flush" => Command::Flush,
        "-N" | "--new-chain" | "--new" => Command::New,
        "-P" | "--policy" => Command::Policy,
        "-E" | "--rename-chain" => Command::Rename,
        "-C" | "--check" | "-L" | "--list" | "-S" | "--list-rules" | "-Z" | "--zero" | "-X"
        | "--delete-chain" => Command::Other,
        _ => return None,
    })
}
