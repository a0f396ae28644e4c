//! What a commit touched, in bounded room: of a million changes the first places are told by name, and
//! the others by their number.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::docker::is_docker_chain;
use crate::model::{ChainPath, Ownership, Ruleset, SetPath, TablePath};
use crate::netlink::{ObjectChange, ObjectKind};

/// So many places are told by name.
const OBJECTS_MAX: usize = 16;
/// So many sets of our tables are remembered; a commit that touches more may have touched any.
const SETS_MAX: usize = 64;

/// The tables that matter to us.
#[derive(Clone)]
pub(super) struct WatchedTables {
    /// Those that dwnl works in.
    tables: Vec<TablePath>,
    /// Those among them that are wholly ours.
    own: Vec<TablePath>,
    /// The chains in the others that hold rules of ours.
    chains: Vec<Arc<ChainPath>>,
}

impl WatchedTables {
    /// The tables of the frame.
    pub fn of(frame: &Ruleset) -> WatchedTables {
        let own = frame.owned_tables.clone();
        let tables = frame.tables().into_iter().chain(&own).cloned().collect();
        let chains = frame.chains.iter().filter(|chain| chain.ownership != Ownership::Referenced);
        let chains = chains.map(|chain| Arc::clone(&chain.path)).collect();
        WatchedTables { tables, own, chains }
    }

    /// Whether a change is to what dwnl has put in, or to something that contains it.
    fn is_managed(&self, notified: &ObjectChange, table: &TablePath) -> bool {
        if self.own.contains(table) {
            return true;
        }
        let is_there = |path: &Arc<ChainPath>| {
            path.table == *table && notified.name.as_deref() == Some(path.chain.as_ref())
        };
        match notified.kind {
            ObjectKind::Table => self.tables.contains(table),
            ObjectKind::Chain | ObjectKind::Rule => self.chains.iter().any(is_there),
            _ => false,
        }
    }
}

/// What a commit touched.
#[derive(Clone, Debug, Default)]
pub(super) struct ChangeSummary {
    places: Vec<TouchedObject>,
    /// How many changes there were elsewhere.
    others: usize,
    concerns_us: bool,
    touches_ours: bool,
    sets: Sets,
}

/// Which sets of our tables it touched.
#[derive(Clone, Debug)]
enum Sets {
    Named(BTreeSet<SetPath>),
    Any,
}

impl Default for Sets {
    fn default() -> Sets {
        Sets::Named(BTreeSet::new())
    }
}

/// Something that was touched, with how much of it.
#[derive(Clone, Debug)]
struct TouchedObject {
    kind: ObjectKind,
    table: TablePath,
    name: Option<Box<str>>,
    added: usize,
    deleted: usize,
}

impl ChangeSummary {
    /// Takes note of a change.
    pub fn add(&mut self, notified: &ObjectChange, watched: &WatchedTables) {
        let Some(family) = notified.family else {
            self.others += notified.count;
            return;
        };
        let table = TablePath { family, table: notified.table.as_ref().into() };
        self.concerns_us |= watched.tables.contains(&table) || reveals_docker(notified, &table);
        self.touches_ours |= watched.is_managed(notified, &table);
        if watched.own.contains(&table) {
            self.touch_set(notified, &table);
        }
        self.count(notified, table);
    }

    /// Takes note of a message that says nothing that could be understood.
    pub fn add_unknown(&mut self) {
        self.others += 1;
        self.concerns_us = true;
        self.touches_ours = true;
        self.sets = Sets::Any;
    }

    fn touch_set(&mut self, notified: &ObjectChange, table: &TablePath) {
        let Sets::Named(sets) = &mut self.sets else { return };
        match (notified.kind, &notified.name) {
            (ObjectKind::Set | ObjectKind::Element, Some(name)) if sets.len() < SETS_MAX => {
                sets.insert(SetPath { table: table.clone(), set: name.as_ref().into() });
            }
            (ObjectKind::Table | ObjectKind::Set | ObjectKind::Element, _) => self.sets = Sets::Any,
            _ => {}
        }
    }

    fn count(&mut self, notified: &ObjectChange, table: TablePath) {
        if !notified.is_added && !notified.kind.is_counted() {
            self.places.retain(|place| !place.is_superseded_by(notified, &table));
        }
        let name = notified.name.as_deref();
        let is_same = |place: &TouchedObject| place.is_at(notified.kind, &table, name);
        let end = self.places.len();
        let place = self.places.iter().rposition(is_same).unwrap_or(end);
        if place == end && end < OBJECTS_MAX {
            let name = name.map(Box::from);
            self.places.push(TouchedObject {
                kind: notified.kind,
                table,
                name,
                added: 0,
                deleted: 0,
            });
        }
        let count = match self.places.get_mut(place) {
            Some(place) if notified.is_added => &mut place.added,
            Some(place) => &mut place.deleted,
            None => &mut self.others,
        };
        *count += notified.count;
    }

    pub fn is_relevant(&self) -> bool {
        self.concerns_us
    }

    pub fn touches_managed(&self) -> bool {
        self.touches_ours
    }

    pub fn touches(&self, set: &SetPath) -> bool {
        match &self.sets {
            Sets::Named(sets) => sets.contains(set),
            Sets::Any => true,
        }
    }
}

/// Whether a change is to a chain whose rules tell of Docker.
fn reveals_docker(notified: &ObjectChange, table: &TablePath) -> bool {
    let (ObjectKind::Chain | ObjectKind::Rule, Some(chain)) = (notified.kind, &notified.name)
    else {
        return false;
    };
    is_docker_chain(&ChainPath { table: table.clone(), chain: chain.as_ref().into() })
}

/// `added chain ip nat WEB, deleted 2 rules in ip nat PREROUTING and 3 other changes`
impl fmt::Display for ChangeSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, place) in self.places.iter().enumerate() {
            let separator = if i == 0 { "" } else { ", " };
            write!(f, "{separator}{place}")?;
        }
        match (self.places.is_empty(), self.others) {
            (true, 0) => write!(f, "changed nothing"),
            (false, 0) => Ok(()),
            (true, others) => write!(f, "made {}", counted(others, "other change")),
            (false, others) => write!(f, " and made {}", counted(others, "other change")),
        }
    }
}

/// `added chain ip nat WEB`, `added 1 and deleted 2 rules in ip nat PREROUTING`
impl fmt::Display for TouchedObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            ObjectKind::Table => "table",
            ObjectKind::Chain => "chain",
            ObjectKind::Set => "set",
            ObjectKind::Object => "object",
            ObjectKind::Flowtable => "flowtable",
            ObjectKind::Rule => return self.write_counted(f, "rule"),
            ObjectKind::Element => return self.write_counted(f, "element"),
        };
        match (self.added, self.deleted) {
            (_, 0) => write!(f, "added {what} ")?,
            (0, _) => write!(f, "deleted {what} ")?,
            // What comes before a deletion is forgotten with it.
            _ => write!(f, "replaced {what} ")?,
        }
        self.write_path(f)
    }
}

impl TouchedObject {
    fn is_at(&self, kind: ObjectKind, table: &TablePath, name: Option<&str>) -> bool {
        self.kind == kind && self.table == *table && self.name.as_deref() == name
    }

    /// Whether it is told by what was deleted, because it is that, or was in it.
    fn is_superseded_by(&self, deleted: &ObjectChange, table: &TablePath) -> bool {
        let name = deleted.name.as_deref();
        match deleted.kind {
            ObjectKind::Table => self.table == *table,
            ObjectKind::Chain if self.is_at(ObjectKind::Rule, table, name) => true,
            ObjectKind::Set if self.is_at(ObjectKind::Element, table, name) => true,
            kind => self.is_at(kind, table, name),
        }
    }

    fn write_counted(&self, f: &mut fmt::Formatter<'_>, what: &str) -> fmt::Result {
        match (self.added, self.deleted) {
            (added, 0) => write!(f, "added {}", counted(added, what))?,
            (0, deleted) => write!(f, "deleted {}", counted(deleted, what))?,
            (added, deleted) => write!(f, "added {added} and deleted {}", counted(deleted, what))?,
        }
        write!(f, " in ")?;
        self.write_path(f)
    }

    /// Names may have any characters.
    fn write_path(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.table.family, self.table.table.escape_debug())?;
        match &self.name {
            Some(name) => write!(f, " {}", name.escape_debug()),
            None => Ok(()),
        }
    }
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}
