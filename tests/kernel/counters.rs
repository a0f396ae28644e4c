//! What each entry of a policy admitted and what the guard dropped, counted with real packets.

use std::path::Path;

use dwnl::engine::PolicyCounters;
use dwnl::{Engine, Policy};

use super::UNGUARDED;
use super::guard::{behind, is_answered, publish};
use super::support::{Answer, Datagrams, Namespace, Topology, UdpEcho, udp};

/// The size of a packet that a test client sends: 4 bytes in UDP over IPv4.
const PACKET: u64 = 20 + 8 + 4;

/// A host that publishes UDP port 8080 of a container, and a client.
struct Site {
    topology: Topology,
    engine: Engine,
    _container: (Namespace, UdpEcho),
}

impl Site {
    fn new() -> Site {
        let topology = Topology::new();
        let host = &topology.host;
        let container = behind(host, "docker7");
        publish(host, "docker7");
        is_answered(&topology.client, Topology::HOST, 8080);
        let engine = host.inside(Engine::open).expect("an engine");
        Site { topology, engine, _container: container }
    }

    fn apply(&mut self, text: &str) -> Policy {
        let policy = Policy::parse(text, "policy.toml", Path::new("")).expect("a policy");
        let applied = self.engine.apply_policy(&policy).expect("success");
        applied.conntrack.expect("success");
        policy
    }

    /// Opens flows from this address.
    #[track_caller]
    fn open(&self, source: &str, flows: usize, expected: Answer) {
        for _ in 0..flows {
            let answer = udp(&self.topology.client, source, Topology::HOST, 8080);
            assert_eq!(answer, expected, "{source}");
        }
    }

    fn counters(&mut self, policy: &Policy) -> PolicyCounters {
        self.engine.counters(policy).expect("counters")
    }
}

/// The packets of each entry; all packets are of one size.
#[track_caller]
fn admitted(counters: &PolicyCounters) -> Vec<u64> {
    for entry in &counters.entries {
        assert_eq!(entry.bytes, PACKET * entry.packets, "{counters:?}");
    }
    counters.entries.iter().map(|entry| entry.packets).collect()
}

/// What was dropped on the path of published ports.
fn dropped(counters: &PolicyCounters) -> u64 {
    let mut drops = counters.drops.iter().filter(|drops| drops.path == "published port");
    drops.next().expect("the path").packets
}

const ENTRIES: &str = r#"
[[allow]]
ports = ["8080/udp"]
from = ["203.0.113.1"]
[[allow]]
ports = ["8080/udp"]
from = ["192.0.2.2"]
"#;

#[test]
fn the_first_packets_of_flows_are_counted_for_their_entry() {
    let mut site = Site::new();
    let policy = site.apply(ENTRIES);
    site.open(Topology::ALLOWED, 3, Answer::Answered);
    site.open(Topology::REFUSED, 1, Answer::TimedOut);
    let counters = site.counters(&policy);
    assert_eq!((admitted(&counters), dropped(&counters)), (vec![0, 3], 1));

    let client = &site.topology.client;
    let flow = Datagrams::open(client, Topology::ALLOWED, Topology::HOST, 8080);
    for _ in 0..3 {
        assert_eq!(flow.echo(), Answer::Answered);
    }
    assert_eq!(admitted(&site.counters(&policy)), [0, 4], "later packets are not counted");

    let entry = "[[allow]]\nname = \"web\"\nports = [\"8080/udp\"]\nfrom = [\"192.0.2.66\"]\n";
    let policy = site.apply(&format!("{entry}{ENTRIES}"));
    site.open(Topology::REFUSED, 2, Answer::Answered);
    let counters = site.counters(&policy);
    assert_eq!(counters.entries[0].name.as_deref(), Some("web"));
    assert_eq!(admitted(&counters), [2, 0, 4], "a reload keeps the counters");

    site.engine.remove().expect("success");
    let counters = site.counters(&policy);
    assert_eq!((admitted(&counters), counters.drops), (vec![0; 3], vec![]));
}

#[test]
fn without_the_guard_the_first_packets_are_counted_too() {
    let mut site = Site::new();
    let policy = site.apply(&format!("{UNGUARDED}{ENTRIES}"));
    site.open(Topology::ALLOWED, 2, Answer::Answered);
    let counters = site.counters(&policy);
    assert_eq!((admitted(&counters), counters.drops), (vec![0, 2], vec![]));
}

#[test]
fn a_large_group_is_counted_once_without_the_guard_and_twice_with_it() {
    let many: Vec<String> = (0..70).map(|n| format!("203.0.113.{n}")).collect();
    let sources = format!("[sources]\nmany = {many:?}\n");
    let sources = sources.replace("\"203.0.113.0\"", "\"192.0.2.2\"");
    let entry = "[[allow]]\nname = \"crowd\"\nports = [\"8080/udp\"]\nfrom = [\"many\"]\n";
    for (settings, expected) in [(UNGUARDED, 3), ("", 6)] {
        let mut site = Site::new();
        let policy = site.apply(&format!("{sources}{entry}{settings}"));
        site.open(Topology::ALLOWED, 3, Answer::Answered);
        assert_eq!(admitted(&site.counters(&policy)), [expected], "{settings}");
    }
}

#[test]
fn what_an_entry_denies_is_counted_for_it() {
    let mut site = Site::new();
    let few = vec![Topology::REFUSED.to_owned()];
    let many = || (0..100).map(|number| format!("10.0.{number}.0/24"));
    let many: Vec<String> = few.iter().cloned().chain(many()).collect();
    for guard in ["", UNGUARDED] {
        for list in [&few, &many] {
            let text = format!(
                "[[allow]]\nports = ['8080/udp']\n[[deny]]\nports = ['8080']\nfrom = {list:?}\n\
                 [[deny]]\nname = 'bans'\nfrom = {list:?}\nexcept = ['10.0.7.0/25']\n{guard}"
            );
            let policy = site.apply(&text);
            let refused = if guard.is_empty() { Answer::TimedOut } else { Answer::Refused };
            site.open(Topology::ALLOWED, 1, Answer::Answered);
            site.open(Topology::REFUSED, 3, refused);
            let counters = site.counters(&policy);
            let denied: Vec<u64> = counters.denied.iter().map(|entry| entry.packets).collect();
            assert_eq!(denied, [0, 3], "{} sources, {guard}: {counters:?}", list.len());
        }
    }
}
