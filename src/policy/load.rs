//! Loads a policy: the file, the document in it, and the source files that it names.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::de::DeTable;

use super::diag::{Diagnostic, Diagnostics, IssueList, Text, without_mark};
use super::parse::document::Document;
use super::parse::group::Groups;
use super::parse::read_text::{self, ReadError};
use super::parse::source_file::SourceFiles;
use super::parse::{docker, entry, schedule, settings, syntax};
use super::shrink::{self, ShrinkLimit};
use super::warning::{PolicyWarning, WarningKind, WarningList};
use super::{Guard, Moment, Policy, PolicyError, lint};

/// The result of loading a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoadedPolicy {
    /// The policy, or every error in the file and its source files, in order.
    pub policy: Result<Policy, Diagnostics>,
    /// What the operator should be warned of, sorted by file, line and column. There may be warnings
    /// about a policy with errors, too.
    pub warnings: Vec<PolicyWarning>,
    /// The file and the source files that it names, whether they could be read or not. A program
    /// that waits for the policy to change watches these; after a change there may be others.
    pub watch_paths: Vec<PathBuf>,
    is_unfinished: bool,
    limits: Vec<ShrinkLimit>,
}

impl LoadedPolicy {
    /// Reads a policy from a file, with the source files that it names. `-` is standard input.
    pub fn load(path: &Path) -> LoadedPolicy {
        LoadedPolicy::load_from(path, path.parent().unwrap_or(Path::new("")))
    }

    /// Like [`LoadedPolicy::load`], but the paths of source files are relative to `directory`.
    pub fn load_from(path: &Path, directory: &Path) -> LoadedPolicy {
        LoadedPolicy::load_observed(path, directory, &mut |_| {})
    }

    /// Like [`LoadedPolicy::load_from`], but passes the text of each file to `observe` as well: first that
    /// of the policy, then that of each source file once, decompressed, in the order in which the policy
    /// names them. A file that cannot be read is left out.
    pub fn load_observed(
        path: &Path,
        directory: &Path,
        observe: &mut dyn FnMut(&str),
    ) -> LoadedPolicy {
        let is_stdin = path == Path::new("-");
        let name: Arc<str> =
            if is_stdin { "<stdin>".into() } else { path.to_string_lossy().into() };
        let mut warnings = WarningList::default();
        let text = if is_stdin {
            read_text::read(std::io::stdin().lock(), &name, &read_text::POLICY)
        } else {
            read_text::read_file(path, &name, &read_text::POLICY, &mut warnings)
        };
        let mut loaded = match text {
            Ok(text) => {
                observe(&text);
                parse_observed(&text, &name, directory, observe)
            }
            Err(ReadError::Byte(diagnostic)) => LoadedPolicy::failed(diagnostic),
            Err(ReadError::File { issue, .. }) => LoadedPolicy::failed(issue.of_file(&name)),
        };
        loaded.watch_paths.insert(0, path.to_owned());
        loaded.warnings.splice(..0, warnings.into_vec());
        loaded
    }

    /// Whether the file or a source file is empty or has no line feed at its end: a program may be
    /// writing it. A program that waits for the policy to change should wait until the files have not
    /// changed for a while.
    pub fn is_unfinished(&self) -> bool {
        self.is_unfinished
    }

    /// Whether any group has a `max-shrink`, so that [`LoadedPolicy::check_shrink`] can find something.
    pub fn has_shrink_limits(&self) -> bool {
        !self.limits.is_empty()
    }

    /// Turns the policy into errors if a group with `max-shrink` has lost more of its sources than that
    /// since `previous`, the policy that is in force or was applied last. A source is lost if the new
    /// ones do not cover all its addresses. A group that no entry of `previous` uses is not checked.
    pub fn check_shrink(&mut self, previous: &Policy) {
        let Ok(policy) = &self.policy else { return };
        let errors = shrink::check(&self.limits, previous, policy);
        if !errors.is_empty() {
            self.policy = Err(Diagnostics(errors));
        }
    }

    fn failed(diagnostic: Diagnostic) -> LoadedPolicy {
        let policy = Err(Diagnostics(vec![diagnostic]));
        let (warnings, watch_paths) = (Vec::new(), Vec::new());
        LoadedPolicy { policy, warnings, watch_paths, is_unfinished: false, limits: Vec::new() }
    }
}

/// The policy in the text or the errors in it, the warnings, and the paths of the source files that
/// it names.
pub(super) fn parse(text: &str, file: &str, directory: &Path) -> LoadedPolicy {
    parse_observed(text, file, directory, &mut |_| {})
}

/// Like [`parse`], with the texts of source files passed to `observe`.
fn parse_observed(
    text: &str,
    file: &str,
    directory: &Path,
    observe: &mut dyn FnMut(&str),
) -> LoadedPolicy {
    let text = without_mark(text);
    if let Some(diagnostic) = syntax::other_format(text, file) {
        return LoadedPolicy::failed(diagnostic);
    }
    let (root, syntax_errors) = DeTable::parse_recoverable(text);
    let root = root.get_ref();
    let text = Text::new(file.into(), text);
    let mut errors = IssueList::default();
    let poisoned = syntax::report(&syntax_errors, root, &text, &mut errors);
    let warnings = WarningList::default();
    let mut document = Document { text, errors, warnings, limits: Vec::new(), poisoned };
    let mut files = SourceFiles::observed(directory, observe);
    let policy = interpret(&mut document, root, &mut files);
    if let Ok(policy) = &policy {
        warn_of_entries(&mut document, policy);
        warn_of_groups(&mut document, root, policy);
    }
    let is_unfinished = document.warn_if_unfinished();
    let (paths, found) = files.into_parts();
    let mut file_errors = found.errors;
    document.warnings.append(found.warnings);
    let policy = match policy {
        Err(error) if document.errors.len() + file_errors.len() == 0 => {
            let at = match &error {
                PolicyError::TooManyRules { at, .. } => at.as_ref(),
                _ => None,
            };
            let span = at.and_then(|at| document.text.rest_of_line(at)).unwrap_or_default();
            document.check(Err(error), span)
        }
        policy => policy.ok(),
    };
    let mut errors = document.errors.into_vec();
    errors.append(&mut file_errors);
    errors.sort_by(|a, b| a.at.cmp(&b.at));
    let policy = policy.filter(|_| errors.is_empty()).ok_or(Diagnostics(errors));
    LoadedPolicy {
        policy,
        warnings: document.warnings.into_vec(),
        watch_paths: paths,
        is_unfinished: is_unfinished || found.is_unfinished,
        limits: document.limits,
    }
}

fn warn_of_entries(document: &mut Document, policy: &Policy) {
    for (entry, kind) in lint::ineffective_entries(policy) {
        if let Some(at) = entry.at() {
            document.warnings.push_at(kind, &document.text, at);
        }
    }
    for (entry, kind) in lint::ended_entries(policy, Moment::now()) {
        if let Some(at) = entry.at() {
            document.warnings.push_at(kind, &document.text, at);
        }
    }
}

/// Warns of groups that nothing names. If there are errors, an entry that names them may be missing.
fn warn_of_groups(document: &mut Document, root: &DeTable, policy: &Policy) {
    let Some(table) = root.get("sources").and_then(|value| value.get_ref().as_table()) else {
        return;
    };
    if document.errors.len() > 0 {
        return;
    }
    let used: HashSet<&str> =
        policy.groups().filter_map(|it| it.name()).map(AsRef::as_ref).collect();
    for key in table.keys().filter(|key| !used.contains(key.get_ref().as_ref())) {
        document.warn(key.span(), WarningKind::UnusedGroup(key.get_ref().as_ref().into()));
    }
}

/// Reads the document: groups first, because entries name them. The errors of single entries and
/// settings are reported, and these left out of the result.
fn interpret(
    document: &mut Document,
    root: &DeTable,
    files: &mut SourceFiles,
) -> Result<Policy, PolicyError> {
    document.check_keys(
        root,
        "",
        &["sources", "deny", "allow", "guard", "revoke", "log", "schedule", "docker"],
    );
    let groups = match root.get("sources").and_then(|value| document.table(value, "sources")) {
        Some(table) => Groups::read(document, table, files),
        None => Groups::default(),
    };
    let guard = root.get("guard").and_then(|value| document.table(value, "guard"));
    let guard = guard.and_then(|table| settings::guard(document, table, &groups));
    let revoke = root.get("revoke").and_then(|value| document.table(value, "revoke"));
    let revoke = revoke.map(|table| settings::revoke(document, table));
    let log = root.get("log").and_then(|value| document.table(value, "log"));
    let log = log.map(|table| settings::log(document, table, guard.as_ref()));
    let docker = root.get("docker").and_then(|value| document.table(value, "docker"));
    let docker = docker.map(|table| docker::read(document, table, &groups)).unwrap_or_default();
    let zone = root.get("schedule").and_then(|value| document.table(value, "schedule"));
    let zone = zone.and_then(|table| schedule::zone(document, table)).unwrap_or_default();
    let has_guard = guard.as_ref().is_none_or(Guard::is_enabled);
    let mut reader = entry::Reader::new(document, &groups, zone, has_guard);
    let deny = root.get("deny").map(|value| reader.denied(value)).unwrap_or_default();
    let allow = root.get("allow").map(|value| reader.allowed(value)).unwrap_or_default();
    let policy = Policy::builder().deny_all(deny).allow_all(allow).guard(guard.unwrap_or_default());
    let policy = policy.docker(docker);
    policy.revoke(revoke.unwrap_or_default()).log(log.unwrap_or_default()).build()
}
