//! Configurations of servers, without what they include.

#![no_main]

use analyzer::format::{Options, configuration};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = configuration::format_of_text(text, None, &Options::default());
    }
});
