//! A change that the kernel refused, told in iptables' words and with the policy's line.

use std::fmt;
use std::io;

use crate::model::{ChainPath, Rule, RuleContent};
use crate::plan::Change;

/// A change that the kernel refused, and with it the whole transaction.
#[derive(Debug)]
#[non_exhaustive]
pub struct Rejection {
    /// The change; `None` if the transaction as a whole was refused.
    pub change: Option<Change>,
    /// The attribute of the message that the kernel points at, in words.
    pub attribute: Option<String>,
    /// The kernel's error.
    pub source: io::Error,
}

impl Rejection {
    /// What the operator can do about it, where that can be told.
    fn hint(&self) -> Option<String> {
        let errno = self.source.raw_os_error()?;
        match (&self.change, errno) {
            (Some(Change::AddTable(table)), libc::EAFNOSUPPORT | libc::EOPNOTSUPP) => {
                Some(format!("this kernel has no nf_tables for the family {}", table.family))
            }
            (Some(Change::AddChain(chain, Some(base))), libc::ENOENT | libc::EOPNOTSUPP) => {
                let family = chain.table.family;
                let kind = base.chain_type;
                Some(format!(
                    "this kernel has no {kind} for the family {family} (module nft_chain_{kind})"
                ))
            }
            (Some(Change::AddRule { .. } | Change::RestoreRule { .. }), libc::ENOENT) => {
                self.missing_match()
            }
            (Some(Change::DeleteChain(_)), libc::EBUSY) => {
                Some("somebody else's set or map still refers to the chain".to_owned())
            }
            (_, libc::ENOMEM | libc::ENOBUFS) => Some("the kernel is out of memory".to_owned()),
            _ => None,
        }
    }

    /// The kernel points at the name of an xt match that it does not have.
    fn missing_match(&self) -> Option<String> {
        let (_, name) = self.attribute.as_ref()?.rsplit_once("match ")?;
        Some(format!("this kernel has no match {name} (module xt_{name})"))
    }
}

impl std::error::Error for Rejection {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// A sentence such as ``the kernel refuses to add `-A DOCKER-BLOCK …` to ip nat (entry `web`
/// (policy.toml:12:1)): No such file or directory, at expression 3, match conntrack``.
impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the kernel refuses to ")?;
        match &self.change {
            Some(change) => describe(change, f)?,
            None => write!(f, "commit the transaction")?,
        }
        write!(f, ": {}", self.source)?;
        if let Some(attribute) = &self.attribute {
            write!(f, ", at {attribute}")?;
        }
        match self.hint() {
            Some(hint) => write!(f, ": {hint}"),
            None => Ok(()),
        }
    }
}

fn describe(change: &Change, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match change {
        Change::AddTable(table) => write!(f, "create the table {table}"),
        Change::DeleteTable { table, .. } => write!(f, "delete the table {table}"),
        Change::AddChain(chain, _) => write!(f, "create the chain {chain}"),
        Change::DeleteChain(chain) => write!(f, "delete the chain {chain}"),
        Change::AddSet(set, _) => write!(f, "create the set {set}"),
        Change::AddElements { set, elements, origin, .. } => {
            write!(f, "put {} elements into the set {set} ({origin})", elements.len())
        }
        Change::DeleteElements { set, elements, .. } => {
            write!(f, "take {} elements out of the set {set}", elements.len())
        }
        Change::ReplaceSet { set, elements, origin, .. } => {
            write!(f, "fill the set {set} anew with {} elements ({origin})", elements.len())
        }
        Change::DeleteSet { set, .. } => write!(f, "delete the set {set}"),
        Change::FlushChain { chain, .. } => write!(f, "empty the chain {chain}"),
        Change::DeleteRule { chain, content, .. } => {
            write!(f, "delete `{}` from {}", Line(chain, content), chain.table)
        }
        Change::AddRule { chain, rule, origin, .. } => {
            describe_addition(chain, rule, f)?;
            match origin {
                Some(origin) => write!(f, " ({origin})"),
                None => Ok(()),
            }
        }
        Change::RestoreRule { chain, rule, .. } => describe_addition(chain, rule, f),
    }
}

fn describe_addition(chain: &ChainPath, rule: &Rule, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match rule {
        Rule::Iptables(_) => {
            let content = RuleContent::Known(rule.clone());
            write!(f, "add `{}` to {}", Line(chain, &content), chain.table)
        }
        Rule::Nft(_) => write!(f, "add `{rule}` to {chain}"),
    }
}

/// A line of `iptables -S`.
struct Line<'a>(&'a ChainPath, &'a RuleContent);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "-A {} {}", self.0.chain, self.1)
    }
}
