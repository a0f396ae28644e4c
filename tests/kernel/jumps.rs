//! The jumps stay the first two rules of `PREROUTING`.

use super::support::{Namespace, apply, plan};
use super::{JUMPS, POLICY};

/// A foreign rule, as iptables prints it.
const FOREIGN: &str = "-A PREROUTING -i eth7 -j RETURN";

/// Damage to the jumps: arguments for iptables, and whether [`FOREIGN`] exists afterwards.
const DAMAGES: [(&[&str], bool); 10] = [
    (&["-I PREROUTING 1 -i eth7 -j RETURN"], true),
    (&["-I PREROUTING 2 -i eth7 -j RETURN"], true),
    (&["-I PREROUTING 1 -m addrtype --dst-type LOCAL -j DOCKER-BLOCK"], false),
    (&["-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER-BLOCK"], false),
    (
        &[
            "-A PREROUTING -i eth7 -j RETURN",
            "-A PREROUTING -m addrtype --dst-type LOCAL -j RETURN",
        ],
        true,
    ),
    (&["-D PREROUTING 1"], false),
    (&["-D PREROUTING 2"], false),
    (&["-D PREROUTING 1", "-D PREROUTING 1"], false),
    (&["-D PREROUTING 1", "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER-BLOCK"], false),
    (&["-F PREROUTING", "-A PREROUTING -i eth7 -j RETURN"], true),
];

#[test]
fn damaged_jumps_are_restored() {
    for iptables in ["iptables", "ip6tables"] {
        for (damage, leaves_foreign) in DAMAGES {
            let host = Namespace::new();
            let prerouting = || {
                let listing = host.run(&[iptables, "-t", "nat", "-S", "PREROUTING"]);
                listing.lines().skip(1).map(String::from).collect::<Vec<_>>()
            };
            apply(&host, POLICY);
            assert_eq!(prerouting(), JUMPS);
            for command in damage {
                let command: Vec<&str> = command.split(' ').collect();
                host.run(&[&[iptables, "-t", "nat"], &command[..]].concat());
            }
            let mut repaired = JUMPS.to_vec();
            repaired.extend(leaves_foreign.then_some(FOREIGN));
            assert_ne!(prerouting(), repaired, "{damage:?} does no damage");
            assert_eq!(plan(&host, POLICY)["has_changes"], true, "{damage:?}");

            assert_eq!(apply(&host, POLICY)["has_changes"], true, "{damage:?}");
            assert_eq!(prerouting(), repaired, "{damage:?}");
            assert_eq!(apply(&host, POLICY)["has_changes"], false, "{damage:?}");
        }
    }
}
