//! The tables of docs/json.md.

use std::collections::{BTreeMap, BTreeSet};

/// The sections of the document by the anchor of their heading.
pub struct Document {
    sections: BTreeMap<String, Section>,
}

/// A section: an object with its keys.
#[derive(Default)]
pub struct Section {
    /// The type of each key.
    pub keys: BTreeMap<String, Type>,
    /// The key that distinguishes variants of the object, and the variants by its value.
    pub variants: Option<(String, BTreeMap<String, Variant>)>,
}

/// What a variant has besides the keys that all variants have.
#[derive(Clone, Default)]
pub struct Variant {
    pub keys: BTreeSet<String>,
    /// Sections whose keys it has too.
    pub includes: Vec<String>,
}

/// The type of a value.
#[derive(Clone, Debug)]
pub enum Type {
    Number,
    String,
    Boolean,
    Object(String),
    Array(Box<Type>),
    OrNull(Box<Type>),
}

impl Document {
    /// Reads the headings and the tables.
    pub fn parse(text: &str) -> Document {
        let mut sections: BTreeMap<String, Section> = BTreeMap::new();
        let mut name = String::new();
        let mut header: Option<Vec<&str>> = None;
        for line in text.lines() {
            if let Some(heading) = line.strip_prefix("##") {
                name = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
            }
            let Some(cells) = cells(line) else {
                header = None;
                continue;
            };
            match &header {
                None => header = Some(cells),
                Some(_) if cells[0].starts_with("---") => {}
                Some(header) => {
                    sections.entry(name.clone()).or_default().push(header[0], &cells);
                }
            }
        }
        assert!(!sections.is_empty(), "no tables");
        Document { sections }
    }

    /// The section with this anchor.
    #[track_caller]
    pub fn section(&self, name: &str) -> &Section {
        self.sections.get(name).unwrap_or_else(|| panic!("no tables in a section {name}"))
    }

    /// All sections with their anchors.
    pub fn sections(&self) -> impl Iterator<Item = (&String, &Section)> {
        self.sections.iter()
    }
}

impl Section {
    fn push(&mut self, header: &str, cells: &[&str]) {
        match code_spans(header).next() {
            Some(tag) => {
                let (_, variants) =
                    self.variants.get_or_insert_with(|| (tag.to_owned(), BTreeMap::new()));
                let last = cells[cells.len() - 1];
                let keys = code_spans(last).map(str::to_owned).collect();
                let variant = Variant { keys, includes: links(last) };
                variants.extend(code_spans(cells[0]).map(|it| (it.to_owned(), variant.clone())));
            }
            None => {
                let kind = Type::parse(cells[1]);
                self.keys.extend(code_spans(cells[0]).map(|key| (key.to_owned(), kind.clone())));
            }
        }
    }

    /// The keys that every variant has.
    pub fn common_keys(&self) -> BTreeSet<&str> {
        let variants = self.variants.iter().flat_map(|(_, variants)| variants.values());
        let special: BTreeSet<&str> =
            variants.flat_map(|variant| &variant.keys).map(String::as_str).collect();
        let keys = self.keys.keys().map(String::as_str);
        keys.filter(|key| !special.contains(key)).collect()
    }
}

impl Type {
    fn parse(text: &str) -> Type {
        if let Some(kind) = text.strip_suffix(" or null") {
            return Type::OrNull(Type::parse(kind).into());
        }
        if let Some(kind) = text.strip_prefix("array of ") {
            return Type::Array(Type::parse(kind).into());
        }
        match (text, &links(text)[..]) {
            ("number", _) => Type::Number,
            ("string", _) => Type::String,
            ("boolean", _) => Type::Boolean,
            (_, [section]) => Type::Object(section.clone()),
            _ => panic!("unknown type `{text}`"),
        }
    }
}

/// The cells of a line of a table.
fn cells(line: &str) -> Option<Vec<&str>> {
    let row = line.strip_prefix('|')?.strip_suffix('|')?;
    Some(row.split('|').map(str::trim).collect())
}

/// The texts in backticks.
fn code_spans(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The anchors of the links.
fn links(text: &str) -> Vec<String> {
    let anchors = text.split("](#").skip(1);
    anchors.filter_map(|rest| Some(rest.split_once(')')?.0.to_owned())).collect()
}
