//! Lines in every fixed format: the first line names it, the others are its log.

#![no_main]

use std::sync::LazyLock;

use analyzer::format::builtin::Builtin;
use analyzer::format::{Cache, Format, Options, preset};
use libfuzzer_sys::fuzz_target;

static FORMATS: LazyLock<Vec<Format>> = LazyLock::new(|| {
    let options = Options::default();
    let builtin = [Builtin::Combined, Builtin::Common].map(|shape| shape.format(None, &options.identity));
    preset::all(&options).into_iter().chain(builtin).collect()
});

fuzz_target!(|data: &[u8]| {
    let mut lines = data.split(|byte| *byte == b'\n');
    let label = lines.next().unwrap_or_default();
    let named = FORMATS.iter().find(|format| format.label.as_bytes() == label);
    // A name that was spoilt stands for some format too.
    let any = || &FORMATS[label.iter().map(|byte| usize::from(*byte)).sum::<usize>() % FORMATS.len()];
    let format = named.unwrap_or_else(any);
    let mut cache = Cache::default();
    for line in lines {
        let _ = format.parse(line, &mut cache).map(|request| (request.path().len(), request.query().map(<[u8]>::len)));
    }
});
