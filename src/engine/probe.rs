//! Probes whether `socket cgroupv2` works on this kernel: whether it finds the listening socket of the
//! first packet of a connection. From Linux 5.13 on the kernel accepts the match, but looks only at the
//! socket that the packet was assigned to before, which a first packet does not have. The fix is in 5.18
//! and was backported to 5.15.35 and to distributions' kernels, so that no version number decides it: a
//! packet does.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, bind, connect, getsockname,
    listen, socket,
};

use super::Error;
use super::connection::{BatchAnswer, Connection};
use crate::model::{
    BaseChain, Cgroup, CgroupMatch, ChainPath, Direction, Family, Hook, Interface, IpVersion,
    NftMatch, NftRule, NftStatement, Ports, Position, Protocol, Rule, TablePath,
};
use crate::netlink::{BEGIN_SEQUENCE, Batch, Dump, KernelError, Request, decode_rule};

/// The first chain on the path of packets to this host, so that no other program's rule decides before
/// it.
const FIRST: BaseChain<'static> =
    BaseChain { chain_type: "filter", hook: Hook::Input, priority: i32::MIN };

/// How long a packet may take through the loopback interface. It usually arrives before the call that
/// sends it returns, but not on a busy machine, and giving up too early would leave the guard without the
/// match.
const TIMEOUT: Duration = Duration::from_millis(500);
/// The time between two readings of the counters.
const PAUSE: Duration = Duration::from_millis(1);

/// What a kernel makes of `socket cgroupv2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CgroupProbe {
    /// It matches the listening socket that a first packet is for.
    Matches,
    /// It accepts the rule, which then never matches a first packet.
    Ignores,
    /// It rejects the rule.
    Refuses,
    /// No packet arrived: the loopback interface is down, or another program's rules drop what this
    /// host sends to itself; or the process is in no known cgroup.
    Unknown,
}

/// The sockets of a probe's packets. They belong to the network namespace in which they were opened,
/// wherever the thread is later.
pub(super) struct Probe {
    pairs: Vec<Pair>,
}

/// A socket that will listen on the loopback interface, and one that will connect to it.
struct Pair {
    address: IpAddr,
    listener: OwnedFd,
    client: OwnedFd,
}

impl Probe {
    /// Opens the sockets in the calling thread's network namespace. Nothing listens yet.
    pub fn open() -> Probe {
        let addresses: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        Probe { pairs: addresses.into_iter().filter_map(|it| Pair::open(it).ok()).collect() }
    }

    /// Runs the probe over a connection, whose socket has this port ID, with a rule for the cgroup of the
    /// calling process.
    pub fn run(
        self,
        connection: &mut Connection,
        port: u32,
        cgroup: &Cgroup,
    ) -> Result<CgroupProbe, Error> {
        let Ok(level) = u8::try_from(cgroup.level()) else { return Ok(CgroupProbe::Unknown) };
        let cgroup = CgroupMatch { level, id: cgroup.id, negated: false };
        let open = self.pairs.iter().filter_map(|pair| Some((pair, pair.listen().ok()?)));
        let pairs: Vec<(&Pair, SocketAddr)> = open.collect();
        if pairs.is_empty() {
            return Ok(CgroupProbe::Unknown);
        }
        let addresses: Vec<SocketAddr> = pairs.iter().map(|(_, address)| *address).collect();
        let chain = chain(port);
        let batch = batch(&chain, &rules(cgroup, &addresses)).finalize();
        if !is_accepted(&connection.send_batch(&batch)?)? {
            return Ok(CgroupProbe::Refuses);
        }
        for (pair, address) in &pairs {
            // Another program's rules may prevent it; then no packet is counted.
            let _ = pair.knock(*address);
        }
        let answer = wait(connection, &chain, addresses.len());
        remove(connection, &chain.table);
        answer
    }
}

impl Pair {
    fn open(address: IpAddr) -> nix::Result<Pair> {
        let family = match IpVersion::of(address) {
            IpVersion::V4 => AddressFamily::Inet,
            IpVersion::V6 => AddressFamily::Inet6,
        };
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let open = || socket(family, SockType::Stream, flags, None);
        Ok(Pair { address, listener: open()?, client: open()? })
    }

    /// Listens on a free port. Fails if the loopback interface has no such address.
    fn listen(&self) -> nix::Result<SocketAddr> {
        let listener = self.listener.as_raw_fd();
        bind(listener, &SockaddrStorage::from(SocketAddr::new(self.address, 0)))?;
        listen(&self.listener, Backlog::new(1)?)?;
        let bound: SockaddrStorage = getsockname(listener)?;
        let v4 = bound.as_sockaddr_in().map(|v4| v4.port());
        let port = v4.or(bound.as_sockaddr_in6().map(|v6| v6.port())).unwrap_or_default();
        Ok(SocketAddr::new(self.address, port))
    }

    /// Begins to connect. The packet has been sent when this returns.
    fn knock(&self, address: SocketAddr) -> nix::Result<()> {
        match connect(self.client.as_raw_fd(), &SockaddrStorage::from(address)) {
            Ok(()) | Err(Errno::EINPROGRESS) => Ok(()),
            Err(errno) => Err(errno),
        }
    }
}

/// Whether the kernel accepts the rule. It is sent in a batch without an end, which changes nothing.
pub(super) fn loads_cgroup(connection: &mut Connection, port: u32) -> Result<bool, Error> {
    let rule = rule([NftMatch::Cgroup(CgroupMatch { level: 0, id: 1, negated: false })]);
    let batch = batch(&chain(port), &[rule]).unended();
    is_accepted(&connection.send_batch(&batch)?)
}

/// Whether the kernel accepts a table with an owner. It is sent in a batch without an end, which changes
/// nothing.
pub(super) fn loads_owner(connection: &mut Connection, port: u32) -> Result<bool, Error> {
    let batch = batch(&chain(port), &[]).unended();
    is_accepted(&connection.send_batch(&batch)?)
}

/// A chain in a table with a unique name: the port ID of a netlink socket of this process.
fn chain(port: u32) -> ChainPath {
    let table = TablePath { family: Family::Inet, table: format!("dwnl-probe-{port}").into() };
    ChainPath { table, chain: "input".into() }
}

/// Two rules for each address: one counts the packets whose socket has this cgroup, the other counts the
/// rest. Both drop them, so that no connection is established: the match always works on the later packets
/// of a connection.
fn rules(cgroup: CgroupMatch, addresses: &[SocketAddr]) -> Vec<Rule> {
    let loopback = Interface::named("lo".into());
    let loopback = NftMatch::Interface(Direction::In, loopback);
    let pair = |address: &SocketAddr| {
        let version = NftMatch::NfProto(IpVersion::of(address.ip()));
        let ports = Ports::single(Protocol::Tcp, address.port()).ok()?;
        let arriving = [loopback.clone(), version, NftMatch::Ports(ports)];
        let matching = [&arriving[..], &[NftMatch::Cgroup(cgroup)]].concat();
        Some([rule(matching), rule(arriving)])
    };
    addresses.iter().filter_map(pair).flatten().collect()
}

/// `CONDITIONS counter drop`
fn rule(conditions: impl IntoIterator<Item = NftMatch>) -> Rule {
    NftRule::new(conditions, NftStatement::Drop).into()
}

/// The batch that creates the chain, at any generation.
fn batch(chain: &ChainPath, rules: &[Rule]) -> Batch {
    let mut batch = Batch::new(0);
    batch.add_owned_table(&chain.table);
    batch.add_chain(chain, Some(FIRST));
    rules.iter().for_each(|rule| batch.add_rule(chain, Position::Append, rule));
    batch
}

fn is_accepted(answer: &BatchAnswer) -> Result<bool, Error> {
    match answer.errors.first() {
        Some((BEGIN_SEQUENCE, error)) if error.errno == libc::EPERM => Err(Error::Permission),
        first => Ok(first.is_none()),
    }
}

/// Deletes the table now. Closing the socket would delete it too, but later.
fn remove(connection: &mut Connection, table: &TablePath) {
    let mut batch = Batch::new(0);
    batch.delete_table(table);
    let _ = connection.send_batch(&batch.finalize());
}

/// Waits until the first packet of each pair was counted.
fn wait(
    connection: &mut Connection,
    chain: &ChainPath,
    pairs: usize,
) -> Result<CgroupProbe, Error> {
    let end = Instant::now() + TIMEOUT;
    loop {
        let counters = counters(connection, &chain.table)?;
        if let Some(answer) = evaluate(&counters, pairs) {
            return Ok(answer);
        }
        if Instant::now() >= end {
            return Ok(CgroupProbe::Unknown);
        }
        sleep(PAUSE);
    }
}

/// The number of packets that each rule of the table has counted.
fn counters(connection: &mut Connection, table: &TablePath) -> Result<Vec<u64>, Error> {
    let what = Dump::Rules { table: &table.table, chain: None };
    let request = |sequence| Request::dump(what, table.family, sequence);
    let failure = |error: KernelError| Err(Error::from_kernel(error, "reading counters"));
    let mut counters = Vec::new();
    connection.list(request, failure, |message| {
        let rule = decode_rule(message.attributes(), table.family);
        counters.extend(rule.map(|(_, _, rule)| rule.packets));
    })?;
    Ok(counters)
}

/// The result by the counters of this number of pairs of rules; `None` while a packet is missing.
fn evaluate(counters: &[u64], pairs: usize) -> Option<CgroupProbe> {
    let (counters, _) = counters.as_chunks();
    if counters.iter().any(|[_, others]| *others > 0) {
        return Some(CgroupProbe::Ignores);
    }
    let is_matched = counters.len() == pairs && counters.iter().all(|[matched, _]| *matched > 0);
    is_matched.then_some(CgroupProbe::Matches)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_packet_has_to_be_matched() {
        let evaluate = |counters: &[u64]| evaluate(counters, 2);
        assert_eq!(evaluate(&[1, 0, 1, 0]), Some(CgroupProbe::Matches));
        assert_eq!(evaluate(&[1, 0, 0, 1]), Some(CgroupProbe::Ignores));
        assert_eq!(evaluate(&[0, 1, 0, 0]), Some(CgroupProbe::Ignores));
        assert_eq!(evaluate(&[1, 0, 0, 0]), None, "the second is missing");
        assert_eq!(evaluate(&[1, 0]), None, "half a dump");
        assert_eq!(evaluate(&[]), None);
    }
}
