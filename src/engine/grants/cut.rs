//! Ends the established flows of banned sources. A ban alone concerns new flows.

use super::read::{elements, installed};
use crate::conntrack::{FlowAction, FlowState};
use crate::engine::conntrack::{candidates, delete, is_of};
use crate::engine::{Engine, Error};
use crate::model::{Grant, GrantAction};

impl Engine {
    /// Terminates the flows from outside to published ports that these bans are for, and returns how
    /// many. See [`FlowChanges::terminated`](crate::engine::FlowChanges::terminated).
    ///
    /// # Errors
    /// See [`Error`]. Some flows may have been terminated.
    pub fn cut(&mut self, bans: &[Grant]) -> Result<usize, Error> {
        let docker = self.snapshot()?.docker;
        let Some(host) = self.classifier(&docker, &[])? else { return Ok(0) };
        let flows = candidates(&mut self.connections[0], &host, false)?;
        let is_banned = |(state, flow): &(FlowState, _)| {
            let flow: &crate::model::Flow = flow;
            *state != FlowState::Rejected && bans.iter().any(|ban| is_of(&flow.original, ban))
        };
        let banned = flows.into_iter().filter(is_banned);
        let banned: Vec<_> = banned.map(|(_, flow)| (FlowAction::Terminate, flow)).collect();
        Ok(delete::delete(&mut self.connections[0], &banned)?.terminated)
    }

    /// The grants that are in force.
    pub(in crate::engine) fn granted_by_hand(&mut self) -> Result<Vec<Grant>, Error> {
        let connection = &mut self.connections[0];
        let mut granted = Vec::new();
        for set in installed(connection)?.1 {
            if set.action == GrantAction::Allow {
                granted.extend(elements(connection, set, usize::MAX)?.grants);
            }
        }
        Ok(granted)
    }
}
