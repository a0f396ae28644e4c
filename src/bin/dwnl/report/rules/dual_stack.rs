//! A chain of one name in both families, as one.

use std::io::{self, Write};

use dwnl::model::{Chain, Family, Name, Ownership};

use super::merge::{Merged, merge};

/// A chain of one name in both families.
#[derive(Debug)]
pub struct DualStackChain<'a> {
    /// The name.
    pub name: &'a Name,
    /// The chain in IPv4.
    pub ip: Option<&'a Chain>,
    /// The chain in IPv6.
    pub ip6: Option<&'a Chain>,
}

impl<'a> DualStackChain<'a> {
    /// Takes the chain as the one of its family. Those of both families at once are not for
    /// iptables.
    pub fn take(&mut self, chain: &'a Chain) {
        match chain.path.table.family {
            Family::Ip => self.ip = Some(chain),
            Family::Ip6 => self.ip6 = Some(chain),
            Family::Inet => {}
        }
    }

    fn any(&self) -> Option<&'a Chain> {
        self.ip.or(self.ip6)
    }

    fn is_head(&self) -> bool {
        self.any().is_some_and(|chain| chain.ownership == Ownership::Leading)
    }

    /// Whether it is hooked in, and not only jumped to.
    pub fn is_base(&self) -> bool {
        self.any().is_some_and(|chain| chain.base.is_some())
    }

    /// The rules of both families in one list.
    pub fn rules(&self) -> Vec<Merged<'a>> {
        let rules = |chain: Option<&'a Chain>| chain.map_or(&[][..], |chain| &chain.rules);
        merge(rules(self.ip), rules(self.ip6), self.is_head())
    }

    /// Writes the line of a rule; `flagged`: with its family, if it is of one alone.
    pub fn write_rule(&self, out: &mut dyn Write, line: &Merged, flagged: bool) -> io::Result<()> {
        let name = self.name;
        if self.is_head() {
            // Our rules come first, on a host that has others there too.
            write!(out, "-I {name} {} ", line.index + 1)?;
        } else {
            write!(out, "-A {name} ")?;
        }
        let flag = match line.family {
            Some(Family::Ip) if flagged => "-4 ",
            Some(Family::Ip6) if flagged => "-6 ",
            _ => "",
        };
        writeln!(out, "{flag}{}", line.rule)
    }
}
