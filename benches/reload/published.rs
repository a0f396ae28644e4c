//! A host on which Docker publishes ports that no entry of the policy has: the time of `dwnl apply`,
//! and the length of its report.

use std::fmt::Write as _;
use std::fs;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use nix::libc;
use nix::sys::socket::{MsgFlags, recv, send};

use crate::contender::Contender;
use crate::figures::{Figure, Figures};
use crate::load::{Load, dwnl};
use crate::process::in_turn;
use crate::support::{Namespace, Spread, attribute, encode, netlink_socket, settle};
use crate::workload::{Form, Mix, Protocol, Variant, Workload, write};

/// Number of sources of the policy.
const SOURCES: usize = 10;
/// The first published port, and the distance between two.
const PORTS: (usize, usize) = (1000, 6);

/// Measures a host with this many published ports.
pub fn measure(directory: &Path, size: usize, rounds: usize, figures: &mut Figures) -> Result<()> {
    let host =
        Host { docker: write(directory, "published.rules", &docker_rules(size))?, directory };
    let mut contenders = [
        host.contender(Figure::PublishedFirst, Variant::First)?,
        host.contender(Figure::PublishedOneChange, Variant::OneChanged)?,
        host.contender(Figure::PublishedNoChange, Variant::First)?,
    ];
    let [first, ..] = &mut contenders;
    figures.set(Figure::PublishedLines, Mix::Published, size, first.lines()? as f64);
    let times = in_turn(&mut contenders, rounds)?;
    for (contender, times) in contenders.iter().zip(times) {
        figures.set(contender.figure, Mix::Published, size, Spread::of(times));
    }
    let floors = (0..rounds.max(3)).map(|_| list_rules(size)).collect::<Result<_>>()?;
    figures.set(Figure::PublishedFloor, Mix::Published, size, Spread::of(floors));
    Ok(())
}

struct Host<'a> {
    directory: &'a Path,
    docker: PathBuf,
}

impl Host<'_> {
    fn contender(&self, figure: Figure, second: Variant) -> Result<Contender> {
        let state = self.directory.join(format!("state-{figure:?}"));
        let _ = fs::remove_dir_all(&state);
        fs::create_dir(&state)?;
        let load = |variant: Variant| {
            let workload = Workload::new(Mix::Hosts, SOURCES, variant, Protocol::Tcp);
            let name = format!("published-{variant:?}");
            let policy = workload.write_policy(self.directory, &name, Form::Guarded)?;
            anyhow::Ok(dwnl(&state).with(["apply", "-f"]).with([policy]).into())
        };
        let loads: [Load; 2] = [load(Variant::First)?, load(second)?];
        let namespace = Namespace::new()?;
        Load::restore(&self.docker).run()?;
        let contender = Contender::here(figure, loads, namespace);
        Ok(match figure {
            Figure::PublishedFirst => contender.undone_by(dwnl(&state).with(["-q", "remove"])),
            _ => contender,
        })
    }
}

/// The rules that dockerd writes for a container with these published ports.
fn docker_rules(size: usize) -> String {
    let ports = || (0..size).map(|index| PORTS.0 + index * PORTS.1);
    let mut text = "*nat\n:DOCKER - [0:0]\n\
        -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\n\
        -A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER\n\
        -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE\n\
        -A DOCKER -i docker0 -j RETURN\n"
        .to_owned();
    for port in ports() {
        let _ = writeln!(
            text,
            "-A DOCKER ! -i docker0 -p tcp -m tcp --dport {port} \
             -j DNAT --to-destination 172.17.0.2:{port}"
        );
    }
    text += "COMMIT\n*filter\n:DOCKER - [0:0]\n-A FORWARD -o docker0 -j DOCKER\n";
    for port in ports() {
        let _ = writeln!(
            text,
            "-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport {port} -j ACCEPT"
        );
    }
    text + "COMMIT\n"
}

/// The kernel's own time for listing the rules of Docker's chains in `ip nat`, which has the ports, and in
/// `ip filter`, which has the bridges and routed networks, in the namespace of the calling thread. Two
/// threads list them at the same time.
fn list_rules(size: usize) -> Result<Duration> {
    thread::scope(|scope| {
        let nat = scope.spawn(|| list_chain(b"nat\0", size + 1));
        let filter = list_chain(b"filter\0", size)?;
        Ok(nat.join().map_err(|_| anyhow!("a thread has failed"))??.max(filter))
    })
}

/// The time for one chain `DOCKER`, which has this many rules.
fn list_chain(table: &[u8], expected: usize) -> Result<Duration> {
    let socket = netlink_socket()?;
    settle()?;
    let names = [attribute(1, table), attribute(2, b"DOCKER\0")].concat();
    let kind = (libc::NFNL_SUBSYS_NFTABLES << 8 | libc::NFT_MSG_GETRULE) as u16;
    let request = encode(kind, libc::NLM_F_DUMP, [libc::NFPROTO_IPV4 as u8, 0, 0, 0], &names);
    let (mut buffer, mut rules) = (vec![0; 1 << 16], 0);
    let start = Instant::now();
    send(socket.as_raw_fd(), &request, MsgFlags::empty())?;
    loop {
        let length = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
        let kinds = kinds(&buffer[..length]);
        rules += kinds.iter().filter(|kind| **kind != libc::NLMSG_DONE as u16).count();
        if kinds.contains(&(libc::NLMSG_DONE as u16)) {
            break;
        }
    }
    let elapsed = start.elapsed();
    ensure!(rules == expected, "Docker's chain has {rules} rules");
    Ok(elapsed)
}

/// The types of the messages of a datagram.
fn kinds(mut datagram: &[u8]) -> Vec<u16> {
    let mut kinds = Vec::new();
    while let Some((header, _)) = datagram.split_first_chunk::<6>() {
        let [a, b, c, d, kind @ ..] = *header;
        kinds.push(u16::from_ne_bytes(kind));
        let length = u32::from_ne_bytes([a, b, c, d]).next_multiple_of(4).max(16) as usize;
        datagram = datagram.get(length..).unwrap_or_default();
    }
    kinds
}
