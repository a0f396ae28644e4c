//! The report of `rules` as JSON: the sets and the rules.

use dwnl::model::{Chain, DesiredRule, PortMap, Set};
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::super::change::MAP_DESCRIPTION;
use super::super::format::{self, OriginReport, RuleText};
use super::super::object::{ChainName, SetName};
use super::super::set_elements::{Definition, Elements};
use super::Rules;

/// A rule.
#[derive(Debug, Serialize)]
struct RuleReport<'a> {
    #[serde(flatten)]
    chain: ChainName<'a>,
    rule: RuleText<'a>,
    origin: Option<OriginReport<'a>>,
}

impl<'a> RuleReport<'a> {
    fn new(chain: &'a Chain, desired: &'a DesiredRule) -> RuleReport<'a> {
        RuleReport {
            chain: chain.path.as_ref().into(),
            rule: RuleText::Rule(&desired.rule),
            origin: desired.origin.as_deref().map(OriginReport::from),
        }
    }
}

/// A set.
#[derive(Debug, Serialize)]
struct SetReport<'a> {
    #[serde(flatten)]
    set: SetName<'a>,
    #[serde(serialize_with = "format::display")]
    definition: Definition,
    /// What the elements are, in words.
    description: &'a str,
    /// `None` if the kernel manages them.
    elements: Option<Elements<'a>>,
}

impl<'a> From<&'a Set> for SetReport<'a> {
    fn from(set: &'a Set) -> SetReport<'a> {
        SetReport {
            set: set.path.as_ref().into(),
            definition: Definition::Set(set.kind),
            description: &set.origin,
            elements: Elements::all(&set.elements, set.kind),
        }
    }
}

impl<'a> From<&'a PortMap> for SetReport<'a> {
    fn from(map: &'a PortMap) -> SetReport<'a> {
        SetReport {
            set: map.path.as_ref().into(),
            definition: Definition::Map,
            description: MAP_DESCRIPTION,
            elements: Some(Elements::Map(&map.elements)),
        }
    }
}

impl Serialize for Rules<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let sets = self.sets().map(SetReport::from);
        let sets: Vec<SetReport> = sets.chain(self.maps().map(SetReport::from)).collect();
        let rules: Vec<RuleReport> = self.chains().flat_map(chain_rules).collect();
        let mut object = serializer.serialize_struct("Rules", 2)?;
        object.serialize_field("sets", &sets)?;
        object.serialize_field("rules", &rules)?;
        object.end()
    }
}

fn chain_rules(chain: &Chain) -> impl Iterator<Item = RuleReport<'_>> {
    chain.rules.iter().map(move |desired| RuleReport::new(chain, desired))
}
