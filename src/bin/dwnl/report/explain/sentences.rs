//! What an explanation says, in words.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use dwnl::explain::{
    Admission, Contradiction, Explanation, FlowFate, NearMiss, OpenFlow, Receiver, Refusal, Unmet,
    Verdict,
};
use dwnl::model::{AddressSpec, Grant, Name, Origin, Ports};
use dwnl::simulate::{Doubt, Effect, Outcome};

use crate::report::format::join_and;
use crate::report::schedule::note;

/// `192.0.2.66 to 192.0.2.1, 8080/tcp, in by eth0`
pub fn subject(explanation: &Explanation) -> String {
    let Explanation { source, destination, in_interface, .. } = explanation;
    format!("{source} to {destination}, {}, in by {in_interface}", port(explanation))
}

fn port(explanation: &Explanation) -> String {
    format!("{}/{}", explanation.port, explanation.protocol)
}

/// Why the verdict is what it is.
pub fn reason(explanation: &Explanation) -> String {
    match &explanation.verdict {
        Verdict::Allowed(receiver) => allowed(explanation, receiver),
        Verdict::Refused(refusal) => refused(explanation, refusal),
        Verdict::Unknown(doubt) => unknown(doubt),
        _ => String::new(),
    }
}

fn allowed(explanation: &Explanation, receiver: &Receiver) -> String {
    let why = match &explanation.contradiction {
        None => match &explanation.admission {
            Some(Admission::Admitted(origin)) if !explanation.limits.is_none() => {
                format!("{} allows it within {}", entry(origin), explanation.limits)
            }
            Some(Admission::Admitted(origin)) => format!("{} allows it", entry(origin)),
            _ => "no rule refuses it".to_owned(),
        },
        Some(Contradiction::NotInstalled) => {
            format!("{}, but dwnl's rules are not installed", not_admitted(explanation))
        }
        Some(Contradiction::Drift) => {
            let why = not_admitted(explanation);
            format!("{why}, but the kernel differs from the policy: see dwnl plan")
        }
        Some(Contradiction::FromContainer) => {
            format!(
                "it comes in by {}, so from a container; the policy is for sources outside",
                explanation.in_interface
            )
        }
        Some(Contradiction::Granted) => match explanation.by_hand.iter().next_back() {
            Some(grant) => format!("it is {}", by_hand(grant)),
            None => "it is granted by hand".to_owned(),
        },
        Some(Contradiction::NotPublished) => {
            "Docker does not publish the port, so dwnl does not judge it".to_owned()
        }
        Some(Contradiction::GuardOff) => {
            format!(
                "{}, but the guard is off, and DOCKER-BLOCK alone does not block this path",
                not_admitted(explanation)
            )
        }
        Some(_) => format!("{}, but the rules below let it in", not_admitted(explanation)),
    };
    format!("{why}; {}", receives(explanation, receiver))
}

/// Why the policy does not admit the packet.
fn not_admitted(explanation: &Explanation) -> String {
    match &explanation.admission {
        Some(Admission::Denied(origin)) => format!("{} denies it", entry(origin)),
        _ => "no entry of the policy allows it".to_owned(),
    }
}

/// The entry by its name.
fn entry(origin: &Origin) -> String {
    let host = origin.host.as_ref().map(|host| format!(" ({host})")).unwrap_or_default();
    match (&origin.entry, &*origin.containers) {
        (Some(name), _) => format!("entry `{name}`{host}"),
        (None, [container]) => format!("the entry for container `{container}`{host}"),
        (None, _) => format!("an entry of the policy{host}"),
    }
}

fn receives(explanation: &Explanation, receiver: &Receiver) -> String {
    match receiver {
        Receiver::Forwarded { to, out_interface } => {
            format!("it is forwarded to {to} by {out_interface}")
        }
        Receiver::Docker => "docker-proxy or dockerd receives it".to_owned(),
        Receiver::Process => "a process of the host receives it".to_owned(),
        _ => format!("it is not known whether anything listens on {}", port(explanation)),
    }
}

fn refused(explanation: &Explanation, refusal: &Refusal) -> String {
    let Explanation { source, destination, in_interface, admission, contradiction, .. } =
        explanation;
    let admits = match admission {
        Some(Admission::Admitted(origin)) => Some(format!("{} allows it, but ", entry(origin))),
        Some(Admission::Denied(_)) => Some(format!("{}; ", not_admitted(explanation))),
        Some(_) if explanation.published.is_some() => {
            Some(format!("{}; ", not_admitted(explanation)))
        }
        _ => None,
    }
    .unwrap_or_default();
    let what = match refusal {
        Refusal::Rule { step, is_rejected } => {
            let chain = explanation.steps.get(*step).map(|step| step.chain.to_string());
            let verb = if *is_rejected { "rejects" } else { "drops" };
            let chain = format!("{} {verb} it", chain.as_deref().unwrap_or("a rule"));
            match contradiction {
                Some(Contradiction::Drift) => {
                    format!("{chain}: the kernel differs from the policy, see dwnl plan")
                }
                Some(Contradiction::OtherProgram) => {
                    format!("a chain of another program does not: {chain}")
                }
                Some(Contradiction::DirectRouting) => format!(
                    "{chain}: {destination} is a container's own address, which entries allow only \
                     with direct-routing in [guard]"
                ),
                Some(Contradiction::Banned) => match explanation.by_hand.first() {
                    Some(ban) => format!("it is {}", by_hand(ban)),
                    None => chain,
                },
                _ => chain,
            }
        }
        Refusal::NobodyListens => {
            format!("nothing on the host listens on {}", port(explanation))
        }
        Refusal::Martian => format!(
            "the kernel does not accept {source} from {in_interface}: the route to it goes by another \
             interface (rp_filter), or it is an address of the host"
        ),
        Refusal::Unreachable(address) => {
            format!("the host does not forward it: no route to {address}, or ip_forward is 0")
        }
        _ => "it is refused".to_owned(),
    };
    format!("{admits}{what}")
}

/// `banned by hand until 2026-01-09T08:35:07Z: NOTE`
pub fn by_hand(grant: &Grant) -> String {
    let now = SystemTime::now();
    let end = grant.remaining.and_then(|remaining| now.checked_add(remaining));
    let end = match end {
        Some(end) => format!("until {}", humantime::format_rfc3339_seconds(end)),
        None => "until it is revoked".to_owned(),
    };
    let note = grant.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
    format!("{} by hand {end}{note}", grant.action)
}

/// The entry that comes nearest, and what it does not allow.
pub fn near_miss(nearest: &NearMiss) -> String {
    let unmet: Vec<String> = nearest.unmet.iter().map(unmet).collect();
    format!("no entry allows it; the nearest is {}, but {}", nearest.entry, join_and(&unmet))
}

fn unmet(condition: &Unmet) -> String {
    match condition {
        Unmet::Source(groups) => {
            let names: Vec<String> =
                groups.iter().flatten().map(|name| Name::as_ref(name).to_owned()).collect();
            let own = groups.iter().any(Option::is_none).then(|| "those listed there".to_owned());
            let all: Vec<String> = names.into_iter().chain(own).collect();
            format!("its sources are {}", join_and(&all))
        }
        Unmet::Excepted(Some(group)) => format!("it excepts {}", Name::as_ref(group)),
        Unmet::Excepted(None) => "it excepts this source".to_owned(),
        Unmet::Interface(interface) => format!("its interface is {interface}"),
        Unmet::Destination(addresses) => {
            let addresses: Vec<String> = addresses.iter().map(AddressSpec::to_string).collect();
            format!("its destinations are {}", join_and(&addresses))
        }
        Unmet::Port(ports) if ports.is_empty() => {
            "no port is known that its containers publish".to_owned()
        }
        Unmet::Port(ports) => {
            let ports: Vec<String> = ports.iter().map(Ports::to_string).collect();
            format!("its ports are {}", join_and(&ports))
        }
        Unmet::Schedule(schedule, state) => format!("it {}", note(schedule, *state)),
        _ => "it has another condition".to_owned(),
    }
}

/// How the port is published.
pub fn publication(explanation: &Explanation) -> String {
    let Explanation { published, container_port, other_destinations, .. } = explanation;
    let mut text = match (published, explanation.container(), container_port) {
        (None, ..) => format!("Docker does not publish {}", port(explanation)),
        (Some(published), Some(to), _) => format!("Docker publishes {published} for {to}"),
        (Some(published), None, Some(port)) => {
            format!("Docker publishes {published} for a container's port {port}")
        }
        (Some(published), ..) => format!("Docker publishes {published}"),
    };
    if !other_destinations.is_empty() {
        let others: Vec<String> = other_destinations.iter().map(ToString::to_string).collect();
        text += &format!("; also published at {}", join_and(&others));
    }
    text
}

/// What is not understood, and what it would mean.
fn unknown(doubt: &Doubt) -> String {
    let Doubt { chain, reason, alternatives, .. } = doubt;
    let Some(chain) = chain else { return reason.clone() };
    let either = alternatives.as_ref().map(|(matches, otherwise)| {
        let [matches, otherwise] = [matches, otherwise].map(|it| ending(&it.outcome));
        format!(": if it matches, the packet {matches}, else it {otherwise}")
    });
    format!("{chain} has a rule that is not understood{}", either.unwrap_or_default())
}

/// Where a packet ends, after `the packet`.
fn ending(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Reaches { address, port, .. } => {
            format!("reaches {}", SocketAddr::new(*address, *port))
        }
        Outcome::Dropped(_) => "is dropped".to_owned(),
        Outcome::Rejected(_) => "is rejected".to_owned(),
        Outcome::Unroutable { address } => format!("has no route to {address}"),
        Outcome::Unknown(_) => "depends on more rules".to_owned(),
    }
}

/// What a step does with the packet.
pub fn effect(effect: &Effect) -> String {
    let to = |mark: &Option<u32>| mark.map(|mark| format!(" to {mark:#x}")).unwrap_or_default();
    match effect {
        Effect::Accept => "accept".to_owned(),
        Effect::Drop => "drop".to_owned(),
        Effect::Reject => "reject".to_owned(),
        Effect::Return => "return".to_owned(),
        Effect::Dnat { address, port } => {
            format!("translate to {}", SocketAddr::new(*address, *port))
        }
        Effect::Snat => "translate the source".to_owned(),
        Effect::Mark(mark) => format!("set the mark{}", to(mark)),
        Effect::ConnectionMark(mark) => format!("set the connection mark{}", to(mark)),
        Effect::Notrack => "exclude from connection tracking".to_owned(),
        Effect::Unknown => "not known".to_owned(),
    }
}

/// A flow, and what becomes of it.
pub fn flow(flow: &OpenFlow) -> String {
    let OpenFlow { source_port, server, is_answered, is_translated, expires_in, fate, .. } = flow;
    let state = if *is_answered { "answered" } else { "without an answer" };
    let way = if *is_translated { format!(" from {server}") } else { String::new() };
    let expires = humantime::format_duration(Duration::from_secs((*expires_in).into()));
    let fate = match fate {
        FlowFate::GoesOn => "it goes on".to_owned(),
        FlowFate::Kept => "it goes on, because the policy keeps established flows".to_owned(),
        FlowFate::Terminated => "the next apply ends it".to_owned(),
        FlowFate::Stale => format!(
            "it stays refused until the next apply, or until its sender pauses for {expires}"
        ),
        FlowFate::Refused => "it is refused".to_owned(),
        _ => String::new(),
    };
    format!("from port {source_port}, {state}{way}: {fate}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_has_a_fate() {
        let open = |fate| OpenFlow {
            source_port: 40_000,
            destination: [192, 0, 2, 1].into(),
            server: ([172, 17, 0, 2], 80).into(),
            is_answered: fate != FlowFate::Stale,
            is_translated: fate != FlowFate::Stale,
            expires_in: 90,
            fate,
        };
        let kept = "from port 40000, answered from 172.17.0.2:80: it goes on, because the policy keeps \
                    established flows";
        assert_eq!(flow(&open(FlowFate::Kept)), kept);
        let stale = "from port 40000, without an answer: it stays refused until the next apply, or \
                     until its sender pauses for 1m 30s";
        assert_eq!(flow(&open(FlowFate::Stale)), stale);
    }

    #[test]
    fn a_near_miss_names_each_condition() {
        let nearest = NearMiss {
            entry: Origin { entry: Some("web".into()), ..Origin::default() },
            unmet: vec![
                Unmet::Source(vec![Some("office".into()), None]),
                Unmet::Interface("eth1".parse().expect("an interface")),
                Unmet::Destination(vec!["192.0.2.3".parse().expect("an address")]),
            ],
        };
        assert_eq!(
            near_miss(&nearest),
            "no entry allows it; the nearest is entry `web`, but its sources are office and those \
             listed there, its interface is eth1 and its destinations are 192.0.2.3"
        );
    }
}
