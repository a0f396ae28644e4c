//! One change of a plan, as lines of the difference and as data.

use std::io::{self, Write};

use dwnl::plan::Change;
use dwnl::ruleset::{
    BaseChain, ChainPath, Family, Interval, Origin, Place, Rule, RuleContent, SetKind, SetPath,
    TablePath,
};
use serde::{Serialize, Serializer};

use super::elements::Elements;
use super::style::{ADDED, REMARK, REMOVED};
use super::words::{self, Count, OriginReport, Words};

/// So many elements are told one by one even if nobody asks for them.
const FEW: usize = 10;

/// One change of the kernel's ruleset.
#[derive(Debug, Serialize)]
pub struct ChangeReport<'a> {
    op: Op,
    #[serde(serialize_with = "words::family")]
    family: Family,
    table: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    chain: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<Words<'a>>,
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
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "words::kind")]
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
    /// The changes in their order; a flushed chain is told as the deletion of its rules.
    pub fn list(changes: &'a [Change]) -> Vec<ChangeReport<'a>> {
        let mut list = Vec::with_capacity(changes.len());
        for change in changes {
            ChangeReport::push(change, &mut list);
        }
        list
    }

    fn push(change: &'a Change, list: &mut Vec<ChangeReport<'a>>) {
        list.push(match change {
            Change::AddTable(table) => ChangeReport::table(Op::AddTable, table),
            Change::DeleteTable(table) => ChangeReport::table(Op::DeleteTable, table),
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
                ..ChangeReport::elements(Op::AddElements, set, *kind, elements)
            },
            Change::DeleteElements { set, kind, elements } => {
                ChangeReport::elements(Op::DeleteElements, set, *kind, elements)
            }
            Change::FlushSet { set, elements } => {
                ChangeReport { count: Some(*elements), ..ChangeReport::set(Op::FlushSet, set) }
            }
            Change::DeleteSet { set, elements } => {
                ChangeReport { count: Some(*elements), ..ChangeReport::set(Op::DeleteSet, set) }
            }
            Change::FlushChain { chain, contents } => {
                let deletion = |content| ChangeReport::deletion(chain, content);
                return list.extend(contents.iter().map(deletion));
            }
        });
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
        kind: SetKind,
        list: &'a [Interval],
    ) -> ChangeReport<'a> {
        let elements = Some(Elements { list, family: kind.family });
        ChangeReport { count: Some(list.len()), elements, ..ChangeReport::set(op, path) }
    }

    fn addition(
        chain: &'a ChainPath,
        place: Place,
        rule: &'a Rule,
        origin: Option<&'a Origin>,
    ) -> ChangeReport<'a> {
        let before = match place {
            Place::Last => None,
            Place::Before(handle) => Some(handle),
        };
        let rule = Some(Words::Rule(rule));
        ChangeReport { rule, before, origin, ..ChangeReport::chain(Op::AddRule, chain) }
    }

    fn deletion(chain: &'a ChainPath, content: &'a RuleContent) -> ChangeReport<'a> {
        ChangeReport { rule: Some(content.into()), ..ChangeReport::chain(Op::DeleteRule, chain) }
    }

    /// The table and chain or set, to compare.
    pub fn address(&self) -> (Family, &str, Option<&str>, Option<&str>) {
        (self.family, self.table, self.chain, self.set)
    }

    /// The table and chain or set, as nft writes them.
    pub fn path(&self) -> String {
        match self.chain.or(self.set) {
            Some(name) => format!("{} {} {name}", self.family, self.table),
            None => format!("{} {}", self.family, self.table),
        }
    }

    /// Writes what becomes of the table, chain or set, behind its name.
    pub fn write_heading(&self, out: &mut dyn Write) -> io::Result<()> {
        match (self.op, self.base, self.kind) {
            (Op::AddTable, ..) => write!(out, " (new table)"),
            (Op::AddChain, Some(base), _) => write!(out, " (new chain: {base})"),
            (Op::AddChain, ..) => write!(out, " (new chain)"),
            (Op::AddSet, _, Some(kind)) => write!(out, " (new set: {kind})"),
            (Op::DeleteSet, ..) => write!(out, " (set deleted)"),
            (Op::DeleteChain, ..) => write!(out, " (chain deleted)"),
            (Op::DeleteTable, ..) => write!(out, " (table deleted)"),
            _ => Ok(()),
        }
    }

    /// Writes the line of a rule, or those of elements; `verbose`: with its place or handle and
    /// its origin, and every element.
    pub fn write_lines(&self, out: &mut dyn Write, verbose: bool) -> io::Result<()> {
        let (sign, style) = match self.op {
            Op::AddRule | Op::AddElements => ("+ ", ADDED),
            _ => ("- ", REMOVED),
        };
        let remark = if verbose { self.remark() } else { String::new() };
        match (self.rule, self.elements, self.count) {
            (Some(rule), ..) => {
                writeln!(out, "{style}{sign}{}{rule}{style:#}{remark}", self.append())
            }
            (_, Some(elements), _) if verbose || elements.list.len() <= FEW => {
                elements.write_lines(out, style, sign, &remark)
            }
            (_, _, None | Some(0)) => Ok(()),
            (_, elements, Some(count)) => {
                let all = if elements.is_none() && count > 1 { "all " } else { "" };
                writeln!(out, "{style}{sign}{all}{}{style:#}", Count(count, "element"))
            }
        }
    }

    /// What iptables wants before a rule; nft lists rules bare.
    fn append(&self) -> String {
        match self.chain {
            Some(chain) if self.family != Family::Inet => format!("-A {chain} "),
            _ => String::new(),
        }
    }

    /// What stands behind a line to explain it, if there is anything to tell.
    fn remark(&self) -> String {
        let handle = self.handle.map(|handle| format!("handle {handle}"));
        let before = self.before.map(|handle| format!("before handle {handle}"));
        let origin = self.origin.map(Origin::to_string).or(self.holds.map(str::to_owned));
        let remarks: Vec<String> = handle.into_iter().chain(before).chain(origin).collect();
        if remarks.is_empty() {
            return String::new();
        }
        format!("  {REMARK}# {}{REMARK:#}", remarks.join(", "))
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
