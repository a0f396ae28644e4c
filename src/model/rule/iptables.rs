//! A rule of iptables: header conditions, extension matches in order, and a verdict.

use std::fmt;
use std::sync::Arc;

use ipnetwork::IpNetwork;

use crate::model::address_text::NetworkText;
use crate::model::interface::InterfaceOption;
use crate::model::quoted::quoted;
use crate::model::{AddressRange, Interface, Name, Ports, Protocol};

/// The longest comment in bytes (`XT_MAX_COMMENT_LEN` less its NUL).
pub const COMMENT_MAX: usize = 255;

/// A rule as iptables knows it. Equal rules are the same rule to `iptables -C`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IptablesRule {
    /// `-s`: a network of the table's family, never of length 0.
    pub source: Option<IpNetwork>,
    /// `-d`: a network of the table's family, never of length 0.
    pub destination: Option<IpNetwork>,
    /// `-i`.
    pub in_interface: Option<Interface>,
    /// `-p`.
    pub protocol: Option<Protocol>,
    /// The extensions (`-m …`) in the order in which they are tried, and by which iptables
    /// compares. Shared, because the rules of an entry differ in their source alone.
    pub matches: Arc<[Match]>,
    /// What happens to a packet that matched.
    pub verdict: Verdict,
}

impl IptablesRule {
    /// The rule that sends every packet to `verdict`.
    pub fn new(verdict: Verdict) -> IptablesRule {
        IptablesRule {
            source: None,
            destination: None,
            in_interface: None,
            protocol: None,
            matches: Arc::default(),
            verdict,
        }
    }
}

/// The rule's part of a line of `iptables -S`, behind `-A CHAIN `.
impl fmt::Display for IptablesRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(source) = &self.source {
            write!(f, "-s {} ", NetworkText(source))?;
        }
        if let Some(destination) = &self.destination {
            write!(f, "-d {} ", NetworkText(destination))?;
        }
        if let Some(interface) = &self.in_interface {
            write!(f, "{} ", InterfaceOption(interface))?;
        }
        if let Some(protocol) = &self.protocol {
            write!(f, "-p {protocol} ")?;
        }
        for extension in self.matches.iter() {
            write!(f, "{extension} ")?;
        }
        write!(f, "{}", self.verdict)
    }
}

/// An extension match (`-m NAME …`): the ones that dwnl writes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Match {
    /// `-m tcp --dport 443`, `-m udp --dport 8000:8100`; the rule's protocol has to be the same.
    DestinationPorts(Ports),
    /// `-m iprange --src-range A-B --dst-range C-D`, one of them or both.
    Range {
        /// The source range.
        source: Option<AddressRange>,
        /// The destination range.
        destination: Option<AddressRange>,
    },
    /// `-m addrtype --dst-type LOCAL`: the packet is for an address of this host.
    DstTypeLocal,
    /// `-m conntrack --ctstate NEW`: the packet opens a flow.
    CtStateNew,
    /// `-m connmark --mark 0x2000/0x2000`: these bits of the connection mark are set.
    Connmark(u32),
    /// `-m comment --comment "…"`: at most [`COMMENT_MAX`] bytes without a NUL.
    Comment(Arc<str>),
}

/// The option as `iptables -S` prints it.
impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Match::DestinationPorts(ports) => {
                write!(f, "-m {} --dport {}", ports.protocol(), ports.first())?;
                if ports.first() == ports.last() {
                    return Ok(());
                }
                write!(f, ":{}", ports.last())
            }
            Match::Range { source, destination } => {
                write!(f, "-m iprange")?;
                if let Some(range) = source {
                    write!(f, " --src-range {range}")?;
                }
                match destination {
                    Some(range) => write!(f, " --dst-range {range}"),
                    None => Ok(()),
                }
            }
            Match::DstTypeLocal => write!(f, "-m addrtype --dst-type LOCAL"),
            Match::CtStateNew => write!(f, "-m conntrack --ctstate NEW"),
            Match::Connmark(mark) => write!(f, "-m connmark --mark {mark:#x}/{mark:#x}"),
            Match::Comment(text) => {
                write!(f, "-m comment --comment {}", quoted(text))
            }
        }
    }
}

/// What a rule of iptables does with a packet that matched.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// `-j ACCEPT`.
    Accept,
    /// `-j RETURN`: back to the calling chain; from a base chain, to its policy.
    Return,
    /// `-j CHAIN`: on in that chain, and back here at its end.
    Jump(Name),
    /// `-g CHAIN`: on in that chain, never back here.
    Goto(Name),
    /// `-j CONNMARK --set-xmark BITS/BITS` or `--set-xmark 0x0/BITS`: sets or clears these bits of
    /// the connection mark and continues with the next rule.
    Connmark {
        /// The bits.
        bits: u32,
        /// Whether they are set.
        set: bool,
    },
}

impl Verdict {
    /// The chain that the packet is sent to, if any.
    pub fn target(&self) -> Option<&Name> {
        match self {
            Verdict::Jump(chain) | Verdict::Goto(chain) => Some(chain),
            Verdict::Accept | Verdict::Return | Verdict::Connmark { .. } => None,
        }
    }
}

/// The option as `iptables -S` prints it.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Accept => write!(f, "-j ACCEPT"),
            Verdict::Return => write!(f, "-j RETURN"),
            Verdict::Jump(chain) => write!(f, "-j {chain}"),
            Verdict::Goto(chain) => write!(f, "-g {chain}"),
            Verdict::Connmark { bits, set } => {
                let value = if *set { *bits } else { 0 };
                write!(f, "-j CONNMARK --set-xmark {value:#x}/{bits:#x}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_prints_as_iptables_prints_it() {
        let ports = Ports::new(Protocol::Tcp, 8000, 8100).expect("ports");
        let rule = IptablesRule {
            source: Some("10.1.0.0/16".parse().expect("a network")),
            in_interface: "!eth+".parse().ok(),
            protocol: Some(Protocol::Tcp),
            matches: [
                Match::DestinationPorts(ports),
                Match::CtStateNew,
                Match::Comment("it's \"web\"".into()),
            ]
            .into(),
            ..IptablesRule::new(Verdict::Jump("DOCKER".into()))
        };
        assert_eq!(
            rule.to_string(),
            "-s 10.1.0.0/16 ! -i eth+ -p tcp -m tcp --dport 8000:8100 -m conntrack --ctstate NEW \
             -m comment --comment \"it\\'s \\\"web\\\"\" -j DOCKER"
        );
    }
}
