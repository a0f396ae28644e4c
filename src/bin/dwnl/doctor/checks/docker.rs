//! Docker: whether it runs, its backend, docker-proxy, its cgroup, and sockets of its own.

use dwnl::model::{Listener, Protocol};

use super::super::facts::{DockerProcess, Facts};
use crate::report::{Area, Count, Finding, Level, join_limited};

const AREA: Area = Area::Docker;
/// TCP ports on which dockerd listens as a node of a Swarm: management, and the gossip of the nodes.
const SWARM_PORTS: [u16; 2] = [2377, 7946];
/// The port of dockerd's API without TLS, and with it.
const API_PORTS: [u16; 2] = [2375, 2376];

/// The findings about Docker.
pub fn findings(facts: &Facts) -> Vec<Finding> {
    if facts.kernel.failure.is_some() {
        return Vec::new();
    }
    let mut found = vec![daemon(facts)];
    found.extend(backend(facts));
    found.extend(proxy(facts));
    found.extend(cgroup(facts));
    found.extend(api(facts));
    found.extend(host_network(facts));
    found.extend(swarm(facts));
    found
}

fn daemon(facts: &Facts) -> Finding {
    let ports = Count(facts.docker().published.len(), "published port");
    match &facts.processes.daemon {
        Some(DockerProcess { pid, .. }) => {
            Finding::ok(AREA, "daemon", format!("dockerd runs (process {pid}), with {ports}"))
        }
        None if facts.docker().has_rules || !facts.docker().bridges.is_empty() => Finding::new(
            Level::Note,
            (AREA, "daemon"),
            format!("Docker's rules are there, with {ports}, but no dockerd was found"),
            "run dwnl doctor as root, and where dockerd runs",
        ),
        None => Finding::new(
            Level::Note,
            (AREA, "daemon"),
            "Docker does not run in this network namespace",
            "dwnl's rules hold before Docker starts; rootless Docker is out of their reach",
        ),
    }
}

/// What the guard is needed for, in plain words if it is off.
fn backend(facts: &Facts) -> Option<Finding> {
    const CHECK: (Area, &str) = (AREA, "backend");
    let docker = facts.docker();
    let config = facts.processes.daemon.as_ref().map(|it| &it.config);
    let writes = config.and_then(|it| it.iptables) != Some(false);
    let named = config.and_then(|it| it.firewall_backend.as_deref());
    let is_native = !docker.native.is_empty()
        || named == Some("nftables")
        || facts.kernel.chains.has_table("docker-bridges");
    let summary = match (writes, is_native) {
        (false, _) => "dockerd writes no rules (iptables=false), and docker-proxy serves all ports",
        (true, true) => "Docker uses its nftables backend",
        (true, false) if docker.has_rules => "Docker uses its iptables backend, in ip nat",
        (true, false) => return None,
    };
    let needs_guard = !writes || is_native;
    Some(match facts.guard() {
        Some(false) if needs_guard => Finding::new(
            Level::Problem,
            CHECK,
            format!("{summary}, which DOCKER-BLOCK alone does not block"),
            "set `enabled = true` in `[guard]`",
        ),
        _ => Finding::ok(AREA, CHECK.1, summary),
    })
}

/// With the guard on, the limitations say whether it recognises docker-proxy.
fn proxy(facts: &Facts) -> Option<Finding> {
    const CHECK: (Area, &str) = (AREA, "userland_proxy");
    let proxies = facts.processes.proxies;
    let config = facts.processes.daemon.as_ref().map(|it| &it.config);
    let is_off = config.and_then(|it| it.userland_proxy) == Some(false);
    if is_off && proxies == 0 {
        return Some(Finding::ok(AREA, CHECK.1, "docker-proxy is off (userland-proxy)"));
    }
    if proxies == 0 {
        return None;
    }
    let summary =
        format!("docker-proxy listens on published ports ({})", Count(proxies, "process"));
    Some(match facts.guard() {
        Some(false) => Finding::new(
            Level::Warning,
            CHECK,
            format!("{summary}; connections that were not translated reach containers through it"),
            "set `enabled = true` in `[guard]`, or \"userland-proxy\": false in daemon.json",
        ),
        _ => Finding::ok(AREA, CHECK.1, summary),
    })
}

/// The guard knows Docker's sockets by dockerd's cgroup.
fn cgroup(facts: &Facts) -> Option<Finding> {
    const CHECK: (Area, &str) = (AREA, "cgroup");
    let DockerProcess { cgroup, .. } = facts.processes.daemon.as_ref()?;
    let Some(cgroups) = &facts.kernel.host.cgroups else {
        return Some(Finding::new(
            Level::Note,
            CHECK,
            "no cgroup v2 hierarchy is in sight, so sockets do not show whose they are",
            "boot with systemd.unified_cgroup_hierarchy=1, and run dwnl outside of containers",
        ));
    };
    let path = cgroup.as_deref()?;
    let set = facts.policy().and_then(|policy| policy.guard().docker_cgroup());
    let is_found = cgroups.daemons.iter().any(|it| it.path == path);
    if is_found || set.is_some_and(|set| &**set == path) {
        return Some(Finding::ok(AREA, CHECK.1, format!("dockerd's cgroup is {path}")));
    }
    let has_guard = facts.guard() == Some(true);
    Some(Finding::new(
        if has_guard { Level::Warning } else { Level::Note },
        CHECK,
        format!("dockerd's cgroup is {}, which dwnl does not expect", shown(path)),
        format!("set `docker-cgroup = \"{path}\"` in `[guard]`, or run dockerd as docker.service"),
    ))
}

/// The path; that of the root is empty.
fn shown(path: &str) -> &str {
    if path.is_empty() { "the root" } else { path }
}

/// Whoever can use dockerd's API has root on the host.
fn api(facts: &Facts) -> Option<Finding> {
    let daemons = facts.kernel.host.cgroups.iter().flat_map(|cgroups| &cgroups.daemons);
    let daemons: Vec<u64> = daemons.map(|cgroup| cgroup.id).collect();
    let is_api = |it: &&Listener| {
        it.protocol == Protocol::Tcp
            && API_PORTS.contains(&it.port)
            && it.cgroup.is_some_and(|id| daemons.contains(&id))
            && it.address.is_none_or(|address| !address.is_loopback())
    };
    let listeners = facts.kernel.host.listeners.iter().flatten().filter(is_api);
    let mut places: Vec<String> = listeners.map(|it| format!("port {}", it.port)).collect();
    let daemon = facts.processes.daemon.iter();
    places.extend(daemon.flat_map(|it| it.config.remote_apis()).map(str::to_owned));
    (!places.is_empty()).then(|| {
        let is_guarded = facts.guard() == Some(true);
        let admits = if is_guarded { "the policy decides who reaches it" } else { "no guard" };
        Finding::new(
            if is_guarded { Level::Note } else { Level::Warning },
            (AREA, "api"),
            format!("dockerd offers its API on {} ({admits})", join_limited(&places)),
            "whoever reaches it is root on this host: use SSH, or TLS with client certificates",
        )
    })
}

fn host_network(facts: &Facts) -> Option<Finding> {
    const CHECK: (Area, &str) = (AREA, "host_network");
    let sockets = facts.kernel.container_sockets.iter();
    let sockets = sockets.filter(|it| it.address.is_none_or(|address| !address.is_loopback()));
    let mut ports: Vec<String> = sockets.map(|it| format!("{}/{}", it.port, it.protocol)).collect();
    ports.sort();
    ports.dedup();
    if ports.is_empty() {
        return None;
    }
    let summary = format!("containers with --network=host listen on {}", join_limited(&ports));
    let is_judged =
        facts.policy().is_some_and(|it| it.guard().is_enabled() && it.guard().host_network());
    Some(match is_judged {
        true => Finding::ok(AREA, CHECK.1, summary),
        false => Finding::new(
            Level::Note,
            CHECK,
            format!("{summary}, where only INPUT protects them"),
            "set `host-network = true` in `[guard]` to have the policy decide",
        ),
    })
}

/// With the guard on, the gaps say whether the other nodes are blocked.
fn swarm(facts: &Facts) -> Option<Finding> {
    const CHECK: (Area, &str) = (AREA, "swarm");
    let listens = |it: &Listener| it.protocol == Protocol::Tcp && SWARM_PORTS.contains(&it.port);
    let is_node = !facts.docker().ingress.is_empty()
        || facts.kernel.host.listeners.iter().flatten().any(listens);
    if !is_node {
        return None;
    }
    let guard = facts.policy().map(|policy| policy.guard());
    let (level, summary) = match guard {
        Some(guard) if guard.is_enabled() && guard.swarm_peers().is_some() => {
            let summary = "this host is a node of a Swarm, and admits its peers alone";
            return Some(Finding::ok(AREA, CHECK.1, summary));
        }
        Some(guard) if guard.is_enabled() => (
            Level::Note,
            "this host is a node of a Swarm, and the policy does not name its peers: the ports of \
             Swarm are closed to them where dockerd's cgroup is known, and else open to everyone",
        ),
        _ => (
            Level::Warning,
            "this host is a node of a Swarm: its ports 2377, 7946 and 4789 are open to everyone, \
             and Swarm's jump comes before dwnl's",
        ),
    };
    let advice = "name the other nodes in `swarm-peers` in `[guard]`, on every node";
    Some(Finding::new(level, CHECK, summary, advice))
}
