//! Reads what explains how a packet fares: the host, the rules of all programs, and connection
//! tracking.

mod destination;
mod flows;
mod routes;
mod simulation;

use std::net::IpAddr;

use super::{ATTEMPTS_MAX, Engine, Error, Outcome};
use crate::compile::{BLOCK, compile};
use crate::docker::NAT;
use crate::explain::{
    Admission, Circumstances, Contradiction, Explanation, OpenFlow, Packet, Question, Receiver,
    Verdict,
};
use crate::model::{
    ChainPath, Docker, Grant, GrantAction, GuardScope, IpVersion, KernelRuleset, Name, Snapshot,
    TablePath,
};
use crate::policy::{Moment, Policy};
use crate::simulate::Step;
use destination::Publication;
use routes::{Routes, first_address};

/// What [`Engine::explain`] found.
#[derive(Debug)]
#[non_exhaustive]
pub struct Explained {
    /// How the packet fares, and why.
    pub explanation: Explanation,
    /// What an apply of the policy would change; `None` without a policy.
    pub comparison: Option<Result<Outcome, Error>>,
    /// The flows that the source already has to the port.
    pub flows: Result<Vec<OpenFlow>, Error>,
}

/// A packet, and the way by which it comes.
struct Arrival {
    destination: IpAddr,
    in_interface: Name,
    /// Whether its source is an address of the host itself.
    is_from_host: bool,
}

impl Engine {
    /// Explains how the first packet of a flow fares: what `policy` says of it, what the rules of all
    /// programs do with it, and which flows the source already has. Changes nothing and sends no packet.
    ///
    /// # Errors
    /// [`Error::NoRoute`], [`Error::NoInterface`] and [`Error::NoDestination`] if the question leaves
    /// something open that the host does not answer; any other [`Error`].
    pub fn explain(
        &mut self,
        policy: Option<&Policy>,
        question: &Question,
    ) -> Result<Explained, Error> {
        let desired = policy.map(compile);
        let comparison = desired.as_ref().map(|desired| self.preview(desired));
        let scope = desired.and_then(|desired| desired.guard).unwrap_or_default();
        let (snapshot, ruleset) = self.whole_snapshot(&scope)?;
        let arrival = self.arrival(question, &snapshot.docker)?;
        let packet = Packet {
            source: question.source,
            destination: arrival.destination,
            protocol: question.protocol,
            port: question.port,
            in_interface: Some(&arrival.in_interface),
        };
        let fate = match arrival.is_from_host {
            true => simulation::from_host(packet.source),
            false => self.simulated(&ruleset, &snapshot.host, &packet, &arrival.in_interface)?,
        };
        let flows = self.open_flows(policy, &packet, &snapshot.docker, comparison.as_ref());
        let is_in_sync = comparison.iter().flatten().all(|outcome| outcome.plan.is_empty());
        let by_hand = self.grants_at(&packet)?;
        let explanation = Explanation {
            by_hand: by_hand.clone(),
            ..explanation(
                policy,
                &packet,
                &arrival.in_interface,
                fate,
                is_in_sync,
                (&snapshot, &by_hand),
            )
        };
        Ok(Explained { explanation, comparison, flows })
    }

    /// The snapshot with the host, and the rules of all programs at the same generation.
    fn whole_snapshot(&mut self, scope: &GuardScope) -> Result<(Snapshot, KernelRuleset), Error> {
        for _ in 0..ATTEMPTS_MAX {
            let mut snapshot = self.snapshot()?;
            self.read_host(scope, &mut snapshot)?;
            let ruleset = self.read_ruleset()?;
            if ruleset.generation == snapshot.generation {
                return Ok((snapshot, ruleset));
            }
        }
        Err(Error::Conflict { attempts: ATTEMPTS_MAX })
    }

    /// Where the packet comes in, and for which address.
    fn arrival(&mut self, question: &Question, docker: &Docker) -> Result<Arrival, Error> {
        let Question { source, destination, protocol, port, in_interface } = question;
        let routes = Routes::new(&mut self.routes)?;
        let back = routes.back(*source)?;
        let in_interface = match (in_interface, &back) {
            (Some(name), _) => name.clone(),
            (None, Some(back)) => back.interface.clone(),
            (None, None) => return Err(Error::NoRoute(*source)),
        };
        let link = routes.entrance(&in_interface).ok_or(Error::NoInterface(in_interface))?;
        let (version, in_interface) = (IpVersion::of(*source), link.name.clone());
        let own_address = back.as_ref().and_then(|back| back.own_address);
        let own_address = own_address.or_else(|| first_address(link, version));
        let publication = Publication::of(docker, version, *protocol, *port);
        let destination = destination.or_else(|| publication.meant(own_address));
        let destination = destination.ok_or(Error::NoDestination(*source))?;
        let is_from_host = back.is_some_and(|back| back.is_local);
        Ok(Arrival { destination, in_interface, is_from_host })
    }

    /// The grants and bans that are for the packet, bans first.
    fn grants_at(&mut self, packet: &Packet) -> Result<Vec<Grant>, Error> {
        let mut grants = self.grants()?.grants;
        grants.retain(|it| {
            (it.source.first()..=it.source.last()).contains(&packet.source)
                && it.ports.is_none_or(|ports| ports.has(packet.protocol, packet.port))
        });
        grants.sort_by_key(|it| it.action);
        Ok(grants)
    }

    fn open_flows(
        &mut self,
        policy: Option<&Policy>,
        packet: &Packet,
        docker: &Docker,
        comparison: Option<&Result<Outcome, Error>>,
    ) -> Result<Vec<OpenFlow>, Error> {
        let learned = comparison.and_then(|it| it.as_ref().ok()).map(|outcome| &*outcome.learned);
        let host = self.classifier(docker, learned.unwrap_or_default())?;
        flows::open_flows(&mut self.connections[0], packet, policy.zip(host.as_ref()))
    }
}

/// What the policy says, what the packet gets, and what explains the difference.
fn explanation(
    policy: Option<&Policy>,
    packet: &Packet,
    in_interface: &Name,
    (verdict, steps): (Verdict, Vec<Step>),
    is_in_sync: bool,
    (snapshot, by_hand): (&Snapshot, &[Grant]),
) -> Explanation {
    let docker = &snapshot.docker;
    let Packet { source, destination, protocol, port, .. } = *packet;
    let published = destination::published(docker, destination, protocol, port);
    let circumstances = Circumstances {
        is_installed: is_installed(snapshot),
        is_in_sync,
        has_guard: policy.is_some_and(|policy| policy.guard().is_enabled()),
        is_banned: by_hand.iter().any(|it| it.action == GrantAction::Deny),
        is_granted: by_hand.iter().any(|it| it.action == GrantAction::Allow),
        is_inside: docker.inside.contains(in_interface),
        is_of_docker: published.is_some() || reaches_docker(&verdict, docker),
    };
    let now = Moment::now();
    let admission = policy.map(|policy| Admission::at(policy, packet, now));
    let schedule = policy.zip(admission.as_ref());
    let schedule = schedule.and_then(|(policy, admission)| admission.schedule(policy));
    let schedule = schedule.map(|schedule| (schedule.clone(), schedule.state(now)));
    let contradiction = admission
        .as_ref()
        .and_then(|admission| Contradiction::between(admission, &verdict, &steps, circumstances));
    let publication = Publication::of(docker, IpVersion::of(destination), protocol, port);
    Explanation {
        source,
        destination,
        other_destinations: publication.others(destination),
        protocol,
        port,
        in_interface: in_interface.clone(),
        verdict,
        steps,
        admission,
        schedule,
        limits: policy.map(|policy| Admission::limits(policy, packet, now)).unwrap_or_default(),
        contradiction,
        by_hand: Vec::new(),
        container_port: published.and_then(|it| docker.container_ports.get(it).copied()),
        published: published.cloned(),
    }
}

/// Whether the packet leaves by a bridge of Docker's.
fn reaches_docker(verdict: &Verdict, docker: &Docker) -> bool {
    match verdict {
        Verdict::Allowed(Receiver::Forwarded { out_interface, .. }) => {
            docker.bridges.contains(out_interface)
        }
        _ => false,
    }
}

/// Whether dwnl's chain is there.
fn is_installed(snapshot: &Snapshot) -> bool {
    IpVersion::ALL.into_iter().any(|version| {
        let table = TablePath { family: version.into(), table: NAT.into() };
        snapshot.chain(&ChainPath { table, chain: BLOCK.into() }).is_some()
    })
}
