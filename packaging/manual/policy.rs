//! Renders `docs/policy.md` as the man page dwnl-policy(5). Markdown that it does not support is
//! an error, so that nothing is missing from the page.

use std::mem;

use anyhow::bail;
use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use roff::{Inline, Roff, bold, italic, line_break, roman};

/// The headings that become sections of the page. All others become parts of the description.
const SECTIONS: [&str; 1] = ["Files"];
/// The indentation of code, in columns.
const CODE: &str = "4";
/// The indentation of a list's items, in columns.
const ITEM: &str = "2";
/// The indentation of the cells below the first one of a row, in columns.
const CELL: &str = "7";

/// Returns the page in roff, without the sections at its end that only a man page has.
pub fn page(markdown: &str, date: &str, source: &str) -> anyhow::Result<String> {
    let mut renderer = Renderer::default();
    renderer.head(date, source);
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
        renderer.event(event)?;
    }
    Ok(escape(&renderer.page.render()))
}

/// Prevents groff from replacing characters with typographic ones.
fn escape(page: &str) -> String {
    page.replace('^', r"\(ha").replace('`', r"\(ga").replace('~', r"\(ti")
}

#[derive(Default)]
struct Renderer {
    page: Roff,
    /// The text of the current paragraph, heading, item or cell.
    text: Vec<Inline>,
    font: Font,
    /// A heading was written last, so there is no paragraph to end.
    after_heading: bool,
    in_code: bool,
    in_item: bool,
    /// The cells of the current row.
    cells: Vec<Vec<Inline>>,
    /// The labels of the table's columns.
    labels: Vec<String>,
}

#[derive(Clone, Copy, Default)]
enum Font {
    #[default]
    Roman,
    Bold,
    Italic,
}

impl Renderer {
    fn head(&mut self, date: &str, source: &str) {
        // No hyphenation of names and keys, and no wide gaps.
        self.page.control("nr", ["HY", "0"]);
        self.page.control("TH", ["DWNL-POLICY", "5", date, source]);
        self.page.control("ad", ["l"]);
        self.page.control("SH", ["NAME"]);
        self.page.text([roman("dwnl-policy - who may reach the ports that Docker publishes")]);
        self.page.control("SH", ["SYNOPSIS"]).text([bold("/etc/dwnl/policy.toml")]);
        self.page.control("SH", ["DESCRIPTION"]);
        self.after_heading = true;
    }

    fn event(&mut self, event: Event) -> anyhow::Result<()> {
        match event {
            Event::Start(tag) => return self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) if self.in_code => {
                for line in text.lines() {
                    self.page.text([roman(line)]);
                }
            }
            Event::Text(text) => self.text.push(match self.font {
                Font::Roman => roman(text.as_ref()),
                Font::Bold => bold(text.as_ref()),
                Font::Italic => italic(text.as_ref()),
            }),
            Event::Code(text) => self.text.push(bold(text.as_ref())),
            Event::SoftBreak => self.text.push(roman(" ")),
            Event::HardBreak => self.text.push(line_break()),
            Event::Html(text) if text.starts_with("<!--") => (),
            other => bail!("unsupported Markdown: {other:?}"),
        }
        Ok(())
    }

    fn start(&mut self, tag: Tag) -> anyhow::Result<()> {
        match tag {
            Tag::Paragraph if !self.in_item => self.separate(),
            Tag::Strong => self.font = Font::Bold,
            Tag::Emphasis => self.font = Font::Italic,
            Tag::CodeBlock(CodeBlockKind::Fenced(_) | CodeBlockKind::Indented) if !self.in_item => {
                self.separate();
                self.page.control("RS", [CODE]).control("EX", []);
                self.in_code = true;
            }
            Tag::List(None) if !self.in_item => (),
            Tag::Item => {
                self.page.control("IP", [r"\(bu", ITEM]);
                self.in_item = true;
                self.after_heading = false;
            }
            Tag::Heading { level: HeadingLevel::H1 | HeadingLevel::H2, .. }
            | Tag::Link { .. }
            | Tag::Table(_)
            | Tag::TableHead
            | Tag::TableRow
            | Tag::TableCell
            | Tag::HtmlBlock => (),
            other => bail!("unsupported Markdown: {other:?}"),
        }
        Ok(())
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            // The page's header contains the title.
            TagEnd::Heading(HeadingLevel::H1) => self.text.clear(),
            TagEnd::Heading(_) => self.heading(),
            TagEnd::Paragraph => self.flush(),
            TagEnd::Item => {
                self.flush();
                self.in_item = false;
            }
            TagEnd::Strong | TagEnd::Emphasis => self.font = Font::Roman,
            TagEnd::CodeBlock => {
                self.page.control("EE", []).control("RE", []);
                self.in_code = false;
            }
            TagEnd::TableCell => self.cells.push(mem::take(&mut self.text)),
            TagEnd::TableHead => {
                self.labels = mem::take(&mut self.cells).iter().map(|cell| plain(cell)).collect();
            }
            TagEnd::TableRow => self.row(),
            _ => (),
        }
    }

    fn heading(&mut self) {
        let name = plain(&self.text);
        if SECTIONS.contains(&name.as_str()) {
            self.text.clear();
            self.page.control("SH", []).text([roman(name.to_uppercase())]);
        } else {
            self.page.control("SS", []);
            self.flush();
        }
        self.after_heading = true;
    }

    /// Ends the previous paragraph.
    fn separate(&mut self) {
        if !mem::take(&mut self.after_heading) {
            self.page.control("PP", []);
        }
    }

    fn flush(&mut self) {
        self.page.text(mem::take(&mut self.text));
    }

    /// Writes the first cell and the others below it, from the third on with their labels.
    fn row(&mut self) {
        let mut cells = mem::take(&mut self.cells).into_iter();
        self.page.control("TP", [CELL]);
        for cell in cells.by_ref().take(2) {
            self.page.text(cell);
        }
        for (label, mut cell) in self.labels.iter().skip(2).zip(cells) {
            cell.insert(0, roman(format!("{}: ", capitalized(label))));
            self.page.control("br", []).text(cell);
        }
        self.after_heading = false;
    }
}

fn plain(text: &[Inline]) -> String {
    text.iter()
        .map(|inline| match inline {
            Inline::Roman(text) | Inline::Bold(text) | Inline::Italic(text) => text,
            Inline::LineBreak => " ",
        })
        .collect()
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
