//! The styles of the reports.

use anstyle::{AnsiColor, Style};

/// An added line.
pub const ADDED: Style = AnsiColor::Green.on_default();
/// A removed line.
pub const REMOVED: Style = AnsiColor::Red.on_default();
/// The heading of a group of lines.
pub const HEADING: Style = Style::new().bold();
/// An explanation after a line.
pub const REMARK: Style = Style::new().dimmed();
/// The word `error`, and what is missing or misplaced.
pub const ERROR: Style = AnsiColor::Red.on_default().bold();
/// The word `warning`.
pub const WARNING: Style = AnsiColor::Yellow.on_default().bold();
