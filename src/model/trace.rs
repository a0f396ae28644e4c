//! Traced packets: which packets to trace, and what the kernel reports of one in each chain.

use std::net::IpAddr;

use ipnetwork::IpNetwork;

use super::{ChainPath, Family, IpVersion, Name, Ports, TablePath};

/// Which packets to trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceFilter {
    source: IpNetwork,
    ports: Option<Ports>,
}

impl TraceFilter {
    /// Packets from the addresses of a network, host bits of which are ignored, to one of these
    /// ports; without ports, all packets.
    pub fn new(source: IpNetwork, ports: Option<Ports>) -> TraceFilter {
        let network = IpNetwork::new(source.network(), source.prefix());
        TraceFilter { source: network.unwrap_or(source), ports }
    }

    /// The network that the packets come from.
    pub fn source(&self) -> IpNetwork {
        self.source
    }

    /// The IP version of the packets.
    pub fn version(&self) -> IpVersion {
        IpVersion::of(self.source.ip())
    }

    /// The ports that the packets are for, before anything is translated; `None`: any.
    pub fn ports(&self) -> Option<Ports> {
        self.ports
    }
}

/// A chain of any family.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TracedChain {
    /// The family as nft writes it: `ip`, `ip6`, `inet`, `arp`, `bridge` or `netdev`.
    pub family: Name,
    /// The table.
    pub table: Name,
    /// The chain.
    pub chain: Name,
}

impl TracedChain {
    /// The path, if the chain is of a family that dwnl works in.
    pub fn path(&self) -> Option<ChainPath> {
        let family = Family::ALL.into_iter().find(|it| it.to_string() == *self.family)?;
        let table = TablePath { family, table: self.table.clone() };
        Some(ChainPath { table, chain: self.chain.clone() })
    }
}

/// The headers of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PacketHeader {
    /// The source address.
    pub source: IpAddr,
    /// The destination address.
    pub destination: IpAddr,
    /// The number of the transport protocol (IANA). Behind extension headers of IPv6 that of the
    /// first of them.
    pub protocol: u8,
    /// The length of the packet in bytes, with the IP header.
    pub length: u32,
    /// What the transport header holds.
    pub transport: Transport,
}

/// The part of the transport header that tells packets apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP.
    Tcp {
        /// The source port.
        source_port: u16,
        /// The destination port.
        port: u16,
        /// The flags, from FIN (1) to CWR (128).
        flags: u8,
    },
    /// UDP or SCTP.
    Ports {
        /// The source port.
        source_port: u16,
        /// The destination port.
        port: u16,
    },
    /// ICMP or ICMPv6, by the message's type.
    Icmp {
        /// The type (IANA).
        kind: u8,
    },
    /// Another protocol, or a fragment.
    Other,
}

impl Transport {
    /// The source port and the destination port, if the protocol has ports.
    pub fn ports(&self) -> Option<(u16, u16)> {
        match *self {
            Transport::Tcp { source_port, port, .. } | Transport::Ports { source_port, port } => {
                Some((source_port, port))
            }
            Transport::Icmp { .. } | Transport::Other => None,
        }
    }
}

/// What happened to a packet at a rule, or at the end of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TraceVerdict {
    /// `NF_ACCEPT`: on to the next base chain.
    Accept,
    /// `NF_DROP`; a rule that rejects drops too.
    Drop,
    /// `NF_STOLEN`: the kernel handles the packet elsewhere.
    Stolen,
    /// `NF_QUEUE`: a program decides.
    Queue,
    /// `NFT_CONTINUE`: on to the next rule.
    Continue,
    /// `NFT_RETURN`: back to the chain that jumped here; from a base chain to its policy.
    Return,
    /// `NFT_JUMP`: on in that chain, and back here at its end.
    Jump(Name),
    /// `NFT_GOTO`: on in that chain, never back here.
    Goto(Name),
    /// Another, by its number.
    Other(i32),
}

/// What decided a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TraceCause {
    /// The rule with this handle.
    Rule(u64),
    /// The end of a chain that was jumped to.
    End,
    /// The end of a base chain.
    Policy,
}

/// One message of the kernel about a traced packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TraceMessage {
    /// The kernel's number for the packet. Another packet may have it later.
    pub id: u32,
    /// The chain.
    pub chain: TracedChain,
    /// What decided.
    pub cause: TraceCause,
    /// What was decided.
    pub verdict: TraceVerdict,
    /// The packet as it entered the base chain; the first message of a base chain alone has it.
    pub packet: Option<TracedState>,
}

/// A packet as it enters a base chain. Interfaces are numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TracedState {
    /// The headers, if it is an IP packet.
    pub header: Option<PacketHeader>,
    /// The interface by which it came in.
    pub in_interface: Option<u32>,
    /// The interface by which it goes out.
    pub out_interface: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_bits_of_the_source_are_ignored() {
        let filter = TraceFilter::new("192.0.2.9/24".parse().expect("a network"), None);
        assert_eq!(filter.source().to_string(), "192.0.2.0/24");
        assert_eq!(filter.version(), IpVersion::V4);
    }

    #[test]
    fn a_chain_has_a_path_in_the_families_of_dwnl() {
        let chain = |family: &str| TracedChain {
            family: family.into(),
            table: "t".into(),
            chain: "c".into(),
        };
        let path = chain("inet").path().map(|path| path.to_string());
        assert_eq!(path.as_deref(), Some("inet t c"));
        assert_eq!(chain("bridge").path(), None);
    }
}
