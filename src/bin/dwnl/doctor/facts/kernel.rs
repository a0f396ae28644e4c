//! What the kernel offers, and what it holds of all programs.

use std::collections::BTreeSet;
use std::path::Path;

use dwnl::cgroup::Hierarchy;
use dwnl::engine::Monitor;
use dwnl::model::{Docker, Family, HostState, Listener, Name};
use dwnl::{Engine, Error, guards_new_ports, is_container_cgroup};

use super::Chains;

/// What the kernel offers, and what it holds.
#[derive(Clone, Debug, Default)]
pub struct Kernel {
    /// The tables of iptables-legacy that hold rules.
    pub legacy_tables: Vec<(Family, Name)>,
    /// Why nothing of what follows is known.
    pub failure: Option<String>,
    /// Whether it accepts `socket cgroupv2`.
    pub loads_cgroup: bool,
    /// Whether a table can belong to one socket.
    pub loads_owner: bool,
    /// Why it does not report changes of the ruleset.
    pub monitor_failure: Option<String>,
    /// Whether the installed guard also recognises sockets that Docker opens later; `None` without a
    /// guard.
    pub guards_new_ports: Option<bool>,
    /// The chains of all programs.
    pub chains: Chains,
    /// What the rules and sockets reveal of Docker.
    pub docker: Docker,
    /// Interfaces, sockets and cgroups.
    pub host: HostState,
    /// The listening sockets of containers with `--network=host`.
    pub container_sockets: Vec<Listener>,
}

impl Kernel {
    /// Reads what the kernel offers and holds. Opens the engine, and with it loses the privileges that
    /// only opening needs: `open` does both.
    ///
    /// # Errors
    /// If the engine can be opened and the kernel does not answer, or the legacy tables cannot be read.
    pub fn read(
        namespace: Option<&Path>,
        open: impl FnOnce() -> anyhow::Result<Engine>,
    ) -> anyhow::Result<(Kernel, Option<Engine>)> {
        let (tables, monitor) = match namespace {
            Some(path) => (Engine::legacy_tables_in(path)?, Monitor::open_in(path)),
            None => (Engine::legacy_tables()?, Monitor::open()),
        };
        let legacy_tables = tables.into_iter().map(|(version, name)| (version.into(), name));
        let mut kernel = Kernel {
            legacy_tables: legacy_tables.collect(),
            monitor_failure: monitor.err().map(|error| error.to_string()),
            ..Kernel::default()
        };
        match open() {
            Ok(mut engine) => {
                kernel.read_with(&mut engine)?;
                Ok((kernel, Some(engine)))
            }
            Err(error) if is_finding(&error) => {
                kernel.failure = Some(format!("{error}"));
                Ok((kernel, None))
            }
            Err(error) => Err(error),
        }
    }

    fn read_with(&mut self, engine: &mut Engine) -> Result<(), Error> {
        self.loads_cgroup = engine.loads_cgroup()?;
        self.loads_owner = engine.loads_owner()?;
        let snapshot = engine.snapshot()?;
        self.guards_new_ports = guards_new_ports(&snapshot);
        self.docker = snapshot.docker;
        self.chains = Chains(engine.read_ruleset()?);
        self.host = engine.host_state()?;
        self.container_sockets = container_sockets(self.host.listeners.as_deref());
        Ok(())
    }
}

/// Whether the error says that dwnl cannot work on this host, rather than that the command failed.
fn is_finding(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref();
    error.is_some_and(|error| matches!(error, Error::NoNfTables | Error::LegacyNat(_)))
}

/// The listening sockets whose cgroup is a container's.
fn container_sockets(listeners: Option<&[Listener]>) -> Vec<Listener> {
    let Some(hierarchy) = Hierarchy::open() else { return Vec::new() };
    let listeners = listeners.unwrap_or_default();
    let ids: BTreeSet<u64> = listeners.iter().filter_map(|listener| listener.cgroup).collect();
    let mut owners = hierarchy.paths(&ids);
    owners.retain(|_, cgroup| is_container_cgroup(&cgroup.path));
    let is_container = |it: &&Listener| it.cgroup.is_some_and(|id| owners.contains_key(&id));
    listeners.iter().filter(is_container).cloned().collect()
}
