//! Values that are read back from their own text.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use proptest::prelude::*;

use super::strategies::{addresses, interface, ports};
use crate::model::{AddressRange, Protocol};

fn read_back<T: FromStr<Err: Debug> + Display>(value: &T) -> T {
    value.to_string().parse().expect("its own text")
}

proptest! {
    #[test]
    fn values_round_trip_through_their_text(
        ports in ports(), addresses in addresses(), interface in interface(),
    ) {
        prop_assert_eq!(read_back(&ports), ports);
        prop_assert_eq!(read_back(&addresses), addresses);
        prop_assert_eq!(read_back(&interface), interface);
        let range = AddressRange::new(addresses.first(), addresses.last()).expect("a range");
        prop_assert_eq!(read_back(&range), range);
    }
}

#[test]
fn protocols_round_trip_through_their_text() {
    for protocol in Protocol::ALL {
        assert_eq!(read_back(&protocol), protocol);
    }
    assert!("TCP".parse::<Protocol>().is_err());
}
