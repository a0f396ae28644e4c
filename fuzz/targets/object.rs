//! Dumped tables, chains, sets and elements, and the generation.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dwnl::fuzzing::object(data));
