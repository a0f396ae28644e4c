//! The sets of grants and bans by hand, and the rules that look them up. Every policy with the guard
//! has them, so that a source can be banned or let in at any time without a change of the rules.

use std::sync::Arc;

use super::own::rule;
use super::own_table;
use crate::model::{
    DesiredRule, GrantAction, GrantSet, InstalledTable, NftMatch, NftRule, NftStatement, Protocol,
    Rule, Set, SetPath,
};

/// The sets, without elements.
pub(super) fn sets() -> impl Iterator<Item = Set> {
    GrantSet::all().map(|set| Set {
        path: Arc::new(path(set)),
        kind: set.kind(),
        elements: Arc::default(),
        origin: "grants and bans by hand".into(),
    })
}

/// The path of a set.
pub(crate) fn path(set: GrantSet) -> SetPath {
    SetPath { table: own_table(), set: set.to_string().into() }
}

/// The sets that are installed.
pub(crate) fn grant_sets(table: &InstalledTable) -> impl Iterator<Item = GrantSet> {
    GrantSet::all().filter(|set| {
        let installed = table.sets.get(set.to_string().as_str());
        installed.is_some_and(|installed| installed.kind == Some(set.kind()))
    })
}

/// The rules of `allowed` for bans, whose `return` refuses the packet, or for grants.
pub(super) fn rules(action: GrantAction) -> Vec<DesiredRule> {
    GrantSet::of(action).flat_map(lookups).collect()
}

/// `ct original ip saddr @banned-ip counter return comment "banned by hand"`, or for each protocol
/// `meta l4proto tcp ct original ip saddr . meta l4proto . ct original proto-dst @granted-ip counter
/// accept comment "granted by hand"`
fn lookups(set: GrantSet) -> Vec<DesiredRule> {
    let name = path(set).set;
    if !set.kind().has_service() {
        return vec![decide(set, vec![NftMatch::CtOriginalSet(set.version, name)])];
    }
    let of_protocol = |protocol| {
        let lookup = NftMatch::CtOriginalServiceSet(set.version, Arc::clone(&name));
        decide(set, vec![NftMatch::Protocol(protocol), lookup])
    };
    Protocol::ALL.map(of_protocol).into()
}

/// `CONDITIONS counter return comment "banned by hand"`
fn decide(set: GrantSet, conditions: Vec<NftMatch>) -> DesiredRule {
    let statement = match set.action {
        GrantAction::Deny => NftStatement::Return,
        GrantAction::Allow => NftStatement::Accept,
    };
    let mut desired = rule(conditions, statement);
    if let Rule::Nft(NftRule { comment, .. }) = &mut desired.rule {
        *comment = Some(format!("{} by hand", set.action).into());
    }
    desired
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(action: GrantAction) -> Vec<String> {
        rules(action).iter().map(|desired| desired.rule.to_string()).collect()
    }

    #[test]
    fn bans_return_and_grants_accept() {
        let bans = words(GrantAction::Deny);
        assert_eq!(bans.len(), 8);
        let first = "ct original ip saddr @banned-ip counter return comment \"banned by hand\"";
        assert_eq!(bans[0], first);
        let grants = words(GrantAction::Allow);
        assert_eq!(grants.len(), 12);
        assert_eq!(
            grants[9],
            "meta l4proto tcp ct original ip6 saddr . meta l4proto . ct original proto-dst \
             @granted-ip6-ranges counter accept comment \"granted by hand\""
        );
    }
}
