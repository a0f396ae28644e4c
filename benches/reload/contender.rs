//! The programs that load policies, each in a namespace of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use dwnl::Engine;

use crate::figures::Figure;
use crate::library::managed;
use crate::load::{self, Load};
use crate::support::Namespace;
use crate::workload::{Form, Mix, Protocol, RESTORE_MAX, Variant, Workload, write};

/// Maximum size of a policy that is listed after it has been loaded. The kernel takes far too long to
/// list the rules of the largest policies.
const CHECK_MAX: usize = 10_000;

/// A program that loads policies.
pub struct Contender {
    pub figure: Figure,
    /// The two policies that it loads in turn.
    loads: [Load; 2],
    /// What is done after each run, without being measured.
    undo: Option<Load>,
    namespace: Namespace,
    /// Number of runs.
    runs: usize,
}

impl Contender {
    /// A contender in the namespace of the calling thread.
    pub fn here(figure: Figure, loads: [Load; 2], namespace: Namespace) -> Contender {
        Contender { figure, loads, undo: None, namespace, runs: 0 }
    }

    /// A contender that fills the chain `DOCKER-BLOCK`, which exists with all managed objects.
    fn in_nat(figure: Figure, loads: [Load; 2]) -> Result<Contender> {
        let namespace = Namespace::new()?;
        Engine::open()?.apply(&managed())?;
        Ok(Contender::here(figure, loads, namespace))
    }

    /// A contender that fills sets of its own, which `frame` creates.
    pub fn in_sets(figure: Figure, loads: [Load; 2], frame: &Load) -> Result<Contender> {
        let namespace = Namespace::new()?;
        frame.run()?;
        Ok(Contender::here(figure, loads, namespace))
    }

    /// The same, with each run undone.
    pub fn undone_by(self, undo: impl Into<Load>) -> Contender {
        Contender { undo: Some(undo.into()), ..self }
    }

    /// Loads the next policy, and returns the time that its program took.
    pub fn run(&mut self) -> Result<Duration> {
        self.namespace.enter()?;
        let elapsed = self.loads[self.runs % 2].run()?;
        self.runs += 1;
        if let Some(undo) = &self.undo {
            undo.run()?;
        }
        Ok(elapsed)
    }

    /// Loads the first policy, and returns the number of lines that its program prints.
    pub fn lines(&self) -> Result<usize> {
        self.namespace.enter()?;
        let output = self.loads[0].output()?;
        let lines =
            [output.stdout, output.stderr].concat().iter().filter(|it| **it == b'\n').count();
        self.undo.as_ref().map(Load::run).transpose()?;
        Ok(lines)
    }

    /// Checks that a peer has loaded everything, so that equal work is compared.
    pub fn check(&self, workload: &Workload) -> Result<()> {
        let count = workload.rule_count();
        if count > CHECK_MAX {
            return Ok(());
        }
        let (list, mark, marks) = match self.figure {
            Figure::Restore | Figure::RestoreNewest | Figure::Script => {
                ("iptables -t nat -S DOCKER-BLOCK", "-A ", count)
            }
            Figure::Nft | Figure::NftNewest => {
                ("nft list set inet peer allowed", ",", workload.element_count() - 1)
            }
            _ => return Ok(()),
        };
        self.namespace.enter()?;
        let output = Command::new("sh").args(["-c", list]).output()?;
        let found = String::from_utf8_lossy(&output.stdout).matches(mark).count();
        ensure!(found == marks, "`{list}` shows {found} of {marks}");
        Ok(())
    }
}

/// All contenders for the policies of one mix and size.
pub struct Contenders<'a> {
    pub directory: &'a Path,
    pub mix: Mix,
    pub size: usize,
    /// Whether one process per rule is among them.
    pub with_script: bool,
}

impl Contenders<'_> {
    pub fn all(&self) -> Result<Vec<Contender>> {
        let mut contenders = self.dwnl()?;
        contenders.extend(self.sets()?);
        if self.size <= RESTORE_MAX {
            contenders.extend(self.rules()?);
        }
        Ok(contenders)
    }

    pub fn workload(&self, variant: Variant) -> Workload {
        Workload::new(self.mix, self.size, variant, Protocol::Tcp)
    }

    fn dwnl(&self) -> Result<Vec<Contender>> {
        use Figure::*;
        use Form::*;
        use Variant::*;
        let mut figures = vec![
            (DwnlReload, Plain, Other),
            (DwnlGuarded, Guarded, Other),
            (DwnlOneChange, Plain, OneChanged),
            (DwnlNoChange, Plain, First),
            (DwnlPlan, Plain, First),
            (DwnlVersion, Plain, First),
        ];
        if self.mix == Mix::Country {
            figures.push((DwnlDenied, Denied, Other));
        }
        let contender = |(figure, form, second)| {
            let state = self.directory.join(format!("state-{figure:?}"));
            let _ = fs::remove_dir_all(&state);
            fs::create_dir(&state)?;
            let policy = |variant| {
                let name = format!("{form:?}-{variant:?}");
                let path = self.workload(variant).write_policy(self.directory, &name, form)?;
                anyhow::Ok(Load::dwnl(&path, &state))
            };
            let loads = [policy(First)?, policy(second)?];
            let mut contender = Contender::in_nat(figure, loads)?;
            if figure == DwnlPlan {
                // The policy is in force before the first plan.
                contender.run()?;
                let path = self.directory.join(format!("{Plain:?}-{First:?}.toml"));
                contender.loads = [Load::plan(&path, &state), Load::plan(&path, &state)];
            } else if figure == DwnlVersion {
                let version = Load::from(load::dwnl(&state).with(["--version"]));
                contender.loads = [version.clone(), version];
            }
            Ok(contender)
        };
        figures.into_iter().map(contender).collect()
    }

    /// The peers that load sets.
    fn sets(&self) -> Result<[Contender; 3]> {
        let frame = |extension: &str, text: fn(&Workload) -> String| {
            let name = format!("frame.{extension}");
            write(self.directory, &name, &text(&self.workload(Variant::First)))
        };
        let nft_frame = Load::nft(&frame("nft", Workload::nft_frame)?);
        let ipset_frame = Load::ipset(&frame("ipset", Workload::ipset_frame)?)?;
        let [first, other] = &self.both("nft", Workload::nft_text)?;
        let nft = [Load::nft(first), Load::nft(other)];
        let newest = [Load::newest_nft(first)?, Load::newest_nft(other)?];
        let [first, other] = &self.both("ipset", Workload::ipset_text)?;
        let ipset = [Load::ipset(first)?, Load::ipset(other)?];
        Ok([
            Contender::in_sets(Figure::Nft, nft, &nft_frame)?,
            Contender::in_sets(Figure::NftNewest, newest, &nft_frame)?,
            Contender::in_sets(Figure::Ipset, ipset, &ipset_frame)?,
        ])
    }

    /// The peers that load rules.
    fn rules(&self) -> Result<Vec<Contender>> {
        let [first, other] = &self.both("rules", Workload::restore_text)?;
        let restore = [Load::restore(first), Load::restore(other)];
        let newest = [Load::newest_restore(first)?, Load::newest_restore(other)?];
        let mut contenders = vec![
            Contender::in_nat(Figure::Restore, restore)?,
            Contender::in_nat(Figure::RestoreNewest, newest)?,
        ];
        if self.with_script {
            let scripts = self.both("sh", Workload::script_text)?;
            let scripts = scripts.map(|script| Load::script(&script));
            contenders.push(Contender::in_nat(Figure::Script, scripts)?);
        }
        Ok(contenders)
    }

    /// The files of the first and the other policy for a peer.
    fn both(&self, extension: &str, text: fn(&Workload) -> String) -> Result<[PathBuf; 2]> {
        let file = |variant| {
            let name = format!("{variant:?}.{extension}");
            write(self.directory, &name, &text(&self.workload(variant)))
        };
        Ok([file(Variant::First)?, file(Variant::Other)?])
    }
}
