//! The operator's policy: who may reach which published port. Read from TOML text with
//! [`Policy::read`] and [`Policy::parse`], or built in memory by an embedding program.

mod allow;
mod diagnostic;
mod document;
mod errors;
mod excerpt;
mod fault;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod group;
mod input;
mod interface;
mod list;
mod nearest;
mod port;
mod settings;
mod source;
mod syntax;
mod text;

use std::path::Path;
use std::sync::Arc;

use toml::de::DeTable;

use crate::ruleset::{Addresses, Interface, Location, Ports};
use document::Document;
use errors::Errors;
use fault::Fault;
use group::Groups;
use input::Unreadable;
use list::Lists;
use text::Text;

pub use diagnostic::{Diagnostic, Diagnostics};

/// A policy without errors. The empty policy is valid: it blocks every published port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// The `[[allow]]` entries, in the order of the file.
    pub allow: Vec<Allow>,
    /// The `[guard]` table.
    pub guard: Guard,
    /// The `[revoke]` table.
    pub revoke: Revoke,
}

/// One `[[allow]]` entry: these sources may reach these published ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allow {
    /// Shown as the rules' comment: 1 to [`COMMENT_MAX`](crate::ruleset::COMMENT_MAX) bytes
    /// without control characters, unique in the policy.
    pub name: Option<Arc<str>>,
    /// The published ports, at least one.
    pub ports: Vec<Ports>,
    /// Who may reach them; `None`: anyone. `Some` has at least one source.
    pub from: Option<Vec<Group>>,
    /// The interface that the packet has to come in by; `None`: any.
    pub in_interface: Option<Interface>,
    /// The host's addresses that may be called; empty: any.
    pub to: Vec<Addresses>,
    /// Where the entry begins; `None` if it was not read from a file.
    pub at: Option<Location>,
}

impl Allow {
    /// An entry that lets anyone reach `ports`.
    pub fn new(ports: Vec<Ports>) -> Allow {
        Allow { name: None, ports, from: None, in_interface: None, to: Vec::new(), at: None }
    }
}

/// Sources that an entry names together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The group's name under `[sources]`; `None` for sources written in the entry itself.
    pub name: Option<Arc<str>>,
    /// The sources, shared by all entries that name the group.
    pub sources: Arc<Vec<Source>>,
}

/// One source with its place in the policy or in a source list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The addresses.
    pub addresses: Addresses,
    /// Where it stands; `None` if it was not read from a file.
    pub at: Option<Location>,
}

/// The `[guard]` table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard {
    /// Whether the guard is wanted.
    pub enabled: bool,
    /// The bit of the connection mark that is dwnl's: exactly one bit is set. The guard uses it,
    /// and without the guard large groups do.
    pub mark: u32,
}

impl Guard {
    /// Bit 13. The low half of the mark is free of Calico (its upper half), Tailscale
    /// (`0xff0000`), Kubernetes (`0x4000`, `0x8000`), Cilium (`0x0f00`) and the small numbers that
    /// Docker Swarm and strongSwan set-ups count up from.
    pub const DEFAULT_MARK: u32 = 0x2000;
    /// No guard: `DOCKER-BLOCK` and the jumps to it alone.
    pub const OFF: Guard = Guard { enabled: false, mark: Guard::DEFAULT_MARK };
}

impl Default for Guard {
    fn default() -> Guard {
        Guard { enabled: true, mark: Guard::DEFAULT_MARK }
    }
}

/// The `[revoke]` table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Revoke {
    /// What becomes of the open flows of sources that are no longer allowed.
    pub established: Established,
}

/// What becomes of open flows whose source is no longer allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Established {
    /// They go on until they end by themselves.
    #[default]
    Keep,
    /// They are ended.
    Cut,
}

impl Policy {
    /// Reads a policy from a file, with the source lists that it names. `-` is standard input.
    ///
    /// # Errors
    /// Everything that is wrong with the file and its source lists, in their order.
    pub fn read(path: &Path) -> Result<Policy, Diagnostics> {
        let is_stdin = path == Path::new("-");
        let name: Arc<str> =
            if is_stdin { "<stdin>".into() } else { path.to_string_lossy().into() };
        let text = if is_stdin {
            input::read(std::io::stdin().lock(), &name, &input::POLICY)
        } else {
            input::read_file(path, &name, &input::POLICY)
        };
        match text {
            Ok(text) => {
                let directory = path.parent().unwrap_or(Path::new(""));
                Policy::parse(&text, &name, directory)
            }
            Err(Unreadable::Byte(diagnostic)) => Err(Diagnostics(vec![diagnostic])),
            Err(Unreadable::File(fault)) => Err(Diagnostics(vec![fault.of_file(&name)])),
        }
    }

    /// Reads a policy from text. `file` is the name that errors give it; the paths of source
    /// lists are relative to `directory`.
    ///
    /// # Errors
    /// Everything that is wrong with the text and its source lists, in their order.
    pub fn parse(text: &str, file: &str, directory: &Path) -> Result<Policy, Diagnostics> {
        let text = text::without_mark(text);
        let (root, syntax_errors) = DeTable::parse_recoverable(text);
        let root = root.get_ref();
        let text = Text::new(file.into(), text);
        let mut errors = Errors::default();
        let doubtful = syntax::report(&syntax_errors, root, &text, &mut errors);
        let mut document = Document { text, errors, doubtful };
        let mut lists = Lists::new(directory);
        let policy = interpret(&mut document, root, &mut lists);
        let mut errors = document.errors.into_vec();
        errors.append(&mut lists.into_errors());
        if errors.is_empty() {
            return Ok(policy);
        }
        errors.sort_by(|a, b| a.at.cmp(&b.at));
        Err(Diagnostics(errors))
    }
}

/// Reads the document: groups first, because entries name them.
fn interpret(document: &mut Document, root: &DeTable, lists: &mut Lists) -> Policy {
    document.check_keys(root, "", &["sources", "allow", "guard", "revoke"]);
    let groups = match root.get("sources").and_then(|value| document.table(value, "sources")) {
        Some(table) => Groups::read(document, table, lists),
        None => Groups::default(),
    };
    let guard = root.get("guard").and_then(|value| document.table(value, "guard"));
    let revoke = root.get("revoke").and_then(|value| document.table(value, "revoke"));
    Policy {
        guard: guard.map(|table| settings::guard(document, table)).unwrap_or_default(),
        revoke: revoke.map(|table| settings::revoke(document, table)).unwrap_or_default(),
        allow: match root.get("allow") {
            Some(value) => allow::Reader::new(document, &groups).entries(value),
            None => Vec::new(),
        },
    }
}
