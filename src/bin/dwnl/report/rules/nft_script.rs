//! The tables that dwnl owns, as a script for `nft -f`.

use std::io::{self, Write};

use anstyle::Style;
use dwnl::model::{BaseChain, Chain, PortMap, Ruleset, Set, TablePath};

use super::super::set_elements::Elements;

/// Writes the tables. Each is created and deleted first, so that the script can be loaded twice.
pub fn write_tables(out: &mut dyn Write, ruleset: &Ruleset) -> io::Result<()> {
    if ruleset.chains.iter().any(|chain| chain.base == Some(BaseChain::INPUT)) {
        writeln!(
            out,
            "# `dwnl apply` also adds bridges and ports discovered from Docker's rules."
        )?;
    }
    for path in &ruleset.owned_tables {
        writeln!(out, "table {path}\ndelete table {path}")?;
        write_table(out, path, ruleset)?;
    }
    Ok(())
}

fn write_table(out: &mut dyn Write, path: &TablePath, ruleset: &Ruleset) -> io::Result<()> {
    let mut chains = ruleset.chains.iter().filter(|chain| chain.path.table == *path).peekable();
    if chains.peek().is_none() {
        return Ok(());
    }
    writeln!(out, "table {path} {{")?;
    for set in ruleset.sets.iter().filter(|set| set.path.table == *path) {
        write_set(out, set)?;
    }
    for map in ruleset.maps.iter().filter(|map| map.path.table == *path) {
        write_map(out, map)?;
    }
    for chain in chains {
        write_chain(out, chain)?;
    }
    writeln!(out, "}}")
}

fn write_set(out: &mut dyn Write, set: &Set) -> io::Result<()> {
    writeln!(out, "\tset {} {{\n\t\t{}", set.path.set, set.kind)?;
    // nft does not read an empty list.
    let elements = Elements::all(&set.elements, set.kind).filter(|_| !set.elements.is_empty());
    if let Some(elements) = elements {
        writeln!(out, "\t\telements = {{")?;
        elements.write_lines(out, Style::new(), "\t\t\t", ",")?;
        writeln!(out, "\t\t}}")?;
    }
    writeln!(out, "\t}}")
}

fn write_map(out: &mut dyn Write, map: &PortMap) -> io::Result<()> {
    writeln!(out, "\tmap {} {{\n\t\t{}", map.path.set, PortMap::KIND)?;
    if !map.elements.is_empty() {
        writeln!(out, "\t\telements = {{")?;
        Elements::Map(&map.elements).write_lines(out, Style::new(), "\t\t\t", ",")?;
        writeln!(out, "\t\t}}")?;
    }
    writeln!(out, "\t}}")
}

fn write_chain(out: &mut dyn Write, chain: &Chain) -> io::Result<()> {
    writeln!(out, "\tchain {} {{", chain.path.chain)?;
    if let Some(BaseChain { chain_type, hook, priority }) = chain.base {
        writeln!(out, "\t\ttype {chain_type} hook {hook} priority {priority}; policy accept;")?;
    }
    for desired in chain.rules.iter() {
        writeln!(out, "\t\t{}", desired.rule)?;
    }
    writeln!(out, "\t}}")
}

#[cfg(test)]
mod tests {
    use dwnl::model::SetKind;

    use super::*;
    use crate::report::test_support::{large_group, plain};

    #[test]
    fn the_table_is_created_again() {
        assert_eq!(
            plain(|out| write_tables(out, &large_group())),
            "\
table inet dwnl
delete table inet dwnl
table inet dwnl {
\tset cdn-4 {
\t\ttype ipv4_addr; size 1024
\t\telements = {
\t\t\t203.0.113.0,
\t\t\t203.0.113.1,
\t\t}
\t}
\tset cdn-6-intervals {
\t\ttype ipv6_addr; flags interval
\t\telements = {
\t\t\t::-::ffff,
\t\t}
\t}
\tchain allow {
\t\ttype nat hook prerouting priority -101; policy accept;
\t\ttcp dport 443 ip saddr @cdn-4 fib daddr type local counter ct mark set ct mark | 0x00002000
\t\ttcp dport 443 ip6 saddr @cdn-6-intervals fib daddr type local counter ct mark set ct mark | 0x00002000
\t}
}
"
        );
    }

    #[test]
    fn a_dynamic_set_has_no_elements_to_load() {
        let mut ruleset = large_group();
        ruleset.sets.truncate(1);
        ruleset.sets[0].kind = SetKind::DynamicPorts;
        let set = "\
\tset cdn-4 {
\t\ttype inet_service; size 65535; flags dynamic,timeout
\t}
\tchain allow {
";
        let text = plain(|out| write_tables(out, &ruleset));
        assert!(text.contains(set), "{text}");
    }

    #[test]
    fn without_large_groups_there_is_no_table() {
        let mut ruleset = large_group();
        ruleset.chains.clear();
        assert_eq!(
            plain(|out| write_tables(out, &ruleset)),
            "table inet dwnl\ndelete table inet dwnl\n"
        );
    }
}
