//! The report of `show`: dwnl's rules in the kernel, and whether they are in place.

mod chain_report;
mod filter;
mod owned_report;
mod rule_table;
mod sections;
mod set_groups;
#[cfg(test)]
mod tests;

use dwnl::model::{Chain, ForeignTranslations, Ownership, Ports, Ruleset, Snapshot, TablePath};
use dwnl::{guards_new_ports, installed_translations};
use serde::{Serialize, Serializer};

use super::format::RuleText;
use super::object::TableName;
use super::set_elements::{Definition, Elements};

/// dwnl's objects in the kernel.
#[derive(Debug, Serialize)]
pub struct Show<'a> {
    generation: u32,
    tables: Vec<TableReport<'a>>,
    /// Port forwards of other programs in the chains of dwnl's jumps.
    #[serde(serialize_with = "super::foreign_translations::serialize")]
    foreign_translations: Vec<ForeignTranslations>,
    /// Whether the guard matches docker-proxy's sockets; `None` without a guard.
    has_socket_match: Option<bool>,
    /// The pattern that names what is shown; `None`: everything is.
    #[serde(skip)]
    pattern: Option<&'a str>,
    /// Whether every set is shown with its elements.
    #[serde(skip)]
    verbose: bool,
}

#[derive(Debug, Serialize)]
struct TableReport<'a> {
    #[serde(flatten)]
    name: TableName<'a>,
    /// Whether it contains anything of dwnl's.
    is_installed: bool,
    chains: Vec<ChainReport<'a>>,
    /// Its sets, if dwnl owns the table.
    sets: Vec<SetReport<'a>>,
}

#[derive(Debug, Serialize)]
struct ChainReport<'a> {
    chain: &'a str,
    /// Which part of the chain is dwnl's.
    #[serde(serialize_with = "ownership")]
    ownership: Ownership,
    is_present: bool,
    /// Whether every rule is present and at its position.
    is_in_place: bool,
    /// dwnl's rules in the chain.
    rules: Vec<RuleReport<'a>>,
    /// The ports for which maps lead to it.
    #[serde(skip)]
    ports: Vec<Ports>,
    /// dwnl's rules that are missing in the chain.
    missing_rules: Vec<MissingRule<'a>>,
}

/// A rule in the kernel.
#[derive(Debug, Serialize)]
pub struct RuleReport<'a> {
    /// Its position in the chain, from 1.
    pub position: usize,
    /// The position where it must be; `None` if the position does not matter.
    pub expected_position: Option<usize>,
    /// Its handle.
    pub handle: u64,
    /// The number of packets that matched.
    pub packets: u64,
    /// The number of bytes of these packets.
    pub bytes: u64,
    /// The rule in the syntax of iptables or nft.
    pub rule: RuleText<'a>,
}

/// A set in the kernel.
#[derive(Debug, Serialize)]
struct SetReport<'a> {
    set: &'a str,
    /// The group whose sources it holds; `None` if it holds something else.
    group: Option<&'a str>,
    /// Its definition; `None` if dwnl does not create sets of this type.
    #[serde(serialize_with = "definition")]
    definition: Option<Definition>,
    /// The number of elements; `None` if the kernel manages them.
    element_count: Option<usize>,
    /// The elements, if they are to be listed.
    elements: Option<Elements<'a>>,
}

#[derive(Debug, Serialize)]
struct MissingRule<'a> {
    expected_position: usize,
    rule: RuleText<'a>,
}

impl<'a> Show<'a> {
    /// What the snapshot contains of `managed`: the chains that every policy has, and dwnl's own
    /// tables. With `verbose`, the elements of sets are listed.
    pub fn new(managed: &'a Ruleset, snapshot: &'a Snapshot, verbose: bool) -> Show<'a> {
        let mut paths: Vec<&TablePath> =
            managed.chains.iter().map(|chain| &chain.path.table).collect();
        paths.sort();
        paths.dedup();
        let translations = installed_translations(managed, snapshot);
        let report = |path| TableReport::new(path, managed, snapshot, &translations);
        let mut tables: Vec<TableReport> = paths.into_iter().map(report).collect();
        let own = managed.owned_tables.iter();
        tables.extend(own.filter_map(|path| TableReport::owned(path, snapshot, verbose)));
        let installed = |it: &ForeignTranslations| {
            let is_of = |table: &TableReport| table.name == TableName::from(&it.table);
            tables.iter().any(|table| is_of(table) && table.is_installed)
        };
        let foreign_translations = translations.into_iter().filter(installed).collect();
        let has_socket_match = guards_new_ports(snapshot);
        Show {
            generation: snapshot.generation,
            tables,
            foreign_translations,
            has_socket_match,
            pattern: None,
            verbose,
        }
    }
}

impl<'a> TableReport<'a> {
    fn new(
        path: &'a TablePath,
        managed: &'a Ruleset,
        snapshot: &'a Snapshot,
        translations: &[ForeignTranslations],
    ) -> TableReport<'a> {
        let mut here = translations.iter().filter(|it| it.table == *path);
        let is_return_rule_left_out = here.any(ForeignTranslations::is_left_out);
        // A ruleset lists a chain before the chains that jump to it; the report follows the packets.
        let chains = managed.chains.iter().rev().filter(|chain| {
            chain.path.table == *path
                && (is_needed(chain, managed) || snapshot.chain(&chain.path).is_some())
        });
        let chains: Vec<ChainReport> = chains
            .map(|chain| ChainReport::new(chain, snapshot, is_return_rule_left_out))
            .collect();
        let is_installed = chains.iter().any(ChainReport::is_installed);
        TableReport { name: path.into(), is_installed, chains, sets: Vec::new() }
    }
}

/// Whether every policy has the chain. An exclusive chain that only another exclusive chain jumps
/// to exists with some policies only.
fn is_needed(chain: &Chain, managed: &Ruleset) -> bool {
    let table = &chain.path.table;
    let heads = managed
        .chains
        .iter()
        .filter(|it| it.path.table == *table && it.ownership == Ownership::Leading);
    let mut targets = heads.flat_map(|head| head.rules.iter()).filter_map(|it| it.rule.target());
    chain.ownership != Ownership::Exclusive || targets.any(|target| *target == chain.path.chain)
}

fn ownership<S: Serializer>(ownership: &Ownership, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match ownership {
        Ownership::Referenced => "referenced",
        Ownership::Leading => "leading",
        Ownership::Exclusive => "exclusive",
    })
}

fn definition<S: Serializer>(
    definition: &Option<Definition>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    definition.map(|it| it.to_string()).serialize(serializer)
}
