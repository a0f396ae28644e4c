//! What Docker's rules reveal of its bridges, networks and ports.
//!
//! Any program may have added rules to Docker's chains. Facts that only restrict are learned from any
//! rule. Facts that let packets through (a bridge's containers are inside, a network is routed) are learned
//! only from rules that one version of Docker always writes together, each in its exact form, and only
//! about interfaces that are bridges.

use std::collections::{BTreeMap, BTreeSet};

use super::form::{Form, recognize};
use super::{
    DOCKER, INGRESS, NAMED_BRIDGES, NAT, NATIVE, NATIVE_IN, NATIVE_PORTS, POSTROUTING,
    is_generated_bridge_name, native_bridge,
};
use crate::model::{
    Action, ChainPath, Docker, Family, Interface, IpVersion, Link, Name, PublishedPort, RuleFacts,
};

/// The kinds (`IFLA_INFO_KIND`) of a bridge and of a container's link to it.
const BRIDGE: &str = "bridge";
const VETH: &str = "veth";

/// What has been read of Docker's rules so far.
#[derive(Debug, Default)]
pub(crate) struct Discovery {
    docker: Docker,
    /// The forms that a bridge appears in, by the IP version of the rules.
    forms: BTreeMap<(IpVersion, Name), BTreeSet<Form>>,
    /// Bridges whose containers' addresses of an IP version are translated.
    translated: BTreeSet<(IpVersion, Name)>,
    /// Containers' addresses and ports that are accepted, by their bridges.
    ports: BTreeSet<(Name, PublishedPort)>,
    /// The position of the next rule in its chain, and the form of the rule before it.
    position: usize,
    previous: Option<(Name, Form)>,
}

impl Discovery {
    /// Learns what the existence of a chain reveals. Its rules follow, in order.
    pub(crate) fn begin_chain(&mut self, path: &ChainPath) {
        (self.position, self.previous) = (0, None);
        let Some(version) = path.table.family.version() else { return };
        let chain = path.chain.as_ref();
        match path.table.table.as_ref() {
            NAT if chain == INGRESS => {
                self.docker.ingress.insert(version);
            }
            NATIVE => {
                let form =
                    if chain.starts_with(NATIVE_IN) { Form::NativeIn } else { Form::NativeOut };
                self.note(version, native_bridge(chain).map(|bridge| (bridge, form)));
            }
            _ => {}
        }
    }

    /// Learns what the next rule of the chain reveals.
    pub(crate) fn read_rule(&mut self, path: &ChainPath, rule: &RuleFacts) {
        let Some(version) = path.table.family.version() else { return };
        match (path.table.table.as_ref(), path.chain.as_ref()) {
            (NAT, POSTROUTING) => self.read_masquerade(version, rule),
            (NAT, DOCKER | INGRESS) | (NATIVE, NATIVE_PORTS) => {
                self.read_translation(path, version, rule);
            }
            (NATIVE, _) => self.read_native(path, version, rule),
            _ => {}
        }
        let found = recognize(path, rule);
        self.read_form(version, rule, found.clone());
        self.previous = found;
        self.position += 1;
    }

    fn read_form(&mut self, version: IpVersion, rule: &RuleFacts, found: Option<(Name, Form)>) {
        if let Some((bridge, Form::Default)) = &found
            && self.previous == Some((bridge.clone(), Form::Icmp))
        {
            self.note(version, Some((bridge.clone(), Form::IcmpBeforeDefault)));
        }
        if let Some((bridge, Form::Port)) = &found {
            self.accept_port(version, bridge, rule);
        }
        self.note(version, found);
    }

    fn note(&mut self, version: IpVersion, found: Option<(Name, Form)>) {
        if let Some((bridge, form)) = found {
            self.forms.entry((version, bridge)).or_default().insert(form);
        }
    }

    /// `-d ADDRESS … -p tcp -m tcp --dport PORT -j ACCEPT`
    fn accept_port(&mut self, version: IpVersion, bridge: &Name, rule: &RuleFacts) {
        if let (Some(destination), Some(ports)) = (rule.destination, rule.ports) {
            let (address, family) = (Some(destination.network), version.into());
            self.ports.insert((bridge.clone(), PublishedPort { address, family, ports }));
        }
    }

    /// `-s NETWORK ! -o BR -j MASQUERADE`, or `-j SNAT`: the network is not routed, whatever else the
    /// rule says.
    fn read_masquerade(&mut self, version: IpVersion, rule: &RuleFacts) {
        let name = rule.out_interface.as_ref().filter(|out| out.is_negated()).and_then(exact);
        self.translated.extend(name.map(|name| (version, name)));
    }

    /// A rule in a chain of published ports.
    fn read_translation(&mut self, path: &ChainPath, version: IpVersion, rule: &RuleFacts) {
        let is_native = path.table.table.as_ref() == NATIVE;
        self.docker.has_rules = true;
        let leads_on = is_native && matches!(rule.action, Some(Action::Jump(_)));
        if leads_on || rule.unreadable.is_some() {
            let rule = rule.unreadable.as_deref().unwrap_or("[jump]");
            self.docker.unreadable.insert(format!("{path}: {rule}"));
        }
        let (Some(Action::Translate), Some(ports)) = (&rule.action, rule.ports) else { return };
        let address = rule.destination.filter(|it| !it.negated).map(|it| it.network);
        // docker-proxy listens on IPv6 as well, unless one address was named.
        let is_for_both = version == IpVersion::V4 && address.is_none();
        let listening = if is_for_both { Family::Inet } else { version.into() };
        let published = PublishedPort { address, family: listening, ports };
        if !published.is_loopback() {
            let name = rule.in_interface.as_ref().and_then(exact);
            self.translated.extend(name.map(|name| (version, name)));
        }
        if is_native {
            self.docker.native.insert(published.clone());
        }
        if let Some(port) = rule.container_port {
            self.docker.container_ports.insert(published.clone(), port);
        }
        self.docker.published.insert(published);
    }

    /// A rule in a chain that filters what goes to a bridge or comes from it.
    fn read_native(&mut self, path: &ChainPath, version: IpVersion, rule: &RuleFacts) {
        self.docker.has_rules = true;
        let Some(bridge) = path.chain.strip_prefix(NATIVE_IN).map(Name::from) else { return };
        let accepts = RuleFacts { action: Some(Action::Accept), ..RuleFacts::default() };
        let established = RuleFacts { is_ongoing: true, ..accepts.clone() };
        let icmp = match version {
            IpVersion::V4 => 1,
            IpVersion::V6 => 58,
        };
        let icmp = RuleFacts { protocol: Some(icmp), ..accepts };
        let form = match self.position {
            0 if *rule == established => Some(Form::NativeEstablished),
            1 if *rule == icmp => Some(Form::NativeRouted),
            _ => None,
        };
        if rule.action == Some(Action::Accept) && !rule.has_unknown {
            self.accept_port(version, &bridge, rule);
        }
        self.note(version, form.map(|form| (bridge, form)));
    }

    /// Adds what the rules of other chains reveal.
    pub(crate) fn merge(&mut self, other: Discovery) {
        let Discovery { mut docker, forms, mut translated, mut ports, .. } = other;
        self.docker.has_rules |= docker.has_rules;
        self.docker.published.append(&mut docker.published);
        self.docker.native.append(&mut docker.native);
        self.docker.container_ports.append(&mut docker.container_ports);
        self.docker.ingress.append(&mut docker.ingress);
        self.docker.unreadable.append(&mut docker.unreadable);
        for (bridge, mut forms) in forms {
            self.forms.entry(bridge).or_default().append(&mut forms);
        }
        self.translated.append(&mut translated);
        self.ports.append(&mut ports);
    }

    /// Whether [`Discovery::conclude`] needs the host's links.
    pub(crate) fn needs_links(&self) -> bool {
        !self.forms.is_empty()
    }

    /// What is known of Docker on a host with these links.
    pub(crate) fn conclude(mut self, links: &BTreeMap<Name, Link>) -> Docker {
        let forms = std::mem::take(&mut self.forms);
        let is_bridge =
            |name: &Name| links.get(name).is_some_and(|link| link.kind.as_deref() == Some(BRIDGE));
        let evidence: Vec<((IpVersion, Name), Evidence)> = forms
            .into_iter()
            .filter(|((_, name), _)| is_bridge(name))
            .map(|(key, forms)| (key, Evidence(forms)))
            .collect();
        for ((_, name), evidence) in &evidence {
            self.learn_bridge(name, evidence, &links[name]);
        }
        for (key, evidence) in &evidence {
            let is_certain = self.docker.inside.contains(&key.1)
                || self.docker.shared_bridges.contains_key(&key.1);
            if is_certain && evidence.is_routed(self.translated.contains(key)) {
                self.docker.routed.insert(key.clone());
            }
        }
        let docker = &mut self.docker;
        let routed_ports = self.ports.into_iter().filter_map(|(bridge, port)| {
            let version = port.family.version()?;
            docker.routed.contains(&(version, bridge)).then_some(port)
        });
        docker.routed_ports = routed_ports.collect();
        self.docker
    }

    fn learn_bridge(&mut self, name: &Name, evidence: &Evidence, link: &Link) {
        let Docker { bridges, inside, shared_bridges, .. } = &mut self.docker;
        if !evidence.is_sufficient() {
            return;
        }
        bridges.insert(name.clone());
        let ports = link.ports.iter().filter(|port| !is_container_port(port));
        let ports: Vec<Name> = ports.map(|(name, _)| name.clone()).collect();
        let has_docker_name =
            NAMED_BRIDGES.contains(&name.as_ref()) || is_generated_bridge_name(name);
        if !ports.is_empty() {
            shared_bridges.insert(name.clone(), ports);
        } else if has_docker_name || evidence.is_complete() {
            inside.insert(name.clone());
        }
    }
}

fn exact(interface: &Interface) -> Option<Name> {
    (!interface.is_wildcard()).then(|| interface.name().clone())
}

/// Whether Docker made the port of a bridge: `veth` and seven hexadecimal digits.
fn is_container_port((name, kind): &(Name, Option<Name>)) -> bool {
    let is_digit = |c: char| matches!(c, '0'..='9' | 'a'..='f');
    kind.as_deref() == Some(VETH)
        && name.strip_prefix(VETH).is_some_and(|id| id.len() == 7 && id.chars().all(is_digit))
}

/// The forms that a bridge appears in, of one IP version.
struct Evidence(BTreeSet<Form>);

impl Evidence {
    fn has(&self, forms: &[Form]) -> bool {
        forms.iter().all(|form| self.0.contains(form))
    }

    fn has_any(&self, forms: &[Form]) -> bool {
        forms.iter().any(|form| self.0.contains(form))
    }

    fn is_isolated(&self) -> bool {
        self.has(&[Form::IsolationFrom, Form::IsolationTo])
    }

    fn is_internal(&self) -> bool {
        self.has(&[Form::InternalFrom, Form::InternalTo, Form::Within])
    }

    fn is_native(&self) -> bool {
        self.has(&[Form::NativeIn, Form::NativeOut, Form::NativeEstablished])
    }

    /// Whether the evidence suffices to filter packets to the bridge: two kinds of rules that Docker
    /// writes for its bridges. The two isolation rules count as one kind, because an operator may use
    /// them to isolate a bridge that is not Docker's.
    fn is_sufficient(&self) -> bool {
        let kinds = [
            Form::Return,
            Form::Translation,
            Form::Port,
            Form::Default,
            Form::Link,
            Form::Established,
            Form::Outgoing,
        ];
        let found = kinds.iter().filter(|form| self.0.contains(form)).count();
        found + usize::from(self.is_isolated()) >= 2
            || self.is_internal()
            || self.0.contains(&Form::NativeIn)
    }

    /// Whether the bridge has all the rules that one version of Docker always writes together.
    fn is_complete(&self) -> bool {
        let others = [Form::Return, Form::Default, Form::Link, Form::Established, Form::Outgoing];
        (self.is_isolated() && self.has_any(&others))
            || self.has(&[Form::Link, Form::Established, Form::Outgoing, Form::Default])
            || self.is_internal()
            || self.is_native()
    }

    /// Whether clients are meant to reach its containers by their own addresses. For such a network
    /// Docker translates nothing, from 28 on it appends the ICMP rule directly before the rule that
    /// drops the rest, and it accepts the network's packets in the isolation chains.
    fn is_routed(&self, is_translated: bool) -> bool {
        let is_placed = match (self.has(&[Form::Default]), self.is_isolated()) {
            (false, _) => true,
            (true, false) => self.has(&[Form::IcmpBeforeDefault]),
            (true, true) => self.has(&[Form::IcmpBeforeDefault, Form::RoutedFrom, Form::RoutedTo]),
        };
        self.has(&[Form::NativeRouted]) || (self.has(&[Form::Icmp]) && !is_translated && is_placed)
    }
}
