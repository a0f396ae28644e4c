//! Answers of DNS servers from any bytes.

#![allow(clippy::expect_used)]

use super::message::{Query, Reply};
use crate::model::IpVersion;

/// Reads the bytes as the answer to a question about either IP version; the first two bytes are replaced
/// by the ID. The addresses that are found can be those of a client.
pub fn reply(bytes: &[u8]) {
    let host = "home.example.net".parse().expect("a name");
    for version in IpVersion::ALL {
        let query = Query::new(&host, version, 7).expect("a question");
        let mut bytes = bytes.to_vec();
        if let Some(id) = bytes.get_mut(..2) {
            id.copy_from_slice(&[0, 7]);
        }
        if let Reply::Answer(message) = query.reply(&bytes) {
            let found = query.addresses(&message).found;
            for address in found.into_iter().flat_map(|found| found.addresses) {
                assert_eq!(IpVersion::of(address), version);
                assert!(!address.is_loopback() && !address.is_unspecified());
            }
        }
    }
}
