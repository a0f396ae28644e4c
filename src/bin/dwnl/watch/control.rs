//! Handles the requests of other commands.

use std::time::Instant;

use super::reload::Reload;
use super::serve::ON_TRIAL;
use super::{PendingRequest, Watch};
use crate::apply;
use crate::cli::{FAILED, INVALID};
use crate::control::{Reply, Report, Request, WatchActivity, WatchStatus};
use crate::report::{
    Check, Failure, JsonObject, Report as _, styled, write_diagnostics, write_error,
};

impl Watch {
    /// The requests to apply the policy again. The others are answered at once.
    pub(super) fn requests(&mut self) -> Vec<PendingRequest<Request>> {
        let mut reloads = Vec::new();
        for pending in self.control.requests(Instant::now()) {
            match &pending.request {
                Request::Status => pending.reply(&Reply::Status(self.control_status())),
                Request::Reload { policy, .. } if *policy == self.control_status().policy => {
                    reloads.push(pending);
                }
                Request::Reload { .. } => pending.reply(&Reply::OtherPolicy(self.control_status())),
            }
        }
        reloads
    }

    /// Reports a reload to those who requested it.
    pub(super) fn reply(&mut self, requests: Vec<PendingRequest<Request>>, reload: &Reload) {
        for pending in requests {
            let verbose = matches!(pending.request, Request::Reload { verbose: true, .. });
            let report = self.reload_report(reload, verbose);
            pending.reply_later(Reply::Report(report));
        }
    }

    pub(super) fn control_status(&self) -> WatchStatus {
        // While the file is missing, the path is reported as it was given.
        let policy = self.path.canonicalize().unwrap_or_else(|_| self.path.clone());
        let activity = WatchActivity {
            started_at: self.started_at,
            repairs: self.counters.repairs.done,
            last_repair: self.last_repair.clone(),
        };
        WatchStatus {
            policy,
            manual: self.is_manual,
            is_on_trial: self.trial.is_some(),
            activity: Some(activity),
        }
    }

    fn reload_report(&self, reload: &Reload, verbose: bool) -> Report {
        match reload {
            Reload::Unchanged => Report::default(),
            Reload::Applied(applied) => {
                let findings = self.reported.clone();
                let warnings = findings.warnings.clone();
                let done = apply::report(applied, findings, applied.elapsed, verbose);
                let (text, json) = (done.to_text(), JsonObject::new(&done).to_text());
                Report { text, json, warnings, ..Report::default() }
            }
            Reload::Invalid(diagnostics) => Report {
                status: INVALID,
                json: JsonObject::new(&Check::failed(diagnostics)).to_text(),
                errors: styled(|out| write_diagnostics(out, diagnostics)),
                ..Report::default()
            },
            Reload::Failed(error) => failure(&error.to_string()),
            Reload::OnTrial => failure(ON_TRIAL),
        }
    }
}

fn failure(error: &str) -> Report {
    Report {
        status: FAILED,
        json: JsonObject::new(&Failure { error }).to_text(),
        errors: styled(|out| write_error(out, error)),
        ..Report::default()
    }
}
