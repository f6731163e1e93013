//! Exports and recordings: the first byte says which kind, the rest is the document.

#![no_main]

use analyzer::document::Document;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [which, text @ ..] = data else { return };
    let document = Document::ALL[usize::from(*which) % Document::ALL.len()];
    let _ = document.recognise(text);
    let _ = document.read(text, &mut |_| {});
});
