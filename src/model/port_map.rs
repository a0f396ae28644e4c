//! Verdict maps: from the port that a flow was opened to, to the chain that judges it. One lookup takes the
//! place of a rule for each port.

use std::fmt;
use std::sync::Arc;

use super::{Name, Ports, Protocol, SetPath};

/// A map as it should be: the original destination ports of one protocol, each with the chain that a packet
/// goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortMap {
    /// Which map. Sets and maps of a table share their names.
    pub path: Arc<SetPath>,
    /// Its elements, sorted; none overlaps another.
    pub elements: Arc<[PortTarget]>,
}

/// Consecutive ports that share a chain.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortTarget {
    /// The lowest port.
    pub first: u16,
    /// The highest port.
    pub last: u16,
    /// The chain that packets go to. `None`: another verdict, which dwnl never writes.
    pub chain: Option<Name>,
}

impl PortMap {
    /// The kind of every such map, as nft writes it.
    pub const KIND: &'static str = "type inet_service : verdict; flags interval";
}

impl PortTarget {
    /// The ports, which are of this protocol.
    pub fn ports(&self, protocol: Protocol) -> Option<Ports> {
        Ports::new(protocol, self.first, self.last).ok()
    }

    /// The elements of a sorted list that are not in another sorted list.
    pub fn difference<'a>(
        list: &'a [PortTarget],
        without: &'a [PortTarget],
    ) -> impl Iterator<Item = &'a PortTarget> {
        let mut without = without.iter().peekable();
        list.iter().filter(move |element| {
            while without.next_if(|other| *other < *element).is_some() {}
            without.next_if(|other| *other == *element).is_none()
        })
    }
}

/// `8000-8100 : goto CHAIN`, as nft writes it.
impl fmt::Display for PortTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PortTarget { first, last, chain } = self;
        match first == last {
            true => write!(f, "{first} : ")?,
            false => write!(f, "{first}-{last} : ")?,
        }
        match chain {
            Some(chain) => write!(f, "goto {chain}"),
            None => write!(f, "another verdict"),
        }
    }
}
