#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| incumbent_zk_fuzz::entry_and_snapshot(bytes));
