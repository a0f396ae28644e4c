//! Rules or a set: the cost of the same sources in either form, around the size from which dwnl
//! uses a set.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use dwnl::Engine;
use dwnl::model::Ruleset;
use dwnl::policy::{Allow, Group, Source};
use dwnl::{Policy, compile};

use crate::figures::{Figure, Figures};
use crate::flows::{Flows, Target, docker_rules};
use crate::support::{Namespace, Spread, settle};
use crate::workload::{Form, Mix, Protocol, Variant, Workload};

/// The numbers of sources that are compared.
pub const SIZES: [usize; 7] = [8, 16, 32, 64, 128, 256, 512];
/// Number of sources that always become a set.
const LARGE: usize = 512;
/// Number of sources that always become rules.
const SMALL: usize = 8;

/// Measures both forms for all sizes.
pub fn measure(directory: &Path, rounds: usize, figures: &mut Figures) -> Result<()> {
    for size in SIZES {
        let forms = [
            (Figure::ReloadRules, Figure::FlowRules, rules as Compile),
            (Figure::ReloadSet, Figure::FlowSet, set as Compile),
        ];
        for (reload, flow, form) in forms {
            let desired = [Variant::First, Variant::Other]
                .map(|variant| policy(directory, variant).and_then(|policy| form(policy, size)));
            let [first, other] = desired;
            let (first, other) = (first?, other?);
            figures.set(reload, Mix::Hosts, size, reloads(&first, &other, rounds)?);
            figures.set(flow, Mix::Hosts, size, flows(directory, &first, rounds)?);
        }
    }
    Ok(())
}

type Compile = fn(Policy, usize) -> Result<Ruleset>;

/// A policy with [`LARGE`] hosts.
fn policy(directory: &Path, variant: Variant) -> Result<Policy> {
    let workload = Workload::new(Mix::Hosts, LARGE, variant, Protocol::Udp);
    Ok(Policy::read(&workload.write_policy(directory, "threshold", Form::Plain)?)?)
}

/// The sources as groups that are too small for a set.
fn rules(policy: Policy, size: usize) -> Result<Ruleset> {
    let mut small = Policy::builder().guard(policy.guard().clone());
    for entry in policy.allow() {
        let groups = entry.from().into_iter().flatten();
        let sources: Vec<Source> =
            groups.flat_map(|group| group.sources().iter().cloned()).take(size).collect();
        let parts = sources.chunks(SMALL).map(|part| Group::unnamed(part.iter().cloned()));
        let groups = parts.collect::<Result<Vec<_>, _>>()?;
        small = small.allow(Allow::builder(entry.ports().iter().copied()).from(groups).build()?);
    }
    let ruleset = compile(&small.build()?);
    anyhow::ensure!(ruleset.sets.is_empty(), "there is a set");
    Ok(ruleset)
}

/// The sources as a set, even if they are few.
fn set(policy: Policy, size: usize) -> Result<Ruleset> {
    let mut ruleset = compile(&policy);
    let set = ruleset.sets.first_mut().context("there is no set")?;
    set.elements = set.elements.iter().copied().take(size).collect();
    Ok(ruleset)
}

/// Calls of `Engine::apply` that change every source.
fn reloads(first: &Ruleset, other: &Ruleset, rounds: usize) -> Result<Spread> {
    let _namespace = Namespace::new()?;
    let mut engine = Engine::open()?;
    engine.apply(first)?;
    let mut times: Vec<Duration> = Vec::with_capacity(2 * rounds);
    for desired in [other, first].into_iter().cycle().take(2 * rounds) {
        settle()?;
        let start = Instant::now();
        engine.apply(desired)?;
        times.push(start.elapsed());
    }
    Ok(Spread::of(times))
}

fn flows(directory: &Path, desired: &Ruleset, rounds: usize) -> Result<Spread> {
    let fill = || Ok(Engine::open()?.apply(desired).map(drop)?);
    let mut flows = Flows::new(&docker_rules(directory)?, Target::Host, fill)?;
    flows.round()?;
    Ok(Spread::of((0..rounds).map(|_| flows.round()).collect::<Result<_>>()?))
}
