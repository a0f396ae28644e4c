//! The expected output: a text without colour, and with colour a picture, which the documentation shows.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anstyle_svg::Term;
use unicode_width::UnicodeWidthStr;

/// Set it to write the expected output instead of comparing it.
const UPDATE: &str = "DWNL_UPDATE_SCREENSHOTS";
const WIDTH: usize = 80;
const TIME: &str = "2026-01-09T08:35:07Z";

/// Whether the documentation has a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picture {
    Yes,
    No,
}

/// Compares the output of a command, without and with colour, with what is expected.
#[track_caller]
pub fn compare(name: &str, command: &str, [plain, coloured]: [String; 2], picture: Picture) {
    let (plain, coloured) = (masked(&plain), masked(&coloured));
    assert!(!plain.contains('\x1b'), "{name}: a style in the output without colour");
    assert_eq!(unstyled(&coloured), plain, "{name}: the styles change the text");
    let whole = format!("$ dwnl {command}\n{plain}");
    check(&root(&format!("tests/terminal/golden/{name}.txt")), &whole);
    let whole = format!("$ dwnl {command}\n{coloured}");
    check(&root(&format!("tests/terminal/golden/{name}.ansi")), &escaped(&whole));
    if picture == Picture::Yes {
        let svg = Term::new().min_width_px(720).render_svg(&whole);
        check(&root(&format!("docs/images/{name}.svg")), &format!("{svg}\n"));
    }
    for line in plain.lines() {
        assert!(line.width() <= WIDTH || !line.trim().contains(' '), "{name}: too wide: {line}");
    }
}

#[track_caller]
fn check(path: &Path, text: &str) {
    if env::var_os(UPDATE).is_some() {
        return fs::write(path, text).expect("to write");
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    assert!(
        expected == text,
        "{} differs (scripts/screenshots updates it)\n--- expected\n{expected}\n--- found\n{text}",
        path.display()
    );
}

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Styles as a text that an editor shows.
fn escaped(text: &str) -> String {
    text.replace('\x1b', "\\e")
}

pub fn unstyled(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

/// The text with the same times, process IDs and client's ports on every run.
fn masked(text: &str) -> String {
    let text = replaced(text, "dddd-dd-ddTdd:dd:ddZ", TIME);
    let text = replaced(&text, "dd:dd:dd.ddd", "08:35:07.120");
    let text = after(&text, "192.0.2.66:", "40000");
    let text = before(&text, " s\n", "1.2");
    let text = after(&text, "process ", "4711");
    let text = after(&text, "(pid ", "4711");
    let text = before(&text, " ms", "1.2");
    let text = before(&text, " s)", "1.2").replace("1.2 s)", "1.2 ms)");
    let text = text.replace(" in 1.2 ms\n", " in 1.2 s\n");
    let text: String =
        text.split_inclusive('\n').map(|line| with_age(&with_first_age(line))).collect();
    match (text.find("(logged in as "), text.find(" as root")) {
        (Some(_), Some(_)) => without_login(&text),
        _ => text,
    }
}

/// Replaces what has the form of a pattern, in which `d` is a digit, by a text.
fn replaced(text: &str, pattern: &str, by: &str) -> String {
    let is_there = |part: &str| {
        let mut pairs = pattern.chars().zip(part.chars());
        part.len() == pattern.len()
            && pairs
                .all(|(form, char)| if form == 'd' { char.is_ascii_digit() } else { form == char })
    };
    let found = text
        .char_indices()
        .find(|(index, _)| text.get(*index..index + pattern.len()).is_some_and(is_there));
    match found {
        Some((index, _)) => {
            let rest = replaced(&text[index + pattern.len()..], pattern, by);
            format!("{}{by}{rest}", &text[..index])
        }
        None => text.to_owned(),
    }
}

/// A line with the same age in its last column.
fn with_age(line: &str) -> String {
    let is_age = |age: &[u8]| match age {
        [tens, units, unit] => {
            (*tens == b' ' || tens.is_ascii_digit())
                && units.is_ascii_digit()
                && b"smhd".contains(unit)
        }
        _ => false,
    };
    let start = line.trim_end().len().saturating_sub(3);
    let is_duration = line[..start].ends_with("for ");
    match line.get(start..start + 3).is_some_and(|age| is_age(age.as_bytes())) && !is_duration {
        true => format!("{} 3s\n", &line[..start]),
        false => line.to_owned(),
    }
}

/// A line with the same age in its first column.
fn with_first_age(line: &str) -> String {
    let (style, rest) = match line.split_once('m').filter(|_| line.starts_with('\x1b')) {
        Some((style, rest)) => (format!("{style}m"), rest),
        None => (String::new(), line),
    };
    let number = rest.trim_start_matches(|char: char| char.is_ascii_digit());
    let is_age =
        number.len() < rest.len() && number.get(1..).is_some_and(|it| it.starts_with(" ago "));
    let columns = rest.split_once(' ').map(|(_, rest)| rest.trim_start_matches("ago").trim_start());
    match columns {
        Some(rest) if is_age || line.starts_with("now ") => format!("{style}3s ago  {rest}"),
        Some(columns) if rest.starts_with("last ") => format!("{style}last    {columns}"),
        _ => line.to_owned(),
    }
}

/// Replaces the number after each `label`.
fn after(text: &str, label: &str, by: &str) -> String {
    let mut parts = text.split(label);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let rest = part.trim_start_matches(|char: char| char.is_ascii_digit());
        let number = if rest.len() < part.len() { by } else { "" };
        format!("{text}{label}{number}{rest}")
    })
}

/// Replaces the number before each `label`.
fn before(text: &str, label: &str, by: &str) -> String {
    let parts: Vec<&str> = text.split(label).collect();
    let (last, parts) = parts.split_last().expect("a part");
    let parts = parts.iter().map(|part| {
        let rest = part.trim_end_matches(|char: char| char.is_ascii_digit() || char == '.');
        let number = if rest.len() < part.len() { by } else { "" };
        format!("{rest}{number}{label}")
    });
    parts.chain([(*last).to_owned()]).collect()
}

/// Who had logged in depends on the machine.
fn without_login(text: &str) -> String {
    let Some((start, rest)) = text.split_once("(logged in as ") else { return text.to_owned() };
    let rest = rest.split_once(')').map_or("", |(_, rest)| rest);
    without_login(&format!("{}{rest}", start.trim_end()))
}
