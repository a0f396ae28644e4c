//! One packet on one way through the hooks.

use std::cmp::Reverse;
use std::sync::Arc;

use super::decisions::Decisions;
use super::host::{HostView, Route, RouteQuery};
use super::packet::{DST_NAT_DONE, Manipulated, Packet, SRC_NAT_DONE, Tracking};
use super::probe::{Doubt, Outcome, Step};
use crate::model::kernel::RuleVerdict;
use crate::model::{ChainPath, Hook, KernelBase, KernelRuleset, Name, TablePath};

/// The priority of connection tracking at prerouting (`NF_IP_PRI_CONNTRACK`).
const TRACKING: i32 = -200;
/// The priorities at which flows are translated, whatever the priorities of the nat chains
/// (`NF_IP_PRI_NAT_DST`, `NF_IP_PRI_NAT_SRC`).
const DESTINATION_NAT: i32 = -100;
const SOURCE_NAT: i32 = 100;
/// One packet on one way.
pub struct Run<'a> {
    pub ruleset: &'a KernelRuleset,
    pub host: &'a HostView<'a>,
    pub packet: Packet,
    pub steps: Vec<Step>,
    pub decisions: Decisions,
    /// Sets to which rules have added the packet's own keys.
    pub updated: Vec<(TablePath, Name)>,
    /// Number of rules that the packet has passed.
    pub rules: u32,
}

/// The end of a packet, as an error that ends the run.
pub type Ended<T> = Result<T, Outcome>;

/// What a rule leaves to be done.
pub enum Done {
    /// The next rule.
    Next,
    /// What the rule says.
    Verdict(RuleVerdict),
    /// Nothing in this chain: the flow is translated.
    Translated,
}

/// A base chain, or all nat chains of a hook together.
enum Item<'a> {
    Filter(Base<'a>),
    Nat(Vec<Base<'a>>),
}

/// A base chain.
struct Base<'a> {
    path: ChainPath,
    base: &'a KernelBase,
    /// Of chains with one priority, the one that was made last comes first.
    age: (u64, u64),
}

impl<'a> Run<'a> {
    /// Where the packet ends.
    pub fn outcome(&mut self) -> Outcome {
        self.through_hooks().unwrap_or_else(|outcome| outcome)
    }

    fn through_hooks(&mut self) -> Ended<Outcome> {
        self.hook(Hook::Prerouting)?;
        let destination = self.packet.ends.destination;
        match self.route()? {
            Route::Local => self.hook(Hook::Input)?,
            Route::Via(interface) => {
                self.packet.out_interface = Some(interface);
                self.hook(Hook::Forward)?;
                self.hook(Hook::Postrouting)?;
            }
            Route::Unreachable => return Ok(Outcome::Unroutable { address: destination }),
            Route::Unknown => {
                return Err(unknown(format!("the route to {destination} is not known")));
            }
        }
        let out_interface = self.packet.out_interface.clone();
        Ok(Outcome::Reaches { address: destination, port: self.packet.ends.port, out_interface })
    }

    fn route(&self) -> Ended<Route> {
        let Some(mark) = self.packet.mark.as_number() else {
            return Err(unknown("the packet's mark, which may decide its route".to_owned()));
        };
        Ok((self.host.route)(&RouteQuery {
            source: Some(self.packet.ends.source),
            destination: self.packet.ends.destination,
            mark,
            in_interface: self.packet.in_interface.clone(),
        }))
    }

    fn hook(&mut self, hook: Hook) -> Ended<()> {
        for (priority, item) in self.items(hook) {
            if hook == Hook::Prerouting {
                self.track(priority);
            }
            match item {
                Item::Filter(base) => self.base_chain(&base.path, base.base)?,
                Item::Nat(chains) => self.translate(hook, &chains)?,
            }
        }
        self.track(i32::MAX);
        Ok(())
    }

    /// Lets connection tracking look at the packet before the chain of this priority.
    fn track(&mut self, priority: i32) {
        if matches!(self.packet.tracking, Tracking::Before | Tracking::Unsure) {
            self.packet.tracking = match priority {
                ..TRACKING => Tracking::Before,
                TRACKING => Tracking::Unsure,
                _ => Tracking::New,
            };
        }
    }

    /// What is attached to the hook, in order.
    fn items(&self, hook: Hook) -> Vec<(i32, Item<'a>)> {
        let (nat, filter): (Vec<Base>, Vec<Base>) =
            self.bases().partition(|base| &*base.base.chain_type == "nat");
        let has_nat = !nat.is_empty();
        let is_here = |base: &Base| base.base.hook == hook;
        let mut nat: Vec<Base> = nat.into_iter().filter(is_here).collect();
        nat.sort_by_key(|it| (it.base.priority, Reverse(it.age)));
        let priority = match hook {
            Hook::Prerouting | Hook::Output => DESTINATION_NAT,
            _ => SOURCE_NAT,
        };
        let first = nat.iter().map(|it| it.age).min().unwrap_or_default();
        let filter = filter.into_iter().filter(is_here);
        let mut items: Vec<_> =
            filter.map(|it| (it.base.priority, Reverse(it.age), Item::Filter(it))).collect();
        // The kernel gives every flow a translation as soon as any table translates.
        if has_nat && matches!(hook, Hook::Prerouting | Hook::Input | Hook::Postrouting) {
            items.push((priority, Reverse(first), Item::Nat(nat)));
        }
        items.sort_by_key(|(priority, age, _)| (*priority, *age));
        items.into_iter().map(|(priority, _, item)| (priority, item)).collect()
    }

    /// The base chains that packets of this IP version pass.
    fn bases(&self) -> impl Iterator<Item = Base<'a>> + use<'a> {
        let version = self.packet.version;
        let tables = self.ruleset.tables.iter().filter(move |(path, table)| {
            !table.dormant && path.family.version().is_none_or(|it| it == version)
        });
        tables.flat_map(|(path, table)| {
            table.chains.iter().filter_map(|(name, chain)| {
                let path = ChainPath { table: path.clone(), chain: Arc::clone(name) };
                let base = chain.base.as_ref()?;
                Some(Base { path, base, age: (table.handle, chain.handle) })
            })
        })
    }

    /// The nat chains of a hook, until one of them has translated the flow.
    fn translate(&mut self, hook: Hook, chains: &[Base]) -> Ended<()> {
        if self.packet.tracking != Tracking::New {
            return Ok(());
        }
        let (end, done) = match hook {
            Hook::Prerouting => (Manipulated::Destination, DST_NAT_DONE),
            _ => (Manipulated::Source, SRC_NAT_DONE),
        };
        for chain in chains {
            self.base_chain(&chain.path, chain.base)?;
            if self.packet.is_bound[end as usize] {
                break;
            }
        }
        self.packet.is_bound[end as usize] = true;
        self.packet.ct_status |= done;
        Ok(())
    }
}

fn unknown(reason: String) -> Outcome {
    Outcome::Unknown(Box::new(Doubt {
        chain: None,
        rule: None,
        text: String::new(),
        reason,
        alternatives: None,
    }))
}
