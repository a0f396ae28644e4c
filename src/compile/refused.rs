//! What the guard records of the packets that it drops. Each path has a chain of its own for that, which
//! is passed before the rule that drops: whether a packet is recorded has no influence on it.

use std::num::NonZeroU32;
use std::sync::Arc;

use super::own::{self, jump, rule};
use super::{base_rule, own_table};
use crate::model::{
    Chain, DesiredRule, InstalledTable, LogTarget, NftMatch, NftRule, NftStatement, Protocol,
    RefusalPath, RefusalSet, Set, SetPath, SetUpdate, UpdateKey,
};

/// The comment of a rule that drops, up to the path that it closes.
pub(super) const DROPPED: &str = "not allowed: ";
/// How long an entry remains in a set, in seconds.
const TIMEOUT: NonZeroU32 =
    NonZeroU32::new(RefusalSet::TIMEOUT.as_secs() as u32).expect("more than nothing");

/// The rules that refuse what came by this path: `counter jump refused-PATH`, `counter drop comment
/// "not allowed: PATH"`
pub(super) fn refuse(path: RefusalPath) -> [DesiredRule; 2] {
    let comment = Some(format!("{DROPPED}{path}").into());
    let drop = NftRule { comment, ..NftRule::new([], NftStatement::Drop) };
    [rule([], jump(&chain_name(path))), base_rule(drop)]
}

/// The chain that records, and perhaps logs, what came by this path.
pub(super) fn chain(path: RefusalPath, target: Option<LogTarget>) -> Chain {
    let log = target.map(|target| log(path, target));
    let records = Protocol::ALL.into_iter().flat_map(|protocol| record(path, protocol));
    own::chain(&chain_name(path), None, log.into_iter().chain(records).collect())
}

/// `counter limit rate 10/second burst 20 packets log prefix "dwnl refused: PATH: " …`
fn log(path: RefusalPath, target: LogTarget) -> DesiredRule {
    let prefix = format!("dwnl refused: {path}: ").into();
    rule([], NftStatement::Log { target, prefix })
}

/// The sets of this path.
pub(super) fn sets(path: RefusalPath) -> impl Iterator<Item = Set> {
    RefusalSet::of(path).into_iter().map(|set| Set {
        path: Arc::new(SetPath { table: own_table(), set: set.to_string().into() }),
        kind: set.kind(),
        elements: Arc::default(),
        origin: "what the guard refused".into(),
    })
}

/// The sets that are installed, by path.
pub(crate) fn refusal_sets(table: &InstalledTable) -> impl Iterator<Item = RefusalSet> {
    let all = RefusalPath::ALL.into_iter().flat_map(RefusalSet::of);
    all.filter(|set| {
        let installed = table.sets.get(set.to_string().as_str());
        installed.is_some_and(|installed| installed.kind == Some(set.kind()))
    })
}

fn chain_name(path: RefusalPath) -> String {
    format!("refused-{}", path.short())
}

/// `meta l4proto tcp counter update @refused-PATH-ip { ct original ip saddr . meta l4proto .
/// ct original proto-dst timeout 1d counter }` for each IP version, and the same without the source
fn record(path: RefusalPath, protocol: Protocol) -> impl Iterator<Item = DesiredRule> {
    RefusalSet::of(path).into_iter().map(move |set| {
        let key = set.version.map_or(UpdateKey::OriginalPort, UpdateKey::OriginalSource);
        let update = SetUpdate { set: set.to_string().into(), key, timeout: TIMEOUT };
        rule([NftMatch::Protocol(protocol)], NftStatement::UpdateSet(update))
    })
}
