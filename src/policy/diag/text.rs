//! A text and the positions in it: byte offsets become lines and columns.

use std::ops::Range;
use std::sync::Arc;

use super::snippet::excerpt;
use super::{Diagnostic, Issue};
use crate::model::Location;

/// The text of one file, indexed so that an offset is resolved quickly, whether the text has one line
/// or a million.
pub(in crate::policy) struct Text<'t> {
    file: Arc<str>,
    text: &'t str,
    /// Where each line begins.
    lines: Vec<usize>,
    /// The number of characters that begin before each multiple of [`BLOCK`].
    blocks: Vec<usize>,
}

/// Maximum number of bytes scanned to find a column.
const BLOCK: usize = 1024;

impl<'t> Text<'t> {
    /// Indexes a text.
    pub fn new(file: Arc<str>, text: &'t str) -> Text<'t> {
        let feeds = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let lines = std::iter::once(0).chain(feeds.map(|(offset, _)| offset + 1)).collect();
        let counts = text.as_bytes().chunks(BLOCK).scan(0, |total, block| {
            let before = *total;
            *total += count_chars(block);
            Some(before)
        });
        Text { file, text, lines, blocks: counts.collect() }
    }

    /// The name of the file.
    pub fn file(&self) -> &Arc<str> {
        &self.file
    }

    /// The text of a span.
    pub fn get(&self, span: Range<usize>) -> &'t str {
        self.text.get(span).unwrap_or_default()
    }

    /// The span of the line that contains `offset`, without its line end.
    pub fn line_span(&self, offset: usize) -> Range<usize> {
        let number = self.line_number(offset);
        let start = self.line_start(number);
        let end = self.lines.get(number).map_or(self.text.len(), |next| next - 1);
        let line = self.get(start..end);
        start..start + line.strip_suffix('\r').unwrap_or(line).len()
    }

    /// The span of what follows the last line feed.
    pub fn last_line(&self) -> Range<usize> {
        self.line_start(self.lines.len())..self.text.len()
    }

    /// The span of the line below the line with this span.
    pub fn line_after(&self, line: &Range<usize>) -> Option<Range<usize>> {
        self.lines.get(self.line_number(line.end)).map(|start| self.line_span(*start))
    }

    /// The number of the line, from 1.
    pub fn line_number(&self, offset: usize) -> usize {
        self.lines.partition_point(|start| *start <= offset)
    }

    /// The position of an offset.
    pub fn location(&self, offset: usize) -> Location {
        let line = self.line_number(offset);
        let column = self.chars_before(offset) - self.chars_before(self.line_start(line)) + 1;
        Location { file: self.file.clone(), line: saturate(line), column: saturate(column) }
    }

    /// The span from a position to the end of its line; `None` if it is in another file.
    pub fn rest_of_line(&self, at: &Location) -> Option<Range<usize>> {
        if at.file != self.file {
            return None;
        }
        let line = self.line_span(self.line_start(usize::try_from(at.line).ok()?));
        let column = usize::try_from(at.column.saturating_sub(1)).ok()?;
        let before = self.get(line.clone()).char_indices().nth(column);
        Some(before.map_or(line.end, |(offset, _)| line.start + offset)..line.end)
    }

    /// The issue at its position. Of a span of several lines, the first is shown.
    pub fn diagnostic(&self, span: Range<usize>, issue: Issue) -> Diagnostic {
        let line = self.line_span(span.start);
        let start = span.start - line.start;
        let end = span.end.min(line.end).saturating_sub(line.start);
        diagnose(self.location(span.start), self.get(line), start..end, issue)
    }

    /// Where the line of this number begins.
    fn line_start(&self, number: usize) -> usize {
        number.checked_sub(1).and_then(|index| self.lines.get(index)).copied().unwrap_or(0)
    }

    fn chars_before(&self, offset: usize) -> usize {
        let block = offset / BLOCK;
        let (known, start) = match self.blocks.get(block) {
            Some(known) => (*known, block * BLOCK),
            None => (0, 0),
        };
        known + self.text.as_bytes().get(start..offset).map_or(0, count_chars)
    }
}

/// The text without the byte order mark with which some editors begin it.
pub(in crate::policy) fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// The issue at `span` (in bytes) of `line`.
pub(in crate::policy) fn diagnose(
    at: Location,
    line: &str,
    span: Range<usize>,
    issue: Issue,
) -> Diagnostic {
    let Issue { message, help } = issue;
    let excerpt = excerpt(line, &span);
    let width = line.get(span).map_or(0, |wrong| wrong.chars().count()).max(1);
    Diagnostic { at, message, help, excerpt, width }
}

/// The number as a [`Location`] holds it.
pub(in crate::policy) fn saturate(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The number of characters that begin in these bytes of UTF-8.
pub(in crate::policy) fn count_chars(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte & 0xc0 != 0x80).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_become_lines_and_columns() {
        let content = format!("ä = 1\r\n{}x\n", "ö".repeat(2000));
        let text = Text::new("p".into(), &content);
        let position = |offset| text.location(offset).to_string();
        assert_eq!(position(0), "p:1:1");
        assert_eq!(position(2), "p:1:2");
        assert_eq!(position(8), "p:2:1");
        assert_eq!(position(8 + 4000), "p:2:2001");
        assert_eq!(position(content.len()), "p:3:1");
        assert_eq!(text.get(text.line_span(3)), "ä = 1");
        assert_eq!(text.get(text.line_span(content.len())), "");
    }

    #[test]
    fn the_end_of_a_full_block_is_resolved() {
        let content = "x".repeat(BLOCK);
        assert_eq!(Text::new("p".into(), &content).location(BLOCK).column, 1025);
    }

    #[test]
    fn a_span_of_several_lines_is_shown_by_its_first() {
        let text = Text::new("p".into(), "a = [\n1]");
        let diagnostic = text.diagnostic(4..8, Issue::new("wrong"));
        assert_eq!((diagnostic.excerpt.as_str(), diagnostic.width), ("a = [", 1));
    }
}
