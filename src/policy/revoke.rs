//! The `[revoke]` table: flows that a change of the policy leaves behind.

/// The `[revoke]` table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Revoke {
    established: Established,
}

impl Revoke {
    /// How established flows of sources that are no longer allowed are treated.
    pub fn established(&self) -> Established {
        self.established
    }

    /// The same table with this setting.
    #[must_use]
    pub fn with_established(mut self, established: Established) -> Revoke {
        self.established = established;
        self
    }
}

/// How established flows whose source is no longer allowed are treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Established {
    /// They go on until they end by themselves.
    #[default]
    Keep,
    /// They are terminated.
    Cut,
}
