//! Messages about traced packets: `NFT_MSG_TRACE` of `linux/netfilter/nf_tables.h`, one for each rule
//! that a packet meets and for the end of each chain.

mod header;

use std::io;

use super::attribute::{Attribute, Attributes};
use super::message::Message;
use super::nfproto;
use super::socket::{Socket, set_option};
use super::uapi::{self, CONTINUE, nf_verdict, trace, trace_type, verdict_code};
use crate::model::{TraceCause, TraceMessage, TraceVerdict, TracedChain, TracedState};

/// Maximum size of pending messages, in bytes with the kernel's overhead: each takes a page or so.
const RECEIVE_BUFFER: usize = 8 * 1024 * 1024;

impl Socket {
    /// Opens a socket to nfnetlink in the calling thread's network namespace. The kernel sends the
    /// messages about all traced packets of the namespace to it, whoever has them traced.
    ///
    /// # Errors
    /// EPERM without CAP_NET_ADMIN.
    pub fn open_trace() -> io::Result<Socket> {
        let socket = Socket::open()?;
        socket.grow_receive_buffer(RECEIVE_BUFFER);
        let group = &libc::NFNLGRP_NFTRACE;
        set_option(&socket, libc::SOL_NETLINK, libc::NETLINK_ADD_MEMBERSHIP, group)?;
        Ok(socket)
    }
}

/// What a message says of a traced packet; `None` if it is another message, or not understood.
pub(crate) fn decode_trace(message: &Message) -> Option<TraceMessage> {
    if !message.is_nft(libc::NFT_MSG_TRACE) {
        return None;
    }
    let family = nfproto::name(*message.payload.first()?)?;
    let attributes = message.attributes();
    let text = |number| Some(attributes.clone().find(number)?.string().into());
    let chain = TracedChain {
        family: family.into(),
        table: text(trace::TABLE)?,
        chain: text(trace::CHAIN)?,
    };
    let id = attributes.clone().find(trace::ID)?.be_u32()?;
    let (cause, verdict) = decode_step(&attributes)?;
    Some(TraceMessage { id, chain, cause, verdict, packet: decode_packet(&attributes) })
}

fn decode_step(attributes: &Attributes) -> Option<(TraceCause, TraceVerdict)> {
    let find = |number| attributes.clone().find(number);
    let handle = find(trace::RULE_HANDLE).and_then(|handle| handle.be_u64());
    let verdict = || decode_verdict(find(trace::VERDICT)?);
    Some(match find(trace::TYPE)?.be_u32()? {
        trace_type::POLICY => {
            let policy = find(trace::POLICY)?.be_u32()?.cast_signed();
            (TraceCause::Policy, decode_code(policy, None))
        }
        trace_type::RETURN => (handle.map_or(TraceCause::End, TraceCause::Rule), verdict()?),
        trace_type::RULE => (TraceCause::Rule(handle?), verdict()?),
        _ => return None,
    })
}

/// `NFTA_VERDICT_*`.
fn decode_verdict(verdict: Attribute) -> Option<TraceVerdict> {
    let code = verdict.nested().find(uapi::verdict::CODE)?.be_u32()?.cast_signed();
    Some(decode_code(code, verdict.nested().find(uapi::verdict::CHAIN)))
}

fn decode_code(code: i32, chain: Option<Attribute>) -> TraceVerdict {
    let chain = || chain.map_or_else(|| "".into(), |chain| chain.string().into());
    match code {
        CONTINUE => TraceVerdict::Continue,
        verdict_code::JUMP => TraceVerdict::Jump(chain()),
        verdict_code::GOTO => TraceVerdict::Goto(chain()),
        verdict_code::RETURN => TraceVerdict::Return,
        _ if code < 0 => TraceVerdict::Other(code),
        // The upper bits are the number of the queue, or the errno of a drop.
        _ => match code & nf_verdict::MASK {
            verdict_code::DROP => TraceVerdict::Drop,
            verdict_code::ACCEPT => TraceVerdict::Accept,
            nf_verdict::STOLEN => TraceVerdict::Stolen,
            nf_verdict::QUEUE => TraceVerdict::Queue,
            _ => TraceVerdict::Other(code),
        },
    }
}

/// The packet. The kernel dumps its headers once for each base chain that it passes, in whatever
/// message comes first.
fn decode_packet(attributes: &Attributes) -> Option<TracedState> {
    let find = |number| attributes.clone().find(number);
    let number = |number| find(number).and_then(|it| it.be_u32()).filter(|it| *it != 0);
    let network = find(trace::NETWORK_HEADER)?.payload;
    let transport = find(trace::TRANSPORT_HEADER).map_or(&[][..], |header| header.payload);
    let protocol = find(trace::NFPROTO).and_then(|protocol| protocol.be_u32());
    let version = protocol.and_then(|it| nfproto::version(u8::try_from(it).ok()?));
    Some(TracedState {
        header: version.and_then(|version| header::decode(version, network, transport)),
        in_interface: number(trace::IN_INTERFACE),
        out_interface: number(trace::OUT_INTERFACE),
    })
}

#[cfg(test)]
mod tests;
