//! What a flow's destination is translated to.

use std::net::IpAddr;

use super::packet::{DST_NAT, Packet};
use super::probe::Effect;
use super::registers::Registers;
use super::run::Run;
use crate::model::IpVersion;
use crate::model::kernel::{NatOperands, NatTarget, Register, Translation};

/// `NF_NAT_RANGE_PROTO_RANDOM` and `NF_NAT_RANGE_PROTO_RANDOM_FULLY`: the port is chosen at random.
const RANDOM: u32 = 4 | 16;
/// `NF_NAT_RANGE_PROTO_OFFSET` and `NF_NAT_RANGE_NETMAP`, which dwnl does not compute.
const COMPUTED: u32 = 32 | 64;

/// What a flow may be translated to.
#[derive(Clone, Debug)]
pub struct Range {
    addresses: Option<(IpAddr, IpAddr)>,
    ports: Option<(u16, u16)>,
    flags: u32,
}

impl Range {
    /// That of a target of xtables; always known.
    pub fn of(translation: &Translation) -> Option<Range> {
        let Translation { addresses, ports, flags } = *translation;
        Some(Range { addresses, ports, flags })
    }

    /// That of an expression; `None` if a register is not known.
    pub fn of_operands(
        operands: &NatOperands,
        registers: &Registers,
        version: IpVersion,
    ) -> Option<Range> {
        let address = |register| address(register, registers, version);
        let port = |register| port(register, registers);
        let addresses = ends(operands.address_first, operands.address_last, address)?;
        let ports = ends(operands.port_first, operands.port_last, port)?;
        Some(Range { addresses, ports, flags: operands.flags })
    }
}

/// The first and the last value; the last is the first where it is not given.
fn ends<T: Copy>(
    first: Option<Register>,
    last: Option<Register>,
    value: impl Fn(Register) -> Option<T>,
) -> Option<Option<(T, T)>> {
    let Some(first) = first else { return Some(None) };
    let first = value(first)?;
    let last = last.map_or(Some(first), value)?;
    Some(Some((first, last)))
}

fn address(register: Register, registers: &Registers, version: IpVersion) -> Option<IpAddr> {
    let bits = registers.get(register, version.address_bytes());
    match version {
        IpVersion::V4 => Some(IpAddr::from(<[u8; 4]>::try_from(bits.bytes()?).ok()?)),
        IpVersion::V6 => Some(IpAddr::from(<[u8; 16]>::try_from(bits.bytes()?).ok()?)),
    }
}

fn port(register: Register, registers: &Registers) -> Option<u16> {
    Some(u16::from_be_bytes(registers.get(register, 2).bytes()?.try_into().ok()?))
}

impl Run<'_> {
    /// The destination that a range gives; `None` if the kernel chooses one.
    pub fn destination(&self, target: NatTarget, range: &Range) -> Option<(IpAddr, u16)> {
        let Packet { ends, in_interface, version, .. } = &self.packet;
        if range.flags & COMPUTED != 0 {
            return None;
        }
        let address = match (target, range.addresses) {
            (NatTarget::Redirect, _) => {
                self.host.redirect_address(in_interface.as_deref()?, *version)?
            }
            (_, None) => ends.destination,
            (_, Some((first, last))) => (first == last).then_some(first)?,
        };
        let port = match range.ports {
            None => ends.port,
            Some((first, last)) if first == last => first,
            Some((first, last)) => {
                let is_kept = (first..=last).contains(&ends.port) && range.flags & RANDOM == 0;
                is_kept.then_some(ends.port)?
            }
        };
        Some((address, port))
    }

    /// Translates the flow's destination.
    pub fn bind(&mut self, (address, port): (IpAddr, u16)) -> Effect {
        let ends = &mut self.packet.ends;
        if (ends.destination, ends.port) != (address, port) {
            self.packet.ct_status |= DST_NAT;
        }
        (ends.destination, ends.port) = (address, port);
        Effect::Dnat { address, port }
    }
}
