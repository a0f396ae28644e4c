//! The operator's policy: who may reach which published port. Read from TOML text with
//! [`Policy::read`] and [`Policy::parse`], or built in memory with [`Policy::builder`]. Both paths
//! apply the same checks, so that a [`Policy`] is always valid.
//!
//! ```
//! use dwnl::Policy;
//! use dwnl::policy::{Allow, Group};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let office = Group::named("office", [dwnl::model::AddressSpec::host("192.0.2.7".parse()?)?])?;
//! let web = Allow::builder(["443/tcp".parse()?]).name("web").from([office]).build()?;
//! let policy = Policy::builder().allow(web).build()?;
//! # assert_eq!(policy.allow().len(), 1);
//! # Ok(())
//! # }
//! ```

mod allow;
mod builder;
mod by_container;
mod cgroup;
mod deny;
mod diag;
mod dns_name;
mod docker_settings;
mod entry;
mod entry_label;
mod error;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod group;
mod guard;
mod limit;
mod lint;
mod load;
mod log;
mod mark;
mod name;
mod parse;
mod resolved;
mod revoke;
mod schedule;
mod selector;
mod shrink;
pub(crate) mod size;
mod source;
mod source_list;
#[cfg(test)]
pub(crate) mod strategies;
mod subtract;
#[cfg(test)]
mod tests;
mod warning;
mod with_containers;
mod write;

use std::ops::Deref;
use std::path::Path;

pub use allow::{Allow, AllowBuilder};
pub use builder::PolicyBuilder;
pub use by_container::ByContainer;
pub use deny::{Deny, DenyBuilder};
pub use diag::{Diagnostic, Diagnostics, ParseError};
pub use dns_name::{DnsName, HostName};
pub use docker_settings::DockerSettings;
pub use entry::{Entry, EntryBuilder};
pub use entry_label::EntryLabel;
pub use error::PolicyError;
pub use group::Group;
pub use guard::{DirectRouting, Guard, GuardBuilder};
pub use limit::{Limit, LimitScope, Limits};
pub use load::LoadedPolicy;
pub use log::Log;
pub use mark::{Mark, MarkError};
pub use name::NAME_MAX;
pub use parse::json::JsonPath;
pub use revoke::{Established, Revoke};
pub(crate) use schedule::Window;
pub use schedule::{Days, Hours, Moment, Schedule, ScheduleState, Zone};
pub use selector::{ContainerSelector, SelectorError};
pub use shrink::MaxShrink;
pub use size::{FILE_SOURCES_MAX, RULES_MAX};
pub use source::Source;
use source::SourceOrigin;
pub use source_list::SourceList;
pub use warning::{PolicyWarning, WarningKind};
pub use with_containers::ContainerWarning;
#[cfg(feature = "state")]
pub(crate) use write::quoted;

/// A policy without errors. The empty policy is valid: it blocks every published port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    deny: Vec<Deny>,
    allow: Vec<Allow>,
    guard: Guard,
    revoke: Revoke,
    log: Log,
    docker: DockerSettings,
}

impl Policy {
    /// A builder of a policy without entries, with the default guard.
    pub fn builder() -> PolicyBuilder {
        PolicyBuilder::default()
    }

    /// Reads a policy from a file, with the source files that it names. `-` is standard input.
    ///
    /// # Errors
    /// Every error in the file and its source files, in order.
    pub fn read(path: &Path) -> Result<Policy, Diagnostics> {
        LoadedPolicy::load(path).policy
    }

    /// Reads a policy from text. `file` is the name that errors give it; the paths of source
    /// files are relative to `directory`.
    ///
    /// # Errors
    /// Every error in the text and its source files, in order.
    pub fn parse(text: &str, file: &str, directory: &Path) -> Result<Policy, Diagnostics> {
        load::parse(text, file, directory).policy
    }

    /// The `[[deny]]` entries, in the order of the file. They are evaluated before all others.
    pub fn deny(&self) -> &[Deny] {
        &self.deny
    }

    /// The `[[allow]]` entries, in the order of the file.
    pub fn allow(&self) -> &[Allow] {
        &self.allow
    }

    /// What all entries apply to: those of [`Policy::deny`], then those of [`Policy::allow`].
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        let deny = self.deny.iter().map(Deref::deref);
        deny.chain(self.allow.iter().map(Deref::deref))
    }

    /// The groups that entries and the other tables name, and those of their own sources; some of them
    /// several times.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        let peers = self.guard.swarm_peers().into_iter().flatten();
        let of_labels = self.docker.label_groups().into_iter().flatten();
        self.entries().flat_map(Entry::groups).chain(peers).chain(of_labels)
    }

    /// The `[guard]` table.
    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// The `[revoke]` table.
    pub fn revoke(&self) -> Revoke {
        self.revoke
    }

    /// The `[log]` table.
    pub fn log(&self) -> Log {
        self.log
    }

    /// The `[docker]` table.
    pub fn docker(&self) -> &DockerSettings {
        &self.docker
    }
}
