//! What dwnl writes is what iptables 1.8.7 writes for the same text, and every version of iptables
//! reads it alike.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::support::{Iptables, Namespace, Output, dwnl, expressions};
use super::words;

/// A family's option, its programs and its table, as dwnl, iptables and nft name them.
const FAMILIES: [(&str, &str, [&str; 2]); 2] =
    [("-4", "iptables", ["ip", "nat"]), ("-6", "ip6tables", ["ip6", "nat"])];

/// One namespace that dwnl wrote to, and one that iptables 1.8.7 wrote to by the text that dwnl
/// prints of the same policy.
struct Pair {
    name: String,
    dwnl: Namespace,
    iptables: Namespace,
}

fn pairs() -> impl Iterator<Item = Pair> {
    policies().into_iter().map(|policy| {
        let file = policy.to_str().expect("a path in UTF-8");
        let (ours, reference) = (Namespace::new(), Namespace::new());
        dwnl(&ours, &["apply", "-f", file], "").succeeded();
        let iptables = Iptables::version("1.8.7");
        for (option, program, _) in FAMILIES {
            let text = dwnl(&ours, &["rules", option, "-f", file], "").succeeded();
            let restore = format!("{program}-restore");
            iptables.try_run(&reference, &[&restore, "--noflush"], &text).succeeded();
        }
        Pair { name: file.to_owned(), dwnl: ours, iptables: reference }
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
fn every_iptables_saves_the_same_as_after_a_restore() {
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
fn the_text_of_both_families_restores_to_the_same() {
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

/// What was saved, without comments and counters.
fn lines(saved: &str) -> Vec<String> {
    let lines = saved.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split(" [").next().unwrap_or(line).to_owned()).collect()
}

#[test]
fn every_iptables_finds_every_rule() {
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
fn the_kernel_holds_the_expressions_of_iptables_1_8_7() {
    for pair in pairs() {
        for (_, _, table) in FAMILIES {
            let (ours, reference) = (by_chain(&pair.dwnl, table), by_chain(&pair.iptables, table));
            assert!(ours["PREROUTING"].len() >= 2, "{}: {ours:?}", pair.name);
            assert_eq!(ours, reference, "{}", pair.name);
        }
    }
}

/// The rules of every chain of a table, each with its expressions. The order of the chains does not
/// matter.
fn by_chain(host: &Namespace, table: [&str; 2]) -> BTreeMap<String, Vec<Vec<String>>> {
    let mut chains: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (chain, rule) in expressions(host, table) {
        chains.entry(chain).or_default().push(rule);
    }
    chains
}
