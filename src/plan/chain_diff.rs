//! The changes for one chain: as few as possible, and every unchanged rule remains in its place.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::Change;
use super::lis::longest_increasing;
use crate::model::{Chain, ChainPath, InstalledRule, Ownership, Position, Rule};

/// The difference for one chain that exists.
pub(super) struct ChainDiff<'a> {
    desired: &'a Chain,
    installed: &'a [InstalledRule],
    /// The desired rules that remain, by their index in `desired`.
    kept: Vec<(usize, &'a InstalledRule)>,
    /// The installed rules that are deleted.
    removed: Vec<&'a InstalledRule>,
    /// The first foreign rule; all of dwnl's come before it.
    first_foreign: Option<u64>,
}

impl<'a> ChainDiff<'a> {
    pub(super) fn new(desired: &'a Chain, installed: &'a [InstalledRule]) -> ChainDiff<'a> {
        let mut difference = ChainDiff {
            desired,
            installed,
            kept: Vec::new(),
            removed: Vec::new(),
            first_foreign: None,
        };
        if desired.ownership != Ownership::Referenced {
            difference.compare();
        }
        difference
    }

    fn compare(&mut self) {
        let index: HashMap<&Rule, usize> =
            self.desired.rules.iter().enumerate().map(|(i, desired)| (&desired.rule, i)).collect();
        let mut candidates = Vec::new();
        for rule in self.installed {
            let known = rule.content.known();
            let is_retired = || known.is_some_and(|known| self.desired.retired.contains(known));
            match known.and_then(|known| index.get(known)) {
                Some(place) if self.first_foreign.is_none() => {
                    candidates.push((*place, rule));
                }
                Some(_) => self.removed.push(rule),
                None if self.desired.ownership == Ownership::Exclusive || is_retired() => {
                    self.removed.push(rule);
                }
                None => self.first_foreign = self.first_foreign.or(Some(rule.handle)),
            }
        }
        self.choose(&candidates);
    }

    /// Keeps as many candidates as are in the desired order, and removes the others.
    fn choose(&mut self, candidates: &[(usize, &'a InstalledRule)]) {
        let order: Vec<usize> = candidates.iter().map(|(place, _)| *place).collect();
        let mut chosen = longest_increasing(&order).into_iter().peekable();
        for (position, (place, rule)) in candidates.iter().enumerate() {
            if chosen.next_if_eq(&position).is_some() {
                self.kept.push((*place, rule));
            } else {
                self.removed.push(rule);
            }
        }
    }

    /// How many of dwnl's rules remain.
    pub(super) fn unchanged(&self) -> usize {
        self.kept.len()
    }

    /// Appends the change that deletes all rules of a chain of dwnl's, to be added again by
    /// [`ChainDiff::reattach_rules`].
    pub(super) fn detach_rules(&self, changes: &mut Vec<Change>) {
        let contents = self.removed.iter().map(|rule| rule.content.clone()).collect();
        changes.push(Change::FlushChain { chain: Arc::clone(&self.desired.path), contents });
    }

    /// Appends the changes that fill a detached chain: rules that remain keep their counters.
    pub(super) fn reattach_rules(self, changes: &mut Vec<Change>) {
        let chain = &self.desired.path;
        let mut kept = self.kept.into_iter().peekable();
        for (i, desired) in self.desired.rules.iter().enumerate() {
            let (chain, rule) = (Arc::clone(chain), desired.rule.clone());
            changes.push(match kept.next_if(|(place, _)| *place == i) {
                Some((_, InstalledRule { packets, bytes, .. })) => {
                    Change::RestoreRule { chain, rule, packets: *packets, bytes: *bytes }
                }
                None => {
                    let origin = desired.origin.clone();
                    Change::AddRule { chain, place: Position::Append, rule, origin }
                }
            });
        }
    }

    /// Appends the changes: first deletions, then additions.
    pub(super) fn push_onto(self, changes: &mut Vec<Change>) {
        let chain = &self.desired.path;
        let empties = !self.removed.is_empty() && self.removed.len() == self.installed.len();
        if empties {
            changes.push(flush(chain, self.installed));
        } else {
            changes.extend(self.removed.iter().map(|rule| delete(self.desired, rule)));
        }
        if self.desired.ownership == Ownership::Referenced {
            return;
        }
        let mut kept = self.kept.into_iter().peekable();
        for (i, desired) in self.desired.rules.iter().enumerate() {
            if kept.next_if(|(place, _)| *place == i).is_some() {
                continue;
            }
            let next = kept.peek().map(|(_, rule)| rule.handle).or(self.first_foreign);
            changes.push(Change::AddRule {
                chain: Arc::clone(chain),
                place: next.map_or(Position::Append, Position::Before),
                rule: desired.rule.clone(),
                origin: desired.origin.clone(),
            });
        }
    }
}

/// dwnl's rules among those of a chain that other programs use too.
pub(super) fn own_rules<'a>(
    desired: &Chain,
    installed: &'a [InstalledRule],
) -> impl Iterator<Item = &'a InstalledRule> {
    let own: HashSet<&Rule> = desired.rules.iter().map(|desired| &desired.rule).collect();
    installed
        .iter()
        .filter(move |rule| rule.content.known().is_some_and(|known| own.contains(known)))
}

pub(super) fn delete(chain: &Chain, rule: &InstalledRule) -> Change {
    Change::DeleteRule {
        chain: Arc::clone(&chain.path),
        handle: rule.handle,
        content: rule.content.clone(),
    }
}

pub(super) fn flush(chain: &Arc<ChainPath>, rules: &[InstalledRule]) -> Change {
    Change::FlushChain {
        chain: Arc::clone(chain),
        contents: rules.iter().map(|rule| rule.content.clone()).collect(),
    }
}
