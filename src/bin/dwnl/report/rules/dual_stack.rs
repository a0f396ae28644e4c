//! The chains of the same name in IPv4 and IPv6 as one.

use std::io::{self, Write};

use dwnl::model::{Chain, Family, Name, Ownership};

use super::merge::{Merged, merge};

/// The chains of the same name in IPv4 and IPv6.
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
    /// Stores the chain of one family. iptables has no chains of `inet`.
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

    /// Whether it is a base chain.
    pub fn is_base(&self) -> bool {
        self.any().is_some_and(|chain| chain.base.is_some())
    }

    /// The rules of both families as one list.
    pub fn rules(&self) -> Vec<Merged<'a>> {
        let rules = |chain: Option<&'a Chain>| chain.map_or(&[][..], |chain| &chain.rules);
        merge(rules(self.ip), rules(self.ip6), self.is_head())
    }

    /// Writes the line of a rule. With `flagged`, a rule of only one family has the flag of that
    /// family.
    pub fn write_rule(&self, out: &mut dyn Write, line: &Merged, flagged: bool) -> io::Result<()> {
        let name = self.name;
        if self.is_head() {
            // dwnl's rules come before those of other programs.
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
