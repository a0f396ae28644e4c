//! One change of a plan, as a line of the difference and as data.

use std::io::{self, Write};

use dwnl::plan::Change;
use dwnl::ruleset::{BaseChain, ChainPath, Family, Origin, Place, Rule, RuleContent, TablePath};
use serde::{Serialize, Serializer};

use super::style::{ADDED, REMARK, REMOVED};
use super::words::{self, OriginReport, Words};

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
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Op {
    AddTable,
    AddChain,
    AddRule,
    DeleteRule,
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
        }
    }

    fn chain(op: Op, path: &'a ChainPath) -> ChangeReport<'a> {
        ChangeReport { chain: Some(&path.chain), ..ChangeReport::table(op, &path.table) }
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

    /// The table and chain, to compare.
    pub fn address(&self) -> (Family, &str, Option<&str>) {
        (self.family, self.table, self.chain)
    }

    /// The table and chain, as nft writes them.
    pub fn path(&self) -> String {
        match self.chain {
            Some(chain) => format!("{} {} {chain}", self.family, self.table),
            None => format!("{} {}", self.family, self.table),
        }
    }

    /// Writes what becomes of the chain or table, behind its name.
    pub fn write_heading(&self, out: &mut dyn Write) -> io::Result<()> {
        match (self.op, self.base) {
            (Op::AddTable, _) => write!(out, " (new table)"),
            (Op::AddChain, None) => write!(out, " (new chain)"),
            (Op::AddChain, Some(base)) => write!(out, " (new chain: {base})"),
            (Op::DeleteChain, _) => write!(out, " (chain deleted)"),
            (Op::DeleteTable, _) => write!(out, " (table deleted)"),
            (Op::AddRule | Op::DeleteRule, _) => Ok(()),
        }
    }

    /// Writes the line of a rule; `verbose`: with its place or handle and its origin.
    pub fn write_line(&self, out: &mut dyn Write, verbose: bool) -> io::Result<()> {
        let (Some(chain), Some(rule)) = (self.chain, self.rule) else { return Ok(()) };
        let (sign, style) = if self.op == Op::AddRule { ('+', ADDED) } else { ('-', REMOVED) };
        write!(out, "{style}{sign} -A {chain} {rule}{style:#}")?;
        if verbose {
            self.write_remark(out)?;
        }
        writeln!(out)
    }

    fn write_remark(&self, out: &mut dyn Write) -> io::Result<()> {
        let handle = self.handle.map(|handle| format!("handle {handle}"));
        let before = self.before.map(|handle| format!("before handle {handle}"));
        let origin = self.origin.map(Origin::to_string);
        let remarks: Vec<String> = handle.into_iter().chain(before).chain(origin).collect();
        if remarks.is_empty() {
            return Ok(());
        }
        write!(out, "  {REMARK}# {}{REMARK:#}", remarks.join(", "))
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
