//! What a rule does with the packet: its expressions, one after the other.

use super::bits::{Answer, Bits};
use super::load::{length, load};
use super::lookup::{Found, find};
use super::registers::Registers;
use super::run::{Done, Ended, Run};
use super::xt;
use crate::compile::DWNL;
use crate::model::kernel::{
    CtKey, ElementData, Lookup, RulePart, RuleVerdict, Stateful, Store, Update, XtMatch,
};
use crate::model::{ChainPath, Family, KernelRule};

/// Expressions that load what dwnl does not know.
const UNKNOWN_LOADS: [&str; 8] =
    ["exthdr", "hash", "numgen", "osf", "rt", "tunnel", "xfrm", "inner"];
/// Expressions that may let the packet pass or not, as far as dwnl knows.
const UNKNOWN_CONDITIONS: [&str; 3] = ["objref", "quota", "payload"];
/// Expressions that do nothing to a packet that opens a flow.
const HARMLESS: [&str; 4] = ["dup", "flow_offload", "last", "xt_comment"];

/// A rule that is being evaluated.
pub struct Evaluation<'r> {
    pub path: &'r ChainPath,
    pub rule: &'r KernelRule,
    pub registers: Registers,
    /// The first condition so far that may or may not hold, unless a decision was made since.
    doubt: Option<String>,
}

impl Run<'_> {
    /// What a rule does with the packet.
    pub fn rule(&mut self, path: &ChainPath, rule: &KernelRule) -> Ended<Done> {
        let registers = Registers::new();
        let mut evaluation = Evaluation { path, rule, registers, doubt: None };
        for part in &rule.parts {
            match self.part(part, &mut evaluation)? {
                Flow::On => {}
                Flow::NoMatch => return Ok(Done::Next),
                Flow::Verdict(verdict) => return Ok(Done::Verdict(verdict)),
                Flow::Translated => return Ok(Done::Translated),
            }
        }
        Ok(Done::Next)
    }

    fn part(&mut self, part: &RulePart, at: &mut Evaluation) -> Ended<Flow> {
        Ok(match part {
            RulePart::Load { to, what } => match load(*what, &self.packet, self.host) {
                None => Flow::NoMatch,
                Some(bits) => {
                    at.registers.put(*to, &bits.slice(0, bits.len().max(length(*what))));
                    Flow::On
                }
            },
            RulePart::Immediate { to, value } => {
                at.registers.put(*to, &Bits::known(value));
                Flow::On
            }
            RulePart::Compute { from, to, length, operation } => {
                at.registers.compute(*from, *to, *length, operation);
                Flow::On
            }
            RulePart::Compare { from, comparison, value } => {
                let bits = at.registers.get(*from, value.len());
                at.test(bits.compare(*comparison, value), "a value that is not known")
            }
            RulePart::Range { from, negated, first, last } => {
                let bits = at.registers.get(*from, first.len());
                let answer = bits.is_within(first, last).negate_if(*negated);
                at.test(answer, "a value that is not known")
            }
            RulePart::Match(extension) => {
                let answer = xt::matches(extension, &self.packet, self.host);
                at.test(answer, &reason(extension))
            }
            RulePart::Lookup(lookup) => self.look_up(lookup, at)?,
            RulePart::Stateful(Stateful::Limit { .. } | Stateful::Connlimit { .. }) => {
                match admits_within_limits(at) {
                    true => Flow::On,
                    false => at.test(Answer::Maybe, "limit"),
                }
            }
            RulePart::Stateful(Stateful::Counter | Stateful::Log { .. }) => Flow::On,
            RulePart::Update(update) => self.update(update, at),
            RulePart::Other(name) if HARMLESS.contains(&name.as_ref()) => Flow::On,
            RulePart::Other(name) if UNKNOWN_LOADS.contains(&name.as_ref()) => {
                at.registers = Registers::new();
                Flow::On
            }
            RulePart::Other(name) if UNKNOWN_CONDITIONS.contains(&name.as_ref()) => {
                at.test(Answer::Maybe, name)
            }
            effect => {
                if !self.decide(at) {
                    return Ok(Flow::NoMatch);
                }
                self.effect(effect, at)?
            }
        })
    }

    /// Whether the rule matches so far, where this is not certain: what this run is told.
    fn decide(&mut self, at: &mut Evaluation) -> bool {
        match at.doubt.take() {
            None => true,
            Some(reason) => self.decisions.next(at.path, at.rule, &reason, self.steps.len()),
        }
    }

    fn look_up(&mut self, lookup: &Lookup, at: &mut Evaluation) -> Ended<Flow> {
        let table = self.ruleset.tables.get(&at.path.table);
        let named = table.and_then(|table| table.sets.get(&lookup.set));
        let Some(set) = lookup.content.as_ref().or(named) else {
            return Err(self.unknown_effect(at.path, at.rule, "a set that does not exist"));
        };
        let mut found = find(set, |length| at.registers.get(lookup.from, length));
        let is_updated =
            self.updated.iter().any(|(it, set)| (it, set) == (&at.path.table, &lookup.set));
        if is_updated && !matches!(found, Found::Yes(_)) {
            found = Found::Several;
        }
        let reason = format!("a key that may be in the set `{}`", lookup.set);
        if !lookup.to_verdict && lookup.to.is_none() {
            let answer = match found {
                Found::Yes(_) => Answer::Yes,
                Found::No => Answer::No,
                Found::Maybe(_) | Found::Several => Answer::Maybe,
            };
            return Ok(at.test(answer.negate_if(lookup.negated), &reason));
        }
        let (data, is_certain) = match found {
            Found::No => return Ok(Flow::NoMatch),
            Found::Yes(data) => (Some(data), true),
            Found::Maybe(data) => (Some(data), false),
            Found::Several => (None, false),
        };
        if !is_certain {
            at.test(Answer::Maybe, &reason);
        }
        match (data, lookup.to) {
            (Some(ElementData::Value(value)), Some(to)) => {
                at.registers.put(to, &Bits::known(value))
            }
            (_, Some(_)) => at.registers = Registers::new(),
            (Some(ElementData::Verdict(verdict)), None) => {
                return Ok(match self.decide(at) {
                    true => Flow::Verdict(verdict.clone()),
                    false => Flow::NoMatch,
                });
            }
            (_, None) => return Err(self.unknown_effect(at.path, at.rule, &reason)),
        }
        Ok(Flow::On)
    }

    /// A change of a set, which always succeeds unless it limits something or the set is full.
    fn update(&mut self, update: &Update, at: &mut Evaluation) -> Flow {
        self.updated.push((at.path.table.clone(), update.set.clone()));
        let is_harmless = |part: &RulePart| match part {
            RulePart::Stateful(Stateful::Counter) => true,
            RulePart::Other(name) => &**name == "last",
            _ => admits_within_limits(at),
        };
        if update.negated || !update.expressions.iter().all(is_harmless) {
            return at.test(Answer::Maybe, &format!("the set `{}`", update.set));
        }
        Flow::On
    }
}

/// Whether the rule is one by which dwnl admits flows within the limits of an entry. The packet is taken
/// for one that keeps within them: how much others have used up is known to the kernel alone.
fn admits_within_limits(at: &Evaluation) -> bool {
    let sets_label =
        |part: &RulePart| matches!(part, RulePart::Store { what: Store::Ct(CtKey::LABELS), .. });
    at.path.table.family == Family::Inet
        && &*at.path.table.table == DWNL
        && at.rule.parts.iter().any(sets_label)
}

impl Evaluation<'_> {
    /// Goes on unless the condition does not hold, and notes if that is not certain.
    fn test(&mut self, answer: Answer, reason: &str) -> Flow {
        match answer {
            Answer::No => return Flow::NoMatch,
            Answer::Maybe => drop(self.doubt.get_or_insert_with(|| reason.to_owned())),
            Answer::Yes => {}
        }
        Flow::On
    }
}

/// How an expression leaves the rule.
pub enum Flow {
    /// The next expression.
    On,
    /// The rule does not match.
    NoMatch,
    /// The rule's verdict.
    Verdict(RuleVerdict),
    /// The flow is translated, which ends the chain.
    Translated,
}

/// What dwnl does not know of a match.
fn reason(extension: &XtMatch) -> String {
    match extension {
        XtMatch::Other(name) => format!("-m {name}"),
        XtMatch::Limit { .. } => "-m limit".to_owned(),
        _ => "a value that is not known".to_owned(),
    }
}
