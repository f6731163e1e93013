//! The formats that need no description: what products write out of the box, one family per file.

mod apache;
mod nginx;

use super::{Format, Options};

/// All fixed formats of lines, the more specific of a family first.
pub(crate) fn all(options: &Options) -> Vec<Format> {
    let families: &[fn(&Options) -> Vec<Format>] = &[nginx::formats, apache::formats];
    families.iter().flat_map(|family| family(options)).collect()
}

/// The fixed format of that name, such as `alb` or `envoy:default`.
pub(crate) fn named(name: &str, options: &Options) -> Option<Format> {
    all(options).into_iter().find(|format| format.label == name)
}
