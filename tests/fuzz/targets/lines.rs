//! Lines in every fixed format: the first byte says which one, the rest is its log.

#![no_main]

use std::sync::LazyLock;

use analyzer::format::{Cache, Format, Options, preset};
use libfuzzer_sys::fuzz_target;

static FORMATS: LazyLock<Vec<Format>> = LazyLock::new(|| preset::all(&Options::default()));

fuzz_target!(|data: &[u8]| {
    let [which, text @ ..] = data else { return };
    let format = &FORMATS[usize::from(*which) % FORMATS.len()];
    let mut cache = Cache::default();
    for line in text.split(|byte| *byte == b'\n') {
        let _ = format.parse(line, &mut cache).map(|request| (request.path().len(), request.query().map(<[u8]>::len)));
    }
});
