//! New flows that the guard refuses: to a published port, from a source that is not allowed there.

use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};
use dwnl::model::Ruleset;
use dwnl::{Engine, Policy, compile};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, sendto, socket,
};

use crate::figures::{Figure, Figures};
use crate::flows::{Flows, Target, empty_datagram, in_turn, publishing_rules};
use crate::library::read;
use crate::workload::{Form, Mix, PORT, Protocol, Variant, Workload};

/// Number of sources, more than the guard remembers.
const SOURCES: u32 = 20_000;

/// Measures a policy against an empty one.
pub fn measure(
    directory: &Path,
    mix: Mix,
    size: usize,
    rounds: usize,
    figures: &mut Figures,
) -> Result<()> {
    let workload = Workload::new(mix, size, Variant::First, Protocol::Udp);
    let policy = read(&workload.write_policy(directory, "refusal", Form::Guarded)?)?;
    let empty = compile(&Policy::builder().build()?);
    let mut paths = [
        (Figure::FlowRefusedEmpty, flows(directory, &empty)?),
        (Figure::FlowRefused, flows(directory, &policy)?),
    ];
    in_turn(&mut paths, mix, size, rounds, figures)?;
    paths.iter().try_for_each(|(_, flows)| check(flows))
}

/// Measures what recording costs: without records, with one source on record, and with full sets.
pub fn measure_records(directory: &Path, rounds: usize, figures: &mut Figures) -> Result<()> {
    let empty = compile(&Policy::builder().build()?);
    let mut paths = [
        (Figure::FlowUnrecorded, flows(directory, &without_records(&empty))?),
        (Figure::FlowRefusedEmpty, flows(directory, &empty)?),
        (Figure::FlowRefused, flooded(directory, &empty)?),
    ];
    in_turn(&mut paths, Mix::Refused, SOURCES as usize, rounds, figures)?;
    paths.iter().try_for_each(|(_, flows)| check(flows))
}

fn flows(directory: &Path, desired: &Ruleset) -> Result<Flows> {
    let docker = publishing_rules(directory)?;
    Flows::new(&docker, Target::Refusal, || Ok(Engine::open()?.apply(desired).map(drop)?))
}

/// The guard without the rules that record.
fn without_records(ruleset: &Ruleset) -> Ruleset {
    let mut reduced = ruleset.clone();
    for chain in &mut reduced.chains {
        if chain.path.chain.starts_with("refused-") {
            chain.rules = Default::default();
        }
    }
    reduced
}

/// Flows to a host that has refused many other sources.
fn flooded(directory: &Path, desired: &Ruleset) -> Result<Flows> {
    let flows = flows(directory, desired)?;
    let socket =
        socket(AddressFamily::Inet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::Raw)?;
    let host = SockaddrIn::new(192, 0, 2, 1, 0);
    for number in 0..SOURCES {
        let packet = forged(0x0a00_0000 + number);
        sendto(socket.as_raw_fd(), &packet, &host, MsgFlags::empty())?;
    }
    Ok(flows)
}

/// An IPv4 packet to the published port. The kernel fills in its length and its checksum.
fn forged(source: u32) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0];
    packet.extend(source.to_be_bytes());
    packet.extend([192, 0, 2, 1]);
    packet.extend(empty_datagram(1024, PORT));
    packet
}

/// Checks that the guard has dropped every packet.
fn check(flows: &Flows) -> Result<()> {
    flows.host().enter()?;
    let arguments = ["list", "chain", "inet", "dwnl", "translated"];
    let output = Command::new("nft").args(arguments).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().find(|line| line.contains(" drop "));
    let packets = last.and_then(|line| line.split_once("packets ")).map(|(_, rest)| rest);
    let packets = packets.and_then(|rest| rest.split(' ').next()).and_then(|it| it.parse().ok());
    ensure!(packets >= Some(flows.sent()), "{packets:?} of {} flows were refused", flows.sent());
    Ok(())
}
