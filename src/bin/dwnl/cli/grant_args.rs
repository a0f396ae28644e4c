//! The arguments of the commands that allow and deny by hand.

use std::time::Duration;

use clap::{ArgGroup, Args, ValueEnum};
use dwnl::model::{GrantAction, Name};

use super::args::{Namespace, PolicyFile, StateArgs};
use crate::by_hand::{duration, note};

/// The arguments of `allow`.
#[derive(Debug, Args)]
pub struct AllowArgs {
    /// The address, prefix or range to let in; `-` reads lines of SOURCE PORTS [DURATION]
    pub source: String,
    /// The published ports, such as 443 or 8000-8100/udp, or the name of an entry of the policy
    #[arg(value_name = "PORTS|ENTRY")]
    pub ports: Vec<String>,
    /// How long and why.
    #[command(flatten)]
    pub terms: Terms,
    /// The policy whose entry is meant.
    #[command(flatten)]
    pub policy: PolicyFile,
    /// The network namespace to work in.
    #[command(flatten)]
    pub namespace: Namespace,
    /// Where grants are stored.
    #[command(flatten)]
    pub state: StateArgs,
}

/// The arguments of `deny`.
#[derive(Debug, Args)]
pub struct DenyArgs {
    /// The address, prefix or range to keep out; `-` reads lines of SOURCE [PORTS] [DURATION]
    pub source: String,
    /// The published ports, such as 443 or 8000-8100/udp [default: all]
    #[arg(value_name = "PORTS")]
    pub ports: Vec<String>,
    /// How long and why.
    #[command(flatten)]
    pub terms: Terms,
    /// Also terminate the source's established flows
    #[arg(long)]
    pub cut: bool,
    /// The network namespace to work in.
    #[command(flatten)]
    pub namespace: Namespace,
    /// Where bans are stored.
    #[command(flatten)]
    pub state: StateArgs,
}

/// How long something by hand lasts, and why.
#[derive(Debug, Args)]
pub struct Terms {
    /// End it after DURATION, such as 10m, 2h or 7d; `deny` without it: when it is revoked
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub duration: Option<Duration>,
    /// What it is for, at most 127 bytes
    #[arg(long, value_name = "TEXT", value_parser = note)]
    pub note: Option<Name>,
    /// Add it again when the rules are installed anew, as after a reboot
    #[arg(long)]
    pub persist: bool,
}

/// The arguments of `grants`.
#[derive(Debug, Args)]
pub struct GrantsArgs {
    /// The network namespace to look at.
    #[command(flatten)]
    pub namespace: Namespace,
    /// Where grants and bans are stored.
    #[command(flatten)]
    pub state: StateArgs,
}

/// The arguments of `revoke`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["source", "all"]))]
pub struct RevokeArgs {
    /// The address, prefix or range whose grants and bans end; `-` reads lines of SOURCE [PORTS]
    pub source: Option<String>,
    /// Only for these published ports
    #[arg(value_name = "PORTS", requires = "source")]
    pub ports: Vec<String>,
    /// End all grants and bans
    #[arg(long)]
    pub all: bool,
    /// Only what was denied, or only what was allowed
    #[arg(long, value_enum, value_name = "WHAT", conflicts_with = "all")]
    pub only: Option<Only>,
    /// The network namespace to work in.
    #[command(flatten)]
    pub namespace: Namespace,
    /// Where grants and bans are stored.
    #[command(flatten)]
    pub state: StateArgs,
}

/// Which of the two a revocation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Only {
    /// Grants.
    Allow,
    /// Bans.
    Deny,
}

impl RevokeArgs {
    /// Which of the two it is for; `None`: both.
    pub fn action(&self) -> Option<GrantAction> {
        self.only.map(|only| match only {
            Only::Allow => GrantAction::Allow,
            Only::Deny => GrantAction::Deny,
        })
    }
}
