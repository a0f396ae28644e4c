//! The part of a line that a diagnostic shows.

use std::iter;
use std::ops::Range;

use crate::model::is_invisible;

/// Maximum number of characters shown before the error, and from there on.
const CONTEXT: usize = 80;

/// The line around `span` (in bytes), safe to print.
pub(super) fn excerpt(line: &str, span: &Range<usize>) -> String {
    let before = line.get(..span.start).unwrap_or(line);
    let rest = line.get(span.start..).unwrap_or_default();
    // With the ellipsis in front, the error still begins after CONTEXT characters.
    let omitted = before.char_indices().nth_back(CONTEXT).is_some();
    let lead = match before.char_indices().nth_back(CONTEXT - 2) {
        Some((start, _)) if omitted => before.get(start..).unwrap_or(before),
        _ => before,
    };
    let mark = |present: bool| present.then_some('…');
    let tail = rest.chars().take(CONTEXT);
    iter::empty()
        .chain(mark(omitted))
        .chain(lead.chars().chain(tail).map(visible))
        .chain(mark(rest.chars().nth(CONTEXT).is_some()))
        .collect()
}

/// The number of characters of the excerpt before the error, which is at `column` of the line.
pub(super) fn column(column: u32) -> usize {
    usize::try_from(column.saturating_sub(1)).unwrap_or(CONTEXT).min(CONTEXT)
}

/// The character, or a visible replacement if it is invisible or could control a terminal. Each
/// replacement takes one column.
fn visible(c: char) -> char {
    match c {
        '\t' => c,
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('�'),
        '\x7f' => '␡',
        _ if is_invisible(c) => '�',
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_line_is_shown_whole() {
        assert_eq!(excerpt("a = 1", &(4..5)), "a = 1");
        assert_eq!(excerpt("", &(0..0)), "");
    }

    #[test]
    fn a_long_line_is_cut_on_both_sides_of_the_column() {
        let line = format!("{}!{}", "ä".repeat(500), "b".repeat(500));
        let shown = excerpt(&line, &(1000..1001));
        assert_eq!(shown, format!("…{}!{}…", "ä".repeat(79), "b".repeat(79)));
        assert_eq!(shown.chars().nth(column(501)), Some('!'));
    }

    #[test]
    fn a_line_that_just_fits_is_not_cut() {
        let line = format!("{}!{}", "a".repeat(80), "b".repeat(79));
        assert_eq!(excerpt(&line, &(80..81)), line);
        assert_eq!(line.chars().nth(column(81)), Some('!'));
    }

    #[test]
    fn control_characters_take_one_column_each() {
        assert_eq!(excerpt("\0\t\x1b[1m\x7f\u{85}\u{202e}", &(0..1)), "␀\t␛[1m␡��");
    }
}
