//! What the kernel offers: nf_tables, notifications, the match on sockets, room in conntrack.

use dwnl::model::{Family, Name};

use super::super::facts::{Conntrack, Facts, Kernel};
use crate::report::{Area, Count, Finding, Level, Thousands};

const AREA: Area = Area::Kernel;
/// The share of conntrack's table, in percent, from which on it is nearly full, and too full.
const NEARLY_FULL: u64 = 75;
const FULL: u64 = 95;

/// The findings about the kernel.
pub fn findings(facts: &Facts) -> Vec<Finding> {
    let kernel = &facts.kernel;
    let mut found = vec![legacy(&kernel.legacy_tables)];
    match &kernel.failure {
        // The finding about iptables-legacy says why.
        Some(_) if holds_nat(&kernel.legacy_tables) => {}
        Some(failure) => found.push(Finding::new(
            Level::Problem,
            (AREA, "nf_tables"),
            failure,
            "use a kernel with CONFIG_NF_TABLES, CONFIG_NF_TABLES_INET and CONFIG_NFT_COMPAT",
        )),
        None => found.extend(abilities(kernel)),
    }
    found.extend(facts.sysctls.conntrack.map(conntrack));
    found
}

fn holds_nat(tables: &[(Family, Name)]) -> bool {
    tables.iter().any(|(_, table)| &**table == "nat")
}

/// Rules in `nat` stop dwnl from working. Others filter, but dwnl and nft do not see them.
fn legacy(tables: &[(Family, Name)]) -> Finding {
    const CHECK: (Area, &str) = (AREA, "iptables_legacy");
    let names: Vec<String> =
        tables.iter().map(|(family, table)| format!("{family} {table}")).collect();
    let names = names.join(", ");
    match tables {
        [] => Finding::ok(AREA, CHECK.1, "iptables-legacy has no rules"),
        _ if holds_nat(tables) => Finding::new(
            Level::Problem,
            CHECK,
            format!(
                "iptables-legacy has rules in {names}: Docker may publish ports there, where dwnl \
                 cannot protect them"
            ),
            "update-alternatives --set iptables /usr/sbin/iptables-nft, the same for ip6tables; \
             restart Docker; iptables-legacy -t nat -F, then -X",
        ),
        _ => Finding::new(
            Level::Warning,
            CHECK,
            format!("iptables-legacy has rules in {names}, which neither dwnl nor nft sees"),
            "move them to iptables-nft: iptables-legacy-save | iptables-nft-restore, then \
             iptables-legacy -F",
        ),
    }
}

fn abilities(kernel: &Kernel) -> Vec<Finding> {
    let monitor = match &kernel.monitor_failure {
        None => Finding::ok(AREA, "notifications", "the kernel reports changes of the ruleset"),
        Some(failure) => Finding::new(
            Level::Warning,
            (AREA, "notifications"),
            format!("the kernel does not report changes of the ruleset: {failure}"),
            "dwnl watch cannot run; apply the policy by dwnl-apply.service",
        ),
    };
    vec![
        Finding::ok(AREA, "nf_tables", "nf_tables works"),
        monitor,
        socket_match(kernel),
        table_owner(kernel),
    ]
}

/// Whether rules match Docker's sockets. What this means for this Docker is said by the guard's
/// limitations.
fn socket_match(kernel: &Kernel) -> Finding {
    const CHECK: (Area, &str) = (AREA, "socket_match");
    let has_daemon = kernel.host.cgroups.as_ref().is_some_and(|it| !it.daemons.is_empty());
    let summary = match (kernel.guards_new_ports, kernel.loads_cgroup) {
        (Some(true), _) => "rules match Docker's sockets (socket cgroupv2)",
        (None, true) => "the kernel accepts socket cgroupv2; the first apply tests it",
        (Some(false), true) if !has_daemon => {
            "the kernel accepts socket cgroupv2; no cgroup of dockerd is known"
        }
        (Some(false), true) => {
            return Finding::new(
                Level::Note,
                CHECK,
                "no rule matches Docker's sockets: the kernel accepts socket cgroupv2, but it did \
                 not find listening sockets, or dockerd had no cgroup at the last apply",
                "dwnl remove and dwnl apply test it again; it works from Linux 5.15.35 and 5.18 on",
            );
        }
        (_, false) => {
            return Finding::new(
                Level::Note,
                CHECK,
                "the kernel does not accept socket cgroupv2",
                "use Linux 5.15.35, 5.18 or later, or set \"userland-proxy\": false in daemon.json",
            );
        }
    };
    Finding::ok(AREA, CHECK.1, summary)
}

fn table_owner(kernel: &Kernel) -> Finding {
    match kernel.loads_owner {
        true => Finding::ok(AREA, "table_owner", "tables can have an owner, so dwnl trace works"),
        false => Finding::new(
            Level::Note,
            (AREA, "table_owner"),
            "tables cannot have an owner, so dwnl trace does not work",
            "use Linux 5.12 or later",
        ),
    }
}

fn conntrack(Conntrack { count, limit }: Conntrack) -> Finding {
    const CHECK: (Area, &str) = (AREA, "conntrack");
    let percent = count.saturating_mul(100).checked_div(limit).unwrap_or(0);
    let [used, all] = [count, limit].map(|it| Thousands(usize::try_from(it).unwrap_or(usize::MAX)));
    let entries = Count(usize::try_from(limit).unwrap_or(usize::MAX), "entry");
    let summary = match limit {
        0 => format!("conntrack holds {used} entries, without a limit"),
        _ => format!("conntrack uses {used} of {entries} ({percent} %)"),
    };
    let level = match percent {
        FULL.. => Level::Problem,
        NEARLY_FULL.. => Level::Warning,
        _ => return Finding::ok(AREA, CHECK.1, summary),
    };
    let summary = format!("{summary}; when it is full, new connections are dropped");
    let advice = format!("sysctl -w net.netfilter.nf_conntrack_max=N, more than {all}");
    Finding::new(level, CHECK, summary, advice)
}
