//! The way of new flows through chains, rule by rule: who is let in for certain. Where a rule is not
//! understood, the outcome is the stricter one.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use super::matching::{Context, Matching};
use super::region::{Dimension, Rectangle, Region, TooComplex};
use super::rule::{Line, Rule, Target};
use super::tables::{Chain, Note, Tables};

/// Flows that are let in, and the rule that does so; `None`: the end of a chain.
#[derive(Clone, Debug)]
pub struct Piece<'a> {
    pub flows: Region,
    pub rule: Option<&'a Rule>,
}

/// What the targets of a table mean for a flow to a published port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// `raw` and `mangle`: what is not dropped goes on.
    Pass,
    /// `nat`: who reaches Docker's chain is let in.
    Scheme,
    /// `FORWARD` and what it calls.
    Forward,
}

/// Maximum depth of chains that call each other.
const DEPTH_MAX: usize = 32;

/// Chains of Docker in which a published port is accepted.
const ACCEPTING: [&str; 4] = ["DOCKER", "DOCKER-FORWARD", "DOCKER-BRIDGE", "DOCKER-INGRESS"];
/// Chains of Docker that keep containers apart, or are about established flows.
const INDIFFERENT: [&str; 4] =
    ["DOCKER-CT", "DOCKER-INTERNAL", "DOCKER-ISOLATION-STAGE-1", "DOCKER-ISOLATION-STAGE-2"];

/// A walk through the chains of one table.
pub struct Walk<'a, 'c> {
    tables: &'a Tables,
    context: Context<'c>,
    stage: Stage,
    table: &'a str,
    /// What is let in.
    pub pieces: Vec<Piece<'a>>,
    /// Rules whose effect is not known.
    pub notes: Vec<Note>,
    /// Rules that flows have met.
    pub met: BTreeSet<Arc<Line>>,
    /// What rules refuse, as far as they refuse it for certain.
    pub denials: Vec<Denial<'a>>,
    /// Those of them that `[[deny]]` entries can say.
    denied_first: Region,
    /// Rules whose refusals are left to `[[deny]]` entries, so that the walk passes them by.
    left_out: &'c LeftOut,
    /// Whether it is not known that flows come here at all.
    is_doubtful: bool,
}

/// Rules by their places in memory.
pub type LeftOut = HashSet<*const Rule>;

/// Flows that a rule refuses.
#[derive(Clone, Debug)]
pub struct Denial<'a> {
    pub flows: Region,
    pub rule: &'a Rule,
    /// Whether a `[[deny]]` entry, which comes before all others, can say it: nothing of it is let in
    /// before.
    pub can_come_first: bool,
    /// Whether something of it is let in before.
    pub is_late: bool,
}

/// What becomes of a flow at the end of the outermost chain, or if that returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Admit,
    Deny,
}

/// What a rule does to the flows that it matches.
enum Action<'a> {
    Admit,
    /// Docker lets in what it publishes, under conditions of its own.
    AdmitPublished,
    Deny,
    Return,
    Enter(&'a Chain, bool),
    /// The operator's chain, behind which Docker lets in what it publishes.
    EnterUser(&'a Chain),
    Skip,
    /// What becomes of them is not known.
    Unclear(String),
}

impl<'a, 'c> Walk<'a, 'c> {
    pub fn new(
        tables: &'a Tables,
        context: Context<'c>,
        stage: Stage,
        table: &'a str,
        left_out: &'c LeftOut,
    ) -> Walk<'a, 'c> {
        Walk {
            tables,
            context,
            stage,
            table,
            pieces: Vec::new(),
            notes: Vec::new(),
            met: BTreeSet::new(),
            denials: Vec::new(),
            denied_first: Region::default(),
            left_out,
            is_doubtful: false,
        }
    }

    /// Walks through the outermost chain.
    pub fn outermost(
        &mut self,
        chain: &'a Chain,
        flows: Region,
        ending: Ending,
    ) -> Result<(), TooComplex> {
        let ending = if chain.drops { Ending::Deny } else { ending };
        let rest = self.chain(&chain.rules, flows, Some(ending), 0)?;
        if ending == Ending::Admit && !rest.is_empty() {
            self.pieces.push(Piece { flows: rest, rule: None });
        }
        Ok(())
    }

    /// Walks through rules; returns the flows that come back to the chain that called. `ending` is that
    /// of the outermost chain, which has no other.
    fn chain(
        &mut self,
        rules: &'a [Rule],
        flows: Region,
        ending: Option<Ending>,
        depth: usize,
    ) -> Result<Region, TooComplex> {
        if depth > DEPTH_MAX {
            return Ok(Region::default());
        }
        let mut here = flows;
        let mut back = Region::default();
        for (index, rule) in rules.iter().enumerate() {
            if here.is_empty() {
                break;
            }
            let matching = self.context.matching(rule);
            let possible = here.within(&matching.possible);
            if possible.is_empty() {
                continue;
            }
            let action = self.action(rule);
            if matches!(action, Action::Skip) {
                continue;
            }
            self.met.insert(Arc::clone(&rule.line));
            let certain = matching.certain.as_ref().map(|it| here.within(it)).unwrap_or_default();
            match (action, ending) {
                (Action::Admit, _) | (Action::Return, Some(Ending::Admit)) => {
                    self.doubt(rule, &matching, "left out");
                    self.admit(certain, rule);
                }
                (Action::AdmitPublished, _) => {
                    self.pieces.push(Piece { flows: here, rule: None });
                    return Ok(back);
                }
                (Action::Deny, _) | (Action::Return, Some(Ending::Deny)) => {
                    self.doubt(rule, &matching, STRICT);
                    if self.left_out.contains(&std::ptr::from_ref(rule)) {
                        continue;
                    }
                    self.deny(possible, rule, &matching)?;
                    here = without(here, &matching.possible)?;
                }
                (Action::Unclear(reason), _) => {
                    self.note(rule, format!("{reason}; {STRICT}"));
                    here = without(here, &matching.possible)?;
                }
                (Action::Return, None) => {
                    self.doubt(rule, &matching, STRICT);
                    here = without(here, &matching.possible)?;
                    back.add(certain)?;
                }
                (Action::EnterUser(chain), _) => {
                    let survivors = self.behind(&rules[index + 1..], here, depth)?;
                    self.outermost(chain, survivors, Ending::Admit)?;
                    return Ok(back);
                }
                (Action::Enter(chain, is_goto), _) => {
                    self.doubt(rule, &matching, "what it refuses is taken to be refused");
                    let refused = self.enter(chain, &certain, &possible, depth)?;
                    let Entered { denied, returned } = refused;
                    here = here.minus(&denied)?;
                    if is_goto {
                        here = without(here, &matching.possible)?;
                        back.add(returned)?;
                    }
                }
                (Action::Skip, _) => {}
            }
        }
        back.add(here)?;
        Ok(back)
    }

    /// Follows flows into a chain: those that enter it for certain, and those that possibly do, which
    /// are not let in there.
    fn enter(
        &mut self,
        chain: &'a Chain,
        certain: &Region,
        possible: &Region,
        depth: usize,
    ) -> Result<Entered, TooComplex> {
        let before = self.pieces.len();
        let returned = self.chain(&chain.rules, certain.clone(), None, depth + 1)?;
        let mut denied = certain.minus(&returned)?;
        for piece in &self.pieces[before..] {
            denied = denied.minus(&piece.flows)?;
        }
        let doubtful = possible.minus(certain)?;
        if !doubtful.is_empty() {
            let before = self.pieces.len();
            let was_doubtful = std::mem::replace(&mut self.is_doubtful, true);
            let returned = self.chain(&chain.rules, doubtful.clone(), None, depth + 1)?;
            self.is_doubtful = was_doubtful;
            let mut refused = doubtful.minus(&returned)?;
            for piece in self.pieces.split_off(before) {
                refused = refused.minus(&piece.flows)?;
            }
            denied.add(refused)?;
        }
        Ok(Entered { denied, returned })
    }

    /// What the rules behind the operator's chain leave of the flows, up to those of Docker.
    fn behind(
        &mut self,
        rules: &'a [Rule],
        flows: Region,
        depth: usize,
    ) -> Result<Region, TooComplex> {
        let is_docker = |rule: &Rule| matches!(self.action(rule), Action::AdmitPublished);
        let end = rules.iter().position(is_docker).unwrap_or(rules.len());
        let before = self.pieces.len();
        let mut survivors = self.chain(&rules[..end], flows, None, depth + 1)?;
        for piece in self.pieces.split_off(before) {
            survivors.add(piece.flows)?;
        }
        Ok(survivors)
    }

    fn action(&self, rule: &Rule) -> Action<'a> {
        let chain = |name: &str| self.tables.chain(self.context.version, self.table, name);
        match (&rule.target, self.stage) {
            (Target::Continue, _) => Action::Skip,
            (Target::Return, _) => Action::Return,
            (Target::Deny, _) => Action::Deny,
            // Whom Docker's chain does not see is not translated.
            (Target::Accept, Stage::Scheme) => Action::Deny,
            (Target::Accept, _) => Action::Admit,
            (Target::Translate { .. }, Stage::Scheme) => Action::Admit,
            (Target::Translate { .. }, _) => Action::Skip,
            (Target::Jump(name) | Target::Goto(name), stage) => {
                let is_goto = matches!(rule.target, Target::Goto(_));
                let is_plain = rule.conditions.is_empty() && rule.doubt.is_none();
                let name = name.as_str();
                match (stage, chain(name)) {
                    (Stage::Scheme, _) if name == "DOCKER" => Action::Admit,
                    (Stage::Scheme, None) if name == "DOCKER-INGRESS" => Action::Skip,
                    (Stage::Scheme, _) if name == "DOCKER-BLOCK-GUARD" => {
                        Action::Unclear("it belongs to a guard of dwnl that is in force".to_owned())
                    }
                    (Stage::Forward, _) if ACCEPTING.contains(&name) => Action::AdmitPublished,
                    (Stage::Forward, _) if INDIFFERENT.contains(&name) => Action::Skip,
                    (Stage::Forward, Some(chain)) if name == "DOCKER-USER" && is_plain => {
                        Action::EnterUser(chain)
                    }
                    (_, Some(chain)) => Action::Enter(chain, is_goto),
                    (_, None) => Action::Unclear(format!("{name} is not a chain in the input")),
                }
            }
        }
    }

    fn admit(&mut self, flows: Region, rule: &'a Rule) {
        if !flows.is_empty() {
            self.pieces.push(Piece { flows, rule: Some(rule) });
        }
    }

    fn deny(
        &mut self,
        mut flows: Region,
        rule: &'a Rule,
        matching: &Matching,
    ) -> Result<(), TooComplex> {
        // What was refused before may be refused once more.
        let whole = Region::new(matching.possible.clone());
        if self.denied_first.includes(&whole.minus(&flows)?)? {
            flows = whole;
        }
        let everything = self.context.everything();
        let is_restricted = |it: &Rectangle| {
            [Dimension::Source, Dimension::Port].iter().any(|of| it.get(*of) != everything.get(*of))
        };
        let is_simple = matches!(flows.rectangles(), [only] if is_restricted(only));
        let is_repeated = self.denials.iter().any(|it| std::ptr::eq(it.rule, rule));
        let is_known = matching.doubt.is_none() && !self.is_doubtful && !is_repeated;
        let is_late = self.pieces.iter().any(|piece| piece.flows.overlaps(&flows));
        let can_come_first = is_simple && is_known && !is_late;
        if can_come_first {
            self.denied_first.add(flows.clone())?;
        }
        self.denials.push(Denial { flows, rule, can_come_first, is_late });
        Ok(())
    }

    fn doubt(&mut self, rule: &Rule, matching: &Matching, consequence: &str) {
        if let Some(doubt) = &matching.doubt {
            self.note(rule, format!("{doubt}; {consequence}"));
        }
    }

    fn note(&mut self, rule: &Rule, reason: String) {
        self.notes.push(Note { line: Arc::clone(&rule.line), reason });
    }
}

/// What becomes of doubtful flows.
const STRICT: &str = "what it may match is taken to be refused";

/// What became of flows in a chain.
struct Entered {
    denied: Region,
    /// Of those that entered for certain.
    returned: Region,
}

fn without(flows: Region, rectangle: &Rectangle) -> Result<Region, TooComplex> {
    flows.minus(&Region::new(rectangle.clone()))
}
