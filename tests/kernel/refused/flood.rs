//! A flood of packets with forged sources: `cargo test --test kernel -- --ignored --nocapture
//! refused::flood` as root. It prints the memory of the sets, and what a new flow costs.

use std::fs;
use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

use dwnl::model::RefusalFill;
use socket2::{Domain, Protocol, Socket, Type};

use super::super::support::{Answer, Topology, udp};
use super::{Site, ports};

const FLOOD: u32 = 1_000_000;
/// Packets of one measurement, and the number of measurements of each kind.
const ROUND: u32 = 5_000;
const ROUNDS: usize = 15;
const POLICY: &str = "[[allow]]\nports = ['8080/udp']\nfrom = ['192.0.2.2']\n";
const ALLOWED: u32 = u32::from_be_bytes([192, 0, 2, 2]);
const FORGED: u32 = u32::from_be_bytes([11, 0, 0, 0]);

/// Counts and drops what reaches the container, so that no server has a share in what is measured.
const ARRIVED: &str =
    "table ip arrived { chain prerouting { type filter hook prerouting priority -300;
    udp dport 80 counter drop; }; }";

/// Sends UDP datagrams to the published port, from any source address and port.
struct Sender(Socket);

impl Sender {
    fn new(site: &Site) -> Sender {
        let open = || {
            Socket::new(
                Domain::IPV4,
                Type::from(libc::SOCK_RAW),
                Some(Protocol::from(libc::IPPROTO_RAW)),
            )
        };
        Sender(site.topology.client.inside(open).expect("a raw socket"))
    }

    fn send(&self, source: u32, port: u16) {
        let target = SocketAddrV4::new(Topology::HOST.parse().expect("an address"), 0);
        let mut packet = [0u8; 32];
        // Version and header length; the kernel fills in the length and the checksum.
        packet[0] = 0x45;
        packet[8] = 64;
        packet[9] = 17;
        packet[12..16].copy_from_slice(&source.to_be_bytes());
        packet[16..20].copy_from_slice(&target.ip().octets());
        packet[20..22].copy_from_slice(&port.to_be_bytes());
        packet[22..24].copy_from_slice(&8080u16.to_be_bytes());
        packet[24..26].copy_from_slice(&12u16.to_be_bytes());
        packet[28..].copy_from_slice(b"ping");
        let sent = self.0.send_to(&packet, &target.into());
        assert_eq!(sent.expect("to send"), packet.len());
    }

    /// The time for one packet; `first` numbers the flows, which are all new.
    fn measure(&self, first: u32, flow: impl Fn(u32) -> (u32, u16)) -> f64 {
        let started = Instant::now();
        for number in first..first + ROUND {
            let (source, port) = flow(number);
            self.send(source, port);
        }
        started.elapsed().as_secs_f64() / f64::from(ROUND) * 1e6
    }
}

/// A site whose container is counted at, with this policy in force.
fn site() -> (Site, Sender) {
    let mut site = Site::new();
    let host = &site.topology.host;
    host.run(&["sh", "-c", "echo 0 | tee /proc/sys/net/ipv4/conf/*/rp_filter"]);
    host.run(&["ip", "route", "add", "default", "via", Topology::ALLOWED]);
    site.apply(POLICY);
    assert_eq!(
        udp(&site.topology.client, Topology::ALLOWED, Topology::HOST, 8080),
        Answer::Answered
    );
    site.container.0.try_run(&["nft", "-f", "-"], ARRIVED).succeeded();
    let sender = Sender::new(&site);
    (site, sender)
}

/// Packets that have reached the container.
fn arrived(site: &Site) -> u64 {
    let listed = site.container.0.run(&["nft", "list", "table", "ip", "arrived"]);
    let (_, rest) = listed.split_once("counter packets ").expect("a counter");
    rest.split(' ').next().and_then(|number| number.parse().ok()).expect("a number")
}

/// `SUnreclaim` and `Percpu` of `/proc/meminfo`, in KiB.
fn memory() -> [i64; 2] {
    let text = fs::read_to_string("/proc/meminfo").expect("the memory");
    ["SUnreclaim:", "Percpu:"].map(|key| {
        let line = text.lines().find(|line| line.starts_with(key)).expect("the line");
        line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
    })
}

fn grown(before: [i64; 2]) -> String {
    let [slab, percpu] = memory();
    format!("slab {:+} KiB, per CPU {:+} KiB", slab - before[0], percpu - before[1])
}

fn entries(fill: &[RefusalFill]) -> usize {
    fill.iter().map(|fill| fill.entries).sum()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[test]
#[ignore = "takes a minute"]
fn a_million_forged_sources_are_dropped_and_need_little_memory() {
    let (mut site, sender) = site();
    let before = memory();
    // Positive control: what is allowed arrives.
    sender.send(ALLOWED, 4000);
    assert_eq!(arrived(&site), 1);
    let started = Instant::now();
    for number in 0..FLOOD {
        sender.send(FORGED + number, 4000);
    }
    let elapsed = started.elapsed();
    let report = site.refused();
    println!(
        "{FLOOD} sources in {elapsed:.1?}: {} entries, {}",
        entries(&report.fill),
        grown(before)
    );
    assert_eq!(arrived(&site), 1, "none gets in");
    assert!(report.fill.iter().all(|fill| fill.entries <= fill.set.capacity() as usize));
    assert!(report.fill.iter().any(RefusalFill::is_full));
    let [(_, port, packets)] = &ports(&report)[..] else { panic!("{:?}", report.ports) };
    assert_eq!((port.as_str(), *packets), ("8080/udp", u64::from(FLOOD)));
    let reading = Instant::now();
    site.refused();
    println!("reading the full sets: {:.1?}", reading.elapsed());

    // The same with a guard that records nothing, in turns.
    let (other, other_sender) = self::site();
    other.nft("flush chain inet dwnl refused-published");
    let mut figures = [(); 4].map(|()| Vec::new());
    for round in 0..u32::try_from(ROUNDS).expect("few") {
        let first = round * ROUND;
        let refused = |number| (FORGED + FLOOD + number, 4000);
        let allowed = |number: u32| (ALLOWED, (number % 60_000) as u16 + 1024);
        let all = [
            sender.measure(first, refused),
            other_sender.measure(first, refused),
            sender.measure(first, allowed),
            other_sender.measure(first, allowed),
        ];
        figures.iter_mut().zip(all).for_each(|(figures, figure)| figures.push(figure));
    }
    let [refused, refused_without, allowed, allowed_without] = figures.map(median);
    for (what, with, without) in
        [("refused", refused, refused_without), ("allowed", allowed, allowed_without)]
    {
        println!(
            "a new {what} flow: {with:.2} µs with full sets, {without:.2} µs without records, ratio {:.2}",
            with / without
        );
    }
    let full = memory();
    site.engine.remove().expect("success");
    std::thread::sleep(Duration::from_secs(2));
    println!("removed: {}", grown(full));
}
