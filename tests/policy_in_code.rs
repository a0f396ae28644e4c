//! A policy that is built in code is validated like one from text: the same values are errors, with the
//! same messages.

use std::error::Error;
use std::net::IpAddr;
use std::path::Path;

use dwnl::Policy;
use dwnl::ipnetwork::IpNetwork;
use dwnl::model::{AddressSpec, Interface, Ports, Protocol};
use dwnl::policy::{Allow, AllowBuilder, DirectRouting, Group, Guard, GuardBuilder, Mark};

type Built = Result<Policy, Box<dyn Error>>;

/// Builds the policy with one entry that allows `443/tcp`.
fn entry(change: impl FnOnce(AllowBuilder) -> Result<AllowBuilder, Box<dyn Error>>) -> Built {
    let entry = Allow::builder(["443/tcp".parse()?]);
    Ok(Policy::builder().allow(change(entry)?.build()?).build()?)
}

fn source(change: impl FnOnce() -> Result<AddressSpec, Box<dyn Error>>) -> Built {
    entry(|entry| Ok(entry.sources([change()?])))
}

fn interface(name: &str, is_wildcard: bool, is_negated: bool) -> Built {
    let interface = Interface::new(name, is_wildcard, is_negated)?;
    entry(|entry| Ok(entry.in_interface(interface)))
}

fn guard(change: impl FnOnce(GuardBuilder) -> Result<GuardBuilder, Box<dyn Error>>) -> Built {
    Ok(Policy::builder().guard(change(Guard::builder())?.build()?).build()?)
}

fn group(name: &str) -> Result<Group, Box<dyn Error>> {
    Ok(Group::named(name, [AddressSpec::host([192, 0, 2, 1].into())?])?)
}

fn network(text: &str) -> Result<IpNetwork, Box<dyn Error>> {
    Ok(text.parse()?)
}

fn address(text: &str) -> Result<IpAddr, Box<dyn Error>> {
    Ok(text.parse()?)
}

/// The message for a policy from text; only the first line of it.
fn message_of_text(text: &str) -> String {
    let errors = Policy::parse(text, "policy.toml", Path::new("")).expect_err(text);
    assert_eq!(errors.0.len(), 1, "{errors}");
    errors.0[0].message.clone()
}

fn assert_same(text: &str, built: Built) {
    let error = built.expect_err(text);
    assert_eq!(error.to_string(), message_of_text(text));
}

/// The text of an entry that allows 443 and has one more key.
fn with(key: &str) -> String {
    format!("[[allow]]\nports = [\"443\"]\n{key}\n")
}

#[test]
fn invalid_ports_are_errors() {
    let port = |first, last| -> Built {
        let ports = Ports::new(Protocol::Tcp, first, last)?;
        Ok(Policy::builder().allow(Allow::builder([ports]).build()?).build()?)
    };
    assert_same("[[allow]]\nports = ['0']\n", port(0, 0));
    assert_same("[[allow]]\nports = ['0-9']\n", port(0, 9));
    assert_same("[[allow]]\nports = ['9-8']\n", port(9, 8));
    let none = Allow::builder([]).build().map_err(Into::into).map(|_| Policy::default());
    assert_same("[[allow]]\nports = []\n", none);
}

#[test]
fn invalid_addresses_are_errors() {
    let from = |source: &str| with(&format!("from = ['{source}']"));
    for text in ["10.0.0.1/8", "2001:db8::1/32", "::ffff:192.0.2.0/120"] {
        assert_same(&from(text), source(|| Ok(AddressSpec::network(network(text)?)?)));
    }
    let mapped = "::ffff:192.0.2.1";
    assert_same(&from(mapped), source(|| Ok(AddressSpec::host(address(mapped)?)?)));
    for (first, last) in
        [("192.0.2.9", "192.0.2.1"), ("192.0.2.1", "2001:db8::1"), (mapped, "2001:db8::1")]
    {
        let text = from(&format!("{first}-{last}"));
        assert_same(&text, source(|| Ok(AddressSpec::range(address(first)?, address(last)?)?)));
    }
}

#[test]
fn invalid_interfaces_are_errors() {
    let text = |interface: &str| with(&format!("in-interface = \"{interface}\""));
    let cases = [
        ("", "", false, false),
        ("+", "", true, false),
        ("!+", "", true, true),
        ("0123456789abcdef", "0123456789abcdef", false, false),
        ("!0123456789abcde+", "0123456789abcde", true, true),
        ("et+h", "et+h", false, false),
        ("eth0/1", "eth0/1", false, false),
        ("eth\\u00000", "eth\u{0}0", false, false),
        ("eth\\u202e0", "eth\u{202e}0", false, false),
        ("..", "..", false, false),
    ];
    for (written, name, is_wildcard, is_negated) in cases {
        assert_same(&text(written), interface(name, is_wildcard, is_negated));
    }
}

#[test]
fn invalid_names_are_errors() {
    let long = "x".repeat(300);
    let cases = [
        ("", ""),
        ("two\\nlines", "two\nlines"),
        ("a\\u0000", "a\0"),
        ("web\\u200b", "web\u{200b}"),
        ("web\\u202e", "web\u{202e}"),
        (&long, &long),
    ];
    for (written, name) in cases {
        let text = with(&format!("name = \"{written}\""));
        assert_same(&text, entry(|entry| Ok(entry.name(name))));
        let text = format!("[sources]\n\"{written}\" = ['192.0.2.1']\n");
        if !name.is_empty() {
            assert_same(&text, entry(|entry| Ok(entry.from([group(name)?]))));
        }
    }
    for name in ["", "10.0.0.1", "2001:db8::1"] {
        let text = format!("[sources]\n\"{name}\" = ['192.0.2.1']\n");
        assert_same(&text, entry(|entry| Ok(entry.from([group(name)?]))));
    }
}

#[test]
fn restrictions_that_never_match_are_errors() {
    let none = || std::iter::empty::<AddressSpec>();
    assert_same(&with("from = []"), entry(|entry| Ok(entry.sources(none()))));
    assert_same(&with("from = []"), entry(|entry| Ok(entry.from([]))));
    assert_same(&with("to = []"), entry(|entry| Ok(entry.to(none()))));
    let unnamed = entry(|entry| Ok(entry.from([Group::unnamed(none())?])));
    assert_eq!(unnamed.expect_err("an error").to_string(), "a group has no sources");
    let mixed = entry(|entry| {
        let (from, to) = ("192.0.2.1".parse::<AddressSpec>()?, "2001:db8::1".parse()?);
        Ok(entry.sources([from]).to([to]))
    });
    assert_same(&with("from = ['192.0.2.1']\nto = ['2001:db8::1']"), mixed);
}

#[test]
fn names_identify_entries_and_groups() {
    let twice = || -> Built {
        let web = Allow::builder(["443/tcp".parse()?]).name("web").build()?;
        Ok(Policy::builder().allow(web.clone()).allow(web).build()?)
    };
    let text = "[[allow]]\nname = 'web'\nports = ['1']\n[[allow]]\nname = 'web'\nports = ['2']\n";
    assert_same(text, twice());

    // Text cannot define a group twice.
    let other = AddressSpec::host([192, 0, 2, 2].into()).expect("an address");
    let other = Group::named("office", [other]).expect("a group");
    let error = entry(|entry| Ok(entry.from([group("office")?, other]))).expect_err("a conflict");
    let message = "group `office` is defined twice, with different sources";
    assert_eq!(error.to_string(), message);
    let same = entry(|entry| Ok(entry.from([group("office")?, group("office")?])));
    assert!(same.is_ok(), "the sources are the same");
}

#[test]
fn a_mark_that_is_not_one_bit_is_an_error() {
    for mark in [0, 3, 0xff_0000] {
        let built = guard(|guard| Ok(guard.mark(Mark::new(mark)?)));
        assert_same(&format!("[guard]\nmark = {mark}\n"), built);
    }
}

#[test]
fn invalid_settings_of_the_guard_are_errors() {
    for path in ["", "../docker.service", "/sys/fs//docker", "a/./b"] {
        let text = format!("[guard]\ndocker-cgroup = '{path}'\n");
        assert_same(&text, guard(|guard| Ok(guard.docker_cgroup(path))));
    }
    let nested = "system.slice/ssh.service";
    let text = format!("[guard]\nhost-cgroups = ['{nested}']\n");
    assert_same(&text, guard(|guard| Ok(guard.host_cgroups([nested]))));
    assert_same("[guard]\nswarm-peers = []\n", guard(|guard| Ok(guard.swarm_peers([]))));

    let off = |key: &str| format!("[guard]\nenabled = false\n{key}\n");
    let disabled =
        |change: fn(GuardBuilder) -> GuardBuilder| guard(|guard| Ok(change(guard.enabled(false))));
    assert_same(&off("host-network = false"), disabled(|guard| guard.host_network(false)));
    let routing = disabled(|guard| guard.direct_routing(DirectRouting::Allowed));
    assert_same(&off("direct-routing = 'allowed'"), routing);
    assert_same(&off("docker-cgroup = 'a'"), disabled(|guard| guard.docker_cgroup("a")));
    assert_same(&off("host-cgroups = ['a']"), disabled(|guard| guard.host_cgroups(["a"])));
    let peers = disabled(|guard| guard.swarm_peers([group("nodes").expect("a group")]));
    assert_same(&off("swarm-peers = ['192.0.2.1']"), peers);
}

/// The position is the only difference between a policy from text and the same policy from code.
#[test]
fn a_policy_from_code_equals_the_same_policy_from_text() {
    let text = "[sources]\noffice = ['192.0.2.1']\n[[allow]]\nname = 'web'\n\
                ports = ['443', '8000-8100/udp', '443/tcp']\nfrom = ['office']\n\
                in-interface = '!eth+'\nto = ['203.0.113.0/24']\n[guard]\nmark = 0x10\n\
                host-cgroups = ['machine.slice', 'machine.slice']\n[revoke]\n";
    let read = Policy::parse(text, "policy.toml", Path::new("")).expect("a policy");
    let ports = ["443", "8000-8100/udp", "443/tcp"].map(|text| text.parse().expect("ports"));
    let web = Allow::builder(ports)
        .name("web")
        .from([read.allow()[0].from().expect("groups")[0].clone()])
        .in_interface("!eth+".parse().expect("an interface"))
        .to(["203.0.113.0/24".parse().expect("a network")])
        .at(read.allow()[0].at().expect("a position").clone());
    let guard = Guard::builder()
        .mark(Mark::new(0x10).expect("one bit"))
        .host_cgroups(["machine.slice", "machine.slice"]);
    let built = Policy::builder()
        .allow(web.build().expect("an entry"))
        .guard(guard.build().expect("a guard"))
        .build();
    assert_eq!(built, Ok(read));
}
