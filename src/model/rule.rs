//! A rule: header conditions, extension matches in order, a counter and a verdict. The terms are
//! iptables', with a few that only a native table can hold.

use std::fmt::{self, Write};
use std::sync::Arc;

use ipnetwork::IpNetwork;

use super::address_text::NetworkText;
use super::interface::InterfaceOption;
use super::nft::NftText;
use super::{
    AddressRange, Family, Interface, Name, NftMatch, NftStatement, Ports, Protocol, Shard,
};

/// The longest comment in bytes (`XT_MAX_COMMENT_LEN` less its NUL).
pub const COMMENT_MAX: usize = 255;

/// A rule as iptables knows it. Equal rules are the same rule to `iptables -C`; the counter that
/// every rule has does not take part.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rule {
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

impl Rule {
    /// The rule that sends every packet to `verdict`.
    pub fn new(verdict: Verdict) -> Rule {
        Rule {
            source: None,
            destination: None,
            in_interface: None,
            protocol: None,
            matches: Arc::default(),
            verdict,
        }
    }

    /// The sets that it looks up or updates.
    pub fn sets(&self) -> impl Iterator<Item = &Name> {
        let updated = match &self.verdict {
            Verdict::Native(NftStatement::UpdateSet(update)) => Some(&update.set),
            _ => None,
        };
        let looked_up = self.matches.iter().filter_map(|condition| match condition {
            Match::SourceSet { set, .. }
            | Match::Native(NftMatch::CtOriginalSet(_, set) | NftMatch::PortSet(_, set)) => {
                Some(set)
            }
            _ => None,
        });
        looked_up.chain(updated)
    }

    /// Whether only a native table can hold the rule, because iptables has no words for it.
    pub fn is_native(&self) -> bool {
        matches!(self.verdict, Verdict::SetCtMark(_) | Verdict::Native(_))
    }
}

/// The rule's part of a line of `iptables -S`, behind `-A CHAIN `; of a native rule, what stands in
/// a line of `nft list ruleset`.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_native() {
            return write!(f, "{}", NftText(self));
        }
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
    /// `ip saddr & 0.0.0.7 == 0.0.0.3`: some bits of the source. Only in a native table, before
    /// the set that holds the part of a large group to which they lead.
    SourceShard {
        /// The family of the address, IPv4 or IPv6.
        family: Family,
        /// Which part.
        part: Shard,
    },
    /// `ip saddr @SET`: the source is in a set. Only in a native table.
    SourceSet {
        /// The family of the set's addresses, IPv4 or IPv6.
        family: Family,
        /// The set, in the rule's own table.
        set: Name,
    },
    /// A condition that only a native table can hold.
    Native(NftMatch),
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
            Match::SourceShard { part, .. } => write!(f, "& {} == {}", part.mask, part.value),
            Match::SourceSet { set, .. } => write!(f, "@{set}"),
            Match::Native(condition) => write!(f, "{condition}"),
            Match::Comment(text) => {
                write!(f, "-m comment --comment ")?;
                write_quoted(f, text)
            }
        }
    }
}

/// Writes a string as iptables' `xtables_save_string` does: bare if nothing in it could be
/// misread, else in double quotes with `"`, `\` and `'` escaped.
fn write_quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !text.is_empty() && text.chars().all(is_plain) {
        return f.write_str(text);
    }
    f.write_char('"')?;
    for c in text.chars() {
        if matches!(c, '"' | '\\' | '\'') {
            f.write_char('\\')?;
        }
        f.write_char(c)?;
    }
    f.write_char('"')
}

/// What a rule does with a packet that matched.
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
    /// `ct mark set ct mark | BITS`: sets these bits of the connection mark and goes on with the
    /// next rule. Only in a native table.
    SetCtMark(u32),
    /// `-j CONNMARK --set-xmark BITS/BITS` or `--set-xmark 0x0/BITS`: sets or clears these bits of
    /// the connection mark and goes on with the next rule.
    Connmark {
        /// The bits.
        bits: u32,
        /// Whether they are set.
        set: bool,
    },
    /// Anything else that only a native table can hold.
    Native(NftStatement),
}

impl Verdict {
    /// The chain that the packet is sent to, if any.
    pub fn target(&self) -> Option<&Name> {
        match self {
            Verdict::Jump(chain) | Verdict::Goto(chain) => Some(chain),
            Verdict::Native(statement) => statement.target(),
            Verdict::Accept
            | Verdict::Return
            | Verdict::SetCtMark(_)
            | Verdict::Connmark { .. } => None,
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
            Verdict::SetCtMark(bits) => write!(f, "ct mark set ct mark | {bits:#010x}"),
            Verdict::Connmark { bits, set } => {
                let value = if *set { *bits } else { 0 };
                write!(f, "-j CONNMARK --set-xmark {value:#x}/{bits:#x}")
            }
            Verdict::Native(statement) => write!(f, "{statement}"),
        }
    }
}

/// Where in its chain a new rule goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// Behind all rules.
    Append,
    /// Before the rule with this handle.
    Before(u64),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_prints_as_iptables_prints_it() {
        let ports = Ports::new(Protocol::Tcp, 8000, 8100).expect("ports");
        let rule = Rule {
            source: Some("10.1.0.0/16".parse().expect("a network")),
            in_interface: "!eth+".parse().ok(),
            protocol: Some(Protocol::Tcp),
            matches: [
                Match::DestinationPorts(ports),
                Match::CtStateNew,
                Match::Comment("it's \"web\"".into()),
            ]
            .into(),
            ..Rule::new(Verdict::Jump("DOCKER".into()))
        };
        assert_eq!(
            rule.to_string(),
            "-s 10.1.0.0/16 ! -i eth+ -p tcp -m tcp --dport 8000:8100 -m conntrack --ctstate NEW \
             -m comment --comment \"it\\'s \\\"web\\\"\" -j DOCKER"
        );
    }
}
