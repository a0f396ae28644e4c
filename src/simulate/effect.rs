//! What expressions do to the packet and its flow.

use super::bits::Bits;
use super::nat::Range;
use super::packet::{Manipulated, Tracking};
use super::probe::{Effect, Outcome};
use super::rule::{Evaluation, Flow};
use super::run::{Ended, Run};
use crate::model::IpVersion;
use crate::model::kernel::{
    ConnmarkMode, CtKey, MetaKey, NatTarget, PayloadBase, RulePart, Store, XtTarget,
};

/// Targets that do nothing that matters for where the packet goes.
const HARMLESS_TARGETS: [&str; 16] = [
    "AUDIT",
    "CHECKSUM",
    "CLASSIFY",
    "CONNSECMARK",
    "DSCP",
    "ECN",
    "HL",
    "IDLETIMER",
    "LED",
    "RATEEST",
    "SECMARK",
    "SET",
    "TCPOPTSTRIP",
    "TEE",
    "TOS",
    "TTL",
];

/// `XT_CT_NOTRACK` and `XT_CT_NOTRACK_ALIAS`.
const CT_NOTRACK: u16 = 1 | 2;

impl Run<'_> {
    /// Does what an expression says that is neither a condition nor a load.
    pub fn effect(&mut self, part: &RulePart, at: &mut Evaluation) -> Ended<Flow> {
        match part {
            RulePart::Verdict(verdict) => return Ok(Flow::Verdict(verdict.clone())),
            RulePart::Store { from, what } => self.store(*what, at.registers.get(*from, 4), at)?,
            RulePart::Reject { .. } => return Err(self.reject(at)),
            RulePart::Notrack => self.notrack(at),
            // The kernel skips a translation to addresses of the other version.
            RulePart::Nat { operands, .. } if !operands.is_for(self.packet.version) => {}
            RulePart::Nat { target, operands } => {
                let range = Range::of_operands(operands, &at.registers, self.packet.version);
                return self.nat(*target, range, at);
            }
            RulePart::Target(target) => return self.target_of_xt(target, at),
            RulePart::Other(name) => return Err(self.unknown_effect(at.path, at.rule, name)),
            // The others are conditions and loads.
            _ => {}
        }
        Ok(Flow::On)
    }

    fn target_of_xt(&mut self, target: &XtTarget, at: &mut Evaluation) -> Ended<Flow> {
        match target {
            XtTarget::Dnat(to) => return self.nat(NatTarget::Destination, Range::of(to), at),
            XtTarget::Snat(to) => return self.nat(NatTarget::Source, Range::of(to), at),
            XtTarget::Masquerade(to) => return self.nat(NatTarget::Masquerade, Range::of(to), at),
            XtTarget::Redirect(to) => return self.nat(NatTarget::Redirect, Range::of(to), at),
            XtTarget::Mark { value, mask } => {
                self.set_mark(self.packet.mark.set_bits(*mask, *value), at);
            }
            XtTarget::Connmark { value, mask, packet_mask, mode } => {
                self.connmark((*value, *mask, *packet_mask), *mode, at);
            }
            XtTarget::Reject { .. } => return Err(self.reject(at)),
            XtTarget::Notrack => self.notrack(at),
            XtTarget::Ct { flags, .. } if flags & CT_NOTRACK != 0 => self.notrack(at),
            XtTarget::Ct { zone, .. } => self.packet.ct_zone = *zone,
            XtTarget::Log { .. }
            | XtTarget::Nflog { .. }
            | XtTarget::TcpMss(_)
            | XtTarget::Trace => {}
            XtTarget::Other(name) if HARMLESS_TARGETS.contains(&name.as_ref()) => {}
            XtTarget::Other(name) => return Err(self.unknown_effect(at.path, at.rule, name)),
        }
        Ok(Flow::On)
    }

    fn store(&mut self, what: Store, bits: Bits, at: &Evaluation) -> Ended<()> {
        match what {
            Store::Meta(MetaKey::MARK) => self.set_mark(bits, at),
            Store::Ct(CtKey::MARK) => self.set_connection_mark(bits, at),
            Store::Payload { base, offset, length } if self.is_address(base, offset, length) => {
                return Err(self.unknown_effect(at.path, at.rule, "a header that is rewritten"));
            }
            Store::Meta(_) | Store::Ct(_) | Store::Payload { .. } => {}
        }
        Ok(())
    }

    /// Whether these bytes have addresses or ports.
    fn is_address(&self, base: PayloadBase, offset: u32, length: u32) -> bool {
        let fields = match (base, self.packet.version) {
            (PayloadBase::Network, IpVersion::V4) => 12..20,
            (PayloadBase::Network, IpVersion::V6) => 8..40,
            (PayloadBase::Transport, _) => 0..4,
            (PayloadBase::Link | PayloadBase::Inner, _) => 0..0,
        };
        offset < fields.end && offset.saturating_add(length) > fields.start
    }

    fn set_mark(&mut self, mark: Bits, at: &Evaluation) {
        self.step(at.path, at.rule, Effect::Mark(mark.as_number()));
        self.packet.mark = mark;
    }

    fn set_connection_mark(&mut self, mark: Bits, at: &Evaluation) {
        match self.packet.tracking {
            Tracking::New => {
                self.step(at.path, at.rule, Effect::ConnectionMark(mark.as_number()));
                self.packet.ct_mark = mark;
            }
            Tracking::Unsure => self.packet.ct_mark = Bits::unknown(4),
            Tracking::Before | Tracking::Untracked => {}
        }
    }

    /// `connmark_tg` of `net/netfilter/xt_connmark.c`.
    fn connmark(&mut self, numbers: (u32, u32, u32), mode: ConnmarkMode, at: &Evaluation) {
        let (value, mask, packet_mask) = numbers;
        if matches!(self.packet.tracking, Tracking::Before | Tracking::Untracked) {
            return;
        }
        let (packet, connection) = (&self.packet.mark, &self.packet.ct_mark);
        match mode {
            ConnmarkMode::Set => self.set_connection_mark(connection.set_bits(mask, value), at),
            ConnmarkMode::Save => {
                let kept = packet.set_bits(!packet_mask, 0);
                self.set_connection_mark(connection.set_bits(mask, 0).xor(&kept), at);
            }
            ConnmarkMode::Restore => {
                let kept = connection.set_bits(!mask, 0);
                self.set_mark(packet.set_bits(packet_mask, 0).xor(&kept), at);
            }
            ConnmarkMode::Other => {
                self.set_connection_mark(Bits::unknown(4), at);
                self.set_mark(Bits::unknown(4), at);
            }
        }
    }

    fn notrack(&mut self, at: &Evaluation) {
        if self.packet.tracking == Tracking::Before {
            self.packet.tracking = Tracking::Untracked;
            self.step(at.path, at.rule, Effect::Notrack);
        }
    }

    fn reject(&mut self, at: &Evaluation) -> Outcome {
        self.step(at.path, at.rule, Effect::Reject);
        Outcome::Rejected(self.steps.len() - 1)
    }

    /// A translation. It ends the chain.
    fn nat(&mut self, target: NatTarget, range: Option<Range>, at: &Evaluation) -> Ended<Flow> {
        let end = match target {
            NatTarget::Destination | NatTarget::Redirect => Manipulated::Destination,
            NatTarget::Source | NatTarget::Masquerade => Manipulated::Source,
        };
        if self.packet.tracking != Tracking::New || self.packet.is_bound[end as usize] {
            return Ok(Flow::Translated);
        }
        let known = match end {
            // Where the packet goes is decided; only its answers depend on its source.
            Manipulated::Source => Some(Effect::Snat),
            Manipulated::Destination => {
                range.and_then(|range| self.destination(target, &range)).map(|to| self.bind(to))
            }
        };
        let Some(effect) = known else {
            return Err(self.unknown_effect(at.path, at.rule, "what it translates to"));
        };
        self.packet.is_bound[end as usize] = true;
        self.step(at.path, at.rule, effect);
        Ok(Flow::Translated)
    }
}
