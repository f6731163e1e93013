//! Format strings: the first line is compiled, the others are read with what came of it.

#![no_main]

use analyzer::format::{Cache, Options, language};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut lines = data.split(|byte| *byte == b'\n');
    let Some(Ok(text)) = lines.next().map(std::str::from_utf8) else { return };
    let Ok(format) = language::compile(text, &Options::default()) else { return };
    let mut cache = Cache::default();
    for line in lines {
        let _ = format.parse(line, &mut cache);
    }
});
