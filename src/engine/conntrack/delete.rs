//! Deleting flows: many with one system call, each an undertaking of its own.

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

/// So many flows are dealt with at once: some hundred bytes each, together less than any socket may
/// send.
const AT_ONCE: usize = 500;
/// How often the server of a flow that is to end may send before something stands in for it.
const ATTEMPTS: usize = 5;
/// So many times [`AT_ONCE`] flows are turned back to one address: the kernel looks for a free port at
/// random, which is quick as long as most of the 65,535 are free.
const FLOWS_PER_ADDRESS: usize = 16;

/// Deletes the flows and counts those that were still there.
pub(super) fn delete(
    connection: &mut Connection,
    doomed: &[(FlowAction, Flow)],
) -> Result<FlowChanges, Error> {
    let mut tended = FlowChanges::default();
    for (number, some) in doomed.chunks(AT_ONCE).enumerate() {
        let crowd = number / FLOWS_PER_ADDRESS;
        let mut changes = DeleteBatch { crowd, ..DeleteBatch::default() };
        for (fate, flow) in some {
            changes.delete(*fate, flow);
        }
        let overtaken = changes.carry_out(connection, &mut tended)?;
        retry(connection, overtaken, crowd, &mut tended)?;
    }
    Ok(tended)
}

/// Between the deletion of these flows and what was to stand in for them there was a packet of the
/// server's, with which the flow went on.
fn retry(
    connection: &mut Connection,
    mut flows: Vec<&Flow>,
    crowd: usize,
    tended: &mut FlowChanges,
) -> Result<(), Error> {
    for attempt in 1..=ATTEMPTS {
        if flows.is_empty() {
            break;
        }
        // Elsewhere, should the address be crowded after all.
        let mut changes = DeleteBatch { crowd: crowd + attempt, ..DeleteBatch::default() };
        for flow in flows {
            changes.replace(flow);
        }
        flows = changes.carry_out(connection, tended)?;
    }
    if flows.is_empty() { Ok(()) } else { Err(failure(libc::EEXIST)) }
}

/// Messages for one datagram; the number of each is its sequence number.
#[derive(Default)]
struct DeleteBatch<'a> {
    datagram: Vec<u8>,
    steps: Vec<Step<'a>>,
    /// Which of the host's addresses the flows are turned back to.
    crowd: usize,
}

/// What a message does.
enum Step<'a> {
    /// Deletes a flow.
    Delete(FlowAction),
    /// Deletes what has taken a flow's place.
    Clear,
    /// Puts something else in its place.
    Tombstone(&'a Flow),
}

impl<'a> DeleteBatch<'a> {
    fn delete(&mut self, fate: FlowAction, flow: &'a Flow) {
        self.push(Step::Delete(fate), |bytes, sequence| {
            put_deletion(bytes, &flow.original, Some(flow.id), sequence);
        });
        if fate == FlowAction::Terminate {
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

    /// The one that the client called, and behind it those of loopback, of which IPv4 has no end. What
    /// is forwarded never gets there, which is as good.
    fn address(&self, flow: &Flow) -> IpAddr {
        match (flow.original.destination, self.crowd) {
            (IpAddr::V4(_), crowd @ 1..) => {
                let [.., high, low] = crowd.to_be_bytes();
                IpAddr::from([127, high, low, 1])
            }
            (address, _) => address,
        }
    }

    fn push(&mut self, step: Step<'a>, put: impl FnOnce(&mut Vec<u8>, u32)) {
        put(&mut self.datagram, self.steps.len() as u32);
        self.steps.push(step);
    }

    /// Sends the messages and returns the flows whose place was taken. That a flow is gone by now is
    /// as good as its deletion.
    fn carry_out(
        self,
        connection: &mut Connection,
        tended: &mut FlowChanges,
    ) -> Result<Vec<&'a Flow>, Error> {
        let errors = connection.send_changes(&self.datagram, self.steps.len() as u32)?;
        let errors: HashMap<u32, i32> = errors.into_iter().collect();
        let mut overtaken = Vec::new();
        for (sequence, step) in (0..).zip(&self.steps) {
            match (step, errors.get(&sequence)) {
                (Step::Delete(FlowAction::Clear), None) => tended.cleared += 1,
                (Step::Delete(FlowAction::Terminate), None) => tended.terminated += 1,
                (Step::Clear | Step::Tombstone(_), None) => {}
                (Step::Delete(_) | Step::Clear, Some(&libc::ENOENT)) => {}
                (Step::Tombstone(flow), Some(&libc::EEXIST)) => overtaken.push(*flow),
                (_, Some(errno)) => return Err(failure(*errno)),
            }
        }
        Ok(overtaken)
    }
}

fn failure(errno: i32) -> Error {
    io_error("deleting flows")(io::Error::from_raw_os_error(errno))
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

    /// Deletes flows of these fates, while the kernel answers with these errors.
    fn outcome<const N: usize>(
        fates: &[FlowAction],
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
        let doomed: Vec<(FlowAction, Flow)> = fates.iter().map(|fate| (*fate, flow)).collect();
        delete(&mut Connection::new(Box::new(kernel)), &doomed)
    }

    #[test]
    fn what_is_gone_already_is_not_counted() {
        use FlowAction::{Clear, Terminate};
        let errors = [0, libc::ENOENT, 0, 0, libc::ENOENT, 0];
        let tended = outcome(&[Clear, Clear, Terminate, Terminate], [&errors]).expect("success");
        assert_eq!(tended, FlowChanges { cleared: 1, terminated: 1 });
    }

    #[test]
    fn a_server_that_was_faster_is_displaced() {
        let faster = [0, libc::EEXIST];
        let errors: [&[i32]; 3] = [&faster, &[libc::ENOENT, libc::EEXIST], &[0, 0]];
        let tended = outcome(&[FlowAction::Terminate], errors).expect("success");
        assert_eq!(tended, FlowChanges { cleared: 0, terminated: 1 });
        let error = outcome(&[FlowAction::Terminate], [&faster; 1 + ATTEMPTS]);
        assert_eq!(
            error.expect_err("an error").to_string(),
            "netlink: deleting flows: File exists (os error 17)"
        );
    }

    #[test]
    fn any_other_error_is_told() {
        let error = outcome(&[FlowAction::Clear], [&[libc::EPERM]]).expect_err("an error");
        assert_eq!(
            error.to_string(),
            "netlink: deleting flows: Operation not permitted (os error 1)"
        );
    }
}
