//! An explanation as JSON (docs/json.md).

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::SystemTime;

use dwnl::explain::{
    Admission, Contradiction, Explanation, FlowFate, NearMiss, OpenFlow, Receiver, Refusal, Unmet,
    Verdict,
};
use dwnl::simulate::{Doubt, Effect, Step};
use serde::Serialize;

use super::{Explain, sentences};
use crate::report::format::OriginReport;
use crate::report::grants::GrantJson;
use crate::report::published::PublishedReport;
use crate::report::status::KernelReport;

/// The object.
#[derive(Debug, Serialize)]
pub struct ExplainJson<'a> {
    verdict: &'static str,
    reason: String,
    source: String,
    destination: String,
    other_destinations: Vec<String>,
    port: String,
    in_interface: &'a str,
    receiver: Option<ReceiverJson<'a>>,
    refusal: Option<&'static str>,
    refusing_step: Option<usize>,
    policy: PolicyJson<'a>,
    contradiction: Option<&'static str>,
    by_hand: Vec<GrantJson>,
    published: Option<PublishedReport>,
    container: Option<String>,
    container_port: Option<u16>,
    kernel: Option<KernelReport>,
    steps: Vec<StepJson<'a>>,
    doubt: Option<DoubtJson<'a>>,
    flows: Option<Vec<FlowJson>>,
}

#[derive(Debug, Serialize)]
struct ReceiverJson<'a> {
    kind: &'static str,
    address: Option<String>,
    port: Option<u16>,
    out_interface: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct PolicyJson<'a> {
    path: &'a str,
    error_count: usize,
    is_admitted: Option<bool>,
    limit: Option<String>,
    connections: Option<NonZeroU32>,
    origin: Option<OriginReport<'a>>,
    denied_by: Option<OriginReport<'a>>,
    /// Of the entry that admits or denies it.
    schedule: Option<String>,
    nearest: Option<NearMissJson<'a>>,
}

#[derive(Debug, Serialize)]
struct NearMissJson<'a> {
    entry: OriginReport<'a>,
    unmet: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
struct StepJson<'a> {
    family: String,
    table: &'a str,
    chain: &'a str,
    handle: Option<u64>,
    rule: &'a str,
    effect: &'static str,
    to: Option<String>,
}

#[derive(Debug, Serialize)]
struct DoubtJson<'a> {
    family: Option<String>,
    table: Option<&'a str>,
    chain: Option<&'a str>,
    handle: Option<u64>,
    rule: &'a str,
    reason: &'a str,
}

#[derive(Debug, Serialize)]
struct FlowJson {
    source_port: u16,
    server: String,
    is_answered: bool,
    is_translated: bool,
    expires_in_s: u32,
    fate: &'static str,
}

impl<'a> From<&'a Explain<'_>> for ExplainJson<'a> {
    fn from(report: &'a Explain) -> ExplainJson<'a> {
        let explanation = report.explanation();
        let Explanation { verdict, admission, .. } = explanation;
        let comparison = report.explained.comparison.as_ref().and_then(|it| it.as_ref().ok());
        let flows = report.explained.flows.as_ref().ok();
        ExplainJson {
            verdict: verdict_name(verdict),
            reason: sentences::reason(explanation),
            source: explanation.source.to_string(),
            destination: explanation.destination.to_string(),
            other_destinations: texts(&explanation.other_destinations),
            port: format!("{}/{}", explanation.port, explanation.protocol),
            in_interface: &explanation.in_interface,
            receiver: match verdict {
                Verdict::Allowed(receiver) => Some(receiver.into()),
                _ => None,
            },
            refusal: match verdict {
                Verdict::Refused(refusal) => Some(refusal_name(refusal)),
                _ => None,
            },
            refusing_step: match verdict {
                Verdict::Refused(Refusal::Rule { step, .. }) => Some(*step),
                _ => None,
            },
            policy: PolicyJson {
                path: &report.policy.path,
                error_count: report.policy.error_count,
                is_admitted: admission.as_ref().map(Admission::is_admitted),
                limit: explanation.limits.limit.map(|limit| limit.to_string()),
                connections: explanation.limits.connections,
                origin: match admission {
                    Some(Admission::Admitted(origin)) => Some(origin.into()),
                    _ => None,
                },
                denied_by: match admission {
                    Some(Admission::Denied(origin)) => Some(origin.into()),
                    _ => None,
                },
                schedule: explanation.schedule.as_ref().map(|(schedule, _)| schedule.to_string()),
                nearest: match admission {
                    Some(Admission::NotAdmitted { nearest }) => nearest.as_ref().map(Into::into),
                    _ => None,
                },
            },
            contradiction: explanation.contradiction.as_ref().map(contradiction_name),
            by_hand: explanation
                .by_hand
                .iter()
                .map(|it| GrantJson::new(it, SystemTime::now()))
                .collect(),
            published: explanation.published.as_ref().map(PublishedReport::from),
            container: explanation.container().map(|it| it.to_string()),
            container_port: explanation.container_port,
            kernel: comparison.map(KernelReport::from),
            steps: explanation.steps.iter().map(StepJson::from).collect(),
            doubt: match verdict {
                Verdict::Unknown(doubt) => Some((&**doubt).into()),
                _ => None,
            },
            flows: flows.map(|flows| flows.iter().map(FlowJson::from).collect()),
        }
    }
}

fn texts<T: ToString>(values: &[T]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

fn verdict_name(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Allowed(_) => "allowed",
        Verdict::Refused(_) => "refused",
        _ => "unknown",
    }
}

fn refusal_name(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Rule { is_rejected: true, .. } => "rejected",
        Refusal::Rule { .. } => "dropped",
        Refusal::NobodyListens => "nobody_listens",
        Refusal::Martian => "martian",
        Refusal::Unreachable(_) => "unreachable",
        _ => "other",
    }
}

fn contradiction_name(contradiction: &Contradiction) -> &'static str {
    match contradiction {
        Contradiction::NotInstalled => "not_installed",
        Contradiction::Drift => "drift",
        Contradiction::FromContainer => "from_container",
        Contradiction::NotPublished => "not_published",
        Contradiction::GuardOff => "guard_off",
        Contradiction::OtherProgram => "other_program",
        Contradiction::DirectRouting => "direct_routing",
        Contradiction::Granted => "granted",
        Contradiction::Banned => "banned",
        _ => "unexplained",
    }
}

impl<'a> From<&'a Receiver> for ReceiverJson<'a> {
    fn from(receiver: &'a Receiver) -> ReceiverJson<'a> {
        let of_kind = |kind| ReceiverJson { kind, address: None, port: None, out_interface: None };
        match receiver {
            Receiver::Forwarded { to, out_interface } => ReceiverJson {
                kind: "forwarded",
                address: Some(to.ip().to_string()),
                port: Some(to.port()),
                out_interface: Some(out_interface),
            },
            Receiver::Docker => of_kind("docker"),
            Receiver::Process => of_kind("process"),
            _ => of_kind("unknown"),
        }
    }
}

impl<'a> From<&'a NearMiss> for NearMissJson<'a> {
    fn from(NearMiss { entry, unmet }: &'a NearMiss) -> NearMissJson<'a> {
        let name = |unmet: &Unmet| match unmet {
            Unmet::Source(_) => "from",
            Unmet::Excepted(_) => "except",
            Unmet::Interface(_) => "in-interface",
            Unmet::Destination(_) => "to",
            Unmet::Port(_) => "ports",
            Unmet::Schedule(..) => "schedule",
            _ => "other",
        };
        NearMissJson { entry: entry.into(), unmet: unmet.iter().map(name).collect() }
    }
}

impl<'a> From<&'a Step> for StepJson<'a> {
    fn from(Step { chain, rule, text, effect }: &'a Step) -> StepJson<'a> {
        StepJson {
            family: chain.table.family.to_string(),
            table: &chain.table.table,
            chain: &chain.chain,
            handle: *rule,
            rule: text,
            effect: effect_name(effect),
            to: match effect {
                Effect::Dnat { address, port } => {
                    Some(SocketAddr::new(*address, *port).to_string())
                }
                _ => None,
            },
        }
    }
}

impl<'a> From<&'a Doubt> for DoubtJson<'a> {
    fn from(Doubt { chain, rule, text, reason, .. }: &'a Doubt) -> DoubtJson<'a> {
        let path = chain.as_ref();
        DoubtJson {
            family: path.map(|path| path.table.family.to_string()),
            table: path.map(|path| &*path.table.table),
            chain: path.map(|path| &*path.chain),
            handle: *rule,
            rule: text,
            reason,
        }
    }
}

fn effect_name(effect: &Effect) -> &'static str {
    match effect {
        Effect::Accept => "accept",
        Effect::Drop => "drop",
        Effect::Reject => "reject",
        Effect::Dnat { .. } => "dnat",
        Effect::Snat => "snat",
        Effect::Mark(_) => "mark",
        Effect::ConnectionMark(_) => "connection_mark",
        Effect::Notrack => "notrack",
        Effect::Return => "return",
        Effect::Unknown => "unknown",
    }
}

impl From<&OpenFlow> for FlowJson {
    fn from(flow: &OpenFlow) -> FlowJson {
        FlowJson {
            source_port: flow.source_port,
            server: flow.server.to_string(),
            is_answered: flow.is_answered,
            is_translated: flow.is_translated,
            expires_in_s: flow.expires_in,
            fate: match flow.fate {
                FlowFate::GoesOn => "goes_on",
                FlowFate::Kept => "kept",
                FlowFate::Terminated => "terminated",
                FlowFate::Stale => "stale",
                FlowFate::Refused => "refused",
                _ => "other",
            },
        }
    }
}
