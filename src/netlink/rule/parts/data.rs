//! The attributes of an expression.

use crate::model::kernel::Register;
use crate::netlink::attribute::Attribute;
use crate::netlink::uapi;

/// The data of an expression.
#[derive(Clone, Copy)]
pub struct Data<'a>(pub Attribute<'a>);

impl<'a> Data<'a> {
    pub fn has(self, attribute: u16) -> bool {
        self.0.nested().find(attribute).is_some()
    }

    pub fn number(self, attribute: u16) -> Option<u32> {
        self.0.nested().find(attribute)?.be_u32()
    }

    /// A number, 0 if it is missing.
    pub fn flags(self, attribute: u16) -> u32 {
        self.number(attribute).unwrap_or(0)
    }

    /// A register for data. The kernel numbers those of 16 bytes from 1 and those of 4 bytes from 8.
    pub fn register(self, attribute: u16) -> Option<Register> {
        match self.number(attribute)? {
            number @ 1..=4 => Some(Register((number as u8 - 1) * 4)),
            number @ 8..=23 => Some(Register(number as u8 - 8)),
            _ => None,
        }
    }

    /// Constant bytes.
    pub fn value(self, attribute: u16) -> Option<Box<[u8]>> {
        let value = self.0.nested().find(attribute)?.nested().find(uapi::data::VALUE)?;
        Some(value.payload.into())
    }

    pub fn string(self, attribute: u16) -> Option<std::borrow::Cow<'a, str>> {
        Some(self.0.nested().find(attribute)?.string())
    }
}
