//! Address translations of other programs in `PREROUTING`, and what becomes of dwnl's second jump
//! because of them.

use std::fmt;

use super::{Name, TablePath};

/// That `PREROUTING` of a nat table holds translations that are neither Docker's nor dwnl's. The
/// second jump, `-m addrtype --dst-type LOCAL -j RETURN`, cuts them off wherever it exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignTranslations {
    /// The table.
    pub table: TablePath,
    /// What leads to them, each once: a chain that `PREROUTING` jumps or goes to, or the target or
    /// expression of a rule of its own.
    pub via: Vec<Name>,
    /// What becomes of the second jump.
    pub second_jump: SecondJump,
}

/// What becomes of the second jump where other programs translate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecondJump {
    /// It is left out, because the guard blocks by itself.
    Guarded,
    /// It is left out, because the policy admits everyone to every port.
    Open,
    /// It is kept, because nothing else blocks, and cuts the translations off.
    Kept,
}

impl ForeignTranslations {
    /// Whether the second jump is left out.
    pub fn is_left_out(&self) -> bool {
        self.second_jump != SecondJump::Kept
    }
}

/// A sentence: `the second jump is left out in ip nat: PREROUTING also holds translations of other
/// programs (KUBE-SERVICES); the guard blocks by itself`.
impl fmt::Display for ForeignTranslations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (table, via) = (&self.table, self.via.join(", "));
        let reason = match self.second_jump {
            SecondJump::Guarded => "the guard blocks by itself",
            SecondJump::Open => "the policy admits everyone to every port",
            SecondJump::Kept => {
                return write!(
                    f,
                    "the second jump in {table} cuts off translations of other programs ({via}): \
                     with the guard off nothing else blocks, so that what is addressed to this \
                     host does not reach them"
                );
            }
        };
        write!(
            f,
            "the second jump is left out in {table}: PREROUTING also holds translations of other \
             programs ({via}); {reason}"
        )
    }
}
