//! Who is let in → the entries of a policy.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnetwork::IpNetwork;

use super::interfaces::Interfaces;
use super::intervals::Intervals;
use super::matching::everything;
use super::region::{Dimension, Rectangle, Region, TooComplex};
use super::rule::{Condition, Rule, Subject};
use super::tables::{Note, Tables};
use super::values;
use super::walk::{Denial, Piece};
use crate::model::{AddressSpec, Interface, IpVersion, Ports, Protocol, is_invisible};
use crate::policy::{Allow, Deny, EntryBuilder, Group, NAME_MAX, PolicyError};

/// Maximum number of rules whose effects are compared with each other.
const COMPARED_MAX: usize = 500;

/// An entry that is being made.
#[derive(Clone, Debug)]
struct Draft {
    is_deny: bool,
    name: Option<String>,
    sources: Vec<Sources>,
    except: Vec<Sources>,
    ports: Vec<Ports>,
    to: Vec<AddressSpec>,
    interface: Option<Interface>,
}

/// Sources of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Sources {
    Anyone(IpVersion),
    Addresses(AddressSpec),
    IpSet(String),
}

/// Makes the entries.
pub struct Entries<'a> {
    tables: &'a Tables,
    interfaces: &'a Interfaces,
    drafts: Vec<Draft>,
    /// Rules of which a part is left out.
    pub notes: Vec<Note>,
}

impl<'a> Entries<'a> {
    pub fn new(tables: &'a Tables, interfaces: &'a Interfaces) -> Entries<'a> {
        Entries { tables, interfaces, drafts: Vec::new(), notes: Vec::new() }
    }

    /// Adds those whom the rules of a version let in, and those whom they refuse before all others.
    pub fn add(
        &mut self,
        version: IpVersion,
        pieces: Vec<Piece<'_>>,
        denials: &[Denial<'_>],
    ) -> Result<(), TooComplex> {
        let mut denied = Region::default();
        for Denial { flows, rule, .. } in denials {
            denied.add(flows.clone())?;
            for rectangle in flows.rectangles() {
                self.rectangle(version, rectangle, Some(rule), true);
            }
        }
        let mut pieces = needed(pieces, &denied)?;
        // In the order of the input; what no rule lets in by itself comes last.
        pieces
            .sort_by_key(|piece| (piece.rule.is_none(), piece.rule.map(|rule| rule.line.clone())));
        for piece in pieces {
            for rectangle in piece.flows.rectangles() {
                self.rectangle(version, rectangle, piece.rule, false);
            }
        }
        Ok(())
    }

    fn rectangle(
        &mut self,
        version: IpVersion,
        flows: &Rectangle,
        rule: Option<&Rule>,
        is_deny: bool,
    ) {
        let all = everything(version, self.interfaces);
        let is_every = |dimension| flows.get(dimension) == all.get(dimension);
        let (sources, except) = self.sources(version, flows.get(Dimension::Source), rule);
        let to = match is_every(Dimension::Destination) {
            true => Vec::new(),
            false => addresses(version, flows.get(Dimension::Destination)),
        };
        let is_nobody = sources.is_empty() || (to.is_empty() && !is_every(Dimension::Destination));
        if is_nobody {
            return;
        }
        let ports = ports(flows.get(Dimension::Protocol), flows.get(Dimension::Port));
        let draft = Draft {
            is_deny,
            name: rule.and_then(|rule| rule.comment.as_deref()).and_then(entry_name),
            sources,
            except,
            ports,
            to,
            interface: None,
        };
        for interface in self.conditions(flows.get(Dimension::Interface), rule, is_deny) {
            self.drafts.push(Draft { interface, ..draft.clone() });
        }
    }

    /// The interfaces, each of which needs an entry.
    fn conditions(
        &mut self,
        classes: &Intervals,
        rule: Option<&Rule>,
        is_deny: bool,
    ) -> Vec<Option<Interface>> {
        let (conditions, rest) = self.interfaces.conditions(classes);
        if rest.is_empty() {
            return conditions;
        }
        let reason = match is_deny {
            true => "an entry has one interface, or all but one; it refuses by every interface",
            false => "an entry has one interface, or all but one; the others are left out",
        };
        if let Some(rule) = rule {
            self.notes.push(Note { line: rule.line.clone(), reason: reason.to_owned() });
        }
        if is_deny { vec![None] } else { conditions }
    }

    /// The sources, and the exceptions from them, in as few words as possible.
    fn sources(
        &self,
        version: IpVersion,
        values: &Intervals,
        rule: Option<&Rule>,
    ) -> (Vec<Sources>, Vec<Sources>) {
        let every = values::every_address(version);
        let conditions = rule.map(|rule| rule.conditions.as_slice()).unwrap_or_default();
        let of_rule = conditions.iter().filter_map(|condition| match condition {
            Condition::Test { subject: Subject::Source, values, negated: false } => Some(values),
            Condition::Set { name, is_destination: false, negated: false } => {
                Some(&self.tables.set(name)?.certain)
            }
            _ => None,
        });
        let whole = of_rule.chain([&every]).filter(|it| it.includes(values)).cloned();
        let size =
            |whole: &Intervals| self.count(whole, version) + whole.minus(values).iter().count();
        let shortest =
            whole.min_by_key(size).filter(|whole| size(whole) <= self.count(values, version));
        let whole = shortest.unwrap_or_else(|| values.clone());
        (self.list(&whole, version), self.list(&whole.minus(values), version))
    }

    /// How many words the sources need.
    fn count(&self, values: &Intervals, version: IpVersion) -> usize {
        self.list(values, version).len()
    }

    /// Anyone, an ipset or addresses.
    fn list(&self, values: &Intervals, version: IpVersion) -> Vec<Sources> {
        if *values == values::every_address(version) {
            return vec![Sources::Anyone(version)];
        }
        match self.tables.set_of(values, version) {
            Some(name) => vec![Sources::IpSet(name.clone())],
            None => addresses(version, values).into_iter().map(Sources::Addresses).collect(),
        }
    }

    /// The entries: equal ones are joined, and get names.
    ///
    /// # Errors
    /// If a part is not what a policy can have.
    pub fn finish(self) -> Result<(Vec<Deny>, Vec<Allow>), PolicyError> {
        let shared = |it: &Draft| {
            (it.is_deny, it.name.clone(), it.except.clone(), it.to.clone(), it.interface.clone())
        };
        let same_but_sources = |it: &Draft| {
            // Exceptions are from the sources of the same entry.
            let sources = if it.except.is_empty() { Vec::new() } else { it.sources.clone() };
            (shared(it), it.ports.clone(), sources)
        };
        let drafts = join(self.drafts, same_but_sources, |draft, other| {
            let new = other.sources.into_iter().filter(|it| !draft.sources.contains(it));
            let new: Vec<Sources> = new.collect();
            draft.sources.extend(new);
        });
        let same_but_ports = |it: &Draft| (shared(it), it.sources.clone());
        let mut drafts = join(drafts, same_but_ports, |draft, other| {
            let new = other.ports.into_iter().filter(|it| !draft.ports.contains(it));
            let new: Vec<Ports> = new.collect();
            draft.ports.extend(new);
        });
        drafts.iter_mut().for_each(|draft| draft.ports = merged(&draft.ports));
        make_unique(&mut drafts);
        let groups = Groups::of(&drafts, self.tables);
        let (deny, allow): (Vec<Draft>, Vec<Draft>) = drafts.into_iter().partition(|it| it.is_deny);
        let deny: Result<_, _> = deny.into_iter().map(|draft| groups.deny(draft)).collect();
        let allow: Result<_, _> = allow.into_iter().map(|draft| groups.allow(draft)).collect();
        Ok((deny?, allow?))
    }
}

/// The pieces without those whose flows are denied, or let in by others as well.
fn needed<'p>(mut pieces: Vec<Piece<'p>>, denied: &Region) -> Result<Vec<Piece<'p>>, TooComplex> {
    if pieces.len() > COMPARED_MAX {
        return Ok(pieces);
    }
    let mut index = pieces.len();
    while index > 0 {
        index -= 1;
        let mut others = denied.clone();
        for (_, other) in pieces.iter().enumerate().filter(|(other, _)| *other != index) {
            others.add(other.flows.clone())?;
        }
        if others.includes(&pieces[index].flows)? {
            pieces.remove(index);
        }
    }
    Ok(pieces)
}

/// Joins drafts with the same key into the first of them.
fn join<K: Eq + std::hash::Hash>(
    drafts: Vec<Draft>,
    key: impl Fn(&Draft) -> K,
    add: impl Fn(&mut Draft, Draft),
) -> Vec<Draft> {
    let mut places: HashMap<K, usize> = HashMap::new();
    let mut joined: Vec<Draft> = Vec::new();
    for draft in drafts {
        match places.get(&key(&draft)) {
            Some(place) => add(&mut joined[*place], draft),
            None => {
                places.insert(key(&draft), joined.len());
                joined.push(draft);
            }
        }
    }
    joined
}

/// Gives no two entries the same name.
fn make_unique(drafts: &mut [Draft]) {
    let mut taken = HashSet::new();
    for draft in drafts {
        let Some(name) = draft.name.take() else { continue };
        let numbered = |number: usize| {
            let suffix = format!("-{number}");
            let end = name.floor_char_boundary_of(NAME_MAX - suffix.len());
            format!("{}{suffix}", &name[..end])
        };
        let mut unique = name.clone();
        let mut number = 1;
        while !taken.insert(unique.clone()) {
            number += 1;
            unique = numbered(number);
        }
        draft.name = Some(unique);
    }
}

/// Groups of sources that get a name: ipsets, and lists that several entries share.
struct Groups {
    by_set: BTreeMap<String, Group>,
    by_list: HashMap<Vec<AddressSpec>, Group>,
}

impl Groups {
    fn of(drafts: &[Draft], tables: &Tables) -> Groups {
        let mut by_set = BTreeMap::new();
        let mut names = HashSet::new();
        let all = |draft: &Draft| [draft.sources.clone(), draft.except.clone()];
        let sets = drafts.iter().flat_map(all).flatten().filter_map(|it| match it {
            Sources::IpSet(name) => Some(name),
            _ => None,
        });
        for name in sets {
            let Some(set) = tables.set(&name) else { continue };
            let sources = addresses(set.version, &set.certain);
            let group = Group::named(&name, sources.clone());
            let group = group.or_else(|_| Group::named(&format!("ipset {name}"), sources));
            if let Ok(group) = group {
                names.extend(group.name().map(ToString::to_string));
                by_set.insert(name, group);
            }
        }
        let mut lists: Vec<(Vec<AddressSpec>, usize)> = Vec::new();
        for list in drafts.iter().flat_map(all).map(|list| plain(&list)) {
            match lists.iter_mut().find(|(known, _)| *known == list) {
                Some((_, count)) => *count += 1,
                None => lists.push((list, 1)),
            }
        }
        let mut by_list = HashMap::new();
        let mut numbers = 1..;
        let shared = lists.into_iter().filter(|(list, count)| list.len() > 1 && *count > 1);
        for (list, _) in shared {
            let mut new = numbers.by_ref().map(|number| format!("group-{number}"));
            let name = new.find(|name| !names.contains(name)).unwrap_or_default();
            if let Ok(group) = Group::named(&name, list.clone()) {
                by_list.insert(list, group);
            }
        }
        Groups { by_set, by_list }
    }

    fn allow(&self, draft: Draft) -> Result<Allow, PolicyError> {
        self.common(Allow::builder(draft.ports.iter().copied()), draft).build()
    }

    fn deny(&self, draft: Draft) -> Result<Deny, PolicyError> {
        let is_every_port = merged(&draft.ports).into_iter().eq(Ports::every());
        let entry = match is_every_port {
            true => Deny::builder(),
            false => Deny::builder().ports(draft.ports.iter().copied()),
        };
        self.common(entry, draft).build()
    }

    fn common<E>(&self, mut entry: EntryBuilder<E>, draft: Draft) -> EntryBuilder<E> {
        if let Some(name) = &draft.name {
            entry = entry.name(name.clone());
        }
        let has = |version| draft.sources.contains(&Sources::Anyone(version));
        if !(has(IpVersion::V4) && has(IpVersion::V6)) {
            entry = entry.from(self.groups(&draft.sources));
        }
        if !draft.except.is_empty() {
            entry = entry.except(self.groups(&draft.except));
        }
        if let Some(interface) = draft.interface {
            entry = entry.in_interface(interface);
        }
        if !draft.to.is_empty() {
            entry = entry.to(draft.to);
        }
        entry
    }

    fn groups(&self, sources: &[Sources]) -> Vec<Group> {
        let sets = sources.iter().filter_map(|source| match source {
            Sources::IpSet(name) => self.by_set.get(name).cloned(),
            _ => None,
        });
        let list = plain(sources);
        let shared = self.by_list.get(&list).cloned();
        let own = shared.or_else(|| Group::unnamed(list).ok());
        sets.chain(own).collect()
    }
}

/// The addresses of sources, without those of ipsets.
fn plain(sources: &[Sources]) -> Vec<AddressSpec> {
    let specs = sources.iter().filter_map(|source| match source {
        Sources::Anyone(IpVersion::V4) => network(Ipv4Addr::UNSPECIFIED.into()),
        Sources::Anyone(IpVersion::V6) => network(Ipv6Addr::UNSPECIFIED.into()),
        Sources::Addresses(addresses) => Some(*addresses),
        Sources::IpSet(_) => None,
    });
    specs.collect()
}

fn network(unspecified: IpAddr) -> Option<AddressSpec> {
    AddressSpec::network(IpNetwork::new(unspecified, 0).ok()?).ok()
}

/// Ports of some protocols.
fn ports(protocols: &Intervals, ports: &Intervals) -> Vec<Ports> {
    let all = Protocol::ALL.into_iter().zip(0..);
    let protocols = all.filter(|(_, number)| protocols.contains(*number));
    let of = |protocol| {
        let range = move |(first, last)| {
            let (first, last) = (u16::try_from(first).ok()?, u16::try_from(last).ok()?);
            Ports::new(protocol, first, last).ok()
        };
        ports.iter().filter_map(range).collect::<Vec<_>>()
    };
    protocols.flat_map(|(protocol, _)| of(protocol)).collect()
}

/// The same ports in as few ranges as possible.
fn merged(all: &[Ports]) -> Vec<Ports> {
    let of = |protocol: Protocol| {
        let own = all.iter().filter(move |it| it.protocol() == protocol);
        let number = Protocol::ALL.iter().position(|it| *it == protocol).unwrap_or(0);
        let set = Intervals::collect(own.map(|it| (it.first().into(), it.last().into())));
        ports(&Intervals::single(number as u128), &set)
    };
    Protocol::ALL.into_iter().flat_map(of).collect()
}

/// The addresses as prefixes and ranges. Those that no packet has are left out.
fn addresses(version: IpVersion, values: &Intervals) -> Vec<AddressSpec> {
    values.iter().filter_map(|(first, last)| address_spec(version, first, last)).collect()
}

fn address_spec(version: IpVersion, first: u128, last: u128) -> Option<AddressSpec> {
    let address = |number: u128| -> Option<IpAddr> {
        Some(match version {
            IpVersion::V4 => Ipv4Addr::from(u32::try_from(number).ok()?).into(),
            IpVersion::V6 => Ipv6Addr::from(number).into(),
        })
    };
    let size = last - first;
    let is_network = size & size.wrapping_add(1) == 0 && first & size == 0;
    if is_network {
        let host_bits = u8::try_from(size.count_ones()).ok()?;
        let network = IpNetwork::new(address(first)?, version.address_bits() - host_bits).ok()?;
        return AddressSpec::network(network).ok();
    }
    AddressSpec::range(address(first)?, address(last)?).ok()
}

/// A comment as the name of an entry.
fn entry_name(comment: &str) -> Option<String> {
    let visible: String = comment.chars().filter(|c| !is_invisible(*c)).collect();
    let visible = visible.trim();
    let end = visible.floor_char_boundary_of(NAME_MAX);
    let name = visible[..end].trim();
    (!name.is_empty()).then(|| name.to_owned())
}

trait Boundary {
    /// The end of the last character that ends at this byte or before it.
    fn floor_char_boundary_of(&self, at: usize) -> usize;
}

impl Boundary for str {
    fn floor_char_boundary_of(&self, at: usize) -> usize {
        (0..=at.min(self.len())).rev().find(|at| self.is_char_boundary(*at)).unwrap_or(0)
    }
}
