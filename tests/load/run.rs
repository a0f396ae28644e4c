//! One run: all clients, Docker and the reloads at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::churn::start_and_remove_containers;
use super::client::connect_without_pause;
use super::kind::Kind;
use super::site::Site;
use super::stream::keep_streams;
use super::tally::{Tally, table};
use super::way::Way;

/// What has to happen in a run for it to end before its limit.
#[derive(Clone, Copy)]
pub struct Goal {
    pub reloads: usize,
    pub connections: usize,
    /// Commands of Docker.
    pub commands: usize,
    pub limit: Duration,
}

/// What the threads of a run share.
pub struct Load {
    pub tally: Tally,
    over: AtomicBool,
}

impl Load {
    /// Whether the clients shall stop.
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}

/// Reloads under load until the goal is reached or its limit passed.
pub fn run(site: &Site, way: &Way, goal: Goal) -> Tally {
    let (host, client) = (&site.topology.host, &site.topology.client);
    let mut reloads = way.start(host);
    let mut load = Load { tally: Tally::new(way.name), over: AtomicBool::new(false) };
    let start = Instant::now();
    thread::scope(|scope| {
        let load = &load;
        for kind in Kind::all() {
            scope.spawn(move || {
                client.inside(|| connect_without_pause(kind, &mut site.ports(kind), load))
            });
            if kind.is_tcp && kind.is_allowed {
                scope.spawn(move || keep_streams(kind, client, load));
            }
        }
        scope.spawn(|| start_and_remove_containers(&site.docker, load));
        while start.elapsed() < goal.limit && !load.tally.has_reached(goal) {
            load.tally.reload(&reloads.next(host));
        }
        load.over.store(true, Ordering::Relaxed);
    });
    load.tally.time = start.elapsed();
    println!("{}", table(&[&load.tally]));
    load.tally
}
