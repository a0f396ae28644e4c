//! Calls of the library, measured by criterion, and the floor: what the kernel takes for the bytes
//! that the library sends.

use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use criterion::{BenchmarkId, Criterion, SamplingMode};
use dwnl::ruleset::Ruleset;
use dwnl::{Engine, Policy, compile, engine};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, send,
    setsockopt, socket, sockopt,
};
use serde_json::Value;

use crate::figures::{Figure, Figures};
use crate::namespace::Namespace;
use crate::workload::{Mix, Protocol, Variant, Workload};

/// Measures the library with policies of one mix and size.
pub fn measure(
    bench: &mut Bench,
    directory: &Path,
    mix: Mix,
    size: usize,
    figures: &mut Figures,
) -> Result<()> {
    let _namespace = Namespace::new()?;
    let policy = |variant, name| {
        Workload::new(mix, size, variant, Protocol::Tcp).write_policy(directory, name)
    };
    let path = policy(Variant::First, "first")?;
    let first = read(&path)?;
    let other = read(&policy(Variant::Other, "other")?)?;
    let changed = read(&policy(Variant::OneChanged, "changed")?)?;
    let mut engine = Engine::open()?;
    engine.apply(&first)?;

    let mut run = |figure, timed: &mut dyn FnMut() -> Result<Duration>| -> Result<()> {
        figures.set(figure, mix, size, bench.run(name(figure), mix, size, timed)?);
        Ok(())
    };
    run(Figure::Compile, &mut || timed(|| read(&path)))?;
    run(Figure::NoChange, &mut || apply(&mut engine, &first, |changes| changes == 0))?;
    let mut targets = [&changed, &first].into_iter().cycle();
    run(Figure::OneChange, &mut || apply(&mut engine, next(&mut targets)?, |changes| changes > 0))?;

    engine.apply(&first)?;
    let plan = engine.plan(&other)?;
    run(Figure::Encode, &mut || timed(|| Ok(engine::datagram(&plan))))?;
    let mut targets = [&other, &first].into_iter().cycle();
    run(Figure::Reload, &mut || apply(&mut engine, next(&mut targets)?, |changes| changes > 0))?;
    engine.apply(&first)?;
    let mut targets = [&other, &first].into_iter().cycle();
    run(Figure::Floor, &mut || replay(&mut engine, next(&mut targets)?))
}

fn name(figure: Figure) -> &'static str {
    match figure {
        Figure::Compile => "compile",
        Figure::Encode => "encode",
        Figure::Floor => "floor",
        Figure::Reload => "full reload",
        Figure::OneChange => "one change",
        Figure::NoChange => "no change",
        _ => "other",
    }
}

/// From the text of a policy to its ruleset.
pub fn read(path: &Path) -> Result<Ruleset> {
    Ok(compile(&Policy::read(path)?))
}

fn next<'a>(targets: &mut impl Iterator<Item = &'a Ruleset>) -> Result<&'a Ruleset> {
    targets.next().context("nothing to apply")
}

/// How long it takes, without what it takes to drop the result.
fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<Duration> {
    let start = Instant::now();
    let result = work()?;
    let elapsed = start.elapsed();
    drop(result);
    Ok(elapsed)
}

/// Waits until the kernel has cleared up after the last commit. It does so in the background, where
/// it waits for all who may still see the old rules; until then a new batch would wait too. The
/// closing of a netlink socket waits for the same.
fn settle() -> Result<()> {
    let socket = netlink_socket()?;
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
    Ok(())
}

/// How long `Engine::apply` takes, which has to plan a number of changes that is `expected`.
fn apply(
    engine: &mut Engine,
    wanted: &Ruleset,
    expected: impl Fn(usize) -> bool,
) -> Result<Duration> {
    settle()?;
    let start = Instant::now();
    let outcome = engine.apply(wanted)?;
    let elapsed = start.elapsed();
    ensure!(expected(outcome.plan.changes.len()), "another number of changes than expected");
    Ok(elapsed)
}

/// Sends the batch that would make the kernel hold `wanted` by one bare system call, and checks
/// that the kernel then holds it.
fn replay(engine: &mut Engine, wanted: &Ruleset) -> Result<Duration> {
    let batch = engine::datagram(&engine.plan(wanted)?);
    let socket = netlink_socket()?;
    let room = batch.len() + 64;
    if setsockopt(&socket, sockopt::SndBufForce, &room).is_err() {
        setsockopt(&socket, sockopt::SndBuf, &room)?;
    }
    settle()?;
    let start = Instant::now();
    send(socket.as_raw_fd(), &batch, MsgFlags::empty())?;
    let elapsed = start.elapsed();
    let answer = recv(socket.as_raw_fd(), &mut [0; 4096], MsgFlags::MSG_DONTWAIT);
    ensure!(answer == Err(Errno::EAGAIN), "the kernel has an objection to the replayed batch");
    ensure!(engine.plan(wanted)?.is_empty(), "the replayed batch has not been carried out");
    Ok(elapsed)
}

fn netlink_socket() -> nix::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC;
    socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkNetFilter)
}

/// Criterion, and where it leaves its estimates.
pub struct Bench {
    criterion: Criterion,
    directory: PathBuf,
}

impl Bench {
    /// At least ten samples; more work in each if it takes less than `time` in all.
    pub fn new(directory: &Path, time: Duration) -> Bench {
        let criterion = Criterion::default()
            .output_directory(directory)
            .without_plots()
            .sample_size(10)
            .nresamples(2000)
            .warm_up_time(time / 4)
            .measurement_time(time);
        Bench { criterion, directory: directory.to_owned() }
    }

    /// The median in seconds of a piece of work that times itself.
    fn run(
        &mut self,
        name: &str,
        mix: Mix,
        size: usize,
        timed: &mut dyn FnMut() -> Result<Duration>,
    ) -> Result<f64> {
        let mut failure = None;
        let mut sum = |iterations| {
            let times: Result<Vec<Duration>> = (0..iterations).map(|_| timed()).collect();
            // Criterion knows no failure, and divides by the time.
            times.map_or_else(
                |error| {
                    failure.get_or_insert(error);
                    Duration::from_secs(1)
                },
                |times| times.iter().sum(),
            )
        };
        let mut group = self.criterion.benchmark_group(name);
        group.sampling_mode(SamplingMode::Flat);
        group.bench_function(BenchmarkId::new(mix.name(), size), |bencher| {
            bencher.iter_custom(&mut sum);
        });
        group.finish();
        match failure {
            Some(error) => Err(error.context(format!("{name} of {size} {}", mix.name()))),
            None => self.median(name, mix, size),
        }
    }

    fn median(&self, name: &str, mix: Mix, size: usize) -> Result<f64> {
        let directory = self.directory.join(name).join(mix.name()).join(size.to_string());
        let text = fs::read_to_string(directory.join("new/estimates.json"))?;
        let estimates: Value = serde_json::from_str(&text)?;
        let nanoseconds = estimates["median"]["point_estimate"].as_f64();
        Ok(nanoseconds.context("criterion has left no median")? / 1e9)
    }
}
