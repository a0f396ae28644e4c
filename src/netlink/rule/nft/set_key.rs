//! The keys and timeouts of the elements that rules add to sets.

use std::num::NonZeroU32;

use super::original;
use crate::model::UpdateKey;
use crate::netlink::rule::expression::CtDirection;
use crate::netlink::rule::writer::load_port;

/// Of a second.
pub const MILLISECONDS: u64 = 1000;

/// The key of an element.
pub fn load_key(nft: &mut nftnl::Rule, key: UpdateKey) {
    match key {
        UpdateKey::Port(_) => load_port(nft),
        UpdateKey::OriginalSource(version) => original::load_source_and_port(nft, version),
        UpdateKey::OriginalPort => original::load_protocol_and_port(nft),
        UpdateKey::Direction => nft.add_expr(&CtDirection),
        UpdateKey::SourceNetwork(version) => original::load_source_network(nft, version),
    }
}

/// Milliseconds as whole seconds.
pub fn seconds(milliseconds: u64) -> Option<NonZeroU32> {
    let seconds = u32::try_from(milliseconds / MILLISECONDS).ok()?;
    milliseconds.is_multiple_of(MILLISECONDS).then(|| NonZeroU32::new(seconds))?
}
