//! The ports that Docker's rules in the input publish, and the containers that they lead to.

use super::interfaces::is_inside;
use super::matching::{Container, Context};
use super::region::{Dimension, Rectangle, Region, TooComplex};
use super::rule::{Condition, Rule, Subject, Target};
use super::values;

/// Published ports, and their container.
#[derive(Clone, Debug)]
pub struct Published {
    pub flows: Region,
    pub container: Container,
}

/// Docker's chains that translate, in the order in which packets pass them.
const CHAINS: [&str; 2] = ["DOCKER-INGRESS", "DOCKER"];

/// What is published, in the order of the rules.
pub fn published(context: &Context<'_>) -> Result<Vec<Published>, TooComplex> {
    let mut all: Vec<Published> = Vec::new();
    let mut taken = Region::default();
    let chains =
        CHAINS.iter().filter_map(|chain| context.tables.chain(context.version, "nat", chain));
    for rule in chains.flat_map(|chain| &chain.rules) {
        let Target::Translate { to, port, has_ports } = rule.target else { continue };
        let Some(flows) = context.matching(rule).certain.map(Region::new) else { continue };
        let flows = flows.minus(&taken)?;
        taken.add(flows.clone())?;
        let is_to_loopback = |it: &Rectangle| {
            let loopback = values::addresses("127.0.0.0/8", context.version);
            loopback.is_some_and(|loopback| loopback.includes(it.get(Dimension::Destination)))
        };
        if flows.is_empty() || flows.rectangles().iter().all(is_to_loopback) {
            continue;
        }
        let container = Container {
            address: to.map(values::number),
            port: port.map(u128::from),
            keeps_port: !has_ports,
            bridge: bridge(context, rule, to.map(values::number)),
        };
        match all.iter_mut().find(|it| it.container == container) {
            Some(known) => known.flows.add(flows)?,
            None => all.push(Published { flows, container }),
        }
    }
    Ok(all)
}

/// The bridge of a container: `! -i docker0` of the rule that translates, or the network of a rule that
/// masquerades (`-s 172.17.0.0/16 ! -o docker0 -j MASQUERADE`).
fn bridge(context: &Context<'_>, rule: &Rule, address: Option<u128>) -> Option<String> {
    let excepted = |rule: &Rule, is_out: bool| {
        rule.conditions.iter().find_map(|condition| match condition {
            Condition::Interface { name, is_out: out, negated: true } if *out == is_out => {
                Some(name.clone())
            }
            _ => None,
        })
    };
    if let Some(name) = excepted(rule, false).filter(|name| is_inside(name)) {
        return Some(name);
    }
    let chain = context.tables.chain(context.version, "nat", "POSTROUTING")?;
    let has_container = |rule: &&Rule| {
        let is_masquerade = rule.target == Target::Jump("MASQUERADE".to_owned());
        is_masquerade
            && rule.conditions.iter().any(|condition| match condition {
                Condition::Test { subject: Subject::Source, values, negated: false } => {
                    address.is_some_and(|address| values.contains(address))
                }
                _ => false,
            })
    };
    chain.rules.iter().filter(has_container).find_map(|rule| excepted(rule, true))
}
