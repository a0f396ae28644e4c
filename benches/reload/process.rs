//! Whole processes: dwnl and its peers in turn, each in a namespace of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use dwnl::{Engine, managed_objects};

use crate::Effort;
use crate::figures::{Figure, Figures};
use crate::support::{Namespace, Spread, settle};
use crate::workload::{Mix, Protocol, Variant, Workload, write};

/// Maximum size of a policy that is listed after it has been loaded.
const CHECK_MAX: usize = 10_000;

/// Pause after each process, in which the kernel finishes background work that would slow down the
/// next one.
const PAUSE: Duration = Duration::from_millis(20);

/// Number of runs per round of the contenders whose times are nearly equal.
const CLOSE_RUNS: usize = 7;

/// A program that loads policies.
pub struct Contender {
    pub figure: Figure,
    /// The two policies that it loads in turn.
    loads: [Load; 2],
    namespace: Namespace,
}

/// A program that loads a file.
#[derive(Clone)]
pub struct Load {
    pub program: &'static str,
    pub arguments: &'static [&'static str],
    pub file: PathBuf,
}

impl Load {
    pub fn dwnl(file: PathBuf) -> Load {
        Load { program: env!("CARGO_BIN_EXE_dwnl"), arguments: &["-q", "apply", "-f"], file }
    }

    pub fn restore(file: PathBuf) -> Load {
        Load { program: "iptables-restore", arguments: &["--noflush"], file }
    }

    pub fn nft(file: PathBuf) -> Load {
        Load { program: "nft", arguments: &["-f"], file }
    }

    fn script(file: PathBuf) -> Load {
        Load { program: "sh", arguments: &[], file }
    }

    /// Runs it to its end in the namespace of the calling thread.
    pub fn run(&self) -> Result<Duration> {
        let mut command = Command::new(self.program);
        command.args(self.arguments).arg(&self.file).stdin(Stdio::null()).stdout(Stdio::null());
        let start = Instant::now();
        let status = command.status().with_context(|| format!("{command:?} did not start"))?;
        let elapsed = start.elapsed();
        ensure!(status.success(), "{command:?} failed: {status}");
        Ok(elapsed)
    }
}

/// Measures the loading of policies of one mix and size.
pub fn measure(
    directory: &Path,
    mix: Mix,
    size: usize,
    effort: &Effort,
    figures: &mut Figures,
) -> Result<()> {
    let rounds = effort.process_rounds(size);
    let contenders = contenders(directory, mix, size, size <= effort.script_max)?;
    let mut times = vec![Vec::new(); contenders.len()];
    let mut runs = vec![0; contenders.len()];
    // The first round is not counted. From the second on, each run replaces the other policy.
    for round in 0..=rounds {
        for turn in turns(&contenders) {
            let contender = &contenders[turn];
            contender.namespace.enter()?;
            let elapsed = contender.loads[runs[turn] % 2].run()?;
            runs[turn] += 1;
            settle()?;
            thread::sleep(PAUSE);
            if round > 0 {
                times[turn].push(elapsed);
            }
        }
    }
    for (contender, times) in contenders.iter().zip(times) {
        contender.check(size)?;
        figures.set(contender.figure, mix, size, Spread::of(times));
    }
    Ok(())
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

fn contenders(
    directory: &Path,
    mix: Mix,
    size: usize,
    with_script: bool,
) -> Result<Vec<Contender>> {
    let workload = |variant| Workload::new(mix, size, variant, Protocol::Tcp);
    let (first, other) = (workload(Variant::First), workload(Variant::Other));
    let text = |name: &str, text: String| write(directory, name, &text);

    let policy = Load::dwnl(first.write_policy(directory, "first")?);
    let policy_other = Load::dwnl(other.write_policy(directory, "other")?);
    let policy_changed =
        Load::dwnl(workload(Variant::OneChanged).write_policy(directory, "changed")?);
    let guarded = [
        Load::dwnl(first.write_guarded_policy(directory, "guarded")?),
        Load::dwnl(other.write_guarded_policy(directory, "guarded-other")?),
    ];
    let restore = [
        Load::restore(text("first.rules", first.restore_text())?),
        Load::restore(text("other.rules", other.restore_text())?),
    ];
    let nft = [
        Load::nft(text("first.nft", first.nft_text())?),
        Load::nft(text("other.nft", other.nft_text())?),
    ];
    let nft_frame = Load::nft(text("frame.nft", first.nft_frame())?);

    let mut contenders = vec![
        Contender::in_nat(Figure::DwnlReload, [policy.clone(), policy_other])?,
        Contender::in_nat(Figure::DwnlGuarded, guarded)?,
        Contender::in_nat(Figure::DwnlOneChange, [policy.clone(), policy_changed])?,
        Contender::in_nat(Figure::DwnlNoChange, [policy.clone(), policy])?,
        Contender::in_nat(Figure::Restore, restore)?,
        Contender::in_table(Figure::Nft, nft, &nft_frame)?,
    ];
    if with_script {
        let script = [
            Load::script(text("first.sh", first.script_text())?),
            Load::script(text("other.sh", other.script_text())?),
        ];
        contenders.push(Contender::in_nat(Figure::Script, script)?);
    }
    Ok(contenders)
}

impl Contender {
    /// A contender that fills the chain `DOCKER-BLOCK`, which exists with all managed objects.
    pub fn in_nat(figure: Figure, loads: [Load; 2]) -> Result<Contender> {
        let namespace = Namespace::new()?;
        Engine::open()?.apply(&managed_objects())?;
        Ok(Contender { figure, loads, namespace })
    }

    /// A contender that fills a set in a table of its own, which `frame` creates.
    pub fn in_table(figure: Figure, loads: [Load; 2], frame: &Load) -> Result<Contender> {
        let namespace = Namespace::new()?;
        frame.run()?;
        Ok(Contender { figure, loads, namespace })
    }

    /// Checks that a peer has loaded everything, so that equal work is compared. The kernel takes
    /// far too long to list the rules of the largest policies.
    fn check(&self, size: usize) -> Result<()> {
        if size > CHECK_MAX {
            return Ok(());
        }
        let (list, mark, marks) = match self.figure {
            Figure::Restore | Figure::Script => ("iptables -t nat -S DOCKER-BLOCK", "-A ", size),
            Figure::Nft => ("nft list set inet peer allowed", ",", size - 1),
            _ => return Ok(()),
        };
        self.namespace.enter()?;
        let output = Command::new("sh").args(["-c", list]).output()?;
        let found = String::from_utf8_lossy(&output.stdout).matches(mark).count();
        ensure!(found == marks, "`{list}` shows {found} of {marks}");
        Ok(())
    }
}
