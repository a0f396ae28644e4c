//! Positions in a document of any shape: one line of 64 MiB as well as a line for each value. An index
//! of all lines could need eight times the memory of the document, so the lines are counted on the way.

use std::ops::Range;
use std::sync::Arc;

use crate::model::Location;
use crate::policy::Diagnostic;
use crate::policy::diag::{Issue, count_chars, diagnose, saturate};

/// A place in a text that moves forwards.
pub(super) struct Cursor<'t> {
    file: &'t Arc<str>,
    text: &'t str,
    offset: usize,
    line_start: usize,
    /// Lines before the offset.
    lines: usize,
    /// Characters before the offset in its line.
    chars: usize,
}

/// Number of bytes around a place that an excerpt may show; more than it does.
const WINDOW: usize = 1024;

impl<'t> Cursor<'t> {
    /// A cursor at the beginning.
    pub fn new(text: &'t str, file: &'t Arc<str>) -> Cursor<'t> {
        Cursor { file, text, offset: 0, line_start: 0, lines: 0, chars: 0 }
    }

    /// The name of the file.
    pub fn file(&self) -> &'t str {
        self.file
    }

    /// The offset of a part of the text.
    pub fn offset_of(&self, part: &str) -> usize {
        part.as_ptr().addr().saturating_sub(self.text.as_ptr().addr())
    }

    /// The offset of a line, from 1, and a column in bytes; at most the end of the text.
    pub fn offset_at(&self, line: usize, column: usize) -> usize {
        let feeds = self.text.match_indices('\n').map(|(offset, _)| offset + 1);
        let start = std::iter::once(0).chain(feeds).nth(line.saturating_sub(1)).unwrap_or(0);
        let offset = (start + column.saturating_sub(1)).min(self.text.len());
        (0..=offset).rev().find(|offset| self.text.is_char_boundary(*offset)).unwrap_or(0)
    }

    /// The position of an offset. It takes as long as what lies between it and the last one, if that is
    /// before it.
    pub fn location(&mut self, offset: usize) -> Location {
        if offset < self.offset {
            *self = Cursor::new(self.text, self.file);
        }
        let between = self.text.as_bytes().get(self.offset..offset).unwrap_or_default();
        match between.iter().rposition(|byte| *byte == b'\n') {
            Some(last) => {
                self.lines += between.iter().filter(|byte| **byte == b'\n').count();
                self.line_start = self.offset + last + 1;
                self.chars = count_chars(between.get(last + 1..).unwrap_or_default());
            }
            None => self.chars += count_chars(between),
        }
        self.offset = offset;
        Location {
            file: self.file.clone(),
            line: saturate(self.lines + 1),
            column: saturate(self.chars + 1),
        }
    }

    /// The issue at its position, with what is around it in the line.
    pub fn diagnostic(&mut self, span: Range<usize>, issue: Issue) -> Diagnostic {
        let at = self.location(span.start);
        let start = self.boundary(self.line_start.max(span.start.saturating_sub(WINDOW)));
        let end = self.boundary(self.text.len().min(span.start + WINDOW));
        let window = self.text.get(start..end).unwrap_or_default();
        let before = span.start - start;
        let line_end = window.get(before..).and_then(|rest| rest.find(['\r', '\n']));
        let line_end = line_end.map_or(window.len(), |length| before + length);
        let line = window.get(..line_end).unwrap_or_default();
        let wrong = before..(span.end.saturating_sub(start)).min(line.len()).max(before);
        diagnose(at, line, wrong, issue)
    }

    /// The first boundary of a character from the offset on.
    fn boundary(&self, offset: usize) -> usize {
        (offset..self.text.len()).find(|it| self.text.is_char_boundary(*it)).unwrap_or(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_counted_forwards_and_backwards() {
        let text = format!("ä\r\n{}x\n\ny", "ö".repeat(5000));
        let file: Arc<str> = "f".into();
        let mut cursor = Cursor::new(&text, &file);
        let mut position = |offset| cursor.location(offset).to_string();
        assert_eq!(position(0), "f:1:1");
        assert_eq!(position(4), "f:2:1");
        assert_eq!(position(6), "f:2:2");
        assert_eq!(position(10_004), "f:2:5001");
        assert_eq!(position(10_007), "f:4:1");
        assert_eq!(position(2), "f:1:2");
        assert_eq!(position(10_008), "f:4:2");
    }

    #[test]
    fn an_excerpt_is_of_one_line_and_short() {
        let text = format!("[\"{}\",\n\"wrong\", \"{}\"\r\n]", "ä".repeat(3000), "ö".repeat(3000));
        let file: Arc<str> = "f".into();
        let mut cursor = Cursor::new(&text, &file);
        let start = text.find("\"wrong").expect("it");
        let found = cursor.diagnostic(start..start + 7, Issue::new("m"));
        assert!(found.excerpt.starts_with("\"wrong\", \"öö"), "{}", found.excerpt);
        assert_eq!((found.width, found.excerpt.chars().count()), (7, 81));
        let found = cursor.diagnostic(text.len() - 1..text.len(), Issue::new("m"));
        assert_eq!((found.excerpt.as_str(), found.width), ("]", 1));
        let found = cursor.diagnostic(5002..5006, Issue::new("m"));
        assert!(found.excerpt.starts_with("…ää") && found.width == 2, "{}", found.excerpt);
        assert_eq!(cursor.offset_at(2, 2), start + 1);
        assert_eq!(cursor.offset_at(99, 1), 0);
        assert_eq!(cursor.offset_at(3, 100), text.len());
    }
}
