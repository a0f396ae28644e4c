//! Rules of iptables for published ports → a policy that lets in the same sources, or fewer: never others.
//!
//! The rules come from the kernel, from iptables-save or `iptables -S`, from shell scripts or from ufw.
//! They are followed like a packet would be, but with sets of flows: a rule that is not understood lets
//! in nobody, or is taken to refuse all that it may match.

mod entries;
mod interfaces;
mod intervals;
mod kernel;
mod matching;
mod options;
mod published;
mod region;
mod rule;
mod saved;
mod script;
mod source;
mod tables;
#[cfg(test)]
mod tests;
mod translate;
mod values;
mod walk;
mod words;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;

use crate::model::{IpVersion, KernelRuleset};
use crate::policy::{Policy, PolicyError};
use entries::Entries;
use interfaces::Interfaces;
use rule::Line;
use saved::Place;
use script::Script;
use tables::{Note, Tables};
use translate::{Translated, translate};

/// A text with rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// The name by which its lines are cited.
    pub name: String,
    /// The text.
    pub text: String,
    /// The version of IP of its rules, where the text does not say it; `None`: IPv4.
    pub version: Option<IpVersion>,
}

/// A policy that was made from rules.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Imported {
    /// The policy.
    pub policy: Policy,
    /// Lines that were not translated, or more strictly, in the order of the input.
    pub untranslated: Vec<Untranslated>,
    /// What else there is to know, in sentences.
    pub remarks: Vec<String>,
    /// The number of rules that decide about published ports.
    pub rules: usize,
}

/// A line that was not translated, or more strictly.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Untranslated {
    /// The name of the input.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: u32,
    /// The line as it stands in the input.
    pub text: Arc<str>,
    /// Why, and what became of it.
    pub reason: String,
}

/// Why nothing was made from the rules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// No chain decides about published ports.
    #[error(
        "there are no rules about published ports: neither the chain DOCKER-BLOCK nor DOCKER-USER, \
         ufw-user-forward or FORWARD has any"
    )]
    NoRules,
    /// The rules combine too many conditions.
    #[error("the rules combine more conditions than can be followed")]
    TooComplex,
    /// What the rules say cannot be a policy.
    #[error("the rules cannot be expressed as a policy: {0}")]
    Policy(#[from] PolicyError),
}

impl From<region::TooComplex> for ImportError {
    fn from(_: region::TooComplex) -> ImportError {
        ImportError::TooComplex
    }
}

/// Translates texts, which belong together in this order.
///
/// # Errors
/// See [`ImportError`].
pub fn import(inputs: &[Input]) -> Result<Imported, ImportError> {
    let mut tables = Tables::default();
    let place = Place { version: IpVersion::V4, table: "filter".to_owned() };
    let mut script = Script::new(&mut tables, place);
    for input in inputs {
        script.run(&source::read(&input.name, &input.text, input.version));
    }
    policy(&tables)
}

/// Translates the rules of iptables that are in force.
///
/// # Errors
/// See [`ImportError`].
pub fn import_ruleset(ruleset: &KernelRuleset) -> Result<Imported, ImportError> {
    let mut imported = import(&kernel::inputs(ruleset))?;
    let others = kernel::others(ruleset);
    if !others.is_empty() {
        let list = others.join(", ");
        let remark = format!("Rules of nft were not read; they remain in force: {list}.");
        imported.remarks.push(remark);
    }
    Ok(imported)
}

fn policy(tables: &Tables) -> Result<Imported, ImportError> {
    let interfaces = Interfaces::of(tables);
    let mut entries = Entries::new(tables, &interfaces);
    let mut notes: BTreeSet<Note> = tables.notes.iter().cloned().collect();
    let mut met: BTreeSet<Arc<Line>> = BTreeSet::new();
    let (mut remarks, mut absent, mut has_published) = (Vec::new(), Vec::new(), false);
    for version in IpVersion::ALL {
        let Some(found) = translate(tables, &interfaces, version)? else {
            absent.push(version);
            continue;
        };
        let Translated { pieces, denials, notes: new, met: rules, has_published: published } =
            found;
        entries.add(version, pieces, &denials)?;
        notes.extend(new);
        met.extend(rules);
        has_published |= published;
    }
    match absent.as_slice() {
        [_, _] => return Err(ImportError::NoRules),
        [version] => {
            let name = if *version == IpVersion::V4 { "IPv4" } else { "IPv6" };
            remarks.push(format!("The input has no rules about {name}: nobody is let in over it."));
        }
        _ => {}
    }
    if !has_published && notes.iter().any(|note| note.reason.starts_with(matching::NO_CONTAINER)) {
        remarks.push(
            "Some rules are about ports of containers. Which published ports lead there is in \
             Docker's rules: add the output of `iptables-save -t nat` to the input."
                .to_owned(),
        );
    }
    notes.extend(std::mem::take(&mut entries.notes));
    let (deny, allow) = entries.finish()?;
    let policy = Policy::builder().deny_all(deny).allow_all(allow).build()?;
    Ok(Imported { policy, untranslated: untranslated(notes), remarks, rules: met.len() })
}

/// One remark for each line; what is said first of a line is said.
fn untranslated(notes: BTreeSet<Note>) -> Vec<Untranslated> {
    let mut all: Vec<Untranslated> = Vec::new();
    for Note { line, reason } in notes {
        let is_known = |it: &Untranslated| it.file == line.file && it.line == line.number;
        if all.last().is_some_and(is_known) {
            continue;
        }
        let (file, text) = (Arc::clone(&line.file), Arc::clone(&line.text));
        all.push(Untranslated { file, line: line.number, text, reason });
    }
    all
}

impl Imported {
    /// The policy as the text of a policy file, with a comment for each line that was not translated.
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        for remark in &self.remarks {
            comment(&mut text, remark);
        }
        for Untranslated { file, line, text: rule, reason } in &self.untranslated {
            if !text.is_empty() {
                text.push_str("#\n");
            }
            comment(&mut text, &format!("{file}:{line}: not translated: {rule}"));
            comment(&mut text, &format!("  {reason}"));
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text + &self.policy.to_toml()
    }
}

/// A comment of one line. TOML allows no control characters in it.
fn comment(text: &mut String, line: &str) {
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    let line: String = line.chars().map(visible).collect();
    // Writing to a string does not fail.
    let _ = writeln!(text, "# {}", line.trim_end());
}
