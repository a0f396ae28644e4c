//! The report of `show`: what is in the kernel now, and whether it stands where it should.

mod chain;
mod own;
mod table;
#[cfg(test)]
mod tests;
mod text;

use dwnl::model::{
    Chain, Family, ForeignTranslations, Ownership, Ruleset, SetKind, Snapshot, TablePath,
};
use dwnl::{guards_new_ports, installed_translations};
use serde::{Serialize, Serializer};

use super::elements::Elements;
use super::format::{self, RuleText};

/// What the kernel holds of what dwnl puts there.
#[derive(Debug, Serialize)]
pub struct Show<'a> {
    generation: u32,
    tables: Vec<TableReport<'a>>,
    /// Translations of other programs beside the jumps.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[serde(serialize_with = "super::translations::serialize")]
    foreign_translations: Vec<ForeignTranslations>,
    /// Whether the guard knows a port that Docker publishes from now on; without a guard nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    guards_new_ports: Option<bool>,
}

#[derive(Debug, Serialize)]
struct TableReport<'a> {
    #[serde(serialize_with = "format::family")]
    family: Family,
    table: &'a str,
    /// Whether there is anything of dwnl's in it.
    installed: bool,
    chains: Vec<ChainReport<'a>>,
    /// Its sets, if it is wholly dwnl's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sets: Vec<SetReport<'a>>,
}

#[derive(Debug, Serialize)]
struct ChainReport<'a> {
    chain: &'a str,
    /// How much of the chain is dwnl's.
    #[serde(serialize_with = "extent")]
    extent: Ownership,
    exists: bool,
    /// Whether everything in it is where it should be.
    in_place: bool,
    /// The rules of dwnl's that are in it.
    rules: Vec<RuleReport<'a>>,
    /// The rules that should be in it and are not.
    missing: Vec<MissingRule<'a>>,
}

/// A rule in the kernel.
#[derive(Debug, Serialize)]
pub struct RuleReport<'a> {
    /// Its place in the chain, from 1.
    pub position: usize,
    /// The place where it should be, for a rule that has to have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wanted_position: Option<usize>,
    /// The kernel's number for it.
    pub handle: u64,
    /// Packets counted.
    pub packets: u64,
    /// Bytes counted.
    pub bytes: u64,
    /// What it says.
    pub rule: RuleText<'a>,
}

/// A set in the kernel.
#[derive(Debug, Serialize)]
struct SetReport<'a> {
    set: &'a str,
    /// What its elements are; `None` if it is of a kind that dwnl does not make.
    #[serde(serialize_with = "format::kind")]
    kind: Option<SetKind>,
    /// How many elements it has, unless they are the kernel's to keep.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    elements: Option<Elements<'a>>,
}

#[derive(Debug, Serialize)]
struct MissingRule<'a> {
    wanted_position: usize,
    rule: RuleText<'a>,
}

impl<'a> Show<'a> {
    /// What the snapshot holds of the chains of `managed_objects`, which every policy has, and of dwnl's
    /// own tables; `verbose`: with the elements of sets.
    pub fn new(frame: &'a Ruleset, snapshot: &'a Snapshot, verbose: bool) -> Show<'a> {
        let mut paths: Vec<&TablePath> =
            frame.chains.iter().map(|chain| &chain.path.table).collect();
        paths.sort();
        paths.dedup();
        let translations = installed_translations(frame, snapshot);
        let report = |path| TableReport::new(path, frame, snapshot, &translations);
        let mut tables: Vec<TableReport> = paths.into_iter().map(report).collect();
        let own = frame.owned_tables.iter();
        tables.extend(own.filter_map(|path| TableReport::own(path, snapshot, verbose)));
        let installed = |it: &ForeignTranslations| {
            let is_of = |table: &TableReport| {
                table.family == it.table.family && *table.table == *it.table.table
            };
            tables.iter().any(|table| is_of(table) && table.installed)
        };
        let foreign_translations = translations.into_iter().filter(installed).collect();
        let guards_new_ports = guards_new_ports(snapshot);
        Show { generation: snapshot.generation, tables, foreign_translations, guards_new_ports }
    }
}

impl<'a> TableReport<'a> {
    fn new(
        path: &'a TablePath,
        frame: &'a Ruleset,
        snapshot: &'a Snapshot,
        translations: &[ForeignTranslations],
    ) -> TableReport<'a> {
        let mut here = translations.iter().filter(|it| it.table == *path);
        let second_is_left_out = here.any(ForeignTranslations::is_left_out);
        // A ruleset has a chain before those that jump to it; people follow the packets.
        let chains = frame.chains.iter().rev().filter(|chain| {
            chain.path.table == *path
                && (is_needed(chain, frame) || snapshot.chain(&chain.path).is_some())
        });
        let chains: Vec<ChainReport> =
            chains.map(|chain| ChainReport::new(chain, snapshot, second_is_left_out)).collect();
        let installed = chains.iter().any(ChainReport::is_ours);
        let sets = Vec::new();
        TableReport { family: path.family, table: &path.table, installed, chains, sets }
    }
}

/// Whether every policy has the chain: one that is wholly ours and that only another such chain
/// leads to belongs to some policies alone.
fn is_needed(chain: &Chain, frame: &Ruleset) -> bool {
    let table = &chain.path.table;
    let heads = frame
        .chains
        .iter()
        .filter(|it| it.path.table == *table && it.ownership == Ownership::Leading);
    let mut targets = heads.flat_map(|head| head.rules.iter()).filter_map(|it| it.rule.target());
    chain.ownership != Ownership::Exclusive || targets.any(|target| *target == chain.path.chain)
}

fn extent<S: Serializer>(extent: &Ownership, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match extent {
        Ownership::Referenced => "exists",
        Ownership::Leading => "head",
        Ownership::Exclusive => "whole",
    })
}
