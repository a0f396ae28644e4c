//! What the thread of the control socket does: it reads the kernel, and changes what is allowed and denied
//! by hand.

use std::path::PathBuf;
use std::slice;
use std::time::SystemTime;

use dwnl::model::GrantAction;
use dwnl::policy::{Diagnostics, LoadedPolicy, PolicyWarning};
use dwnl::{Engine, Error, Policy, compile};

use super::line;
use super::request::{Ban, Call, Grant, Only, Request, Revocation};
use super::worker::Job;
use crate::by_hand::{
    Book, Target, denials, duration, note, ports_of, ports_or_entries, source_of,
};
use crate::control::WatchStatus;
use crate::lookup::{WatchedNames, containers};
use crate::preview;
use crate::report::{ErrorAnswer, ErrorCode, Granted, Grants, Revoked, WatchReport};
use crate::state::Store;
use crate::status::{Host, LoadedFile, Stored, file_report};

/// What the thread works with.
pub struct Desk {
    /// An engine of its own.
    pub engine: Engine,
    /// The grants and bans.
    pub book: Book,
    /// The state directory.
    pub store: Option<Store>,
    /// The policy file.
    pub path: PathBuf,
    /// The directory to which the paths of source files are relative.
    pub base_directory: PathBuf,
}

/// What the program knew when a request arrived.
pub struct Facts {
    /// The policy in force.
    pub policy: Option<Policy>,
    /// The names in it, with what is known of their addresses.
    pub names: WatchedNames,
    /// The program itself.
    pub watch: WatchStatus,
}

/// Why a request failed.
enum Refusal {
    /// A sentence.
    Sentence(ErrorCode, String),
    /// The policy has errors.
    Policy(Diagnostics),
}

impl Desk {
    /// Does what a client asks for. Returns the line of the answer.
    pub fn answer(&mut self, Job { call, facts, .. }: &Job) -> Vec<u8> {
        let Call { id, request } = call;
        let done = match request {
            Request::Status {} => self.status(*id, facts),
            Request::Plan {} => self.plan(*id, facts),
            Request::Grants {} => self.grants(*id),
            Request::Allow(grant) => self.allow(*id, grant, facts),
            Request::Deny(ban) => self.deny(*id, ban),
            Request::Revoke(revocation) => self.revoke(*id, revocation),
            Request::Reload { .. }
            | Request::Confirm {}
            | Request::Rollback {}
            | Request::Subscribe {} => {
                Err(Refusal::Sentence(ErrorCode::Failed, "not for this thread".to_owned()))
            }
        };
        done.unwrap_or_else(|refusal| line(*id, "error", &refusal.answer()))
    }

    fn status(&mut self, id: Option<u64>, facts: &Facts) -> Result<Vec<u8>, Refusal> {
        let mut status = Stored::read(Ok(self.store.as_ref())).status();
        let file = LoadedFile::load(&self.path, &self.base_directory);
        let policy = facts.policy.as_ref();
        status.file = file_report(&self.path, policy, &file);
        status.watch = Some(WatchReport::own(&facts.watch));
        status.is_on_trial = facts.watch.is_on_trial;
        status.names = facts.names.reports();
        let host = policy.map(|policy| Host::read(&mut self.engine, policy)).transpose()?;
        if let Some((policy, host)) = policy.zip(host.as_ref()) {
            host.describe(policy, &mut status);
        }
        Ok(line(id, "status", &status))
    }

    fn plan(&mut self, id: Option<u64>, facts: &Facts) -> Result<Vec<u8>, Refusal> {
        let mut loaded = LoadedPolicy::load_from(&self.path, &self.base_directory);
        if let Some(policy) = &facts.policy {
            loaded.check_shrink(policy);
        }
        let policy = facts.names.resolve(&loaded.policy.map_err(Refusal::Policy)?);
        let known = || self.store.as_ref()?.known_containers().ok()?;
        let (policy, doubts) = containers::look_up(&policy, known).complete(&policy);
        let preview = self.engine.preview_policy(&policy, &compile(&policy))?;
        let mut report = preview::report(&mut self.engine, &policy, &preview, false)?;
        let of_file = loaded.warnings.iter().map(PolicyWarning::to_line);
        report.warnings.splice(..0, of_file.chain(doubts));
        Ok(line(id, "plan", &report))
    }

    fn grants(&mut self, id: Option<u64>) -> Result<Vec<u8>, Refusal> {
        let report = self.book.read()?;
        let (stored, _) = self.book.stored();
        Ok(line(id, "grants", &Grants::new(&report, &stored, SystemTime::now())))
    }

    fn allow(&mut self, id: Option<u64>, grant: &Grant, facts: &Facts) -> Result<Vec<u8>, Refusal> {
        let policy =
            || facts.policy.clone().ok_or_else(|| anyhow::anyhow!("no policy is in force"));
        let source = source_of(&grant.source).map_err(argument)?;
        let ports =
            ports_or_entries(&grant.ports, policy).map_err(|it| argument(it.to_string()))?;
        if ports.is_empty() {
            return Err(argument(format!("name the ports to let {source} in at")));
        }
        let time = duration(&grant.duration).map_err(argument)?;
        let reason = grant.note.as_deref().map(note).transpose().map_err(argument)?;
        let target = Target { source, ports, duration: Some(time) };
        let grants = target.grants(GrantAction::Allow, None, reason.as_ref());
        self.book.add(&grants, grant.persist)?;
        let mut warnings = self.book.bans_of(&grants)?;
        warnings.extend(facts.policy.iter().flat_map(|policy| denials(&grants, policy)));
        Ok(line(id, "allow", &Granted::new(&grants, None, warnings, SystemTime::now())))
    }

    fn deny(&mut self, id: Option<u64>, ban: &Ban) -> Result<Vec<u8>, Refusal> {
        let source = source_of(&ban.source).map_err(argument)?;
        let time = ban.duration.as_deref().map(duration).transpose().map_err(argument)?;
        let reason = ban.note.as_deref().map(note).transpose().map_err(argument)?;
        let target = Target { source, ports: ports(&ban.ports)?, duration: time };
        let bans = target.grants(GrantAction::Deny, None, reason.as_ref());
        self.book.add(&bans, ban.persist)?;
        let flows = ban.cut.then(|| self.engine.cut(&bans)).transpose()?;
        Ok(line(id, "deny", &Granted::new(&bans, flows, Vec::new(), SystemTime::now())))
    }

    fn revoke(&mut self, id: Option<u64>, revocation: &Revocation) -> Result<Vec<u8>, Refusal> {
        let Revocation { source, all, ports: words, only } = revocation;
        let report = match source {
            None if *all && words.is_empty() && only.is_none() => Revoked::all(self.book.clear()?),
            Some(source) if !*all => {
                let source = source_of(source).map_err(argument)?;
                let target = Target { source, ports: ports(words)?, duration: None };
                let action = only.map(|only| match only {
                    Only::Allow => GrantAction::Allow,
                    Only::Deny => GrantAction::Deny,
                });
                let ended = self.book.revoke(slice::from_ref(&target), action)?;
                Revoked::new(&ended, self.book.left_of(&target)?)
            }
            _ => return Err(argument("name a `source`, or say `all` alone".to_owned())),
        };
        Ok(line(id, "revoke", &report))
    }
}

fn ports(words: &[String]) -> Result<Vec<dwnl::model::Ports>, Refusal> {
    let ports: Result<Vec<_>, _> = words.iter().map(|ports| ports_of(ports)).collect();
    Ok(ports.map_err(argument)?.concat())
}

fn argument(reason: String) -> Refusal {
    Refusal::Sentence(ErrorCode::InvalidArgument, reason)
}

impl Refusal {
    fn answer(&self) -> ErrorAnswer<'_> {
        match self {
            Refusal::Sentence(code, message) => ErrorAnswer::new(*code, message),
            Refusal::Policy(diagnostics) => ErrorAnswer::of_policy(diagnostics),
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        let code = match &error {
            Error::NoGuard(_) => ErrorCode::NoGuard,
            Error::TooManyGrants { .. } => ErrorCode::SetFull,
            _ => ErrorCode::Failed,
        };
        Refusal::Sentence(code, error.to_string())
    }
}

impl From<anyhow::Error> for Refusal {
    fn from(error: anyhow::Error) -> Refusal {
        match error.downcast::<Error>() {
            Ok(error) => error.into(),
            Err(error) => Refusal::Sentence(ErrorCode::Failed, format!("{error:#}")),
        }
    }
}
