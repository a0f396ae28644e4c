//! Whether published ports are blocked at all, and by what.

use super::view::{ChainView, PREROUTING, View};
use crate::compile::{
    ALLOWED, BLOCK, BRIDGED, CONTAINER_SOCKET, FORWARD, GUARD, INPUT, LOCAL_SOCKET, PROXIED,
    TRANSLATED, guarded_bridges,
};
use crate::model::{BaseChain, Family, IpVersion, NftStatement, Rule, Verdict};

/// Whether published ports are blocked at all, and by what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Protection {
    /// Whether the rules that block are all there and in place. If not, anyone may be able to reach
    /// published ports.
    pub is_enforced: bool,
    /// Whether the guard judges flows.
    pub has_guard: bool,
    /// Whether entries also allow the containers' own addresses (`direct-routing`).
    pub allows_direct_routing: bool,
    /// Whether the sockets of containers in the host's network are judged (`host-network`, and
    /// wherever the kernel cannot distinguish them from Docker's).
    pub judges_host_network: bool,
    /// How many rules of other programs there are in dwnl's chains. It is not known whom they admit.
    pub foreign_rules: usize,
}

impl Protection {
    pub(super) fn of(view: &View) -> Protection {
        let has_guard = view.has_guard();
        let has_target = |chain: &'static str, target: &str| {
            view.own(chain).known().any(|rule| rule.target().is_some_and(|it| &**it == target))
        };
        Protection {
            is_enforced: if has_guard { guard_blocks(view) } else { jumps_block(view) },
            has_guard,
            allows_direct_routing: has_target(BRIDGED, ALLOWED),
            judges_host_network: has_target(LOCAL_SOCKET, CONTAINER_SOCKET),
            foreign_rules: view.foreign_rules(),
        }
    }
}

/// Whether the guard drops what it does not allow.
fn guard_blocks(view: &View) -> bool {
    let forward = view.own(FORWARD);
    let bridges = guarded_bridges();
    let drops = [TRANSLATED, BRIDGED, PROXIED].into_iter().all(|chain| drops(view.own(chain)));
    drops
        && forward.base == Some(BaseChain::FORWARD)
        && view.own(INPUT).base == Some(BaseChain::INPUT)
        && bridges.iter().all(|bridge| forward.known().any(|rule| *rule == bridge.rule))
}

/// Whether the last rule drops everything.
fn drops(chain: &ChainView) -> bool {
    let last = chain.rules.last().copied().flatten().and_then(Rule::as_nft);
    last.is_some_and(|rule| rule.statement == NftStatement::Drop && rule.matches.is_empty())
}

/// Whether the first rules of `PREROUTING` send everything through `DOCKER-BLOCK` and back, and no rule
/// there has all sources translated: only the guard could block them then.
fn jumps_block(view: &View) -> bool {
    let verdicts = |version: IpVersion| {
        let chain = view.nat(Family::from(version), PREROUTING);
        let verdict = |rule: Option<&Rule>| Some(rule?.as_iptables()?.verdict.clone());
        let first: Vec<_> = chain.rules.iter().copied().take(2).map(verdict).collect();
        first
    };
    let desired = [Some(Verdict::Jump(BLOCK.into())), Some(Verdict::Return)];
    let translates_all = |version: IpVersion| {
        let chain = view.nat(Family::from(version), BLOCK);
        chain.known().any(|rule| rule.target().is_some_and(|target| &**target == GUARD))
    };
    IpVersion::ALL
        .into_iter()
        .all(|version| verdicts(version) == desired && !translates_all(version))
}
