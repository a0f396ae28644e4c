//! Rules in words: the text equals what iptables and nft list.

mod corpus;

use std::collections::BTreeMap;
use std::path::Path;

use dwnl::Engine;
use dwnl::model::{KernelRuleset, TablePath};

use super::support::{Iptables, Namespace};

/// A line of the corpus as arguments. Only double quotes have a meaning.
fn arguments(line: &str) -> Vec<String> {
    let quoted = line.split('"').enumerate().flat_map(|(index, text)| match index % 2 {
        0 => text.split_whitespace().map(str::to_owned).collect(),
        _ => vec![text.to_owned()],
    });
    quoted.collect()
}

/// The rules of each chain in words, by table and chain.
fn words(host: &Namespace) -> BTreeMap<(TablePath, String), Vec<String>> {
    let mut engine = Engine::open_in(Path::new(&host.path())).expect("an engine");
    let KernelRuleset { tables, .. } = engine.read_ruleset().expect("a ruleset");
    let chains = tables.into_iter().flat_map(|(path, table)| {
        table.chains.into_iter().map(move |(name, chain)| {
            let rules = chain.rules.iter().map(ToString::to_string).collect();
            ((path.clone(), name.to_string()), rules)
        })
    });
    chains.collect()
}

/// All rules in words, in the order of their tables and chains.
fn all(host: &Namespace, table: &str) -> Vec<String> {
    words(host)
        .into_iter()
        .filter(|((path, _), _)| *path.table == *table)
        .flat_map(|it| it.1)
        .collect()
}

#[test]
fn rules_of_every_iptables_read_as_it_lists_them() {
    for iptables in Iptables::all() {
        for (program, rules) in [("iptables", corpus::IPV4), ("ip6tables", corpus::IPV6)] {
            let host = Namespace::new();
            for rule in rules.lines() {
                let line = arguments(rule);
                let line = line.iter().map(String::as_str);
                iptables.run(&host, &[program].into_iter().chain(line).collect::<Vec<_>>());
            }
            for table in ["filter", "nat", "mangle", "raw"] {
                let listing = iptables.run(&host, &[program, "-t", table, "-S"]);
                // A flaw of iptables 1.8.7.
                let listing = listing.replace("--nflog-prefix  ", "--nflog-prefix ");
                let mut expected: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
                for line in listing.lines().filter_map(|line| line.strip_prefix("-A ")) {
                    let (chain, rule) = line.split_once(' ').expect("a rule");
                    expected.entry(chain).or_default().push(rule);
                }
                let expected: Vec<&str> = expected.into_values().flatten().collect();
                assert_eq!(all(&host, table), expected, "{program} -t {table}");
            }
        }
    }
}

#[test]
fn rules_of_nft_read_as_it_lists_them() {
    let host = Namespace::new();
    for ruleset in [corpus::NFT_INET, corpus::NFT_IP, corpus::NFT_IP6] {
        host.try_run(&["nft", "-f", "-"], ruleset).succeeded();
    }
    let listing = host.run(&["nft", "list", "ruleset"]);
    let mut expected: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let (mut table, mut chain) = (String::new(), None);
    for line in listing.lines().filter(|line| !line.is_empty()) {
        let text = line.trim();
        let indent = line.len() - line.trim_start().len();
        match indent {
            0 => table = text.trim_end_matches(" {").replacen("table ", "", 1),
            1 => {
                chain =
                    text.strip_prefix("chain ").map(|name| name.trim_end_matches(" {").to_owned())
            }
            _ if text.starts_with("type ") => {}
            _ => {
                if let Some(chain) = &chain {
                    let text = text.replace("counter packets 0 bytes 0 ", "");
                    expected.entry(format!("{table} {chain}")).or_default().push(text);
                }
            }
        }
    }
    let found: BTreeMap<String, Vec<String>> = words(&host)
        .into_iter()
        .filter(|(_, rules)| !rules.is_empty())
        .map(|((path, chain), rules)| (format!("{path} {chain}"), rules))
        .collect();
    let differences: Vec<String> = expected
        .iter()
        .flat_map(|(chain, rules)| rules.iter().zip(&found[chain]))
        .filter(|(expected, found)| expected != found)
        .map(|(expected, found)| format!("nft:  {expected}\ndwnl: {found}\n"))
        .collect();
    assert!(differences.is_empty(), "\n{}", differences.join("\n"));
    assert_eq!(found, expected);
}

#[test]
fn what_is_not_understood_is_shown_by_its_name() {
    let host = Namespace::new();
    for rule in [
        "-m recent --set --name SSH -j DROP",
        "-m statistic --mode random --probability 0.5 -j RETURN",
    ] {
        let args: Vec<&str> =
            ["iptables", "-A", "INPUT"].into_iter().chain(rule.split(' ')).collect();
        host.run(&args);
    }
    assert_eq!(all(&host, "filter"), ["-m [recent] -j DROP", "-m [statistic] -j RETURN"]);
}
