//! A packet's way through a base chain and the chains that its rules jump to.

use super::probe::{Doubt, Effect, Outcome, Step};
use super::run::{Done, Ended, Run};
use crate::model::kernel::RuleVerdict;
use crate::model::{ChainPath, KernelBase, KernelChain, KernelRule, Name};

/// Maximum number of rules that one packet passes.
const RULES_MAX: u32 = 1_000_000;
/// Maximum depth of jumps (`NFT_JUMP_STACK_SIZE`).
const DEPTH_MAX: usize = 16;

/// A chain, and the next of its rules.
struct Position<'a> {
    path: ChainPath,
    rules: std::slice::Iter<'a, KernelRule>,
    /// The chains from which gotos have led here.
    left: Vec<Name>,
}

impl Position<'_> {
    /// The chains that a goto from here has left.
    fn leave(mut self) -> Vec<Name> {
        self.left.push(self.path.chain);
        self.left
    }
}

/// Whether a packet is in the chain already, which the kernel does not allow.
fn is_loop(stack: &[Position], chain: &Name) -> bool {
    stack.iter().any(|position| position.path.chain == *chain || position.left.contains(chain))
}

impl<'a> Run<'a> {
    /// The way through a base chain; an error if the packet ends there.
    pub fn base_chain(&mut self, path: &ChainPath, base: &KernelBase) -> Ended<()> {
        let Some(first) = self.position(path.clone()) else { return Ok(()) };
        let mut stack = vec![first];
        while let Some(position) = stack.last_mut() {
            let Some(rule) = position.rules.next() else {
                stack.pop();
                continue;
            };
            let path = position.path.clone();
            self.count_rule(&path, rule, stack.len())?;
            let verdict = match self.rule(&path, rule)? {
                Done::Next => continue,
                Done::Translated => return Ok(()),
                Done::Verdict(verdict) => verdict,
            };
            let is_done = match verdict {
                RuleVerdict::Accept => {
                    self.step(&path, rule, Effect::Accept);
                    return Ok(());
                }
                RuleVerdict::Drop => {
                    self.step(&path, rule, Effect::Drop);
                    return Err(Outcome::Dropped(self.steps.len() - 1));
                }
                RuleVerdict::Queue => return Err(self.unknown_effect(&path, rule, "queue")),
                RuleVerdict::Continue => false,
                RuleVerdict::Return => {
                    self.step(&path, rule, Effect::Return);
                    true
                }
                RuleVerdict::Jump(chain) | RuleVerdict::Goto(chain) if is_loop(&stack, &chain) => {
                    return Err(self.unknown_effect(&path, rule, "a loop of jumps"));
                }
                RuleVerdict::Jump(chain) => {
                    stack.extend(self.target(&path, &chain, Vec::new()));
                    false
                }
                RuleVerdict::Goto(chain) => {
                    let left = stack.pop().map_or_else(Vec::new, Position::leave);
                    stack.extend(self.target(&path, &chain, left));
                    false
                }
            };
            if is_done {
                stack.pop();
            }
        }
        self.policy(path, base)
    }

    fn policy(&mut self, path: &ChainPath, base: &KernelBase) -> Ended<()> {
        if !base.drops {
            return Ok(());
        }
        let (chain, text) = (path.clone(), "policy drop".to_owned());
        self.steps.push(Step { chain, rule: None, text, effect: Effect::Drop });
        Err(Outcome::Dropped(self.steps.len() - 1))
    }

    fn count_rule(&mut self, path: &ChainPath, rule: &KernelRule, depth: usize) -> Ended<()> {
        self.rules += 1;
        if self.rules > RULES_MAX || depth > DEPTH_MAX {
            return Err(self.unknown_effect(path, rule, "too many rules or jumps"));
        }
        Ok(())
    }

    fn position(&self, path: ChainPath) -> Option<Position<'a>> {
        let chain: &'a KernelChain = self.ruleset.chain(&path)?;
        Some(Position { path, rules: chain.rules.iter(), left: Vec::new() })
    }

    fn target(&self, from: &ChainPath, chain: &Name, left: Vec<Name>) -> Option<Position<'a>> {
        let path = ChainPath { table: from.table.clone(), chain: chain.clone() };
        Some(Position { left, ..self.position(path)? })
    }

    /// Records what a rule did.
    pub fn step(&mut self, path: &ChainPath, rule: &KernelRule, effect: Effect) {
        let (chain, text) = (path.clone(), rule.to_string());
        self.steps.push(Step { chain, rule: Some(rule.handle), text, effect });
    }

    /// The end of a packet that meets a rule of which dwnl does not know what it does.
    pub fn unknown_effect(&mut self, path: &ChainPath, rule: &KernelRule, what: &str) -> Outcome {
        self.step(path, rule, Effect::Unknown);
        Outcome::Unknown(Box::new(Doubt {
            chain: Some(path.clone()),
            rule: Some(rule.handle),
            text: rule.to_string(),
            reason: what.to_owned(),
            alternatives: None,
        }))
    }
}
