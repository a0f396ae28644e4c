//! dwnl writes the same bytes as iptables 1.8.7 for the same text, and every iptables version reads
//! them alike.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::support::{Iptables, Namespace, Output, dwnl, expressions};
use super::words;

/// The option for a family, its iptables program, and its table as nft names it.
const FAMILIES: [(&str, &str, [&str; 2]); 2] =
    [("-4", "iptables", ["ip", "nat"]), ("-6", "ip6tables", ["ip6", "nat"])];

/// Two namespaces with the rules of one policy: dwnl wrote to one, and iptables 1.8.7 loaded the
/// text that dwnl prints into the other.
struct Pair {
    name: String,
    dwnl: Namespace,
    iptables: Namespace,
}

fn pairs() -> impl Iterator<Item = Pair> {
    policies().into_iter().map(|policy| {
        let file = policy.to_str().expect("a path in UTF-8");
        let (dwnl_host, reference) = (Namespace::new(), Namespace::new());
        dwnl(&dwnl_host, &["apply", "-f", file], "").succeeded();
        let iptables = Iptables::version("1.8.7");
        for (option, program, _) in FAMILIES {
            let text = dwnl(&dwnl_host, &["rules", option, "-f", file], "").succeeded();
            let restore = format!("{program}-restore");
            iptables.try_run(&reference, &[&restore, "--noflush"], &text).succeeded();
        }
        Pair { name: file.to_owned(), dwnl: dwnl_host, iptables: reference }
    })
}

fn policies() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/policies");
    let entries = fs::read_dir(directory).expect("the policies").map(|entry| entry.unwrap().path());
    let policies: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|name| name == "toml")).collect();
    assert!(policies.len() > 10, "only {} policies", policies.len());
    policies
}

#[test]
fn every_iptables_version_saves_the_same_rules() {
    for pair in pairs() {
        for iptables in Iptables::all() {
            for (_, program, _) in FAMILIES {
                let save = format!("{program}-save");
                let saved = |namespace| lines(&iptables.run(namespace, &[&save, "-t", "nat"]));
                assert_eq!(saved(&pair.dwnl), saved(&pair.iptables), "{}", pair.name);
            }
        }
    }
}

#[test]
fn text_of_both_families_restores_the_same_rules() {
    for policy in policies() {
        let file = policy.to_str().expect("a path in UTF-8");
        let (both, each) = (Namespace::new(), Namespace::new());
        for (option, program, _) in FAMILIES {
            let restore = format!("{program}-restore");
            let load = |namespace: &Namespace, text: Output| {
                let text = text.succeeded();
                namespace.try_run(&[&restore, "--noflush"], &text).succeeded();
                lines(&namespace.run(&[&format!("{program}-save"), "-t", "nat"]))
            };
            assert_eq!(
                load(&both, dwnl(&both, &["rules", "-f", file], "")),
                load(&each, dwnl(&each, &["rules", option, "-f", file], "")),
                "{file}"
            );
        }
    }
}

/// The saved rules without comments and counters.
fn lines(saved: &str) -> Vec<String> {
    let lines = saved.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split(" [").next().unwrap_or(line).to_owned()).collect()
}

#[test]
fn every_iptables_version_finds_every_rule() {
    for pair in pairs() {
        for iptables in Iptables::all() {
            for (_, program, _) in FAMILIES {
                let listing = Iptables::version("1.8.7");
                let listing = listing.run(&pair.iptables, &[program, "-t", "nat", "-S"]);
                let rules: Vec<&str> =
                    listing.lines().filter_map(|line| line.strip_prefix("-A ")).collect();
                assert!(rules.len() >= 2, "{}: {rules:?}", pair.name);
                for rule in rules {
                    let words = words(rule);
                    let words = words.iter().map(String::as_str);
                    let check: Vec<_> =
                        [program, "-t", "nat", "-C"].into_iter().chain(words).collect();
                    iptables.run(&pair.dwnl, &check);
                }
            }
        }
    }
}

#[test]
fn kernel_expressions_match_iptables_1_8_7() {
    for pair in pairs() {
        for (_, _, table) in FAMILIES {
            let (actual, expected) = (by_chain(&pair.dwnl, table), by_chain(&pair.iptables, table));
            assert!(actual["PREROUTING"].len() >= 2, "{}: {actual:?}", pair.name);
            assert_eq!(actual, expected, "{}", pair.name);
        }
    }
}

/// The rules of each chain of a table, as lists of expressions. The order of the chains does not
/// matter.
fn by_chain(host: &Namespace, table: [&str; 2]) -> BTreeMap<String, Vec<Vec<String>>> {
    let mut chains: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (chain, rule) in expressions(host, table) {
        chains.entry(chain).or_default().push(rule);
    }
    chains
}
