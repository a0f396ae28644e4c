//! Which flows are selected, and what is done with them.

use std::net::IpAddr;
use std::path::Path;

use ipnetwork::IpNetwork;
use proptest::prelude::*;

use super::*;
use crate::model::{AddressSpec, Family, Flow, Ports, Protocol, PublishedPort, Status, Tuple};
use crate::policy::Policy;

const CLIENT: &str = "192.0.2.66";
const HOST: &str = "192.0.2.1";
const CONTAINER: &str = "172.17.0.2";

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn set(networks: &[&str]) -> AddressSet {
    let network = |text: &&str| AddressSpec::masked(text.parse::<IpNetwork>().expect("a network"));
    networks.iter().map(network).collect()
}

fn published(family: Family, destination: Option<&str>, protocol: Protocol) -> PublishedPort {
    let address = destination.map(|text| text.parse().expect("a network"));
    PublishedPort { address, family, ports: Ports::new(protocol, 8080, 8081).expect("ports") }
}

/// Publishes 8080 and 8081 over TCP on all addresses, over UDP on one.
fn host() -> FlowClassifier {
    let ports = [
        published(Family::Inet, None, Protocol::Tcp),
        published(Family::Ip, Some("192.0.2.1/32"), Protocol::Udp),
    ];
    let local = ["127.0.0.0/8", "192.0.2.1", "192.0.2.3", "172.17.0.1", "::1", "2001:db8::1"];
    FlowClassifier::new(&ports, &[], set(&local), set(&["172.17.0.1/16", "fd00:db8::1/64"]))
}

fn tuple(source: &str, destination: &str, protocol: Protocol, destination_port: u16) -> Tuple {
    Tuple {
        source: address(source),
        destination: address(destination),
        protocol,
        source_port: 40_000,
        destination_port,
    }
}

fn untranslated(original: Tuple, status: Status) -> Flow {
    Flow { original, reply: original.inverse(), status, id: 1, timeout: 30 }
}

/// Translated to the container, as Docker does it.
fn translated(original: Tuple) -> Flow {
    let inside = Tuple { destination: address(CONTAINER), destination_port: 80, ..original };
    let status = Status(Status::DESTINATION_NAT.0 | Status::SEEN_REPLY.0);
    Flow { original, reply: inside.inverse(), status, id: 1, timeout: 30 }
}

#[test]
fn a_flow_is_rejected_until_it_is_translated_or_answered() {
    let original = tuple(CLIENT, HOST, Protocol::Tcp, 8080);
    let state = |flow| host().state(&flow);
    assert_eq!(state(untranslated(original, Status::default())), Some(FlowState::Rejected));
    assert_eq!(state(untranslated(original, Status::SEEN_REPLY)), Some(FlowState::Admitted));
    assert_eq!(state(translated(original)), Some(FlowState::Admitted));
    let half_open = Flow { status: Status::DESTINATION_NAT, ..translated(original) };
    assert_eq!(state(half_open), Some(FlowState::Admitted));
}

#[test]
fn docker_proxy_may_have_answered_before_the_port_was_known() {
    let ports = [Protocol::Tcp, Protocol::Udp].map(|it| published(Family::Inet, None, it));
    let host = FlowClassifier::new(&ports, &ports[1..], set(&[HOST]), set(&[]));
    let original = |protocol| tuple(CLIENT, HOST, protocol, 8080);
    let state = |flow| host.state(&flow);
    let answered = |protocol| untranslated(original(protocol), Status::SEEN_REPLY);
    assert_eq!(state(answered(Protocol::Udp)), Some(FlowState::Unjudged));
    assert_eq!(state(answered(Protocol::Tcp)), Some(FlowState::Admitted));
    assert_eq!(state(translated(original(Protocol::Udp))), Some(FlowState::Admitted));
    let unanswered = untranslated(original(Protocol::Udp), Status::default());
    assert_eq!(state(unanswered), Some(FlowState::Rejected));
}

#[test]
fn docker_proxy_answers_over_ipv6_too() {
    let original = |protocol| tuple("2001:db8::66", "2001:db8::1", protocol, 8080);
    let state = |flow| host().state(&flow);
    let proxied = untranslated(original(Protocol::Tcp), Status::SEEN_REPLY);
    assert_eq!(state(proxied), Some(FlowState::Admitted));
    assert_eq!(state(untranslated(original(Protocol::Udp), Status::SEEN_REPLY)), None);
}

#[test]
fn other_flows_are_not_selected() {
    let tcp = Protocol::Tcp;
    for (what, original) in [
        ("another port", tuple(CLIENT, HOST, tcp, 8082)),
        ("another protocol", tuple(CLIENT, HOST, Protocol::Sctp, 8080)),
        ("an address without the port", tuple(CLIENT, "192.0.2.3", Protocol::Udp, 8080)),
        ("forwarded to another host", tuple(CLIENT, "203.0.113.9", tcp, 8080)),
        ("from the host", tuple("192.0.2.3", HOST, tcp, 8080)),
        ("from the host to another host", tuple(HOST, CLIENT, tcp, 8080)),
        ("from loopback", tuple("127.0.0.1", "127.0.0.1", tcp, 8080)),
        ("from loopback over IPv6", tuple("::1", "::1", tcp, 8080)),
        ("from a container", tuple(CONTAINER, HOST, tcp, 8080)),
        ("from a container to the world", tuple(CONTAINER, CLIENT, tcp, 8080)),
        ("from a container over IPv6", tuple("fd00:db8::2", "2001:db8::1", tcp, 8080)),
        ("to a container's own address", tuple(CLIENT, CONTAINER, tcp, 80)),
    ] {
        for flow in [
            untranslated(original, Status::default()),
            untranslated(original, Status::SEEN_REPLY),
            translated(original),
        ] {
            assert_eq!(host().state(&flow), None, "{what}: {flow:?}");
        }
    }
    let original = tuple(CLIENT, HOST, tcp, 8080);
    let source_translated = Flow { status: Status::SOURCE_NAT, ..translated(original) };
    assert_eq!(host().state(&source_translated), None);
    assert_eq!(host().state(&untranslated(original, Status::EXPECTED)), None);
}

#[test]
fn rejected_flows_are_cleared_and_disallowed_ones_terminated() {
    use Established::{Cut, Keep};
    assert_eq!(flow_action(FlowState::Rejected, true, Keep), Some(FlowAction::Clear));
    assert_eq!(flow_action(FlowState::Rejected, true, Cut), Some(FlowAction::Clear));
    assert_eq!(flow_action(FlowState::Admitted, false, Cut), Some(FlowAction::Terminate));
    assert_eq!(flow_action(FlowState::Unjudged, false, Keep), Some(FlowAction::Terminate));
    assert_eq!(flow_action(FlowState::Unjudged, false, Cut), Some(FlowAction::Terminate));
    for (state, is_allowed, established) in [
        (FlowState::Unjudged, true, Keep),
        (FlowState::Rejected, false, Keep),
        (FlowState::Rejected, false, Cut),
        (FlowState::Admitted, true, Keep),
        (FlowState::Admitted, true, Cut),
        (FlowState::Admitted, false, Keep),
    ] {
        assert_eq!(flow_action(state, is_allowed, established), None);
    }
}

fn is_allowed(policy: &str, original: &Tuple) -> bool {
    let policy = Policy::parse(policy, "policy.toml", Path::new("")).expect("a policy");
    PolicyMatcher::new(&policy, host().ports()).allows(original)
}

#[test]
fn every_condition_of_an_entry_is_checked() {
    let policy = r#"
        [sources]
        office = ["192.0.2.60-192.0.2.70", "2001:db8::/64"]
        [[allow]]
        ports = ["8000-8080/tcp"]
        from = ["office", "198.51.100.7"]
        to = ["192.0.2.1", "2001:db8::1"]
    "#;
    for source in [CLIENT, "198.51.100.7", "192.0.2.60", "192.0.2.70"] {
        assert!(is_allowed(policy, &tuple(source, HOST, Protocol::Tcp, 8080)), "{source}");
    }
    assert!(is_allowed(policy, &tuple("2001:db8::66", "2001:db8::1", Protocol::Tcp, 8080)));
    for (source, destination, protocol, port) in [
        ("192.0.2.71", HOST, Protocol::Tcp, 8080),
        ("198.51.100.6", HOST, Protocol::Tcp, 8080),
        (CLIENT, "192.0.2.3", Protocol::Tcp, 8080),
        (CLIENT, HOST, Protocol::Udp, 8080),
        (CLIENT, HOST, Protocol::Tcp, 8081),
        ("2001:db8:0:1::66", "2001:db8::1", Protocol::Tcp, 8080),
    ] {
        let original = tuple(source, destination, protocol, port);
        assert!(!is_allowed(policy, &original), "{original:?}");
    }
    assert!(!is_allowed("", &tuple(CLIENT, HOST, Protocol::Tcp, 8080)));
}

#[test]
fn an_entry_with_an_interface_is_assumed_to_match() {
    let policy = "[[allow]]\nports = [\"8080\"]\nin-interface = \"eth1\"\n";
    assert!(is_allowed(policy, &tuple(CLIENT, HOST, Protocol::Tcp, 8080)));
}

#[test]
fn swarm_peers_are_allowed_on_the_ports_of_swarm() {
    let swarm = |source: &str| {
        let policy = "[guard]\nswarm-peers = [\"192.0.2.66\"]\n";
        let policy = Policy::parse(policy, "policy.toml", Path::new("")).expect("a policy");
        let matcher = PolicyMatcher::new(&policy, [(Protocol::Tcp, 2377)].into_iter());
        matcher.allows(&tuple(source, HOST, Protocol::Tcp, 2377))
    };
    assert!(swarm(CLIENT) && !swarm("192.0.2.67"));
}

fn networks() -> impl Strategy<Value = Vec<(u8, u8)>> {
    prop::collection::vec((any::<u8>(), 24u8..=32), 0..20)
}

proptest! {
    #[test]
    fn an_address_set_contains_what_its_networks_contain(
        networks in networks(), v6 in any::<bool>(),
    ) {
        let at = |low: u8| match v6 {
            true => IpAddr::from([0x2001, 0x0db8, 0, 0, 0, 0, 0, low.into()]),
            false => IpAddr::from([192, 0, 2, low]),
        };
        let length = |length: u8| if v6 { length + 96 } else { length };
        let networks: Vec<AddressSpec> = networks
            .into_iter()
            .map(|(low, bits)| IpNetwork::new(at(low), length(bits)).expect("a network"))
            .map(AddressSpec::masked)
            .collect();
        let set: AddressSet = networks.iter().copied().collect();
        for low in 0..=u8::MAX {
            let holds = |addresses: &AddressSpec| {
                (addresses.first()..=addresses.last()).contains(&at(low))
            };
            prop_assert_eq!(set.contains(at(low)), networks.iter().any(holds), "{}", low);
        }
        let of_the_other_family = address(if v6 { CLIENT } else { "2001:db8::1" });
        prop_assert!(!set.contains(of_the_other_family));
    }
}

proptest! {
    /// The rules that a policy compiles to admit what the policy allows.
    #[test]
    fn rules_admit_what_their_policy_allows(
        policy in crate::policy::strategies::policy(),
        sources in prop::collection::vec(any::<u32>(), 4),
        pick in any::<prop::sample::Index>(),
    ) {
        let ruleset = crate::compile::compile(&policy);
        let ruleset = crate::compile::flat_ruleset(&ruleset);
        let named = policy.groups();
        let named: Vec<IpAddr> = named
            .flat_map(|group| group.sources())
            .flat_map(|source| [source.addresses().first(), source.addresses().last()])
            .collect();
        let ports: Vec<_> = policy.allow().iter().flat_map(|entry| entry.ports()).collect();
        let ports = match ports.is_empty() {
            true => Ports::single(Protocol::Tcp, 80).expect("a port"),
            false => *ports[pick.index(ports.len())],
        };
        let port = (ports.protocol(), ports.first());
        let by_policy = PolicyMatcher::new(&policy, [port].into_iter());
        let by_rules = RuleMatcher::new(Some(&ruleset), [port].into_iter());
        let others = sources.into_iter().map(|bits| std::net::Ipv4Addr::from(bits).into());
        for source in named.into_iter().chain(others) {
            let destination = if source.is_ipv4() { "192.0.2.1" } else { "2001:db8::1" };
            let mut original = tuple("192.0.2.1", destination, port.0, port.1);
            original.source = source;
            prop_assert_eq!(by_policy.allows(&original), by_rules.allows(&original), "{:?}", original);
        }
    }
}

proptest! {
    /// The same of those that maps lead to.
    #[test]
    fn maps_admit_what_their_policy_allows(
        policy in crate::policy::strategies::many_ports(),
        ports in prop::collection::vec((1u16..340, any::<bool>()), 12),
    ) {
        let ruleset = crate::compile::compile(&policy);
        let ruleset = crate::compile::flat_ruleset(&ruleset);
        for (port, is_udp) in ports {
            let port = (if is_udp { Protocol::Udp } else { Protocol::Tcp }, port);
            let by_policy = PolicyMatcher::new(&policy, [port].into_iter());
            let by_rules = RuleMatcher::new(Some(&ruleset), [port].into_iter());
            for source in 0..10u8 {
                let source = format!("192.0.2.{source}");
                let original = tuple(&source, "198.51.100.1", port.0, port.1);
                let expected = by_policy.allows(&original);
                prop_assert_eq!(expected, by_rules.allows(&original), "{:?}", original);
            }
        }
    }
}

#[test]
fn without_rules_everything_is_admitted() {
    let matcher = RuleMatcher::new(None, [(Protocol::Tcp, 80)].into_iter());
    assert!(matcher.allows(&tuple(CLIENT, HOST, Protocol::Tcp, 80)));
}
