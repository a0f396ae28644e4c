//! Rules of any program: their words, and what becomes of packets that pass them.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dwnl::fuzzing::simulated(data));
