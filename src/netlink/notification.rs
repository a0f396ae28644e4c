//! Notifications of a commit: a message for each object that it has changed, then the new generation.

use std::borrow::Cow;

use super::attribute::Attributes;
use super::message::Message;
use super::object::decode_generation;
use super::set::is_interval_end;
use super::uapi::{self, element_list, flowtable, message, object};
use crate::model::Family;

/// One message of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Notification<'a> {
    /// An object was added or deleted.
    Change(ObjectChange<'a>),
    /// The commit has no more messages.
    NewGeneration {
        /// The generation after the commit.
        generation: u32,
        /// The thread that has sent the batch: its ID and its name.
        process: Option<(u32, Cow<'a, str>)>,
    },
}

/// An object that was added or deleted; one that was changed in place counts as added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ObjectChange<'a> {
    /// What it is.
    pub kind: ObjectKind,
    /// Whether it was added.
    pub is_added: bool,
    /// The family of its table; `None` if dwnl does not work in it.
    pub family: Option<Family>,
    /// Its table.
    pub table: Cow<'a, str>,
    /// Its own name; of a rule the chain's, of elements the set's, of a table none.
    pub name: Option<Cow<'a, str>>,
    /// How many rules or elements it is.
    pub count: usize,
}

/// What can be added or deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ObjectKind {
    Table,
    Chain,
    Rule,
    Set,
    Element,
    Object,
    Flowtable,
}

/// The content of a message of nf_tables; `None` if it is not understood.
pub(crate) fn decode_notification<'a>(message: &Message<'a>) -> Option<Notification<'a>> {
    match message.nft()? {
        libc::NFT_MSG_NEWGEN => decode_end(message.attributes()),
        kind => decode_change(message, kind).map(Notification::Change),
    }
}

fn decode_end(attributes: Attributes) -> Option<Notification> {
    use uapi::generation::{PROCESS_ID, PROCESS_NAME};
    let id = attributes.clone().find(PROCESS_ID).and_then(|id| id.be_u32());
    let name = attributes.clone().find(PROCESS_NAME).map(|name| name.string());
    Some(Notification::NewGeneration {
        generation: decode_generation(attributes)?,
        process: id.zip(name),
    })
}

fn decode_change<'a>(message: &Message<'a>, kind: i32) -> Option<ObjectChange<'a>> {
    let (kind, is_added) = match kind {
        libc::NFT_MSG_NEWTABLE => (ObjectKind::Table, true),
        libc::NFT_MSG_DELTABLE => (ObjectKind::Table, false),
        libc::NFT_MSG_NEWCHAIN => (ObjectKind::Chain, true),
        libc::NFT_MSG_DELCHAIN => (ObjectKind::Chain, false),
        libc::NFT_MSG_NEWRULE => (ObjectKind::Rule, true),
        libc::NFT_MSG_DELRULE => (ObjectKind::Rule, false),
        libc::NFT_MSG_NEWSET => (ObjectKind::Set, true),
        libc::NFT_MSG_DELSET => (ObjectKind::Set, false),
        libc::NFT_MSG_NEWSETELEM => (ObjectKind::Element, true),
        libc::NFT_MSG_DELSETELEM => (ObjectKind::Element, false),
        libc::NFT_MSG_NEWOBJ => (ObjectKind::Object, true),
        libc::NFT_MSG_DELOBJ => (ObjectKind::Object, false),
        message::NEW_FLOWTABLE => (ObjectKind::Flowtable, true),
        message::DELETE_FLOWTABLE => (ObjectKind::Flowtable, false),
        _ => return None,
    };
    let attributes = message.attributes();
    let (table, name) = kind.address();
    let text = |number| attributes.clone().find(number).map(|name| name.string());
    let name = match name {
        Some(number) => Some(text(number)?),
        None => None,
    };
    let count = if kind == ObjectKind::Element { elements(&attributes) } else { 1 };
    Some(ObjectChange {
        kind,
        is_added,
        family: message.family(),
        table: text(table)?,
        name,
        count,
    })
}

impl ObjectKind {
    /// Whether a chain or set has many of them, so that only their number is reported.
    pub fn is_counted(self) -> bool {
        matches!(self, ObjectKind::Rule | ObjectKind::Element)
    }

    /// The attributes that hold the names of its table and of what it is, or is in.
    fn address(self) -> (u16, Option<u16>) {
        match self {
            ObjectKind::Table => (uapi::table::NAME, None),
            ObjectKind::Chain => (uapi::chain::TABLE, Some(uapi::chain::NAME)),
            ObjectKind::Rule => (uapi::rule::TABLE, Some(uapi::rule::CHAIN)),
            ObjectKind::Set => (uapi::set::TABLE, Some(uapi::set::NAME)),
            ObjectKind::Element => (element_list::TABLE, Some(element_list::SET)),
            ObjectKind::Object => (object::TABLE, Some(object::NAME)),
            ObjectKind::Flowtable => (flowtable::TABLE, Some(flowtable::NAME)),
        }
    }
}

/// The number of elements in a message; the end of an interval does not count.
fn elements(attributes: &Attributes) -> usize {
    let list = attributes.clone().find(element_list::ELEMENTS);
    let elements = list.into_iter().flat_map(|list| list.nested());
    elements.filter(|element| !is_interval_end(element)).count()
}
