#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| incumbent_zk_fuzz::frame(bytes));
