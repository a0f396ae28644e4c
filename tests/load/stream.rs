//! Connections that stay open.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::kind::{Kind, PORT};
use super::run::Load;
use super::support::{Answer, Connection, Namespace};

/// Maximum number of streams of each family.
const STREAMS: usize = 8;
/// Interval between the openings of two streams, so that they start under different policies.
const INTERVAL: Duration = Duration::from_millis(500);
/// Pause between two rounds of echoes.
const PAUSE: Duration = Duration::from_millis(5);

/// Sends and receives over streams of this kind until the load is over.
pub fn keep_streams(kind: Kind, client: &Namespace, load: &Load) {
    let open = || {
        let [source, target] = [kind.source(0), kind.target()].map(|it| it.ip().to_string());
        Connection::open(client, &source, &target, PORT).ok()
    };
    let mut streams: Vec<Connection> = Vec::new();
    let mut opened = None;
    while !load.is_over() {
        let is_time = opened.is_none_or(|at: Instant| at.elapsed() >= INTERVAL);
        // The clients count a stream that cannot be opened as a loss.
        if let Some(stream) = (is_time && streams.len() < STREAMS).then(open).flatten() {
            streams.push(stream);
            opened = Some(Instant::now());
            load.tally.streams.add();
        }
        streams.retain_mut(|stream| {
            let answer = stream.echo();
            if answer != Answer::Answered {
                load.tally.broken(&format!("{kind}, established: {answer:?}"));
            }
            answer == Answer::Answered
        });
        sleep(PAUSE);
    }
}
