//! What the guard costs a new flow to a port of the host's own since it knows Docker's sockets: the rules
//! that match them and the chain that judges marked flows, beside the guard without either.

use std::fs;
use std::path::Path;
use std::process;

use anyhow::{Context, Result};
use dwnl::cgroup::Hierarchy;
use dwnl::model::Ruleset;
use dwnl::{Engine, Policy, compile};

use crate::figures::{Figure, Figures};
use crate::flows::{Flows, by_turns, docker_rules, ip};
use crate::workload::Mix;

/// A cgroup in the place of dockerd's.
struct Cgroup {
    hierarchy: Hierarchy,
    path: String,
}

impl Cgroup {
    fn new() -> Result<Cgroup> {
        let hierarchy = Hierarchy::open().context("there is no cgroup v2 hierarchy")?;
        let path = format!("dwnl-bench-{}", process::id());
        fs::create_dir(hierarchy.directory(&path)).context("cannot make a cgroup")?;
        Ok(Cgroup { hierarchy, path })
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(self.hierarchy.directory(&self.path));
    }
}

/// Measures flows that the guard lets pass, by turns.
pub fn measure(directory: &Path, size: usize, rounds: usize, figures: &mut Figures) -> Result<()> {
    let cgroup = Cgroup::new()?;
    let mut policy = Policy::default();
    policy.guard.docker_cgroup = Some(cgroup.path.as_str().into());
    let with_sockets = compile(&policy);
    let docker = docker_rules(directory)?;
    let mut paths = [
        (Figure::FlowGuardBefore, flows(&docker, &without_sockets(&with_sockets))?),
        (Figure::FlowGuard, flows(&docker, &with_sockets)?),
    ];
    by_turns(&mut paths, Mix::Hosts, size, rounds, figures)
}

/// The same guard as it was: what depends on the host is left out with the sockets, and so is the chain
/// that judges marked flows before they are forwarded.
fn without_sockets(ruleset: &Ruleset) -> Ruleset {
    let mut before = Ruleset { guard: None, ..ruleset.clone() };
    before.chains.retain(|chain| chain.path.chain.as_ref() != "marked");
    before
}

fn flows(docker: &Path, desired: &Ruleset) -> Result<Flows> {
    Flows::new(docker, || {
        // The probe asks over the loopback interface.
        ip("link set lo up")?;
        Ok(Engine::open()?.apply(desired).map(drop)?)
    })
}
