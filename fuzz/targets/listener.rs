//! Dumped listening sockets.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dwnl::fuzzing::listener(data));
