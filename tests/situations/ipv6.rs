//! Ports that Docker publishes for IPv6 by rules of its own.

use super::situation::{Commands, Site, Situation};
use super::support::{Answer, Docker};
use Answer::{Answered, TimedOut};

const POLICY: &str = "[[allow]]
ports = [\"8080\"]
from = [\"2001:db8::2\"]
";

#[test]
#[rustfmt::skip]
fn ipv6_is_judged_like_ipv4() {
    let site = Site::new(&Docker::IPV6);
    let row = |name, commands: Commands, packet: &str, answer, why| {
        Situation::new(name, POLICY, commands, packet, answer, why)
    };
    site.check(&[
        row("allowed", &[], "2001:db8::2 2001:db8::1 8080/tcp", Answered, "forwarded"),
        row("refused", &[], "2001:db8::66 2001:db8::1 8080/tcp", TimedOut, "dropped: inet dwnl translated"),
        row("another program drops", &["ip6tables -I FORWARD -s 2001:db8::/64 -j DROP"], "2001:db8::2 2001:db8::1 8080/tcp", TimedOut, "dropped: ip6 filter FORWARD (other_program)"),
        row("IPv4 is not allowed", &[], "192.0.2.2 192.0.2.1 8080/tcp", TimedOut, "dropped: inet dwnl translated"),
    ]);
}
