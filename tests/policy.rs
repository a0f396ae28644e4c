//! Valid and invalid policies, through the public interface.

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use dwnl::Policy;
use dwnl::model::AddressSpec;
use dwnl::policy::{Allow, Diagnostics, DirectRouting, Established, Guard, Mark};
use proptest::prelude::*;

/// The directory of the source files of `malformed.txt`. It is relative, so that the messages are
/// the same everywhere.
const FIXTURES: &str = "tests/policy";

fn parse(text: &str) -> Result<Policy, Diagnostics> {
    Policy::parse(text, "policy.toml", Path::new(FIXTURES))
}

fn messages(text: &str) -> String {
    parse(text).expect_err("the policy is invalid").to_string()
}

/// `malformed.txt` holds policies with their exact messages: a title after `===`, the policy, a
/// line `---`, and what is printed.
#[test]
fn malformed_policies_have_their_exact_messages() {
    let table = fs::read_to_string(Path::new(FIXTURES).join("malformed.txt")).expect("the table");
    let cases: Vec<&str> = table.split("=== ").skip(1).collect();
    assert!(cases.len() >= 100, "the table has only {} policies", cases.len());
    let mut wrong = String::new();
    for case in cases {
        let (title, rest) = case.split_once('\n').expect("a title");
        let (policy, expected) = rest.split_once("---\n").expect("a line between");
        let found = parse(policy).map_or_else(|errors| errors.to_string(), |_| "valid".to_owned());
        if found != expected.trim_end() {
            wrong += &format!("=== {title}\n{policy}---\n{found}\n\n");
        }
    }
    assert!(wrong.is_empty(), "unexpected messages:\n{wrong}");
}

#[test]
fn the_example_is_valid_and_uses_every_key() {
    let policy = Policy::read(Path::new("examples/policy.toml")).expect("a valid policy");
    let [web, metrics, signalling, login, audit, shop] = policy.allow() else {
        unreachable!("six entries")
    };
    let schedule = audit.schedule().expect("a schedule").to_string();
    let words = "mon-fri, 08:00-18:00, 22:00-02:00 (Europe/Berlin), until 2099-12-01 19:00 CET";
    assert_eq!(schedule, words);
    let name = |entry: &Allow| entry.name().map(ToString::to_string).expect("a name");
    assert_eq!([web, metrics, signalling].map(name), ["web", "metrics", "signalling"]);
    let ports: Vec<_> = web.ports().iter().map(ToString::to_string).collect();
    assert_eq!(ports, ["443/tcp", "443/udp", "8000-8100/tcp"]);
    let from = web.from().expect("sources");
    let groups: Vec<_> = from.iter().map(|group| group.name().map(AsRef::as_ref)).collect();
    assert_eq!(groups, [Some("load-balancers"), Some("cdn"), None]);
    let at = from[1].sources()[1].at().expect("a position").to_string();
    assert_eq!(at, "examples/cdn.txt:3:1");
    assert_eq!(metrics.in_interface().map(ToString::to_string), Some("eth1".into()));
    assert_eq!(metrics.to().len(), 2);
    assert_eq!(signalling.from(), None);
    let containers = shop.by_container().and_then(|by| by.selector()).expect("containers");
    let words = "container `shop-api-1`, compose `shop/api`, label `tier=front`";
    assert_eq!(containers.to_string(), words);
    let docker = policy.docker();
    assert_eq!(docker.socket(), Path::new("/run/docker.sock"));
    assert_eq!(docker.label_groups().map(<[_]>::len), Some(1));
    let limits = "limit = \"20/minute burst 5 per source\", connections = 100";
    assert_eq!(login.limits().to_string(), limits);
    let guard = policy.guard();
    assert_eq!((guard.is_enabled(), guard.mark()), (true, Mark::DEFAULT));
    assert_eq!((guard.host_network(), guard.direct_routing()), (true, DirectRouting::Drop));
    assert_eq!(guard.docker_cgroup().map(AsRef::as_ref), Some("system.slice/docker.service"));
    assert_eq!(guard.host_cgroups(), ["machine.slice".into()]);
    assert_eq!(guard.swarm_peers().map(<[_]>::len), Some(1));

    let text = fs::read_to_string("examples/policy.toml").expect("the example");
    let keys = ["name", "ports", "from", "in-interface", "to", "enabled", "mark", "established"];
    for start in keys.iter().chain(&["[sources]", "[[allow]]", "[guard]", "[revoke]", "cdn "]) {
        assert!(text.lines().any(|line| line.starts_with(start)), "{start}");
    }
}

#[test]
fn an_empty_policy_is_valid_and_allows_nothing() {
    for text in ["", "\n", "# nothing", "\u{feff}", "allow = []", "[sources]\n[guard]\n[revoke]"] {
        assert_eq!(parse(text), Ok(Policy::default()), "{text:?}");
    }
}

#[test]
fn repeated_and_extreme_values_are_valid() {
    let policy = parse(
        "[sources]\nall = ['0.0.0.0/0', '::/0']\n[[allow]]\nports = ['1-1', '1/tcp', '1/udp']\n\
         from = ['all', '192.0.2.1-192.0.2.1', 'all']\nto = ['192.0.2.1', '192.0.2.1/32']\n\
         [guard]\nenabled = true\nmark = 0x8000_0000\n[revoke]\nestablished = 'cut'\n",
    )
    .expect("a valid policy");
    let entry = &policy.allow()[0];
    assert_eq!(entry.ports().len(), 2, "a repeated port is dropped");
    assert_eq!(entry.to().len(), 1, "a repeated address is dropped");
    let from = entry.from().expect("sources");
    assert_eq!(from.len(), 2, "a repeated group is dropped");
    let host = AddressSpec::host([192, 0, 2, 1].into()).expect("an address");
    assert_eq!(from[1].sources()[0].addresses(), host, "a range of one address is the host");
    let guard = Guard::builder().mark(Mark::new(1 << 31).expect("a bit"));
    assert_eq!(Ok(policy.guard()), guard.build().as_ref());
    assert_eq!(policy.revoke().established(), Established::Cut);
    assert_eq!(entry.at().map(ToString::to_string).as_deref(), Some("policy.toml:3:1"));
}

#[test]
fn errors_after_a_byte_order_mark_have_the_column_of_an_editor() {
    assert!(messages("\u{feff}colour = 1\r\n").starts_with("policy.toml:1:1: unknown key"));
}

#[test]
fn errors_are_sorted_by_file_line_and_column() {
    let errors = parse(
        "[sources]\nz = { file = 'bad.txt' }\na = ['x/1']\n[[allow]]\nto = []\nports = ['0', '0']\n",
    )
    .expect_err("errors");
    let positions: Vec<_> = errors.0.iter().map(|error| error.at.to_string()).collect();
    let expected = [
        "policy.toml:3:6",
        "policy.toml:5:6",
        "policy.toml:6:10",
        "policy.toml:6:15",
        "tests/policy/bad.txt:4:1",
        "tests/policy/bad.txt:5:2",
        "tests/policy/bad.txt:6:1",
    ];
    assert_eq!(positions, expected);
}

#[test]
fn the_number_of_printed_errors_is_limited() {
    let ports: Vec<String> = (0..100_000).map(|_| "'0'".to_owned()).collect();
    let errors = parse(&format!("[[allow]]\nports = [{}]", ports.join(","))).expect_err("errors");
    assert_eq!(errors.0.len(), 1001);
    let last = errors.0.last().expect("a note");
    assert_eq!(last.message, "more than 1000 errors in this file");
    let text = errors.to_string();
    assert_eq!(text.matches("port 0 is out of range").count(), 50);
    assert!(text.ends_with("\n\n… and 951 more errors"), "{text}");
    assert!(text.len() < 50_000);
}

#[test]
fn control_characters_are_escaped_in_messages() {
    let text = messages("[[allow]]\nports = ['\x1b[2J\x07']\n");
    assert!(text.contains("␛[2J␇"), "{text}");
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
}

/// The text as a basic string of TOML.
fn toml_string(text: &str) -> String {
    let escaped: String = text.chars().map(|c| format!("\\U{:08x}", u32::from(c))).collect();
    format!("\"{escaped}\"")
}

fn source() -> impl Strategy<Value = String> {
    let v4 = any::<[u8; 4]>().prop_map(IpAddr::from);
    let v6 = any::<[u16; 8]>().prop_map(IpAddr::from);
    let short = (any::<u16>(), any::<u16>())
        .prop_map(|(high, low)| IpAddr::from([0, 0, 0, 0, 0, 0, high, low]));
    let address = prop_oneof![v4, v6, short];
    prop_oneof![
        address.clone().prop_map(|address| address.to_string()),
        (address.clone(), 0..=128u8).prop_map(|(address, length)| format!("{address}/{length}")),
        (address.clone(), address).prop_map(|(first, last)| format!("{first}-{last}")),
    ]
}

proptest! {
    #[test]
    fn the_parser_never_panics_on_text(text in any::<String>()) {
        let _ = parse(&text).map_err(|errors| errors.to_string());
    }

    #[test]
    fn the_parser_never_panics_on_almost_valid_text(
        text in "([\\[\\]{}\"'=,.# \n\t+!/:-]|allow|ports|from|sources|guard|mark|to|file|x|1|ä|\r\n){0,60}",
    ) {
        let _ = parse(&text).map_err(|errors| errors.to_string());
    }

    #[test]
    fn values_are_escaped_for_the_terminal(value in any::<String>()) {
        let value = toml_string(&value);
        let text = format!(
            "[sources]\n{value} = [{value}]\n[[allow]]\nname = {value}\nports = [{value}]\n\
             from = [{value}]\nin-interface = {value}\nto = [{value}]\n"
        );
        let message = messages(&text);
        prop_assert!(message.chars().all(|c| "\n\t".contains(c) || !c.is_control()), "{message:?}");
    }

    #[test]
    fn sources_are_parsed_from_their_own_output(text in source()) {
        let read = |text: &str| {
            let policy = parse(&format!("[[allow]]\nports = ['1']\nfrom = ['{text}']\n")).ok()?;
            let sources = policy.allow().first()?.from()?.first()?.sources();
            sources.first().map(|source| source.addresses())
        };
        if let Some(addresses) = read(&text) {
            prop_assert_eq!(read(&addresses.to_string()), Some(addresses));
        }
    }

    #[test]
    fn ports_are_parsed_from_their_own_output(
        first in 0..70_000u32, last in 0..70_000u32, protocol in "(/tcp|/udp|/sctp)?",
    ) {
        let read = |text: &str| {
            let policy = parse(&format!("[[allow]]\nports = ['{text}']\n")).ok()?;
            policy.allow().first()?.ports().first().copied()
        };
        let ports = read(&format!("{first}-{last}{protocol}"));
        prop_assert_eq!(ports.is_some(), first > 0 && first <= last && last <= 65_535);
        if let Some(ports) = ports {
            prop_assert_eq!(read(&ports.to_string()), Some(ports));
        }
    }
}
