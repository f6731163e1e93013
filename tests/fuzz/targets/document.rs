//! Exports and recordings: the first line names the kind, the rest is the document.

#![no_main]

use std::sync::LazyLock;

use analyzer::document::Document;
use libfuzzer_sys::fuzz_target;

static KINDS: LazyLock<Vec<Document>> = LazyLock::new(|| Document::all().collect());

fuzz_target!(|data: &[u8]| {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (label, text) = data.split_at(end);
    let text = text.strip_prefix(b"\n").unwrap_or(text);
    for kind in KINDS.iter() {
        let _ = kind.recognise(text);
    }
    let named = KINDS.iter().find(|kind| kind.label().as_bytes() == label);
    // A name that was spoilt stands for some kind too.
    let any = || &KINDS[label.iter().map(|byte| usize::from(*byte)).sum::<usize>() % KINDS.len()];
    let _ = named.unwrap_or_else(any).read(text, &mut |_| {});
});
