//! The report of `check`.

use std::collections::HashSet;
use std::io::{self, Write};
use std::path::Path;

use dwnl::Policy;
use dwnl::policy::{Diagnostic, Diagnostics, Entry, PolicyWarning, Source};
use serde::Serialize;

use super::Report;
use super::count::Count;

/// Whether a policy or a source file is valid, and its size.
#[derive(Debug, Serialize)]
pub struct Check<'a> {
    #[serde(skip)]
    name: String,
    is_valid: bool,
    /// `None` for a source file.
    entry_count: Option<usize>,
    source_count: Option<usize>,
    errors: Vec<ErrorReport<'a>>,
    /// `None` if the policy has errors.
    warnings: Option<Vec<WarningReport<'a>>>,
    /// Sentences about the names that cannot be resolved; `None` if none were looked up.
    pub unresolved: Option<Vec<String>>,
}

/// [`PolicyWarning`] for programs.
#[derive(Debug, Serialize)]
struct WarningReport<'a> {
    kind: &'static str,
    #[serde(flatten)]
    text: ErrorReport<'a>,
}

/// [`Diagnostic`] as JSON.
#[derive(Debug, Serialize)]
pub struct ErrorReport<'a> {
    file: &'a str,
    line: u32,
    column: u32,
    message: &'a str,
    help: Option<&'a str>,
    excerpt: &'a str,
}

impl<'a> Check<'a> {
    /// A policy without errors, read from `path`.
    pub fn passed(path: &Path, policy: &Policy, warnings: &'a [PolicyWarning]) -> Check<'a> {
        let is_stdin = path == Path::new("-");
        Check {
            name: if is_stdin { "<stdin>".to_owned() } else { path.display().to_string() },
            is_valid: true,
            entry_count: Some(policy.entries().count()),
            source_count: Some(count_sources(policy)),
            errors: Vec::new(),
            warnings: Some(warnings.iter().map(WarningReport::from).collect()),
            unresolved: None,
        }
    }

    /// A source file without errors, read from `path`.
    pub fn passed_list(
        path: &Path,
        sources: &[Source],
        warnings: &'a [PolicyWarning],
    ) -> Check<'a> {
        Check {
            name: path.display().to_string(),
            is_valid: true,
            entry_count: None,
            source_count: Some(sources.len()),
            errors: Vec::new(),
            warnings: Some(warnings.iter().map(WarningReport::from).collect()),
            unresolved: None,
        }
    }

    /// A policy or a source file with errors.
    pub fn failed(diagnostics: &'a Diagnostics) -> Check<'a> {
        Check {
            name: String::new(),
            is_valid: false,
            entry_count: None,
            source_count: None,
            errors: diagnostics.0.iter().map(ErrorReport::from).collect(),
            warnings: None,
            unresolved: None,
        }
    }

    /// The errors.
    pub fn into_errors(self) -> Vec<ErrorReport<'a>> {
        self.errors
    }
}

/// The number of sources in the policy. Those of a group count once, even if several entries use it.
fn count_sources(policy: &Policy) -> usize {
    let mut seen = HashSet::new();
    policy
        .entries()
        .flat_map(Entry::groups)
        .filter(|group| seen.insert(group.sources().as_ptr()))
        .map(|group| group.sources().len())
        .sum()
}

impl<'a> From<&'a Diagnostic> for ErrorReport<'a> {
    fn from(diagnostic: &'a Diagnostic) -> ErrorReport<'a> {
        ErrorReport {
            file: &diagnostic.at.file,
            line: diagnostic.at.line,
            column: diagnostic.at.column,
            message: &diagnostic.message,
            help: diagnostic.help.as_deref(),
            excerpt: &diagnostic.excerpt,
        }
    }
}

impl<'a> From<&'a PolicyWarning> for WarningReport<'a> {
    fn from(warning: &'a PolicyWarning) -> WarningReport<'a> {
        WarningReport { kind: warning.kind().id(), text: warning.diagnostic().into() }
    }
}

impl Report for Check<'_> {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let sources = Count(self.source_count.unwrap_or(0), "source");
        let errors = match self.errors.len() {
            0 => "no errors".to_owned(),
            errors => Count(errors, "error").to_string(),
        };
        write!(out, "{}: ", self.name)?;
        if let Some(entries) = self.entry_count {
            write!(out, "{}, ", Count(entries, "entry"))?;
        }
        write!(out, "{sources}, {errors}")?;
        match self.warnings.as_ref().map_or(0, Vec::len) {
            0 => writeln!(out),
            warnings => writeln!(out, ", {}", Count(warnings, "warning")),
        }
    }
}

#[cfg(test)]
mod tests {
    use dwnl::model::{AddressSpec, Location};
    use dwnl::policy::{Allow, Group};

    use super::super::test_support::{json, text};
    use super::*;

    fn policy() -> Policy {
        let host: AddressSpec = "192.0.2.7".parse().expect("an address");
        let group = Group::unnamed([host, host]).expect("a group");
        let ports = ["443/tcp".parse().expect("a port")];
        let allow = Allow::builder(ports).from([group]).build().expect("an entry");
        Policy::builder().allow_all([allow.clone(), allow]).build().expect("a policy")
    }

    #[test]
    fn sources_of_a_shared_group_count_once() {
        let policy = policy();
        let check = Check::passed(Path::new("policy.toml"), &policy, &[]);
        assert_eq!(text(&check), "policy.toml: 2 entries, 2 sources, no errors\n");
        assert_eq!(
            json(&check),
            r#"{"is_valid":true,"entry_count":2,"source_count":2,"errors":[],"warnings":[],"unresolved":null}"#
        );
    }

    #[test]
    fn standard_input_is_named() {
        let check = Check::passed(Path::new("-"), &Policy::default(), &[]);
        assert_eq!(text(&check), "<stdin>: 0 entries, 0 sources, no errors\n");
    }

    #[test]
    fn errors_are_objects_in_json() {
        let diagnostics = Diagnostics(vec![Diagnostic {
            at: Location { file: "p.toml".into(), line: 3, column: 9 },
            message: "unknown group `ofice`".to_owned(),
            help: Some("did you mean `office`?".to_owned()),
            excerpt: "from = [\"ofice\"]".to_owned(),
            width: 7,
        }]);
        assert_eq!(
            json(&Check::failed(&diagnostics)),
            concat!(
                r#"{"is_valid":false,"entry_count":null,"source_count":null,"errors":["#,
                r#"{"file":"p.toml","line":3,"column":9,"message":"unknown group `ofice`","#,
                r#""help":"did you mean `office`?","excerpt":"from = [\"ofice\"]"}],"warnings":null,"unresolved":null}"#
            )
        );
    }
}
