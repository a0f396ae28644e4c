//! What the rules of a native table can ask and do beyond iptables' terms, in nft's words.

use std::fmt;
use std::num::NonZeroU32;

use super::interface::InterfacePattern;
use super::{
    AddressSpec, Family, INTERFACE_NAME_MAX, Interface, Name, Ports, Protocol, Shard, from_u128,
};

/// A condition of the kind that iptables has no words for. What is *original* is looked up in the
/// connection's own record: the addresses and the port that its first packet had before anything
/// was translated.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NftMatch {
    /// `ct state established,related`: the packet belongs to a flow that has been answered, or to one
    /// that such a flow has announced.
    CtStateEstablished,
    /// `ct status dnat`: the flow's destination was translated.
    CtStatusDnat,
    /// `ct mark & BITS == BITS`: these bits of the connection mark are set.
    CtMark(u32),
    /// `meta nfproto ipv4`: IPv4 or IPv6.
    Family(Family),
    /// `iifname "eth0"`, `oifname "docker0"`.
    Interface(Direction, Interface),
    /// `meta iifkind "bridge"`: the packet came in by a bridge.
    InBridge,
    /// `iifname "br-*" iifname & "               " == "               "`: the interface has a name
    /// as Docker makes them up, `br-` and twelve hexadecimal digits. That there are twelve digits
    /// or small letters is as much as a rule can ask: a bit of each is looked at.
    DockerBridgeName(Direction),
    /// `ip daddr 203.0.113.5`: the packet's own destination; never of length 0.
    Destination(AddressSpec),
    /// `meta l4proto tcp`.
    Protocol(Protocol),
    /// `tcp dport 443`: the packet's own port.
    Ports(Ports),
    /// `tcp dport @SET`, a set of ports in the rule's own table.
    PortSet(Protocol, Name),
    /// `meta l4proto tcp ct original proto-dst 443`: the port that was called.
    CtOriginalPorts(Ports),
    /// `ct original ip saddr 192.0.2.0/24`.
    CtOriginalAddress(Endpoint, AddressSpec),
    /// `ct original ip saddr & 0.0.0.7 == 0.0.0.3`.
    CtOriginalShard(Family, Shard),
    /// `ct original ip saddr @SET`, a set in the rule's own table.
    CtOriginalSet(Family, Name),
    /// `socket cgroupv2 level 1 != 4711`: the cgroup of the local socket that the packet is for.
    /// Without such a socket neither `==` nor `!=` holds.
    Cgroup(CgroupMatch),
    /// `socket wildcard 0`, `socket wildcard 1`: there is a local socket that the packet is for,
    /// and it is bound to one address, or to any.
    SocketWildcard(bool),
}

/// A test of the cgroup of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CgroupMatch {
    /// Which of the cgroup's ancestors is compared: the root has level 0, and a cgroup that is less
    /// deep than that meets neither `==` nor `!=`. The kernel counts from the root of the cgroup
    /// namespace of whoever adds the rule (before Linux 6.12, from the very root).
    pub level: u8,
    /// The inode number of the cgroup's directory in the cgroup v2 hierarchy.
    pub id: u64,
    /// Whether it has to be another one.
    pub negated: bool,
}

/// Which way an interface is passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The packet came in by it.
    In,
    /// The packet goes out by it.
    Out,
}

/// An end of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// Who opened it.
    Source,
    /// Who was called.
    Destination,
}

impl fmt::Display for NftMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NftMatch::CtStateEstablished => write!(f, "ct state established,related"),
            NftMatch::CtStatusDnat => write!(f, "ct status dnat"),
            NftMatch::CtMark(bits) => write!(f, "ct mark & {bits:#010x} == {bits:#010x}"),
            NftMatch::Family(family) => write!(f, "meta nfproto {}", version(*family)),
            NftMatch::Interface(direction, interface) => {
                write!(f, "{direction} {}", InterfacePattern(interface))
            }
            NftMatch::InBridge => write!(f, "meta iifkind \"bridge\""),
            NftMatch::DockerBridgeName(direction) => {
                let bits = " ".repeat(INTERFACE_NAME_MAX);
                write!(f, "{direction} \"br-*\" {direction} & \"{bits}\" == \"{bits}\"")
            }
            NftMatch::Destination(addresses) => {
                write!(f, "{} daddr {addresses}", header(addresses.family()))
            }
            NftMatch::Protocol(protocol) => write!(f, "meta l4proto {protocol}"),
            NftMatch::Ports(ports) => {
                write!(f, "{} dport {}", ports.protocol(), PortsText(ports))
            }
            NftMatch::PortSet(protocol, set) => write!(f, "{protocol} dport @{set}"),
            NftMatch::CtOriginalPorts(ports) => {
                let protocol = ports.protocol();
                write!(f, "meta l4proto {protocol} ct original proto-dst {}", PortsText(ports))
            }
            NftMatch::CtOriginalAddress(end, addresses) => {
                write!(f, "ct original {} {end} {addresses}", header(addresses.family()))
            }
            NftMatch::CtOriginalShard(family, Shard { mask, value }) => {
                let (mask, value) = (from_u128(*mask, *family), from_u128(*value, *family));
                write!(f, "ct original {} saddr & {mask} == {value}", header(*family))
            }
            NftMatch::CtOriginalSet(family, set) => {
                write!(f, "ct original {} saddr @{set}", header(*family))
            }
            NftMatch::Cgroup(cgroup) => write!(f, "{cgroup}"),
            NftMatch::SocketWildcard(is_wildcard) => {
                write!(f, "socket wildcard {}", u8::from(*is_wildcard))
            }
        }
    }
}

/// `socket cgroupv2 level 1 != 4711`. Where nft finds a directory of that number, it lists its path
/// instead.
impl fmt::Display for CgroupMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operator = if self.negated { "!= " } else { "" };
        write!(f, "socket cgroupv2 level {} {operator}{}", self.level, self.id)
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Direction::In => "iifname",
            Direction::Out => "oifname",
        })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Endpoint::Source => "saddr",
            Endpoint::Destination => "daddr",
        })
    }
}

/// `443`, `8000-8100`.
struct PortsText<'a>(&'a Ports);

impl fmt::Display for PortsText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = (self.0.first(), self.0.last());
        if first == last { write!(f, "{first}") } else { write!(f, "{first}-{last}") }
    }
}

fn version(family: Family) -> &'static str {
    if family == Family::Ip6 { "ipv6" } else { "ipv4" }
}

/// How nft names the header in which the addresses of a family stand.
pub(super) fn header(family: Family) -> &'static str {
    if family == Family::Ip6 { "ip6" } else { "ip" }
}

/// What a rule of a native table does with a packet that matched.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NftStatement {
    /// `accept`: on to the chains of other tables.
    Accept,
    /// `drop`.
    Drop,
    /// `jump CHAIN`: on in that chain, and back here at its end.
    Jump(Name),
    /// `goto CHAIN`: on in that chain, never back here.
    Goto(Name),
    /// `ct mark set ct mark & ~BITS`: clears these bits of the connection mark and goes on with
    /// the next rule.
    ClearCtMark(u32),
    /// `update @SET { tcp dport timeout 1h }`: puts the packet's port into the set, or keeps it
    /// there for as long again, and goes on with the next rule.
    UpdateSet(SetUpdate),
}

/// What puts the port that a packet is for into a set of the rule's own table.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SetUpdate {
    /// The set.
    pub set: Name,
    /// The protocol that the rule's last condition on it lets through.
    pub protocol: Protocol,
    /// How long the port stays there, in seconds: finer times would come back from the kernel
    /// rounded.
    pub timeout: NonZeroU32,
}

impl NftStatement {
    /// The chain that the packet is sent to, if any.
    pub fn target(&self) -> Option<&Name> {
        match self {
            NftStatement::Jump(chain) | NftStatement::Goto(chain) => Some(chain),
            NftStatement::Accept
            | NftStatement::Drop
            | NftStatement::ClearCtMark(_)
            | NftStatement::UpdateSet(_) => None,
        }
    }
}

impl fmt::Display for NftStatement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NftStatement::Accept => write!(f, "accept"),
            NftStatement::Drop => write!(f, "drop"),
            NftStatement::Jump(chain) => write!(f, "jump {chain}"),
            NftStatement::Goto(chain) => write!(f, "goto {chain}"),
            NftStatement::ClearCtMark(bits) => write!(f, "ct mark set ct mark & {:#010x}", !bits),
            NftStatement::UpdateSet(SetUpdate { set, protocol, timeout }) => {
                write!(f, "update @{set} {{ {protocol} dport timeout {} }}", Time(timeout.get()))
            }
        }
    }
}

/// Seconds as nft writes them: `1h`, `1d2h3m4s`.
struct Time(u32);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0;
        let parts = [
            (seconds / 86400, 'd'),
            (seconds / 3600 % 24, 'h'),
            (seconds / 60 % 60, 'm'),
            (seconds % 60, 's'),
        ];
        let mut parts = parts.into_iter().filter(|(number, _)| *number > 0);
        parts.try_for_each(|(number, unit)| write!(f, "{number}{unit}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_nfts() {
        let text = |seconds| Time(seconds).to_string();
        assert_eq!(text(3600), "1h");
        assert_eq!(text(90), "1m30s");
        assert_eq!(text(93_784), "1d2h3m4s");
    }
}
