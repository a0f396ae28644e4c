//! Complete dumps as the engine reads them, and the plans that result from them.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dwnl::fuzzing::snapshot(data));
