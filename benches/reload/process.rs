//! Whole processes: dwnl and its peers in turn.

use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::Result;

use crate::Effort;
use crate::contender::{Contender, Contenders};
use crate::figures::{Figure, Figures};
use crate::support::{Spread, settle};
use crate::workload::{Mix, Variant};

/// Pause after each process, in which the kernel finishes background work that would slow down the
/// next one.
const PAUSE: Duration = Duration::from_millis(20);

/// Number of runs per round of the contenders whose times are nearly equal.
const CLOSE_RUNS: usize = 3;

/// A contender that has been measured this often and for this long takes part no more.
const ENOUGH: (usize, Duration) = (3, Duration::from_secs(3));

/// Measures the loading of policies of one mix and size.
pub fn measure(
    directory: &Path,
    mix: Mix,
    size: usize,
    effort: &Effort,
    figures: &mut Figures,
) -> Result<()> {
    let with_script = mix == Mix::Hosts && size <= effort.script_max;
    let all = Contenders { directory, mix, size, with_script };
    let mut contenders = all.all()?;
    let times = in_turn(&mut contenders, effort.process_rounds(size))?;
    let workload = all.workload(Variant::First);
    for (contender, times) in contenders.iter().zip(times) {
        contender.check(&workload)?;
        figures.set(contender.figure, mix, size, Spread::of(times));
    }
    Ok(())
}

/// Runs the contenders in turn, and returns the times of each. The first round is not counted: from
/// the second on, each run replaces the other policy.
pub fn in_turn(contenders: &mut [Contender], rounds: usize) -> Result<Vec<Vec<Duration>>> {
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); contenders.len()];
    for round in 0..=rounds {
        for turn in turns(contenders) {
            if is_enough(&times[turn]) {
                continue;
            }
            let elapsed = contenders[turn].run()?;
            settle()?;
            if rounds > 1 {
                thread::sleep(PAUSE);
            }
            if round > 0 {
                times[turn].push(elapsed);
            }
        }
    }
    Ok(times)
}

fn is_enough(times: &[Duration]) -> bool {
    times.len() >= ENOUGH.0 && times.iter().sum::<Duration>() >= ENOUGH.1
}

/// The order of the runs in a round. One change and no change differ so little in their total time
/// that only many runs show a difference; these runs are short.
fn turns(contenders: &[Contender]) -> Vec<usize> {
    let is_close = |turn: &usize| {
        matches!(contenders[*turn].figure, Figure::DwnlOneChange | Figure::DwnlNoChange)
    };
    let (close, others): (Vec<usize>, Vec<usize>) = (0..contenders.len()).partition(is_close);
    [close.repeat(CLOSE_RUNS), others].concat()
}
