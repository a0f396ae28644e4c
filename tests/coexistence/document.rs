//! The recipes of `docs/coexistence.md`.

use std::fs;

/// The first block in this language in the section with this heading.
#[track_caller]
pub fn recipe(section: &str, language: &str) -> String {
    recipes(section, language).next().unwrap_or_else(|| panic!("no {language} in {section}"))
}

/// All blocks in this language in the section with this heading.
pub fn recipes(section: &str, language: &str) -> impl Iterator<Item = String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/coexistence.md");
    let text = fs::read_to_string(path).expect("the document");
    let start = format!("\n## {section}\n");
    let (_, text) = text.split_once(&start).unwrap_or_else(|| panic!("no section {section}"));
    let section = text.split("\n## ").next().expect("its text").to_owned();
    let fence = format!("```{language}\n");
    let blocks: Vec<String> = section.split(&fence).skip(1).map(block).collect();
    blocks.into_iter()
}

fn block(text: &str) -> String {
    text.split("```").next().expect("the block").to_owned()
}
