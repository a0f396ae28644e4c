//! Real packets of both IP versions get in while a name has their address, and not afterwards.

use super::policy;
use super::servers::Nsd;
use super::site::Site;
use super::support::{Answer, Dnsmasq, Topology, UNGUARDED};

const BOTH: &str = "192.0.2.2 home.example.net\n2001:db8::2 home.example.net\n";
const OTHERS: &str = "192.0.2.66 home.example.net\n2001:db8::66 home.example.net\n";

#[test]
fn addresses_get_in_while_they_are_those_of_the_name() {
    let site = Site::new();
    let server = Dnsmasq::start(site.host(), BOTH, &[]);
    // Control: without dwnl everyone gets in.
    for source in [Topology::REFUSED, Topology::REFUSED6] {
        site.gets_in(source);
    }
    let watch = site.watch(&policy("home.example.net", ", min-ttl = \"1s\""));
    watch.logged("home.example.net: 192.0.2.2, 2001:db8::2 gained access");
    for (source, expected) in [
        (Topology::ALLOWED, Answer::Answered),
        (Topology::ALLOWED6, Answer::Answered),
        (Topology::REFUSED, Answer::TimedOut),
        (Topology::REFUSED6, Answer::TimedOut),
    ] {
        assert_eq!(site.answer(source), expected, "{source}");
    }
    server.set(OTHERS);
    watch.logged("192.0.2.66, 2001:db8::66 gained access, 192.0.2.2, 2001:db8::2 lost access");
    for (source, expected) in [
        (Topology::ALLOWED, Answer::TimedOut),
        (Topology::ALLOWED6, Answer::TimedOut),
        (Topology::REFUSED, Answer::Answered),
        (Topology::REFUSED6, Answer::Answered),
    ] {
        assert_eq!(site.answer(source), expected, "{source}");
    }
}

#[test]
fn an_apply_resolves_names_with_the_guard_off_too() {
    let site = Site::new();
    let records = "www A 192.0.2.2\nwww AAAA 2001:db8::2\nhome CNAME alias\nalias CNAME www\n";
    let _server = Nsd::start(site.host(), records);
    let policy = policy("home.example.net", "");
    for source in [Topology::REFUSED, Topology::REFUSED6] {
        site.gets_in(source);
    }
    for (guard, policy) in [("on", policy.clone()), ("off", format!("{policy}{UNGUARDED}"))] {
        assert_eq!(site.apply(&policy), [""; 0], "guard {guard}");
        for source in [Topology::ALLOWED, Topology::ALLOWED6] {
            assert_eq!(site.answer(source), Answer::Answered, "guard {guard}, {source}");
        }
        for source in [Topology::REFUSED, Topology::REFUSED6] {
            assert_ne!(site.answer(source), Answer::Answered, "guard {guard}, {source}");
        }
    }
}
