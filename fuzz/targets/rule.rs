//! One dumped rule, with xt blobs of iptables and Docker or with native expressions.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dwnl::fuzzing::rule(data));
