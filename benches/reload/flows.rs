//! New flows through the policy: UDP packets, each with a new source port, from a client's
//! namespace to the host, counted where they arrive.

use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use dwnl::model::Ruleset;
use dwnl::policy::Deny;
use dwnl::{Engine, Policy, compile};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, sendto, socket,
};

use crate::figures::{Figure, Figures};
use crate::library::{managed, read};
use crate::load::Load;
use crate::support::{Namespace, Spread};
use crate::workload::{Form, Mix, PORT, Protocol, RESTORE_MAX, Variant, Workload, write};

const HOST: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
/// A port of the host that is not published.
const MARKER: u16 = 9;

/// Maximum number of packets in flight, few enough for the kernel to drop none.
const WINDOW: u16 = 64;
/// Maximum time of a round.
const ROUND_TIME: Duration = Duration::from_millis(20);
/// Maximum number of windows in a round.
const ROUND_WINDOWS: u32 = 64;
/// Maximum number of rounds, because no source port is used twice.
pub const ROUNDS_MAX: usize = 14;

/// Measures flows that no source of the policy matches.
pub fn measure(
    directory: &Path,
    mix: Mix,
    size: usize,
    rounds: usize,
    figures: &mut Figures,
) -> Result<()> {
    let workload = Workload::new(mix, size, Variant::First, Protocol::Udp);
    let file = workload.write_policy(directory, "flows", Form::Plain)?;
    let (policy, denying) = (read(&file)?, compile(&denying(&Policy::read(&file)?)?));
    let docker = docker_rules(directory)?;
    let through = |desired: &Ruleset| {
        Flows::new(&docker, Target::Host, || Ok(Engine::open()?.apply(desired).map(drop)?))
    };
    let mut paths = vec![
        (Figure::FlowEmpty, Flows::new(&docker, Target::Host, || Ok(()))?),
        (Figure::FlowDwnl, through(&policy)?),
        (Figure::FlowDenied, through(&denying)?),
    ];
    if size <= RESTORE_MAX {
        let rules = write(directory, "flows.rules", &workload.restore_text())?;
        let fill = || Load::restore(&rules).run().map(drop);
        paths.push((Figure::FlowIptables, Flows::new(&docker, Target::Host, fill)?));
    }
    in_turn(&mut paths, mix, size, rounds, figures)
}

/// The policy that denies the sources that the other one allows.
fn denying(policy: &Policy) -> Result<Policy> {
    let groups = policy.allow().iter().flat_map(|entry| entry.from().into_iter().flatten());
    let deny = Deny::builder().from(groups.cloned()).build()?;
    Ok(Policy::builder().deny(deny).guard(policy.guard().clone()).build()?)
}

/// Measures the flows in turn, after a warm-up round.
pub fn in_turn(
    paths: &mut [(Figure, Flows)],
    mix: Mix,
    size: usize,
    rounds: usize,
    figures: &mut Figures,
) -> Result<()> {
    let mut times = vec![Vec::with_capacity(rounds); paths.len()];
    for round in 0..=rounds.min(ROUNDS_MAX) {
        for ((_, flows), times) in paths.iter_mut().zip(&mut times) {
            let elapsed = flows.round()?;
            if round > 0 {
                times.push(elapsed);
            }
        }
    }
    for ((figure, _), times) in paths.iter().zip(times) {
        figures.set(*figure, mix, size, Spread::of(times));
    }
    Ok(())
}

/// Dockerd's rules for its bridge and a container with a published port. The nat rules make the
/// kernel track connections, so a host without them would not be comparable.
const DOCKER: &str = "*nat
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A DOCKER -i docker0 -j RETURN
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80
";

/// The rule for [`PORT`], if it is published.
const PUBLISHED: &str =
    "-A DOCKER ! -i docker0 -p udp -m udp --dport 443 -j DNAT --to-destination 172.17.0.2:443\n";

/// Writes dockerd's rules for `iptables-restore`.
pub fn docker_rules(directory: &Path) -> Result<PathBuf> {
    write(directory, "docker.rules", &format!("{DOCKER}COMMIT\n"))
}

/// The same with a rule for the port of the flows.
pub fn publishing_rules(directory: &Path) -> Result<PathBuf> {
    write(directory, "publishing.rules", &format!("{DOCKER}{PUBLISHED}COMMIT\n"))
}

/// Where the flows go to.
#[derive(Clone, Copy, PartialEq)]
pub enum Target {
    /// A socket of the host: they arrive.
    Host,
    /// A published port that refuses them. A packet to another port follows them, and shows that the
    /// host has done with them.
    Refusal,
}

/// A client and a host that are connected by a veth pair.
pub struct Flows {
    client: OwnedFd,
    host: UdpSocket,
    target: Target,
    port: u16,
    namespaces: [Namespace; 2],
}

impl Flows {
    /// `fill` runs in the namespace of the host, which has dockerd's rules and dwnl's managed
    /// objects.
    pub fn new(docker: &Path, target: Target, fill: impl FnOnce() -> Result<()>) -> Result<Flows> {
        let client = Namespace::new()?;
        let socket =
            socket(AddressFamily::Inet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::Udp)?;
        let host = Namespace::new()?;
        let peer = client.path();
        ip(&format!("link add host type veth peer name client netns {}", peer.display()))?;
        ip(&format!("address add {HOST}/24 dev host"))?;
        ip("link set host up")?;
        let port = match target {
            Target::Host => PORT,
            Target::Refusal => MARKER,
        };
        let receiver = UdpSocket::bind((HOST, port))?;
        receiver.set_read_timeout(Some(Duration::from_secs(10)))?;
        Load::restore(docker).run()?;
        Engine::open()?.apply(&managed())?;
        fill()?;
        client.enter()?;
        ip(&format!("address add {CLIENT}/24 dev client"))?;
        ip("link set client up")?;
        let namespaces = [client, host];
        Ok(Flows { client: socket, host: receiver, target, port: 1024, namespaces })
    }

    /// The namespace of the host.
    pub fn host(&self) -> &Namespace {
        &self.namespaces[1]
    }

    /// The number of flows that were sent.
    pub fn sent(&self) -> usize {
        usize::from(self.port - 1024)
    }

    /// The time of one new flow, from sending its packet to its arrival.
    pub fn round(&mut self) -> Result<Duration> {
        let start = Instant::now();
        let mut windows = 0;
        while windows < ROUND_WINDOWS && (windows == 0 || start.elapsed() < ROUND_TIME) {
            self.window()?;
            windows += 1;
        }
        Ok(start.elapsed() / (windows * u32::from(WINDOW)))
    }

    fn window(&mut self) -> Result<()> {
        for _ in 0..WINDOW {
            self.send(PORT)?;
            self.port = self.port.checked_add(1).context("no port is left")?;
        }
        let arriving = match self.target {
            Target::Host => WINDOW,
            Target::Refusal => {
                self.send(MARKER)?;
                1
            }
        };
        for _ in 0..arriving {
            self.host.recv(&mut []).context("a packet did not arrive at the host")?;
        }
        Ok(())
    }

    fn send(&self, port: u16) -> Result<()> {
        let host = SockaddrIn::new(192, 0, 2, 1, 0);
        let packet = empty_datagram(self.port, port);
        sendto(self.client.as_raw_fd(), &packet, &host, MsgFlags::empty())?;
        Ok(())
    }
}

/// A UDP header without a checksum and without a payload.
pub fn empty_datagram(source: u16, destination: u16) -> [u8; 8] {
    let [source, port] = [source, destination].map(u16::to_be_bytes);
    [source[0], source[1], port[0], port[1], 0, 8, 0, 0]
}

fn ip(arguments: &str) -> Result<()> {
    let status = Command::new("ip").args(arguments.split_whitespace()).status()?;
    ensure!(status.success(), "`ip {arguments}` failed");
    Ok(())
}
