//! What is counted, for the operator's monitoring.

use std::time::{Duration, SystemTime};

use dwnl::managed_objects;
use dwnl::model::{InstalledRule, NftStatement, Rule, Snapshot};

/// What has happened since the program was started.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// How often the kernel was compared with the policy.
    pub checks: u64,
    /// How often the policy was put in force, and how often that failed or the policy had errors.
    pub reloads: OpStats,
    /// How often something was repaired, and how often that failed.
    pub repairs: OpStats,
    /// How often others changed the ruleset between a dump and the commit.
    pub conflicts: u64,
    /// How often the kernel lost notifications.
    pub lost: u64,
    /// Whether the policy in force is the one that the file holds.
    pub is_current: bool,
}

/// How often something was done.
#[derive(Clone, Debug, Default)]
pub struct OpStats {
    /// With success.
    pub done: u64,
    /// Without.
    pub failed: u64,
    /// When it was done last, and how long it took.
    pub last: Option<(SystemTime, Duration)>,
}

impl OpStats {
    /// It was just done, in so long a time.
    pub fn count(&mut self, took: Duration) {
        self.done += 1;
        self.last = Some((SystemTime::now(), took));
    }
}

/// What the guard's rules have dropped on one way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardDrops {
    /// The way, as the rules' comments name it.
    pub way: String,
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}

/// What the guard's rules have dropped, way by way.
pub fn guard_drops(snapshot: &Snapshot) -> Vec<GuardDrops> {
    let own_tables = managed_objects().owned_tables;
    let own = snapshot.tables.iter().filter(|(path, _)| own_tables.contains(path));
    let chains = own.flat_map(|(_, table)| table.chains.values());
    let mut all: Vec<GuardDrops> = Vec::new();
    for rule in chains.flat_map(|chain| &chain.rules) {
        let Some(way) = rule.content.known().and_then(way) else { continue };
        let InstalledRule { packets, bytes, .. } = *rule;
        match all.iter_mut().find(|dropped| dropped.way == way) {
            Some(dropped) => {
                dropped.packets += packets;
                dropped.bytes += bytes;
            }
            None => all.push(GuardDrops { way: way.to_owned(), packets, bytes }),
        }
    }
    all
}

/// The way that a rule closes: `not allowed: WAY` is its comment.
fn way(rule: &Rule) -> Option<&str> {
    let rule = rule.as_nft().filter(|rule| rule.statement == NftStatement::Drop)?;
    let comment = rule.comment.as_deref()?;
    Some(comment.strip_prefix("not allowed: ").unwrap_or(comment))
}

#[cfg(test)]
mod tests {
    use dwnl::model::{InstalledChain, InstalledTable, NftRule, RuleContent, TablePath};

    use super::*;

    fn rule(comment: &str, statement: NftStatement, packets: u64) -> InstalledRule {
        let rule = NftRule { comment: Some(comment.into()), ..NftRule::new([], statement) };
        let content = RuleContent::Known(rule.into());
        InstalledRule { handle: 1, content, packets, bytes: 60 * packets }
    }

    #[test]
    fn drops_are_counted_by_their_way() {
        let chain = |rules| InstalledChain { rules, ..InstalledChain::default() };
        let accepted = rule("web", NftStatement::Accept, 9);
        let table = |name: &str| {
            let drops = [rule("not allowed: docker-proxy", NftStatement::Drop, 2)];
            let others =
                [rule("not allowed: docker-proxy", NftStatement::Drop, 1), accepted.clone()];
            let chains = [("a", chain(drops.into())), ("b", chain(others.into()))];
            let chains = chains.map(|(name, chain)| (name.into(), chain)).into();
            let own = managed_objects().owned_tables.into_iter().next().expect("a table of ours");
            let path = TablePath { table: name.into(), ..own };
            (path, InstalledTable { chains, ..InstalledTable::default() })
        };
        let tables = ["dwnl", "foreign"].map(table).into();
        let snapshot = Snapshot { tables, ..Snapshot::default() };
        let way = "docker-proxy".to_owned();
        assert_eq!(guard_drops(&snapshot), [GuardDrops { way, packets: 3, bytes: 180 }]);
    }
}
