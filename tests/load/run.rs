//! One run: all clients, Docker and the reloads at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::churn::start_and_remove_containers;
use super::client::connect_continuously;
use super::kind::Kind;
use super::method::Method;
use super::site::Site;
use super::stream::keep_streams;
use super::tally::{Tally, table};

/// What a run has to reach in order to end before its time limit.
#[derive(Clone, Copy)]
pub struct Goal {
    pub reloads: usize,
    pub connections: usize,
    /// Docker commands.
    pub commands: usize,
    pub limit: Duration,
}

/// What the threads of a run share.
pub struct Load {
    pub tally: Tally,
    over: AtomicBool,
}

impl Load {
    /// Whether the clients must stop.
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}

/// Reloads under load until the goal is reached or its limit passed.
pub fn run(site: &Site, method: &Method, goal: Goal) -> Tally {
    let (host, client) = (&site.topology.host, &site.topology.client);
    let mut reloads = method.start(host);
    let mut load = Load { tally: Tally::new(method.name), over: AtomicBool::new(false) };
    let start = Instant::now();
    thread::scope(|scope| {
        let load = &load;
        for kind in Kind::all() {
            scope.spawn(move || {
                client.inside(|| connect_continuously(kind, &mut site.ports(kind), load))
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
