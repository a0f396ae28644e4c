//! Dumped tables, chains and generations.

use super::attribute::Attributes;
use super::{uapi, userdata};
use crate::model::{InstalledChain, InstalledTable, KernelBase, KernelChain, KernelTable, Name};

/// `NFT_TABLE_F_DORMANT`.
const TABLE_DORMANT: u32 = 1;
/// `NF_DROP`.
const POLICY_DROP: u32 = 0;

/// A table's name and state; its chains are still missing. The bytes are the attributes of
/// `NFT_MSG_NEWTABLE`.
pub(crate) fn decode_table(attributes: Attributes) -> Option<(Name, InstalledTable)> {
    let name = attributes.clone().find(uapi::table::NAME)?.string().into();
    let owner = attributes.clone().find(uapi::table::OWNER).and_then(|owner| owner.be_u32());
    let flags = attributes.clone().find(uapi::table::FLAGS).and_then(|flags| flags.be_u32());
    let dormant = flags.unwrap_or(0) & TABLE_DORMANT != 0;
    let created_by_dwnl = userdata::is_tagged(attributes.find(uapi::table::USERDATA));
    Some((name, InstalledTable { owner, created_by_dwnl, dormant, ..InstalledTable::default() }))
}

/// A chain's table, name and state; its rules are still missing. The bytes are the attributes of
/// `NFT_MSG_NEWCHAIN`.
pub(crate) fn decode_chain(attributes: Attributes) -> Option<(Name, Name, InstalledChain)> {
    let table = attributes.clone().find(uapi::chain::TABLE)?.string().into();
    let name = attributes.clone().find(uapi::chain::NAME)?.string().into();
    let hook = attributes.clone().find(uapi::chain::HOOK);
    let base = hook.and_then(|hook| {
        let number = hook.nested().find(uapi::hook::NUMBER)?.be_u32()?;
        let priority = hook.nested().find(uapi::hook::PRIORITY)?.be_u32()?.cast_signed();
        let chain_type = attributes.clone().find(uapi::chain::TYPE)?.string();
        Some((chain_type.into(), number.into(), priority))
    });
    let policy = attributes.clone().find(uapi::chain::POLICY).and_then(|policy| policy.be_u32());
    let drops = policy == Some(POLICY_DROP);
    let created_by_dwnl = userdata::is_tagged(attributes.find(uapi::chain::USERDATA));
    Some((table, name, InstalledChain { base, drops, created_by_dwnl, rules: Vec::new() }))
}

/// The number of a chain's rules and of the jumps to it. The bytes are the attributes of `NFT_MSG_NEWCHAIN`.
pub(crate) fn chain_uses(attributes: Attributes) -> u32 {
    attributes.find(uapi::chain::USE).and_then(|uses| uses.be_u32()).unwrap_or(0)
}

/// A table with its name, without its chains. The bytes are the attributes of `NFT_MSG_NEWTABLE`.
pub(crate) fn decode_kernel_table(attributes: Attributes) -> Option<(Name, KernelTable)> {
    let handle = handle(&attributes, uapi::table::HANDLE);
    let (name, InstalledTable { dormant, owner, .. }) = decode_table(attributes)?;
    Some((name, KernelTable { handle, dormant, owner, ..KernelTable::default() }))
}

/// A chain with the names of its table and itself, without its rules. The bytes are the attributes of
/// `NFT_MSG_NEWCHAIN`.
pub(crate) fn decode_kernel_chain(attributes: Attributes) -> Option<(Name, Name, KernelChain)> {
    let handle = handle(&attributes, uapi::chain::HANDLE);
    let (table, name, InstalledChain { base, drops, .. }) = decode_chain(attributes)?;
    let base =
        base.map(|(chain_type, hook, priority)| KernelBase { chain_type, hook, priority, drops });
    Some((table, name, KernelChain { handle, base, rules: Vec::new() }))
}

fn handle(attributes: &Attributes, number: u16) -> u64 {
    attributes.clone().find(number).and_then(|handle| handle.be_u64()).unwrap_or(0)
}

/// The generation. The bytes are the attributes of `NFT_MSG_NEWGEN`.
pub(crate) fn decode_generation(attributes: Attributes) -> Option<u32> {
    attributes.clone().find(uapi::generation::ID)?.be_u32()
}
