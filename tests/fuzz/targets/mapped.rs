//! Fields by the names that people map: the first line holds the rules, the others are the log.

#![no_main]

use analyzer::format::{Cache, Options, detect};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (rules, text) = data.split_at(end);
    let rules = String::from_utf8_lossy(rules);
    let map = rules.split(' ').filter_map(|rule| rule.parse().ok()).collect();
    let text = text.strip_prefix(b"\n").unwrap_or(text);
    for found in detect::detect(text, &Options { map, ..Options::default() }) {
        let mut cache = Cache::default();
        for line in text.split(|byte| *byte == b'\n') {
            let _ = found.format.parse(line, &mut cache);
        }
    }
});
