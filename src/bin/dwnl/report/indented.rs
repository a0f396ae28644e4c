//! Details below a line of the log.

use std::io::{self, Write};

const INDENT: &[u8] = b"  ";

/// Writes each line with two spaces before it. Omits empty lines.
pub struct Indented<'a> {
    out: &'a mut dyn Write,
    is_line_start: bool,
}

impl<'a> Indented<'a> {
    /// Starts on a new line of `out`.
    pub fn new(out: &'a mut dyn Write) -> Indented<'a> {
        Indented { out, is_line_start: true }
    }
}

impl Write for Indented<'_> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            if self.is_line_start {
                if line == b"\n" {
                    continue;
                }
                self.out.write_all(INDENT)?;
            }
            self.out.write_all(line)?;
            self.is_line_start = line.ends_with(b"\n");
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_indented_once() {
        let mut out = Vec::new();
        let mut indented = Indented::new(&mut out);
        for part in ["a", "b\nc", "\n\n", "d\n", "\n"] {
            indented.write_all(part.as_bytes()).expect("a vector accepts all bytes");
        }
        assert_eq!(out, b"  ab\n  c\n  d\n");
    }
}
