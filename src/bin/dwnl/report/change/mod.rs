//! A change of a plan, as JSON and as lines of the difference.

mod lines;

use dwnl::model::{Interval, Origin, Position, RuleContent, SetKind, SetPath};
use dwnl::plan::Change;
use serde::{Serialize, Serializer};

use super::format::{self, BaseChainReport, OriginReport, RuleText};
use super::object::{ChainName, Object, SetName, TableName};
use super::set_elements::{Definition, Elements};

/// What a map holds, in words.
pub const MAP_DESCRIPTION: &str = "the chains of the ports";

/// A change of the kernel's ruleset. In JSON, `op` is the operation.
#[derive(Debug, Serialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum ChangeReport<'a> {
    /// Create a table.
    AddTable(TableName<'a>),
    /// Delete a table, after all that it contains.
    DeleteTable(TableName<'a>),
    /// Create a chain.
    AddChain {
        #[serde(flatten)]
        chain: ChainName<'a>,
        /// `None` for a chain that is not a base chain.
        base_chain: Option<BaseChainReport>,
    },
    /// Delete a chain.
    DeleteChain(ChainName<'a>),
    /// Insert a rule.
    AddRule {
        #[serde(flatten)]
        chain: ChainName<'a>,
        rule: RuleText<'a>,
        /// The handle of the rule that follows it; `None` at the end of the chain.
        before_handle: Option<u64>,
        #[serde(serialize_with = "serialize_origin")]
        origin: Option<&'a Origin>,
    },
    /// Delete a rule.
    DeleteRule {
        #[serde(flatten)]
        chain: ChainName<'a>,
        rule: RuleText<'a>,
        /// Its handle; `None` if its chain is flushed or its table deleted.
        handle: Option<u64>,
    },
    /// Create a set.
    AddSet {
        #[serde(flatten)]
        set: SetName<'a>,
        #[serde(serialize_with = "format::display")]
        definition: Definition,
    },
    /// Add elements to a set.
    AddElements {
        #[serde(flatten)]
        set: SetName<'a>,
        /// What the elements are, in words.
        description: &'a str,
        element_count: usize,
        elements: Option<Elements<'a>>,
    },
    /// Remove some elements from a set.
    DeleteElements {
        #[serde(flatten)]
        set: SetName<'a>,
        element_count: usize,
        elements: Option<Elements<'a>>,
    },
    /// Remove all elements from a set.
    FlushSet {
        #[serde(flatten)]
        set: SetName<'a>,
        element_count: usize,
    },
    /// Delete a set with all elements.
    DeleteSet {
        #[serde(flatten)]
        set: SetName<'a>,
        element_count: usize,
    },
}

impl<'a> ChangeReport<'a> {
    /// The changes in their order. A flushed chain appears as the deletion of its rules without
    /// those that are restored, a replaced set as the elements that it loses and gains, and a
    /// deleted table after its contents.
    pub fn list(changes: &'a [Change]) -> Vec<ChangeReport<'a>> {
        let mut list = Vec::with_capacity(changes.len());
        for change in changes {
            ChangeReport::push(change, &mut list);
        }
        list
    }

    fn push(change: &'a Change, list: &mut Vec<ChangeReport<'a>>) {
        let report = match change {
            Change::AddTable(table) => ChangeReport::AddTable(table.into()),
            Change::DeleteTable { table, contents } => {
                contents.iter().for_each(|change| ChangeReport::push(change, list));
                ChangeReport::DeleteTable(table.into())
            }
            Change::AddChain(chain, base) => ChangeReport::AddChain {
                chain: chain.as_ref().into(),
                base_chain: base.as_ref().map(|base| BaseChainReport(*base)),
            },
            Change::DeleteChain(chain) => ChangeReport::DeleteChain(chain.as_ref().into()),
            Change::AddRule { chain, place, rule, origin } => ChangeReport::AddRule {
                chain: chain.as_ref().into(),
                rule: RuleText::Rule(rule),
                before_handle: before_handle(*place),
                origin: origin.as_deref(),
            },
            Change::DeleteRule { chain, handle, content } => {
                ChangeReport::deletion(chain.as_ref().into(), content, Some(*handle))
            }
            Change::FlushChain { chain, contents } => {
                let chain = chain.as_ref().into();
                let deletion = |content| ChangeReport::deletion(chain, content, None);
                return list.extend(contents.iter().map(deletion));
            }
            Change::RestoreRule { .. } => return,
            Change::AddMap(..)
            | Change::AddTargets { .. }
            | Change::DeleteTargets { .. }
            | Change::DeleteMap { .. } => return list.extend(ChangeReport::of_map(change)),
            Change::AddSet(..)
            | Change::DeleteSet { .. }
            | Change::AddElements { .. }
            | Change::DeleteElements { .. }
            | Change::ReplaceSet { .. } => return ChangeReport::push_set_change(change, list),
        };
        list.push(report);
    }

    /// A change of a map, in the terms of sets.
    fn of_map(change: &'a Change) -> Option<ChangeReport<'a>> {
        Some(match change {
            Change::AddMap(map) => {
                ChangeReport::AddSet { set: map.as_ref().into(), definition: Definition::Map }
            }
            Change::AddTargets { map, elements } => ChangeReport::AddElements {
                set: map.as_ref().into(),
                description: MAP_DESCRIPTION,
                element_count: elements.len(),
                elements: Some(Elements::Map(elements)),
            },
            Change::DeleteTargets { map, elements } => ChangeReport::DeleteElements {
                set: map.as_ref().into(),
                element_count: elements.len(),
                elements: Some(Elements::Map(elements)),
            },
            Change::DeleteMap { map, elements } => {
                ChangeReport::DeleteSet { set: map.as_ref().into(), element_count: elements.len() }
            }
            _ => return None,
        })
    }

    fn push_set_change(change: &'a Change, list: &mut Vec<ChangeReport<'a>>) {
        let report = match change {
            Change::AddSet(set, kind) => ChangeReport::AddSet {
                set: set.as_ref().into(),
                definition: Definition::Set(*kind),
            },
            Change::DeleteSet { set, elements } => {
                ChangeReport::DeleteSet { set: set.as_ref().into(), element_count: *elements }
            }
            Change::AddElements { set, kind, elements, origin } => ChangeReport::AddElements {
                set: set.as_ref().into(),
                description: origin,
                element_count: elements.len(),
                elements: Elements::all(elements, *kind),
            },
            Change::DeleteElements { set, kind, elements } => ChangeReport::DeleteElements {
                set: set.as_ref().into(),
                element_count: elements.len(),
                elements: Elements::all(elements, *kind),
            },
            Change::ReplaceSet { set, kind, elements, before, unchanged, origin } => {
                list.push(ChangeReport::reduction(set, *kind, before, elements, *unchanged));
                ChangeReport::AddElements {
                    set: set.as_ref().into(),
                    description: origin,
                    element_count: elements.len() - unchanged,
                    elements: Elements::without(elements, before, *kind),
                }
            }
            _ => return,
        };
        list.push(report);
    }

    fn deletion(
        chain: ChainName<'a>,
        content: &'a RuleContent,
        handle: Option<u64>,
    ) -> ChangeReport<'a> {
        ChangeReport::DeleteRule { chain, rule: content.into(), handle }
    }

    /// What a set that is replaced loses: some of its elements, or all.
    fn reduction(
        set: &'a SetPath,
        kind: SetKind,
        before: &'a [Interval],
        after: &'a [Interval],
        unchanged: usize,
    ) -> ChangeReport<'a> {
        let (set, element_count) = (set.into(), before.len() - unchanged);
        if unchanged == 0 {
            return ChangeReport::FlushSet { set, element_count };
        }
        let elements = Elements::without(before, after, kind);
        ChangeReport::DeleteElements { set, element_count, elements }
    }

    /// The table, chain or set that changes.
    pub fn object(&self) -> Object<'a> {
        match self {
            ChangeReport::AddTable(table) | ChangeReport::DeleteTable(table) => {
                Object::Table(*table)
            }
            ChangeReport::AddChain { chain, .. }
            | ChangeReport::DeleteChain(chain)
            | ChangeReport::AddRule { chain, .. }
            | ChangeReport::DeleteRule { chain, .. } => Object::Chain(*chain),
            ChangeReport::AddSet { set, .. }
            | ChangeReport::AddElements { set, .. }
            | ChangeReport::DeleteElements { set, .. }
            | ChangeReport::FlushSet { set, .. }
            | ChangeReport::DeleteSet { set, .. } => Object::Set(*set),
        }
    }
}

fn before_handle(place: Position) -> Option<u64> {
    match place {
        Position::Append => None,
        Position::Before(handle) => Some(handle),
    }
}

fn serialize_origin<S: Serializer>(
    origin: &Option<&Origin>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    origin.map(OriginReport::from).serialize(serializer)
}
