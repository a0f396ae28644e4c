//! Reading a policy as a whole: the file, then the document in it, with the source lists that it
//! names.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::de::DeTable;

use super::document::Document;
use super::group::Groups;
use super::issue_list::IssueList;
use super::read_text::{self, ReadError};
use super::source_file::Lists;
use super::text::{self, Text};
use super::{Diagnostics, Policy, allow, settings, syntax};

/// What came of reading a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadedPolicy {
    /// The policy, or everything that is wrong with the file and its source lists, in their order.
    pub policy: Result<Policy, Diagnostics>,
    /// The file and the source lists that it names, whether they could be read or not. Whoever
    /// waits for the policy to change watches these; after a change there may be others.
    pub watch_paths: Vec<PathBuf>,
}

impl LoadedPolicy {
    /// Reads a policy from a file, with the source lists that it names. `-` is standard input.
    pub fn load(path: &Path) -> LoadedPolicy {
        let is_stdin = path == Path::new("-");
        let name: Arc<str> =
            if is_stdin { "<stdin>".into() } else { path.to_string_lossy().into() };
        let text = if is_stdin {
            read_text::read(std::io::stdin().lock(), &name, &read_text::POLICY)
        } else {
            read_text::read_file(path, &name, &read_text::POLICY)
        };
        let directory = path.parent().unwrap_or(Path::new(""));
        let failed = |diagnostic| (Err(Diagnostics(vec![diagnostic])), Vec::new());
        let (policy, mut files) = match text {
            Ok(text) => parse(&text, &name, directory),
            Err(ReadError::Byte(diagnostic)) => failed(diagnostic),
            Err(ReadError::File(fault)) => failed(fault.of_file(&name)),
        };
        files.insert(0, path.to_owned());
        LoadedPolicy { policy, watch_paths: files }
    }
}

/// What the text says or what is wrong with it, and the paths of the source lists that it names.
pub(super) fn parse(
    text: &str,
    file: &str,
    directory: &Path,
) -> (Result<Policy, Diagnostics>, Vec<PathBuf>) {
    let text = text::without_mark(text);
    let (root, syntax_errors) = DeTable::parse_recoverable(text);
    let root = root.get_ref();
    let text = Text::new(file.into(), text);
    let mut errors = IssueList::default();
    let doubtful = syntax::report(&syntax_errors, root, &text, &mut errors);
    let mut document = Document { text, errors, doubtful };
    let mut lists = Lists::new(directory);
    let policy = interpret(&mut document, root, &mut lists);
    let mut errors = document.errors.into_vec();
    let (paths, mut errors_of_lists) = lists.into_parts();
    errors.append(&mut errors_of_lists);
    errors.sort_by(|a, b| a.at.cmp(&b.at));
    (if errors.is_empty() { Ok(policy) } else { Err(Diagnostics(errors)) }, paths)
}

/// Reads the document: groups first, because entries name them.
fn interpret(document: &mut Document, root: &DeTable, lists: &mut Lists) -> Policy {
    document.check_keys(root, "", &["sources", "allow", "guard", "revoke"]);
    let groups = match root.get("sources").and_then(|value| document.table(value, "sources")) {
        Some(table) => Groups::read(document, table, lists),
        None => Groups::default(),
    };
    let guard = root.get("guard").and_then(|value| document.table(value, "guard"));
    let revoke = root.get("revoke").and_then(|value| document.table(value, "revoke"));
    Policy {
        guard: guard.map(|table| settings::guard(document, table, &groups)).unwrap_or_default(),
        revoke: revoke.map(|table| settings::revoke(document, table)).unwrap_or_default(),
        allow: match root.get("allow") {
            Some(value) => allow::Reader::new(document, &groups).entries(value),
            None => Vec::new(),
        },
    }
}
