//! Serves the clients of the control socket.

use std::time::{Duration, Instant};

use super::Watch;
use super::clients::{Call, ClientId, Facts, Request};
use super::reload::Reload;
use crate::apply;
use crate::report::{ErrorAnswer, ErrorCode, Reloaded, RollbackReason, Subscribed, TrialReport};

/// What is said while a policy is on trial.
pub(super) const ON_TRIAL: &str = "a policy is on trial; confirm it or roll it back first";
const NO_TRIAL: &str = "no policy is on trial";

impl Watch {
    /// Handles what clients have sent, and sends them what has happened.
    pub(super) fn serve_clients(&mut self) {
        let began = Instant::now();
        if self.clients.is_ready(began) {
            for (client, call) in self.clients.requests(began) {
                self.serve_client(client, call);
            }
            self.clients.pause(began);
        }
        self.send_events();
        self.log.keep_lines(self.clients.has_subscribers());
    }

    /// Sends clients what has happened.
    pub(super) fn send_events(&mut self) {
        let events = self.log.take_lines();
        self.clients.publish(&events, Instant::now());
    }

    fn serve_client(&mut self, client: ClientId, call: Call) {
        let Call { id, request } = &call;
        let (id, name) = (*id, request.name());
        match request {
            Request::Reload { confirm_within } => self.serve_reload(client, id, *confirm_within),
            Request::Confirm {} if self.trial.is_some() => {
                self.confirm();
                self.clients.answer(client, id, name, &TrialReport::confirmed());
            }
            Request::Rollback {} if self.trial.is_some() => {
                match self.roll_back(RollbackReason::Requested) {
                    Ok(notes) => {
                        self.clients.answer(client, id, name, &TrialReport::restored(notes));
                    }
                    Err(error) => self.refuse(client, id, ErrorCode::Failed, &error.to_string()),
                }
            }
            Request::Confirm {} | Request::Rollback {} => {
                self.refuse(client, id, ErrorCode::NoTrial, NO_TRIAL);
            }
            Request::Subscribe {} => {
                let subscribed = Subscribed { version: env!("CARGO_PKG_VERSION") };
                self.clients.answer(client, id, name, &subscribed);
                self.clients.subscribe(client);
                self.log.keep_lines(true);
            }
            Request::Status {}
            | Request::Plan {}
            | Request::Grants {}
            | Request::Allow(_)
            | Request::Deny(_)
            | Request::Revoke(_) => {
                let facts = Box::new(self.facts());
                self.clients.submit(client, call, facts);
            }
        }
    }

    fn serve_reload(&mut self, client: ClientId, id: Option<u64>, trial: Option<Duration>) {
        if self.trial.is_some() {
            return self.refuse(client, id, ErrorCode::OnTrial, ON_TRIAL);
        }
        let (reload, confirm_until) = match trial {
            None => (self.reload_on_request(), None),
            Some(duration) => match self.reload_on_trial(duration) {
                Ok((reload, until)) => (reload, Some(until)),
                Err(error) => {
                    return self.refuse(client, id, ErrorCode::Failed, &error.to_string());
                }
            },
        };
        match &reload {
            Reload::Applied(applied) => {
                let findings = self.reported.clone();
                let done = apply::report(applied, findings, applied.elapsed, false);
                self.clients.answer(client, id, "reload", &Reloaded { confirm_until, done });
            }
            Reload::Invalid(diagnostics) => {
                self.clients.refuse(client, id, &ErrorAnswer::of_policy(diagnostics));
            }
            Reload::Failed(error) => {
                self.refuse(client, id, ErrorCode::Failed, &error.to_string());
            }
            Reload::OnTrial => self.refuse(client, id, ErrorCode::OnTrial, ON_TRIAL),
            // A policy that is asked for is always applied.
            Reload::Unchanged => self.refuse(client, id, ErrorCode::Failed, "nothing was read"),
        }
    }

    fn refuse(&mut self, client: ClientId, id: Option<u64>, code: ErrorCode, message: &str) {
        self.clients.refuse(client, id, &ErrorAnswer::new(code, message));
    }

    /// What the thread that works for clients has to know.
    fn facts(&self) -> Facts {
        Facts {
            policy: self.reconciler.policy().cloned(),
            names: self.names.detached(),
            watch: self.control_status(),
        }
    }
}
