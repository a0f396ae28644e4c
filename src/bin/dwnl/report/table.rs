//! Tables for a terminal: columns two spaces apart, below dimmed headings.

use std::io::{self, Write};

use anstyle::Style;
use unicode_width::UnicodeWidthStr;

use super::style::REMARK;

/// The space between two columns.
const GAP: &str = "  ";

/// A column: its heading, and whether its cells are numbers, which are aligned to the right.
#[derive(Clone, Copy, Debug)]
pub struct Column(pub &'static str, pub bool);

/// A table. Each row has one cell for each column.
pub struct Table<const N: usize> {
    columns: [Column; N],
    rows: Vec<[Cell; N]>,
}

/// A text with a style.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    pub text: String,
    pub style: Style,
}

impl From<String> for Cell {
    fn from(text: String) -> Cell {
        Cell { text, style: Style::new() }
    }
}

impl<const N: usize> Table<N> {
    /// A table with these rows.
    pub fn new(columns: [Column; N], rows: Vec<[Cell; N]>) -> Table<N> {
        Table { columns, rows }
    }

    /// How many columns of the terminal remain for a column if the table may have this width.
    pub fn room(&self, column: usize, width: usize) -> usize {
        let others = (0..N).filter(|other| *other != column && self.is_used(*other));
        let others: usize = others.map(|other| self.width(other) + GAP.len()).sum();
        width.saturating_sub(others)
    }

    /// Writes the headings and the rows. A column without any text is left out.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let used: Vec<usize> = (0..N).filter(|column| self.is_used(*column)).collect();
        let widths = std::array::from_fn(|column| self.width(column));
        let headings = self.columns.map(|column| Cell { text: column.0.to_owned(), style: REMARK });
        for row in std::iter::once(&headings).chain(&self.rows) {
            self.write_row(out, row, &used, &widths)?;
        }
        Ok(())
    }

    fn write_row(
        &self,
        out: &mut dyn Write,
        row: &[Cell; N],
        used: &[usize],
        widths: &[usize; N],
    ) -> io::Result<()> {
        // No blanks at the end of a line.
        let end = used.iter().rposition(|column| !row[*column].text.is_empty()).unwrap_or(0);
        for (position, column) in used.iter().enumerate().take(end + 1) {
            let Cell { text, style } = &row[*column];
            let blanks = " ".repeat(widths[*column] - text.width());
            let gap = if position == 0 { "" } else { GAP };
            match (self.columns[*column].1, position == end) {
                (true, _) => write!(out, "{gap}{blanks}{style}{text}{style:#}")?,
                (false, true) => write!(out, "{gap}{style}{text}{style:#}")?,
                (false, false) => write!(out, "{gap}{style}{text}{style:#}{blanks}")?,
            }
        }
        writeln!(out)
    }

    fn is_used(&self, column: usize) -> bool {
        self.rows.iter().any(|row| !row[column].text.is_empty())
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().map(|row| row[column].text.width());
        cells.chain([self.columns[column].0.width()]).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_support::plain;
    use super::*;

    #[test]
    fn numbers_are_aligned_to_the_right_and_unused_columns_left_out() {
        let row = |a: &str, b: &str, c: &str, d: &str| {
            [a, b, c, d].map(|text| Cell::from(text.to_owned()))
        };
        let rows = vec![row("1", "a", "", "x"), row("1,234", "日本", "", "")];
        let columns =
            [Column("no", true), Column("b", false), Column("c", false), Column("d", false)];
        let table = Table::new(columns, rows);
        assert_eq!(table.room(1, 20), 20 - 5 - 1 - 2 * 2);
        assert_eq!(plain(|out| table.write(out)), "   no  b     d\n    1  a     x\n1,234  日本\n");
    }
}
