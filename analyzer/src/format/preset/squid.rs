//! Squid: the formats it has built in.

use super::with_identity;
use crate::format::program::Tail;
use crate::format::squid_format::{COMBINED, COMMON, NATIVE, compile_named};
use crate::format::{Format, Options};

pub(super) fn formats(options: &Options) -> Vec<Format> {
    // `log_mime_hdrs` adds blocks of headers at the end.
    [("squid:native", NATIVE), ("squid:combined", COMBINED), ("squid:common", COMMON)]
        .map(|(label, text)| {
            with_identity(options, |options| compile_named(label, text, Tail::Anything, options))
        })
        .into()
}
