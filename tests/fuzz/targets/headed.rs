//! Logs that say themselves what their fields are: a header, an empty line, and the lines that it describes.

#![no_main]

use analyzer::format::{Cache, Options, detect, language};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let options = Options::default();
    let empty = data.windows(2).position(|pair| pair == b"\n\n").unwrap_or(data.len());
    let (header, lines) = data.split_at(empty);
    let given = std::str::from_utf8(header).ok().and_then(|header| language::compile(header, &options).ok());
    let detected = detect::detect(data, &options).into_iter().map(|found| found.format);
    for format in given.into_iter().chain(detected) {
        let mut cache = Cache::default();
        cache.begin(Some(header));
        for line in lines.split(|byte| *byte == b'\n') {
            let _ = format.parse(line, &mut cache);
        }
    }
});
