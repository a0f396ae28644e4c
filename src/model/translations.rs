//! Port forwards of other programs in `PREROUTING`, and what becomes of dwnl's RETURN rule because
//! of them.

use std::fmt;

use super::{Name, TablePath};

/// Port forwards in `PREROUTING` of a nat table that belong neither to Docker nor to dwnl. dwnl's
/// RETURN rule, `-m addrtype --dst-type LOCAL -j RETURN`, hides them where it exists.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ForeignTranslations {
    /// The table.
    pub table: TablePath,
    /// What leads to them, without duplicates: a chain that `PREROUTING` jumps or goes to, or the
    /// target or expression of a rule in `PREROUTING`.
    pub via: Vec<Name>,
    /// What becomes of the RETURN rule.
    pub return_rule: ReturnRule,
}

/// What becomes of the RETURN rule where other programs forward ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReturnRule {
    /// It is left out, because the guard blocks without it.
    Guarded,
    /// It is left out, because the policy allows everyone to reach every port.
    Open,
    /// It is kept, because nothing else blocks, and hides the port forwards.
    Kept,
}

impl ForeignTranslations {
    /// Whether the RETURN rule is left out.
    pub fn is_left_out(&self) -> bool {
        self.return_rule != ReturnRule::Kept
    }
}

/// A sentence: `the RETURN rule is left out in ip nat PREROUTING, because other programs forward
/// ports there (KUBE-SERVICES); the guard blocks without it`.
impl fmt::Display for ForeignTranslations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (table, via) = (&self.table, self.via.join(", "));
        let reason = match self.return_rule {
            ReturnRule::Guarded => "the guard blocks without it",
            ReturnRule::Open => "the policy allows everyone to reach every port",
            ReturnRule::Kept => {
                return write!(
                    f,
                    "the RETURN rule in {table} PREROUTING hides port forwards of other programs \
                     ({via}); it is needed while the guard is off, so connections to this host do \
                     not reach them"
                );
            }
        };
        write!(
            f,
            "the RETURN rule is left out in {table} PREROUTING, because other programs forward \
             ports there ({via}); {reason}"
        )
    }
}
