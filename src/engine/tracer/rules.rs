//! The hooks of the chains that traced packets pass, and the words of the rules that they meet. They are
//! read when a packet meets them, and again after each change of the ruleset.

use std::collections::HashMap;

use super::super::connection::{Connection, DumpStatus};
use super::{Error, sets};
use crate::model::{ChainPath, Family, Hook, TablePath, TracedChain};
use crate::netlink::{Dump, decode_chain};

/// How often the chains are read if other programs change the ruleset meanwhile.
const ATTEMPTS_MAX: usize = 10;

/// What was read at one generation of the ruleset.
#[derive(Default)]
pub struct RuleReader {
    generation: Option<u32>,
    hooks: HashMap<ChainPath, Hook>,
    texts: HashMap<(ChainPath, u64), Option<Box<str>>>,
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
                    self.hooks.insert(ChainPath { table, chain }, base.hook);
                }
                true
            })?;
            if dumped == DumpStatus::Interrupted {
                return Ok(dumped);
            }
        }
        Ok(DumpStatus::Complete)
    }

    /// The hook of a base chain, if it is known.
    pub fn hook(&self, chain: &TracedChain) -> Option<Hook> {
        self.hooks.get(&chain.path()?).copied()
    }

    /// The words of a rule; `None` if it does not exist any more, or is of a family that dwnl does not
    /// work in.
    pub fn text(
        &mut self,
        connection: &mut Connection,
        chain: &TracedChain,
        handle: u64,
    ) -> Result<Option<Box<str>>, Error> {
        let Some(path) = chain.path() else { return Ok(None) };
        let key = (path, handle);
        if let Some(text) = self.texts.get(&key) {
            return Ok(text.clone());
        }
        let mut rule = connection.rule(&key.0, handle)?;
        if let (Some(rule), Some(generation)) = (&mut rule, self.generation) {
            sets::attach(connection, &key.0.table, rule, generation)?;
        }
        let text: Option<Box<str>> = rule.map(|rule| rule.to_string().into());
        self.texts.insert(key, text.clone());
        Ok(text)
    }
}
