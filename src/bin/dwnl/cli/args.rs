//! The arguments of the command line. `--file` and `--netns` may stand before the verb as well as
//! after it, but only where the verb has a use for them.

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args, ColorChoice, Parser, Subcommand};
use dwnl::model::Family;

/// Where the policy is if `--file` does not say.
pub(super) const POLICY_FILE: &str = "/etc/dwnl/policy.toml";

/// Says who may reach the ports that Docker publishes.
#[derive(Debug, Parser)]
#[command(
    version,
    disable_help_subcommand = true,
    max_term_width = 100,
    after_help = "Exit status: 0 done, 1 the operation failed, 2 the policy or the command line \
                  is wrong, 3 something would change (plan --exit-code)."
)]
pub struct Cli {
    /// What holds for every verb.
    #[command(flatten)]
    pub options: Options,
    #[command(flatten)]
    pub(super) policy: PolicyFile,
    #[command(flatten)]
    pub(super) namespace: Namespace,
    /// What is to be done.
    #[command(subcommand)]
    pub verb: Command,
}

/// The options of every verb.
#[derive(Debug, Args)]
pub struct Options {
    /// Print the report as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Print no report, only warnings and errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Tell more: what apply and remove change, where plan puts a rule and why, all elements of sets
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: ColorChoice,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Read the policy and report every error in it
    Check(PolicyFile),
    /// Print what the policy compiles to, as iptables-restore or nft reads it
    Rules(RulesArgs),
    /// Print the difference between the policy and the kernel; change nothing
    Plan(PlanArgs),
    /// Make the kernel match the policy, in one transaction
    Apply(ApplyArgs),
    /// Keep the kernel at the policy, whatever others change in either, until told to stop
    Watch(WatchArgs),
    /// Print what is in the kernel now, with counters
    Show(Namespace),
    /// Take out everything that dwnl put in, in one transaction, and nothing else
    Remove(Namespace),
}

/// Which policy is read.
#[derive(Debug, Args)]
pub struct PolicyFile {
    /// Read the policy from PATH; `-` is standard input [default: /etc/dwnl/policy.toml]
    #[arg(short, long, value_name = "PATH")]
    pub(super) file: Option<PathBuf>,
}

impl PolicyFile {
    /// The path of the policy.
    pub fn path(&self) -> &Path {
        self.file.as_deref().unwrap_or(Path::new(POLICY_FILE))
    }
}

/// Which network namespace is worked in.
#[derive(Debug, Args)]
pub struct Namespace {
    /// Work in the network namespace at PATH, such as /run/netns/NAME
    #[arg(long, value_name = "PATH")]
    pub(super) netns: Option<PathBuf>,
}

impl Namespace {
    /// The path of the namespace; `None`: the one that the program runs in.
    pub fn path(&self) -> Option<&Path> {
        self.netns.as_deref()
    }
}

/// The arguments of `rules`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("family"))]
pub struct RulesArgs {
    /// Which policy is compiled.
    #[command(flatten)]
    pub policy: PolicyFile,
    /// Only the rules of IPv4
    #[arg(short = '4', long, group = "family")]
    ipv4: bool,
    /// Only the rules of IPv6
    #[arg(short = '6', long, group = "family")]
    ipv6: bool,
    /// Only the table of the guard and the large groups, as `nft -f` reads it
    #[arg(long, group = "family")]
    nft: bool,
}

impl RulesArgs {
    /// The one family that is asked for; `None`: all.
    pub fn family(&self) -> Option<Family> {
        match (self.ipv4, self.ipv6, self.nft) {
            (true, ..) => Some(Family::Ip),
            (_, true, _) => Some(Family::Ip6),
            (.., true) => Some(Family::Inet),
            _ => None,
        }
    }
}

/// The arguments of `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Which policy is compared.
    #[command(flatten)]
    pub policy: PolicyFile,
    /// Where the kernel is looked at.
    #[command(flatten)]
    pub namespace: Namespace,
    /// Exit with status 3 if something would change
    #[arg(long)]
    pub exit_code: bool,
}

/// The arguments of `apply`.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// Which policy is applied.
    #[command(flatten)]
    pub policy: PolicyFile,
    /// Where it is applied.
    #[command(flatten)]
    pub namespace: Namespace,
}

/// The arguments of `watch`.
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// Which policy is kept in force.
    #[command(flatten)]
    pub policy: PolicyFile,
    /// Where it is kept in force.
    #[command(flatten)]
    pub namespace: Namespace,
    /// Write counters to PATH, for the textfile collector of Prometheus' node exporter
    #[arg(long, value_name = "PATH")]
    pub metrics_file: Option<PathBuf>,
    /// Answer every connection to a Unix socket at PATH with the counters
    #[arg(long, value_name = "PATH")]
    pub metrics_socket: Option<PathBuf>,
}
