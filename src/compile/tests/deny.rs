//! What entries that deny compile to.

use super::*;

const SMALL: &str = "
    [[deny]]
    name = 'bans'
    from = ['192.0.2.66', '2001:db8::66']
    [[deny]]
    ports = ['443']
    from = ['198.51.100.0/24']
    except = ['198.51.100.128/25']
    [[allow]]
    ports = ['443']
    from = ['0.0.0.0/0']
    ";

fn parse(text: &str) -> Policy {
    Policy::parse(text, "p.toml", std::path::Path::new("")).expect("a policy")
}

fn without_guard(text: &str) -> Policy {
    parse(&format!("{text}\n[guard]\nenabled = false\n"))
}

/// The policy with as many denied sources as make a set.
fn large() -> String {
    let sources: Vec<String> = (0..70).map(|number| format!("10.0.{number}.0/24")).collect();
    format!("{SMALL}\n[[deny]]\nname = 'list'\nfrom = {sources:?}\n")
}

/// The rules of a chain of dwnl's table, but those for bans and grants by hand.
fn own(policy: &Policy, chain: &str) -> Vec<String> {
    let ruleset = compile(policy);
    let path = ChainPath { table: own_table(), chain: chain.into() };
    let chain = ruleset.chains.iter().find(|it| *it.path == path);
    let rules = chain.into_iter().flat_map(|chain| chain.rules.iter());
    let rules = rules.map(|desired| desired.rule.to_string());
    rules.filter(|rule| !rule.contains("by hand")).collect()
}

#[test]
fn denied_sources_are_led_past_the_rules_that_allow() {
    let allowed = "-p tcp -m tcp --dport 443 -m conntrack --ctstate NEW -j DOCKER";
    assert_eq!(
        block(IpVersion::V4, &without_guard(SMALL)),
        [
            "-s 192.0.2.66/32 -m comment --comment bans -j RETURN",
            "-s 198.51.100.0/25 -p tcp -m tcp --dport 443 -j RETURN",
            allowed,
        ]
    );
    assert_eq!(
        block(IpVersion::V6, &without_guard(SMALL)),
        ["-s 2001:db8::66/128 -m comment --comment bans -j RETURN"]
    );
    assert_eq!(
        block(IpVersion::V4, &parse(SMALL)),
        [
            "-s 192.0.2.66/32 -m comment --comment bans -g DOCKER-BLOCK-GUARD",
            "-s 198.51.100.0/25 -p tcp -m tcp --dport 443 -g DOCKER-BLOCK-GUARD",
            allowed,
            "-g DOCKER-BLOCK-GUARD",
        ]
    );
}

#[test]
fn with_the_guard_denied_sources_return_before_anything_is_accepted() {
    assert_eq!(
        own(&parse(SMALL), "allowed"),
        [
            "meta nfproto ipv4 ct original ip saddr 192.0.2.66 counter return comment \"bans\"",
            "meta nfproto ipv6 ct original ip6 saddr 2001:db8::66 counter return comment \"bans\"",
            "meta l4proto tcp ct original proto-dst 443 meta nfproto ipv4 \
             ct original ip saddr 198.51.100.0/25 counter return",
            "meta l4proto tcp ct original proto-dst 443 meta nfproto ipv4 counter accept",
        ]
    );
}

#[test]
fn where_a_set_is_denied_no_rule_of_iptables_lets_anyone_in() {
    let list = "meta nfproto ipv4 ct original ip saddr @.list-4-intervals counter return \
                comment \"list\"";
    let guarded = parse(&large());
    assert_eq!(block(IpVersion::V4, &guarded), ["-g DOCKER-BLOCK-GUARD"]);
    assert_eq!(own(&guarded, "allowed")[3], list);
    let unguarded = without_guard(&large());
    assert_eq!(
        block(IpVersion::V4, &unguarded),
        ["-m connmark --mark 0x2000/0x2000 -m conntrack --ctstate NEW -j DOCKER"]
    );
    let rules = own(&unguarded, "allow");
    assert_eq!(rules[3], list);
    assert_eq!(
        rules[4],
        "meta l4proto tcp ct original proto-dst 443 meta nfproto ipv4 fib daddr type local counter \
         ct mark set ct mark | 0x00002000"
    );
}

#[test]
fn the_nodes_of_a_swarm_are_behind_what_is_denied() {
    let peers = "[guard]\nswarm-peers = ['192.0.2.0/24']\n";
    let jumps = |text: &str| own(&parse(text), "swarm")[1].clone();
    assert!(jumps(peers).ends_with("counter accept comment \"swarm-peers\""));
    let text = format!("{SMALL}\n{peers}");
    assert_eq!(jumps(&text), "counter jump swarm-peers");
    let rules = own(&parse(&text), "swarm-peers");
    assert!(rules[0].contains("return") && rules[3].contains("accept"), "{rules:?}");
}
