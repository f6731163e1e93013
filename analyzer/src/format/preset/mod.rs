//! The formats that need no description: what products write out of the box, one family per file.

use super::{Format, Options};

/// All fixed formats of lines, the more specific of a family first.
pub(crate) fn all(options: &Options) -> Vec<Format> {
    [].into_iter().flat_map(|family: fn(&Options) -> Vec<Format>| family(options)).collect()
}

/// The fixed format of that name, such as `alb` or `envoy:default`.
pub(crate) fn named(name: &str, options: &Options) -> Option<Format> {
    all(options).into_iter().find(|format| format.label == name)
}
