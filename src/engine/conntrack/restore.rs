//! The conntrack entries of flows when a ruleset is restored.

use std::collections::HashSet;

use super::{FlowChanges, candidates, delete};
use crate::compile::flat_ruleset;
use crate::conntrack::{FlowAction, FlowState, RuleMatcher};
use crate::engine::{Engine, Error};
use crate::model::{Docker, Flow, Ruleset, Tuple};

/// Identifies a flow: its original tuple, and its ID, which a later flow with that tuple does not
/// have.
pub(in crate::engine) type FlowKey = (Tuple, u32);

impl Engine {
    /// The admitted flows to published ports.
    pub(in crate::engine) fn admitted_flows(
        &mut self,
        docker: &Docker,
    ) -> Result<HashSet<FlowKey>, Error> {
        let Some(host) = self.classifier(docker, &[])? else { return Ok(HashSet::new()) };
        let flows = candidates(&mut self.connections[0], &host, false)?;
        let admitted = flows.iter().filter(|(state, _)| *state == FlowState::Admitted);
        Ok(admitted.map(|(_, flow)| key(flow)).collect())
    }

    /// Deletes the entries of flows on which the restored rules (`None`: no rules) decide differently:
    /// rejected flows that they admit, and admitted flows that they do not, unless these were admitted
    /// `before` already.
    pub(in crate::engine) fn restore_conntrack(
        &mut self,
        ruleset: Option<&Ruleset>,
        before: &HashSet<FlowKey>,
        docker: &Docker,
    ) -> Result<FlowChanges, Error> {
        let Some(host) = self.classifier(docker, &[])? else {
            return Ok(FlowChanges::default());
        };
        let flows = candidates(&mut self.connections[0], &host, false)?;
        let flat = ruleset.map(flat_ruleset);
        let matcher = RuleMatcher::new(flat.as_deref(), host.ports());
        let stale = flows.into_iter().filter_map(|(state, flow)| {
            let action = match (state, matcher.allows(&flow.original)) {
                (FlowState::Rejected, true) => FlowAction::Clear,
                (FlowState::Admitted, false) if !before.contains(&key(&flow)) => {
                    FlowAction::Terminate
                }
                _ => return None,
            };
            Some((action, flow))
        });
        delete::delete(&mut self.connections[0], &stale.collect::<Vec<_>>())
    }
}

fn key(flow: &Flow) -> FlowKey {
    (flow.original, flow.id)
}
