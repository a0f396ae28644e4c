//! The few styles of the reports.

use anstyle::{AnsiColor, Style};

/// What is added.
pub const ADDED: Style = AnsiColor::Green.on_default();
/// What is removed.
pub const REMOVED: Style = AnsiColor::Red.on_default();
/// What a group of lines is about.
pub const HEADING: Style = Style::new().bold();
/// What explains a line and is not part of it.
pub const REMARK: Style = Style::new().dimmed();
/// The word `error`, and what is not as it should be.
pub const ERROR: Style = AnsiColor::Red.on_default().bold();
/// The word `warning`.
pub const WARNING: Style = AnsiColor::Yellow.on_default().bold();
