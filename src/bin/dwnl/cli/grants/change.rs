//! `dwnl allow`, `deny` and `revoke`.

use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::{Context, bail};
use dwnl::Engine;
use dwnl::engine::GrantTable;
use dwnl::model::{Grant, GrantAction};

use super::super::args::Namespace;
use super::super::commands::{self, state_options};
use super::super::grant_args::{AllowArgs, DenyArgs, RevokeArgs, Terms};
use super::super::{Console, FAILED, capabilities};
use super::line::{Target, ports_of, source_of};
use super::{stream, target};
use crate::report::{Granted, Revoked};
use crate::state::{StateOptions, Store, StoreError, StoredGrant};

/// What stands for standard input.
const STDIN: &str = "-";

/// Lets a source in.
pub fn allow(args: &AllowArgs, console: &Console) -> anyhow::Result<ExitCode> {
    let state = state_options(&args.state, &args.namespace);
    let changer = Changer::open(GrantAction::Allow, &args.terms, &args.namespace, state);
    if args.source == STDIN {
        return changer?.stream(args.ports.is_empty(), None, console);
    }
    let source = source_of(&args.source).map_err(anyhow::Error::msg)?;
    let ports = target::ports(&args.ports, &args.policy)?;
    if ports.is_empty() {
        bail!("name the ports, or an entry of the policy, to let {source} in at");
    }
    if args.terms.duration.is_none() {
        bail!("name a time with --for; what is to last belongs into the policy");
    }
    let target = Target { source, ports, duration: None };
    let grants = target.grants(GrantAction::Allow, args.terms.duration, None);
    let warnings = target::denials(&grants, &args.policy);
    changer?.change(&target, None, warnings, console)
}

/// Keeps a source out.
pub fn deny(args: &DenyArgs, console: &Console) -> anyhow::Result<ExitCode> {
    let state = state_options(&args.state, &args.namespace);
    let changer = Changer::open(GrantAction::Deny, &args.terms, &args.namespace, state);
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

/// Adds grants or bans.
struct Changer<'a> {
    action: GrantAction,
    terms: &'a Terms,
    table: GrantTable,
    store: Result<Option<Store>, StoreError>,
}

impl<'a> Changer<'a> {
    fn open(
        action: GrantAction,
        terms: &'a Terms,
        namespace: &Namespace,
        state: StateOptions,
    ) -> anyhow::Result<Changer<'a>> {
        let store = store(state);
        Ok(Changer { action, terms, table: open_privileged(namespace)?, store })
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
        self.add(&grants)?;
        if self.action == GrantAction::Allow {
            warnings.extend(self.bans_of(&grants)?);
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
            self.add(&grants)?;
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

    fn add(&mut self, grants: &[Grant]) -> anyhow::Result<()> {
        if grants.is_empty() {
            return Ok(());
        }
        self.table.add(grants)?;
        // What was stored for the same source and ports is replaced as well.
        let is_same = |stored: &StoredGrant, grant: &Grant| {
            stored.action() == grant.action
                && (stored.source, stored.ports) == (grant.source, grant.ports)
        };
        match &self.store {
            Ok(Some(store)) if self.terms.persist => {
                let now = SystemTime::now();
                store.change_grants(|stored| {
                    stored.retain(|it| !grants.iter().any(|grant| is_same(it, grant)));
                    stored.extend(grants.iter().map(|grant| StoredGrant::new(grant, now)));
                })
            }
            Ok(Some(store)) => store.change_grants(|stored| {
                stored.retain(|it| !grants.iter().any(|grant| is_same(it, grant)));
            }),
            Ok(None) if self.terms.persist => {
                bail!("in force, but not stored: there is no state directory for this namespace")
            }
            Err(error) if self.terms.persist => bail!("in force, but not stored: {error}"),
            Ok(None) | Err(_) => return Ok(()),
        }
        .context("in force, but not stored")
    }

    /// Warnings about bans that beat the grants.
    fn bans_of(&mut self, grants: &[Grant]) -> anyhow::Result<Vec<String>> {
        let present = self.table.read()?.grants;
        let bans = present.iter().filter(|it| it.action == GrantAction::Deny);
        let beats = |ban: &&Grant| grants.iter().any(|grant| grant.overlaps(ban));
        let sentence = |ban: &Grant| format!("{ban} by hand, which a grant does not change");
        Ok(bans.filter(beats).map(sentence).collect())
    }
}

fn cut(engine: Option<Engine>, bans: &[Grant]) -> anyhow::Result<Option<usize>> {
    let Some(mut engine) = engine else { return Ok(None) };
    Ok(Some(engine.cut(bans).context("banned, but the established flows go on")?))
}

/// Ends grants and bans.
pub fn revoke(args: &RevokeArgs, console: &Console) -> anyhow::Result<ExitCode> {
    let store = store(state_options(&args.state, &args.namespace));
    let mut table = open(&args.namespace)?;
    let Some(source) = &args.source else {
        let count = table.clear()?;
        forget(&store, |_| true)?;
        console.report(&Revoked::all(count))?;
        return Ok(ExitCode::SUCCESS);
    };
    if source == STDIN {
        return revoke_stream(&mut table, &store, args.action(), console);
    }
    let source = source_of(source).map_err(anyhow::Error::msg)?;
    let ports: Result<Vec<_>, _> = args.ports.iter().map(|ports| ports_of(ports)).collect();
    let ports = ports.map_err(anyhow::Error::msg)?.concat();
    let target = Target { source, ports, duration: None };
    let ended = table.revoke(&target.places(), args.action())?;
    forget_places(&store, std::slice::from_ref(&target), args.action())?;
    let left = table.read()?.grants;
    let left = left.iter().filter(|it| {
        let same = |ports| Grant { source: target.source, ports, ..(*it).clone() };
        target.places().iter().any(|(_, ports)| it.overlaps(&same(*ports)))
    });
    let warnings: Vec<String> = left.map(|it| format!("{it} by hand goes on")).collect();
    console.warn(&warnings);
    console.report(&Revoked::new(&ended, warnings))?;
    Ok(ExitCode::SUCCESS)
}

fn revoke_stream(
    table: &mut GrantTable,
    store: &Result<Option<Store>, StoreError>,
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
        let places: Vec<_> = targets.iter().flat_map(Target::places).collect();
        count += table.revoke(&places, action)?.len();
        forget_places(store, &targets, action)
    })?;
    console.report(&Revoked::stream(count, failed))?;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

fn forget_places(
    store: &Result<Option<Store>, StoreError>,
    targets: &[Target],
    action: Option<GrantAction>,
) -> anyhow::Result<()> {
    let places: Vec<_> = targets.iter().flat_map(Target::places).collect();
    forget(store, |stored| {
        action.is_none_or(|action| stored.action() == action)
            && places.iter().any(|(source, ports)| stored.grant().is_within(source, *ports))
    })
}

/// Takes what was revoked out of the store.
fn forget(
    store: &Result<Option<Store>, StoreError>,
    is_revoked: impl Fn(&StoredGrant) -> bool,
) -> anyhow::Result<()> {
    match store {
        Ok(Some(store)) => store
            .change_grants(|stored| stored.retain(|it| !is_revoked(it)))
            .context("ended, but still stored, so that it begins again when the rules are installed anew"),
        Ok(None) | Err(_) => Ok(()),
    }
}

/// The state directory, before capabilities are dropped.
pub(super) fn store(options: StateOptions) -> Result<Option<Store>, StoreError> {
    Store::open(options)
}

/// Opens the sets of grants and bans, and drops the capabilities that only this needs.
pub(super) fn open(namespace: &Namespace) -> anyhow::Result<GrantTable> {
    let table = open_privileged(namespace)?;
    capabilities::keep_net_admin()?;
    Ok(table)
}

fn open_privileged(namespace: &Namespace) -> anyhow::Result<GrantTable> {
    capabilities::require_capabilities(namespace.path())?;
    Ok(match namespace.path() {
        Some(path) => GrantTable::open_in(path)?,
        None => GrantTable::open()?,
    })
}
