//! The elements of a set, formatted one by one as they are written.

use std::io::{self, Write};

use anstyle::Style;
use dwnl::model::{Interval, IpVersion, SetKind};
use serde::{Serialize, Serializer};

/// Elements of a set of one family.
#[derive(Clone, Copy, Debug)]
pub struct Elements<'a> {
    /// The elements, sorted.
    list: &'a [Interval],
    /// The elements to omit, sorted.
    without: &'a [Interval],
    /// The IP version of their addresses.
    version: IpVersion,
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
        kind.version().map(|version| Elements { list, without, version })
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
            writeln!(out, "{style}{before}{}{style:#}{after}", element.display(self.version))?;
        }
        Ok(())
    }
}

impl Serialize for Elements<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(|element| Element(element, self.version)))
    }
}

struct Element(Interval, IpVersion);

impl Serialize for Element {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.display(self.1))
    }
}
