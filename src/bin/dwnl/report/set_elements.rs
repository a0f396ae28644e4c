//! The elements of a set or a map, formatted one by one as they are written.

use std::fmt;
use std::io::{self, Write};

use anstyle::Style;
use dwnl::model::{Interval, PortMap, PortTarget, SetKind};
use serde::{Serialize, Serializer};

/// What a set or a map holds, as nft writes it.
#[derive(Clone, Copy, Debug)]
pub enum Definition {
    Set(SetKind),
    /// A map from ports to chains.
    Map,
}

impl Definition {
    /// What a set holds; `None` for a map.
    pub fn kind(self) -> Option<SetKind> {
        match self {
            Definition::Set(kind) => Some(kind),
            Definition::Map => None,
        }
    }
}

impl fmt::Display for Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Definition::Set(kind) => write!(f, "{kind}"),
            Definition::Map => f.write_str(PortMap::KIND),
        }
    }
}

/// Elements of a set or a map.
#[derive(Clone, Copy, Debug)]
pub enum Elements<'a> {
    Set {
        /// The elements, sorted.
        list: &'a [Interval],
        /// The elements to omit, sorted.
        without: &'a [Interval],
        /// What they are.
        kind: SetKind,
    },
    Map(&'a [PortTarget]),
}

impl<'a> Elements<'a> {
    /// All elements of a set; `None` if the kernel manages them.
    pub fn all(list: &'a [Interval], kind: SetKind) -> Option<Elements<'a>> {
        Elements::without(list, &[], kind)
    }

    /// The elements of a set that are not in another list.
    pub fn without(
        list: &'a [Interval],
        without: &'a [Interval],
        kind: SetKind,
    ) -> Option<Elements<'a>> {
        (!kind.is_dynamic()).then_some(Elements::Set { list, without, kind })
    }

    fn iter(self) -> Box<dyn Iterator<Item = Element<'a>> + 'a> {
        match self {
            Elements::Set { list, without, kind } => {
                let listed = Interval::difference(list, without);
                Box::new(listed.map(move |element| Element::Set(element, kind)))
            }
            Elements::Map(list) => Box::new(list.iter().map(Element::Map)),
        }
    }

    /// Writes a line for each element: `before`, the element and `after`.
    pub fn write_lines(
        self,
        out: &mut dyn Write,
        style: Style,
        before: &str,
        after: &str,
    ) -> io::Result<()> {
        for element in self.iter() {
            writeln!(out, "{style}{before}{element}{style:#}{after}")?;
        }
        Ok(())
    }
}

impl Serialize for Elements<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

enum Element<'a> {
    Set(Interval, SetKind),
    Map(&'a PortTarget),
}

impl fmt::Display for Element<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Element::Set(element, kind) => match (element.display_service(*kind), kind.version()) {
                (Some(service), _) => write!(f, "{service}"),
                (None, Some(version)) => write!(f, "{}", element.display(version)),
                (None, None) => write!(f, "{}", element.display_seconds()),
            },
            Element::Map(target) => write!(f, "{target}"),
        }
    }
}

impl Serialize for Element<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
