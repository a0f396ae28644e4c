//! Messages about traced packets.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dwnl::fuzzing::trace(data));
