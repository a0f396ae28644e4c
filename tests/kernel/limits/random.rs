//! Random limits and flows: as many are admitted as the buckets predict.

use std::collections::HashMap;

use super::super::support::{Random, Topology};
use super::site::{Site, host_of};

const SEED: u64 = 15;
const POLICIES: usize = 12;
const ROUNDS: usize = 8;

/// A random limit, which refills nothing during a test.
struct Limit {
    burst: usize,
    per: &'static str,
}

impl Limit {
    fn random(random: &mut Random) -> Limit {
        Limit { burst: 1 + random.below(6), per: random.of(&["", " per source", " per port"]) }
    }

    fn text(&self) -> String {
        format!("limit = '1/day burst {}{}'", self.burst, self.per)
    }

    /// The bucket from which a flow takes.
    fn bucket(&self, source: &str, port: u16) -> String {
        match self.per {
            " per source" if source.contains(':') => "a network".to_owned(),
            " per source" => source.to_owned(),
            " per port" => port.to_string(),
            _ => "the entry".to_owned(),
        }
    }
}

#[test]
fn as_many_flows_are_admitted_as_the_buckets_predict() {
    let mut site = Site::new();
    let mut random = Random::new(SEED);
    let (mut admitted, mut refused) = (0, 0);
    for number in 0..POLICIES {
        let limit = Limit::random(&mut random);
        // The name is another one each time, so the buckets are full again.
        site.apply(&format!(
            "[[allow]]\nname = 'w{number}'\nports = ['8080/udp', '80/udp']\n{}\n",
            limit.text()
        ));
        let mut taken: HashMap<String, usize> = HashMap::new();
        for _ in 0..ROUNDS {
            let sources =
                [Topology::ALLOWED, Topology::REFUSED, Topology::ALLOWED6, Topology::REFUSED6];
            let (source, port) = (random.of(&sources), random.of(&[80, 8080]));
            let flows = 1 + random.below(4);
            let taken = taken.entry(limit.bucket(source, port)).or_default();
            let left = (limit.burst - *taken).min(flows);
            *taken += left;
            site.expect_at(source, host_of(source), port, flows, left);
            (admitted, refused) = (admitted + left, refused + flows - left);
        }
    }
    assert!(admitted > 50 && refused > 50, "seed {SEED}: {admitted} admitted, {refused} refused");
}
