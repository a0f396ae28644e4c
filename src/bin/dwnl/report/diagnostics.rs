//! Errors and warnings on standard error.

use std::io::{self, Write};

use dwnl::policy::Diagnostics;
use serde::Serialize;

use super::count::Count;
use super::format::Escaped;
use super::style::{ERROR, HEADING, WARNING};
use crate::state::Fallback;

/// An operation that failed, as JSON.
#[derive(Debug, Serialize)]
pub struct Failure<'a> {
    /// The error, as on standard error.
    pub error: &'a str,
}

/// Writes an error as one line.
pub fn write_error(out: &mut dyn Write, message: &str) -> io::Result<()> {
    writeln!(out, "{ERROR}error:{ERROR:#} {message}")
}

/// That the last valid policy replaces one with errors.
pub fn fallback_sentence(fallback: &Fallback) -> String {
    let Fallback { errors, source, applied_at } = fallback;
    let (errors, source) = (Count(errors.0.len(), "error"), Escaped(source.display()));
    format!(
        "policy has {errors}; applying the last valid policy instead, from {source}, first applied \
         {applied_at}"
    )
}

/// Writes a warning as one line.
pub fn write_warning(out: &mut dyn Write, message: &str) -> io::Result<()> {
    writeln!(out, "{WARNING}warning:{WARNING:#} {}", Escaped(message))
}

/// Writes all errors of a policy. Their first lines are bold, and the underlines of excerpts red. A
/// file that cannot be read has no position, so it is labelled as an error.
pub fn write_diagnostics(out: &mut dyn Write, diagnostics: &Diagnostics) -> io::Result<()> {
    let text = diagnostics.to_string();
    match &diagnostics.0[..] {
        [only] if only.is_about_file() => write_error(out, &text),
        _ => write_paragraphs(out, &text),
    }
}

fn write_paragraphs(out: &mut dyn Write, text: &str) -> io::Result<()> {
    let mut is_first = true;
    for line in text.lines() {
        match line.find('^') {
            _ if is_first => writeln!(out, "{HEADING}{line}{HEADING:#}")?,
            // The line of an excerpt begins with its number, and its underline with a space.
            Some(carets) if line.starts_with(' ') => {
                let (before, carets) = line.split_at(carets);
                writeln!(out, "{before}{ERROR}{carets}{ERROR:#}")?;
            }
            _ => writeln!(out, "{line}")?,
        }
        is_first = line.is_empty();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::test_support::plain;
    use super::*;

    const ERRORS: &str = "\
p.toml:3:5: bad
  |
3 | x = ^
  |     ^
  = help: worse

p.toml:4:1: unknown key";

    #[test]
    fn errors_and_warnings_have_their_label() {
        assert_eq!(plain(|out| write_error(out, "it failed")), "error: it failed\n");
        assert_eq!(plain(|out| write_warning(out, "no effect")), "warning: no effect\n");
    }

    #[test]
    fn styles_do_not_change_the_text() {
        assert_eq!(plain(|out| write_paragraphs(out, ERRORS)), format!("{ERRORS}\n"));
    }

    #[test]
    fn first_lines_are_bold_and_underlines_are_red() {
        let mut out = Vec::new();
        write_paragraphs(&mut out, ERRORS).expect("a vector accepts all bytes");
        let styled = String::from_utf8(out).expect("UTF-8");
        let lines: Vec<&str> = styled.lines().filter(|line| line.contains('\u{1b}')).collect();
        assert_eq!(
            lines,
            [
                "\u{1b}[1mp.toml:3:5: bad\u{1b}[0m",
                "  |     \u{1b}[1m\u{1b}[31m^\u{1b}[0m",
                "\u{1b}[1mp.toml:4:1: unknown key\u{1b}[0m",
            ]
        );
    }
}
