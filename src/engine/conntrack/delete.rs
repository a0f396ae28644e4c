//! Deletes conntrack entries in bulk; each deletion succeeds or fails on its own.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;

use super::super::Error;
use super::super::connection::Connection;
use super::super::error::io_error;
use super::FlowChanges;
use crate::conntrack::FlowAction;
use crate::model::Flow;
use crate::netlink::{put_deletion, put_tombstone};

/// Maximum number of flows in one datagram: some hundred bytes each, together less than any socket may
/// send.
const AT_ONCE: usize = 500;
/// How often a server's packet may prevent the tombstone of its flow.
const ATTEMPTS: usize = 5;
/// Maximum number of datagrams of [`AT_ONCE`] flows whose tombstones use one address. The kernel looks
/// for a free port at random, which is quick as long as most of the 65,535 are free.
const BATCHES_PER_ADDRESS: usize = 16;

/// Deletes the entries and counts those that still existed.
pub(in crate::engine) fn delete(
    connection: &mut Connection,
    stale: &[(FlowAction, Flow)],
) -> Result<FlowChanges, Error> {
    let mut changed = FlowChanges::default();
    for (number, some) in stale.chunks(AT_ONCE).enumerate() {
        let address_index = number / BATCHES_PER_ADDRESS;
        let mut batch = DeleteBatch { address_index, ..DeleteBatch::default() };
        for (action, flow) in some {
            batch.delete(*action, flow);
        }
        let renewed = batch.send(connection, &mut changed)?;
        retry(connection, renewed, address_index, &mut changed)?;
    }
    Ok(changed)
}

/// Deletes and replaces flows again that a packet of their server has renewed between the deletion and the
/// tombstone.
fn retry(
    connection: &mut Connection,
    mut flows: Vec<&Flow>,
    address_index: usize,
    changed: &mut FlowChanges,
) -> Result<(), Error> {
    for attempt in 1..=ATTEMPTS {
        if flows.is_empty() {
            break;
        }
        // At another address, in case this one has no free port.
        let mut batch =
            DeleteBatch { address_index: address_index + attempt, ..DeleteBatch::default() };
        for flow in flows {
            batch.replace(flow);
        }
        flows = batch.send(connection, changed)?;
    }
    if flows.is_empty() { Ok(()) } else { Err(failure(libc::EEXIST)) }
}

/// Messages for one datagram; the number of each is its sequence number.
#[derive(Default)]
struct DeleteBatch<'a> {
    datagram: Vec<u8>,
    steps: Vec<Step<'a>>,
    /// Which of the host's addresses the tombstones use.
    address_index: usize,
}

/// The effect of a message.
enum Step<'a> {
    /// Deletes a flow.
    Delete(FlowAction),
    /// Deletes the entry that has taken a flow's place.
    Clear,
    /// Creates an entry in the flow's place that rejects the server's packets.
    Tombstone(&'a Flow),
}

impl<'a> DeleteBatch<'a> {
    fn delete(&mut self, action: FlowAction, flow: &'a Flow) {
        self.push(Step::Delete(action), |bytes, sequence| {
            put_deletion(bytes, &flow.original, Some(flow.id), sequence);
        });
        if action == FlowAction::Terminate {
            self.tombstone(flow);
        }
    }

    fn replace(&mut self, flow: &'a Flow) {
        self.push(Step::Clear, |bytes, sequence| put_deletion(bytes, &flow.reply, None, sequence));
        self.tombstone(flow);
    }

    fn tombstone(&mut self, flow: &'a Flow) {
        let host = self.address(flow);
        self.push(Step::Tombstone(flow), |bytes, sequence| {
            put_tombstone(bytes, flow, host, sequence);
        });
    }

    /// The address to which a tombstone sends the server's packets: the original destination, and then
    /// loopback addresses, of which IPv4 has many. Forwarded packets never arrive there, which is as good.
    fn address(&self, flow: &Flow) -> IpAddr {
        match (flow.original.destination, self.address_index) {
            (IpAddr::V4(_), index @ 1..) => {
                let [.., high, low] = index.to_be_bytes();
                IpAddr::from([127, high, low, 1])
            }
            (address, _) => address,
        }
    }

    fn push(&mut self, step: Step<'a>, put: impl FnOnce(&mut Vec<u8>, u32)) {
        put(&mut self.datagram, self.steps.len() as u32);
        self.steps.push(step);
    }

    /// Sends the messages and returns the flows whose tombstones failed because the flow exists again. A
    /// flow that has ended meanwhile counts as deleted.
    fn send(
        self,
        connection: &mut Connection,
        changed: &mut FlowChanges,
    ) -> Result<Vec<&'a Flow>, Error> {
        let errors = connection.send_changes(&self.datagram, self.steps.len() as u32)?;
        let errors: HashMap<u32, i32> = errors.into_iter().collect();
        let mut renewed = Vec::new();
        for (sequence, step) in (0..).zip(&self.steps) {
            match (step, errors.get(&sequence)) {
                (Step::Delete(FlowAction::Clear), None) => changed.cleared += 1,
                (Step::Delete(FlowAction::Terminate), None) => changed.terminated += 1,
                (Step::Clear | Step::Tombstone(_), None) => {}
                (Step::Delete(_) | Step::Clear, Some(&libc::ENOENT)) => {}
                (Step::Tombstone(flow), Some(&libc::EEXIST)) => renewed.push(*flow),
                (_, Some(errno)) => return Err(failure(*errno)),
            }
        }
        Ok(renewed)
    }
}

fn failure(errno: i32) -> Error {
    io_error("deleting conntrack entries")(io::Error::from_raw_os_error(errno))
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use nix::poll::PollTimeout;

    use super::*;
    use crate::model::{Protocol, Status, Tuple};
    use crate::netlink::{Messages, Transport};

    /// A kernel that answers the messages of each datagram with these errors, 0 for none.
    struct Kernel {
        errors: VecDeque<Vec<i32>>,
        answer: Vec<u8>,
        is_read: bool,
    }

    impl Transport for Kernel {
        fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
            self.answer.clear();
            self.is_read = false;
            let errors = self.errors.pop_front().expect("no more datagrams than expected");
            assert_eq!(Messages::new(datagram).count(), errors.len());
            for (message, errno) in Messages::new(datagram).zip(errors) {
                if errno != 0 {
                    self.answer.extend_from_slice(&36u32.to_ne_bytes());
                    self.answer.extend_from_slice(&(libc::NLMSG_ERROR as u16).to_ne_bytes());
                    self.answer.extend_from_slice(&(libc::NLM_F_CAPPED as u16).to_ne_bytes());
                    self.answer.extend_from_slice(&message.sequence.to_ne_bytes());
                    self.answer.extend_from_slice(&0u32.to_ne_bytes());
                    self.answer.extend_from_slice(&(-errno).to_ne_bytes());
                    self.answer.extend_from_slice(&[0; 16]);
                }
            }
            Ok(())
        }

        fn receive(&mut self, _timeout: PollTimeout) -> io::Result<Option<&[u8]>> {
            let is_read = std::mem::replace(&mut self.is_read, true);
            Ok((!is_read).then_some(&self.answer))
        }
    }

    /// Deletes a flow with each action, while the kernel answers with these errors.
    fn outcome<const N: usize>(
        actions: &[FlowAction],
        errors: [&[i32]; N],
    ) -> Result<FlowChanges, Error> {
        let errors = errors.map(<[i32]>::to_vec).into();
        let kernel = Kernel { errors, answer: Vec::new(), is_read: true };
        let original = Tuple {
            source: [192, 0, 2, 66].into(),
            destination: [192, 0, 2, 1].into(),
            protocol: Protocol::Udp,
            source_port: 40_000,
            destination_port: 8080,
        };
        let (reply, status) = (original.inverse(), Status::default());
        let flow = Flow { original, reply, status, id: 1, timeout: 30 };
        let stale: Vec<(FlowAction, Flow)> = actions.iter().map(|action| (*action, flow)).collect();
        delete(&mut Connection::new(Box::new(kernel)), &stale)
    }

    #[test]
    fn flows_that_have_ended_are_not_counted() {
        use FlowAction::{Clear, Terminate};
        let errors = [0, libc::ENOENT, 0, 0, libc::ENOENT, 0];
        let changed = outcome(&[Clear, Clear, Terminate, Terminate], [&errors]).expect("success");
        assert_eq!(changed, FlowChanges { cleared: 1, terminated: 1 });
    }

    #[test]
    fn a_flow_that_its_server_renews_is_deleted_again() {
        let renewed = [0, libc::EEXIST];
        let errors: [&[i32]; 3] = [&renewed, &[libc::ENOENT, libc::EEXIST], &[0, 0]];
        let changed = outcome(&[FlowAction::Terminate], errors).expect("success");
        assert_eq!(changed, FlowChanges { cleared: 0, terminated: 1 });
        let error = outcome(&[FlowAction::Terminate], [&renewed; 1 + ATTEMPTS]);
        assert_eq!(
            error.expect_err("an error").to_string(),
            "netlink error while deleting conntrack entries: File exists (os error 17)"
        );
    }

    #[test]
    fn any_other_error_is_returned() {
        let error = outcome(&[FlowAction::Clear], [&[libc::EPERM]]).expect_err("an error");
        assert_eq!(
            error.to_string(),
            "netlink error while deleting conntrack entries: Operation not permitted (os error 1)"
        );
    }
}
