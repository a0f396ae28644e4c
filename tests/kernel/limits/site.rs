//! A host that publishes a container's port over IPv4 and IPv6, and clients that open many flows at once.

use std::cell::Cell;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::Deref;
use std::path::Path;

use dwnl::{Engine, Policy};

use super::super::flows::site;
use super::super::support::{Topology, wait_for};

/// The site with an engine and the policy that is in force.
pub struct Site {
    site: site::Site,
    pub engine: Engine,
    policy: Policy,
    /// What the entries counted when the policy was applied or the last flows were opened.
    before: (u64, u64),
    /// The source port of the next flow. One that was used before may belong to a flow that conntrack
    /// still knows.
    next_port: Cell<u16>,
}

/// A client that opens a flow without waiting for an answer.
pub struct Flow(UdpSocket);

impl Flow {
    /// Sends a datagram.
    pub fn send(&self) {
        self.0.send(b"ping").expect("to send");
    }

    /// Whether an answer has come.
    fn is_answered(&self) -> bool {
        self.0.recv(&mut [0; 4]).is_ok()
    }
}

impl Deref for Site {
    type Target = site::Site;

    fn deref(&self) -> &site::Site {
        &self.site
    }
}

impl Site {
    /// A container that echoes what it gets.
    pub fn new() -> Site {
        Site::of(site::Site::new())
    }

    /// A container that counts datagrams and answers none.
    pub fn silent() -> Site {
        let site = site::Site::without_servers();
        let count = "table inet arrived { counter datagrams { }
            chain input { type filter hook prerouting priority -300;
                udp dport 80 counter name datagrams drop; }; }";
        site.container.try_run(&["nft", "-f", "-"], count).succeeded();
        Site::of(site)
    }

    fn of(site: site::Site) -> Site {
        let engine = site.topology.host.inside(Engine::open).expect("an engine");
        Site {
            site,
            engine,
            policy: Policy::default(),
            before: (0, 0),
            next_port: Cell::new(20_000),
        }
    }

    pub fn apply(&mut self, text: &str) {
        self.policy = Policy::parse(text, "policy.toml", Path::new("")).expect("a policy");
        self.engine.apply_policy(&self.policy).expect("success");
        self.before = self.totals();
    }

    pub fn policy(&self) -> Policy {
        self.policy.clone()
    }

    /// Opens flows, none of which is admitted.
    #[track_caller]
    pub fn expect_datagrams_refused(&mut self, source: &str, target: &str, flows: usize) {
        self.before = self.totals();
        self.expect(source, target, flows, 0);
    }

    /// Opens a flow later.
    pub fn flow(&self, source: &str, target: &str, port: u16) -> Flow {
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        let port_from = self.next_port.replace(self.next_port.get() + 1);
        let bind = || UdpSocket::bind(SocketAddr::new(address(source), port_from));
        let socket = self.topology.client.inside(bind).expect("a socket");
        socket.connect((address(target), port)).expect("to connect");
        socket.set_nonblocking(true).expect("not to wait");
        Flow(socket)
    }

    /// Opens flows, of which this number is admitted, answered and counted.
    #[track_caller]
    pub fn expect(&mut self, source: &str, target: &str, flows: usize, admitted: usize) {
        self.expect_at(source, target, 8080, flows, admitted);
    }

    /// The same at another port.
    #[track_caller]
    pub fn expect_at(
        &mut self,
        source: &str,
        target: &str,
        port: u16,
        flows: usize,
        admitted: usize,
    ) {
        let mut open: Vec<Flow> = (0..flows).map(|_| self.flow(source, target, port)).collect();
        open.iter().for_each(Flow::send);
        let refused = (flows - admitted) as u64;
        let expected = if self.policy.allow().iter().any(|entry| !entry.limits().is_none()) {
            (admitted as u64, refused)
        } else {
            // A plain entry counts the first packet.
            (flows as u64, 0)
        };
        self.wait_for_counts(expected);
        let mut answers = 0;
        wait_for(&format!("{admitted} answers to {source}"), || {
            let before = open.len();
            open.retain(|flow| !flow.is_answered());
            answers += before - open.len();
            (answers >= admitted).then_some(())
        });
        assert_eq!(answers, admitted, "{source}");
        self.before = self.totals();
    }

    /// Opens flows one after the other, and counts those that are answered.
    #[track_caller]
    pub fn expect_answers(&mut self, source: &str, target: &str, flows: usize, admitted: usize) {
        let refused_before = self.refused();
        let mut open: Vec<Flow> = (0..flows).map(|_| self.flow(source, target, 8080)).collect();
        open.iter().for_each(Flow::send);
        let mut answers = 0;
        let refused = (flows - admitted) as u64;
        wait_for(&format!("{admitted} answers to {source}"), || {
            let before = open.len();
            open.retain(|flow| !flow.is_answered());
            answers += before - open.len();
            (answers >= admitted && self.refused() == refused_before + refused).then_some(())
        });
        assert_eq!(answers, admitted, "{source}");
        self.before = self.totals();
    }

    /// What the guard dropped.
    fn refused(&mut self) -> u64 {
        let counters = self.engine.counters(&self.policy).expect("counters");
        counters.drops.iter().map(|drops| drops.packets).sum()
    }

    /// How many flows the entries admitted and found above their limits, since the last ones.
    pub fn counted(&mut self) -> (u64, u64) {
        let (admitted, limited) = self.totals();
        (admitted - self.before.0, limited - self.before.1)
    }

    fn totals(&mut self) -> (u64, u64) {
        let counters = self.engine.counters(&self.policy).expect("counters");
        let sum =
            |number: fn(&dwnl::EntryCounters) -> u64| counters.entries.iter().map(number).sum();
        (sum(|entry| entry.packets), sum(|entry| entry.limited.unwrap_or(0)))
    }

    /// Waits until the packets that were sent have been counted so.
    #[track_caller]
    pub fn wait_for_counts(&mut self, expected: (u64, u64)) {
        let mut counted = self.counted();
        wait_for(&format!("{expected:?} flows"), || {
            counted = self.counted();
            (counted.0 + counted.1 >= expected.0 + expected.1).then_some(())
        });
        assert_eq!(counted, expected, "admitted and above the limit");
    }

    /// Waits until the silent container has got this number of datagrams.
    #[track_caller]
    pub fn has_arrived(&self, expected: usize) {
        let text = format!("packets {expected} ");
        wait_for(&text, || {
            let listed =
                self.container.run(&["nft", "list", "counter", "inet", "arrived", "datagrams"]);
            listed.contains(&text).then_some(())
        });
    }

    /// Counts from zero.
    pub fn forget_arrivals(&self) {
        self.container.run(&["nft", "reset", "counter", "inet", "arrived", "datagrams"]);
    }
}

/// The host's address of the same family.
pub fn host_of(source: &str) -> &'static str {
    if source.contains(':') { Topology::HOST6 } else { Topology::HOST }
}
