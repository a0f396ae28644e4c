//! One dumped rule: iptables' and Docker's xt blobs as well as native expressions.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dwnl::fuzzing::rule(data));
