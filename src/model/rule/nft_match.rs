//! The conditions of nft's rules, in nft's words.

use std::fmt;

use super::ADMITTED_LABEL;
use crate::model::interface::InterfacePattern;
use crate::model::{
    AddressSpec, Family, INTERFACE_NAME_MAX, Interface, IpVersion, Name, Ports, Protocol, Shard,
    from_u128,
};

/// A condition. What is *original* is looked up in the flow's conntrack entry: the addresses and
/// the port that its first packet had before anything was translated.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NftMatch {
    /// `ct state established,related`: the packet belongs to a flow that has been answered, or to
    /// one that such a flow has announced.
    CtStateEstablished,
    /// `ct status dnat`: the flow's destination was translated.
    CtStatusDnat,
    /// `ct label 13`: the flow has [`ADMITTED_LABEL`].
    CtLabelAdmitted,
    /// `ct mark & BITS == BITS`: these bits of the connection mark are set.
    CtMark(u32),
    /// `meta nfproto ipv4`: the IP version of the packet.
    NfProto(IpVersion),
    /// `iifname "eth0"`, `oifname "docker0"`.
    Interface(Direction, Interface),
    /// `meta iifkind "bridge"`: the packet came in by a bridge.
    InBridge,
    /// `iifname "br-*" iifname & "               " == "               "`: the interface has a name
    /// of the form that Docker generates, `br-` and twelve hexadecimal digits. A rule can test one
    /// bit of each character, which digits and small letters have.
    DockerBridgeName(Direction),
    /// `ip daddr 203.0.113.5`: the packet's own destination; never of length 0.
    Destination(AddressSpec),
    /// `ip saddr & 0.0.0.7 == 0.0.0.3`: some bits of the packet's own source. Comes before the set
    /// that holds the shard.
    SourceShard(IpVersion, Shard),
    /// `ip saddr @SET`: the packet's own source is in a set of the rule's own table.
    SourceSet(IpVersion, Name),
    /// `fib daddr type local`: the packet is for an address of this host.
    DstTypeLocal,
    /// `meta l4proto tcp`.
    Protocol(Protocol),
    /// `tcp dport 443`: the packet's own port.
    Ports(Ports),
    /// `tcp dport @SET`: the packet's own port is in a set of the rule's own table.
    PortSet(Protocol, Name),
    /// `meta l4proto . th dport @SET`: the packet's protocol and own port are in a set of the rule's own
    /// table.
    ServiceSet(Name),
    /// `ip daddr . meta l4proto . th dport @SET`: the same with the packet's own destination.
    DestinationServiceSet(IpVersion, Name),
    /// `meta l4proto tcp ct original proto-dst 443`: the original destination port.
    CtOriginalPorts(Ports),
    /// `ct original ip saddr 192.0.2.0/24`.
    CtOriginalAddress(Endpoint, AddressSpec),
    /// `ct original ip saddr & 0.0.0.7 == 0.0.0.3`.
    CtOriginalShard(IpVersion, Shard),
    /// `ct original ip saddr @SET`, a set in the rule's own table.
    CtOriginalSet(IpVersion, Name),
    /// `meta time @SET`, `meta time != @SET`: the present is in a set of times in the rule's own table,
    /// or it is not.
    Time(TimeMatch),
    /// `ct original ip saddr . meta l4proto . ct original proto-dst @SET`, a set in the rule's own
    /// table. Comes after a condition on the protocol, without which nft does not read the port.
    CtOriginalServiceSet(IpVersion, Name),
    /// `socket cgroupv2 level 1 != 4711`: the cgroup of the local socket that the packet is for.
    /// Without such a socket neither `==` nor `!=` holds.
    Cgroup(CgroupMatch),
    /// `socket wildcard 0`, `socket wildcard 1`: there is a local socket that the packet is for,
    /// and it is bound to one address, or to any.
    SocketWildcard(bool),
    /// `socket transparent 0`, `socket transparent 1`: there is a local socket that the packet is for,
    /// in whatever state, and it has the option `IP_TRANSPARENT` or not. In contrast to the other
    /// conditions on sockets this one holds for a connection that is being opened, and in TIME_WAIT.
    SocketTransparent(bool),
}

/// The set that a condition looks up, as a shared or an exclusive reference.
macro_rules! looked_up_set {
    ($condition:expr) => {
        match $condition {
            NftMatch::SourceSet(_, set)
            | NftMatch::PortSet(_, set)
            | NftMatch::ServiceSet(set)
            | NftMatch::DestinationServiceSet(_, set)
            | NftMatch::CtOriginalSet(_, set)
            | NftMatch::CtOriginalServiceSet(_, set) => Some(set),
            NftMatch::Time(TimeMatch { set, .. }) => Some(set),
            _ => None,
        }
    };
}

impl NftMatch {
    /// The version of the IP header that it looks into, if it does.
    pub fn header_version(&self) -> Option<IpVersion> {
        match self {
            NftMatch::Destination(addresses) => Some(addresses.version()),
            NftMatch::SourceShard(version, _)
            | NftMatch::SourceSet(version, _)
            | NftMatch::DestinationServiceSet(version, _) => Some(*version),
            _ => None,
        }
    }

    /// The set that it looks up, if any.
    pub fn set(&self) -> Option<&Name> {
        looked_up_set!(self)
    }

    /// The same, to be replaced.
    pub(super) fn set_mut(&mut self) -> Option<&mut Name> {
        looked_up_set!(self)
    }
}

/// A test of the present.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TimeMatch {
    /// The set of times.
    pub set: Name,
    /// Whether the present must not be in the set.
    pub negated: bool,
}

/// A test of the cgroup of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CgroupMatch {
    /// Which of the cgroup's ancestors is compared: the root has level 0, and a cgroup at a lower
    /// level than this meets neither `==` nor `!=`. The kernel counts from the root of the cgroup
    /// namespace of the process that adds the rule (before Linux 6.12, from the very root).
    pub level: u8,
    /// The inode number of the cgroup's directory in the cgroup v2 hierarchy.
    pub id: u64,
    /// Whether it has to be another one.
    pub negated: bool,
}

/// In which direction an interface is passed.
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
    /// The end that opened it.
    Source,
    /// The end that it was opened to.
    Destination,
}

impl fmt::Display for NftMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NftMatch::CtStateEstablished => write!(f, "ct state established,related"),
            NftMatch::CtStatusDnat => write!(f, "ct status dnat"),
            NftMatch::CtLabelAdmitted => write!(f, "ct label {ADMITTED_LABEL}"),
            NftMatch::CtMark(bits) => write!(f, "ct mark & {bits:#010x} == {bits:#010x}"),
            NftMatch::NfProto(version) => write!(f, "meta nfproto {version}"),
            NftMatch::Interface(direction, interface) => {
                write!(f, "{direction} {}", InterfacePattern(interface))
            }
            NftMatch::InBridge => write!(f, "meta iifkind \"bridge\""),
            NftMatch::DockerBridgeName(direction) => {
                let bits = " ".repeat(INTERFACE_NAME_MAX);
                write!(f, "{direction} \"br-*\" {direction} & \"{bits}\" == \"{bits}\"")
            }
            NftMatch::Destination(addresses) => {
                write!(f, "{} daddr {addresses}", header(addresses.version()))
            }
            NftMatch::SourceShard(version, shard) => {
                write!(f, "{} saddr {}", header(*version), ShardText(*shard, *version))
            }
            NftMatch::SourceSet(version, set) => write!(f, "{} saddr @{set}", header(*version)),
            NftMatch::DstTypeLocal => write!(f, "fib daddr type local"),
            NftMatch::Protocol(protocol) => write!(f, "meta l4proto {protocol}"),
            NftMatch::Ports(ports) => {
                write!(f, "{} dport {}", ports.protocol(), PortsText(ports))
            }
            NftMatch::PortSet(protocol, set) => write!(f, "{protocol} dport @{set}"),
            NftMatch::ServiceSet(set) => write!(f, "meta l4proto . th dport @{set}"),
            NftMatch::DestinationServiceSet(version, set) => {
                write!(f, "{} daddr . meta l4proto . th dport @{set}", header(*version))
            }
            NftMatch::CtOriginalPorts(ports) => {
                let protocol = ports.protocol();
                write!(f, "meta l4proto {protocol} ct original proto-dst {}", PortsText(ports))
            }
            NftMatch::CtOriginalAddress(end, addresses) => {
                write!(f, "ct original {} {end} {addresses}", header(addresses.version()))
            }
            NftMatch::CtOriginalShard(version, shard) => {
                let shard = ShardText(*shard, *version);
                write!(f, "ct original {} saddr {shard}", header(*version))
            }
            NftMatch::CtOriginalSet(version, set) => {
                write!(f, "ct original {} saddr @{set}", header(*version))
            }
            NftMatch::Time(TimeMatch { set, negated: false }) => write!(f, "meta time @{set}"),
            NftMatch::Time(TimeMatch { set, negated: true }) => write!(f, "meta time != @{set}"),
            NftMatch::CtOriginalServiceSet(version, set) => {
                let service = "meta l4proto . ct original proto-dst";
                write!(f, "ct original {} saddr . {service} @{set}", header(*version))
            }
            NftMatch::Cgroup(cgroup) => write!(f, "{cgroup}"),
            NftMatch::SocketWildcard(is_wildcard) => {
                write!(f, "socket wildcard {}", u8::from(*is_wildcard))
            }
            NftMatch::SocketTransparent(is_transparent) => {
                write!(f, "socket transparent {}", u8::from(*is_transparent))
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

/// nft's name of the IP header: `ip`, `ip6`.
fn header(version: IpVersion) -> Family {
    version.into()
}

/// `443`, `8000-8100`.
struct PortsText<'a>(&'a Ports);

impl fmt::Display for PortsText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = (self.0.first(), self.0.last());
        if first == last { write!(f, "{first}") } else { write!(f, "{first}-{last}") }
    }
}

/// `& 0.0.0.7 == 0.0.0.3`.
struct ShardText(Shard, IpVersion);

impl fmt::Display for ShardText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ShardText(Shard { mask, value }, version) = *self;
        write!(f, "& {} == {}", from_u128(mask, version), from_u128(value, version))
    }
}
