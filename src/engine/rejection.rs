//! A change that the kernel rejected, in iptables' syntax and with the policy's line.

use std::fmt;
use std::io;

use crate::model::{ChainPath, Rule, RuleContent};
use crate::plan::Change;

/// A change that the kernel rejected, and with it the whole transaction.
#[derive(Debug)]
#[non_exhaustive]
pub struct Rejection {
    /// The change; `None` if the kernel rejected the transaction itself.
    pub change: Option<Change>,
    /// The attribute of the message that the kernel reports (extended acknowledgement), in words.
    pub attribute: Option<String>,
    /// The kernel's error.
    pub source: io::Error,
}

impl Rejection {
    /// The likely cause, where the error number shows it.
    fn hint(&self) -> Option<String> {
        let errno = self.source.raw_os_error()?;
        match (&self.change, errno) {
            (Some(Change::AddTable(table)), libc::EAFNOSUPPORT | libc::EOPNOTSUPP) => {
                Some(format!("this kernel does not support nf_tables for family {}", table.family))
            }
            (Some(Change::AddChain(chain, Some(base))), libc::ENOENT | libc::EOPNOTSUPP) => {
                let family = chain.table.family;
                let kind = base.chain_type;
                Some(format!(
                    "this kernel does not support {kind} chains for family {family} (module \
                     nft_chain_{kind})"
                ))
            }
            (Some(Change::AddRule { .. } | Change::RestoreRule { .. }), libc::ENOENT) => {
                self.missing_match()
            }
            (Some(Change::DeleteChain(_)), libc::EBUSY) => {
                Some("a set or map of another program still refers to the chain".to_owned())
            }
            (_, libc::ENOMEM | libc::ENOBUFS) => Some("the kernel is out of memory".to_owned()),
            _ => None,
        }
    }

    /// The name of the xt match that the kernel does not have.
    fn missing_match(&self) -> Option<String> {
        let (_, name) = self.attribute.as_ref()?.rsplit_once("match ")?;
        Some(format!("this kernel does not support match {name} (module xt_{name})"))
    }
}

impl std::error::Error for Rejection {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// A sentence such as ``the kernel rejected adding `-A DOCKER-BLOCK …` to ip nat (entry `web`
/// (policy.toml:12:1)): No such file or directory, at expression 3, match conntrack``.
impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the kernel rejected ")?;
        match &self.change {
            Some(change) => describe(change, f)?,
            None => write!(f, "committing the transaction")?,
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
        Change::AddTable(table) => write!(f, "creating table {table}"),
        Change::DeleteTable { table, .. } => write!(f, "deleting table {table}"),
        Change::AddChain(chain, _) => write!(f, "creating chain {chain}"),
        Change::DeleteChain(chain) => write!(f, "deleting chain {chain}"),
        Change::AddSet(set, _) => write!(f, "creating set {set}"),
        Change::AddElements { set, elements, origin, .. } => {
            write!(f, "adding {} elements to set {set} ({origin})", elements.len())
        }
        Change::DeleteElements { set, elements, .. } => {
            write!(f, "removing {} elements from set {set}", elements.len())
        }
        Change::ReplaceSet { set, elements, origin, .. } => {
            write!(
                f,
                "replacing the contents of set {set} with {} elements ({origin})",
                elements.len()
            )
        }
        Change::AddMap(map) => write!(f, "creating map {map}"),
        Change::AddTargets { map, elements } => {
            write!(f, "adding {} elements to map {map}", elements.len())
        }
        Change::DeleteTargets { map, elements } => {
            write!(f, "removing {} elements from map {map}", elements.len())
        }
        Change::DeleteMap { map, .. } => write!(f, "deleting map {map}"),
        Change::DeleteSet { set, .. } => write!(f, "deleting set {set}"),
        Change::FlushChain { chain, .. } => write!(f, "flushing chain {chain}"),
        Change::DeleteRule { chain, content, .. } => {
            write!(f, "deleting `{}` from {}", Line(chain, content), chain.table)
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
            write!(f, "adding `{}` to {}", Line(chain, &content), chain.table)
        }
        Rule::Nft(_) => write!(f, "adding `{rule}` to {chain}"),
    }
}

/// A line of `iptables -S`.
struct Line<'a>(&'a ChainPath, &'a RuleContent);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "-A {} {}", self.0.chain, self.1)
    }
}
