//! The words of rules are those of iptables and of nft.

use crate::support::{Topology, Trace, tcp};

#[test]
fn rules_are_in_the_words_of_their_tools() {
    let Topology { host, client } = &Topology::new();
    let rule = "INPUT -s 192.0.2.0/24 -p tcp -m tcp --dport 8080 -m comment --comment why -j DROP";
    host.run(&[&["iptables", "-A"], &rule.split(' ').collect::<Vec<_>>()[..]].concat());
    let nft = "ip saddr 192.0.2.0/24 tcp dport { 8081, 9000-9010 } drop";
    let table =
        format!("table inet t {{\nchain c {{ type filter hook input priority 1; {nft}; }}\n}}");
    host.try_run(&["nft", "-f", "-"], &table).succeeded();
    let oracle = [
        host.run(&["iptables", "-S", "INPUT"]),
        host.run(&["nft", "list", "chain", "inet", "t", "c"]),
    ];
    for (port, oracle) in [8080, 8081].into_iter().zip(oracle) {
        let trace = Trace::start(host, &[Topology::ALLOWED]);
        let _ = tcp(client, Topology::ALLOWED, Topology::HOST, port);
        let packet = trace.packet();
        let words = packet["decision"]["rule"].as_str().expect("a rule");
        let listed = |line: &str| line.trim().trim_start_matches("-A INPUT ") == words;
        assert!(oracle.lines().any(listed), "{words} is not in\n{oracle}");
    }
}
