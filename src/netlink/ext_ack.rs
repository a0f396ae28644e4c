//! Describes the attribute at an offset of a message, as the extended ACK reports it.

use super::attribute::{Attribute, Attributes};
use super::rule::Expression;
use super::uapi::{FAMILY_HEADER, MESSAGE_HEADER, rule};

/// The attribute at an offset of a message that was sent, in words. The offset counts from the
/// message's header.
pub(crate) fn describe_offset(message: &[u8], offset: u32) -> Option<String> {
    let kind = u16::from_ne_bytes(message.get(4..6)?.try_into().ok()?);
    let start = MESSAGE_HEADER + FAMILY_HEADER;
    let offset = (offset as usize).checked_sub(start)?;
    let attribute = containing(Attributes::new(message.get(start..)?), offset)?;
    let is_rule = i32::from(kind & 0xff) == libc::NFT_MSG_NEWRULE;
    if is_rule && attribute.number == rule::EXPRESSIONS {
        return expression_at(attribute, offset);
    }
    Some(name(i32::from(kind & 0xff), attribute.number))
}

fn containing(attributes: Attributes, offset: usize) -> Option<Attribute> {
    attributes.take_while(|attribute| attribute.offset <= offset).last()
}

fn expression_at(list: Attribute, offset: usize) -> Option<String> {
    // The items begin behind the list's own header.
    let within = offset.checked_sub(list.offset + 4);
    let Some(within) = within else { return Some("the expressions".to_owned()) };
    let position = list.nested().take_while(|element| element.offset <= within).count();
    let element = containing(list.nested(), within)?;
    Some(match Expression::read(element) {
        Expression::Match { name, .. } => format!("expression {position}, match {name}"),
        other => format!("expression {position}, {other}"),
    })
}

fn name(message: i32, number: u16) -> String {
    let names: &[&str] = match message {
        libc::NFT_MSG_NEWTABLE | libc::NFT_MSG_DELTABLE => &["name", "flags"],
        libc::NFT_MSG_NEWCHAIN | libc::NFT_MSG_DELCHAIN => {
            &["table", "handle", "name", "hook", "policy", "use", "type"]
        }
        _ => &["table", "chain", "handle", "expressions", "compat", "position"],
    };
    let name = usize::from(number).checked_sub(1).and_then(|index| names.get(index));
    name.map_or_else(|| format!("attribute {number}"), |name| format!("the attribute `{name}`"))
}
