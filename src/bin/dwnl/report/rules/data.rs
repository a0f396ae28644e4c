//! The report of `rules` for programs: the sets, and then the rules that may look them up.

use dwnl::model::{Chain, DesiredRule, Family, Set, SetKind};
use serde::{Serialize, Serializer};

use super::super::elements::Elements;
use super::super::format::{self, OriginReport, RuleText};
use super::Rules;

/// A rule for programs.
#[derive(Debug, Serialize)]
struct RuleReport<'a> {
    #[serde(serialize_with = "format::family")]
    family: Family,
    table: &'a str,
    chain: &'a str,
    rule: RuleText<'a>,
    origin: Option<OriginReport<'a>>,
}

impl<'a> RuleReport<'a> {
    fn new(chain: &'a Chain, desired: &'a DesiredRule) -> RuleReport<'a> {
        RuleReport {
            family: chain.path.table.family,
            table: &chain.path.table.table,
            chain: &chain.path.chain,
            rule: RuleText::Rule(&desired.rule),
            origin: desired.origin.as_deref().map(OriginReport::from),
        }
    }
}

/// A set for programs.
#[derive(Debug, Serialize)]
struct SetReport<'a> {
    #[serde(serialize_with = "format::family")]
    family: Family,
    table: &'a str,
    set: &'a str,
    #[serde(serialize_with = "format::kind")]
    kind: Option<SetKind>,
    /// What it holds, in words.
    holds: &'a str,
    /// `None` if they are the kernel's to keep.
    #[serde(skip_serializing_if = "Option::is_none")]
    elements: Option<Elements<'a>>,
}

impl<'a> From<&'a Set> for SetReport<'a> {
    fn from(set: &'a Set) -> SetReport<'a> {
        SetReport {
            family: set.path.table.family,
            table: &set.path.table.table,
            set: &set.path.set,
            kind: Some(set.kind),
            holds: &set.origin,
            elements: Elements::all(&set.elements, set.kind),
        }
    }
}

/// A set or a rule, told apart by the keys `set` and `chain`.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Part<'a> {
    Set(SetReport<'a>),
    Rule(RuleReport<'a>),
}

impl Serialize for Rules<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let sets = self.sets().map(|set| Part::Set(set.into()));
        let rules = self.chains().flat_map(|chain| {
            chain.rules.iter().map(move |desired| Part::Rule(RuleReport::new(chain, desired)))
        });
        serializer.collect_seq(sets.chain(rules))
    }
}
