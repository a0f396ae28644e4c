//! Bans and grants by hand: one process for one ban among many, and many from a stream, with the
//! peers' sets of the same kind.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use anyhow::Result;
use dwnl::{Engine, Policy, compile};

use crate::contender::Contender;
use crate::figures::{Figure, Figures};
use crate::load::{Load, dwnl};
use crate::process::in_turn;
use crate::support::{Namespace, Program, Spread};
use crate::workload::{Mix, PORT, write};

/// The source of the one ban.
const SOURCE: &str = "198.51.100.7";

/// Measures one ban among `bans`, and streams of that many bans and of `grants`.
pub fn measure(
    directory: &Path,
    (bans, grants): (usize, usize),
    rounds: usize,
    figures: &mut Figures,
) -> Result<()> {
    for (mix, size) in [(Mix::Bans, 1), (Mix::Bans, bans), (Mix::Grants, grants)] {
        eprintln!("by hand: {}", mix.label(size));
        let job = Job { directory, mix, existing: if size == 1 { bans } else { 0 }, size };
        let mut contenders = job.contenders()?;
        let times = in_turn(&mut contenders, rounds)?;
        for (contender, times) in contenders.iter().zip(times) {
            figures.set(contender.figure, mix, size, Spread::of(times));
        }
    }
    Ok(())
}

struct Job<'a> {
    directory: &'a Path,
    mix: Mix,
    /// Number of bans that are there before.
    existing: usize,
    size: usize,
}

impl Job<'_> {
    fn contenders(&self) -> Result<[Contender; 4]> {
        Ok([
            self.dwnl()?,
            self.ipset()?,
            self.nft(Figure::ByHandNft, Program::new("nft"))?,
            self.nft(Figure::ByHandNftNewest, Program::newest_nft()?)?,
        ])
    }

    /// `dwnl deny` and `dwnl allow` in the namespace of an empty policy.
    fn dwnl(&self) -> Result<Contender> {
        let namespace = Namespace::new()?;
        Engine::open()?.apply(&compile(&Policy::builder().build()?))?;
        let program = |arguments: &[&str]| Load::from(dwnl(self.directory).with(arguments));
        let bans = |size| {
            let lines = write(self.directory, "bans", &lines(size, "", ""))?;
            anyhow::Ok(program(&["-q", "deny", "-"]).reading(lines))
        };
        if self.existing > 0 {
            bans(self.existing)?.run()?;
        }
        let (load, undo) = match self.mix {
            _ if self.size == 1 => {
                (program(&["-q", "deny", SOURCE]), program(&["-q", "revoke", SOURCE]))
            }
            Mix::Bans => (bans(self.size)?, program(&["-q", "revoke", "--all"])),
            _ => {
                let lines = lines(self.size, "", &format!(" {PORT}/tcp"));
                let lines = write(self.directory, "grants", &lines)?;
                let load = program(&["-q", "allow", "-", "--for", "1h"]).reading(lines);
                (load, program(&["-q", "revoke", "--all"]))
            }
        };
        Ok(Contender::here(Figure::ByHand, [load.clone(), load], namespace).undone_by(undo))
    }

    /// `ipset add` and `ipset restore` into a set whose elements can end.
    fn ipset(&self) -> Result<Contender> {
        let frame = "create bans hash:ip timeout 0 maxelem 2097152\n\
                     create grants hash:ip,port timeout 3600 maxelem 262144\n";
        let bans = lines(self.existing, "add bans ", "");
        let frame = write(self.directory, "by-hand.ipset", &format!("{frame}{bans}"))?;
        let ipset = Program::newest_ipset()?;
        let (load, undo) = match self.mix {
            _ if self.size == 1 => (
                ipset.clone().with(["add", "bans", SOURCE]).into(),
                ["del", "bans", SOURCE].to_vec(),
            ),
            mix => {
                let (set, port) = match mix {
                    Mix::Bans => ("bans", String::new()),
                    _ => ("grants", format!(",tcp:{PORT}")),
                };
                let lines = lines(self.size, &format!("add {set} "), &port);
                let file = write(self.directory, "stream.ipset", &lines)?;
                (Load::ipset(&file)?, vec!["flush", set])
            }
        };
        let loads: [Load; 2] = [load.clone(), load];
        let contender = Contender::in_sets(Figure::ByHandIpset, loads, &Load::ipset(&frame)?)?;
        Ok(contender.undone_by(ipset.with(undo)))
    }

    /// `nft add element` and `nft -f` into a set whose elements can end.
    fn nft(&self, figure: Figure, nft: Program) -> Result<Contender> {
        let mut frame = "table inet peer {\n\
            set bans { type ipv4_addr; flags timeout; size 2097152; }\n\
            set grants { type ipv4_addr . inet_service; flags timeout; size 262144; }\n}\n"
            .to_owned();
        if self.existing > 0 {
            frame += &elements("bans", self.existing, "");
        }
        let frame = Load::nft(&write(self.directory, "by-hand.nft", &frame)?);
        let (load, undo) = match self.mix {
            _ if self.size == 1 => {
                let element = format!("{{ {SOURCE} }}");
                let words = |verb| [verb, "element", "inet", "peer", "bans", &element];
                (nft.clone().with(words("add")).into(), nft.with(words("delete")))
            }
            mix => {
                let (set, rest) = match mix {
                    Mix::Bans => ("bans", String::new()),
                    _ => ("grants", format!(" . {PORT} timeout 1h")),
                };
                let text = elements(set, self.size, &rest);
                let file: PathBuf = write(self.directory, "stream.nft", &text)?;
                let load: Load = nft.clone().with(["-f"]).with([file]).into();
                (load, nft.with(["flush", "set", "inet", "peer", set]))
            }
        };
        let loads: [Load; 2] = [load.clone(), load];
        Ok(Contender::in_sets(figure, loads, &frame)?.undone_by(undo))
    }
}

/// A line for each of the sources.
fn lines(size: usize, before: &str, after: &str) -> String {
    sources(size).fold(String::new(), |mut text, source| {
        let _ = writeln!(text, "{before}{source}{after}");
        text
    })
}

/// A command of nft that adds an element for each of the sources.
fn elements(set: &str, size: usize, after: &str) -> String {
    let elements: Vec<String> = sources(size).map(|source| format!("{source}{after}")).collect();
    format!("add element inet peer {set} {{ {} }}\n", elements.join(", "))
}

fn sources(size: usize) -> impl Iterator<Item = Ipv4Addr> {
    (0..size as u32).map(|number| Ipv4Addr::from(0x0a00_0000 + 64 * number))
}
