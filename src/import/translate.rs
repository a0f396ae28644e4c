//! The chains of one IP version → who is let in to published ports.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::interfaces::Interfaces;
use super::matching::{Context, NO_CONTAINER};
use super::published::published;
use super::region::{Region, TooComplex};
use super::rule::{Line, Target};
use super::tables::{Chain, Note, Tables};
use super::walk::{Denial, Ending, LeftOut, Piece, Stage, Walk};
use crate::model::IpVersion;

/// Who is let in, and what was not understood.
#[derive(Debug, Default)]
pub struct Translated<'a> {
    pub pieces: Vec<Piece<'a>>,
    /// Who is refused although one of the pieces has it.
    pub denials: Vec<Denial<'a>>,
    pub notes: Vec<Note>,
    /// Rules that decide something.
    pub met: BTreeSet<Arc<Line>>,
    /// Whether Docker's rules in the input publish ports.
    pub has_published: bool,
}

/// Follows the flows of one version; `None` if no chain of the input decides about published ports.
pub fn translate<'a>(
    tables: &'a Tables,
    interfaces: &'a Interfaces,
    version: IpVersion,
) -> Result<Option<Translated<'a>>, TooComplex> {
    let context = Context { tables, interfaces, version, is_translated: false, container: None };
    let stages = Stages { tables, context, result: Translated::default() };
    stages.run()
}

struct Stages<'a> {
    tables: &'a Tables,
    context: Context<'a>,
    result: Translated<'a>,
}

impl<'a> Stages<'a> {
    fn run(mut self) -> Result<Option<Translated<'a>>, TooComplex> {
        let scheme = self.scheme();
        let forward = self.forward();
        if scheme.is_none() && forward.is_none() {
            return Ok(None);
        }
        let all = Region::new(self.context.everything());
        self.result.pieces = vec![Piece { flows: all, rule: None }];
        for table in ["raw", "mangle"] {
            if let Some(chain) = self.chain(table, "PREROUTING") {
                self.stage(Place::new(Stage::Pass, table, chain, Ending::Admit))?;
            }
        }
        if let Some(chain) = scheme {
            self.stage(Place::new(Stage::Scheme, "nat", chain, Ending::Deny))?;
        }
        if let Some(chain) = self.chain("mangle", "FORWARD") {
            self.stage(Place::new(Stage::Pass, "mangle", chain, Ending::Admit).translated())?;
        }
        if let Some((chain, ending)) = forward {
            self.stage(Place::new(Stage::Forward, "filter", chain, ending).translated())?;
        }
        // What nothing lets in need not be refused.
        let Translated { pieces, denials, .. } = &mut self.result;
        denials.retain(|denial| pieces.iter().any(|piece| piece.flows.overlaps(&denial.flows)));
        Ok(Some(self.result))
    }

    fn chain(&self, table: &str, chain: &str) -> Option<&'a Chain> {
        let found = self.tables.chain(self.context.version, table, chain)?;
        Some(found).filter(|chain| !chain.rules.is_empty() || chain.drops)
    }

    /// The chain of the nat table that decides, if the scheme of `DOCKER-BLOCK` is there.
    fn scheme(&self) -> Option<&'a Chain> {
        let (tables, version) = (self.tables, self.context.version);
        let block = tables.chain(version, "nat", "DOCKER-BLOCK")?;
        let prerouting = tables.chain(version, "nat", "PREROUTING");
        Some(prerouting.filter(|chain| calls(chain, "DOCKER-BLOCK")).unwrap_or(block))
    }

    /// The chain of the filter table that decides, and what becomes of flows at its end.
    fn forward(&self) -> Option<(&'a Chain, Ending)> {
        let is_docker = |chain: &&Chain| {
            ["DOCKER-USER", "DOCKER-FORWARD", "DOCKER"].iter().any(|name| calls(chain, name))
        };
        let user = self.chain("filter", "DOCKER-USER");
        let forward = self.chain("filter", "FORWARD");
        let ufw = || {
            let names = ["ufw-user-forward", "ufw6-user-forward"];
            names.iter().find_map(|name| self.chain("filter", name))
        };
        match (forward.filter(is_docker), user) {
            (Some(forward), _) => Some((forward, Ending::Admit)),
            (None, Some(user)) => Some((user, Ending::Admit)),
            (None, None) => match (ufw(), forward) {
                // Docker's own rules come first, so what ufw accepts is what is meant to be let in.
                (Some(chain), _) => Some((chain, Ending::Deny)),
                (None, Some(forward)) => Some((forward, Ending::Admit)),
                (None, None) => None,
            },
        }
    }

    /// Follows flows through a chain, twice if refusals can be left to `[[deny]]` entries.
    fn stage(&mut self, chain: Place<'a>) -> Result<(), TooComplex> {
        let first = self.walks(chain, &LeftOut::new())?;
        let denials = first.denials_that_come_first()?;
        let left_out: LeftOut = denials.iter().map(|it| std::ptr::from_ref(it.rule)).collect();
        let found = if left_out.is_empty() { first } else { self.walks(chain, &left_out)? };
        self.result.denials.extend(denials);
        self.compose(found)
    }

    /// Follows what was not translated, or, for each container that is known and for any other, what was.
    fn walks(&mut self, place: Place<'a>, left_out: &LeftOut) -> Result<Found<'a>, TooComplex> {
        let all = Region::new(self.context.everything());
        let context = Context { is_translated: place.is_translated, ..self.context };
        let general = self.walk(context, place, left_out, all)?;
        if !place.is_translated {
            return Ok(general);
        }
        let mut all = Region::default();
        for piece in &general.pieces {
            all.add(piece.flows.clone())?;
        }
        let published = published(&self.context)?;
        self.result.has_published |= !published.is_empty();
        let Found { pieces, denials, .. } = general;
        let mut found = Found { pieces, denials, ..Found::default() };
        for port in published {
            let context = Context { container: Some(&port.container), ..context };
            let of_container = self.walk(context, place, left_out, port.flows.clone())?;
            for piece in of_container.pieces {
                found.add(piece, &all)?;
            }
            found.notes.extend(of_container.notes);
            found.met.extend(of_container.met);
            found.of_containers.extend(of_container.denials);
        }
        // That a container is not known only matters for rules about containers that are not there.
        let is_about_container = |note: &Note| note.reason.starts_with(NO_CONTAINER);
        let is_kept = |note: &Note| !is_about_container(note) || !found.met.contains(&note.line);
        let kept: Vec<Note> = general.notes.into_iter().filter(is_kept).collect();
        found.notes.extend(kept);
        found.met.extend(general.met);
        Ok(found)
    }

    fn walk(
        &self,
        context: Context<'_>,
        place: Place<'a>,
        left_out: &LeftOut,
        flows: Region,
    ) -> Result<Found<'a>, TooComplex> {
        let mut walk = Walk::new(self.tables, context, place.stage, place.table, left_out);
        walk.outermost(place.chain, flows, place.ending)?;
        let Walk { pieces, notes, met, denials, .. } = walk;
        Ok(Found { pieces, notes, met, denials, of_containers: Vec::new() })
    }

    /// Keeps of what was let in so far what this stage lets in, too.
    fn compose(&mut self, found: Found<'a>) -> Result<(), TooComplex> {
        let before = std::mem::take(&mut self.result.pieces);
        for piece in &found.pieces {
            for earlier in &before {
                let flows = earlier.flows.intersection(&piece.flows)?;
                if !flows.is_empty() {
                    let rule = piece.rule.or(earlier.rule);
                    self.result.pieces.push(Piece { flows, rule });
                }
            }
        }
        self.result.notes.extend(found.notes);
        self.result.met.extend(found.met);
        Ok(())
    }
}

/// The outermost chain of a table at a hook.
#[derive(Clone, Copy)]
struct Place<'a> {
    stage: Stage,
    table: &'a str,
    chain: &'a Chain,
    ending: Ending,
    is_translated: bool,
}

impl<'a> Place<'a> {
    fn new(stage: Stage, table: &'a str, chain: &'a Chain, ending: Ending) -> Place<'a> {
        Place { stage, table, chain, ending, is_translated: false }
    }

    /// A chain behind Docker's translation.
    fn translated(self) -> Place<'a> {
        Place { is_translated: true, ..self }
    }
}

/// What a stage lets in.
#[derive(Default)]
struct Found<'a> {
    pieces: Vec<Piece<'a>>,
    notes: Vec<Note>,
    met: BTreeSet<Arc<Line>>,
    denials: Vec<Denial<'a>>,
    /// Refusals of flows to containers that are known.
    of_containers: Vec<Denial<'a>>,
}

impl<'a> Found<'a> {
    /// Refusals that can be `[[deny]]` entries: all that their rules refuse.
    fn denials_that_come_first(&self) -> Result<Vec<Denial<'a>>, TooComplex> {
        let mut first = Vec::new();
        for denial in &self.denials {
            let is_same = |other: &&Denial<'_>| std::ptr::eq(other.rule, denial.rule);
            let mut is_first = self.denials.iter().filter(is_same).all(|it| it.can_come_first);
            for other in self.of_containers.iter().filter(is_same) {
                is_first = is_first && !other.is_late && denial.flows.includes(&other.flows)?;
            }
            if is_first {
                first.push(denial.clone());
            }
        }
        Ok(first)
    }

    /// Adds what is not let in already, to the other flows of the rule.
    fn add(&mut self, piece: Piece<'a>, all: &Region) -> Result<(), TooComplex> {
        if all.includes(&piece.flows)? {
            return Ok(());
        }
        let same = |it: &&mut Piece<'a>| match (it.rule, piece.rule) {
            (Some(a), Some(b)) => std::ptr::eq(a, b),
            (None, None) => true,
            _ => false,
        };
        match self.pieces.iter_mut().find(same) {
            Some(known) => known.flows.add(piece.flows),
            None => {
                self.pieces.push(piece);
                Ok(())
            }
        }
    }
}

/// Whether a rule of the chain leads to another.
fn calls(chain: &Chain, name: &str) -> bool {
    let is_call = |target: &Target| match target {
        Target::Jump(chain) | Target::Goto(chain) => chain == name,
        _ => false,
    };
    chain.rules.iter().any(|rule| is_call(&rule.target))
}
