//! HAProxy: `option httplog`, `option httpslog`, `option httplog clf`.

use super::with_identity;
use crate::format::haproxy_format::{CLF, HTTPLOG, HTTPSLOG, compile_named};
use crate::format::{Format, Options};

pub(super) fn formats(options: &Options) -> Vec<Format> {
    [("haproxy:httpslog", HTTPSLOG), ("haproxy:httplog", HTTPLOG), ("haproxy:clf", CLF)]
        .map(|(label, text)| with_identity(options, |options| compile_named(label, text, &[], options)))
        .into()
}
