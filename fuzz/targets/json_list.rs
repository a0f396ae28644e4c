//! A path, and a source list in JSON.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dwnl::fuzzing::json_list(data));
