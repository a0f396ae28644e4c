//! Dumped interfaces, their addresses, and routes.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dwnl::fuzzing::link(data));
