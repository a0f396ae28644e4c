//! Which flows a rule matches, for certain and possibly.

use super::interfaces::{self, Interfaces};
use super::intervals::Intervals;
use super::region::{Dimension, Rectangle};
use super::rule::{Condition, Rule, Subject};
use super::tables::Tables;
use super::values;
use crate::model::{IpVersion, Protocol};

/// The container that flows are translated to, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    pub address: Option<u128>,
    pub port: Option<u128>,
    /// Whether the port stays the one that was called.
    pub keeps_port: bool,
    /// The interface that leads to it.
    pub bridge: Option<String>,
}

/// What is known of the packets that pass a chain.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    pub tables: &'a Tables,
    pub interfaces: &'a Interfaces,
    pub version: IpVersion,
    /// Whether the packets are translated: behind the DNAT rules of Docker.
    pub is_translated: bool,
    /// The container that they are for, if it is known.
    pub container: Option<&'a Container>,
}

/// What a rule matches.
pub struct Matching {
    /// It matches these flows.
    pub certain: Option<Rectangle>,
    /// It matches no others.
    pub possible: Rectangle,
    /// Why the two differ.
    pub doubt: Option<String>,
}

/// Why the container's address or port is not known.
pub const NO_CONTAINER: &str = "it is about the address or port of a container, and no published port \
                                that leads there is in the input";

impl Context<'_> {
    /// All flows of the version.
    pub fn everything(&self) -> Rectangle {
        everything(self.version, self.interfaces)
    }

    /// What a rule matches.
    pub fn matching(&self, rule: &Rule) -> Matching {
        let mut certain = Some(self.everything());
        let mut possible = self.everything();
        let mut doubt = rule.doubt.clone();
        for condition in &rule.conditions {
            let found = self.condition(condition);
            if let Some((dimension, values)) = &found.possible {
                possible = possible.restricted(*dimension, values);
            }
            certain = match (certain, found.certain) {
                (Some(certain), Some((dimension, values))) => {
                    Some(certain.restricted(dimension, &values))
                }
                (certain, None) if found.doubt.is_none() => certain,
                _ => None,
            };
            doubt = doubt.or(found.doubt);
        }
        if rule.doubt.is_some() {
            certain = None;
        }
        Matching { certain: certain.filter(|it| !it.is_empty()), possible, doubt }
    }

    fn condition(&self, condition: &Condition) -> Found {
        match condition {
            Condition::Test { subject, values, negated } => self.test(*subject, values, *negated),
            Condition::Interface { name, is_out: false, negated } => {
                let classes = self.interfaces.matching(name);
                self.exactly(Dimension::Interface, &classes, *negated)
            }
            Condition::Interface { name, is_out: true, negated } => {
                match self.container.and_then(|container| container.bridge.as_deref()) {
                    Some(bridge) => self.constant(interfaces::matches(name, bridge) != *negated),
                    None => Found::unknown("the bridge of the container is not known"),
                }
            }
            Condition::Set { name, is_destination, negated } => {
                self.set(name, *is_destination, *negated)
            }
            Condition::ToLocal { negated } => self.constant(self.is_translated == *negated),
            Condition::State { is_new, is_translated, negated } => {
                let matches = *is_new || (*is_translated && self.is_translated);
                self.constant(matches != *negated)
            }
            Condition::Constant(value) => self.constant(*value),
            Condition::Unknown(text) => Found::unknown(format!("{text} is not understood")),
        }
    }

    fn test(&self, subject: Subject, values: &Intervals, negated: bool) -> Found {
        let is_container = match subject {
            Subject::Destination | Subject::Port => self.is_translated,
            Subject::ReplySource | Subject::ReplyPort => true,
            _ => false,
        };
        if !is_container {
            let dimension = match subject {
                Subject::Source => Dimension::Source,
                Subject::Protocol => Dimension::Protocol,
                Subject::Destination | Subject::OriginalDestination => Dimension::Destination,
                _ => Dimension::Port,
            };
            return self.exactly(dimension, values, negated);
        }
        let is_address = matches!(subject, Subject::Destination | Subject::ReplySource);
        let is_every = match is_address {
            true => values.includes(&values::every_address(self.version)),
            false => values.includes(&every_port()),
        };
        let container = match self.container {
            _ if is_every => return self.constant(!negated),
            Some(container) => container,
            None => return Found::unknown(NO_CONTAINER),
        };
        let number = if is_address { container.address } else { container.port };
        match number {
            Some(number) => self.constant(values.contains(number) != negated),
            // The port that was called is kept.
            None if !is_address && container.keeps_port => {
                self.exactly(Dimension::Port, values, negated)
            }
            None => Found::unknown(NO_CONTAINER),
        }
    }

    fn set(&self, name: &str, is_destination: bool, negated: bool) -> Found {
        let Some(set) = self.tables.set(name) else {
            return Found::unknown(format!("the ipset {name} is not in the input"));
        };
        if set.version != self.version {
            return self.constant(negated);
        }
        if is_destination && self.is_translated {
            return Found::unknown(NO_CONTAINER);
        }
        let dimension = if is_destination { Dimension::Destination } else { Dimension::Source };
        let all = self.everything();
        let all = all.get(dimension);
        let (certain, possible) = match negated {
            false => (set.certain.clone(), set.possible.clone()),
            true => (all.minus(&set.possible), all.minus(&set.certain)),
        };
        let is_exact = certain == possible;
        let doubt = || format!("some elements of the ipset {name} end by themselves");
        Found {
            certain: Some((dimension, certain)),
            possible: Some((dimension, possible)),
            doubt: (!is_exact).then(doubt),
        }
    }

    fn exactly(&self, dimension: Dimension, values: &Intervals, negated: bool) -> Found {
        let values = match negated {
            true => self.everything().get(dimension).minus(values),
            false => values.clone(),
        };
        Found {
            certain: Some((dimension, values.clone())),
            possible: Some((dimension, values)),
            doubt: None,
        }
    }

    fn constant(&self, value: bool) -> Found {
        match value {
            true => Found { certain: None, possible: None, doubt: None },
            false => self.exactly(Dimension::Protocol, &Intervals::none(), false),
        }
    }
}

/// The values of one property for which a condition holds; `None`: all.
struct Found {
    certain: Option<(Dimension, Intervals)>,
    possible: Option<(Dimension, Intervals)>,
    /// Why `certain` is not known, or is less than `possible`.
    doubt: Option<String>,
}

impl Found {
    fn unknown(doubt: impl Into<String>) -> Found {
        Found { certain: None, possible: None, doubt: Some(doubt.into()) }
    }
}

/// All flows of a version.
pub fn everything(version: IpVersion, interfaces: &Interfaces) -> Rectangle {
    Rectangle::new(|dimension| match dimension {
        Dimension::Source | Dimension::Destination => values::every_address(version),
        Dimension::Port => Intervals::range(1, u16::MAX.into()),
        Dimension::Protocol => Intervals::range(0, Protocol::ALL.len() as u128 - 1),
        Dimension::Interface => interfaces.all(),
    })
}

fn every_port() -> Intervals {
    Intervals::range(1, u16::MAX.into())
}
