//! Breaks long lines between words, for a terminal. A line is continued below its last column, so that a
//! label or the numbers of a table stand out.

use std::io::{self, Write};
use std::os::fd::AsFd;

use terminal_size::{Width, terminal_size_of};
use unicode_width::UnicodeWidthChar;

/// The least width for which lines are broken.
const WIDTH_MIN: usize = 40;

/// The width of the terminal that a stream goes to; `None` if it goes elsewhere.
pub fn terminal_width(stream: impl AsFd) -> Option<usize> {
    let (Width(width), _) = terminal_size_of(stream)?;
    Some(usize::from(width)).filter(|width| *width >= WIDTH_MIN)
}

/// Breaks the lines that are written to a stream.
pub struct Wrapping<W: Write> {
    stream: W,
    /// `None`: lines are not broken.
    width: Option<usize>,
    line: Vec<u8>,
}

impl<W: Write> Wrapping<W> {
    /// For a terminal of this width; `None`: lines are not broken.
    pub fn new(stream: W, width: Option<usize>) -> Wrapping<W> {
        Wrapping { stream, width, line: Vec::new() }
    }
}

impl<W: Write> Write for Wrapping<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(width) = self.width else { return self.stream.write(bytes) };
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                let line = String::from_utf8_lossy(&self.line);
                self.stream.write_all(wrapped(&line, width).as_bytes())?;
                self.line.clear();
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let rest = std::mem::take(&mut self.line);
        self.stream.write_all(&rest)?;
        self.stream.flush()
    }
}

/// A line with its end, on as many lines as it needs. ANSI styles have no width.
fn wrapped(line: &str, width: usize) -> String {
    let words = line.split_inclusive(' ');
    let indent = indent(line, width);
    let (mut text, mut column) = (String::with_capacity(line.len()), 0);
    for word in words {
        let visible = visible(word.trim_end());
        if column > indent && column + visible > width && visible > 0 {
            text.truncate(text.trim_end_matches(' ').len());
            text.push('\n');
            text.extend(std::iter::repeat_n(' ', indent));
            column = indent;
        }
        text.push_str(word);
        column += visible + word.len() - word.trim_end().len();
    }
    text
}

/// Where a line is continued: at the last text that follows two spaces in the left half, else two
/// columns further to the right than the line begins.
fn indent(line: &str, width: usize) -> usize {
    let start = visible(line) - visible(line.trim_start_matches(' '));
    let (mut column, mut spaces, mut found) = (0, 0, None);
    for_each_visible(line.trim_end(), |char| {
        if char != ' ' && spaces >= 2 && column > start && column <= width / 2 {
            found = Some(column);
        }
        spaces = if char == ' ' { spaces + 1 } else { 0 };
        column += char.width().unwrap_or(0);
    });
    found.unwrap_or(start + 2)
}

/// The columns that a text takes on a terminal.
fn visible(text: &str) -> usize {
    let mut columns = 0;
    for_each_visible(text, |char| columns += char.width().unwrap_or(0));
    columns
}

/// Calls a function for the characters outside of ANSI styles (`ESC [ ... m`).
fn for_each_visible(text: &str, mut function: impl FnMut(char)) {
    let mut is_style = false;
    for char in text.chars() {
        match char {
            '\x1b' => is_style = true,
            'm' if is_style => is_style = false,
            _ if is_style => {}
            char => function(char),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_continued_below_its_text() {
        let line = "limit:     later ports are open until the next apply of the policy\n";
        let expected = "\
limit:     later ports are open until the
           next apply of the policy
";
        assert_eq!(wrapped(line, 42), expected);
        assert_eq!(wrapped(line, 80), line);
    }

    #[test]
    fn a_line_without_columns_is_indented() {
        let line = "  web 443/tcp: 192.0.2.1 and 192.0.2.2 gain access\n";
        let expected = "  web 443/tcp: 192.0.2.1 and 192.0.2.2\n    gain access\n";
        assert_eq!(wrapped(line, 40), expected);
        let word = "x".repeat(50);
        assert_eq!(wrapped(&format!("abc {word}\n"), 40), format!("abc\n  {word}\n"));
        assert_eq!(wrapped(&format!("{word}\n"), 40), format!("{word}\n"));
    }

    #[test]
    fn styles_have_no_width() {
        let line = format!("\x1b[1mlabel:\x1b[0m  {}\n", "word ".repeat(8).trim_end());
        let expected = format!(
            "\x1b[1mlabel:\x1b[0m  {}\n        {}\n",
            "word ".repeat(6).trim_end(),
            "word word"
        );
        assert_eq!(wrapped(&line, 40), expected);
    }

    #[test]
    fn what_does_not_go_to_a_terminal_is_not_broken() {
        let line = format!("{}\nend", "word ".repeat(100));
        for width in [None, Some(1000)] {
            let mut written = Wrapping::new(Vec::new(), width);
            written.write_all(line.as_bytes()).and_then(|()| written.flush()).expect("memory");
            assert_eq!(String::from_utf8(written.stream).expect("UTF-8"), line);
        }
    }
}
