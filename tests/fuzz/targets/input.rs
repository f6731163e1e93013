//! A whole input as it may come: compressed or not, wrapped or not, in any format, in small blocks.

#![no_main]

use analyzer::Settings;
use analyzer::settings::ReadSettings;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let settings = Settings {
        read: ReadSettings {
            inputs: vec!["-".into()],
            stdin: Some(data.into()),
            threads: 1,
            block_bytes: 256,
            line_limit: 4096,
            ratio_limit: 50,
            ..ReadSettings::default()
        },
        ..Settings::default()
    };
    let _ = analyzer::analyze(&settings, &|_| {});
});
