//! What clap does not do by itself: options before the command are passed to it, and conflicting
//! options are rejected on either side of the command.

use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use super::args::{Cli, Command, Options, PolicyFile};

impl Cli {
    /// Reads the program's arguments. Ends the program after `--help` and `--version`, and with
    /// status 2 on an error.
    pub fn from_argv() -> Cli {
        Cli::parse().normalized().unwrap_or_else(|error| error.exit())
    }

    /// Passes the options before the command to it, and rejects conflicting options.
    fn normalized(mut self) -> Result<Cli, clap::Error> {
        let Options { json, quiet, verbose, .. } = self.options;
        reject(quiet && verbose, "--quiet", "--verbose")?;
        reject(quiet && json, "--quiet", "--json")?;
        let verb = self.verb.name();
        let is_list = matches!(&self.verb, Command::Check(args) if args.list.source_file.is_some());
        reject(is_list && self.policy.is_given(), "--file <PATH>", "--source-file <PATH>")?;
        reject(!propagate(self.policy.file.take(), self.verb.file()), "--file <PATH>", verb)?;
        let base_dir = self.policy.base_dir.take();
        reject(!propagate(base_dir, self.verb.base_dir()), "--base-dir <DIR>", verb)?;
        reject(!propagate(self.namespace.netns.take(), self.verb.netns()), "--netns <PATH>", verb)?;
        if let Command::Explain(args) = &self.verb {
            args.check_versions()?;
        }
        let stdin =
            matches!(&self.verb, Command::Watch(args) if args.policy.path() == Path::new("-"));
        reject(stdin, "--file -", verb)?;
        Ok(self)
    }
}

impl Command {
    fn name(&self) -> &'static str {
        match self {
            Command::Check(_) => "check",
            Command::Rules(_) => "rules",
            Command::Plan(_) => "plan",
            Command::Apply(_) => "apply",
            Command::Watch(_) => "watch",
            Command::Confirm(_) => "confirm",
            Command::Rollback(_) => "rollback",
            Command::Allow(_) => "allow",
            Command::Deny(_) => "deny",
            Command::Grants(_) => "grants",
            Command::Revoke(_) => "revoke",
            Command::Status(_) => "status",
            Command::Refused(_) => "refused",
            Command::Explain(_) => "explain",
            Command::Trace(_) => "trace",
            Command::Doctor(_) => "doctor",
            Command::Show(_) => "show",
            Command::Import(_) => "import",
            Command::Remove(_) => "remove",
        }
    }

    fn policy(&mut self) -> Option<&mut PolicyFile> {
        match self {
            Command::Check(args) => Some(&mut args.policy),
            Command::Rules(args) => Some(&mut args.policy),
            Command::Plan(args) => Some(&mut args.policy),
            Command::Apply(args) => Some(&mut args.policy),
            Command::Watch(args) => Some(&mut args.policy),
            Command::Status(args) | Command::Doctor(args) => Some(&mut args.policy),
            Command::Explain(args) => Some(&mut args.policy),
            Command::Allow(args) => Some(&mut args.policy),
            Command::Confirm(_)
            | Command::Rollback(_)
            | Command::Deny(_)
            | Command::Grants(_)
            | Command::Revoke(_)
            | Command::Refused(_)
            | Command::Trace(_)
            | Command::Show(_)
            | Command::Import(_)
            | Command::Remove(_) => None,
        }
    }

    fn file(&mut self) -> Option<&mut Option<PathBuf>> {
        self.policy().map(|policy| &mut policy.file)
    }

    fn base_dir(&mut self) -> Option<&mut Option<PathBuf>> {
        self.policy().map(|policy| &mut policy.base_dir)
    }

    fn netns(&mut self) -> Option<&mut Option<PathBuf>> {
        match self {
            Command::Check(_) | Command::Rules(_) => None,
            Command::Plan(args) => Some(&mut args.namespace.netns),
            Command::Apply(args) => Some(&mut args.namespace.netns),
            Command::Watch(args) => Some(&mut args.namespace.netns),
            Command::Status(args) | Command::Doctor(args) => Some(&mut args.namespace.netns),
            Command::Explain(args) => Some(&mut args.namespace.netns),
            Command::Allow(args) => Some(&mut args.namespace.netns),
            Command::Deny(args) => Some(&mut args.namespace.netns),
            Command::Grants(args) => Some(&mut args.namespace.netns),
            Command::Revoke(args) => Some(&mut args.namespace.netns),
            Command::Rollback(args) => Some(&mut args.namespace.netns),
            Command::Refused(args) => Some(&mut args.namespace.netns),
            Command::Trace(args) => Some(&mut args.namespace.netns),
            Command::Show(args) => Some(&mut args.namespace.netns),
            Command::Import(args) => Some(&mut args.namespace.netns),
            Command::Confirm(namespace) | Command::Remove(namespace) => Some(&mut namespace.netns),
        }
    }
}

/// Passes an option before the command to it. An option after the command takes precedence. Returns
/// whether the command has the option.
fn propagate(given: Option<PathBuf>, slot: Option<&mut Option<PathBuf>>) -> bool {
    let Some(path) = given else { return true };
    slot.map(|slot| slot.get_or_insert(path)).is_some()
}

fn reject(wrong: bool, argument: &str, other: &str) -> Result<(), clap::Error> {
    if !wrong {
        return Ok(());
    }
    let message = format!("the argument '{argument}' cannot be used with '{other}'");
    Err(Cli::command().error(ErrorKind::ArgumentConflict, message))
}

#[cfg(test)]
mod tests {
    use super::super::args::POLICY_FILE;
    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split(' ')).and_then(Cli::normalized)
    }

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_may_precede_or_follow_the_command() {
        for line in ["dwnl --json -f p --netns n plan", "dwnl plan --json -f p --netns n"] {
            let cli = parse(line).expect(line);
            assert!(cli.options.json);
            let Command::Plan(args) = cli.verb else { unreachable!("{line}") };
            assert_eq!(args.policy.path(), Path::new("p"));
            assert_eq!(args.namespace.path(), Some(Path::new("n")));
        }
    }

    #[test]
    fn the_policy_has_a_default_path() {
        let verb = parse("dwnl check").expect("check").verb;
        let Command::Check(policy) = verb else { unreachable!("{verb:?}") };
        assert_eq!(policy.policy.path(), Path::new(POLICY_FILE));
        assert!(Cli::command().render_help().to_string().contains(POLICY_FILE));
    }

    #[test]
    fn a_port_to_look_for_may_have_a_protocol() {
        let ports = |line| match parse(line).map(|cli| cli.verb) {
            Ok(Command::Refused(args)) => args.port.map(|port| port.0.len()),
            _ => None,
        };
        assert_eq!(ports("dwnl refused --port 443"), Some(3));
        assert_eq!(ports("dwnl refused --port 443/udp"), Some(1));
        assert_eq!(ports("dwnl refused --port 0"), None);
    }

    #[test]
    fn the_destination_may_be_left_out() {
        let args = |line: &str| match parse(line).expect(line).verb {
            Command::Explain(args) => args,
            verb => unreachable!("{verb:?}"),
        };
        let short = args("dwnl explain 192.0.2.2 53/udp");
        assert_eq!((short.destination, short.port.to_string()), (None, "53/udp".to_owned()));
        let long = args("dwnl explain 192.0.2.2 192.0.2.1 443 --in-interface eth0");
        assert_eq!(long.destination, "192.0.2.1".parse().ok());
        assert_eq!(long.port.to_string(), "443/tcp");
    }

    #[test]
    fn conflicting_options_are_rejected() {
        for line in [
            "dwnl -f p show",
            "dwnl remove -f p",
            "dwnl --netns n check",
            "dwnl rules --netns n",
            "dwnl -q plan -v",
            "dwnl -q apply --json",
            "dwnl rules -4 -6",
            "dwnl rules --nft -6",
            "dwnl watch -f -",
            "dwnl check --source-file l -f p",
            "dwnl -f p check --source-file l",
            "dwnl check --json-path a[]",
            "dwnl check --source-file l --json-path a[",
            "dwnl check --source-file l --max-shrink 50%",
            "dwnl check --source-file l --previous o",
            "dwnl -f - watch",
            "dwnl apply --metrics-file m",
            "dwnl refused -f p",
            "dwnl refused --follow --top 5",
            "dwnl explain 192.0.2.2",
            "dwnl explain 192.0.2.2 80-81",
            "dwnl explain 192.0.2.0/24 80",
            "dwnl explain 192.0.2.2 2001:db8::1 80",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
