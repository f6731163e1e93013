//! Envoy by itself, and as Istio sets it up.

use super::with_identity;
use crate::format::envoy_format::{DEFAULT, ISTIO, compile_named};
use crate::format::{Format, Options};

pub(super) fn formats(options: &Options) -> Vec<Format> {
    [("istio:default", ISTIO), ("envoy:default", DEFAULT)]
        .map(|(label, text)| with_identity(options, |options| compile_named(label, text, options)))
        .into()
}
