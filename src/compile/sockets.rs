//! Recognises docker-proxy by its listening sockets: which existing sockets are Docker's, and the
//! rules by which the kernel itself recognises a new one.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::sync::Arc;

use super::guard::{INPUT, PROXIED, accept_or_drop};
use super::known::installed_input;
use super::own::{chain, goto, rule};
use super::{own_table, refused};
use crate::docker::{PortIndex, is_container};
use crate::model::{
    Cgroup, CgroupMatch, Cgroups, Chain, ChainPath, DesiredRule, Direction, Docker, GuardScope,
    HostState, Interface, Listener, NftMatch, NftStatement, Ports, Protocol, PublishedPort,
    RefusalPath, Rule, Ruleset, Set, SetKind, SetPath, SetUpdate, Snapshot, UpdateKey,
};
use crate::policy::{Guard, Policy};

/// What is for a local socket, whoever has it.
pub(crate) const LOCAL_SOCKET: &str = "local-socket";
/// What belongs to a flow of which an earlier packet was for no socket.
const LATE_SOCKET: &str = "late-socket";
/// What is for a socket of dockerd or docker-proxy.
const DOCKER_SOCKET: &str = "docker-socket";
/// What is for a socket of a container in the host's network.
pub(crate) const CONTAINER_SOCKET: &str = "container-socket";
/// What is for a port on which Docker listens, or has listened recently.
const DOCKER_PORT: &str = "docker-port";
/// The TCP ports on which Docker was found to listen.
const PORTS: &str = "docker-tcp";
/// How long such a port is remembered. A server's TIME_WAIT lasts a minute.
const REMEMBERED: NonZeroU32 = NonZeroU32::new(3600).expect("an hour");
/// Together they hold if there is a local socket.
const EVERY_SOCKET: [NftMatch; 2] =
    [NftMatch::SocketTransparent(false), NftMatch::SocketTransparent(true)];
/// The ID of the root of the cgroup v2 hierarchy.
const ROOT: u64 = 1;

/// What the guard of a policy looks for on the host.
pub(super) fn scope(policy: &Policy) -> GuardScope {
    let guard = policy.guard();
    let host = Guard::HOST_CGROUPS.map(Arc::from).into_iter();
    GuardScope {
        host_network: guard.host_network(),
        mark: guard.mark().bits(),
        docker_cgroup: guard.docker_cgroup().cloned(),
        host_cgroups: host.chain(guard.host_cgroups().iter().cloned()).collect(),
        log_refused: policy.log().refused(),
    }
}

/// Adds the ports on which Docker listens to those that its rules name.
pub(crate) fn publish_listeners(docker: &mut Docker, scope: &GuardScope, host: &HostState) {
    let listening = host.listeners.iter().flatten().filter(|it| is_docker(it, scope, host));
    let listening = listening.filter_map(published_port).filter(|it| !it.is_loopback());
    let known = PortIndex::of(&docker.published);
    let new: Vec<PublishedPort> = listening.filter(|it| !known.covers(it)).collect();
    if new.is_empty() {
        return;
    }
    let index = PortIndex::of(&new);
    docker.published.retain(|known| !index.covers(known));
    docker.published.extend(new.into_iter().filter(|it| !index.covers_otherwise(it)));
}

/// Whether a listening socket that is not known as Docker's may still be Docker's: if no cgroup of
/// dockerd is known, or not that of the socket. Before Linux 5.15 a socket has the ID of the root
/// instead of its own while `net_cls` or `net_prio` is in use; a kernel on which rules can match the
/// cgroup of a socket is a later one.
pub(super) fn may_be_docker(listener: &Listener, host: &HostState) -> bool {
    let has_daemon = host.cgroups.as_ref().is_some_and(|cgroups| !cgroups.daemons.is_empty());
    let is_certain = match listener.cgroup {
        Some(ROOT) => host.matches_sockets,
        Some(_) => true,
        None => false,
    };
    !(has_daemon && is_certain)
}

fn is_docker(listener: &Listener, scope: &GuardScope, host: &HostState) -> bool {
    let (Some(id), Some(cgroups)) = (listener.cgroup, &host.cgroups) else { return false };
    let is_container = |cgroup: &Cgroup| scope.host_network && is_container(&cgroup.path);
    cgroups.daemons.iter().any(|daemon| daemon.id == id)
        || cgroups.of_listeners.get(&id).is_some_and(is_container)
}

fn published_port(listener: &Listener) -> Option<PublishedPort> {
    let Listener { family, address, protocol, port, .. } = *listener;
    let ports = Ports::single(protocol, port).ok()?;
    Some(PublishedPort { address: address.map(Into::into), family, ports })
}

/// Whether all sockets outside the host's own cgroups are judged: if Docker or a container may be in
/// a cgroup that does not exist yet.
pub(crate) fn judges_all_others(scope: &GuardScope, cgroups: &Cgroups) -> bool {
    let is_outside = |daemon: &Cgroup| !scope.host_cgroups.iter().any(|it| **it == *daemon.top());
    !cgroups.host.is_empty() && (scope.host_network || cgroups.daemons.iter().any(is_outside))
}

/// A service of the host that would be judged as if it were Docker's, with one of its ports, by rules
/// that are not installed yet: installed rules remain, whichever service starts later.
pub(super) fn judged_service<'h>(
    scope: &GuardScope,
    snapshot: &'h Snapshot,
) -> Option<(&'h Cgroup, PublishedPort)> {
    let host = &snapshot.host;
    if are_installed(&rules(scope, host), snapshot) {
        return None;
    }
    let cgroups = host.cgroups.as_ref().filter(|_| host.matches_sockets)?;
    let judges_all_others = judges_all_others(scope, cgroups);
    let is_judged = |cgroup: &Cgroup| {
        let is_host = cgroups.host.iter().any(|host| host.path == cgroup.top());
        let docker = cgroups.daemons.iter().chain(&cgroups.containers);
        let is_below_docker = docker.into_iter().any(|docker| docker.contains(cgroup));
        let is_known = cgroup.path.is_empty()
            || is_container(&cgroup.path)
            || cgroups.daemons.contains(cgroup);
        !is_known && (is_below_docker || (judges_all_others && !is_host))
    };
    host.listeners.iter().flatten().find_map(|listener| {
        let cgroup = cgroups.of_listeners.get(&listener.cgroup?)?;
        let port = published_port(listener).filter(|port| !port.is_loopback())?;
        is_judged(cgroup).then_some((cgroup, port))
    })
}

fn are_installed(rules: &[DesiredRule], snapshot: &Snapshot) -> bool {
    let installed: HashSet<&Rule> = installed_socket_rules(snapshot).collect();
    rules.iter().all(|desired| installed.contains(&desired.rule))
}

/// Adds to the guard the chains and the sets by which the kernel recognises Docker's sockets.
pub(super) fn add_socket_match(ruleset: &mut Ruleset, scope: &GuardScope, host: &HostState) {
    let is_input = |chain: &Chain| chain.path.chain.as_ref() == INPUT;
    let input = ruleset.chains.iter().position(is_input).unwrap_or(ruleset.chains.len());
    if let Some(input) = ruleset.chains.get_mut(input) {
        let rules = Arc::make_mut(&mut input.rules);
        rules.insert(0, late(scope.mark));
        rules.extend(tests_for_socket(scope.mark));
    }
    ruleset.chains.splice(input..input, chains(scope, host));
    let set = Set {
        path: Arc::new(SetPath { table: own_table(), set: PORTS.into() }),
        kind: SetKind::DynamicPorts,
        elements: Arc::default(),
        origin: "the ports on which Docker listens".into(),
    };
    // Before the sets that depend on the policy.
    let sets = [set].into_iter().chain(refused::sets(RefusalPath::HostNetwork));
    ruleset.sets.splice(0..0, sets);
}

/// The rules of the chain that distinguishes sockets by their cgroup.
pub(super) fn installed_socket_rules(snapshot: &Snapshot) -> impl Iterator<Item = &Rule> {
    let chain = snapshot.chain(&ChainPath { table: own_table(), chain: LOCAL_SOCKET.into() });
    let rules = chain.into_iter().flat_map(|chain| &chain.rules);
    rules.filter_map(|rule| rule.content.known())
}

/// Whether rules that match sockets are installed.
pub(crate) fn holds_socket_match(snapshot: &Snapshot) -> bool {
    let table = snapshot.tables.get(&own_table());
    let set = table.and_then(|table| table.sets.get(PORTS));
    set.is_some_and(|set| set.kind == Some(SetKind::DynamicPorts))
}

/// Whether a guard is installed.
pub(crate) fn holds_guard(snapshot: &Snapshot) -> bool {
    installed_input(snapshot).is_some()
}

/// The chains, each before those whose rules jump to it.
fn chains(scope: &GuardScope, host: &HostState) -> [Chain; 6] {
    // meta l4proto tcp counter update @docker-tcp { tcp dport timeout 1h }
    let remember = || {
        let key = UpdateKey::Port(Protocol::Tcp);
        let update = SetUpdate { set: PORTS.into(), key, timeout: REMEMBERED };
        rule([NftMatch::Protocol(Protocol::Tcp)], NftStatement::UpdateSet(update))
    };
    let container = [remember()].into_iter().chain(accept_or_drop(RefusalPath::HostNetwork));
    [
        refused::chain(RefusalPath::HostNetwork, scope.log_refused),
        chain(DOCKER_SOCKET, None, vec![remember(), rule([], goto(PROXIED))]),
        chain(CONTAINER_SOCKET, None, container.collect()),
        chain(DOCKER_PORT, None, docker_port()),
        chain(LOCAL_SOCKET, None, local_socket(scope, host)),
        chain(LATE_SOCKET, None, late_socket()),
    ]
}

/// `ct mark & MARK == MARK counter jump late-socket`
fn late(mark: u32) -> DesiredRule {
    rule([NftMatch::CtMark(mark)], NftStatement::Jump(LATE_SOCKET.into()))
}

/// The last rules of `input`. A packet may be for a socket that begins to listen after the rules were
/// evaluated, and before the kernel looks for it again to deliver the packet. So a flow is marked if
/// there is no socket for its first packet.
fn tests_for_socket(mark: u32) -> impl Iterator<Item = DesiredRule> {
    // socket transparent 0 counter goto local-socket
    // socket transparent 1 counter goto local-socket
    let is_local = EVERY_SOCKET.map(|socket| rule([socket], goto(LOCAL_SOCKET)));
    // iifname != "lo" meta l4proto tcp counter ct mark set ct mark | MARK
    // iifname != "lo" meta l4proto udp counter ct mark set ct mark | MARK
    // The host itself is never judged, and resets its own sockets over lo when their flows are terminated.
    let other = NftMatch::Interface(Direction::In, Interface::unchecked("lo".into(), false, true));
    let mark = [Protocol::Tcp, Protocol::Udp].map(|protocol| {
        let conditions = [other.clone(), NftMatch::Protocol(protocol)];
        rule(conditions, NftStatement::SetCtMark(mark))
    });
    is_local.into_iter().chain(mark)
}

/// The flows that `input` has marked. If there is a socket for one now that the flow is established, it
/// began to listen too late to be judged: for TCP the port was closed, and the answer is what a closed
/// port answers; a socket of UDP is judged now. Without a socket the flow is of no interest.
fn late_socket() -> Vec<DesiredRule> {
    let of = |protocol, conditions: &[NftMatch], statement: NftStatement| {
        EVERY_SOCKET.map(|socket| {
            let protocol = NftMatch::Protocol(protocol);
            rule([&[protocol], conditions, &[socket]].concat(), statement.clone())
        })
    };
    // meta l4proto tcp ct state established,related socket transparent 0 counter reject with tcp reset
    let established = [NftMatch::CtStateEstablished];
    let tcp = of(Protocol::Tcp, &established, NftStatement::RejectWithReset);
    // meta l4proto udp socket transparent 0 counter goto local-socket
    let udp = of(Protocol::Udp, &[], goto(LOCAL_SOCKET));
    tcp.into_iter().chain(udp).collect()
}

/// `ct mark & MARK == MARK counter ct mark set ct mark & ~MARK`, then [`rules`]: a flow is judged as soon
/// as there is a socket for it.
fn local_socket(scope: &GuardScope, host: &HostState) -> Vec<DesiredRule> {
    let clear = rule([NftMatch::CtMark(scope.mark)], NftStatement::ClearCtMark(scope.mark));
    [clear].into_iter().chain(rules(scope, host)).collect()
}

/// A socket in TIME_WAIT has no cgroup, but passes a new connection on to the listening one. Any
/// other socket was judged by its cgroup.
fn docker_port() -> Vec<DesiredRule> {
    // socket wildcard 0 counter accept
    // socket wildcard 1 counter accept
    // counter goto proxied
    let is_socket =
        |is_wildcard| rule([NftMatch::SocketWildcard(is_wildcard)], NftStatement::Accept);
    vec![is_socket(false), is_socket(true), rule([], goto(PROXIED))]
}

/// The rules that distinguish sockets by their cgroup.
fn rules(scope: &GuardScope, host: &HostState) -> Vec<DesiredRule> {
    let Some(cgroups) = host.cgroups.as_ref().filter(|_| host.matches_sockets) else {
        return Vec::new();
    };
    // socket cgroupv2 level 2 ID counter goto docker-socket
    let daemons = cgroups.daemons.iter().filter_map(|daemon| matches(daemon, false));
    let mut rules: Vec<DesiredRule> =
        daemons.map(|daemon| rule([daemon], goto(DOCKER_SOCKET))).collect();
    // socket cgroupv2 level 2 ID counter goto container-socket
    let containers = cgroups.containers.iter().filter_map(|container| matches(container, false));
    rules.extend(containers.map(|container| rule([container], goto(CONTAINER_SOCKET))));
    if judges_all_others(scope, cgroups) {
        // socket cgroupv2 level 1 != ID socket cgroupv2 level 1 != ID counter goto container-socket
        let others = cgroups.host.iter().filter_map(|host| matches(host, true));
        rules.push(rule(others, goto(CONTAINER_SOCKET)));
    }
    // tcp dport @docker-tcp counter goto docker-port
    let remembered = NftMatch::PortSet(Protocol::Tcp, PORTS.into());
    rules.push(rule([remembered], goto(DOCKER_PORT)));
    rules
}

fn matches(cgroup: &Cgroup, negated: bool) -> Option<NftMatch> {
    let level = u8::try_from(cgroup.level()).ok()?;
    Some(NftMatch::Cgroup(CgroupMatch { level, id: cgroup.id, negated }))
}
