//! The elements of a set, formatted one by one as they are written.

use std::fmt;
use std::io::{self, Write};

use anstyle::Style;
use dwnl::model::{Interval, SetKind};
use serde::{Serialize, Serializer};

/// Elements of a set.
#[derive(Clone, Copy, Debug)]
pub struct Elements<'a> {
    /// The elements, sorted.
    list: &'a [Interval],
    /// The elements to omit, sorted.
    without: &'a [Interval],
    /// What they are.
    kind: SetKind,
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
        (!kind.is_dynamic()).then_some(Elements { list, without, kind })
    }

    fn iter(self) -> impl Iterator<Item = Interval> + 'a {
        Interval::difference(self.list, self.without)
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
            writeln!(out, "{style}{before}{}{style:#}{after}", Element(element, self.kind))?;
        }
        Ok(())
    }
}

impl Serialize for Elements<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(|element| Element(element, self.kind)))
    }
}

struct Element(Interval, SetKind);

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Element(element, kind) = self;
        match (element.display_service(*kind), kind.version()) {
            (Some(service), _) => write!(f, "{service}"),
            (None, Some(version)) => write!(f, "{}", element.display(version)),
            (None, None) => write!(f, "{}", element.display_seconds()),
        }
    }
}

impl Serialize for Element {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
