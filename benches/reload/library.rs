//! Library calls, measured by criterion, and the floor: the kernel's own time for the bytes that
//! the library sends.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use criterion::{BenchmarkId, Criterion, SamplingMode};
use dwnl::model::Ruleset;
use dwnl::{Engine, Policy, compile, managed_objects};

use crate::figures::{Figure, Figures};
use crate::support::{Namespace, Sending, Spread, settle};
use crate::workload::{Form, Mix, Protocol, Variant, Workload};

/// Measures the library with policies of one mix and size.
pub fn measure(
    bench: &mut Bench,
    directory: &Path,
    mix: Mix,
    size: usize,
    figures: &mut Figures,
) -> Result<()> {
    let namespace = Namespace::new()?;
    let policy = |variant, name| {
        Workload::new(mix, size, variant, Protocol::Tcp).write_policy(directory, name, Form::Plain)
    };
    let path = policy(Variant::First, "first")?;
    let first = read(&path)?;
    let other = read(&policy(Variant::Other, "other")?)?;
    let changed = read(&policy(Variant::OneChanged, "changed")?)?;
    let mut run = |figure, name, timed: &mut dyn FnMut() -> Result<Duration>| -> Result<()> {
        figures.set(figure, mix, size, bench.run(name, mix, size, timed)?);
        Ok(())
    };
    run(Figure::Compile, "compile", &mut || timed(|| read(&path)))?;
    let mut engine = Engine::open()?;
    engine.apply(&first)?;
    run(Figure::NoChange, "no change", &mut || apply(&mut engine, &first, Changes::None))?;
    let mut targets = [&changed, &first].into_iter().cycle();
    run(Figure::OneChange, "one change", &mut || {
        apply(&mut engine, next(&mut targets)?, Changes::Some)
    })?;
    engine.apply(&first)?;
    let plan = engine.plan(&other)?;
    run(Figure::Encode, "encode", &mut || timed(|| Ok(plan.to_batch_bytes())))?;

    let twin_namespace = Namespace::new()?;
    let mut twin = Engine::open()?;
    twin.apply(&first)?;
    let mut targets = [&other, &first].into_iter().cycle();
    let mut floors = Vec::new();
    run(Figure::Reload, "full reload", &mut || {
        let desired = next(&mut targets)?;
        twin_namespace.enter()?;
        floors.push(replay(&mut twin, desired)?);
        namespace.enter()?;
        apply(&mut engine, desired, Changes::Some)
    })?;
    figures.set(Figure::Floor, mix, size, Spread::of(floors));
    Ok(())
}

/// All managed objects without the guard, whose chains they do not have.
pub fn managed() -> Ruleset {
    Ruleset { guard: None, ..managed_objects() }
}

/// Compiles the text of a policy to its ruleset.
pub fn read(path: &Path) -> Result<Ruleset> {
    Ok(compile(&Policy::read(path)?))
}

fn next<'a>(targets: &mut impl Iterator<Item = &'a Ruleset>) -> Result<&'a Ruleset> {
    targets.next().context("nothing to apply")
}

/// The time of `work`, without that of dropping its result.
fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<Duration> {
    let start = Instant::now();
    let result = work()?;
    let elapsed = start.elapsed();
    drop(result);
    Ok(elapsed)
}

/// Whether changes are expected.
#[derive(PartialEq)]
enum Changes {
    None,
    Some,
}

/// The time of `Engine::apply`.
fn apply(engine: &mut Engine, desired: &Ruleset, expected: Changes) -> Result<Duration> {
    settle()?;
    let start = Instant::now();
    let outcome = engine.apply(desired)?;
    let elapsed = start.elapsed();
    let is_expected = outcome.plan.is_empty() == (expected == Changes::None);
    ensure!(is_expected, "unexpected number of changes: {}", outcome.plan.changes.len());
    Ok(elapsed)
}

/// Sends the batch for `desired` with one bare system call, and checks that the kernel then holds
/// it.
fn replay(engine: &mut Engine, desired: &Ruleset) -> Result<Duration> {
    let batch = engine.plan(desired)?.to_batch_bytes();
    let sending = Sending::new(&batch)?;
    settle()?;
    let elapsed = sending.send()?;
    ensure!(engine.plan(desired)?.is_empty(), "the replayed batch was not applied");
    Ok(elapsed)
}

/// Criterion, which decides how often to repeat a measurement.
pub struct Bench(Criterion);

impl Bench {
    /// Takes at least ten samples, with several iterations in each if they take less than `time` in
    /// total.
    pub fn new(directory: &Path, time: Duration) -> Bench {
        let criterion = Criterion::default()
            .output_directory(directory)
            .without_plots()
            .sample_size(10)
            .nresamples(2000)
            .warm_up_time(time / 4)
            .measurement_time(time);
        Bench(criterion)
    }

    /// Repeats work that measures its own time.
    fn run(
        &mut self,
        name: &str,
        mix: Mix,
        size: usize,
        timed: &mut dyn FnMut() -> Result<Duration>,
    ) -> Result<Spread> {
        let mut times = Vec::new();
        let mut failure = None;
        let mut sum = |iterations| {
            let start = times.len();
            for _ in 0..iterations {
                match timed() {
                    Ok(time) => times.push(time),
                    Err(error) => failure = failure.take().or(Some(error)),
                }
            }
            // Criterion cannot handle failures, and divides by the time.
            times[start..].iter().sum::<Duration>().max(Duration::from_nanos(1))
        };
        let mut group = self.0.benchmark_group(name);
        group.sampling_mode(SamplingMode::Flat);
        group.bench_function(BenchmarkId::new(format!("{mix:?}"), size), |bencher| {
            bencher.iter_custom(&mut sum);
        });
        group.finish();
        match failure {
            Some(error) => Err(error.context(format!("{name} of {}", mix.label(size)))),
            None => Ok(Spread::of(times)),
        }
    }
}
