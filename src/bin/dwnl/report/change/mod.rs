//! One change of a plan, as data and as lines of the difference.

mod text;

use dwnl::model::{
    BaseChain, ChainPath, Family, Interval, Origin, Position, Rule, RuleContent, SetKind, SetPath,
    TablePath,
};
use dwnl::plan::Change;
use serde::{Serialize, Serializer};

use super::elements::Elements;
use super::format::{self, OriginReport, RuleText};

/// One change of the kernel's ruleset.
#[derive(Debug, Serialize)]
pub struct ChangeReport<'a> {
    op: Op,
    #[serde(serialize_with = "format::family")]
    family: Family,
    table: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    chain: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<RuleText<'a>>,
    /// The handle of the rule before which a rule is inserted; without it, it goes to the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    handle: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "hook")]
    base: Option<&'a BaseChain<'static>>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "origin")]
    origin: Option<&'a Origin>,
    #[serde(skip_serializing_if = "Option::is_none")]
    set: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "format::kind")]
    kind: Option<SetKind>,
    /// How many elements come or go.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    elements: Option<Elements<'a>>,
    /// What in the policy gave rise to the elements, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    holds: Option<&'a str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Op {
    AddTable,
    AddChain,
    AddRule,
    DeleteRule,
    AddSet,
    AddElements,
    DeleteElements,
    FlushSet,
    DeleteSet,
    DeleteChain,
    DeleteTable,
}

impl<'a> ChangeReport<'a> {
    /// The changes in their order. A flushed chain is told as the deletion of its rules, those that
    /// are put back are left out, a replaced set is told by what it loses and gains, and a deleted
    /// table after what goes with it.
    pub fn list(changes: &'a [Change]) -> Vec<ChangeReport<'a>> {
        let mut list = Vec::with_capacity(changes.len());
        for change in changes {
            ChangeReport::push(change, &mut list);
        }
        list
    }

    fn push(change: &'a Change, list: &mut Vec<ChangeReport<'a>>) {
        let report = match change {
            Change::AddTable(table) => ChangeReport::table(Op::AddTable, table),
            Change::DeleteTable { table, contents } => {
                contents.iter().for_each(|change| ChangeReport::push(change, list));
                ChangeReport::table(Op::DeleteTable, table)
            }
            Change::AddChain(chain, base) => {
                ChangeReport { base: base.as_ref(), ..ChangeReport::chain(Op::AddChain, chain) }
            }
            Change::DeleteChain(chain) => ChangeReport::chain(Op::DeleteChain, chain),
            Change::AddRule { chain, place, rule, origin } => {
                ChangeReport::addition(chain, *place, rule, origin.as_deref())
            }
            Change::DeleteRule { chain, handle, content } => {
                ChangeReport { handle: Some(*handle), ..ChangeReport::deletion(chain, content) }
            }
            Change::AddSet(set, kind) => {
                ChangeReport { kind: Some(*kind), ..ChangeReport::set(Op::AddSet, set) }
            }
            Change::AddElements { set, kind, elements, origin } => ChangeReport {
                holds: Some(origin),
                ..ChangeReport::all_of(Op::AddElements, set, *kind, elements)
            },
            Change::DeleteElements { set, kind, elements } => {
                ChangeReport::all_of(Op::DeleteElements, set, *kind, elements)
            }
            Change::ReplaceSet { set, kind, elements, before, unchanged, origin } => {
                let of = |list, without| Elements::without(list, without, *kind);
                let removed = before.len() - unchanged;
                return list.extend([
                    ChangeReport::removal(set, of(before, elements), removed, *unchanged > 0),
                    ChangeReport {
                        holds: Some(origin),
                        ..ChangeReport::elements(
                            Op::AddElements,
                            set,
                            of(elements, before),
                            elements.len() - unchanged,
                        )
                    },
                ]);
            }
            Change::DeleteSet { set, elements } => {
                ChangeReport { count: Some(*elements), ..ChangeReport::set(Op::DeleteSet, set) }
            }
            Change::FlushChain { chain, contents } => {
                let deletion = |content| ChangeReport::deletion(chain, content);
                return list.extend(contents.iter().map(deletion));
            }
            Change::RestoreRule { .. } => return,
        };
        list.push(report);
    }

    fn table(op: Op, path: &'a TablePath) -> ChangeReport<'a> {
        ChangeReport {
            op,
            family: path.family,
            table: &path.table,
            chain: None,
            rule: None,
            before: None,
            handle: None,
            base: None,
            origin: None,
            set: None,
            kind: None,
            count: None,
            elements: None,
            holds: None,
        }
    }

    fn chain(op: Op, path: &'a ChainPath) -> ChangeReport<'a> {
        ChangeReport { chain: Some(&path.chain), ..ChangeReport::table(op, &path.table) }
    }

    fn set(op: Op, path: &'a SetPath) -> ChangeReport<'a> {
        ChangeReport { set: Some(&path.set), ..ChangeReport::table(op, &path.table) }
    }

    fn elements(
        op: Op,
        path: &'a SetPath,
        elements: Option<Elements<'a>>,
        count: usize,
    ) -> ChangeReport<'a> {
        ChangeReport { count: Some(count), elements, ..ChangeReport::set(op, path) }
    }

    fn all_of(op: Op, path: &'a SetPath, kind: SetKind, list: &'a [Interval]) -> ChangeReport<'a> {
        ChangeReport::elements(op, path, Elements::all(list, kind), list.len())
    }

    /// The removal of so many elements from a set that keeps others, or of all that it has.
    fn removal(
        path: &'a SetPath,
        elements: Option<Elements<'a>>,
        count: usize,
        keeps_others: bool,
    ) -> ChangeReport<'a> {
        if keeps_others {
            return ChangeReport::elements(Op::DeleteElements, path, elements, count);
        }
        ChangeReport { count: Some(count), ..ChangeReport::set(Op::FlushSet, path) }
    }

    fn addition(
        chain: &'a ChainPath,
        place: Position,
        rule: &'a Rule,
        origin: Option<&'a Origin>,
    ) -> ChangeReport<'a> {
        let before = match place {
            Position::Append => None,
            Position::Before(handle) => Some(handle),
        };
        let rule = Some(RuleText::Rule(rule));
        ChangeReport { rule, before, origin, ..ChangeReport::chain(Op::AddRule, chain) }
    }

    fn deletion(chain: &'a ChainPath, content: &'a RuleContent) -> ChangeReport<'a> {
        ChangeReport { rule: Some(content.into()), ..ChangeReport::chain(Op::DeleteRule, chain) }
    }

    /// The table and chain or set, to compare.
    pub fn address(&self) -> (Family, &str, Option<&str>, Option<&str>) {
        (self.family, self.table, self.chain, self.set)
    }
}

fn hook<S: Serializer>(
    base: &Option<&BaseChain<'static>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    base.map(BaseChain::to_string).serialize(serializer)
}

fn origin<S: Serializer>(origin: &Option<&Origin>, serializer: S) -> Result<S::Ok, S::Error> {
    origin.map(OriginReport::from).serialize(serializer)
}
