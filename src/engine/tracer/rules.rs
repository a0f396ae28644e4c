//! The hooks of the chains that traced packets pass, and the words of the rules that they meet. They are
//! read when a packet meets them, and again after each change of the ruleset.

use std::collections::HashMap;

use super::super::connection::{Connection, DumpStatus};
use super::{Error, sets};
use crate::model::kernel::{RulePart, XtTarget};
use crate::model::{ChainPath, Family, Hook, TablePath, TracedChain};
use crate::netlink::{Dump, decode_chain};

/// How often the chains are read if other programs change the ruleset meanwhile.
const ATTEMPTS_MAX: usize = 10;

/// What was read at one generation of the ruleset.
#[derive(Default)]
pub struct RuleReader {
    generation: Option<u32>,
    bases: HashMap<ChainPath, Base>,
    rules: HashMap<(ChainPath, u64), Option<RuleWords>>,
}

/// Where a base chain is attached.
#[derive(Clone, Copy)]
pub struct Base {
    pub hook: Hook,
    pub is_nat: bool,
}

/// What is shown of a rule.
#[derive(Clone)]
pub struct RuleWords {
    pub text: Box<str>,
    pub rejects: bool,
}

impl RuleReader {
    /// Forgets everything and reads the chains again if the ruleset has changed.
    pub fn refresh(&mut self, connection: &mut Connection) -> Result<(), Error> {
        for _ in 0..ATTEMPTS_MAX {
            let generation = connection.generation()?;
            if self.generation == Some(generation) {
                return Ok(());
            }
            *self = RuleReader::default();
            if self.read_chains(connection, generation)? == DumpStatus::Complete {
                self.generation = Some(generation);
            }
        }
        Ok(())
    }

    fn read_chains(
        &mut self,
        connection: &mut Connection,
        generation: u32,
    ) -> Result<DumpStatus, Error> {
        for family in Family::ALL {
            let dumped = connection.dump(Dump::Chains, family, generation, |message| {
                let Some((table, chain, installed)) = decode_chain(message.attributes()) else {
                    return false;
                };
                if let Some(base) = installed.base() {
                    let table = TablePath { family, table };
                    let base = Base { hook: base.hook, is_nat: base.chain_type == "nat" };
                    self.bases.insert(ChainPath { table, chain }, base);
                }
                true
            })?;
            if dumped == DumpStatus::Interrupted {
                return Ok(dumped);
            }
        }
        Ok(DumpStatus::Complete)
    }

    /// Where a base chain is attached, if it is known.
    pub fn base(&self, chain: &TracedChain) -> Option<Base> {
        self.bases.get(&chain.path()?).copied()
    }

    /// The words of a rule; `None` if it does not exist any more, or is of a family that dwnl does not
    /// work in.
    pub fn words(
        &mut self,
        connection: &mut Connection,
        path: ChainPath,
        handle: u64,
    ) -> Result<Option<RuleWords>, Error> {
        let key = (path, handle);
        if let Some(words) = self.rules.get(&key) {
            return Ok(words.clone());
        }
        let mut rule = connection.rule(&key.0, handle)?;
        if let (Some(rule), Some(generation)) = (&mut rule, self.generation) {
            sets::attach(connection, &key.0.table, rule, generation)?;
        }
        let words = rule.map(|rule| RuleWords {
            text: rule.to_string().into(),
            rejects: rule.parts.iter().any(rejects),
        });
        self.rules.insert(key, words.clone());
        Ok(words)
    }
}

/// Whether a part of a rule answers the packet that it drops.
fn rejects(part: &RulePart) -> bool {
    matches!(part, RulePart::Reject { .. } | RulePart::Target(XtTarget::Reject { .. }))
}
