//! Real tools read dwnl's rules from the kernel, and load the text that dwnl prints.

use super::super::support::{Iptables, Namespace, apply, dwnl, expressions};
use super::super::{UNGUARDED, words};
use super::{hosts, saved, sets, state_of};

const TABLE: [&str; 3] = ["table", "inet", "dwnl"];

/// Many sources of every kind, and every condition, in both families.
fn everything() -> String {
    let mut sources = hosts(200);
    sources.extend((0..80).map(|n| format!("fd00::{n:x}")));
    sources.extend((0..40).map(|n| format!("172.16.{n}.0/24")));
    sources.extend((0..40).map(|n| format!("172.16.{n}.128-172.16.{}.200", n + 1)));
    sources.extend((0..40).map(|n| format!("2001:db8:{n:x}::/48")));
    sources
        .extend(["2001:db8:5::5-2001:db8:8::8", "10.0.0.0/29", "255.255.255.255"].map(Into::into));
    let own: Vec<String> = (0..70).map(|n| format!("192.0.2.{n}")).collect();
    format!(
        "{UNGUARDED}[sources]\nmany = {sources:?}\n\
         [[allow]]\nname = \"web \\\"1\\\"\"\nports = [\"443\", \"443/udp\", \"8000-8100/tcp\", \"9/sctp\"]\n\
         from = [\"many\", \"198.51.100.9\"]\n\
         [[allow]]\nports = [\"53/udp\"]\nfrom = {own:?}\n\
         [[allow]]\nname = \"inside\"\nports = [\"9100\"]\nfrom = [\"many\"]\nin-interface = \"eth+\"\n\
         to = [\"203.0.113.5\", \"203.0.113.8/29\", \"203.0.113.20-203.0.113.30\", \"2001:db8::5\"]\n\
         [[allow]]\nports = [\"9200\"]\nfrom = [\"many\"]\nin-interface = \"!docker0\"\n"
    )
}

#[test]
fn every_iptables_version_reads_rules_that_use_sets() {
    let (dwnl_host, reference) = (Namespace::new(), Namespace::new());
    apply(&dwnl_host, &everything());
    for (option, program) in [("-4", "iptables"), ("-6", "ip6tables")] {
        let text = dwnl(&dwnl_host, &["rules", option, "-f", "-"], &everything()).succeeded();
        let restore = format!("{program}-restore");
        Iptables::version("1.8.7").try_run(&reference, &[&restore, "--noflush"], &text).succeeded();
        for iptables in Iptables::all() {
            let list = |namespace| iptables.run(namespace, &[program, "-t", "nat", "-S"]);
            let listing = list(&dwnl_host);
            assert!(
                listing.contains("--mark 0x2000/0x2000 -m conntrack --ctstate NEW -j DOCKER"),
                "{listing}"
            );
            assert_eq!(listing, list(&reference));
            for rule in listing.lines().filter_map(|line| line.strip_prefix("-A ")) {
                let words = words(rule);
                let words = words.iter().map(String::as_str);
                let check: Vec<&str> =
                    [program, "-t", "nat", "-C"].into_iter().chain(words).collect();
                iptables.run(&dwnl_host, &check);
            }
        }
    }
    assert_eq!(saved(&dwnl_host), saved(&reference));
}

#[test]
fn iptables_tables_hold_no_native_expressions() {
    let host = Namespace::new();
    apply(&host, &everything());
    let names = |table| -> Vec<String> {
        let lines = expressions(&host, table).into_iter().flat_map(|(_, lines)| lines);
        lines.map(|line| line.split_whitespace().nth(1).unwrap_or_default().to_owned()).collect()
    };
    let native = ["ct", "fib", "lookup"];
    let own = names(["inet", "dwnl"]);
    for name in native {
        assert!(own.iter().any(|found| found == name), "nft does not print {name}: {own:?}");
    }
    for family in ["ip", "ip6"] {
        let found = names([family, "nat"]);
        assert!(found.len() > 3, "{found:?}");
        assert!(!found.iter().any(|found| native.contains(&found.as_str())), "{found:?}");
    }
}

#[test]
fn nft_loads_the_printed_table_identically() {
    let (dwnl_host, reference) = (Namespace::new(), Namespace::new());
    apply(&dwnl_host, &everything());
    let text = dwnl(&dwnl_host, &["rules", "--nft", "-f", "-"], &everything()).succeeded();
    reference.try_run(&["nft", "-f", "-"], &text).succeeded();

    let state = state_of(&dwnl_host, &TABLE);
    let names: Vec<String> = sets(&state).into_iter().map(|(name, _)| name).collect();
    let many = ["many-4", "many-4-intervals", "many-6", "many-6-intervals"];
    assert_eq!(names, [&[".2-4"], &many[..]].concat());
    assert_eq!(state, state_of(&reference, &TABLE));
    // dwnl has nothing to change in what nft loaded.
    let before = state_of(&reference, &TABLE);
    apply(&reference, &everything());
    assert_eq!(state_of(&reference, &TABLE), before);
}
