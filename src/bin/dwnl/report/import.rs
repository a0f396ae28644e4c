//! The report of `import`: a policy as text.

use std::io::{self, Write};

use dwnl::import::Imported;
use serde::Serialize;

use super::Report;

/// A policy that was made from rules.
#[derive(Debug, Serialize)]
pub struct Import {
    policy: String,
    entry_count: usize,
    rule_count: usize,
    untranslated: Vec<UntranslatedReport>,
    remarks: Vec<String>,
}

#[derive(Debug, Serialize)]
struct UntranslatedReport {
    file: String,
    line: u32,
    text: String,
    reason: String,
}

impl Import {
    /// The report.
    pub fn new(imported: &Imported) -> Import {
        let untranslated = imported.untranslated.iter().map(|it| UntranslatedReport {
            file: it.file.to_string(),
            line: it.line,
            text: it.text.to_string(),
            reason: it.reason.clone(),
        });
        Import {
            policy: imported.to_toml(),
            entry_count: imported.policy.entries().count(),
            rule_count: imported.rules,
            untranslated: untranslated.collect(),
            remarks: imported.remarks.clone(),
        }
    }
}

impl Report for Import {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(self.policy.as_bytes())
    }

    fn has_whole_lines(&self) -> bool {
        true
    }
}
