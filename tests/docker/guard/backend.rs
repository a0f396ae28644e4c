//! Docker's nftables backend, represented by the tables that it writes.

use super::super::site::{ECHO, Site};
use super::super::support::{Docker, Topology, apply, uncovered_ports};
use super::{ALL, NONE, ONLY_ALLOWED, POLICY, address, expect_both, unguarded};

/// The backend's table for a bridge with a container whose port 80 is published as 8080 and as
/// 8085. It has base chains of its own, and no chain in the tables of iptables.
const TABLE: &str = r#"
table ip docker-bridges {
    map filter-forward-in-jumps {
        type ifname : verdict
        elements = { "docker0" : jump filter-forward-in__docker0 }
    }
    chain filter-FORWARD {
        type filter hook forward priority filter; policy accept;
        oifname vmap @filter-forward-in-jumps
    }
    chain nat-OUTPUT {
        type nat hook output priority -100; policy accept;
        ip daddr != 127.0.0.0/8 fib daddr type local counter jump nat-prerouting-and-output
    }
    chain nat-PREROUTING {
        type nat hook prerouting priority dstnat; policy accept;
        fib daddr type local counter jump nat-prerouting-and-output
    }
    chain nat-prerouting-and-output {
        iifname != "docker0" tcp dport 8080 counter dnat to ADDRESS:80 comment "DNAT"
        iifname != "docker0" tcp dport 8085 counter dnat to ADDRESS:80 comment "DNAT"
    }
    chain filter-forward-in__docker0 {
        ct state established,related counter accept
        iifname "docker0" counter accept comment "ICC"
        ip daddr ADDRESS tcp dport 80 counter accept
        counter drop comment "UNPUBLISHED PORT DROP"
    }
    chain filter-forward-out__docker0 {
        ct state established,related counter accept
        counter accept comment "OUTGOING"
    }
}
"#;

#[test]
fn a_port_of_the_nftables_backend_is_open_to_allowed_clients_only() {
    let topology = Topology::closed();
    let docker = Docker::start(&topology.host, &["--iptables=false"]);
    let site = Site { topology, docker };
    let host = &site.topology.host;
    site.docker.run("web", &[], ECHO);
    let table = TABLE.replace("ADDRESS", &address(&site, "web"));
    host.try_run(&["nft", "-f", "-"], &table).succeeded();
    expect_both(&site, Topology::HOST, 8080, ALL);

    // Without the guard the port stays open, and dwnl warns about it.
    let applied = apply(host, &unguarded());
    expect_both(&site, Topology::HOST, 8080, ALL);
    assert_eq!(uncovered_ports(&applied), [""; 0]);
    let warnings = applied["warnings"].to_string();
    assert!(
        warnings.contains("unprotected while the guard is off: 8080/tcp, 8085/tcp; "),
        "{warnings}"
    );

    assert_eq!(uncovered_ports(&apply(host, POLICY)), ["8085/tcp"]);
    expect_both(&site, Topology::HOST, 8080, ONLY_ALLOWED);
    expect_both(&site, Topology::HOST, 8085, NONE);

    // The backend recreates its tables at each start; their chains then run after dwnl's.
    host.run(&["nft", "delete", "table", "ip", "docker-bridges"]);
    host.try_run(&["nft", "-f", "-"], &table).succeeded();
    expect_both(&site, Topology::HOST, 8080, ONLY_ALLOWED);
    expect_both(&site, Topology::HOST, 8085, NONE);
}
