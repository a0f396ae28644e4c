//! The cost of the guard's rules for Docker's sockets and of its chain for marked flows: a new flow
//! to a port of the host itself, through the guard with and without them.

use std::fs;
use std::path::Path;
use std::process;

use anyhow::{Context, Result};
use dwnl::cgroup::Hierarchy;
use dwnl::model::Ruleset;
use dwnl::policy::Guard;
use dwnl::{Engine, Policy, compile};

use crate::figures::{Figure, Figures};
use crate::flows::{Flows, Target, docker_rules, in_turn};
use crate::workload::Mix;

/// A cgroup in the role of dockerd's.
struct Cgroup {
    hierarchy: Hierarchy,
    path: String,
}

impl Cgroup {
    fn new() -> Result<Cgroup> {
        let hierarchy = Hierarchy::open().context("there is no cgroup v2 hierarchy")?;
        let path = format!("dwnl-bench-{}", process::id());
        fs::create_dir(hierarchy.directory(&path)).context("cannot create a cgroup")?;
        Ok(Cgroup { hierarchy, path })
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(self.hierarchy.directory(&self.path));
    }
}

/// Measures flows that the guard accepts, in turn.
pub fn measure(directory: &Path, size: usize, rounds: usize, figures: &mut Figures) -> Result<()> {
    let cgroup = Cgroup::new()?;
    let guard = Guard::builder().docker_cgroup(cgroup.path.as_str()).build()?;
    let with_sockets = compile(&Policy::builder().guard(guard).build()?);
    let docker = docker_rules(directory)?;
    let mut paths = [
        (Figure::FlowGuardWithoutSockets, flows(&docker, &without_sockets(&with_sockets))?),
        (Figure::FlowGuard, flows(&docker, &with_sockets)?),
    ];
    in_turn(&mut paths, Mix::Hosts, size, rounds, figures)
}

/// The guard without the parts that depend on the host, which include the sockets, and without the
/// chain that filters marked flows before they are forwarded.
fn without_sockets(ruleset: &Ruleset) -> Ruleset {
    let mut reduced = Ruleset { guard: None, ..ruleset.clone() };
    reduced.chains.retain(|chain| chain.path.chain.as_ref() != "marked");
    reduced
}

fn flows(docker: &Path, desired: &Ruleset) -> Result<Flows> {
    Flows::new(docker, Target::Host, || Ok(Engine::open()?.apply(desired).map(drop)?))
}
