//! The arguments of the command line. `--file` and `--netns` may stand before the verb as well as
//! after it, but only where the verb has a use for them.

use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{ArgGroup, Args, ColorChoice, CommandFactory, Parser, Subcommand};
use dwnl::ruleset::Family;

/// Where the policy is if `--file` does not say.
const POLICY_FILE: &str = "/etc/dwnl/policy.toml";

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
    policy: PolicyFile,
    #[command(flatten)]
    namespace: Namespace,
    /// What is to be done.
    #[command(subcommand)]
    pub verb: Verb,
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
    /// Tell more: what apply and remove change, where plan puts a rule and why
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: ColorChoice,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Read the policy and report every error in it
    Check(PolicyFile),
    /// Print the rules that the policy compiles to, as iptables-restore reads them
    Rules(RulesArgs),
    /// Print the difference between the policy and the kernel; change nothing
    Plan(PlanArgs),
    /// Make the kernel match the policy, in one transaction
    Apply(ApplyArgs),
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
    file: Option<PathBuf>,
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
    netns: Option<PathBuf>,
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
}

impl RulesArgs {
    /// The one family that is asked for; `None`: both.
    pub fn family(&self) -> Option<Family> {
        match (self.ipv4, self.ipv6) {
            (true, _) => Some(Family::Ip),
            (_, true) => Some(Family::Ip6),
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

impl Cli {
    /// Reads the program's arguments. Ends the program after `--help` and `--version`, and with
    /// status 2 if they are wrong.
    pub fn from_argv() -> Cli {
        Cli::parse().settled().unwrap_or_else(|error| error.exit())
    }

    /// Hands what stood before the verb down to it, and refuses what does not go together.
    fn settled(mut self) -> Result<Cli, clap::Error> {
        let Options { json, quiet, verbose, .. } = self.options;
        refuse(quiet && verbose, "--quiet", "--verbose")?;
        refuse(quiet && json, "--quiet", "--json")?;
        let verb = self.verb.name();
        refuse(!hand_down(self.policy.file.take(), self.verb.file()), "--file <PATH>", verb)?;
        refuse(!hand_down(self.namespace.netns.take(), self.verb.netns()), "--netns <PATH>", verb)?;
        Ok(self)
    }
}

impl Verb {
    fn name(&self) -> &'static str {
        match self {
            Verb::Check(_) => "check",
            Verb::Rules(_) => "rules",
            Verb::Plan(_) => "plan",
            Verb::Apply(_) => "apply",
            Verb::Show(_) => "show",
            Verb::Remove(_) => "remove",
        }
    }

    fn file(&mut self) -> Option<&mut Option<PathBuf>> {
        match self {
            Verb::Check(policy) => Some(&mut policy.file),
            Verb::Rules(args) => Some(&mut args.policy.file),
            Verb::Plan(args) => Some(&mut args.policy.file),
            Verb::Apply(args) => Some(&mut args.policy.file),
            Verb::Show(_) | Verb::Remove(_) => None,
        }
    }

    fn netns(&mut self) -> Option<&mut Option<PathBuf>> {
        match self {
            Verb::Check(_) | Verb::Rules(_) => None,
            Verb::Plan(args) => Some(&mut args.namespace.netns),
            Verb::Apply(args) => Some(&mut args.namespace.netns),
            Verb::Show(namespace) | Verb::Remove(namespace) => Some(&mut namespace.netns),
        }
    }
}

/// Gives a verb the option that stood before it; what stands behind the verb prevails. Whether
/// the verb takes it.
fn hand_down(given: Option<PathBuf>, slot: Option<&mut Option<PathBuf>>) -> bool {
    let Some(path) = given else { return true };
    slot.map(|slot| slot.get_or_insert(path)).is_some()
}

fn refuse(wrong: bool, argument: &str, other: &str) -> Result<(), clap::Error> {
    if !wrong {
        return Ok(());
    }
    let message = format!("the argument '{argument}' cannot be used with '{other}'");
    Err(Cli::command().error(ErrorKind::ArgumentConflict, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split(' ')).and_then(Cli::settled)
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_may_stand_on_either_side_of_the_verb() {
        for line in ["dwnl --json -f p --netns n plan", "dwnl plan --json -f p --netns n"] {
            let cli = parse(line).expect(line);
            assert!(cli.options.json);
            let Verb::Plan(args) = cli.verb else { unreachable!("{line}") };
            assert_eq!(args.policy.path(), Path::new("p"));
            assert_eq!(args.namespace.path(), Some(Path::new("n")));
        }
    }

    #[test]
    fn the_policy_has_a_default() {
        let verb = parse("dwnl check").expect("check").verb;
        let Verb::Check(policy) = verb else { unreachable!("{verb:?}") };
        assert_eq!(policy.path(), Path::new(POLICY_FILE));
        assert!(Cli::command().render_help().to_string().contains(POLICY_FILE));
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        for line in [
            "dwnl -f p show",
            "dwnl remove -f p",
            "dwnl --netns n check",
            "dwnl rules --netns n",
            "dwnl -q plan -v",
            "dwnl -q apply --json",
            "dwnl rules -4 -6",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
