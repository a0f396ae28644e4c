//! The arguments of the command line. `--file` and `--netns` may precede the command or follow it,
//! but only if the command uses them.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{ArgGroup, Args, ColorChoice, CommandFactory, Parser, Subcommand, ValueEnum};
use dwnl::ipnetwork::IpNetwork;
use dwnl::model::{AddressSpec, Family, IpVersion, Ports, Protocol};
use dwnl::policy::{JsonPath, MaxShrink, ParseError};
use nix::unistd::{Gid, Group};

use super::grant_args::{AllowArgs, DenyArgs, GrantsArgs, RevokeArgs};

/// The path of the policy without `--file`.
pub(super) const POLICY_FILE: &str = "/etc/dwnl/policy.toml";

/// Control who can reach ports published by Docker
#[derive(Debug, Parser)]
#[command(
    version,
    disable_help_subcommand = true,
    max_term_width = 100,
    after_help = "Exit status: 0 success, 1 the operation failed, 2 invalid policy or command line, \
                  3 access would change, 4 only the rules' form or order, 5 only what Docker \
                  publishes (plan --exit-code), 4 the last valid policy was applied instead \
                  (apply --fallback), 3 warnings, 4 problems (doctor), 3 lines were not translated \
                  (import)."
)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub options: Options,
    #[command(flatten)]
    pub(super) policy: PolicyFile,
    #[command(flatten)]
    pub(super) namespace: Namespace,
    /// The command.
    #[command(subcommand)]
    pub verb: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
pub struct Options {
    /// Print JSON; `watch` and `trace` print one object per line
    #[arg(long, global = true)]
    pub json: bool,
    /// Print only warnings and errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Show more detail
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: ColorChoice,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check the policy and report every error in it
    Check(CheckArgs),
    /// Print the rules that the policy compiles to, for iptables-restore or nft
    Rules(RulesArgs),
    /// Show how the kernel differs from the policy; change nothing
    Plan(PlanArgs),
    /// Make the kernel match the policy, without a gap
    Apply(ApplyArgs),
    /// Keep the kernel in sync with the policy until stopped
    Watch(WatchArgs),
    /// Confirm the policy on trial: it stays in force
    Confirm(Namespace),
    /// End the trial of a policy, or apply the policy before the last one
    Rollback(RollbackArgs),
    /// Let a source in for a while, beside the policy
    Allow(AllowArgs),
    /// Keep a source out, whatever the policy says
    Deny(DenyArgs),
    /// Show what is allowed and denied by hand
    Grants(GrantsArgs),
    /// End what is allowed and denied by hand
    Revoke(RevokeArgs),
    /// Show which policy is in force, and whether the kernel matches it
    Status(StatusArgs),
    /// Show which sources were refused at which ports
    Refused(RefusedArgs),
    /// Explain whether a source gets in at a port, and why; send no packet, change nothing
    Explain(ExplainArgs),
    /// Show which chains and rules packets from a source pass, and what becomes of them
    Trace(TraceArgs),
    /// Examine the host: kernel, Docker, services, and other programs that write rules
    Doctor(StatusArgs),
    /// Show the installed rules with their packet and byte counters
    Show(ShowArgs),
    /// Print the policy that rules of iptables for published ports amount to; change nothing
    Import(ImportArgs),
    /// Remove everything dwnl installed, in one transaction
    Remove(Namespace),
}

/// The policy to read.
#[derive(Debug, Args)]
pub struct PolicyFile {
    /// Read the policy from PATH; `-` is standard input [default: /etc/dwnl/policy.toml]
    #[arg(short, long, value_name = "PATH")]
    pub(super) file: Option<PathBuf>,
    /// Read source files relative to DIR [default: the directory of the policy]
    #[arg(long, value_name = "DIR")]
    pub(super) base_dir: Option<PathBuf>,
}

impl PolicyFile {
    /// The path that was given.
    pub fn given(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Whether a path or a directory was given.
    pub fn is_given(&self) -> bool {
        self.file.is_some() || self.base_dir.is_some()
    }

    /// The path of the policy.
    pub fn path(&self) -> &Path {
        self.file.as_deref().unwrap_or(Path::new(POLICY_FILE))
    }

    /// The directory to which the paths of source files are relative.
    pub fn base_directory(&self) -> &Path {
        self.base_directory_of(self.path())
    }

    /// The same for the policy at `path`.
    pub fn base_directory_of<'a>(&'a self, path: &'a Path) -> &'a Path {
        let parent = || path.parent().unwrap_or(Path::new(""));
        self.base_dir.as_deref().unwrap_or_else(parent)
    }
}

/// The network namespace to work in.
#[derive(Debug, Args)]
pub struct Namespace {
    /// Work in the network namespace at PATH, such as /run/netns/NAME
    #[arg(long, value_name = "PATH")]
    pub(super) netns: Option<PathBuf>,
}

impl Namespace {
    /// The path of the namespace; `None`: the namespace of the program.
    pub fn path(&self) -> Option<&Path> {
        self.netns.as_deref()
    }
}

/// The arguments of `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The policy to check.
    #[command(flatten)]
    pub policy: PolicyFile,
    /// Read as the user of the services, or as USER, and report files that the services cannot read
    #[arg(long, value_name = "USER", num_args = 0..=1)]
    pub as_service: Option<Option<String>>,
    /// Look up names of sources and ports of containers, and warn of what cannot be looked up
    #[arg(long)]
    pub resolve: bool,
    /// The list to check in place of a policy.
    #[command(flatten)]
    pub list: ListArgs,
}

/// A source file, to be checked by itself.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Check a source file alone, in place of a policy
    #[arg(long, value_name = "PATH", conflicts_with_all = ["file", "base_dir", "as_service"])]
    pub source_file: Option<PathBuf>,
    /// The source file is JSON, with the sources at this path, such as prefixes[].ip_prefix
    #[arg(long, value_name = "JSON_PATH", requires = "source_file")]
    pub json_path: Vec<JsonPath>,
    /// The source file may have no sources
    #[arg(long, requires = "source_file")]
    pub allow_empty: bool,
    /// The file that the source file is to replace; it may be missing
    #[arg(long, value_name = "PATH", requires_all = ["source_file", "max_shrink"])]
    pub previous: Option<PathBuf>,
    /// The largest share of the previous sources that may be lost, such as 50%
    #[arg(long, value_name = "PERCENT", requires = "previous")]
    pub max_shrink: Option<MaxShrink>,
}

/// Where the policy in force is stored.
#[derive(Debug, Args)]
pub struct StateArgs {
    /// The directory with the stored policies [default: $STATE_DIRECTORY, else /var/lib/dwnl; none in
    /// other network namespaces than the host's]
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

impl StateArgs {
    /// The directory that was given.
    pub fn directory(&self) -> Option<&Path> {
        self.state_dir.as_deref()
    }
}

/// The arguments of `rules`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("family"))]
pub struct RulesArgs {
    /// The policy to compile.
    #[command(flatten)]
    pub policy: PolicyFile,
    /// Print only IPv4 rules
    #[arg(short = '4', long, group = "family")]
    ipv4: bool,
    /// Print only IPv6 rules
    #[arg(short = '6', long, group = "family")]
    ipv6: bool,
    /// Print only the guard and the large groups, for `nft -f`
    #[arg(long, group = "family")]
    nft: bool,
    /// Look up the ports of containers
    #[arg(long)]
    pub resolve: bool,
}

impl RulesArgs {
    /// The only family to print; `None`: all.
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
    /// The policy to compare.
    #[command(flatten)]
    pub policy: PolicyFile,
    /// The network namespace to compare.
    #[command(flatten)]
    pub namespace: Namespace,
    /// Where what is known of names and containers is stored.
    #[command(flatten)]
    pub state: StateArgs,
    /// Exit with status 3 to 5 if the kernel differs from the policy: 3 sources would gain or lose
    /// access, 4 only the form or order of rules differs, 5 only what Docker publishes
    #[arg(long)]
    pub exit_code: bool,
}

/// The arguments of `status` and `doctor`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// The policy file [default: the file that the policy in force was read from].
    #[command(flatten)]
    pub policy: PolicyFile,
    /// The network namespace to compare.
    #[command(flatten)]
    pub namespace: Namespace,
    /// Where the policy in force is stored.
    #[command(flatten)]
    pub state: StateArgs,
}

/// The arguments of `refused`.
#[derive(Debug, Args)]
pub struct RefusedArgs {
    /// Only these ports: 443, 443/udp or 8000-8100/tcp; without a protocol, of all protocols
    #[arg(long, value_name = "PORT[/PROTO]", value_parser = ports)]
    pub port: Option<PortFilter>,
    /// Only sources of this address, prefix or range
    #[arg(long, value_name = "SOURCE", value_parser = AddressSpec::from_str)]
    pub source: Option<AddressSpec>,
    /// Show at most N sources, and N ports [default: 20; all with --json or -v]
    #[arg(long, value_name = "N")]
    pub top: Option<usize>,
    /// Only what was refused within DURATION, such as 10m or 1h
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub since: Option<Duration>,
    /// What comes first: the most recent or the most packets
    #[arg(long, value_enum, value_name = "ORDER", default_value_t = Order::Recent)]
    pub sort: Order,
    /// Print a line for each refusal from now on, until interrupted
    #[arg(long, conflicts_with_all = ["top", "since", "sort"])]
    pub follow: bool,
    /// The network namespace to look at.
    #[command(flatten)]
    pub namespace: Namespace,
}

/// What comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Order {
    /// The most recent.
    Recent,
    /// The most packets.
    Packets,
}

/// Ports of one protocol or of all.
#[derive(Clone, Debug)]
pub struct PortFilter(pub Vec<Ports>);

fn ports(text: &str) -> Result<PortFilter, ParseError> {
    let ports: Ports = text.parse()?;
    if text.contains('/') {
        return Ok(PortFilter(vec![ports]));
    }
    let of = |protocol| Ports::new(protocol, ports.first(), ports.last()).ok();
    Ok(PortFilter(Protocol::ALL.into_iter().filter_map(of).collect()))
}

/// The arguments of `explain`.
#[derive(Debug, Args)]
#[command(allow_missing_positional = true)]
pub struct ExplainArgs {
    /// The source's address
    pub source: IpAddr,
    /// The address of this host that it calls [default: the one by which the host answers it or, if
    /// the port is not published there, one at which it is]
    pub destination: Option<IpAddr>,
    /// The published port, such as 443 or 53/udp
    #[arg(value_name = "PORT[/PROTO]", value_parser = one_port)]
    pub port: Ports,
    /// The interface by which its packets come in [default: the one that leads to it]
    #[arg(long, value_name = "IF")]
    pub in_interface: Option<String>,
    /// The policy to explain.
    #[command(flatten)]
    pub policy: PolicyFile,
    /// The network namespace to look at.
    #[command(flatten)]
    pub namespace: Namespace,
    /// Where what is known of names and containers is stored.
    #[command(flatten)]
    pub state: StateArgs,
}

impl ExplainArgs {
    /// Rejects a source and a destination of different IP versions.
    pub(super) fn check_versions(&self) -> Result<(), clap::Error> {
        let is_other = |to: &IpAddr| to.is_ipv4() != self.source.is_ipv4();
        match self.destination.filter(is_other) {
            None => Ok(()),
            Some(to) => {
                let message = format!("{} and {to} are of different IP versions", self.source);
                Err(Cli::command().error(ErrorKind::ValueValidation, message))
            }
        }
    }
}

fn one_port(text: &str) -> Result<Ports, String> {
    let ports: Ports = text.parse().map_err(|error: ParseError| error.to_string())?;
    match ports.first() == ports.last() {
        true => Ok(ports),
        false => Err("name one port".to_owned()),
    }
}

/// The arguments of `apply`.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// The policy to apply.
    #[command(flatten)]
    pub policy: PolicyFile,
    /// The network namespace to apply it in.
    #[command(flatten)]
    pub namespace: Namespace,
    /// Restore the previous rules after DURATION (such as 60s or 5m) unless the policy is confirmed
    /// with Enter or `dwnl confirm`
    #[arg(long, value_name = "DURATION", value_parser = trial_duration, conflicts_with = "fallback")]
    pub confirm: Option<Duration>,
    /// Where it is stored.
    #[command(flatten)]
    pub state: StateArgs,
    /// If the policy has errors, apply the last valid one instead
    #[arg(long)]
    pub fallback: bool,
}

/// The arguments of `rollback`.
#[derive(Debug, Args)]
pub struct RollbackArgs {
    /// The network namespace to work in.
    #[command(flatten)]
    pub namespace: Namespace,
    /// Where the previous policy is stored.
    #[command(flatten)]
    pub state: StateArgs,
}

/// The arguments of `show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Show only chains and sets of this name, rules of this entry, or rules for this port; `*` stands
    /// for any characters
    #[arg(value_name = "PATTERN")]
    pub pattern: Option<String>,
    /// The network namespace to work in.
    #[command(flatten)]
    pub namespace: Namespace,
}

/// The arguments of `import`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("version"))]
pub struct ImportArgs {
    /// Files with rules, which belong together in this order: of iptables-save, `iptables -S`,
    /// `ipset save` or ufw, or shell scripts; `-` is standard input [default: the kernel's rules]
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Read the kernel's rules
    #[arg(long, value_enum, value_name = "SOURCE", conflicts_with = "files")]
    pub from: Option<ImportSource>,
    /// Rules without addresses are of IPv4 [default: as the lines around them, else IPv4]
    #[arg(short = '4', long, group = "version", conflicts_with = "from")]
    ipv4: bool,
    /// Rules without addresses are of IPv6
    #[arg(short = '6', long, group = "version", conflicts_with = "from")]
    ipv6: bool,
    /// The network namespace whose rules are read.
    #[command(flatten)]
    pub namespace: Namespace,
}

/// Where `import` reads rules, besides files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ImportSource {
    /// The kernel.
    Kernel,
}

impl ImportArgs {
    /// The version of IP of rules in files.
    pub fn version(&self) -> Option<IpVersion> {
        match (self.ipv4, self.ipv6) {
            (true, _) => Some(IpVersion::V4),
            (_, true) => Some(IpVersion::V6),
            _ => None,
        }
    }
}

/// The longest trial.
const TRIAL_MAX: Duration = Duration::from_secs(24 * 60 * 60);

fn trial_duration(text: &str) -> Result<Duration, String> {
    duration_up_to(text, TRIAL_MAX, "24h")
}

fn duration_up_to(text: &str, max: Duration, name: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if duration.is_zero() || duration > max {
        return Err(format!("use a duration of up to {name}"));
    }
    Ok(duration)
}

/// The arguments of `watch`.
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// The policy to keep in force.
    #[command(flatten)]
    pub policy: PolicyFile,
    /// The network namespace to keep it in force in.
    #[command(flatten)]
    pub namespace: Namespace,
    /// Apply a changed policy only on SIGHUP or `dwnl apply`
    #[arg(long)]
    pub manual: bool,
    /// Where it is stored.
    #[command(flatten)]
    pub state: StateArgs,
    /// If the policy has errors, apply the last valid one instead
    #[arg(long)]
    pub fallback: bool,
    /// Serve programs on a Unix socket at PATH, one JSON object per line, for root and the user that it
    /// runs as
    #[arg(long, value_name = "PATH")]
    pub control_socket: Option<PathBuf>,
    /// Serve the members of GROUP as well
    #[arg(long, value_name = "GROUP", requires = "control_socket", value_parser = group)]
    pub control_group: Option<Gid>,
    /// Write metrics to PATH, for the textfile collector of Prometheus' node exporter
    #[arg(long, value_name = "PATH")]
    pub metrics_file: Option<PathBuf>,
    /// Serve metrics over HTTP on a Unix socket at PATH
    #[arg(long, value_name = "PATH")]
    pub metrics_socket: Option<PathBuf>,
    /// Serve metrics over HTTP at ADDRESS:PORT, such as 127.0.0.1:9120 or [::1]:9120
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub metrics_listen: Vec<SocketAddr>,
}

fn group(text: &str) -> Result<Gid, String> {
    match Group::from_name(text) {
        Ok(Some(group)) => Ok(group.gid),
        Ok(None) => {
            text.parse().map(Gid::from_raw).map_err(|_| "there is no such group".to_owned())
        }
        Err(errno) => Err(errno.to_string()),
    }
}

/// The arguments of `trace`.
#[derive(Debug, Args)]
pub struct TraceArgs {
    /// The address or network that the packets come from
    #[arg(value_name = "SOURCE", value_parser = trace_source)]
    pub source: IpNetwork,
    /// The published port or ports that they are for, such as 443 or 53/udp [default: any]
    #[arg(value_name = "PORT[/PROTO]")]
    pub ports: Option<Ports>,
    /// The network namespace to trace in.
    #[command(flatten)]
    pub namespace: Namespace,
    /// End after DURATION, at most 10m
    #[arg(long = "for", value_name = "DURATION", default_value = "30s", value_parser = trace_duration)]
    pub duration: Duration,
    /// End after N packets
    #[arg(long, value_name = "N")]
    pub count: Option<NonZeroU64>,
}

/// The longest trace.
const TRACE_MAX: Duration = Duration::from_secs(10 * 60);

fn trace_source(text: &str) -> Result<IpNetwork, String> {
    let source: AddressSpec = text.parse().map_err(|error| format!("{error}"))?;
    source.as_network().ok_or_else(|| "use an address or a network, not a range".to_owned())
}

fn trace_duration(text: &str) -> Result<Duration, String> {
    duration_up_to(text, TRACE_MAX, "10m")
}
