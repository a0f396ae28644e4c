//! Summarises what a commit touched in bounded memory: the first objects by name, the others by number.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::docker::is_docker_chain;
use crate::model::{ChainPath, GrantSet, Ownership, Ruleset, SetPath, TablePath};
use crate::netlink::{ObjectChange, ObjectKind};

/// Maximum number of objects that are recorded by name, and of tables with others.
const OBJECTS_MAX: usize = 16;
/// Maximum number of dwnl's sets that are recorded; a commit that touches more may have touched any.
const SETS_MAX: usize = 64;

/// The tables in which changes are relevant.
#[derive(Clone)]
pub(super) struct WatchedTables {
    /// Those that dwnl works in.
    tables: Vec<TablePath>,
    /// Those among them that dwnl owns exclusively.
    own: Vec<TablePath>,
    /// The chains in other tables that hold dwnl's rules.
    chains: Vec<Arc<ChainPath>>,
}

impl WatchedTables {
    /// The tables of the managed objects.
    pub fn of(managed: &Ruleset) -> WatchedTables {
        let own = managed.owned_tables.clone();
        let tables = managed.tables().into_iter().chain(&own).cloned().collect();
        let chains = managed.chains.iter().filter(|chain| chain.ownership != Ownership::Referenced);
        let chains = chains.map(|chain| Arc::clone(&chain.path)).collect();
        WatchedTables { tables, own, chains }
    }

    /// Whether a change touches what dwnl installed, or something that contains it.
    fn is_managed(&self, change: &ObjectChange, table: &TablePath) -> bool {
        if self.own.contains(table) {
            return true;
        }
        let is_there = |path: &Arc<ChainPath>| {
            path.table == *table && change.name.as_deref() == Some(path.chain.as_ref())
        };
        match change.kind {
            ObjectKind::Table => self.tables.contains(table),
            ObjectKind::Chain | ObjectKind::Rule => self.chains.iter().any(is_there),
            _ => false,
        }
    }
}

/// What a commit touched.
#[derive(Clone, Debug, Default)]
pub(super) struct ChangeSummary {
    objects: Vec<TouchedObject>,
    /// The number of changes to other objects, by table.
    others_by_table: Vec<(TablePath, usize)>,
    /// The number of changes to further objects, of which not even the table is recorded.
    others: usize,
    is_relevant: bool,
    touches_managed: bool,
    sets: Sets,
}

/// Which of dwnl's sets it touched.
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

/// An object that was touched, and how often.
#[derive(Clone, Debug)]
struct TouchedObject {
    kind: ObjectKind,
    table: TablePath,
    name: Option<Box<str>>,
    added: usize,
    deleted: usize,
}

impl ChangeSummary {
    /// Adds a change.
    pub fn add(&mut self, change: &ObjectChange, watched: &WatchedTables) {
        let Some(family) = change.family else {
            self.others += change.count;
            return;
        };
        let table = TablePath { family, table: change.table.as_ref().into() };
        if is_grant(change) && watched.own.contains(&table) {
            return self.count(change, table);
        }
        self.is_relevant |= watched.tables.contains(&table) || reveals_docker(change, &table);
        self.touches_managed |= watched.is_managed(change, &table);
        if watched.own.contains(&table) {
            self.touch_set(change, &table);
        }
        self.count(change, table);
    }

    /// Adds a message that could not be decoded: it may be any change.
    pub fn add_unknown(&mut self) {
        self.others += 1;
        self.is_relevant = true;
        self.touches_managed = true;
        self.sets = Sets::Any;
    }

    fn touch_set(&mut self, change: &ObjectChange, table: &TablePath) {
        let Sets::Named(sets) = &mut self.sets else { return };
        match (change.kind, &change.name) {
            (ObjectKind::Set | ObjectKind::Element, Some(name)) if sets.len() < SETS_MAX => {
                sets.insert(SetPath { table: table.clone(), set: name.as_ref().into() });
            }
            (ObjectKind::Table | ObjectKind::Set | ObjectKind::Element, _) => self.sets = Sets::Any,
            _ => {}
        }
    }

    fn count(&mut self, change: &ObjectChange, table: TablePath) {
        if !change.is_added && !change.kind.is_counted() {
            self.objects.retain(|object| !object.is_superseded_by(change, &table));
            if change.kind == ObjectKind::Table {
                self.others_by_table.retain(|(other, _)| *other != table);
            }
        }
        let name = change.name.as_deref();
        let is_same = |object: &TouchedObject| object.is_at(change.kind, &table, name);
        let end = self.objects.len();
        let index = self.objects.iter().rposition(is_same).unwrap_or(end);
        if index == end && end < OBJECTS_MAX {
            self.objects.push(TouchedObject {
                kind: change.kind,
                table: table.clone(),
                name: name.map(Box::from),
                added: 0,
                deleted: 0,
            });
        }
        let count = match self.objects.get_mut(index) {
            Some(object) if change.is_added => &mut object.added,
            Some(object) => &mut object.deleted,
            None => self.others_in(table),
        };
        *count += change.count;
    }

    /// The number of changes in a table that are not recorded by name.
    fn others_in(&mut self, table: TablePath) -> &mut usize {
        let end = self.others_by_table.len();
        let index = self.others_by_table.iter().position(|(other, _)| *other == table);
        if index.is_none() && end < OBJECTS_MAX {
            self.others_by_table.push((table, 0));
        }
        match self.others_by_table.get_mut(index.unwrap_or(end)) {
            Some((_, others)) => others,
            None => &mut self.others,
        }
    }

    fn others(&self) -> usize {
        self.others + self.others_by_table.iter().map(|(_, count)| count).sum::<usize>()
    }

    pub fn is_relevant(&self) -> bool {
        self.is_relevant
    }

    pub fn touches_managed(&self) -> bool {
        self.touches_managed
    }

    pub fn touches(&self, set: &SetPath) -> bool {
        match &self.sets {
            Sets::Named(sets) => sets.contains(set),
            Sets::Any => true,
        }
    }
}

/// Whether a change is to the elements of a set of grants or bans, which concern no policy.
fn is_grant(change: &ObjectChange) -> bool {
    let set = change.name.as_deref().and_then(GrantSet::named);
    change.kind == ObjectKind::Element && set.is_some()
}

/// Whether a change is to a chain from whose rules Docker's ports and bridges are discovered.
fn reveals_docker(change: &ObjectChange, table: &TablePath) -> bool {
    let (ObjectKind::Chain | ObjectKind::Rule, Some(chain)) = (change.kind, &change.name) else {
        return false;
    };
    is_docker_chain(&ChainPath { table: table.clone(), chain: chain.as_ref().into() })
}

/// `added chain ip nat WEB, deleted 2 rules in ip nat PREROUTING and 3 other changes`
impl fmt::Display for ChangeSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, object) in self.objects.iter().enumerate() {
            let separator = if i == 0 { "" } else { ", " };
            write!(f, "{separator}{object}")?;
        }
        match (self.objects.is_empty(), self.others()) {
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
            // `count` drops what came before a deletion.
            _ => write!(f, "replaced {what} ")?,
        }
        self.write_path(f)
    }
}

impl TouchedObject {
    fn is_at(&self, kind: ObjectKind, table: &TablePath, name: Option<&str>) -> bool {
        self.kind == kind && self.table == *table && self.name.as_deref() == name
    }

    /// Whether a deletion makes it superfluous, because it is the deleted object or was in it.
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

    /// Names may contain any character.
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
