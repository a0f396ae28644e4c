//! `dwnl allow`, `deny` and `revoke`.

use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::{Context, bail};
use dwnl::model::{Grant, GrantAction};
use dwnl::policy::LoadedPolicy;
use dwnl::{Engine, Policy};

use super::super::args::{Namespace, PolicyFile};
use super::super::commands::{self, state_options};
use super::super::grant_args::{AllowArgs, DenyArgs, RevokeArgs, Terms};
use super::super::{Console, FAILED, capabilities};
use super::stream;
use crate::by_hand::{Book, Target, denials, ports_of, ports_or_entries, source_of};
use crate::report::{Granted, Revoked};
use crate::state::{Store, StoreError};

/// What stands for standard input.
const STDIN: &str = "-";

/// Lets a source in.
pub fn allow(args: &AllowArgs, console: &Console) -> anyhow::Result<ExitCode> {
    let store = Store::open(state_options(&args.state, &args.namespace));
    let changer = Changer::open(GrantAction::Allow, &args.terms, &args.namespace, store);
    if args.source == STDIN {
        return changer?.stream(args.ports.is_empty(), None, console);
    }
    let source = source_of(&args.source).map_err(anyhow::Error::msg)?;
    let ports = ports_or_entries(&args.ports, || load(&args.policy))?;
    if ports.is_empty() {
        bail!("name the ports, or an entry of the policy, to let {source} in at");
    }
    if args.terms.duration.is_none() {
        bail!("name a time with --for; what is to last belongs into the policy");
    }
    let target = Target { source, ports, duration: None };
    let grants = target.grants(GrantAction::Allow, args.terms.duration, None);
    // A policy that cannot be read denies nothing that is known.
    let warnings = load(&args.policy).map_or(Vec::new(), |policy| denials(&grants, &policy));
    changer?.change(&target, None, warnings, console)
}

/// Keeps a source out.
pub fn deny(args: &DenyArgs, console: &Console) -> anyhow::Result<ExitCode> {
    let store = Store::open(state_options(&args.state, &args.namespace));
    let changer = Changer::open(GrantAction::Deny, &args.terms, &args.namespace, store);
    let engine = args.cut.then(|| commands::open(args.namespace.path()));
    if args.source == STDIN {
        return changer?.stream(args.ports.is_empty(), engine.transpose()?, console);
    }
    let source = source_of(&args.source).map_err(anyhow::Error::msg)?;
    let ports: Result<Vec<_>, _> = args.ports.iter().map(|ports| ports_of(ports)).collect();
    let ports = ports.map_err(anyhow::Error::msg)?.concat();
    let target = Target { source, ports, duration: None };
    changer?.change(&target, engine.transpose()?, Vec::new(), console)
}

fn load(file: &PolicyFile) -> anyhow::Result<Policy> {
    Ok(LoadedPolicy::load_from(file.path(), file.base_directory()).policy?)
}

/// Adds grants or bans.
struct Changer<'a> {
    action: GrantAction,
    terms: &'a Terms,
    book: Book,
}

impl<'a> Changer<'a> {
    fn open(
        action: GrantAction,
        terms: &'a Terms,
        namespace: &Namespace,
        store: Result<Option<Store>, StoreError>,
    ) -> anyhow::Result<Changer<'a>> {
        Ok(Changer { action, terms, book: open_privileged(namespace, store)? })
    }

    /// Adds what the command line says, and reports it.
    fn change(
        mut self,
        target: &Target,
        engine: Option<Engine>,
        mut warnings: Vec<String>,
        console: &Console,
    ) -> anyhow::Result<ExitCode> {
        if engine.is_none() {
            capabilities::keep_net_admin()?;
        }
        let grants = target.grants(self.action, self.terms.duration, self.terms.note.as_ref());
        self.book.add(&grants, self.terms.persist)?;
        if self.action == GrantAction::Allow {
            warnings.extend(self.book.bans_of(&grants)?);
        }
        console.warn(&warnings);
        let flows = cut(engine, &grants)?;
        console.report(&Granted::new(&grants, flows, warnings, SystemTime::now()))?;
        Ok(ExitCode::SUCCESS)
    }

    /// Adds what the lines of standard input say. A line that cannot be read does not stop the others.
    fn stream(
        mut self,
        is_without_ports: bool,
        mut engine: Option<Engine>,
        console: &Console,
    ) -> anyhow::Result<ExitCode> {
        if !is_without_ports {
            bail!("with `-`, ports are part of each line");
        }
        if engine.is_none() {
            capabilities::keep_net_admin()?;
        }
        let (mut added, mut failed, mut flows) = (0, 0, engine.as_ref().map(|_| 0));
        stream::lines(|lines| {
            let (grants, errors) = self.read(&lines);
            console.warn_each(&errors);
            failed += errors.len();
            self.book.add(&grants, self.terms.persist)?;
            added += grants.len();
            if let (Some(engine), Some(flows)) = (&mut engine, &mut flows) {
                *flows += engine.cut(&grants)?;
            }
            Ok(())
        })?;
        console.report(&Granted::stream(self.action, added, failed, flows))?;
        Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
    }

    /// The grants of lines, and what is wrong with the other lines.
    fn read(&self, lines: &[(usize, String)]) -> (Vec<Grant>, Vec<String>) {
        let (mut grants, mut errors) = (Vec::with_capacity(lines.len()), Vec::new());
        for (number, line) in lines {
            match self.read_line(line) {
                Ok(found) => grants.extend(found),
                Err(error) => errors.push(format!("line {number}: {error}")),
            }
        }
        (grants, errors)
    }

    fn read_line(&self, line: &str) -> Result<Vec<Grant>, String> {
        let target = Target::of_line(line)?;
        if self.action == GrantAction::Allow {
            if target.ports.is_empty() {
                return Err(format!("name the ports to let {} in at", target.source));
            }
            if target.duration.or(self.terms.duration).is_none() {
                return Err("name a time, in the line or with --for".to_owned());
            }
        }
        Ok(target.grants(self.action, self.terms.duration, self.terms.note.as_ref()))
    }
}

fn cut(engine: Option<Engine>, bans: &[Grant]) -> anyhow::Result<Option<usize>> {
    let Some(mut engine) = engine else { return Ok(None) };
    Ok(Some(engine.cut(bans).context("banned, but the established flows go on")?))
}

/// Ends grants and bans.
pub fn revoke(args: &RevokeArgs, console: &Console) -> anyhow::Result<ExitCode> {
    let store = Store::open(state_options(&args.state, &args.namespace));
    let mut book = open(&args.namespace, store)?;
    let Some(source) = &args.source else {
        console.report(&Revoked::all(book.clear()?))?;
        return Ok(ExitCode::SUCCESS);
    };
    if source == STDIN {
        return revoke_stream(&mut book, args.action(), console);
    }
    let source = source_of(source).map_err(anyhow::Error::msg)?;
    let ports: Result<Vec<_>, _> = args.ports.iter().map(|ports| ports_of(ports)).collect();
    let ports = ports.map_err(anyhow::Error::msg)?.concat();
    let target = Target { source, ports, duration: None };
    let ended = book.revoke(std::slice::from_ref(&target), args.action())?;
    let warnings = book.left_of(&target)?;
    console.warn(&warnings);
    console.report(&Revoked::new(&ended, warnings))?;
    Ok(ExitCode::SUCCESS)
}

fn revoke_stream(
    book: &mut Book,
    action: Option<GrantAction>,
    console: &Console,
) -> anyhow::Result<ExitCode> {
    let (mut count, mut failed) = (0, 0);
    stream::lines(|lines| {
        let mut targets = Vec::with_capacity(lines.len());
        for (number, line) in &lines {
            match Target::of_line(line) {
                Ok(Target { duration: Some(_), .. }) => {
                    console.warn(&[format!("line {number}: a time cannot be revoked")]);
                    failed += 1;
                }
                Ok(target) => targets.push(target),
                Err(error) => {
                    console.warn(&[format!("line {number}: {error}")]);
                    failed += 1;
                }
            }
        }
        count += book.revoke(&targets, action)?.len();
        Ok(())
    })?;
    console.report(&Revoked::stream(count, failed))?;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

/// Opens the grants and bans, and drops the capabilities that only this needs.
pub(super) fn open(
    namespace: &Namespace,
    store: Result<Option<Store>, StoreError>,
) -> anyhow::Result<Book> {
    let book = open_privileged(namespace, store)?;
    capabilities::keep_net_admin()?;
    Ok(book)
}

fn open_privileged(
    namespace: &Namespace,
    store: Result<Option<Store>, StoreError>,
) -> anyhow::Result<Book> {
    capabilities::require_capabilities(namespace.path())?;
    Ok(Book::open(namespace.path(), store)?)
}
