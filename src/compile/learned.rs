//! Recognises the rules that follow what Docker publishes, whatever the policy says.

use super::GUARD;
use super::guard::{BRIDGED, FORWARD, INPUT, INSIDE, TRANSLATED};
use super::known::{known_port, looks_up_ports};
use super::own::goto;
use super::sockets::LOCAL_SOCKET;
use crate::docker::{INGRESS, NAMED_BRIDGES};
use crate::model::{Direction, Interface, NftMatch, NftRule, NftStatement, Rule, Verdict};

/// Whether a rule of this chain depends on Docker's ports, bridges and sockets, and not on the policy.
pub(crate) fn is_learned(chain: &str, rule: &Rule) -> bool {
    match (chain, rule) {
        (GUARD, Rule::Iptables(rule)) => rule.verdict == Verdict::Jump(INGRESS.into()),
        (INPUT, _) if known_port(rule).is_some() || looks_up_ports(rule) => true,
        (_, Rule::Nft(rule)) => is_of_bridge(chain, rule) || tests_socket(chain, rule),
        _ => false,
    }
}

fn is_of_bridge(chain: &str, NftRule { matches, statement, .. }: &NftRule) -> bool {
    match (chain, &**matches) {
        (INSIDE, [NftMatch::Interface(Direction::In, bridge), NftMatch::InBridge]) => {
            *statement == NftStatement::Accept && is_other(bridge)
        }
        (FORWARD, [NftMatch::Interface(Direction::Out, bridge)]) => {
            *statement == goto(BRIDGED) && is_other(bridge)
        }
        (BRIDGED, [NftMatch::NfProto(_), NftMatch::Interface(Direction::Out, _)]) => {
            *statement == goto(TRANSLATED)
        }
        _ => false,
    }
}

/// Whether it is none of the bridges for which every policy has rules.
fn is_other(bridge: &Interface) -> bool {
    !NAMED_BRIDGES.contains(&&**bridge.name())
}

/// `socket transparent 0 …`, `socket cgroupv2 level 2 ID …`, `tcp dport @docker-tcp …`
fn tests_socket(chain: &str, rule: &NftRule) -> bool {
    use NftMatch::{Cgroup, PortSet, SocketTransparent};
    let is_socket = |it: &NftMatch| matches!(it, Cgroup(_) | PortSet(..) | SocketTransparent(_));
    [INPUT, LOCAL_SOCKET].contains(&chain) && rule.matches.iter().any(is_socket)
}
