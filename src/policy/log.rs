//! The `[log]` table: what is logged.

use crate::model::LogTarget;

/// The `[log]` table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Log {
    refused: Option<LogTarget>,
}

impl Log {
    /// Where the packets are logged that the guard drops: of each path at most 10 per second, and 20 at
    /// once; `None`: they are not.
    pub fn refused(&self) -> Option<LogTarget> {
        self.refused
    }

    /// The same table with this setting.
    #[must_use]
    pub fn with_refused(mut self, refused: Option<LogTarget>) -> Log {
        self.refused = refused;
        self
    }
}
