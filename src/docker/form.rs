//! The exact forms in which Docker writes its rules. A rule with any other condition, or in another
//! chain, has none of them.

use super::{BRIDGE, CT, DOCKER_FORWARD, FILTER, FORWARD, INTERNAL, ISOLATION_1, ISOLATION_2};
use super::{DOCKER, NAT};
use crate::model::{Action, AddressMatch, ChainPath, Interface, IpVersion, Name, RuleFacts};

/// A form of a rule for a bridge, here called BR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Form {
    /// nat `DOCKER -i BR -j RETURN`, up to Docker 28 with docker-proxy.
    Return,
    /// nat `DOCKER ! -i BR -p tcp -m tcp --dport PORT -j DNAT …`, with docker-proxy.
    Translation,
    /// filter `DOCKER -d ADDRESS ! -i BR -o BR -p tcp -m tcp --dport PORT -j ACCEPT`.
    Port,
    /// filter `DOCKER ! -i BR -o BR -j DROP`, or `-j ACCEPT`, from Docker 28 on.
    Default,
    /// `DOCKER-ISOLATION-STAGE-1 -i BR ! -o BR -j DOCKER-ISOLATION-STAGE-2`, up to Docker 28.
    IsolationFrom,
    /// `DOCKER-ISOLATION-STAGE-2 -o BR -j DROP`, up to Docker 28.
    IsolationTo,
    /// `DOCKER-BRIDGE -o BR -j DOCKER`; before Docker 28 in `FORWARD`.
    Link,
    /// `DOCKER-CT -o BR -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`, from Docker 28 on.
    Established,
    /// `DOCKER-FORWARD -i BR -j ACCEPT`, or `-i BR ! -o BR -j ACCEPT`, from Docker 28 on.
    Outgoing,
    /// `DOCKER-FORWARD -i BR -o BR -j ACCEPT`, or `-j DROP`; before Docker 28 in `FORWARD`.
    Within,
    /// `DOCKER-ISOLATION-STAGE-1 ! -s NETWORK -o BR -j DROP`, of an internal network; from Docker 29
    /// on in `DOCKER-INTERNAL`, and for IPv6 with `! -i BR`.
    InternalTo,
    /// The same with `! -d NETWORK -i BR`, and for IPv6 `! -o BR`.
    InternalFrom,
    /// filter `DOCKER -o BR -p icmp -j ACCEPT`, of a routed network.
    Icmp,
    /// The same, and right behind it [`Form::Default`], as Docker appends them together.
    IcmpBeforeDefault,
    /// `DOCKER-ISOLATION-STAGE-1 -o BR -j RETURN`, of a routed network in Docker 28.
    RoutedTo,
    /// `DOCKER-ISOLATION-STAGE-1 -i BR -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`, the same.
    RoutedFrom,
    /// The chain `filter-forward-in__BR` of the nftables backend.
    NativeIn,
    /// The chain `filter-forward-out__BR`.
    NativeOut,
    /// `ct state established,related counter accept`, which both begin with.
    NativeEstablished,
    /// `ip protocol icmp counter accept`, right behind that, of a routed network.
    NativeRouted,
}

/// The bridge that a rule is for, and its form. In the table of the nftables backend the chain's name identifies both.
pub(super) fn recognize(path: &ChainPath, rule: &RuleFacts) -> Option<(Name, Form)> {
    let (table, chain) = (path.table.table.as_ref(), path.chain.as_ref());
    if rule.has_unknown || (table != NAT && table != FILTER) {
        return None;
    }
    let action = rule.action.as_ref()?;
    match interfaces(rule)? {
        Interfaces::From(bridge) => {
            let form = match (table, chain, action, conditions(rule)) {
                (NAT, DOCKER, Action::Return, Conditions::None) => Form::Return,
                (FILTER, DOCKER_FORWARD, Action::Accept, Conditions::None) => Form::Outgoing,
                (FILTER, ISOLATION_1, Action::Accept, Conditions::Ongoing) => Form::RoutedFrom,
                (FILTER, ISOLATION_1 | INTERNAL, Action::Drop, Conditions::NotTo) => {
                    Form::InternalFrom
                }
                _ => return None,
            };
            Some((bridge, form))
        }
        Interfaces::NotFrom(bridge) => {
            let is_translation = table == NAT && chain == DOCKER && *action == Action::Translate;
            (is_translation && is_published(rule)).then_some((bridge, Form::Translation))
        }
        Interfaces::To(bridge) => Some((bridge, to(path, rule, action)?)),
        Interfaces::OnlyFrom(bridge) => {
            let form = match (table, chain, action, conditions(rule)) {
                (FILTER, ISOLATION_1, Action::Jump(target), Conditions::None)
                    if target.as_ref() == ISOLATION_2 =>
                {
                    Form::IsolationFrom
                }
                (FILTER, DOCKER_FORWARD, Action::Accept, Conditions::None) => Form::Outgoing,
                (FILTER, ISOLATION_1 | INTERNAL, Action::Drop, Conditions::NotTo) => {
                    Form::InternalFrom
                }
                _ => return None,
            };
            Some((bridge, form))
        }
        Interfaces::OnlyTo(bridge) => {
            let form = match (table, chain, action, conditions(rule)) {
                (FILTER, DOCKER, Action::Drop | Action::Accept, Conditions::None) => Form::Default,
                (FILTER, DOCKER, Action::Accept, Conditions::Port) => Form::Port,
                (FILTER, ISOLATION_1 | INTERNAL, Action::Drop, Conditions::NotFrom) => {
                    Form::InternalTo
                }
                _ => return None,
            };
            Some((bridge, form))
        }
        Interfaces::Within(bridge) => {
            let is_within = table == FILTER
                && [DOCKER_FORWARD, FORWARD].contains(&chain)
                && matches!(action, Action::Accept | Action::Drop)
                && conditions(rule) == Conditions::None;
            is_within.then_some((bridge, Form::Within))
        }
    }
}

/// The form of a rule with `-o BR` alone.
fn to(path: &ChainPath, rule: &RuleFacts, action: &Action) -> Option<Form> {
    if path.table.table.as_ref() != FILTER {
        return None;
    }
    Some(match (path.chain.as_ref(), action, conditions(rule)) {
        (ISOLATION_2, Action::Drop, Conditions::None) => Form::IsolationTo,
        (BRIDGE | FORWARD, Action::Jump(target), Conditions::None) if target.as_ref() == DOCKER => {
            Form::Link
        }
        (CT, Action::Accept, Conditions::Ongoing) => Form::Established,
        (ISOLATION_1 | INTERNAL, Action::Drop, Conditions::NotFrom) => Form::InternalTo,
        (ISOLATION_1, Action::Return, Conditions::None) => Form::RoutedTo,
        (DOCKER, Action::Accept, Conditions::Icmp(version))
            if path.table.family.version() == Some(version) =>
        {
            Form::Icmp
        }
        _ => return None,
    })
}

/// The interface conditions of a rule.
enum Interfaces {
    /// `-i BR`
    From(Name),
    /// `! -i BR`
    NotFrom(Name),
    /// `-o BR`
    To(Name),
    /// `-i BR ! -o BR`
    OnlyFrom(Name),
    /// `! -i BR -o BR`
    OnlyTo(Name),
    /// `-i BR -o BR`
    Within(Name),
}

fn interfaces(rule: &RuleFacts) -> Option<Interfaces> {
    let parts = |it: &Option<Interface>| match it {
        None => Some(None),
        Some(it) if it.is_wildcard() => None,
        Some(it) => Some(Some((it.name().clone(), !it.is_negated()))),
    };
    Some(match (parts(&rule.in_interface)?, parts(&rule.out_interface)?) {
        (Some((bridge, true)), None) => Interfaces::From(bridge),
        (Some((bridge, false)), None) => Interfaces::NotFrom(bridge),
        (None, Some((bridge, true))) => Interfaces::To(bridge),
        (Some((from, true)), Some((to, false))) if from == to => Interfaces::OnlyFrom(from),
        (Some((from, false)), Some((to, true))) if from == to => Interfaces::OnlyTo(to),
        (Some((from, true)), Some((to, true))) if from == to => Interfaces::Within(to),
        _ => return None,
    })
}

/// The other conditions of a rule.
#[derive(PartialEq, Eq)]
enum Conditions {
    None,
    /// `-m conntrack --ctstate RELATED,ESTABLISHED`
    Ongoing,
    /// `! -s NETWORK`
    NotFrom,
    /// `! -d NETWORK`
    NotTo,
    /// `-d ADDRESS -p tcp -m tcp --dport PORT`
    Port,
    /// `-p icmp`, `-p ipv6-icmp`
    Icmp(IpVersion),
    Others,
}

fn conditions(rule: &RuleFacts) -> Conditions {
    let RuleFacts { source, destination, protocol, ports, is_ongoing, .. } = rule;
    match (source, destination, protocol, ports, is_ongoing) {
        (None, None, None, None, false) => Conditions::None,
        (None, None, None, None, true) => Conditions::Ongoing,
        (Some(AddressMatch { negated: true, .. }), None, None, None, false) => Conditions::NotFrom,
        (None, Some(AddressMatch { negated: true, .. }), None, None, false) => Conditions::NotTo,
        (None, Some(AddressMatch { negated: false, .. }), Some(_), Some(_), false) => {
            Conditions::Port
        }
        (None, None, Some(1), None, false) => Conditions::Icmp(IpVersion::V4),
        (None, None, Some(58), None, false) => Conditions::Icmp(IpVersion::V6),
        _ => Conditions::Others,
    }
}

/// `-p tcp -m tcp --dport PORT`, maybe with `-d ADDRESS`, and for IPv6 with `! -s fe80::/10`.
fn is_published(rule: &RuleFacts) -> bool {
    let is_any = |it: &AddressMatch| it.negated && it.network.to_string() == "fe80::/10";
    rule.ports.is_some()
        && !rule.is_ongoing
        && rule.source.as_ref().is_none_or(is_any)
        && rule.destination.is_none_or(|it| !it.negated)
}
