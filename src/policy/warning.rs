//! Warnings about a policy that is valid: what the operator probably did not mean, and files that may
//! not be what they seem.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use super::EntryLabel;
use super::diag::{Diagnostic, Issue, Quoted, Text};
use crate::model::{AddressSpec, Interface, IpVersion, Location, Name};

/// What a warning is about. `Display` is one sentence without a full stop.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WarningKind {
    /// A file has no line feed at its end.
    #[error("the last line has no line feed, so the file may be incomplete")]
    UnfinishedFile,
    /// The file of the policy is empty.
    #[error("the file is empty, so every published port is blocked")]
    EmptyFile,
    /// A group has no sources.
    #[error("group {} has no sources, so it matches nobody", Quoted(name))]
    EmptyGroup {
        /// Its name.
        name: Name,
    },
    /// No directory has an entry for a file any more.
    #[error("the file has been deleted or replaced, and this is its old content")]
    UnlinkedFile,
    /// Other users can write to a file.
    #[error("other users can write to the file (mode {mode:04o})")]
    WritableFile {
        /// Its permission bits.
        mode: u32,
    },
    /// Other users can replace a file.
    #[error("other users can replace the file, because they can write to {} (mode {mode:04o})",
        path.display())]
    WritableDirectory {
        /// The directory of the file.
        path: PathBuf,
        /// The permission bits of the directory.
        mode: u32,
    },
    /// Another entry allows all that the entry allows, and more.
    #[error("the entry has no effect: {by} allows all that it allows")]
    ShadowedEntry {
        /// The other entry.
        by: EntryLabel,
    },
    /// Another entry that denies covers all that this one denies.
    #[error("the entry has no effect: {by} denies all that it denies")]
    ShadowedDeny {
        /// The other entry.
        by: EntryLabel,
    },
    /// An entry denies all that this one allows.
    #[error("the entry has no effect: {by} denies all that it allows")]
    DeniedEntry {
        /// The entry that denies.
        by: EntryLabel,
    },
    /// The entry excepts all of its sources.
    #[error("the entry has no effect: `except` has all of its sources")]
    NothingLeft,
    /// The entry allows exactly what an earlier one allows.
    #[error("the entry has no effect: {of} allows the same")]
    DuplicateEntry {
        /// The earlier entry.
        of: EntryLabel,
    },
    /// The entry has ended.
    #[error("the entry has ended: it applied until {until}")]
    EndedEntry {
        /// When it ended.
        until: Name,
    },
    /// The entry has a schedule that is closed until its end.
    #[error("the entry never applies: its days and hours do not occur before it ends")]
    ClosedEntry,
    /// `0.0.0.0` or `::` as a source.
    #[error("`{0}` is a single address, which no client has")]
    UnspecifiedSource(AddressSpec),
    /// `0.0.0.0` or `::` in `to`.
    #[error("`{0}` is a single address, which no packet has as its destination")]
    UnspecifiedDestination(AddressSpec),
    /// A `*` in the name of an interface.
    #[error("`{0}` matches only an interface of that very name: `*` is no wildcard")]
    StarInInterface(Interface),
    /// A group that no entry names.
    #[error("no entry uses group {}", Quoted(.0))]
    UnusedGroup(Name),
}

impl WarningKind {
    /// The kind in JSON, in snake_case.
    pub fn id(&self) -> &'static str {
        match self {
            WarningKind::UnfinishedFile => "unfinished_file",
            WarningKind::EmptyFile => "empty_file",
            WarningKind::EmptyGroup { .. } => "empty_group",
            WarningKind::UnlinkedFile => "unlinked_file",
            WarningKind::WritableFile { .. } => "writable_file",
            WarningKind::WritableDirectory { .. } => "writable_directory",
            WarningKind::ShadowedEntry { .. } => "shadowed_entry",
            WarningKind::ShadowedDeny { .. } => "shadowed_deny",
            WarningKind::DeniedEntry { .. } => "denied_entry",
            WarningKind::NothingLeft => "nothing_left",
            WarningKind::DuplicateEntry { .. } => "duplicate_entry",
            WarningKind::EndedEntry { .. } => "ended_entry",
            WarningKind::ClosedEntry => "closed_entry",
            WarningKind::UnspecifiedSource(_) => "unspecified_source",
            WarningKind::UnspecifiedDestination(_) => "unspecified_destination",
            WarningKind::StarInInterface(_) => "star_in_interface",
            WarningKind::UnusedGroup(_) => "unused_group",
        }
    }

    /// How to correct the policy, or what to check.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            WarningKind::UnfinishedFile => "end the last line with a line feed".to_owned(),
            WarningKind::EmptyFile => "write a comment into it if this is intended".to_owned(),
            WarningKind::EmptyGroup { .. } => return None,
            WarningKind::UnlinkedFile => {
                "if a container mounts this single file, mount its directory instead".to_owned()
            }
            WarningKind::WritableFile { .. } => "run `chmod go-w` on it".to_owned(),
            WarningKind::WritableDirectory { .. } => "run `chmod go-w` on the directory".to_owned(),
            WarningKind::ShadowedEntry { .. } => "remove it, or restrict the other entry".into(),
            WarningKind::DeniedEntry { .. } => {
                "remove it, or except its sources from the other entry".into()
            }
            WarningKind::NothingLeft => "remove it, or correct `except`".into(),
            WarningKind::ShadowedDeny { .. } | WarningKind::DuplicateEntry { .. } => {
                "remove it".into()
            }
            WarningKind::EndedEntry { .. } => "remove it, or change `until`".into(),
            WarningKind::ClosedEntry => "correct `until`, `days` or `hours`".into(),
            WarningKind::UnspecifiedSource(address) if address.version() == IpVersion::V6 => {
                "write `::/0` for every IPv6 address; an entry without `from` allows anyone".into()
            }
            WarningKind::UnspecifiedSource(_) => {
                "write `0.0.0.0/0` for every IPv4 address; an entry without `from` allows anyone"
                    .into()
            }
            WarningKind::UnspecifiedDestination(_) => {
                "omit `to` to match every address of the host".into()
            }
            WarningKind::StarInInterface(interface) => match meant(interface) {
                Some(meant) => format!("write `{meant}`: `+` is the wildcard"),
                None => "omit `in-interface` to match any interface".into(),
            },
            WarningKind::UnusedGroup(_) => "name it in an entry, or remove it".into(),
        })
    }

    fn issue(&self) -> Issue {
        Issue { message: self.to_string(), help: self.help() }
    }
}

/// The condition with a wildcard in place of a `*` at its end.
fn meant(interface: &Interface) -> Option<Interface> {
    let start = interface.name().strip_suffix('*')?;
    Interface::new(start, true, interface.is_negated()).ok()
}

/// A warning about a policy or a source file, with its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyWarning {
    kind: WarningKind,
    diagnostic: Diagnostic,
    /// Whether it is about the file as a whole.
    is_about_file: bool,
}

impl PolicyWarning {
    /// What it is about.
    pub fn kind(&self) -> &WarningKind {
        &self.kind
    }

    /// Whether it is about a file as a whole, not about a line of it.
    pub fn is_about_file(&self) -> bool {
        self.is_about_file
    }

    /// The position, the texts of the kind, and the excerpt if the text is that of the policy file.
    pub fn diagnostic(&self) -> &Diagnostic {
        &self.diagnostic
    }

    /// The position, the message and the help in one line.
    pub fn to_line(&self) -> String {
        let Diagnostic { message, help, .. } = &self.diagnostic;
        match help {
            Some(help) => format!("{}: {message} ({help})", self.place()),
            None => format!("{}: {message}", self.place()),
        }
    }

    fn place(&self) -> String {
        let at = &self.diagnostic.at;
        if self.is_about_file { at.file.to_string() } else { at.to_string() }
    }
}

/// The message with its position, the excerpt with the part in question underlined, and the help.
impl fmt::Display for PolicyWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place())?;
        self.diagnostic.write_message(f)
    }
}

/// The warnings about a policy, up to a maximum that bounds memory and output.
#[derive(Debug, Default)]
pub(super) struct WarningList(Vec<PolicyWarning>);

impl WarningList {
    /// Maximum number of warnings. Further ones are dropped.
    pub const MAX: usize = 1000;

    /// Adds a warning about this span of the policy's text.
    pub fn push_span(&mut self, kind: WarningKind, text: &Text, span: Range<usize>) {
        let diagnostic = text.diagnostic(span, kind.issue());
        self.push(PolicyWarning { kind, diagnostic, is_about_file: false });
    }

    /// Adds a warning about what begins at this position, in the policy's text or in a source file.
    pub fn push_at(&mut self, kind: WarningKind, text: &Text, at: &Location) {
        match text.rest_of_line(at) {
            Some(span) => self.push_span(kind, text, span),
            None => self.push_without_excerpt(kind, at.clone(), false),
        }
    }

    /// Adds a warning about a file as a whole.
    pub fn push_file(&mut self, kind: WarningKind, file: &Arc<str>) {
        let at = Location { file: file.clone(), line: 1, column: 1 };
        self.push_without_excerpt(kind, at, true);
    }

    /// Adds a warning about what is at this position in a source file.
    pub fn push_in_file(&mut self, kind: WarningKind, at: Location) {
        self.push_without_excerpt(kind, at, false);
    }

    /// All of them, sorted by file, line and column.
    pub fn into_vec(mut self) -> Vec<PolicyWarning> {
        self.0.sort_by(|a, b| a.diagnostic.at.cmp(&b.diagnostic.at));
        self.0
    }

    /// Moves the warnings of `other` here.
    pub fn append(&mut self, other: WarningList) {
        other.0.into_iter().for_each(|warning| self.push(warning));
    }

    fn push_without_excerpt(&mut self, kind: WarningKind, at: Location, is_about_file: bool) {
        let Issue { message, help } = kind.issue();
        let diagnostic = Diagnostic { at, message, help, excerpt: String::new(), width: 1 };
        self.push(PolicyWarning { kind, diagnostic, is_about_file });
    }

    fn push(&mut self, warning: PolicyWarning) {
        if self.0.len() < Self::MAX {
            self.0.push(warning);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_has_an_excerpt_if_it_is_about_the_text() {
        let text = Text::new("p.toml".into(), "a = 1\nb = ä");
        let mut warnings = WarningList::default();
        let at = |file: &str| Location { file: file.into(), line: 2, column: 5 };
        warnings.push_at(WarningKind::UnfinishedFile, &text, &at("p.toml"));
        warnings.push_at(WarningKind::UnfinishedFile, &text, &at("list.txt"));
        warnings.push_file(WarningKind::UnfinishedFile, &"list.txt".into());
        let message = "the last line has no line feed, so the file may be incomplete";
        let help = "end the last line with a line feed";
        let texts: Vec<String> = warnings.into_vec().iter().map(PolicyWarning::to_string).collect();
        assert_eq!(
            texts,
            [
                format!("list.txt: {message}\n  = help: {help}"),
                format!("list.txt:2:5: {message}\n  = help: {help}"),
                format!("p.toml:2:5: {message}\n  |\n2 | b = ä\n  |     ^\n  = help: {help}"),
            ]
        );
    }

    #[test]
    fn warnings_are_bounded() {
        let mut warnings = WarningList::default();
        for _ in 0..WarningList::MAX + 10 {
            warnings.push_file(WarningKind::UnfinishedFile, &"list.txt".into());
        }
        assert_eq!(warnings.into_vec().len(), WarningList::MAX);
    }
}
