//! The extent of the measurements.

use std::time::Duration;

use crate::workload::Mix;

/// Sizes and numbers of repetitions.
pub struct Effort {
    pub quick: bool,
    /// The size of a small policy.
    pub small: usize,
    /// Sizes between.
    pub between: &'static [usize],
    pub medium: usize,
    /// The size of lists that are long.
    pub large: usize,
    /// The largest size.
    pub huge: usize,
    /// Maximum size that is also loaded with one process per rule.
    pub script_max: usize,
    pub library_time: Duration,
    pub flow_rounds: usize,
    pub stream_rounds: usize,
}

impl Effort {
    pub const FULL: Effort = Effort {
        quick: false,
        small: 10,
        between: &[100, 1_000],
        medium: 10_000,
        large: 100_000,
        huge: 1_000_000,
        script_max: 1_000,
        library_time: Duration::from_millis(500),
        flow_rounds: 11,
        stream_rounds: 9,
    };
    pub const QUICK: Effort = Effort {
        quick: true,
        small: 10,
        between: &[],
        medium: 100,
        large: 1_000,
        huge: 2_000,
        script_max: 10,
        library_time: Duration::from_millis(20),
        flow_rounds: 3,
        stream_rounds: 1,
    };

    /// The sizes that are measured of a mix.
    pub fn of(&self, mix: Mix) -> impl Iterator<Item = (Mix, usize)> {
        let Effort { small, medium, large, huge, .. } = *self;
        let sizes = match mix {
            Mix::Hosts => [&[small], self.between, &[medium, large, huge]].concat(),
            Mix::Mixed | Mix::Ports => vec![large],
            Mix::Ranges | Mix::Country if self.quick => vec![large],
            Mix::Ranges | Mix::Country => vec![medium, large],
            Mix::Scattered | Mix::Published => vec![small, medium],
            Mix::Bans => vec![1, large],
            Mix::Grants => vec![medium],
            Mix::Refused => Vec::new(),
        };
        sizes.into_iter().map(move |size| (mix, size))
    }

    /// The policies with which refused flows are measured.
    pub fn refused(&self) -> impl Iterator<Item = (Mix, usize)> {
        let large = [Mix::Hosts, Mix::Country, Mix::Ports].map(|mix| (mix, self.large));
        large.into_iter().chain(self.of(Mix::Scattered))
    }

    /// Number of runs of each process, of which the median is taken.
    pub fn process_rounds(&self, size: usize) -> usize {
        match size {
            _ if self.quick => 1,
            0..100 => 31,
            100..1_000 => 21,
            1_000..10_000 => 9,
            10_000..1_000_000 => 11,
            _ => 3,
        }
    }
}
