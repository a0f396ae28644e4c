//! The kernel's rules as the text that iptables-save prints.

use std::fmt::Write;

use super::Input;
use crate::model::{Family, IpVersion, KernelRuleset, KernelTable};

/// The tables of iptables.
const TABLES: [&str; 4] = ["raw", "mangle", "nat", "filter"];

/// The rules of iptables and ip6tables, one text for each.
pub fn inputs(ruleset: &KernelRuleset) -> Vec<Input> {
    let input = |version: IpVersion| {
        let program = if version == IpVersion::V4 { "iptables" } else { "ip6tables" };
        Input {
            name: format!("kernel ({program})"),
            text: text(ruleset, Family::from(version)),
            version: Some(version),
        }
    };
    IpVersion::ALL.map(input).into()
}

/// Base chains of nft that may drop what is forwarded or comes in, and are not dwnl's: `inet host
/// forward`.
pub fn others(ruleset: &KernelRuleset) -> Vec<String> {
    let mut others = Vec::new();
    for (path, table) in &ruleset.tables {
        let is_iptables = path.family != Family::Inet && TABLES.contains(&&*path.table);
        if is_iptables || (path.family == Family::Inet && &*path.table == "dwnl") {
            continue;
        }
        for (name, chain) in &table.chains {
            let is_on_path = chain.base.as_ref().is_some_and(|base| {
                let attachment = base.attachment().to_string();
                attachment.contains("prerouting") || attachment.contains("forward")
            });
            if is_on_path && !chain.rules.is_empty() {
                others.push(format!("{path} {name}"));
            }
        }
    }
    others
}

fn text(ruleset: &KernelRuleset, family: Family) -> String {
    let mut text = String::new();
    let own = ruleset.tables.iter().filter(|(path, _)| path.family == family);
    for (path, table) in own.filter(|(path, _)| TABLES.contains(&&*path.table)) {
        write_table(&mut text, &path.table, table);
    }
    text
}

fn write_table(text: &mut String, name: &str, table: &KernelTable) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "*{name}");
    for (chain, contents) in &table.chains {
        let policy = match &contents.base {
            Some(base) if base.drops => "DROP",
            Some(_) => "ACCEPT",
            None => "-",
        };
        let _ = writeln!(text, ":{chain} {policy} [0:0]");
    }
    for (chain, contents) in &table.chains {
        for rule in &contents.rules {
            let _ = writeln!(text, "-A {chain} {rule}");
        }
    }
    let _ = writeln!(text, "COMMIT");
}
